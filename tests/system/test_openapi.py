"""/openapi.json: valid by the official schema and by the rules that a schema can't hold; and every answer of a running
server, good or bad, held against what it says."""
import gzip
import json
import pathlib
import random
import re
import signal
import socket
from urllib.parse import quote

import jsonschema
import pytest

import contract
import harness
from contract import operations, refer
from harness import TOP, until

OFFICIAL = pathlib.Path("/usr/share/openapi-specification/schemas/v3.0/schema.json")   # Debian's openapi-specification
PAGES = {"/docs", "/redoc", "/docs/{file}"}     # for people; FastAPI leaves them out, too
ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D"), ("4", "x/y"), ("4", "été")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openapi")
    done = harness.prep("build", "-o", folder / "m", "-", stdin=harness.csv_bytes(ROWS))
    assert done.returncode == 0, done.err
    server = harness.Server(folder, folder / "m", workers=1, max_n=37, default_n=4, request_timeout_ms=150)
    yield server
    try:
        assert server.stop() == 0 and server.segments() == [], server.logged()
    finally:
        server.kill()


@pytest.fixture(scope="module")
def document(server):
    return server.get("/openapi.json").json


# -- the document by itself ---------------------------------------------------------------------------------------

def test_it_is_valid_by_the_official_schema(document):
    schema = json.loads(OFFICIAL.read_text())
    jsonschema.Draft4Validator.check_schema(schema)
    wrong = [f"{list(e.absolute_path)}: {e.message[:200]}" for e in jsonschema.Draft4Validator(schema).iter_errors(document)]
    assert not wrong, "\n".join(wrong)
    assert document["openapi"].startswith("3.0.")


def everything(node, where=()):
    """Every node of the document with its place."""
    yield where, node
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from everything(value, (*where, key))


def test_every_reference_leads_somewhere_and_every_component_is_used(document):
    used = set()
    for where, node in everything(document):
        if isinstance(node, dict) and "$ref" in node:
            assert list(node) == ["$ref"], where
            refer(document, node)
            used.add(node["$ref"])
    for *_, operation in operations(document):
        used |= {f"#/components/securitySchemes/{name}" for choice in operation.get("security", ()) for name in choice}
    defined = {f"#/components/{kind}/{name}" for kind, found in document["components"].items() for name in found}
    assert used == defined


