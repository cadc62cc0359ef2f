#!/usr/bin/python3
"""The package and its units under a real systemd: `make systemd`.

usage: under_systemd.py BUILD

A fresh Debian root with Debian's systemd as process 1 of its own namespaces and of a cgroup of its own, and no network but
its loopback. The package is installed, and then everything a unit promises is made to happen: skipped without a model,
started, sandboxed, reloaded, upgraded, hung, killed, stopped, retrained by hand, by timer and by alert, booted again, taken
away. Times are the shipped ones, so the watchdog alone takes half a minute. Where no machine can be booted (booted.py), the
reason is said and the exit status is 0.
"""
import json
import os
import pathlib
import re
import shutil
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent
os.environ["AKIN_BUILD"] = sys.argv[1] if len(sys.argv) > 1 else str(TESTS.parent / "build")
sys.path[:0] = [str(TESTS / name) for name in ("operator", "container", "system")]

import booted
import buildah
import harness
import machine
from harness import until

ALERT = {"version": "4", "status": "firing", "alerts": [{"status": "firing", "labels": {"alertname": "AkinDataDrift"}}]}
FEEDBACK = {"user": "17850", "item": "85123A", "event": "purchase"}


def install(it):
    it.good("apt-get install -y ./akin_*.deb")
    assert it.unit("UnitFileState") == "enabled" and it.unit("Result") == "exec-condition" and it.unit("ActiveState") == "inactive"
    assert "no model yet" in it.bad("akinctl start")
    it.good("akin-prep build -q -o first.akin /srv/shop/sales.csv && akin-prep build -q -o second.akin /srv/shop/half.csv")
    it.good("akinctl model deploy first.akin && systemctl start akin")
    assert it.serves() and it.main() and it.unit("StatusText").startswith("serving generation 1 "), it.unit("StatusText")


def sandbox(it):
    for pid in it.good("cat /sys/fs/cgroup/system.slice/akin.service/cgroup.procs").split():
        status = it.good(f"cat /proc/{pid}/status")
        for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000", "CapPrm:\t0000000000000000"):
            assert line in status, (pid, line)
    inside = f"nsenter --target={it.main()} --mount sh -c"
    for path in ("/etc/x", "/usr/x", "/srv/x", "/var/lib/x", "/root/x", "/home/x"):
        assert "Read-only" in it.bad(f"{inside} 'touch {path}'"), path
    it.good(f"{inside} 'touch /var/lib/akin/x /var/log/akin/x /tmp/only-there'; rm /var/lib/akin/x /var/log/akin/x; [ ! -e /tmp/only-there ]")


def everything_in_it(it):
    it.good("systemctl reload akin && akinctl model deploy --force second.akin && akinctl model rollback && akinctl reload --force")
    before = it.unit("StatusText")
    it.good("head -c 1000 first.akin >cut && cp --remove-destination cut /var/lib/akin/model.akin")
    it.bad("systemctl reload akin")
    assert it.serves() and it.unit("StatusText").startswith(before.split(" on ")[0])
    it.good("kill -USR2 $(cat /run/akin/akin.pid)")         # a successor that can't serve is no main process
    until(lambda: "upgrade failed" in it.unit("StatusText"), "the upgrade to fail", 60)
    assert it.serves() and it.main()
    it.good("cp --remove-destination second.akin /var/lib/akin/model.akin && akinctl model deploy --force first.akin")
    it.put("etc/systemd/system/akin.service.d/there.conf", "[Service]\nReadWritePaths=/srv/feedback\n")
    it.good("install -d -o akin -g akin /srv/feedback && systemctl daemon-reload")
    it.good("sed -i 's,^#feedback_log =.*,feedback_log = /srv/feedback,' /etc/akin/akin.conf && akinctl restart")
    it.good(f"curl -fsS -d '{json.dumps(FEEDBACK)}' localhost:8000/feedback && grep -q 17850 /srv/feedback/*.csv")
    it.good("logrotate -f /etc/logrotate.d/akin && akinctl reload")
    assert "generation 2" in it.good("cat /var/log/akin/akin.log")


def upgrade(it):
    for how in ("akinctl upgrade", "dpkg -i ./akin_*.deb", "kill -USR2 $(cat /run/akin/akin.pid)"):
        old = it.main()
        it.good(how)
        until(lambda: it.main() not in (None, old) and it.serves(), f"another main process after {how}", 60)
    assert it.unit("NRestarts") == "0"
    it.good("systemctl daemon-reexec && systemctl reload akin")


def restarted(it, signal, patience):
    """The main process is gone for good after the signal; in its place, and by systemd, comes another."""
    old, count, began = it.main(), int(it.unit("NRestarts")), time.monotonic()
    it.good(f"kill -{signal} {old}")
    until(lambda: int(it.unit("NRestarts")) == count + 1 and it.serves() and it.main() != old, "a restart", patience)
    assert len(it.good("ls /dev/shm").split()) == 2         # nothing is left of the dead
    return f"{time.monotonic() - began:.0f} s"


def hang(it):
    return restarted(it, "STOP", 90)


def kill(it):
    pid = it.main()
    it.good("kill -9 $(akin-server --status | sed -n 's/^worker.0.pid //p')")
    until(lambda: "2 serving, 1 restarted" in it.good("akinctl status"), "another worker")
    assert it.main() == pid
    return restarted(it, "KILL", 60)


