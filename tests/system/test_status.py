"""akin-server --status: the same figures as /metrics, without asking the server."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import harness
from harness import SERVER, SHM, one_line, until
from namespaces import ALONE, needs_namespace

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D")]


def run(tmp_path, *arguments, wrapper=()):
    """Exit status, standard output, standard error."""
    conf = tmp_path / "empty.conf"
    conf.touch()
    done = subprocess.run([*wrapper, SERVER, "-c", conf, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=harness.PATIENCE, env=harness.environment())
    out, err = done.stdout.decode(), done.stderr.decode()
    harness.no_sanitizer_report(err)
    return done.returncode, out, err


def told(tmp_path, pid_file):
    """{key: value as text} of a server that must be running."""
    status, out, err = run(tmp_path, "--status", "--pid-file", pid_file)
    assert (status, err) == (0, ""), (status, err)
    assert all(re.fullmatch(r"[a-z0-9_.]+( \S.*)?", line) for line in out.splitlines()), out
    found = dict(line.partition(" ")[::2] for line in out.splitlines())
    assert len(found) == len(out.splitlines())
    return found


def flat(value, prefix=""):
    """A JSON object as the text form has it."""
    found = {}
    for key, inner in value.items():
        if key == "workers":
            found["workers"] = str(len(inner))
            for i, worker in enumerate(inner):
                found.update(flat(worker, f"worker.{i}."))
        elif isinstance(inner, dict):
            found.update(flat(inner, f"{prefix}{key}."))
        else:
            found[prefix + key.removesuffix(".total")] = str(inner)
    if "requests.total" in found:
        found["requests"] = found.pop("requests.total")
    return found


def stop(pid):
    """SIGSTOP, and it has stopped."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: harness.pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", "the stop")


def test_it_says_what_metrics_say(start, small, tmp_path):
    pid_file = tmp_path / "akin.pid"
    server = start(small(ROWS), pid_file=pid_file, workers=3)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all to serve")
    for path, times in (("/predict/item/A", 7), ("/predict/item/NONE", 3), ("/predict/user/1", 2), ("/docs/", 1)):
        for _ in range(times):
            server.get(path)
    server.hup()
    server.model.with_name("aside").write_bytes(b"no model")
    server.hup(b"no model either")
    until(lambda: told(tmp_path, pid_file)["connections"] == "0", "no connection to be open")
    before, samples = told(tmp_path, pid_file), server.metrics()

    def total(name, **labels):
        return sum(v for k, v in samples.items() if k.partition("{")[0] == name and
                   all(f'{label}="{value}"' in k for label, value in labels.items()))

    # the scrape comes after: it is in progress, counts nowhere, and its connection is open
    for key, value in {"generation": total("akin_model_generation"),
                       "segment_bytes": total("akin_shared_memory_bytes", segment="model"),
                       "published": total("akin_model_published_timestamp_seconds"),
                       "model_created": total("akin_model_created_timestamp_seconds"),
                       "started": total("process_start_time_seconds"),
                       "reloads.ok": total("akin_reloads_total", result="success"),
                       "reloads.failed": total("akin_reloads_total", result="failure"),
                       "requests": total("http_requests_total"),
                       "requests.2xx": total("http_requests_total", status="2xx"),
                       "requests.3xx": total("http_requests_total", status="3xx"),
                       "requests.4xx": total("http_requests_total", status="4xx"),
                       "requests.5xx": total("http_requests_total", status="5xx"),
                       "in_progress": total("http_requests_inprogress") - 1,
                       "connections": total("akin_connections_active") - 1,
                       "latency.count": total("http_request_duration_highr_seconds_count"),
                       "latency.le.inf": total("http_request_duration_highr_seconds_bucket", le="+Inf"),
                       "latency.le.10000000": total("http_request_duration_highr_seconds_bucket", le="0.01"),
                       "latency.le.60000000000": total("http_request_duration_highr_seconds_bucket", le="60.0"),
                       "restarts": total("akin_worker_restarts_total"), "waiting": 0, "unanswered": 0, "refused": 0,
                       "workers": 3}.items():
        assert int(before[key]) == value, (key, before[key], value)
    assert int(before["requests"]) >= 13 and int(before["requests.4xx"]) >= 3
    assert int(before["latency.sum_ns"]) == round(total("http_request_duration_highr_seconds_sum") * 1e9)
    info = next(k for k in samples if k.startswith("akin_model_info{"))
    for key in ("checksum", "items", "customers", "interactions"):
        assert f'{key}="{before["model_" + key]}"' in info
    assert f'version="{before["version"]}"' in next(k for k in samples if k.startswith("akin_build_info{"))
    assert (before["state"], before["last_reload"], before["listen"]) == ("serving", "failed", f"127.0.0.1:{server.port}")
    assert int(before["pid"]) == server.pid and 0 <= int(before["uptime"]) <= time.time() - int(before["started"]) + 1
    for i in range(3):
        worker = {k.rpartition(".")[2]: v for k, v in before.items() if k.startswith(f"worker.{i}.")}
        assert int(worker["pid"]) in server.workers() and worker["state"] == "serving" and worker["starts"] == "1"
        assert int(worker["requests"]) == total("akin_worker_requests_total", worker=i)
        assert int(worker["threads"]) == 8 and worker["generation"] == "2" and worker["in_progress"] == "0"
        status = harness.pathlib.Path(f"/proc/{worker['pid']}/status").read_text()
        resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024
        assert resident / 2 < int(worker["rss_bytes"]) < resident * 2
    assert sum(int(before[f"worker.{i}.requests"]) for i in range(3)) == int(before["requests"])


