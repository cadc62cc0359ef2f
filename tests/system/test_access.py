"""Who may have what: networks and API keys."""
import http.client
import os
import re
import signal
import socket
import stat
import threading

import pytest

import contract
import harness
from allowed import ITEM, ROWS, SHOP, ask, failing, refused_start, renew
from harness import until

SHOP2, APP = "shop-key-9876543210", "app-key-#;=+/~-0123456789"
OPEN = ("/", "/healthz", "/readyz")


@pytest.fixture
def keys(tmp_path):
    """Write the file of keys, put in place whole."""
    path = tmp_path / "keys"

    def keys(*lines, mode=0o640):
        aside = tmp_path / "keys.aside"
        aside.unlink(missing_ok=True)
        aside.write_text("".join(line + "\n" for line in lines))
        aside.chmod(mode)
        aside.replace(path)
        return path
    return keys


# -- networks -------------------------------------------------------------------------------------------------------

def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def test_networks(start, small):
    """Of 127.0.0.0/8 everything is local, so that a client can have many addresses."""
    server = start(small(ROWS), allow="127.0.0.2, 127.9.0.0/16", ops_allow="127.0.0.1 127.0.0.3",
                   **({"address": "::"} if has_ipv6() else {}))
    document = None
    paths = {ITEM: "P", "/predict/user/1": "P", "/openapi.json": "P", "/docs": "P", "/redoc": "P", "/docs/plain.html": "P",
             "/metrics": "O", "/model": "O", "/nope": "-", **{path: "-" for path in OPEN}}
    usual = {path: ask(server, path, "127.0.0.2").status for path in paths if paths[path] == "P"}
    assert set(usual.values()) == {200}
    denied = {"P": 0, "O": 0}
    for source, may in (("127.0.0.2", "P-"), ("127.9.255.255", "P-"), ("127.0.0.1", "O-"), ("127.0.0.3", "O-"),
                        ("127.10.0.0", "-"), ("127.0.0.4", "-")):
        for path, kind in paths.items():
            answer = ask(server, path, source)
            if kind in may:
                assert answer.status == (404 if path == "/nope" else 200), (source, path)
                document = answer.json if path == "/openapi.json" else document
            else:
                assert answer.status == 403 and answer.json == {"detail": "this address may not have that"}, (source, path)
                denied[kind] += 1
                template = contract.route_of(document, path)
                if template and template in document["paths"]:
                    contract.check(document, template, answer)
    # before any question of method, and with no more effect than any other answer
    with harness.Client(server.port) as client:
        for method in ("GET", "POST", "HEAD"):
            assert client.get(ITEM, method).status == 403
        assert client.get("/").status == 200
        assert client.get("/metrics", "POST").status == 405
    samples = server.metrics()
    assert samples['akin_access_denied_total{reason="allow"}'] == denied["P"] + 3
    assert samples['akin_access_denied_total{reason="ops_allow"}'] == denied["O"]
    assert samples['http_requests_total{handler="/model",method="GET",status="4xx"}'] == denied["O"] / 2
    if has_ipv6():
        assert ask(server, ITEM, host="::1").status == 403 and ask(server, "/", host="::1").status == 200


def test_networks_of_ipv6(start, small):
    if not has_ipv6():
        pytest.skip("there is no IPv6 here")
    server = start(small(ROWS), address="::", allow="::1")
    assert ask(server, ITEM, host="::1").status == 200
    assert ask(server, ITEM).status == 403 and ask(server, "/metrics").status == 200


@pytest.mark.parametrize("key", ["allow", "ops_allow"])
def test_a_bad_network(small, tmp_path, key):
    conf = tmp_path / "akin.conf"
    conf.write_text(f"port = 0\n{key} = 192.0.2.7 10.1.2.3/8\n")
    assert failing("-c", conf).endswith(f"{conf}:2: {key}: '10.1.2.3/8' has bits beyond its first 8; the network is 10.0.0.0/8")


# -- keys -------------------------------------------------------------------------------------------------------------

def test_keys(start, small, keys):
    server = start(small(ROWS), api_keys=keys(f"shop {SHOP}", "# a comment", "", f"shop {SHOP2}", f"app {APP}"), log_level="debug")
    ways = [{"X_API_Key": SHOP}, {"X_API_Key": SHOP2}, {"Authorization": f"Bearer {APP}"}, {"authorization": f"bearer  {SHOP}"}]
    for headers in ways:
        assert ask(server, ITEM, **headers).status == 200
    document = ask(server, "/openapi.json").json
    refusals = []
    for headers in ({}, {"X_API_Key": "x"}, {"X_API_Key": SHOP[:-1] + "x"}, {"Authorization": f"Bearer {APP}x"},
                    {"Authorization": "Basic eDp5"}, {"X_API_Key": "y" * 4000}):
        answer = ask(server, ITEM, **headers)
        contract.check(document, "/predict/item/{item_id}", answer)
        assert answer.headers.pop("date")
        refusals.append((answer.status, answer.headers, answer.body))
    assert all(r == refusals[0] for r in refusals)
    assert refusals[0][0] == 401 and refusals[0][1]["www-authenticate"].startswith("Bearer")
    assert ask(server, ITEM, method="POST").status == 401
    assert ask(server, ITEM, method="POST", X_API_Key=SHOP).status == 405
    assert ask(server, "/predict/user/nobody").status == 401            # not even what there is
    for path in (*OPEN, "/metrics", "/model", "/openapi.json", "/docs"):
        assert ask(server, path).status == 200, path
    assert ask(server, "/predict/item/").status == 404
    samples = server.metrics()
    assert samples['akin_api_key_requests_total{key="shop"}'] == 4
    assert samples['akin_api_key_requests_total{key="app"}'] == 1
    assert samples['akin_access_denied_total{reason="key_missing"}'] == 4
    assert samples['akin_access_denied_total{reason="key_wrong"}'] == 4
    assert not any(key in text for key in (SHOP, SHOP2, APP) for text in (server.logged(), str(samples)))
    board, = (harness.SHM / name for name in server.segments() if name.endswith(".board"))
    assert stat.S_IMODE(board.stat().st_mode) == 0o600