def stop(it):
    it.good("systemctl stop akin && [ -z \"$(ls /dev/shm)\" ] && akinctl start")
    began = time.monotonic()
    it.good("kill -STOP $(akin-server --status | sed -n 's/^worker.0.pid //p'); systemctl stop akin; [ -z \"$(ls /dev/shm)\" ]")
    took = time.monotonic() - began
    assert 7 < took < 20, took                              # stop_timeout_ms, and before TimeoutStopSec
    it.good("akinctl start && akinctl drain && akinctl start && akinctl restart")
    return f"{took:.0f} s with a worker that hangs"


def retrain(it):
    it.good("sed -i 's,^#transactions =.*,transactions = /srv/shop/sales.csv,' /etc/akin/akin.conf && systemctl start akin-retrain")
    assert it.counted("ok") == 1
    it.good("systemctl start akin-retrain")                 # held off, which is no failure
    assert it.counted("held_off") == 1 and it.unit("ActiveState", "akin-retrain") == "inactive"
    it.good("sed -i 's/^#retrain_hold_off_s.*/retrain_hold_off_s = 0/; s/^#retrain_max_per_day.*/retrain_max_per_day = 1000/' /etc/akin/akin.conf")
    it.good("mkdir -p /run/systemd/system/akin-retrain.timer.d && printf '[Timer]\\nOnCalendar=\\nOnActiveSec=1\\nRandomizedDelaySec=0\\n"
            "AccuracySec=1ms\\n' >/run/systemd/system/akin-retrain.timer.d/now.conf && systemctl daemon-reload && systemctl start akin-retrain.timer")
    until(lambda: it.counted("ok") == 2, "the timer to retrain", 60)
    assert "akin-retrain.timer" in it.good("systemctl stop akin-retrain.timer; akinctl retrain --status")


def end_a_build(it):
    """Stopped in the middle of it: counted, and nothing has changed."""
    model = it.good("sha256sum /var/lib/akin/model.akin")
    it.good("systemctl start --no-block akin-retrain")
    group = it.cgroup / "system.slice/akin-retrain.service/cgroup.procs"

    def builder():
        try:
            return [pid for pid in group.read_text().split() if b"akin-prep\0build" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        except OSError:
            return None
    os.kill(int(until(builder, "a build", 60)[0]), 19)
    it.good("systemctl stop akin-retrain")
    assert it.counted("build_failed") == 1 and it.good("sha256sum /var/lib/akin/model.akin") == model
    it.good("systemctl reset-failed akin-retrain")


def webhook(it):
    def post(code, more="", **changes):
        it.put("root/alert.json", json.dumps({**ALERT, **changes}))
        said = it.good(f"curl -sS -o /dev/null -w '%{{http_code}}' {more} --data-binary @alert.json http://127.0.0.1:9095/retrain")
        assert said == str(code), (said, code)
    it.good("systemctl enable --now akin-webhook.socket")
    done = it.counted("ok")
    post(202)
    until(lambda: it.counted("ok") == done + 1, "the alert to retrain", 60)
    assert "akin-webhook@" in it.good("akinctl retrain --status")
    post(200, status="resolved")
    it.put("etc/akin/webhook.token", "s3cret\n")
    it.put("etc/systemd/system/akin-webhook@.service.d/token.conf", "[Service]\nLoadCredential=token:/etc/akin/webhook.token\n")
    it.good("chmod 600 /etc/akin/webhook.token && systemctl daemon-reload")
    post(401)
    post(202, more="-H 'Authorization: Bearer s3cret'")
    until(lambda: it.counted("ok") == done + 2, "the alert to retrain", 60)
    it.put("etc/systemd/system/akin-webhook@.service.d/token.conf", "[Service]\nLoadCredential=other:/etc/akin/webhook.token\n")
    it.good("systemctl daemon-reload")
    post(500)
    assert it.counted("ok") == done + 2 and it.good("systemctl --failed --plain --no-legend") == ""


def boot_again(it):
    it.reboot()
    assert it.serves() and it.main() and it.unit("ActiveState", "akin-webhook.socket") == "active"
    assert it.unit("StatusText").startswith("serving generation 1 ")


def purge(it):
    it.good("rm -r /etc/akin/webhook.token /etc/systemd/system/akin*.d && apt-get purge -y akin")
    assert it.good("ls /dev/shm; getent passwd akin || true; ls -d /run/akin /var/l*/akin /etc/akin 2>/dev/null || true") == ""
    assert it.good("systemctl list-units --all --plain --no-legend 'akin*'") == ""


def main():
    if refused := booted.refused():
        return print(f"skipped: {refused}")
    package = machine.build_package()[0]
    buildah.FOLDER.mkdir(parents=True, exist_ok=True)
    it = booted.Booted(harness.BUILD / "systemd", *machine.needs_of(package), "curl", "logrotate")
    try:
        shutil.copy(package, it.root / "root")
        machine.write_sales(it.root / "srv/shop/sales.csv", 13)
        machine.write_sales(it.root / "srv/shop/half.csv", 26)
        it.boot()
        for step in (install, sandbox, everything_in_it, upgrade, hang, kill, stop, retrain, end_a_build, webhook, boot_again, purge):
            began = time.monotonic()
            try:
                figure = step(it)
            except AssertionError:
                print(it.run("systemctl status --no-pager -n 0 akin; journalctl -b -n 60 --no-pager; tail -n 20 /var/log/akin/akin.log")[1])
                raise
            print(f"{step.__name__.replace('_', ' '):18} {time.monotonic() - began:5.1f} s{'   ' + figure if figure else ''}", flush=True)
    finally:
        it.halt()


if __name__ == "__main__":
    main()