def test_json_says_the_same(start, small, tmp_path):
    pid_file = tmp_path / "akin.pid"
    server = start(small(ROWS), pid_file=pid_file)
    until(lambda: server.metric("akin_workers", state="serving") == 2, "both to serve")
    until(lambda: told(tmp_path, pid_file)["connections"] == "0", "no connection to be open")
    status, out, err = run(tmp_path, "--status=json", "--pid-file", pid_file)
    assert (status, err) == (0, "") and out.endswith("}\n") and out.count("\n") == 1
    parsed, text = json.loads(out), told(tmp_path, pid_file)
    assert len(parsed["workers"]) == 2 and parsed["latency"]["le"]["inf"] == parsed["latency"]["count"]
    found = flat(parsed)
    for changing in ("uptime", "worker.0.rss_bytes", "worker.1.rss_bytes"):
        assert changing in found and changing in text
        del found[changing], text[changing]
    assert found == text and list(found)[:3] == ["state", "pid", "version"]


def test_while_every_thread_is_taken(start, small, tmp_path):
    """And connections wait at the door, which nobody of the server could tell."""
    pid_file = tmp_path / "akin.pid"
    server = start(small(ROWS), pid_file=pid_file, workers=1)
    until(lambda: told(tmp_path, pid_file)["state"] == "serving", "it to serve")
    worker = server.workers()[0]
    stop(worker)
    waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    try:
        until(lambda: int(told(tmp_path, pid_file)["waiting"]) == 5, "five to wait")
        assert told(tmp_path, pid_file)["state"] == "serving"
    finally:
        for one in waiting:
            one.close()
        os.kill(worker, signal.SIGCONT)


def test_waiting_on_ipv6(start, small, tmp_path):
    pid_file = tmp_path / "akin.pid"
    server = start(small(ROWS), pid_file=pid_file, workers=1, address="::")
    worker = server.workers()[0]
    stop(worker)
    with socket.create_connection(("127.0.0.1", server.port)), socket.create_connection(("::1", server.port)):
        until(lambda: int(told(tmp_path, pid_file)["waiting"]) == 2, "two to wait")
        assert told(tmp_path, pid_file)["listen"] == f"[::]:{server.port}"
        os.kill(worker, signal.SIGCONT)


def test_a_worker_that_died_and_one_that_is_stopping(start, small, tmp_path):
    pid_file = tmp_path / "akin.pid"
    server = start(small(ROWS), pid_file=pid_file, workers=1, drain_timeout_ms=600000)
    victim = until(lambda: int(told(tmp_path, pid_file)["worker.0.pid"]), "the worker to be on the board")
    os.kill(victim, signal.SIGKILL)
    until(lambda: told(tmp_path, pid_file)["worker.0.pid"] not in (str(victim), "0"), "a successor")
    after = until(lambda: (t := told(tmp_path, pid_file))["state"] == "serving" and t, "the successor to serve")
    assert after["restarts"] == "1" and after["worker.0.starts"] == "2"
    stop(int(after["worker.0.pid"]))
    server.send(signal.SIGQUIT)
    until(lambda: told(tmp_path, pid_file)["state"] == "draining", "the drain to show")
    os.kill(int(after["worker.0.pid"]), signal.SIGCONT)
    assert server.process.wait(harness.PATIENCE) == 0


