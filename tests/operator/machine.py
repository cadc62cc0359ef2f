"""A Debian machine of its own to install things on: a fresh root with its own processes and its own network.

The base is the one of the container tests (tests/container/buildah.py), kept in build/. What an installation needs of the
network is installed before, from this machine's mirrors; then commands run in a namespace of process ids and of network,
whose process 1 is a sleeper: when it is killed, nothing is left. /dev/shm is its own, too.
"""
import os
import pathlib
import re
import shutil
import subprocess

import buildah
from harness import TOP, until

LONG = 600
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Loopback up, then sleep: SIOCSIFFLAGS with IFF_UP | IFF_RUNNING.
SLEEPER = """
import fcntl, os, signal, socket, struct
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""


class Machine:
    def __init__(self, root, *packages):
        self.root, self.sleeper = root, None
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        subprocess.run(["tar", "-xf", buildah.base_tar(), "-C", root], check=True)
        for name in ("resolv.conf", "hosts"):
            if pathlib.Path("/etc", name).exists():
                shutil.copy(f"/etc/{name}", root / "etc" / name)
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        self.enter = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        done = self.outside("apt-get update -q && apt-get install -q -y --no-install-recommends " + " ".join(packages))
        assert done.returncode == 0, done.stdout[-3000:]

    def inner(self, command):
        """Mounts for a command below chroot, in namespaces that are there already."""
        mounts = (f"mount -t proc proc {self.root}/proc && mount --bind /dev {self.root}/dev && "
                  f"mount -t tmpfs -o size=300m,mode=1777 shm {self.root}/dev/shm && ")
        return ["sh", "-c", mounts + 'exec "$@"', "sh", *command]

    def outside(self, script):
        """A script in the root with this machine's network, for apt."""
        return subprocess.run([*self.enter, *self.inner(self.chroot(script))], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LONG,
                              env={"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})

    def chroot(self, script):
        return ["chroot", str(self.root), "sh", "-euc", f"cd /root\n{script}"]

    def boot(self):
        """Cut off from here on: process 1 of its own."""
        self.sleeper = subprocess.Popen([*self.enter, "--net", *self.inner(["/usr/bin/python3", "-c", SLEEPER])],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env={"PATH": PATH})
        assert self.sleeper.stdout.readline() == "up\n"
        children = f"/proc/{self.sleeper.pid}/task/{self.sleeper.pid}/children"
        self.one = int(pathlib.Path(children).read_text().split()[0])

    def run(self, script):
        """A script in the machine: exit status and what was said. A mount namespace's root need not be ours, in a chroot."""
        done = subprocess.run(["nsenter", f"--target={self.one}", "--mount", "--pid", "--net", "--root", *self.chroot(script)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LONG,
                              errors="replace", env={"PATH": PATH, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})
        return done.returncode, done.stdout

    def good(self, script):
        status, said = self.run(script)
        assert status == 0, f"{script}\nended with {status}:\n{said}"
        return said

    def processes(self):
        """Command lines in it but for process 1 and those that ask."""
        said = self.good("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done")
        return [line.strip() for line in said.splitlines() if "akin" in line and "/proc/" not in line]

    def halt(self):
        if self.sleeper:
            self.sleeper.kill()
            self.sleeper.wait(20)
            until(lambda: not os.path.exists(f"/proc/{self.one}") or not buildah_roots(self.root), "its processes to be gone")
        shutil.rmtree(self.root, ignore_errors=True)


def buildah_roots(root):
    found = []
    for link in pathlib.Path("/proc").glob("[0-9]*/root"):
        try:
            if os.readlink(link).startswith(str(root)):
                found.append(link.parent.name)
        except OSError:
            pass
    return found


def build_package():
    """make deb; the file and what was said."""
    done = subprocess.run(["make", "-s", "deb"], cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=LONG,
                          env={k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"})
    assert done.returncode == 0, done.stdout
    packages = [pathlib.Path(line) for line in done.stdout.split() if line.endswith(".deb") and "dbgsym" not in line]
    assert len(packages) == 1, done.stdout
    return TOP / packages[0], done.stdout


def needs_of(package):
    """The names of what it depends on; of alternatives the first."""
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [re.sub(r"\s*\(.*", "", one).split("|")[0].strip() for one in depends.split(",")]


def write_sales(path, every):
    """Every nth row of the shipped data, so that all of its time is there."""
    lines = subprocess.run(["lz4", "-dc", TOP / "tests/data/online-retail/OnlineRetail.csv.lz4"], stdout=subprocess.PIPE,
                           check=True).stdout.splitlines(keepends=True)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join([lines[0], *lines[1::every]]))
