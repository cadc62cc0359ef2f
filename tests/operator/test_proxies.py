"""etc/nginx.conf and etc/haproxy.cfg, as they are but for names, ports and paths, in the real nginx and HAProxy: in front of
a real Akin, and of a server that misbehaves on purpose."""
import http.client
import http.server
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings

import pytest

import harness
from harness import TOP, until

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "x/y"), ("3", "A")]
ITEM = "/predict/item/A"
KEY = "a-key-of-the-shop-0123"
NAME = "shop.example"
UNKNOWN = {"detail": "Not Found"}


def changed(text, *pairs):
    """Each of these stands there, and is replaced."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Self-signed; certificate, key, and both in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    crt, key, both = folder / "crt", folder / "key", folder / "both"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", crt],
                   check=True, capture_output=True)
    both.write_bytes(crt.read_bytes() + key.read_bytes())
    return crt, key, both


class Proxy:
    """One of the two on its shipped configuration, in front of 127.0.0.1:behind."""

    def __init__(self, kind, folder, certificate, behind):
        folder.mkdir(parents=True)
        self.kind, self.plain, self.port = kind, harness.free_port(), harness.free_port()
        self.crt = certificate[0]
        self.log = folder / "log"
        self.check, command = (self.nginx if kind == "nginx" else self.haproxy)(folder, certificate, behind)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        try:
            until(self.listens, f"{kind} to listen")
        except AssertionError:
            self.end()
            raise

    def nginx(self, folder, certificate, behind):
        site, main = folder / "akin.conf", folder / "nginx.conf"
        site.write_text(changed(
            (TOP / "etc/nginx.conf").read_text(), ("listen 80;", f"listen 127.0.0.1:{self.plain};"), ("listen [::]:80;", ""),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"), ("listen [::]:443 ssl http2;", ""),
            ("127.0.0.1:8000", f"127.0.0.1:{behind}"), ("/etc/ssl/certs/shop.example.pem", str(certificate[0])),
            ("/etc/ssl/private/shop.example.key", str(certificate[1]))))
        temporary = "\n".join(f"{what}_temp_path {folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        main.write_text(f"user root;\ndaemon off;\nworker_processes 2;\npid {folder}/pid;\nerror_log stderr;\n"
                        f"events {{ worker_connections 512; }}\nhttp {{\naccess_log off;\n{temporary}\ninclude {site};\n}}\n")
        command = ["nginx", "-e", "stderr", "-p", folder, "-c", main]
        return [*command, "-t"], command

    def haproxy(self, folder, certificate, behind):
        conf = folder / "haproxy.cfg"
        conf.write_text(changed(
            (TOP / "etc/haproxy.cfg").read_text(), ("bind :80\n", f"bind 127.0.0.1:{self.plain}\n"),
            ("\tbind :::80 v6only\n", ""), ("bind :443 ssl", f"bind 127.0.0.1:{self.port} ssl"),
            ("\tbind :::443 v6only ssl crt /etc/haproxy/shop.example.pem alpn h2,http/1.1\n", ""),
            ("/etc/haproxy/shop.example.pem", str(certificate[2])), ("127.0.0.1:8000", f"127.0.0.1:{behind}")))
        command = ["haproxy", "-f", conf]
        return [*command, "-c"], [*command, "-db"]

    def listens(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def client(self, source=None, version=None):
        context = ssl.create_default_context(cafile=self.crt)
        if version:
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
        return TLS(self.port, context, source)

    def ask(self, path, method="GET", source=None, **headers):
        with self.client(source) as client:
            return client.ask(path, method, **headers)

    def becomes(self, status, path=ITEM, **headers):
        """Until it answers so; HAProxy takes a second or two to see that what is behind it has changed."""
        until(lambda: self.ask(path, source=fresh(), **headers).status == status, f"a {status} through {self.kind}")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class TLS(harness.Client):
    """A client who checks the certificate's name, maybe with an address of its own."""

    def __init__(self, port, context, source):
        s = socket.create_connection(("127.0.0.1", port), timeout=harness.PATIENCE, source_address=source and (source, 0))
        self.connection = http.client.HTTPConnection(NAME, 80)      # without a port in Host, as with HTTPS and 443
        self.connection.sock = context.wrap_socket(s, server_hostname=NAME)
        self.connection.auto_open = False

    def ask(self, path, method="GET", **headers):
        self.connection.putrequest(method, path, skip_accept_encoding=True)
        for key, value in headers.items():
            self.connection.putheader(key.replace("_", "-"), value)
        self.connection.endheaders()
        response = self.connection.getresponse()
        return harness.Answer(response, response.read())


