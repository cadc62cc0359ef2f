"""One server as an operator has it: a folder with settings, log, pid file and models, and akinctl to work it with."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import harness
from harness import TOP, PATIENCE

AKINCTL = TOP / "etc/akinctl"
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}


class Done:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"{self.status}\n{self.out}\n{self.err}"


class Place:
    """Settings are written anew by configure(); akinctl's programs are those of the build, by way of self.bin."""

    def __init__(self, folder, shell="dash", copies=False, **settings):
        self.folder, self.shell, self.settings = folder, SHELLS[shell], {}
        for name in ("lib", "log", "run", "bin"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for program in (harness.SERVER, harness.PREP):
            if copies:
                shutil.copy(program, folder / "bin")
            else:
                (folder / "bin" / program.name).symlink_to(program)
        self.port = harness.free_port()
        self.model, self.store = folder / "lib/model.akin", folder / "lib/models"
        self.log, self.pid_file, self.conf = folder / "log/akin.log", folder / "run/akin.pid", folder / "akin.conf"
        self.configure(**{"model": self.model, "address": "127.0.0.1", "port": self.port, "workers": 2, "threads": 8,
                          "log": self.log, "pid_file": self.pid_file, **settings})

    def configure(self, **settings):
        """None takes a setting out."""
        self.settings = {k: v for k, v in {**self.settings, **settings}.items() if v is not None}
        self.conf.write_text("".join(f"{k} = {v}\n" for k, v in self.settings.items()))

    def environment(self):
        return harness.environment(PATH=f"{self.folder}/bin:{os.environ['PATH']}")

    def command(self, *arguments):
        return [*self.shell, str(AKINCTL), "-c", str(self.conf), *map(str, arguments)]

    def ctl(self, *arguments, wrapper=(), stdin=subprocess.DEVNULL):
        return Done(subprocess.run([*wrapper, *self.command(*arguments)], stdin=stdin, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, timeout=6 * PATIENCE, env=self.environment()))

    def background(self, *arguments, **more):
        """akinctl that is not waited for, as a group of its own."""
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment(), start_new_session=True, **more)

    def good(self, *arguments, **more):
        done = self.ctl(*arguments, **more)
        assert done.status == 0, (arguments, done, self.log.read_text() if self.log.exists() else "no log")
        return done.out

    def bad(self, status, *arguments, **more):
        """It fails with this status and has said why."""
        done = self.ctl(*arguments, **more)
        assert done.status == status and done.err, (arguments, done)
        return done.err

    def facts(self):
        return json.loads(self.good("status", "--json"))

    @property
    def pid(self):
        return int(self.pid_file.read_text())

    def put(self, model):
        """By hand, as if akinctl had never been."""
        shutil.copyfile(model, self.model)

    def get(self, path):
        with harness.Client(self.port) as client:
            return client.get(path, Connection="close")

    def entries(self):
        return sorted(p.name for p in self.store.glob("*.akin"))

    def link(self, name):
        path = self.store / name
        return os.readlink(path) if path.is_symlink() else None

    def placed(self):
        """The name in the store of the file in place."""
        found = [p.name for p in self.store.glob("*.akin") if not p.is_symlink() and p.samefile(self.model)]
        assert len(found) == 1, (found, self.entries())
        return found[0]

    def litter(self):
        """What a deploy must not leave: copies, half-made links."""
        return sorted(p.name for p in [*self.store.glob(".*"), *self.model.parent.glob("model.akin?*")] if p.name not in (".lock", ".retrain"))

    def family(self):
        """Every process that was started with these settings."""
        mine = str(self.conf).encode()
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and int(entry.name) != os.getpid() and mine in (entry / "cmdline").read_bytes().split(b"\0"):
                    yield int(entry.name)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def end(self):
        for pid in self.family():
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.ctl("--timeout=15", "stop")
        left = list(self.family())
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        assert not left, f"processes are left: {left}"
