"""The HTTP surface: routes, bad parameters, methods, ids in all their spellings, connections."""
import json
import socket
import time
from urllib.parse import quote

import pytest

import harness

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D"),
        ("4", "a b"), ("4", "x/y"), ("4", "été"), ("4", "0042"), ("4", "50%"), ("4", "q?&=+"),
        ("0007", "A"), ("0007", "a b"), ("é/é", "A")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    done = harness.prep("build", "-o", folder / "m", "-", stdin=harness.csv_bytes(ROWS))
    assert done.returncode == 0, done.err
    server = harness.Server(folder, folder / "m", workers=1)
    yield server
    try:
        assert server.stop() == 0 and server.segments() == [], server.logged()
    finally:
        server.kill()


def raw_get(server, target, version="HTTP/1.1", *fields):
    head = [f"GET {target} {version}", "Host: x", "Connection: close", *fields]
    return server.raw("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")


def status_of(reply):
    assert reply.startswith(b"HTTP/1."), reply[:80]
    return int(reply.split(b" ", 2)[1])


def test_root(server):
    answer = server.get("/")
    assert answer.status == 200 and answer.body == b'{"status":"ok"}'
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["server"].startswith("Akin/")
    assert "date" in answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/model", "/openapi.json"])
def test_other_routes_answer_json(server, path):
    answer = server.get(path)
    assert answer.status == 200 and isinstance(answer.json, dict)


def test_model_says_what_is_served(server):
    text = json.dumps(server.get("/model").json)
    assert str(len({i for _, i in ROWS})) in text and str(len({c for c, _ in ROWS})) in text


def test_the_shape_of_an_answer(server):
    answer = server.get("/predict/item/A?n=2")
    assert answer.nameless == b'{"success":true,"type":"item_based","total":2,"data":{"A":["B","C"]}}'
    answer = server.get("/predict/user/1?n=1")
    assert answer.nameless == b'{"success":true,"type":"user_based","total":1,"data":{"1":["C"]}}'
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_details(server):
    found = server.get("/predict/item/A?n=1&details=true").json["data"]["A"]
    assert found[0].keys() >= {"id", "description", "score", "source"}
    assert found[0]["id"] == "B" and found[0]["description"] == "THING B" and found[0]["source"] == "item"
    assert abs(found[0]["score"] - 2 / (4 * 2) ** 0.5) < 1e-12


def test_five_is_the_default(server):
    assert server.get("/predict/item/0042").json["total"] == 5


@pytest.mark.parametrize("n, type", [
    ("abc", "type_error.integer"), ("1.5", "type_error.integer"), ("1e3", "type_error.integer"),
    ("", "type_error.integer"), ("0x10", "type_error.integer"), ("%00", "type_error.integer"),
    ("5%00", "type_error.integer"), ("5;", "type_error.integer"), ("-", "type_error.integer"),
    ("0", "value_error.number.not_ge"), ("-1", "value_error.number.not_ge"),
    ("101", "value_error.number.not_le"), ("1" + "0" * 30, "value_error.number.not_le"),
    ("18446744073709551617", "value_error.number.not_le"), ("4294967297", "value_error.number.not_le"),
])
@pytest.mark.parametrize("route", ["/predict/item/A", "/predict/user/1"])
def test_bad_n(server, route, n, type):
    answer = server.get(f"{route}?n={n}")
    assert answer.status == 422, (n, answer.body)
    (detail,) = answer.json["detail"]
    assert detail["loc"] == ["query", "n"] and detail["type"] == type and detail["msg"]


def test_n_given_twice(server):
    answer = server.get("/predict/item/A?n=1&n=2")
    assert 400 <= answer.status < 500, answer.body
    assert answer.json["detail"]


@pytest.mark.parametrize("query", ["n=2", "n=%32", "x=1&n=2", "n=2&", "&&n=2", "n=2&unknown=%zz"])
def test_good_n(server, query):
    assert server.get("/predict/item/A?" + query).json["total"] == 2


def test_bad_details(server):
    answer = server.get("/predict/item/A?details=perhaps")
    assert answer.status == 422 and answer.json["detail"][0]["loc"] == ["query", "details"]


def test_two_bad_parameters_are_both_told(server):
    detail = server.get("/predict/item/A?n=x&details=perhaps").json["detail"]
    assert [d["loc"][1] for d in detail] == ["n", "details"]


@pytest.mark.parametrize("item", ["a b", "x/y", "été", "0042", "50%", "q?&=+"])
def test_ids_are_bytes_decoded_once(server, item):
    answer = server.get("/predict/item/" + quote(item, safe="") + "?n=3")
    assert answer.status == 200, answer.body
    assert list(answer.json["data"]) == [item] and item not in answer.json["data"][item]