counted = iter(range(1, 1 << 20))


def fresh():
    """Another address of this machine each time, so that no limit on one is met."""
    n = next(counted)
    return f"127.{10 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}"


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def akin(kind, tmp_path_factory):
    """On the loopback, for who has a key; operations for 127.0.0.1, which the proxy is as well."""
    folder = tmp_path_factory.mktemp("akin")
    done = harness.prep("build", "-o", folder / "model", "-", stdin=harness.csv_bytes(ROWS))
    assert done.returncode == 0, done.err
    keys = folder / "keys"
    keys.write_text(f"shop {KEY}\n")
    keys.chmod(0o600)
    server = harness.Server(folder, folder / "model", workers=2, threads=128, api_keys=keys, allow="127.0.0.1")
    yield server
    try:
        assert server.stop() == 0, server.logged()
    finally:
        server.kill()


@pytest.fixture(scope="module")
def proxy(kind, akin, certificate, tmp_path_factory):
    proxy = Proxy(kind, tmp_path_factory.mktemp(kind) / "run", certificate, akin.port)
    try:
        proxy.becomes(200, X_API_Key=KEY)
        yield proxy
    finally:
        proxy.end()


# -- what stands in the files -------------------------------------------------------------------------------------------

def test_the_configuration_is_clean(proxy):
    done = subprocess.run(proxy.check, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 0 and not re.search(r"warn|alert|emerg|notice.*obsolete", done.stdout, re.I), done.stdout


def test_times_and_sizes_fit_akins():
    settings = dict(re.findall(r"^#(\w+) = (.*)$", (TOP / "etc/akin.conf").read_text(), re.M))
    nginx, haproxy = ((TOP / "etc" / name).read_text() for name in ("nginx.conf", "haproxy.cfg"))

    def seconds(text, key):
        return float(re.search(rf"{key} (\d+)s", text)[1])
    keep_alive, request = int(settings["keep_alive_ms"]) / 1000, int(settings["request_timeout_ms"]) / 1000
    assert seconds(nginx, r"\n\tkeepalive_timeout") < keep_alive and 2 * seconds(haproxy, "pool-purge-delay") < keep_alive
    assert max(seconds(nginx, "client_header_timeout"), seconds(haproxy, "timeout http-request")) <= request
    assert int(re.search(r"client_max_body_size (\d+)k", nginx)[1]) * 1024 <= int(settings["max_body_bytes"])
    threads = int(settings["threads"]) or 1024      # of all workers together, when nothing is set: akin.conf(5)
    assert int(re.search(r" maxconn (\d+) pool", haproxy)[1]) <= threads


def test_names_are_told_rightly():
    """As often as the files' own words say."""
    for name, said in (("nginx.conf", ("four places", 4)), ("haproxy.cfg", ("three places", 3))):
        text = (TOP / "etc" / name).read_text()
        lines = [line for line in text.splitlines() if NAME in line and not line.startswith("#")]
        assert said[0] in text and len(lines) == said[1], lines


# -- what everybody sees ------------------------------------------------------------------------------------------------

def test_plain_http_leads_to_tls(proxy):
    c = http.client.HTTPConnection("127.0.0.1", proxy.plain, timeout=harness.PATIENCE)
    c.request("GET", "/predict/item/x%2Fy?n=3", headers={"Host": "evil.example"})
    response = c.getresponse()
    assert response.status == 308 and response.getheader("Location") == f"https://{NAME}/predict/item/x%2Fy?n=3"
    c.close()


def test_versions_of_tls(proxy):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with proxy.client(version=version) as client:
            assert client.ask(ITEM, X_API_Key=KEY).status == 200
    with pytest.raises(ssl.SSLError), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)     # that is what it is about
        proxy.client(version=ssl.TLSVersion.TLSv1_1)


def test_answers_pass_through(proxy, akin):
    ways = {"X_API_Key": KEY}, {"Authorization": f"Bearer {KEY}"}
    for path in (ITEM, "/predict/user/1?n=2&details=true", "/predict/item/x%2Fy", "/predict/item/none", ITEM + "?n=0",
                 "/openapi.json", "/docs", "/redoc", "/docs/plain.html"):
        for headers in ways:
            direct, through = akin.get(path, **headers), proxy.ask(path, **headers)
            assert (through.status, through.nameless) == (direct.status, direct.nameless), path
            for field in ("akin-generation", "content-type", "content-security-policy", "etag"):
                assert through.headers.get(field) == direct.headers.get(field), (path, field)
            assert through.headers["strict-transport-security"] == "max-age=63072000"
    for headers, status in (({}, 401), ({"X_API_Key": KEY}, 400)):      # its body is none, which Akin itself says
        assert proxy.ask("/feedback", "POST", Content_Length="0", **headers).status == status
    refused = proxy.ask(ITEM)
    assert refused.status == 401 and refused.headers["www-authenticate"].startswith("Bearer")


