"""What a service manager is given: the unit, users, folders, log rotation, `make install`, and Kubernetes' manifests."""
import os
import re
import shutil
import signal
import subprocess

import pytest
import yaml

import harness
from harness import TOP, until

UNIT = TOP / "etc/systemd/akin.service"
KUBERNETES = TOP / "etc/kubernetes"
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(*command, **more):
    return subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def defaults():
    """The program's own."""
    lines = run(harness.SERVER, "-T", env=harness.environment()).stdout.splitlines()
    return dict(re.split(r" = ?", line, maxsplit=1) for line in lines)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    top = tmp_path_factory.mktemp("installed")
    done = run("make", "-s", "-C", TOP, "install", f"BUILD={harness.BUILD}", f"DESTDIR={top}", "PREFIX=/usr",
               env={k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"})
    assert done.returncode == 0, done.stdout
    return top


def keys(section, unit=UNIT):
    """Keys of a section of the unit; a key given twice has two values."""
    text = re.search(rf"^\[{section}\]\n(.*?)(?=^\[|\Z)", unit.read_text(), re.M | re.S)[1]
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


# -- systemd ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, most", [("akin", 2.0), ("akin-retrain", 1.0), ("akin-webhook@", 1.0)])
def test_what_the_units_expose(name, most):
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={int(most * 10)}", UNIT.with_name(f"{name}.service"))
    exposed = re.search(r"Overall exposure level for akin.*\.service: ([\d.]+)", done.stdout)
    assert exposed and float(exposed[1]) <= most and done.returncode == 0, done.stdout


def test_systemd_understands_the_units(installed, tmp_path):
    """Every line: a word it does not know is a warning."""
    units = []
    for path in (installed / "usr/lib/systemd/system").iterdir():
        units.append(tmp_path / path.name)
        units[-1].write_text(path.read_text().replace("/usr/sbin/", f"{installed}/usr/sbin/"))
    assert {u.name for u in units} == {p.name for p in UNIT.parent.iterdir() if p.suffix in (".service", ".socket", ".timer")}
    done = run("systemd-analyze", "verify", "--man=no", *units)
    mine = [line for line in done.stdout.splitlines() if "akin" in line]
    assert mine == [] and done.returncode == 0, done.stdout


def test_times_in_the_unit_leave_room():
    service, seconds = keys("Service"), lambda text: int(text.removesuffix("s"))
    assert seconds(service["TimeoutStopSec"][0]) * 1000 > int(defaults()["stop_timeout_ms"])
    assert service["Type"] == ["notify"] and service["KillMode"] == ["mixed"] and service["OOMPolicy"] == ["continue"]
    assert service["ExecReload"] == ["/usr/sbin/akinctl reload"] and seconds(service["WatchdogSec"][0]) >= 10


def condition(tmp_path, server):
    """The unit's ExecCondition, with another akin-server: exit status and what was said."""
    command = keys("Service")["ExecCondition"][0]
    script = re.fullmatch(r"/bin/sh -c '(.*)'", command)[1].replace("$$", "$").replace("/usr/sbin/akin-server", str(server))
    done = run("sh", "-c", script)
    return done.returncode, done.stdout


def test_without_a_model_nothing_is_started_and_nothing_has_failed(tmp_path):
    server, model = tmp_path / "server", tmp_path / "model.akin"
    server.write_text(f"#!/bin/sh\necho 'fill = none'\necho 'model = {model}'\n")
    server.chmod(0o755)
    status, said = condition(tmp_path, server)
    assert 1 <= status <= 254 and "akinctl model deploy" in said        # systemd: skipped
    model.touch()
    assert condition(tmp_path, server) == (0, "")
    server.write_text("#!/bin/sh\necho wrong >&2\nexit 1\n")
    assert condition(tmp_path, server)[0] == 0                          # ExecStart will fail, and be seen


def filter_sets():
    """systemd's own: {set: {calls and sets}}"""
    sets, name = {}, None
    for line in run("systemd-analyze", "syscall-filter", "--no-pager").stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = set()
        elif name and line.startswith("    ") and not line.strip().startswith("#"):
            sets[name].add(line.strip())
    return sets


def spread(name, sets):
    return set().union(*(spread(one, sets) for one in sets[name])) if name in sets else {name}


def allowed_calls(unit):
    sets, allowed = filter_sets(), set()
    for value in keys("Service", unit)["SystemCallFilter"]:
        words = {call for word in value.removeprefix("~").split() for call in spread(word, sets)}
        allowed = allowed - words if value.startswith("~") else allowed | words
    assert "openat" in allowed and "mount" not in allowed and "setuid" not in allowed
    return allowed


def calls_of(trace):
    """The names of the calls that strace -f has written down."""
    return set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed)", trace, re.M))


@root
def test_every_system_call_is_allowed(place, models, tmp_path):
    """What the server calls in a life with a reload, a killed worker, requests and a drain, against what the unit lets
    through. `user` is not set: under the unit there is nobody to become."""
    if not shutil.which("strace"):
        pytest.fail("strace is missing: etc/packages/test lists it")
    allowed = allowed_calls(UNIT)
    it = place()
    it.put(models[0])
    trace = tmp_path / "trace"
    process = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, harness.SERVER, "-c", it.conf], env=harness.environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: it.ctl("status").status == 0 and it.facts()["state"] == "serving", "it to serve", 2 * harness.PATIENCE)
        assert it.get("/predict/item/I01?n=50").status == 200 and it.get("/metrics").status == 200
        it.put(models[1])
        it.good("reload")
        it.good("reopen")
        worker = it.facts()["workers"][0]["pid"]
        os.kill(worker, signal.SIGKILL)
        until(lambda: it.facts()["workers"][0]["pid"] not in (0, worker), "another worker", 2 * harness.PATIENCE)
        it.good("drain")
    finally:
        it.end()
        process.wait(harness.PATIENCE)
    called = calls_of(trace.read_text(errors="replace"))
    assert {"openat", "accept4", "mmap", "kill"} & called and len(called) > 40
    assert called <= allowed, called - allowed
    writable = re.findall(r"m(?:map|protect)\(.*PROT_WRITE\|PROT_EXEC", trace.read_text(errors="replace"))
    assert writable == []                       # MemoryDenyWriteExecute
    families = set(re.findall(r"socket\((AF_\w+)", trace.read_text(errors="replace")))
    assert families <= set(keys("Service")["RestrictAddressFamilies"][0].split()), families


