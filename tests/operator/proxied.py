"""nginx and HAProxy on the shipped configurations, who asks through them, and a server in Akin's place that misbehaves on
purpose."""
import http.client
import http.server
import json
import signal
import socket
import ssl
import struct
import subprocess
import threading

import harness
from harness import TOP, until

ITEM = "/predict/item/A"
NAME = "shop.example"


def changed(text, *pairs):
    """Each of these stands there, and is replaced."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def self_signed(folder):
    """Certificate, key, and both in one file."""
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
