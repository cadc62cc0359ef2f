"""docker/docker-compose.yml as docker-compose itself understands it, and held against the files it mounts: what one file
calls a host, another must call so, too. No daemon is needed, and nothing is started."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest
import yaml

import harness
from harness import TOP

COMPOSE = TOP / "docker/docker-compose.yml"
VARIABLES = ("PROMETHEUS_IMAGE", "GRAFANA_IMAGE", "ALERTMANAGER_IMAGE", "PROMETHEUS_RETENTION", "CONSOLE_ADDRESS",
             "GF_SECURITY_ADMIN_PASSWORD", "MODEL_FOLDER")
REFERENCE = {                                   # container: service, address and port of the application that is replaced
    "reco-app": ("app", "172.16.238.10", 8000),
    "prometheus": ("prometheus", "172.16.238.11", 9090),
    "grafana": ("grafana", "172.16.238.12", 3000),
}


def config(*more, **variables):
    assert shutil.which("docker-compose"), "docker-compose is missing: etc/packages/test lists it"
    files = [argument for file in (COMPOSE, *more) for argument in ("-f", str(file))]
    env = {**{k: v for k, v in os.environ.items() if k not in VARIABLES}, **variables}
    return subprocess.run(["docker-compose", *files, "config"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=env, timeout=harness.PATIENCE * 3)


def published(port):
    """"[address:]outside:inside", which docker-compose writes in two ways."""
    if isinstance(port, dict):
        return f"{port['published']}:{port['target']}"
    return port.removesuffix("/tcp")


def accepted(*more, **variables):
    done = config(*more, **variables)
    assert done.returncode == 0 and not done.stderr, done.stderr
    found = yaml.safe_load(done.stdout)
    for service in found["services"].values():
        service["ports"] = list(map(published, service["ports"]))
    return found


@pytest.fixture(scope="module")
def compose():
    return accepted()


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def seconds(text):
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    return sum(float(n) * units[unit] for n, unit in re.findall(r"([\d.]+)(ms|[hms])", text))


def size(text):
    return int(text[:-1]) * {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[text[-1].lower()]


def setting(key):
    """A default of akin-server."""
    with tempfile.NamedTemporaryFile() as empty:
        done = subprocess.run([harness.SERVER, "-T", "-c", empty.name], stdout=subprocess.PIPE, text=True,
                              env=harness.environment(), check=True)
    return re.search(rf"^{key} = (.*)$", done.stdout, re.M)[1]


def mounts(service):
    """{place in the container: source}"""
    return {place: source for source, place, *_ in (v.split(":") for v in service.get("volumes", []))}


def test_names_and_addresses_are_the_references(compose, services):
    for container, (name, address, port) in REFERENCE.items():
        assert services[name]["container_name"] == container
        assert services[name]["networks"] == {"example-network": {
            "ipv4_address": address, **({"aliases": ["reco-app"]} if name == "app" else {})}}
        assert [p.removeprefix("127.0.0.1:") for p in services[name]["ports"]] == [f"{port}:{port}"]
    assert services["app"]["hostname"] == "reco-app"
    assert services["grafana"]["user"] == "472"
    network = compose["networks"]["example-network"]
    assert network["name"] == "example-network" and network["ipam"]["config"] == [{"subnet": "172.16.238.0/24"}]


def test_images_are_pinned(services):
    for name, service in services.items():
        if name == "app":
            continue
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), service["image"]
    assert services["app"]["build"] == {"context": str(TOP), "dockerfile": "docker/Dockerfile"}
    other = accepted(GRAFANA_IMAGE="example/grafana@sha256:" + "0" * 64)
    assert other["services"]["grafana"]["image"].startswith("example/grafana@")


def test_only_the_application_is_open_to_the_network(services):
    assert services["app"]["ports"] == ["8000:8000"]
    for name in set(services) - {"app"}:
        assert all(p.startswith("127.0.0.1:") for p in services[name]["ports"]), name
    opened = accepted(CONSOLE_ADDRESS="0.0.0.0")["services"]
    assert opened["grafana"]["ports"] == ["0.0.0.0:3000:3000"]


def test_the_password_can_be_set(services):
    def password(found):
        return found["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
    assert password(services) == "pass"
    assert password(accepted(GF_SECURITY_ADMIN_PASSWORD="better")["services"]) == "better"


def test_the_application_can_do_little(services):
    app = services["app"]
    assert app["read_only"] is True and app["cap_drop"] == ["ALL"] and app["tmpfs"] == ["/tmp"]
    assert app["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in app and "user" not in app, "the image's own"


def test_a_drain_is_waited_for(services):
    app = services["app"]
    assert app["stop_signal"] == "SIGQUIT"
    assert seconds(app["stop_grace_period"]) >= int(setting("drain_timeout_ms")) / 1000 + 5


def test_shared_memory_holds_two_generations(services, start, model):
    server = start(model)
    taken = sum((harness.SHM / name).stat().st_size for name in server.segments())
    assert taken > 1 << 20
    assert size(services["app"]["shm_size"]) >= 2 * taken


def test_who_waits_for_whom(services):
    """Each for what it asks, when that is well; and nobody who watches for what is watched."""
    waits = {name: service["depends_on"] for name, service in services.items() if "depends_on" in service}
    assert waits == {"prometheus": {"alertmanager": {"condition": "service_healthy"}},
                     "grafana": {"prometheus": {"condition": "service_healthy"}}}
    for name in set(services) - {"app"}:
        check = services[name]["healthcheck"]
        port = services[name]["ports"][0].split(":")[-1]
        assert check["test"][0] == "CMD" and f"http://127.0.0.1:{port}/" in check["test"][-1]


def test_what_is_mounted_is_there(compose, services):
    for name, service in services.items():
        for place, source in mounts(service).items():
            if source.startswith("/"):
                assert pathlib.Path(source).exists(), f"{name} mounts {source}"
            else:
                assert source in compose["volumes"], f"{name}: {source}"
        for volume in service.get("volumes", []):
            assert not volume.startswith("/") or volume.endswith(":ro"), f"{name} could write to {volume}"


def inside(service, path):
    """The file of the repository that a container sees at path."""
    for place, source in mounts(service).items():
        if path == place or path.startswith(place + "/"):
            return pathlib.Path(source + path[len(place):])
    raise AssertionError(f"nothing is mounted at {path}")


def argument(service, flag):
    return next(a.partition("=")[2] for a in service["command"] if a.startswith(flag + "="))


def test_prometheus_finds_everything(services):
    """Its files, the application by its name and port, Alertmanager by its."""
    path = inside(services["prometheus"], argument(services["prometheus"], "--config.file"))
    found = yaml.safe_load(path.read_text())
    for rules in found["rule_files"]:
        assert inside(services["prometheus"], str(pathlib.PurePosixPath("/etc/prometheus") / rules)).exists(), rules
    job = next(job for job in found["scrape_configs"] if job["job_name"] == "reco-app")
    for dns in job["dns_sd_configs"]:
        assert set(dns["names"]) <= names(services["app"]) and dns["port"] == 8000 and dns["type"] == "A"
    for target in targets(found["alerting"]["alertmanagers"]):
        host, port = target.split(":")
        assert host in names(services["alertmanager"]) and port == "9093"


def names(service):
    aliases = [a for network in service["networks"].values() for a in network.get("aliases", [])]
    return {service["container_name"], service.get("hostname"), *aliases}


def targets(managers):
    return [target for manager in managers for group in manager["static_configs"] for target in group["targets"]]


def test_alertmanager_finds_its_file(services):
    path = inside(services["alertmanager"], argument(services["alertmanager"], "--config.file"))
    assert path == TOP / "prometheus/alertmanager.yml" and path.exists()


def test_grafana_finds_everything(services):
    grafana = services["grafana"]
    sources = [s for file in inside(grafana, "/etc/grafana/provisioning/datasources").glob("*.y*ml")
               for s in yaml.safe_load(file.read_text())["datasources"]]
    assert [(s["name"], s["url"]) for s in sources] == [("Prometheus", "http://prometheus:9090")]
    providers = [p for file in inside(grafana, "/etc/grafana/provisioning/dashboards").glob("*.y*ml")
                 for p in yaml.safe_load(file.read_text())["providers"]]
    for provider in providers:
        assert list(inside(grafana, provider["options"]["path"]).glob("*.json")), provider
    assert providers


def test_a_model_of_ones_own():
    overlay = TOP / "docker/own-model.yml"
    app = accepted(overlay, MODEL_FOLDER="/srv/models")["services"]["app"]
    assert app["volumes"] == ["/srv/models:/var/lib/akin:ro"]
    assert os.path.dirname(setting("model")) == "/var/lib/akin"
    refused = config(overlay)
    assert refused.returncode != 0 and "model.akin" in refused.stderr


def test_every_variable_is_documented():
    used = {name for file in (TOP / "docker").glob("*.yml") for name in re.findall(r"\$\{(\w+)", file.read_text())}
    assert used == set(VARIABLES)
    documented = (TOP / "docs/containers.md").read_text()
    assert [name for name in used if f"`{name}`" not in documented] == []