def test_operations_are_not_there(proxy, akin):
    """Whoever asks, and however it is spelled; and Akin has not been asked."""
    before = akin.metrics()
    for path in ("/metrics", "/model", "/healthz", "/readyz", "/", "/nope", "/metrics/", "/%6detrics", "//metrics", "/METRICS",
                 "/predict/../metrics", "/predict/%2e%2e/metrics", "/predict/..%2fmetrics", "/docs/../model", "/./metrics",
                 "/metrics?x", "/metrics#", "/metrics;/predict/"):
        answer = proxy.ask(path, X_API_Key=KEY)
        assert answer.status in (400, 404) and b"akin_" not in answer.body and b"generation" not in answer.body, path
        if path in ("/metrics", "/model", "/healthz", "/readyz"):
            assert answer.status == 404 and answer.json == UNKNOWN
    after = akin.metrics()
    for handler in ("/metrics", "/model"):
        name = f'http_requests_total{{handler="{handler}",method="GET",status="2xx"}}'
        assert after[name] - before[name] == (handler == "/metrics")            # our own


def test_connections_to_akin_are_kept(proxy, akin):
    for _ in range(5):
        proxy.ask(ITEM, X_API_Key=KEY, source=fresh())
    before = akin.metric("akin_connections_accepted_total")
    for _ in range(60):
        assert proxy.ask(ITEM, X_API_Key=KEY, source=fresh()).status == 200
    # ours to ask twice, health checks each second, and a few for each of two processes or threads
    assert akin.metric("akin_connections_accepted_total") - before <= 20


def pipelined(proxy, source, times):
    """Ask so often without waiting for answers; all that comes."""
    request = f"GET {ITEM} HTTP/1.1\r\nHost: {NAME}\r\nX-API-Key: {KEY}\r\n"
    with proxy.client(source) as client:
        s = client.connection.sock
        sender = threading.Thread(target=s.sendall, args=(((request + "\r\n") * (times - 1) +
                                                           request + "Connection: close\r\n\r\n").encode(),))
        sender.start()
        parts = list(iter(lambda: s.recv(65536), b""))
        sender.join()
    return b"".join(parts)