def test_a_customer_with_a_slash_and_leading_zeros(server):
    assert list(server.get("/predict/user/%C3%A9%2F%C3%A9").json["data"]) == ["é/é"]
    assert server.get("/predict/user/0007").status == 200
    assert server.get("/predict/user/7").status == 404


@pytest.mark.parametrize("id", ["nope", "42", "%34%32", "a", "50%2525", "a%2Bb", "a+b", "%20A", "A%20", "..", "%2e%2e",
                                "x" * 4096, "%FF", "%C3", "%ED%A0%80", "A%0d%0aX:%20y", "%25", "%", "%4", "%zz"],
                         ids=lambda id: id[:12])
@pytest.mark.parametrize("kind", ["item", "user"])
def test_unknown_id(server, kind, id):
    reply = raw_get(server, f"/predict/{kind}/{id}")
    assert status_of(reply) in (404, 400), reply[:200]
    body = json.loads(reply.partition(b"\r\n\r\n")[2])
    assert body["detail"]
    assert reply.count(b"\r\nX:") == 0


@pytest.mark.parametrize("target", ["/predict/item/A%00", "/predict/item/%00", "/predict/user/1%00?n=2", "/%00"])
def test_a_nul_is_refused(server, target):
    assert status_of(raw_get(server, target)) in (400, 404, 422)


@pytest.mark.parametrize("path", ["/nope", "/predict", "/predict/", "/predict/item", "/predict/thing/A", "/Predict/item/A",
                                  "//predict/item/A", "/predict//item/A", "/predict/item/A/B", "/predict/item/x/y",
                                  "/metrics/x", "/index.html", "/../etc/passwd", "/predict/item/../user/1"])
def test_unknown_route(server, path):
    reply = raw_get(server, path)
    assert status_of(reply) == 404, reply[:200]
    assert json.loads(reply.partition(b"\r\n\r\n")[2]) == {"detail": "Not Found"}


@pytest.mark.parametrize("path", ["/predict/item/A/", "/predict/user/1/?n=2"])
def test_a_trailing_slash_is_redirected(server, path):
    answer = server.get(path)
    assert answer.status == 307
    assert answer.headers["location"].endswith(path.replace("/?", "?").rstrip("/"))


@pytest.mark.parametrize("path", ["/predict/item/", "/predict/user/"])
def test_an_empty_id(server, path):
    assert 300 <= server.get(path).status < 500 and server.get(path).status != 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/predict/item/A", "/predict/user/1", "/metrics"])
def test_wrong_method(server, method, path):
    answer = server.get(path, method)
    assert answer.status == 405 and answer.headers["allow"] == "GET"
    if method != "HEAD":
        assert answer.json == {"detail": "Method Not Allowed"}
    assert server.get("/").status == 200


def test_preflight_is_not_answered_by_the_library(server):
    answer = server.get("/predict/item/A", "OPTIONS", Origin="http://x", Access_Control_Request_Method="GET")
    assert answer.status == 405 and "access-control-allow-origin" not in answer.headers


def test_keep_alive(server):
    with server.client() as client:
        port = client.connection.sock.getsockname()
        for path, status in [("/", 200), ("/nope", 404), ("/predict/item/A?n=x", 422), ("/predict/item/none", 404),
                             ("/metrics", 200), ("/predict/user/1", 200)] * 5:
            assert client.get(path).status == status
            assert client.connection.sock and client.connection.sock.getsockname() == port, f"{path} closed it"


def test_head_keeps_the_connection_in_step(server):
    with server.client() as client:
        assert client.get("/predict/item/A", "HEAD").status == 405
        assert client.get("/").body == b'{"status":"ok"}'


def test_http_1_0_closes(server):
    reply = server.raw(b"GET / HTTP/1.0\r\n\r\n")
    assert status_of(reply) == 200 and reply.endswith(b'{"status":"ok"}')
    assert b"keep-alive" not in reply.lower()


