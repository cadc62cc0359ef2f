"""akin-webhook: which requests start a retraining, which don't, and what a hostile one can do: nothing.

The reader of JSON is compared with Python's on messages spoiled at random, under every awk there is."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
import yaml

import harness
import stack
from harness import TOP, until
from test_retrain import counted, shop          # noqa: F401

WEBHOOK = TOP / "etc/akin-webhook"
NAMES = "AkinDataDrift AkinUnknownIdsRising AkinHitRateFalling AkinConceptDrift"
SHEBANGS = {"dash": "/bin/dash", "bash": "/bin/bash --posix", "busybox": "/bin/busybox sh"}
AWKS = {name: path for name, path in {"mawk": shutil.which("mawk"), "gawk": shutil.which("gawk"), "busybox": shutil.which("busybox"),
                                      "bwk": shutil.which("original-awk")}.items() if path}
# What Debian's Alertmanager 0.25 has sent, byte for byte.
SENT = (
    b'{"receiver":"retrain","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"AkinDataDrift",'
    b'"feature":"item_rank","instance":"a:8000","job":"reco-app","retrain":"true","severity":"warning"},"annotations":'
    b'{"runbook":"say \\"akinctl retrain\\"","summary":"drift \\u003cof\\u003e \\"item_rank\\" \\u0026 more \xe2\x80\x94 12 %"},'
    b'"startsAt":"2026-11-22T19:27:49.303866958Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":'
    b'"d3ca3b10d93c6cf6"}],"groupLabels":{"instance":"a:8000","job":"reco-app"},"commonLabels":{"alertname":"AkinDataDrift",'
    b'"feature":"item_rank","instance":"a:8000","job":"reco-app","retrain":"true","severity":"warning"},"commonAnnotations":'
    b'{"runbook":"say \\"akinctl retrain\\"","summary":"drift \\u003cof\\u003e \\"item_rank\\" \\u0026 more \xe2\x80\x94 12 %"},'
    b'"externalURL":"http://vm:52501","version":"4","groupKey":"{}/{retrain=\\"true\\"}:{instance=\\"a:8000\\", job=\\"reco-app\\"}",'
    b'"truncatedAlerts":0}\n')


def request(body, head="POST /retrain HTTP/1.1", *fields):
    lines = [head, "Host: x", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def feed(data, *arguments, program=WEBHOOK, **environment):
    """Exit status, status of the answer (None without one), the whole answer, the log."""
    done = subprocess.run([program, *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE * 3,
                          env=harness.environment(**environment))
    status = re.match(rb"HTTP/1\.1 (\d+) [A-Za-z ]+\r\n", done.stdout)
    return done.returncode, int(status[1]) if status else None, done.stdout.decode(), done.stderr.decode()


def asked(data, *arguments, **more):
    """The status of the answer; retraining is asked for with 202 and never else."""
    code, status, answer, log = feed(data, "-x", *arguments, **more)
    assert (code == 0) == (status == 202), (code, answer, log)
    head, _, body = answer.partition("\r\n\r\n")
    assert f"Content-Length: {len(body)}" in head and "Connection: close" in head
    assert log.startswith("akin-webhook: ") and log.count("\n") == 1, log
    return status


def altered(program, folder, *changes):
    """A copy of the program, changed, beside nothing."""
    text = WEBHOOK.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / program
    path.write_text(text)
    path.chmod(0o755)
    return path


def message(*alerts, status="firing", **more):
    return json.dumps({"status": status, "alerts": list(alerts), **more}, separators=(",", ":")).encode()


def alert(name="AkinDataDrift", status="firing", **more):
    return {"status": status, "labels": {"alertname": name}, **more}


# -- what is a message, and which ones count ----------------------------------------------------------------------

@pytest.mark.parametrize("shell", SHEBANGS)
def test_what_alertmanager_sends(tmp_path, shell):
    program = altered("webhook", tmp_path, ("#!/bin/sh\n", f"#!{SHEBANGS[shell]}\n"))
    assert asked(request(SENT), program=program) == 202
    for name in NAMES.split():
        assert asked(request(SENT.replace(b"AkinDataDrift", name.encode())), program=program) == 202
    assert asked(request(SENT.replace(b'"firing"', b'"resolved"')), program=program) == 200
    assert asked(request(SENT.replace(b"AkinDataDrift", b"AkinDown")), program=program) == 200
    assert asked(request(SENT[:-20]), program=program) == 400
    assert asked(b"GET / HTTP/1.1\r\n\r\n", program=program) == 404


TEXT = json.dumps(message(alert()).decode()).encode()
BODIES = [
    (message(alert("AkinDown"), alert()), 202),
    (message(alert()).replace(b",", b" ,\r\n\t").replace(b":", b" : "), 202),
    (message(alert()).replace(b"AkinData", b"\\u0041kin\\u0044ata"), 202),      # the same text
    (message(alert(annotations={"a": [1.5e3, -0, None, True, {}, [], [[]]]})), 202),
    (message(alert(status="resolved")), 200),
    (message(alert(), status="resolved"), 200),
    (message(alert(status="resolved"), alert("AkinDown")), 200),
    (message(alert("AkinDataDrift2")), 200),
    (message(alert("akindatadrift")), 200),
    (message(alert("AkinDataDrift AkinConceptDrift")), 200),
    (message(alert("")), 200),
    (message(alert("AkinDataDrift" + "x" * 300)), 200),
    (message(alert("$(touch hacked)")), 200),
    (message(alert("';touch hacked;'")), 200),
    (message(alert("AkinDataDrift\n")), 200),
    (message(alert("AkinDataDrift\u0000")), 200),
    (message(), 200),
    (message(alert(["AkinDataDrift"])), 200),
    (message(alert({"alertname": "AkinDataDrift"})), 200),
    # The right words where they mean nothing.
    (message(alert("AkinDown", annotations={"alertname": "AkinDataDrift"})), 200),
    (message({"status": "firing", "alertname": "AkinDataDrift", "labels": {}}), 200),
    (message({"status": "firing", "labels": {"a": {"alertname": "AkinDataDrift"}}}), 200),
    (message({"labels": {"alertname": "AkinDataDrift"}, "annotations": {"status": "firing"}}), 200),
    (message([alert()]), 200),
    (message(alert("AkinDown"), commonLabels={"alertname": "AkinDataDrift"}, groupLabels={"alertname": "AkinDataDrift"}), 200),
    (message(alert("AkinDown"), more=[alert()]), 200),
    (message(alert("AkinDown"), labels={"alertname": "AkinDataDrift"}), 200),
    (b'{"status":"firing","alerts":{"0":' + json.dumps(alert()).encode() + b"}}", 200),
    (b'{"status":"firing","alerts":' + TEXT + b"}", 200),
    (b'{"status":"firing","x":' + TEXT + b',"alerts":[]}', 200),
    (message({"labels": {"alertname": "AkinDataDrift"}}, {"status": "firing", "labels": {}}), 200),
    # No message at all.
    (b"", 400), (b"{}", 400), (b"[]", 400), (b"null", 400), (b'"firing"', 400), (TEXT, 400), (b"\xff\xfe", 400),
    (b"[" + message(alert()) + b"]", 400),
    (b'{"status":1,"alerts":[' + json.dumps(alert()).encode() + b"]}", 400),
    (message(alert()) + b"x", 400), (message(alert()) * 2, 400), (message(alert())[:-1], 400),
    (message(alert()).replace(b"]}", b",]}"), 400), (message(alert()).replace(b'"status"', b"status"), 400),
    (message(alert()).replace(b'"', b"'"), 400), (message(alert()).replace(b":", b" "), 400),
    (message(alert()).replace(b"]}", b"}]"), 400),
    (message(alert(), x=1).replace(b":1", b":01"), 400), (message(alert(), x=1).replace(b":1", b":NaN"), 400),
    (message(alert(), x=1).replace(b":1", b":1."), 400), (message(alert(), x=1).replace(b":1", b":tru"), 400),
    (message(alert(), x="y").replace(b'"y"', b'"\n"'), 400), (message(alert(), x="y").replace(b'"y"', b'"\x01"'), 400),
    (message(alert(), x="y").replace(b'"y"', b'"\x00"'), 400), (b"\x00" + message(alert()), 400), (message(alert()) + b"\x00", 400),
    (message(alert(), x="y").replace(b'"y"', b'"\\x"'), 400), (message(alert(), x="y").replace(b'"y"', b'"\\u12g4"'), 400),
    (message(alert(), x="y").replace(b'"y"}', b'"\\u12'), 400), (message(alert(), x="y").replace(b'"y"}', b'"\\'), 400),
    (message(alert(), x=[]).replace(b"[]}", b"[" * 14 + b"]" * 14 + b"}"), 202),
    (message(alert(), x=[]).replace(b"[]}", b"[" * 17 + b"]" * 17 + b"}"), 400),
    (b"[" * 130000, 400), (b"{" * 1000, 400), (b'"' + b"\\" * 130000, 400), (b"\n" * 131072, 400), (b'{"status":"' + b"x" * 131000, 400),
]


@pytest.mark.parametrize("awk", AWKS)
def test_bodies(tmp_path, awk):
    (tmp_path / "awk").symlink_to(AWKS[awk])
    os.chdir(tmp_path)
    try:
        for body, status in BODIES:
            got = asked(request(body), PATH=f"{tmp_path}:{os.environ['PATH']}")
            assert got == status, (got, status, body[:300])
    finally:
        os.chdir(TOP)
    assert [p.name for p in tmp_path.iterdir()] == ["awk"]


def refuse_constant(_):
    raise ValueError


def no_key_twice(pairs):
    if len(dict(pairs)) != len(pairs):
        raise KeyError
    return dict(pairs)


def verdict(body):
    """By Python: 0, 1, 2 as the reader exits; None where they may differ: keys given twice, and depth."""
    try:
        said = json.loads(body.decode("latin-1"), parse_constant=refuse_constant, object_pairs_hook=no_key_twice)
    except KeyError:
        return None
    except ValueError:
        return 2
    if not isinstance(said, dict) or not isinstance(said.get("status"), str) or not said["status"]:
        return 2
    alerts = said.get("alerts") if isinstance(said.get("alerts"), list) else []
    ours = [a for a in alerts if isinstance(a, dict) and a.get("status") == "firing" and isinstance(a.get("labels"), dict)
            and isinstance(a["labels"].get("alertname"), str) and a["labels"]["alertname"] in NAMES.split()]
    return 0 if said["status"] == "firing" and ours else 1


@pytest.mark.parametrize("awk", AWKS)
def test_the_reader_agrees_with_python(tmp_path, awk):
    reader = re.search(r"^READER='\n(.*?)'\n", WEBHOOK.read_text(), re.M | re.S)[1]
    (tmp_path / "reader").write_text(reader)
    command = [AWKS[awk], *(["awk"] if awk == "busybox" else []), "-v", f"names={NAMES}", "-f", tmp_path / "reader"]
    luck = random.Random(7)
    seeds = [SENT, message(alert("AkinDown"), alert(annotations={"x": "\\\"{[,:"}), x=[-1.5e-7, None, False, {"y": []}])]
    pieces = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u0041", b"\n", b" ", b"0", b"-", b"e", b"\x7f", b"\xc3", b"\x1f",
              b'"firing"', b'"status":', b'{"alertname":"AkinDataDrift"}', b"true"]
    seen = set()
    for _ in range(220):
        body = luck.choice(seeds)
        for _ in range(luck.choice([1, 1, 1, 2, 3])):
            at, end = sorted((luck.randrange(len(body)), luck.randrange(len(body))))
            body = luck.choice([
                lambda: body[:at] + luck.choice(pieces) + body[at:], lambda: body[:at] + body[at + 1:],
                lambda: body[:at] + luck.choice(pieces) + body[at + 1:], lambda: body[:at] + body[end:],
                lambda: body[:end] + body[at:], lambda: body.replace(b"firing", b"resolved", 1)])()
        wanted = verdict(body)
        if wanted is None:
            continue
        done = subprocess.run(command, input=body, stdout=subprocess.PIPE, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
        assert done.returncode == wanted and bool(done.stdout) == (wanted == 0), (wanted, done, body)
        seen.add(wanted)
    assert seen == {0, 1, 2}


# -- what is a request --------------------------------------------------------------------------------------------

GOOD = message(alert())
N = str(len(GOOD)).encode()
REQUESTS = [
    (b"POST /retrain HTTP/1.0\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD, 202),
    (b"POST /retrain HTTP/1.1\ncontent-length:" + N + b" \t\n\n" + GOOD, 202),
    (b"POST /retrain HTTP/1.1\r\nCONTENT-LENGTH: 000" + N + b"\r\n\r\n" + GOOD + b"and more", 202),
    (b"POST /retrain HTTP/1.1\r\nHost: $(touch hacked)`touch hacked`;touch hacked\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD, 202),
    (b"", 400), (b"\r\n\r\n", 400), (b"POST", 400), (b"POST /retrain\r\n\r\n", 400), (b"POST /retrain HTTP/2\r\n\r\n", 400),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: 5", 400), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n" * 3, 400),
    (b"POST /retrain HTTP/1.1\r\n\r\n" + GOOD, 411),
    (b"POST /retrain HTTP/1.1\r\nContent-Length : " + N + b"\r\n\r\n" + GOOD, 411),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: -1\r\n\r\n" + GOOD, 400),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: 0x10\r\n\r\n" + GOOD, 400),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: \r\n\r\n" + GOOD, 400),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: 5 5\r\n\r\n" + GOOD, 400),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: $(touch hacked)\r\n\r\n" + GOOD, 400),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n" + GOOD, 400),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: " + N + b"\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD, 400),
    (b"POST /retrain HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD, 400),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: 131073\r\n\r\n" + GOOD.ljust(131073), 413),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: 131072\r\n\r\n" + GOOD.ljust(131072), 202),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: " + N + b"\r\n" + b"X: y\r\n" * 98 + b"\r\n" + GOOD, 202),
    (b"POST /retrain HTTP/1.1\r\nContent-Length: " + N + b"\r\n" + b"X: y\r\n" * 100 + b"\r\n" + GOOD, 431),
    (b"POST /retrain HTTP/1.1\r\nX: " + b"y" * 9000 + b"\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD, 431),
    (b"POST /" + b"y" * 9000 + b" HTTP/1.1\r\n\r\n", 431),
    (request(GOOD, "GET /retrain HTTP/1.1"), 405), (request(GOOD, "post /retrain HTTP/1.1"), 405),
    (request(GOOD, "POST / HTTP/1.1"), 404), (request(GOOD, "POST /retrain?x HTTP/1.1"), 404),
    (request(GOOD, "POST /retrain/../retrain HTTP/1.1"), 404), (request(GOOD, "POST $(touch hacked) HTTP/1.1"), 404),
    (request(GOOD, "POST * HTTP/1.1"), 404), (request(GOOD, "POST /retrain x HTTP/1.1"), 404),
]


def test_requests(tmp_path):
    os.chdir(tmp_path)
    try:
        for data, status in REQUESTS:
            got = asked(data)
            assert got == status, (got, status, data[:200])
    finally:
        os.chdir(TOP)
    assert list(tmp_path.iterdir()) == []
    assert "Allow: POST" in feed(request(GOOD, "PUT /retrain HTTP/1.1"), "-x")[2]
    assert feed(request(GOOD, "POST /retrain HTTP/1.1", "Expect: 100-continue"), "-x")[2].startswith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 ")
    assert asked(request(GOOD, "POST /other HTTP/1.1"), "-p", "/other") == 202
    assert asked(request(GOOD), "-a", "Other One") == 200 and asked(request(message(alert("One"))), "-a", "Other One") == 202
    for wrong in (["-z"], ["-a"], ["x"]):
        assert feed(request(GOOD), *wrong)[:2] == (2, None)


def test_tokens(tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret *$(x)\nsecond\n")
    bearer = "Authorization: Bearer {}".format
    for fields, status in ((["Authorization: Bearer s3cret *$(x)"], 202), (["authorization:  bearer   s3cret *$(x)  "], 202),
                           ([], 401), ([bearer("")], 401), ([bearer("s3cret")], 401), ([bearer("s3cret *$(x)x")], 401), ([bearer("second")], 401),
                           ([bearer("S3CRET *$(x)")], 401), (["Authorization: Basic s3cret *$(x)"], 401), (["Authorization: s3cret *$(x)"], 401)):
        data = request(GOOD, "POST /retrain HTTP/1.1", *fields)
        assert asked(data, "-k", token) == status, fields
        assert asked(data, CREDENTIALS_DIRECTORY=str(tmp_path)) == status
    answer, log = feed(request(GOOD), "-x", "-k", token)[2:]
    assert "WWW-Authenticate: Bearer" in answer and "s3cret" not in answer + log
    token.write_text("no end")
    assert asked(request(GOOD, "POST /retrain HTTP/1.1", bearer("no end")), "-k", token) == 202
    for spoil in (lambda: token.write_text("\n"), token.unlink):
        spoil()
        assert asked(request(GOOD, "POST /retrain HTTP/1.1", bearer("")), "-k", token) == 500
    assert asked(request(GOOD), CREDENTIALS_DIRECTORY=str(tmp_path)) == 500         # others were, and this one is missed
    assert asked(request(GOOD), CREDENTIALS_DIRECTORY=str(tmp_path / "hidden")) == 500
    assert asked(request(GOOD), CREDENTIALS_DIRECTORY="") == 202


def test_who_is_slow_is_told(tmp_path):
    program = altered("webhook", tmp_path, ("TIME=10 ", "TIME=1 "))
    for data in (b"", b"POST /retrain HTTP/1.1\r\nX", request(GOOD)[:-1]):
        run = subprocess.Popen([program, "-x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        run.stdin.write(data)
        run.stdin.flush()
        out = run.stdout.read()                 # nothing more comes, and no end
        assert out.startswith(b"HTTP/1.1 408 ") and run.wait(harness.PATIENCE) != 0, (data, out)
        run.stdin.close()
        run.stdout.close()


def test_a_line_without_an_end_costs_little(tmp_path):
    program = altered("webhook", tmp_path, ("TIME=10 ", "TIME=1 "))
    run = subprocess.Popen([program, "-x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def pour():
        try:
            while True:
                run.stdin.write(b"x" * 65536)
        except OSError:
            pass

    thread = threading.Thread(target=pour)
    thread.start()
    most = 0
    while run.poll() is None:
        for pid in [run.pid, *harness.children(run.pid)]:
            try:
                most = max(most, int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]))
            except (OSError, TypeError):
                pass
        time.sleep(0.05)
    thread.join(harness.PATIENCE)
    assert run.returncode != 0 and 0 < most < 64 * 1024
    run.stdout.close()


# -- what it starts -----------------------------------------------------------------------------------------------

def test_what_is_started(tmp_path):
    """Our own words, in a session of its own that holds nothing of the connection."""
    program = altered("akin-webhook", tmp_path)
    (tmp_path / "akinctl").write_text(f"""#!/bin/sh
