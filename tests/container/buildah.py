"""Images without a Docker daemon: buildah, with all it keeps below one folder that goes again.

The base is made here, too, by mmdebstrap, since no registry can be counted on: the packages of debian:bookworm-slim, with
the apt sources and the network settings of this machine, so that `apt-get` in a Dockerfile finds what it finds here.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDER = TOP / "build/container"
STORE = FOLDER / "store"                        # buildah's images, containers and scratch files
BASE = "localhost/debian:bookworm-slim"
LONG = 600                                      # seconds that what goes over the network may take


def run(*command, **more):
    """Standard output; a failure shows what was said."""
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=LONG, text=True, errors="replace", **more)
    assert done.returncode == 0, (f"{' '.join(map(str, command))} ended with {done.returncode}\n"
                                  f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout.strip()


def environment():
    """A folder of its own also for what buildah would leave in /var/tmp. The storage driver is the one it finds fit."""
    kept = {k: v for k, v in os.environ.items() if k != "STORAGE_DRIVER" and not k.startswith("AKIN_")}
    return {**kept, "TMPDIR": str(STORE / "tmp"), "BUILDAH_ISOLATION": "chroot", "LC_ALL": "C.UTF-8"}


def command(*arguments):
    return ["buildah", "--root", str(STORE / "root"), "--runroot", str(STORE / "run"), *map(str, arguments)]


def buildah(*arguments):
    return run(*command(*arguments), env=environment())


# -- the base -----------------------------------------------------------------------------------------------------

def apt_sources():
    """This machine's lines for Debian itself; none when apt knows of none, which leaves mmdebstrap's own."""
    lines = run("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
                "Identifier: Packages", "Origin: Debian").splitlines()
    return sorted({line for line in lines if re.search(r" bookworm[ -]", line)})


def apt_settings():
    """How this machine gets at its sources: proxies, retries, what it thinks of dates."""
    lines = run("apt-config", "dump", "--format", '%F "%v";%n', "Acquire").splitlines()
    return [line for line in lines if re.match(r'Acquire::(https?|Check-|Retries|Force)[^"]* "[^"]+"', line)]


def base_tar():
    """Made once: it stays in build/ until the settings it was made with change."""
    sources, settings = apt_sources(), apt_settings()
    # as in Debian's image: no pages, no syncing, no translated descriptions
    options = [*(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("man", "doc", "info", "locale")),
               "--dpkgopt=force-unsafe-io", *(f"--aptopt={line}" for line in ('Acquire::Languages "none"', *settings))]
    key = hashlib.sha256("\n".join(sources + options).encode()).hexdigest()[:16]
    tar, part = FOLDER / f"base.{key}.tar", FOLDER / "part.tar"
    if not tar.exists():
        for old in FOLDER.glob("*.tar"):
            old.unlink()
        run("mmdebstrap", "-q", "--variant=minbase", *options, "bookworm", part, *sources)
        part.rename(tar)
    return tar


def make_base():
    container = buildah("from", "scratch")
    buildah("add", "-q", container, base_tar(), "/")
    buildah("config", "--cmd", "/bin/bash", container)
    buildah("commit", "-q", "--rm", container, BASE)


# -- the store ----------------------------------------------------------------------------------------------------

def open_store():
    close_store()                               # of a run that was killed
    for folder in ("root", "run", "tmp"):
        (STORE / folder).mkdir(parents=True)


def close_store():
    """Whatever happened before: no process, no mount and no file is left."""
    for pid in inside():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    deadline = time.monotonic() + 20
    while inside():
        assert time.monotonic() < deadline, f"they won't die: {inside()}"
        time.sleep(0.05)
    mounts = [line.split()[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{STORE}/")), key=len, reverse=True):
        subprocess.run(["umount", "-l", mount], check=True)
    if STORE.exists():
        shutil.rmtree(STORE)


def inside():
    """Processes whose root is in the store."""
    found = []
    for root in pathlib.Path("/proc").glob("[0-9]*/root"):
        try:
            if os.readlink(root).startswith(f"{STORE}/"):
                found.append(int(root.parent.name))
        except OSError:
            pass                                # it is gone
    return found


# -- images and containers ----------------------------------------------------------------------------------------

def build(tag, **arguments):
    """The Dockerfile, as the README has it built; what was said."""
    flags = [f"--build-arg={key}={value}" for key, value in {"BASE": BASE, **arguments}.items()]
    return buildah("bud", "--isolation", "chroot", "--format", "docker", "--pull-never", *flags,
                   "-f", TOP / "docker/Dockerfile", "-t", tag, TOP)


def configuration(image):
    return json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]


class Container:
    """A container from an image, on the network of this machine."""

    def __init__(self, image, log, **env):
        self.name, self.log, self.process = buildah("from", "--pull-never", image), log, None
        self.image = configuration(image)
        for key, value in env.items():
            buildah("config", "--env", f"{key}={value}", self.name)
        self.root = pathlib.Path(buildah("mount", self.name))

    def start(self, *flags, more=()):
        """The image's own entry point, as its own user."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command("run", *flags, self.name, "--", *self.image["Entrypoint"], *(self.image["Cmd"] or []), *more),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())

    def logged(self):
        return self.log.read_text(errors="replace")

    def run(self, *arguments, flags=()):
        """Another command beside it: exit status and what was said."""
        done = subprocess.run(command("run", *flags, self.name, "--", *arguments), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LONG, text=True, env=environment())
        return done.returncode, done.stdout

    def check_health(self):
        kind, *test = self.image["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*test)

    def master(self):
        """What would be process 1: the first below buildah that runs the entry point's program."""
        below = [self.process.pid]
        while below:
            pid = below.pop(0)
            try:
                if os.readlink(f"/proc/{pid}/exe").endswith(self.image["Entrypoint"][0]):
                    return pid
                below += map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    if int(task.name) != pid:
                        below += map(int, (task / "children").read_text().split())
            except OSError:
                pass                            # it is gone
        return None

    def remove(self):
        if self.process and self.process.poll() is None:
            if master := self.master():
                os.kill(master, signal.SIGKILL)
            self.process.kill()
            self.process.wait(20)
        buildah("rm", self.name)
