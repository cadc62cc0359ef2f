"""etc/nginx.conf and etc/haproxy.cfg, as they are but for names, ports and paths, in the real nginx and HAProxy: in front of
a real Akin, and of a server that misbehaves on purpose."""
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
import warnings

import pytest

import harness
from harness import TOP, until
from proxied import ITEM, NAME, Proxy, Stub, fresh, self_signed

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "x/y"), ("3", "A")]
KEY = "a-key-of-the-shop-0123"
UNKNOWN = {"detail": "Not Found"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("certificate"))


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
