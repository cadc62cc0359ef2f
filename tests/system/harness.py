"""Starting, asking and ending the real programs. Every wait has a condition and a deadline."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("AKIN_BUILD", TOP / "build")).resolve()
PREP, SERVER = BUILD / "akin-prep", BUILD / "akin-server"
SANITIZED = BUILD.name in ("asan", "tsan", "valgrind")
PATIENCE = {"asan": 60, "tsan": 120, "valgrind": 240}.get(BUILD.name, 40)      # seconds any single thing may take
SHM = pathlib.Path("/dev/shm")


def kill(pid, number, of=os.kill):
    """os.kill, but for 0 and below, which a slot or a pid file may hold for a moment: that would be all of us."""
    assert pid > 0, f"signal {number} to process {pid}"
    of(pid, number)


os.kill = kill


def until(condition, what, seconds=PATIENCE):
    """Wait for condition() to be true and give its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what() if callable(what) else what}"
        time.sleep(0.01)


def environment(**more):
    return {**{k: v for k, v in os.environ.items() if not k.startswith("AKIN_") and k != "ENABLE_METRICS"}, "LC_ALL": "C.UTF-8", **more}


def prep(*arguments, stdin=b"", **more):
    """Run akin-prep; text out and err."""
    done = subprocess.run([PREP, *map(str, arguments)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=5 * PATIENCE, env=environment(**more))
    done.out, done.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    no_sanitizer_report(done.err)
    return done


def no_sanitizer_report(text):
    assert "AddressSanitizer" not in text and "runtime error:" not in text and "LeakSanitizer" not in text, text
    assert "ThreadSanitizer" not in text and not re.search(r"^==\d+== ", text, re.M), text         # the second is valgrind's


def one_line(text):
    """An error is one line, printable, and not empty."""
    assert text.endswith("\n") and text.count("\n") == 1 and len(text) > 10, repr(text)
    assert all(c.isprintable() for c in text[:-1]), repr(text)
    return text[:-1]


def refused(done, *words):
    """It failed with status 1 and said why in one line that has these words."""
    assert done.returncode == 1, (done.returncode, done.out, done.err)
    line = one_line(done.err)
    for word in words:
        assert re.search(word, line, re.I), f"{word!r} is not in {line!r}"
    return line


def csv_bytes(rows, header=("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice",
                            "CustomerID", "Country")):
    """A plain export from (customer, item) or (customer, item, quantity) rows."""
    lines = [",".join(header)]
    for at, (customer, item, *quantity) in enumerate(rows):
        fields = {"InvoiceNo": str(500000 + at), "StockCode": item, "Description": f"THING {item}",
                  "Quantity": str(quantity[0] if quantity else 1), "InvoiceDate": f"12/{at % 28 + 1}/2010 8:26",
                  "UnitPrice": "2.55", "CustomerID": customer, "Country": "France"}
        lines.append(",".join(fields[name] for name in header))
    return ("\n".join(lines) + "\n").encode()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_low_port():
    """One that is root's."""
    for port in range(1023, 600, -1):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise AssertionError("no port below 1024 is free")


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Answer:
    def __init__(self, response, body):
        self.status, self.body = response.status, body
        self.headers = {k.lower(): v for k, v in response.getheaders()}

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def nameless(self):
        """The body without its recommendation_id, which no other answer has."""
        return re.sub(rb',"recommendation_id":"[0-9a-f]{24}"}\Z', b"}", self.body)

    @property
    def generation(self):
        return int(self.headers["akin-generation"])


class Client:
    """One keep-alive connection."""

    def __init__(self, port, timeout=PATIENCE):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.auto_open = False       # a closed connection must be seen, not mended

    def get(self, path, method="GET", **headers):
        self.connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = self.connection.getresponse()
        return Answer(response, response.read())

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server:
    """A running akin-server with its own folder, port and log."""

    def __init__(self, folder, model, *arguments, wrapper=(), env=None, wait=True, **settings):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.model, self.port = folder, model, free_port()
        self.log = folder / "server.log"
        settings = {"address": "127.0.0.1", "port": self.port, "model": model, "workers": 2, "threads": 8,
                    "gate": "off", **settings}      # most tests reload models that have nothing in common
        self.port = settings["port"]
        self.command = [*wrapper, str(SERVER), "-c", str(self.conf()), *map(str, arguments)]
        for key, value in settings.items():
            if value is not None:
                self.command += ["--" + key.replace("_", "-"), str(value)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment(**(env or {})), cwd=folder)
        self.pid = self.process.pid
        self.token, self.shm = None, SHM
        try:
            if wait:
                self.ready()
        except BaseException:
            self.kill()
            raise

    def conf(self):
        """An empty configuration, so that nothing of the machine's own is read."""
        path = self.folder / "empty.conf"
        path.touch()
        return path

    def ready(self):
        until(lambda: self.process.poll() is not None or self.answers(), "the first answer")
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.logged()}"
        self.token = self.find_token()

    def answers(self):
        try:
            return self.get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def find_token(self):
        """Whose segments are whose is in what the master has mapped."""
        for pid in (self.pid, *children(self.pid)):
            found = re.search(r"/dev/shm/akin\.([0-9a-f]{8})\.board", pathlib.Path(f"/proc/{pid}/maps").read_text())
            if found:
                self.pid = pid          # below a wrapper the master is its child
                return found[1]
        raise AssertionError(f"no board is mapped: {self.logged()}")

    def segments(self):
        return sorted(p.name for p in self.shm.glob(f"akin.{self.token}.*"))

    def workers(self):
        return [pid for pid in children(self.pid) if name_of(pid).startswith("akin-worker")]

    def monitor(self):
        """The process that watches what is asked, or None."""
        return next((pid for pid in children(self.pid) if name_of(pid) == "akin-monitor"), None)

    def loader(self):
        """The process that loads a model now, or None."""
        return next((pid for pid in children(self.pid) if name_of(pid) == "akin-loader"), None)

    def logged(self):
        return self.log.read_text(errors="replace")

    def family(self):
        """Every process that was started with this server's command line."""
        mine = str(self.conf()).encode()
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mine in (entry / "cmdline").read_bytes().split(b"\0"):
                    yield int(entry.name)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def client(self, **more):
        return Client(self.port, **more)

    def get(self, path, method="GET", **headers):
        with self.client() as client:
            return client.get(path, method, Connection="close", **headers)

    def generation(self):
        return int(self.metric("akin_model_generation"))

    def raw(self, data, timeout=PATIENCE, shut=False):
        """Send bytes on a fresh connection; all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as s:
            parts = []
            try:
                s.sendall(data)
                if shut:
                    s.shutdown(socket.SHUT_WR)
                while part := s.recv(65536):
                    parts.append(part)
            except TimeoutError:
                raise
            except OSError:         # it was refused while we still sent
                pass
            return b"".join(parts)

    def metrics(self):
        """{sample with its labels in order: value}"""
        answer = self.get("/metrics")
        assert answer.status == 200
        samples = {}
        for line in answer.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    def metric(self, name, **labels):
        """Sum of the samples of this name that have these labels."""
        total, seen = 0.0, False
        for sample, value in self.metrics().items():
            if sample.partition("{")[0] == name and all(f'{k}="{v}"' in sample for k, v in labels.items()):
                total, seen = total + value, True
        assert seen or labels, f"no {name} in /metrics"
        return total

    def send(self, number):
        os.kill(self.pid, number)

    def hup(self, model=None):
        """Put a model in place, if one is given, and have it loaded; when the outcome is known."""
        if model is not None:
            aside = self.folder / "aside"
            if isinstance(model, bytes):
                aside.write_bytes(model)
            else:
                shutil.copyfile(model, aside)
            aside.replace(self.model)
        before = self.metric("akin_reloads_total")
        self.send(signal.SIGHUP)
        until(lambda: self.metric("akin_reloads_total") > before, "the reload to end")

    def stop(self, number=signal.SIGTERM):
        """Ask it to end; its exit status."""
        if self.process.poll() is None:
            self.send(number)
        status = self.process.wait(PATIENCE)
        no_sanitizer_report(self.logged())
        return status

    def kill(self):
        """Whatever is left of it, orphans that did not leave too: they are known by their folder."""
        for pid in self.family():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.kill()
        self.process.wait(PATIENCE)
        if self.token:
            for name in self.segments():
                (SHM / name).unlink(missing_ok=True)