printf '%s\\n' "$@" >{tmp_path}/arguments
files=$(readlink /proc/$$/fd/0 /proc/$$/fd/1)
printf '%s\\n' "$files" >{tmp_path}/files
exec sleep 100
""")
    (tmp_path / "akinctl").chmod(0o755)
    log = (tmp_path / "log").open("wb")
    done = subprocess.run([program, "-c", "/some where/akin.conf"], input=request(SENT), stdout=subprocess.PIPE, stderr=log,
                          timeout=harness.PATIENCE)
    assert done.returncode == 0 and done.stdout.startswith(b"HTTP/1.1 202 ")          # and stdout has ended
    files = tmp_path / "files"
    until(lambda: files.exists() and files.read_text().count("\n") == 2, "it to be started")
    assert files.read_text().splitlines() == ["/dev/null", str(tmp_path / "log")]
    assert (tmp_path / "arguments").read_text() == "-c\n/some where/akin.conf\nretrain\n--why=AkinDataDrift\n"
    started = [int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit() and sleeps_for(p, tmp_path)]
    assert len(started) == 1 and os.getsid(started[0]) == started[0] != os.getsid(0)
    os.kill(started[0], signal.SIGKILL)
    (tmp_path / "akinctl").unlink()
    assert feed(request(SENT), program=program, PATH="/usr/bin:/bin")[1] == (202 if shutil.which("akinctl") else 500)


def sleeps_for(process, folder):
    try:
        return os.readlink(process / "fd/1") == str(folder / "log") and (process / "comm").read_text() == "sleep\n"
    except OSError:
        return False


class Listener:
    """A program that gives each connection a process."""

    def __init__(self, command, it):
        self.port, self.log = harness.free_port(), (it.folder / "listener.log").open("wb")
        self.process = subprocess.Popen([part.replace("PORT", str(self.port)) for part in map(str, command)], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=it.environment(), start_new_session=True)
        until(self.listens, "it to listen")

    def listens(self):
        rows = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
        return any(row.split()[1].endswith(f":{self.port:04X}") and row.split()[3] == "0A" for row in rows)

    def send(self, data):
        with socket.create_connection(("127.0.0.1", self.port), harness.PATIENCE) as s:
            s.sendall(data)
            answer = b""
            while more := s.recv(65536):
                answer += more
            return int(answer.split()[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


def test_from_an_alert_to_a_model_that_is_served(shop, models, tmp_path):            # noqa: F811
    """Alertmanager with the shipped routes, socat, akinctl, a server."""
    it = shop(retrain_hold_off_s=3600)
    it.good("model", "deploy", models[0])
    it.good("start")
    with Listener(["socat", "TCP-LISTEN:PORT,bind=127.0.0.1,reuseaddr,fork,max-children=8", f"EXEC:{WEBHOOK} -c {it.conf}"], it) as hook:
        assert hook.send(request(SENT, "POST /wrong HTTP/1.1")) == 404
        assert hook.send(request(SENT.replace(b"firing", b"resolved"))) == 200
        with stack.Alertmanager(tmp_path / "alertmanager", "http://127.0.0.1:9/", f"http://127.0.0.1:{hook.port}/retrain") as manager:
            stack.ask(manager.url + "/api/v2/alerts", [
                {"labels": {"alertname": name, "retrain": "true", "severity": "warning", "job": "reco-app", "instance": "a:8000"},
                 "annotations": {"summary": "\"x\" & <y>"}} for name in ("AkinOther", "AkinConceptDrift")])
            until(lambda: (it.store / "retrain.state").exists(), "a retraining", 2 * harness.PATIENCE)
            until(lambda: counted(it)[0].get("ok") == 1 and it.facts()["generation"] == 2, "it to end well", 2 * harness.PATIENCE)
        assert "AkinConceptDrift" in it.good("retrain", "--status")
        assert hook.send(request(SENT)) == 202
        until(lambda: counted(it)[0] == {"ok": 1, "held_off": 1}, "another to be held off")


def test_under_a_socket_of_systemd(shop):                                            # noqa: F811
    it = shop()
    with Listener(["systemd-socket-activate", "--accept", "--inetd", "-l", "127.0.0.1:PORT", f"--setenv=PATH={it.folder}/bin:{os.environ['PATH']}",
                   WEBHOOK, "-c", it.conf], it) as hook:
        assert hook.send(request(SENT[:-9])) == 400
        assert hook.send(b"POST /retrain HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + b" " * 999999) == 413     # and no reset
        assert hook.send(request(SENT)) == 202
        until(lambda: (it.store / "retrain.state").exists() and counted(it)[0] == {"ok": 1}, "a retraining", 2 * harness.PATIENCE)


# -- what ships ---------------------------------------------------------------------------------------------------

def test_the_alerts_that_ask_for_it_are_those_it_listens_to():
    page = (TOP / "docs/akin-webhook.8").read_text()
    assert re.search(r"^alerts='(.*)'$", WEBHOOK.read_text(), re.M)[1] == NAMES and f"{NAMES}." in page
    labelled = {name for name, rules in stack.rules("alert").items() if rules[0]["labels"].get("retrain") == "true"}
    assert not labelled or labelled == set(NAMES.split())


def test_the_route():
    """To the webhook beside the way that messages have anyway; where the shipped socket listens."""
    config = stack.SHIPPED / "alertmanager.yml"
    for labels, way in ((["severity=warning", "retrain=true"], "retrain,teams"), (["severity=critical", "retrain=true"], "retrain,teams"),
                        (["severity=warning"], "teams"), (["severity=critical", "retrain=false"], "teams")):
        done = subprocess.run(["amtool", "config", "routes", "test", f"--config.file={config}", *labels], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL)
        assert done.stdout.strip() == way, labels
    receiver = {one["name"]: one for one in yaml.safe_load(config.read_text())["receivers"]}["retrain"]["webhook_configs"][0]
    listens = re.search(r"^ListenStream=(.*)$", (TOP / "etc/systemd/akin-webhook.socket").read_text(), re.M)[1]
    assert receiver["url"] == f"http://{listens}/retrain" and receiver["send_resolved"] is False


def test_answers_are_those_of_the_man_page():
    page = (TOP / "docs/akin-webhook.8").read_text()
    script = WEBHOOK.read_text()
    used = set(re.findall(r"(?:refuse|answer|&& refuse|\|\| refuse) (\d{3}) ", script)) | {"400"}
    assert used == set(re.findall(r"^\.It (\d{3})$", page, re.M))
    limits = re.search(r"^TIME=(\d+) MOST_FIELDS=(\d+) LONGEST_FIELD=(\d+) LARGEST_BODY=(\d+)$", script, re.M).groups()
    for limit, words in zip(limits, ("within {} seconds", "more than {} header fields", "more than {} bytes", "more than {} bytes of body")):
        assert words.format(limit) in page.replace("\n", " "), words
