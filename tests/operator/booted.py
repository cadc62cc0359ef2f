"""A Debian machine of its own whose process 1 is systemd: machine.Machine in a cgroup of its own, and booted.

That takes root, a cgroup of version 2 that can be written to, and namespaces: refused() says what lacks.
"""
import os
import pathlib
import re
import subprocess

import machine
from harness import until

STATE, ITEM = "/var/lib/akin/models/retrain.state", "http://localhost:8000/predict/item/85123A?n=2"
NAMESPACES = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "--propagation", "private"]
# What a container manager does: what is the kernel's own is read-only, and mounts propagate, or no unit would be given credentials.
BOOT = r"""
cd "$1"
mount --bind . . && cd "$1"
mount -t proc proc proc && mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev && mkdir dev/pts dev/shm && ln -s /proc/self/fd dev/fd
for node in null zero full random urandom tty; do : >dev/$node; mount --bind /dev/$node dev/$node; done
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts && ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777,size=300m shm dev/shm && mount -t tmpfs -o mode=755 run run
mkdir -p old && pivot_root . old && umount -l /old && rmdir /old && mount --make-rshared /
exec env -i container=akin PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
"""


def cgroups():
    """Where those of version 2 are mounted, or None."""
    lines = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    return next((pathlib.Path(line[1]) for line in lines if line[2] == "cgroup2"), None)


def refused():
    """Why no machine can be booted here; None when one can."""
    if os.geteuid() != 0:
        return "a machine of its own takes root"
    if not cgroups():
        return "no cgroup of version 2 is mounted"
    trial = cgroups() / f"akin-trial-{os.getpid()}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError as e:
        return f"no cgroup can be made: {e}"
    done = subprocess.run(["unshare", *NAMESPACES, "mount", "-t", "tmpfs", "none", "/mnt"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return f"namespaces are refused: {done.stdout.strip()}" if done.returncode else None


class Booted(machine.Machine):
    """A machine whose process 1 is systemd."""
    one = 0

    def __init__(self, root, *packages):
        super().__init__(root, "systemd", "systemd-sysv", *packages)
        (root / "usr/sbin/policy-rc.d").unlink()            # from here on packages may start what they bring
        self.cgroup = cgroups() / f"akin-systemd-{os.getpid()}"

    def boot(self):
        self.cgroup.mkdir(exist_ok=True)
        enter = ["setpriv", "--pdeathsig", "KILL", "unshare", *NAMESPACES, "--kill-child", "sh", "-euc", BOOT, "sh", str(self.root)]
        self.sleeper = subprocess.Popen(["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(self.cgroup), *enter],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        children = pathlib.Path(f"/proc/{self.sleeper.pid}/task/{self.sleeper.pid}/children")

        def up():
            assert self.sleeper.poll() is None, self.sleeper.stdout.read()
            self.one = int((children.read_text().split() or ["0"])[0])
            # In our own namespaces until its shell has become systemd: nothing is run there before.
            return self.one and "systemd" in pathlib.Path(f"/proc/{self.one}/comm").read_text() and \
                self.run("systemctl is-system-running --wait")[1].strip() in ("running", "degraded")
        until(up, "systemd to have started everything", 60)

    def run(self, script):
        done = subprocess.run(["nsenter", f"--target={self.one}", "--all", "sh", "-euc", f"cd /root\n{script}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=machine.LONG,
                              env={"PATH": machine.PATH, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})
        return done.returncode, done.stdout

    def bad(self, script):
        status, said = self.run(script)
        assert status != 0, f"{script}\nended with 0:\n{said}"
        return said

    def put(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def unit(self, key, name="akin"):
        return self.good(f"systemctl show -P {key} {name}").strip()

    def main(self):
        """The main process, by systemd and by the pid file."""
        pid = self.unit("MainPID")
        return pid if self.run("cat /run/akin/akin.pid")[1].strip() == pid else None

    def serves(self):
        return self.unit("SubState") == "running" and self.run(f"curl -fsS '{ITEM}'")[0] == 0

    def counted(self, result):
        said = self.good(f"cat {STATE} 2>/dev/null || echo {result} 0")
        return int(re.search(rf"^{result} (\d+)$", said, re.M)[1])

    def reboot(self):
        self.run("systemctl halt")
        self.sleeper.wait(60)
        self.boot()

    def halt(self):
        super().halt()
        for folder in sorted([self.cgroup, *(p for p in self.cgroup.rglob("*") if p.is_dir())], reverse=True):
            folder.rmdir()