def test_one_address_has_a_limit_and_others_have_their_own(proxy):
    """Four connections of one address ask as fast as the proxy takes it, which must be above 100 a second to be tested."""
    source, got = fresh(), []
    threads = [threading.Thread(target=lambda: got.append(pipelined(proxy, source, 300))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    text = b"".join(got).decode()
    statuses = re.findall(r"HTTP/1\.1 (\d+) ", text)
    assert len(statuses) == 1200 and set(statuses) == {"200", "429"}
    assert statuses.count("200") >= 150
    for head, body in re.findall(r"HTTP/1\.1 429 [^\r]*\r\n(.*?)\r\n\r\n(\{.*?\})", text, re.S):
        assert json.loads(body) == {"detail": "too many requests from this address"}
        assert re.search(r"(?im)^retry-after: 1\r?$", head) and re.search("(?i)content-type: application/json", head)
    assert proxy.ask(ITEM, X_API_Key=KEY, source=fresh()).status == 200
    until(lambda: proxy.ask(ITEM, X_API_Key=KEY, source=source).status == 200, "the limit to be forgotten")


def test_reloads_and_dying_workers_are_not_seen(proxy, akin):
    """Requests without a pause while the model is loaded again and again, and workers are killed with requests in hand."""
    over, wrong, right = threading.Event(), [], [0] * 6

    def client(i):
        while not over.is_set():
            try:
                with proxy.client(fresh()) as c:
                    for _ in range(20):
                        status = c.ask("/predict/user/1?n=2", X_API_Key=KEY).status
                        if status != 200:
                            wrong.append(status)
                        right[i] += status == 200
            except Exception as e:
                wrong.append(repr(e))

    threads = [threading.Thread(target=client, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    try:
        for _ in range(4):
            for signal_of in (lambda: akin.send(signal.SIGHUP), lambda: os.kill(akin.workers()[0], signal.SIGKILL)):
                before, enough = akin.workers(), sum(right) + 60
                signal_of()
                until(lambda: len(akin.workers()) == 2, "two workers")
                until(lambda: sum(right) > enough or wrong, "some more answers")
                assert before
    finally:
        over.set()
        for t in threads:
            t.join()
    assert not wrong, wrong[:10]
    assert sum(right) > 480


# -- what is passed on, and what is tried again -----------------------------------------------------------------------------

class Stub:
    """A server in Akin's place. .answer decides: a status; None: the connection is broken before anything is said."""

    def __init__(self):
        stub = self
        self.asked, self.answer = [], lambda request: 200

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path == "/readyz":
                    return self.say(200)
                stub.asked.append((self.command, self.path, dict(self.headers)))
                status = stub.answer(self)
                if status is None:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return self.connection.close()
                return self.say(status)

            do_POST = do_GET

            def say(self, status):
                body = json.dumps({"detail": f"stub {status}"}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if status == 503:
                    self.send_header("Retry-After", "7")
                self.end_headers()
                self.wfile.write(body)

            def finish(self):
                try:
                    super().finish()
                except (OSError, ValueError):
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def stub():
    stub = Stub()
    yield stub
    stub.end()


@pytest.fixture(scope="module")
def before_stub(kind, stub, certificate, tmp_path_factory):
    proxy = Proxy(kind, tmp_path_factory.mktemp(kind) / "stub", certificate, stub.port)
    try:
        stub.answer = lambda request: 200
        proxy.becomes(200)
        yield proxy
    finally:
        proxy.end()


def test_what_akin_is_told(before_stub, stub):
    stub.asked.clear()
    stub.answer = lambda request: 200
    source = fresh()
    answer = before_stub.ask("/predict/item/a%2Fb+c?n=1&x=%41", source=source, X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="gopher",
                             X_Request_Id="short", Authorization=f"Bearer {KEY}")
    again = before_stub.ask(ITEM, X_Request_Id="of-the-client_0123")
    (_, path, first), (_, _, second) = stub.asked
    first, second = ({k.lower(): v for k, v in fields.items()} for fields in (first, second))
    assert path == "/predict/item/a%2Fb+c?n=1&x=%41"
    assert (first["host"], first["x-forwarded-for"], first["x-forwarded-proto"]) == (NAME, source, "https")
    assert first["authorization"] == f"Bearer {KEY}"
    assert re.fullmatch(r"[0-9a-f-]{32,36}", first["x-request-id"]) and answer.headers["x-request-id"] == first["x-request-id"]
    assert second["x-request-id"] == again.headers["x-request-id"] == "of-the-client_0123"


@pytest.mark.parametrize("status", [503, 500, 404, 422])
def test_statuses_are_akins_and_not_tried_again(before_stub, stub, status):
    stub.asked.clear()
    stub.answer = lambda request: status
    answer = before_stub.ask(ITEM, source=fresh())
    assert answer.status == status and answer.json == {"detail": f"stub {status}"} and len(stub.asked) == 1
    assert answer.headers.get("retry-after") == ("7" if status == 503 else None)


def test_a_broken_connection_is_tried_again_when_that_is_safe(before_stub, stub):
    """A few times; never a method that may have done something."""
    stub.answer = lambda request: None if len(stub.asked) < 2 else 200
    stub.asked.clear()
    assert before_stub.ask(ITEM, source=fresh()).status == 200 and len(stub.asked) == 2
    stub.answer = lambda request: None
    stub.asked.clear()
    answer = before_stub.ask(ITEM, source=fresh())
    assert answer.status in (502, 503) and answer.json == {"detail": "the service does not answer"}
    assert answer.headers["retry-after"] == "1" and 2 <= len(stub.asked) <= 10
    stub.asked.clear()
    assert before_stub.ask(ITEM, "POST", source=fresh(), Content_Length="0").status in (502, 503)
    assert len(stub.asked) == 1


def test_away_and_back(kind, certificate, tmp_path):
    """Nobody is behind it; then somebody is."""
    port = harness.free_port()
    proxy = Proxy(kind, tmp_path / "run", certificate, port)
    try:
        began = time.monotonic()
        answer = proxy.ask(ITEM)
        assert answer.status == 503 and answer.json == {"detail": "the service does not answer"}
        assert answer.headers["retry-after"] == "1" and answer.headers["strict-transport-security"]
        assert time.monotonic() - began < 15
        done = harness.prep("build", "-o", tmp_path / "model", "-", stdin=harness.csv_bytes(ROWS))
        assert done.returncode == 0
        server = harness.Server(tmp_path / "akin", tmp_path / "model", port=port)
        try:
            proxy.becomes(200)
            assert server.stop() == 0
            proxy.becomes(503)
        finally:
            server.kill()
    finally:
        proxy.end()