def traced(trace, *command, **more):
    done = subprocess.run(["strace", "-f", "-qq", "-o", trace, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    said = trace.read_text(errors="replace")
    assert re.findall(r"mprotect\(.*PROT_WRITE\|PROT_EXEC", said) == []
    return done, calls_of(said), set(re.findall(r"socket\((AF_\w+)", said))


@root
def test_what_retraining_calls_is_allowed(place, models, tmp_path):
    """Of two retrainings, one that is refused; and of a message."""
    it = place(retrain_hold_off_s=0)
    it.put(models[0])
    it.good("start")
    unit, sales = UNIT.with_name("akin-retrain.service"), it.folder / "sales.csv"
    it.configure(transactions=sales)
    for rows, status in (([(str(c), f"I{(c * 7 + k) % 40:02}") for c in range(300) for k in range(c % 5 + 2)], 0), ([("1", "X")], 11)):
        sales.write_bytes(harness.csv_bytes(rows))
        done, called, families = traced(tmp_path / "trace", *it.command("retrain"), env=it.environment())
        assert done.returncode == status, done.stdout
        assert called <= allowed_calls(unit), called - allowed_calls(unit)
        assert families <= {"AF_UNIX"}, families
    unit = UNIT.with_name("akin-webhook@.service")
    done, called, families = traced(tmp_path / "trace", TOP / "etc/akin-webhook", "-x", input=b"POST /retrain HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
    assert b"HTTP/1.1 400 " in done.stdout, done.stdout
    assert called <= allowed_calls(unit) and families <= {"AF_UNIX"}


def test_the_units_of_retraining():
    retrain, webhook = UNIT.with_name("akin-retrain.service"), UNIT.with_name("akin-webhook@.service")
    service = keys("Service", retrain)
    assert service["Type"] == ["oneshot"] and service["RemoveIPC"] == ["no"] and int(service["Nice"][0]) > 0
    # What was only held off has not failed, by the numbers of the man page.
    page = (TOP / "docs/akinctl.8").read_text()
    harmless = [re.search(rf"^\.It Cm {name} Ta (\d+) ", page, re.M)[1] for name in ("held_off", "busy")]
    assert service["SuccessExitStatus"] == [" ".join(harmless)]
    assert keys("Unit", webhook)["OnSuccess"] == ["akin-retrain.service"]
    assert keys("Service", webhook)["ExecStart"] == ["/usr/sbin/akin-webhook -x"] and keys("Service", webhook)["DynamicUser"] == ["yes"]
    timer = keys("Timer", UNIT.with_name("akin-retrain.timer"))
    assert timer["Persistent"] == ["yes"] and timer["RandomizedDelaySec"]
    done = run("systemd-analyze", "calendar", timer["OnCalendar"][0], "--iterations=2")
    days = [int(day) for day in re.findall(r"(?:Next elapse|Iter\. #2): \w+ \d+-\d+-(\d+)", done.stdout)]
    assert done.returncode == 0 and len(days) == 2 and (days[1] - days[0] == 7 or days[1] < 8), done.stdout
    assert re.search(r"dh_installsystemd --no-enable --no-start akin-retrain.timer akin-webhook.socket$", (TOP / "etc/debian/rules").read_text(), re.M)


def test_the_user_and_the_folders(installed, tmp_path):
    """systemd's own tools make them, in a root of nothing."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    top = tmp_path / "top"
    for name in ("etc", "run", "var/lib", "var/log", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d"):
        (top / name).mkdir(parents=True)
    for kind in ("sysusers", "tmpfiles"):
        shutil.copy(installed / f"usr/lib/{kind}.d/akin.conf", top / f"usr/lib/{kind}.d/akin.conf")
        done = run(f"systemd-{kind}", *(["--create"] if kind == "tmpfiles" else []), f"--root={top}", "akin.conf")
        assert done.returncode == 0, done.stdout
    user = re.search(r"^akin:x:(\d+):(\d+):Akin:/var/lib/akin:/usr/sbin/nologin$", (top / "etc/passwd").read_text(), re.M)
    assert user
    for name, mode in (("run/akin", 0o755), ("var/log/akin", 0o750), ("var/lib/akin", 0o755)):
        stat = (top / name).stat()
        assert (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid) == (mode, int(user[1]), int(user[2])), name


# -- the log ------------------------------------------------------------------------------------------------------

@root
def test_logrotate(place, models, tmp_path):
    it = place()
    it.put(models[0])
    it.good("start")
    text = (TOP / "etc/logrotate").read_text().replace("/var/log/akin/", f"{it.folder}/log/").replace("su akin akin", "su root root")
    text = text.replace("/usr/sbin/akinctl reopen", " ".join(it.command("reopen")))
    conf = tmp_path / "rotate.conf"
    conf.write_text(text)
    os.chmod(it.folder / "log", 0o755)
    done = run("logrotate", "-f", "-s", tmp_path / "state", conf, env=it.environment())
    assert done.returncode == 0 and not done.stdout, done.stdout
    assert "listening" in (it.folder / "log/akin.log.1").read_text()
    it.put(models[1])
    it.good("reload")
    assert "generation 2" in it.log.read_text()
    it.good("stop")
    assert run("logrotate", "-f", "-s", tmp_path / "state", conf, env=it.environment()).returncode == 0


# -- make install -------------------------------------------------------------------------------------------------

def test_installation(installed, tmp_path):
    for path, mode in (("usr/sbin/akin-server", 0o755), ("usr/sbin/akinctl", 0o755), ("usr/bin/akin-prep", 0o755),
                       ("usr/sbin/akin-webhook", 0o755), ("usr/share/man/man8/akin-webhook.8", 0o644), ("usr/share/man/man8/akinctl.8", 0o644)):
        assert (installed / path).stat().st_mode & 0o777 == mode, path
    parts = set(re.findall(r"\bpart ([a-z]+)", (TOP / "etc/akinctl").read_text()))
    assert parts >= {"model", "start"} and {p.name for p in (installed / "usr/share/akin").iterdir()} == {f"akinctl-{p}" for p in parts}
    for part in parts:
        assert (installed / f"usr/share/akin/akinctl-{part}").stat().st_mode & 0o777 == 0o644, part
    done = run(installed / "usr/sbin/akinctl", "model", "frob", env=harness.environment())
    assert done.returncode == 2 and "model has no" in done.stdout       # it finds its parts
    conf = (installed / "etc/akin/akin.conf").read_text()
    for line in ("pid_file = /run/akin/akin.pid", "log = /var/log/akin/akin.log", "user = akin"):
        assert re.search(rf"^{line}$", conf, re.M), conf
    assert len(conf.splitlines()) == len((TOP / "etc/akin.conf").read_text().splitlines())


def test_another_prefix_and_back(tmp_path):
    plain = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    where = [f"BUILD={harness.BUILD}", f"DESTDIR={tmp_path}", "PREFIX=/opt/akin"]
    assert run("make", "-s", "-C", TOP, "install", *where, env=plain).returncode == 0
    unit = (tmp_path / "opt/akin/lib/systemd/system/akin.service").read_text()
    assert "ExecStart=/opt/akin/sbin/akin-server" in unit and "/usr/sbin" not in unit
    conf = tmp_path / "etc/akin/akin.conf"
    conf.write_text("# the operator's\n")
    assert run("make", "-s", "-C", TOP, "install", *where, env=plain).returncode == 0
    assert conf.read_text() == "# the operator's\n"
    assert run("make", "-s", "-C", TOP, "uninstall", *where, env=plain).returncode == 0
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [conf]


def test_versions_agree():
    version = re.search(r"^VERSION +:= (.*)$", (TOP / "Makefile").read_text(), re.M)[1]
    assert (TOP / "etc/debian/changelog").read_text().startswith(f"akin ({version}) ")
    assert yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["images"][0]["newTag"] == version


# -- Kubernetes ---------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def manifests():
    return {p.stem: yaml.safe_load(p.read_text()) for p in KUBERNETES.glob("*.yaml")}


def test_manifests_name_each_other_rightly(manifests):
    kinds = {"deployment": ("apps/v1", "Deployment"), "service": ("v1", "Service"),
             "poddisruptionbudget": ("policy/v1", "PodDisruptionBudget"),
             "servicemonitor": ("monitoring.coreos.com/v1", "ServiceMonitor")}
    assert {k: (m["apiVersion"], m["kind"]) for k, m in manifests.items() if k != "kustomization"} == kinds
    assert set(manifests["kustomization"]["resources"]) == {f"{k}.yaml" for k in kinds}
    spec = manifests["deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    for selector in (spec["selector"]["matchLabels"], manifests["service"]["spec"]["selector"],
                     manifests["poddisruptionbudget"]["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    assert manifests["servicemonitor"]["spec"]["selector"]["matchLabels"].items() <= manifests["service"]["metadata"]["labels"].items()
    container = spec["template"]["spec"]["containers"][0]
    assert container["image"] == manifests["kustomization"]["images"][0]["name"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    service = manifests["service"]["spec"]["ports"]
    assert {port["targetPort"] for port in service} <= set(ports)
    assert {end["port"] for end in manifests["servicemonitor"]["spec"]["endpoints"]} <= {port["name"] for port in service}
    volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    assert volumes["shm"]["emptyDir"]["medium"] == "Memory"
    assert {"name": "shm", "mountPath": "/dev/shm"} in container["volumeMounts"]
    assert volumes["settings"]["configMap"]["name"] == manifests["kustomization"]["configMapGenerator"][0]["name"]
    assert manifests["poddisruptionbudget"]["spec"]["minAvailable"] < spec["replicas"]
    jobs = [r["replacement"] for r in manifests["servicemonitor"]["spec"]["endpoints"][0]["relabelings"] if r["targetLabel"] == "job"]
    assert jobs == ["reco-app"] and 'job="reco-app"' in (TOP / "prometheus/akin.alerts.yml").read_text()


def test_manifests_fit_the_program(manifests, start, models):
    """Probes, ports, paths, users and times against the server itself and the image."""
    pod = manifests["deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    conf = KUBERNETES / "akin.conf"
    done = run(harness.SERVER, "-c", conf, "-T", env=harness.environment())
    assert done.returncode == 0, done.stdout
    settings = dict(re.split(r" = ?", line, maxsplit=1) for line in done.stdout.splitlines())
    port = next(p["containerPort"] for p in container["ports"] if p["name"] == "http")
    assert int(settings["port"]) == port and settings["log"] == "stderr" and not settings["pid_file"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert settings["model"].rsplit("/", 1)[0] == mounts["model"] and mounts["settings"] == "/etc/akin"
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= pause + int(settings["stop_timeout_ms"]) / 1000 + 5
    dockerfile = (TOP / "docker/Dockerfile").read_text()
    assert f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}\n" in dockerfile
    assert "STOPSIGNAL SIGTERM" in dockerfile and pod["enableServiceLinks"] is False
    server = start(models[0])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == "http"
        assert server.get(container[probe]["httpGet"]["path"]).status == 200, probe
    assert server.get(manifests["servicemonitor"]["spec"]["endpoints"][0]["path"]).status == 200
    assert int(settings["workers"]) == int(container["resources"]["limits"]["cpu"])


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl here, and Debian has none")
def test_kustomize_puts_them_together():
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    made = {one["kind"]: one for one in yaml.safe_load_all(done.stdout)}
    assert set(made) == {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "ServiceMonitor"}
    volumes = made["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert made["ConfigMap"]["metadata"]["name"] in {v["configMap"]["name"] for v in volumes if "configMap" in v}