def test_operations_are_complete(document):
    tags, seen = {tag["name"] for tag in document["tags"]}, set()
    for path, method, operation in operations(document):
        assert operation["operationId"] not in seen
        seen.add(operation["operationId"])
        assert operation["summary"] and operation["tags"] and set(operation["tags"]) <= tags
        parameters = [refer(document, p) for p in operation.get("parameters", ())]
        assert {p["name"] for p in parameters if p["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
        for parameter in parameters:
            assert parameter["description"] and "example" in parameter, parameter["name"]
            assert parameter["required"] == (parameter["in"] == "path")
        for status, response in operation["responses"].items():
            response = refer(document, response)
            assert response["description"]
            for kind, content in response["content"].items():
                assert "schema" in content and ("example" in content) + ("examples" in content) == 1, (path, status, kind)


def test_schemas_are_schemas_and_require_only_what_they_describe(document):
    for where, node in everything(document):
        if where and where[-1] == "schema" or where[:-1] == ("components", "schemas"):
            schema = contract.draft4(document, node)
            jsonschema.Draft4Validator.check_schema(schema)
            for _, part in everything(schema):
                if isinstance(part, dict) and isinstance(part.get("required"), list) and "properties" in part:
                    assert set(part["required"]) <= set(part["properties"]), where


def test_every_example_is_what_its_schema_says(document):
    examples = 0
    for where, node in everything(document):
        if not isinstance(node, dict) or "schema" not in node or "properties" in where:
            continue
        found = [node["example"]] if "example" in node else [e["value"] for e in node.get("examples", {}).values()]
        for value in found:
            examples += 1
            wrong = contract.faults(document, node["schema"], value)
            assert not wrong, f"{where}: {wrong}"
    assert examples >= 20


def test_every_route_of_the_program_is_in_it(document):
    """families.h lists the routes, for the router and for the counters."""
    handlers = re.search(r"#define HANDLERS\(X\)(.*?)\n\n", (TOP / "metrics/families.h").read_text(), re.S)[1]
    routes = set(re.findall(r'"(.*?)"', handlers)) - {"none"}
    assert set(document["paths"]) == routes - PAGES


@pytest.mark.parametrize("max_n, default_n", [(2, 1), (10000, 10000), (100, 5)])
def test_it_tells_this_servers_numbers(start, small, max_n, default_n):
    server = start(small(ROWS), max_n=max_n, default_n=default_n)
    text = server.get("/openapi.json").body.decode()
    assert not re.search("@[A-Z_]+@", text)
    document = json.loads(text)
    limits = document["components"]["parameters"]["N"]["schema"]
    assert (limits["minimum"], limits["maximum"], limits["default"]) == (1, max_n, default_n)
    assert f"than or equal to {max_n}\"" in text
    assert server.get("/").headers["server"] == f"Akin/{document['info']['version']}"
    test_every_example_is_what_its_schema_says(document)
    for n, status in ((1, 200), (max_n, 200), (max_n + 1, 422), (0, 422)):
        assert server.get(f"/predict/item/A?n={n}").status == status
    assert server.get("/predict/user/3").json["total"] == min(default_n, 4)     # A, B, x/y, été


# -- the running server against the document ------------------------------------------------------------------------

class Raw:
    """An answer to bytes that no client library sends."""

    def __init__(self, reply):
        head, _, self.body = reply.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        self.status = int(line.split(" ")[1])
        self.headers = {k.lower(): v for k, _, v in (f.partition(": ") for f in fields)}

    @property
    def json(self):
        return json.loads(self.body)


EXAMPLE = {"/predict/user/{user_id}": "/predict/user/1", "/predict/item/{item_id}": "/predict/item/A"}
# Each provokes a status at any route, with bytes alone.
PROVOKE = {
    200: "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    400: "GET {} HTTP/1.1\r\nConnection: close\r\n\r\n",
    408: "GET {} HTTP/1.1\r\nHost: x\r\n",
    413: "GET {} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    414: "GET {}?" + "x" * 8192 + " HTTP/1.1\r\nHost: x\r\n\r\n",
    417: "GET {} HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n",
    431: "GET {} HTTP/1.1\r\nHost: x\r\n" + "X: x\r\n" * 100 + "\r\n",
    501: "GET {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    505: "GET {} HTTP/2.5\r\nHost: x\r\n\r\n",
}
# What only some routes have.
ASK = {
    ("/predict/user/{user_id}", 404): "/predict/user/nobody",
    ("/predict/user/{user_id}", 422): "/predict/user/1?n=0",
    ("/predict/item/{item_id}", 404): "/predict/item/nothing",
    ("/predict/item/{item_id}", 422): "/predict/item/A?n=x&details=x",
}
# Described, and provoked by tests below (503, 404 of /metrics), in test_access.py (401, 403) or by none: memory does not
# run short on demand.
APART = {"401", "403", "500", "503"}


def test_every_status_of_every_route_is_given_and_is_as_described(server, document):
    given = set()
    for template, method, operation in operations(document):
        path = EXAMPLE.get(template, template)
        for status, request in PROVOKE.items():
            if method == "post":
                request = request.replace("GET ", "POST ").replace("close\r\n\r\n", "close\r\nContent-Length: 2\r\n\r\n[]")
            answer = Raw(server.raw(request.format(path).encode()))
            assert answer.status == status, (template, status, answer.body)
            contract.check(document, template, answer, method)
            given.add((template, status))
    answer = Raw(server.raw(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20000 + b"\r\n\r\n"))
    assert answer.status == 431
    contract.check(document, "/", answer)
    for (template, status), path in ASK.items():
        answer = server.get(path)
        assert answer.status == status
        contract.check(document, template, answer)
        given.add((template, status))
    described = {(t, int(s)) for t, _, o in operations(document) for s in o["responses"] if s not in APART}
    assert described - given == {("/metrics", 404), ("/feedback", 404)}


def test_what_is_switched_off_is_a_404(start, small, document):
    server = start(small(ROWS), metrics="off", feedback="off")
    answer = server.get("/metrics")
    assert answer.status == 404
    contract.check(document, "/metrics", answer)
    answer = server.get("/feedback", "POST")
    assert answer.status == 404
    contract.check(document, "/feedback", answer, "post")


def test_out_of_descriptors(start, small, document):
    """Connections are held until one is told 503, which no route is asked for."""
    server = start(small(ROWS), workers=1, threads=64, open_files=48)
    held = []
    try:
        for template, method, _ in operations(document):
            def told():
                s = socket.create_connection(("127.0.0.1", server.port), timeout=harness.PATIENCE)
                held.append(s)
                s.sendall(f"{method.upper()} {EXAMPLE.get(template, template)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                reply = s.recv(65536)
                return reply.startswith(b"HTTP/1.1 503 ") and Raw(reply)
            contract.check(document, template, until(told, "a 503"), method)
    finally:
        for s in held:
            s.close()


def test_a_draining_server(start, small, document):
    server = start(small(ROWS), workers=1)
    with server.client() as client, server.client() as holder:
        assert client.get("/readyz").status == 200
        holder.connection.sock.sendall(b"GET / HTTP/1.1\r\n")       # what is half there is waited for
        server.send(signal.SIGTERM)
        until(lambda: "stopping" in server.logged(), "the drain")
        answer = client.get("/readyz")
        assert answer.status == 503 and answer.json == {"status": "draining"}
        contract.check(document, "/readyz", answer)
    assert server.process.wait(harness.PATIENCE) == 0, server.logged()


def test_what_belongs_to_no_route_is_as_the_introduction_says(server, document):
    said = document["info"]["description"]
    for text in ("404 with `{\"detail\":\"Not Found\"}`", "405 with `{\"detail\":\"Method Not Allowed\"}`", "307"):
        assert text in said
    error = {"$ref": "#/components/schemas/Error"}
    for path, method, status in [("/nope", "GET", 404), ("/docs/x", "GET", 404), ("/", "POST", 405),
                                 ("/model", "HEAD", 405), ("/predict/user/1", "PUT", 405),
                                 ("/predict/user/1/?n=0", "GET", 307)]:
        answer = server.get(path, method)
        assert answer.status == status
        if status == 307:
            assert answer.body == b"" and answer.headers["location"] == "/predict/user/1?n=0"
        elif method != "HEAD":
            assert not contract.faults(document, error, answer.json)
        assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("accept", [None, "text/plain", "application/openmetrics-text;version=1.0.0",
                                    "application/json"])
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_forms_of_metrics(server, document, accept, encoding):
    headers = {"Accept": accept, "Accept_Encoding": encoding}
    answer = server.get("/metrics", **{k: v for k, v in headers.items() if v})
    assert ("content-encoding" in answer.headers) == bool(encoding)
    if encoding:
        answer.body = gzip.decompress(answer.body)
    assert answer.headers["content-type"].startswith("application/openmetrics" if accept and "open" in accept else "text/plain")
    contract.check(document, "/metrics", answer)


def some_query(chance, document):
    """A query string from what the parameters say, and, about as often, from what they do not."""
    n = document["components"]["parameters"]["N"]["schema"]
    good = {"n": [n["minimum"], n["maximum"], n["default"], "%20" + str(n["minimum"]), "007"],
            "details": ["true", "false", "1", "off", "YES"]}
    bad = {"n": [n["minimum"] - 1, n["maximum"] + 1, "", "x", "1.0", "%00", "1e2", "9" * 40, "%FF"],
           "details": ["", "maybe", "2", "%00", "tru"]}
    pairs, fine = [], True
    for name in ("n", "details"):
        kind = chance.choice([None, good, bad])
        if kind:
            pairs.append(f"{name}={chance.choice(kind[name])}")
            fine &= kind is good
    return ("?" + "&".join(pairs) if pairs else ""), fine


def test_a_thousand_requests_are_answered_as_described(server, document):
    chance, statuses = random.Random(3), set()
    known = {"user": ["1", "2", "3", "4"], "item": ["A", "B", "C", "D", "x/y", "été"]}
    with server.client() as client:
        for _ in range(1000):
            kind = chance.choice(["user", "item"])
            there = chance.random() < 0.7
            id = chance.choice(known[kind] if there else ["zz", "a", "..", "é", "x" * 300, "%00"[:1], "A\x01", "'\""])
            query, fine = some_query(chance, document)
            path = f"/predict/{kind}/{quote(id, safe='')}"
            answer = client.get(path + query)
            assert answer.status == (422 if not fine else 200 if there else 404), (path, query, answer.body)
            contract.check(document, contract.route_of(document, path), answer)
            statuses.add(answer.status)
    assert statuses == {200, 404, 422}