def test_connection_close_is_honoured(server):
    reply = server.raw(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status_of(reply) == 200 and b"connection: close" in reply.lower()


def test_pipelined_requests_are_answered_in_order(server):
    one = b"GET /predict/item/%s?n=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    reply = server.raw(one % b"A" + one % b"B" + one % b"C" + last)
    places = [reply.index(text) for text in (b'{"A":', b'{"B":', b'{"C":', b"Not Found")]
    assert places == sorted(places) and reply.count(b"HTTP/1.1 ") == 4


def test_a_body_is_thrown_away(server):
    for request in (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
                    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"):
        reply = server.raw(request + b"GET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert reply.count(b"HTTP/1.1 ") in (1, 2) and b"hello" not in reply
        if reply.count(b"HTTP/1.1 ") == 2:
            assert b"Not Found" in reply


@pytest.mark.parametrize("junk", [
    b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * 70000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
], ids=lambda junk: repr(junk[:24]))
def test_junk_gets_at_most_a_4xx(server, junk):
    reply = server.raw(junk, shut=True)
    assert reply == b"" or 200 <= status_of(reply) < 500 or status_of(reply) in (501, 505), reply[:200]
    assert server.get("/predict/item/A?n=1").json["total"] == 1
    assert len(server.workers()) == 1 and "died" not in server.logged()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A server that gives a request one second."""
    folder = tmp_path_factory.mktemp("hasty")
    assert harness.prep("build", "-o", folder / "m", "-", stdin=harness.csv_bytes(ROWS)).returncode == 0
    server = harness.Server(folder, folder / "m", workers=1, request_timeout_ms=1000, keep_alive_ms=60000)
    yield server
    try:
        assert server.stop() == 0, server.logged()
    finally:
        server.kill()


def trickle(server, head, byte, count=10**6, before=()):
    """Send head, then byte by byte for as long as nothing is answered; the answer, and the seconds it took."""
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.settimeout(harness.PATIENCE)
        for request in before:
            s.sendall(request)
            assert status_of(s.recv(65536)) == 200
        began, reply = time.monotonic(), b""
        s.sendall(head)
        while time.monotonic() - began < harness.PATIENCE:
            s.settimeout(0.1 if count > 0 else harness.PATIENCE)
            try:
                part = s.recv(65536)
                if not part:
                    return reply, time.monotonic() - began
                reply += part
            except TimeoutError:
                s.sendall(byte)
                count -= 1
            except ConnectionResetError:
                return reply, time.monotonic() - began
    raise AssertionError(f"still held after {harness.PATIENCE} s")


LENGTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
CHUNKED = b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nea60\r\n"


@pytest.mark.parametrize("head, byte, count, status", [
    (LENGTH, b"x", 10**6, 408), (LENGTH, b"x", 3, 408), (CHUNKED, b"x", 10**6, 408), (CHUNKED, b"x", 3, 408),
    (b"GET / HT", b"T", 10**6, 408), (b"GET / HT", b"T", 3, 408),
], ids=["length", "length, then silence", "chunked", "chunked, then silence", "head", "head, then silence"])
def test_a_trickled_request_has_one_deadline(hasty, head, byte, count, status):
    reply, took = trickle(hasty, head, byte, count)
    assert status_of(reply) == status and b"Connection: close" in reply
    assert 0.9 <= took < 1.9, took
    assert hasty.get("/").status == 200


def test_a_trickled_body_of_a_later_request_has_one_deadline_too(hasty):
    reply, took = trickle(hasty, LENGTH, b"x", before=[b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
    assert status_of(reply) == 408 and 0.9 <= took < 1.9, took


def test_a_trickled_head_of_a_later_request_has_the_time_of_a_request(hasty):
    """Not the time that a kept connection may be idle, a minute there."""
    reply, took = trickle(hasty, b"GET / HT", b"T", before=[b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
    assert status_of(reply) == 408 and 0.9 <= took < 1.9, took


def detail(reply):
    return json.loads(reply.partition(b"\r\n\r\n")[2])["detail"]


@pytest.mark.parametrize("size, status", [(16300, 200), (16384, 200), (16385, 431), (17000, 431), (100000, 431)])
def test_a_head_has_a_longest_size(server, size, status):
    """max_head_bytes, 16384, is the whole of it."""
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: "
    reply = server.raw(head + b"a" * (size - len(head) - 4) + b"\r\n\r\n")
    assert status_of(reply) == status, reply[:200]
    if status == 431:
        assert "max_head_bytes" in detail(reply) and b"Connection: close" in reply


def test_what_is_wrong_with_a_head_is_told(server):
    reply = server.raw(b"GET / HTTP/1.1\r\nHost: x\r\nX: \x01\r\n\r\n")
    assert status_of(reply) == 400 and "control character" in detail(reply)


@pytest.mark.parametrize("method", ["PROPFIND", "MKCOL", "LOCK"])
def test_webdav_methods_are_refused_as_others_are(server, method):
    assert server.get("/predict/item/A", method).status == 405


def test_raw_utf8_in_a_path_is_told_how_to_be_sent(server):
    reply = server.raw("GET /predict/item/été HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status_of(reply) == 400 and "percent-encode" in detail(reply), reply


def test_half_a_request_and_gone(server):
    for part in (b"G", b"GET /pre", b"GET / HTTP/1.1\r\nHo"):
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.sendall(part)
    assert server.get("/").status == 200


def test_a_client_that_resets(server):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.sendall(b"GET /predict/item/A HTTP/1.1\r\nHost: x\r\n\r\n")
    assert server.get("/").status == 200
    harness.until(lambda: server.metric("http_requests_inprogress") <= 1, "nothing in progress but the scrape")