def test_keys_in_the_document(start, small, keys):
    path = small(ROWS)
    with_keys, without = (start(path, **more).get("/openapi.json").json for more in ({"api_keys": keys(f"a {SHOP}")}, {}))
    assert with_keys["components"]["securitySchemes"] == {
        "Bearer": {"type": "http", "scheme": "bearer"},
        "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
    assert without["components"]["securitySchemes"] == {}
    for template, _, operation in contract.operations(with_keys):
        assert operation.get("security", []) == ([{"Bearer": []}, {"X-API-Key": []}] if re.search("predict|feedback", template) else [])
    for *_, operation in contract.operations(without):
        assert not operation.get("security")


def test_keys_are_renewed(start, small, keys):
    server = start(small(ROWS), api_keys=keys(f"shop {SHOP}", f"gone {APP}"))
    status = lambda key: ask(server, ITEM, X_API_Key=key).status
    assert (status(SHOP), status(APP), status(SHOP2)) == (200, 200, 401)
    generation = server.generation()
    keys(f"new {APP}", f"shop {SHOP2}")
    assert renew(server)
    until(lambda: server.generation() == generation + 1, "the model, too")
    assert (status(SHOP), status(APP), status(SHOP2)) == (401, 200, 200)
    counts = {key: server.metric("akin_api_key_requests_total", key=key) for key in ("shop", "gone", "new")}
    assert counts == {"shop": 2, "gone": 1, "new": 1}
    # what is wrong with the file changes nothing, is told, and is no reason not to load the model
    for lines, mode, words in [([f"shop {SHOP}"], 0o644, "chmod 640"), (["shop short"], 0o640, ":1: a key must be"),
                               ([f"ok {SHOP}", f"{APP} shop"], 0o640, ":2: a name must be"), ([], 0o640, "no key in it")]:
        keys(*lines, mode=mode)
        before = server.generation()
        assert not renew(server)
        until(lambda: words in server.logged(), f"'{words}' in the log")
        assert (status(SHOP), status(APP), status(SHOP2)) == (401, 200, 200)
        until(lambda: server.generation() == before + 1, "the model, too")
    assert server.metric("akin_api_keys_reloads_total", result="failure") == 4
    keys(f"shop {SHOP}")
    assert renew(server)
    assert (status(SHOP), status(APP), status(SHOP2)) == (200, 401, 401)
    assert not any(key in server.logged() for key in (SHOP, SHOP2, APP, "short"))


def test_keys_under_renewal_and_death(start, small, keys):
    """A key that stays is never refused, one that is none is never let in, while the file is read again and again and a
    worker dies; what was counted before its death stays counted."""
    server = start(small(ROWS), api_keys=keys(f"stays {SHOP}", f"turns {APP}"))
    over, seen, wrong = threading.Event(), [0], []

    def client():
        while not over.is_set():
            try:
                with server.client() as c:
                    while not over.is_set():
                        for key, want in ((SHOP, 200), ("none" * 5, 401)):
                            if c.get(ITEM, X_API_Key=key).status != want:
                                wrong.append(key)
                            elif want == 200:
                                seen[0] += 1
            except (OSError, http.client.HTTPException):
                pass            # its worker was killed

    thread = threading.Thread(target=client)
    thread.start()
    try:
        for i in range(10):
            keys(*([f"turns {APP}", f"stays {SHOP}"] if i % 2 else [f"stays {SHOP}", f"turns {SHOP2}"]))
            assert renew(server)
            if i == 5:
                victim = server.workers()[0]
                os.kill(victim, signal.SIGKILL)
                until(lambda: victim not in server.workers() and len(server.workers()) == 2, "a successor")
    finally:
        over.set()
        thread.join()
    assert not wrong and seen[0] > 20
    lost = server.metric("akin_requests_unanswered_total")
    assert seen[0] <= server.metric("akin_api_key_requests_total", key="stays") <= seen[0] + lost
    assert server.metric("akin_api_key_requests_total", key="turns") == 0


def test_bad_keys_at_the_start(small, keys, tmp_path):
    model, conf = small(ROWS), tmp_path / "empty.conf"
    conf.touch()

    def refused(path):
        said = refused_start(conf, "--model", model, "--api_keys", path)
        assert SHOP not in said and str(path) in said
        return said

    assert "chmod 640, not 604" in refused(keys(f"a {SHOP}", mode=0o604))
    assert ":2: this key stands in a line above, too" in refused(keys(f"a {SHOP}", f"b {SHOP}"))
    assert ":1: a line must be 'name key'" in refused(keys(SHOP))
    assert "No such file" in refused(tmp_path / "none")
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert "regular file" in refused(tmp_path / "fifo")