def test_no_server(start, small, tmp_path):
    pid_file = tmp_path / "akin.pid"
    nobody = (3, "", "akin-server: no server runs with these settings\n")
    assert run(tmp_path, "--status", "--pid-file", pid_file) == nobody
    pid_file.write_text(f"{os.getpid()}\n")     # a living process that is no master
    start(small(ROWS), workers=1)               # and another server, which is not meant
    assert run(tmp_path, "--status", "--pid-file", pid_file) == nobody
    assert run(tmp_path, "--status=json", "--pid-file", pid_file) == nobody


def test_a_dead_masters_board_is_nobodys(start, small, tmp_path):
    pid_file = tmp_path / "akin.pid"
    server = start(small(ROWS), workers=1, pid_file=pid_file)
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(harness.PATIENCE)
    assert server.segments()                    # it is still there
    assert run(tmp_path, "--status", "--pid-file", pid_file)[0] == 3
    until(lambda: not list(server.family()), "its workers to leave")
    for name in server.segments():
        (SHM / name).unlink()


def test_a_pid_file_whose_board_is_gone(start, small, tmp_path):
    pid_file = tmp_path / "akin.pid"
    server = start(small(ROWS), workers=1, pid_file=pid_file)
    for name in server.segments():
        (SHM / name).unlink()
    status, out, err = run(tmp_path, "--status", "--pid-file", pid_file)
    assert (status, out) == (1, "") and f"process {server.pid}" in one_line(err)


def test_a_board_of_another_layout(start, small, tmp_path):
    pid_file = tmp_path / "akin.pid"
    server = start(small(ROWS), workers=1, pid_file=pid_file)
    board = SHM / f"akin.{server.token}.board"
    with board.open("r+b") as f:
        f.seek(8)
        version = int.from_bytes(f.read(4), "little")
        f.seek(8)
        f.write((version + 1).to_bytes(4, "little"))
    status, out, err = run(tmp_path, "--status", "--pid-file", pid_file)
    assert (status, out) == (1, "") and f"layout {version + 1}" in one_line(err)


def test_a_server_that_counts_nothing(start, small, tmp_path):
    pid_file = tmp_path / "akin.pid"
    start(small(ROWS), workers=1, pid_file=pid_file, metrics="off")
    found = until(lambda: (t := told(tmp_path, pid_file))["state"] == "serving" and t, "it to serve")
    assert found["workers"] == "1" and found["worker.0.state"] == "serving"
    assert not [key for key in found if key.startswith(("requests", "latency", "in_progress", "worker.0.requests"))]


@needs_namespace
def test_without_a_pid_file(start, small, tmp_path):
    """The only one, none, and several: in a /dev/shm of their own, for on this machine others may run."""
    server = start(small(ROWS), workers=1, wrapper=ALONE)
    inside = ["nsenter", "-m", "-r", f"--wdns={tmp_path}", "-t", str(server.pid)]
    status, out, err = run(tmp_path, "--status", wrapper=inside)
    assert (status, err) == (0, "") and f"pid {server.pid}\n" in out and "waiting 0\n" in out
    second = start(small(ROWS), workers=1, wrapper=inside)
    status, out, err = run(tmp_path, "--status", wrapper=inside)
    assert (status, out) == (1, "") and re.search(r"\b2 servers\b.*pid_file", one_line(err))
    os.kill(second.pid, signal.SIGKILL)
    second.process.wait(harness.PATIENCE)       # its board is there as before, and nobody's
    status, out, err = run(tmp_path, "--status", wrapper=inside)
    assert (status, err) == (0, "") and f"pid {server.pid}\n" in out
    assert run(tmp_path, "--status", wrapper=ALONE)[0] == 3


@pytest.mark.parametrize("flag", ["--status=xml", "--status=", "--statuses=1"])
def test_a_form_there_is_not(tmp_path, flag):
    status, out, err = run(tmp_path, flag)
    assert (status, out) == (64, "") and "status" in one_line(err)
