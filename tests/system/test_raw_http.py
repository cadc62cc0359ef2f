"""Requests as bytes, and what RFC 9112 and 9110 want for them: each is sent whole, byte by byte, torn at its line ends, and
half-closed behind it. The status of each answer counts, how many there are, and what becomes of the connection."""
import collections
import json
import re
import socket

import pytest

import harness

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C")]
KEPT, CLOSED = True, False
GET, POST = b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n"
HOST, END = b"Host: x\r\n", b"\r\n\r\n"
PROBE = b"GET /predict/item/A?n=1 HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
CHUNKS = POST + b"Transfer-Encoding: chunked\r\n\r\n"

# name: bytes, statuses of the answers in order, what becomes of the connection
CASES = {
    # what is fine
    "plain": (GET + HOST + b"\r\n", [200], KEPT),
    "close": (GET + HOST + b"Connection: close\r\n\r\n", [200], CLOSED),
    "close among others": (GET + HOST + b"Connection: TE , Close\r\n\r\n", [200], CLOSED),
    "close in a second field": (GET + HOST + b"Connection: keep-alive\r\nConnection: close\r\n\r\n", [200], CLOSED),
    "1.0": (b"GET / HTTP/1.0\r\n\r\n", [200], CLOSED),
    "1.0 kept": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [200], KEPT),
    "1.0 with a host": (b"GET / HTTP/1.0\r\nHost: x\r\n\r\n", [200], CLOSED),
    "a later 1.x": (b"GET / HTTP/1.7\r\nHost: x\r\n\r\n", [200], KEPT),
    "empty lines first": (b"\r\n\r\n" + GET + HOST + b"\r\n", [200], KEPT),
    "an empty host": (GET + b"Host:\r\n\r\n", [200], KEPT),
    "a tab before the host": (GET + b"Host:\tx\r\n\r\n", [200], KEPT),
    "an IPv6 host": (GET + b"Host: [::1]:80\r\n\r\n", [200], KEPT),
    "bytes beyond ASCII in a value": (GET + HOST + b"X: \xc3\xa9\xff\r\n\r\n", [200], KEPT),
    "absolute form": (b"GET http://x/predict/item/A?n=1 HTTP/1.1\r\nHost: x\r\n\r\n", [200], KEPT),
    "absolute form, another host": (b"GET http://other:1/ HTTP/1.1\r\nHost: x\r\n\r\n", [200], KEPT),
    "absolute form, no path": (b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", [200], KEPT),
    "absolute form, a query alone": (b"GET HTTPS://x?a=/b HTTP/1.1\r\nHost: x\r\n\r\n", [200], KEPT),
    "absolute form, unknown": (b"GET http://x/nope HTTP/1.1\r\nHost: x\r\n\r\n", [404], KEPT),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", [200], KEPT),
    "OPTIONS of a host": (b"OPTIONS http://x HTTP/1.1\r\nHost: x\r\n\r\n", [200], KEPT),
    "pipelined": ((GET + HOST + b"\r\n") * 3, [200] * 3, KEPT),
    "pipelined, refused, not gone on with": ((GET + HOST + b"\r\n") * 2 + GET + END + GET + HOST + b"\r\n", [200, 200, 400], CLOSED),
    "pipelined, close, not gone on with": (GET + HOST + b"\r\n" + b"GET / HTTP/1.0\r\n\r\n" + GET + HOST + b"\r\n", [200] * 2, CLOSED),
    "upgrade": (GET + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n", [200], KEPT),
    "upgrade to HTTP/2": (GET + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings:\r\n\r\n", [200], KEPT),
    "100 fields": (GET + HOST + b"X: y\r\n" * 99 + b"\r\n", [200], KEPT),
    "lower-case escapes and odd bytes": (b"GET /%c3%a9|\"<>`{}\\^ HTTP/1.1\r\nHost: x\r\n\r\n", [404], KEPT),
    # bodies
    "a body on GET": (GET + HOST + b"Content-Length: 5\r\n\r\nhello", [200], KEPT),
    "a body that looks like a request": (GET + HOST + b"Content-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n", [200], KEPT),
    "a body on POST": (POST + b"Content-Length: 5\r\n\r\nhello", [405], KEPT),
    "a body of nothing": (POST + b"Content-Length: 0\r\n\r\n", [405], KEPT),
    "two bodies": ((POST + b"Content-Length: 5\r\n\r\nhello") * 2, [405] * 2, KEPT),
    "the longest body": (POST + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000, [405], KEPT),
    "a body too long": (POST + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001, [413], CLOSED),
    "a body beyond counting": (POST + b"Content-Length: 99999999999999999999\r\n\r\n", [413], CLOSED),
    "chunks": (CHUNKS + b"5\r\nhello\r\n0\r\n\r\n", [405], KEPT),
    "chunks, then a request": (CHUNKS + b"5\r\nhello\r\n0\r\n\r\n" + GET + HOST + b"\r\n", [405, 200], KEPT),
    "chunks with extensions and trailers": (CHUNKS + b"5;a=b\r\nhello\r\n0;c\r\nX: y\r\n\r\n", [405], KEPT),
    "a trailer that would be a length": (CHUNKS + b"0\r\nContent-Length: 5\r\n\r\n", [405], KEPT),
    "chunks as long as may be": (CHUNKS + b"1f4\r\n" + b"x" * 500 + b"\r\n1F4\r\n" + b"x" * 500 + b"\r\n0\r\n\r\n", [405], KEPT),
    "chunks too long": (CHUNKS + b"1f4\r\n" + b"x" * 500 + b"\r\n1F5\r\n" + b"x" * 501 + b"\r\n0\r\n\r\n", [413], CLOSED),
    "a chunk without a size": (CHUNKS + b"\r\nhello\r\n0\r\n\r\n", [400], CLOSED),
    "a chunk of a negative size": (CHUNKS + b"-5\r\nhello\r\n0\r\n\r\n", [400], CLOSED),
    "a chunk of a size with 0x": (CHUNKS + b"0x5\r\nhello\r\n0\r\n\r\n", [400], CLOSED),
    "a chunk of a size that wraps": (CHUNKS + b"10000000000000005\r\nhello\r\n0\r\n\r\n", [400], CLOSED),
    "a chunk that is longer than it says": (CHUNKS + b"4\r\nhello\r\n0\r\n\r\n", [400], CLOSED),
    "a chunk that ends with LF": (CHUNKS + b"5\nhello\n0\n\n", [400], CLOSED),
    "a folded trailer": (CHUNKS + b"0\r\nX: y\r\n z\r\n\r\n", [400], CLOSED),
    "endless extensions": (CHUNKS + b"5;" + b"x" * 5000, [431], CLOSED),
    # Host
    "no host": (GET + b"\r\n", [400], CLOSED),
    "two hosts": (GET + HOST + HOST + b"\r\n", [400], CLOSED),
    "two hosts in 1.0": (b"GET / HTTP/1.0\r\nHost: x\r\nhost: x\r\n\r\n", [400], CLOSED),
    "a host with a space": (GET + b"Host: a b\r\n\r\n", [400], CLOSED),
    "a host with a user": (GET + b"Host: a@b\r\n\r\n", [400], CLOSED),
    "a host with a path": (GET + b"Host: a/b\r\n\r\n", [400], CLOSED),
    "absolute form, no host": (b"GET http://x/ HTTP/1.1\r\n\r\n", [400], CLOSED),
    # framing
    "length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400], CLOSED),
    "chunks and length": (CHUNKS[:-2] + b"Content-Length: 0\r\n\r\n0\r\n\r\n", [400], CLOSED),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", [400], CLOSED),
    "the same length twice": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", [400], CLOSED),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\na", [400], CLOSED),
    "length +1": (POST + b"Content-Length: +1\r\n\r\na", [400], CLOSED),
    "length -1": (POST + b"Content-Length: -1\r\n\r\n", [400], CLOSED),
    "length 1x": (POST + b"Content-Length: 1x\r\n\r\na", [400], CLOSED),
    "length 0x1": (POST + b"Content-Length: 0x1\r\n\r\na", [400], CLOSED),
    "length 1 1": (POST + b"Content-Length: 1 1\r\n\r\na", [400], CLOSED),
    "an empty length": (POST + b"Content-Length:\r\n\r\n", [400], CLOSED),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [400], CLOSED),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", [400], CLOSED),
    "gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\n", [400], CLOSED),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [501], CLOSED),
    "chunked, gzip": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", [400], CLOSED),
    "chunked twice": (CHUNKS[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400], CLOSED),
    "chunked with a vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", [400], CLOSED),
    "chunks in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400], CLOSED),
    # fields
    "a space before the colon": (GET + HOST + b"X : y\r\n\r\n", [400], CLOSED),
    "a length with a space before the colon": (POST + b"Content-Length : 5\r\n\r\nhello", [400], CLOSED),
    "a space in a name": (GET + HOST + b"X Y: z\r\n\r\n", [400], CLOSED),
    "a name that is no token": (GET + HOST + b"X(Y): z\r\n\r\n", [400], CLOSED),
    "a name beyond ASCII": (GET + HOST + b"X\xc3\xa9: z\r\n\r\n", [400], CLOSED),
    "no name": (GET + HOST + b": z\r\n\r\n", [400], CLOSED),
    "no colon": (GET + HOST + b"X\r\n\r\n", [400], CLOSED),
    "a folded field": (GET + HOST + b"X: y\r\n z\r\n\r\n", [400], CLOSED),
    "a folded field with a tab": (GET + HOST + b"X: y\r\n\tz\r\n\r\n", [400], CLOSED),
    "a folded first field": (GET + b" " + HOST + b"\r\n", [400], CLOSED),
    "a bare CR": (GET + HOST + b"X: y\rz\r\n\r\n", [400], CLOSED),
    "a bare CR that hides a length": (POST + b"X: y\rContent-Length: 5\r\n\r\nhello", [400], CLOSED),
    "two CRs": (GET + HOST + b"X: y\r\r\n\r\n", [400], CLOSED),
    "a bare LF": (GET + HOST + b"X: y\nZ: z\r\n\r\n", [400], CLOSED),
    "LF alone": (b"GET / HTTP/1.1\nHost: x\n\n", [400], CLOSED),
    "NUL in a value": (GET + HOST + b"X: y\0z\r\n\r\n", [400], CLOSED),
    "NUL in a name": (GET + HOST + b"X\0: y\r\n\r\n", [400], CLOSED),
    "DEL in a value": (GET + HOST + b"X: \x7f\r\n\r\n", [400], CLOSED),
    "101 fields": (GET + HOST + b"X: y\r\n" * 100 + b"\r\n", [431], CLOSED),
    "a head too long": (GET + HOST + b"X: " + b"y" * 4096 + END, [431], CLOSED),
    # request lines
    "NUL in the path": (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "an escaped NUL in the path": (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", [400], KEPT),
    "bytes beyond ASCII in the path": (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "a fragment": (b"GET /#a HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "a target too long": (b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [414], CLOSED),
    "a target that never ends": (b"GET /" + b"x" * 3000, [414], CLOSED),
    "a target as long as may be": (b"GET /" + b"x" * 1999 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [404], KEPT),
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "a tab for a space": (b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "a space in the path": (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "a space behind the version": (b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", [400], CLOSED),
    "a space first": (b" GET / HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "no version": (b"GET /\r\n\r\n", [400], CLOSED),
    "a method alone": (b"GET\r\n\r\n", [400], CLOSED),
    "a version in lower case": (b"GET / http/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "a version of three": (b"GET / HTTP/1.1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", [505], CLOSED),
    "HTTP/0.9": (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", [505], CLOSED),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505], CLOSED),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400], CLOSED),
    "GET *": (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "a target without a slash": (b"GET a HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "another scheme": (b"GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "a user before the host": (b"GET http://u:p@x/ HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    # methods
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", [405], KEPT),
    "PROPFIND": (b"PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n", [405], KEPT),
    "DELETE of nothing": (b"DELETE /nope HTTP/1.1\r\nHost: x\r\n\r\n", [404], KEPT),
    "OPTIONS of a route": (b"OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n", [405], KEPT),
    "CONNECT": (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", [501], CLOSED),
    "CONNECT to a path": (b"CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    "get": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", [501], KEPT),
    "BREW with a body": (b"BREW / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", [501], KEPT),
    "BREW without a host": (b"BREW / HTTP/1.1\r\n\r\n", [400], CLOSED),
    "a method that is no token": (b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n", [400], CLOSED),
    # expectations
    "100-continue, and the body at once": (POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", [405], KEPT),
    "100-continue and no body": (GET + HOST + b"Expect: 100-continue\r\n\r\n", [200], KEPT),
    "100-continue in 1.0": (b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", [405], CLOSED),
    "100-continue and a body too long": (POST + b"Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n", [413], CLOSED),
    "another expectation": (POST + b"Expect: tea\r\nContent-Length: 5\r\n\r\nhello", [417], CLOSED),
}
WAYS = {
    "whole": lambda data: [data],
    "byte by byte": lambda data: [data[i:i + 1] for i in range(len(data))],
    "torn at line ends": lambda data: re.split(rb"(?<=\r)(?=\n)", data),
    "half-closed": lambda data: [data],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    assert harness.prep("build", "-o", folder / "m", "-", stdin=harness.csv_bytes(ROWS)).returncode == 0
    server = harness.Server(folder, folder / "m", workers=1, metrics_status="exact", max_head_bytes=4096, max_target_bytes=2000,
                            max_body_bytes=1000)
    yield server
    try:
        assert server.stop() == 0 and "civetweb refused" not in server.logged(), server.logged()
    finally:
        server.kill()


def connect(server):
    s = socket.create_connection(("127.0.0.1", server.port), timeout=harness.PATIENCE)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Stream:
    """Answers, one after the other, from a connection."""

    def __init__(self, s):
        self.s, self.have = s, b""

    def more(self):
        part = self.s.recv(65536)
        self.have += part
        return part

    def next(self):
        """status, fields, body; None at the end."""
        while b"\r\n\r\n" not in self.have:
            if not self.more():
                assert self.have == b"", f"cut off: {self.have!r}"
                return None
        head, _, self.have = self.have.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        fields = {k.lower(): v for k, v in (field.split(": ", 1) for field in rest)}
        status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Za-z -]*", line)[1])
        length = int(fields.get("content-length", 0))
        while len(self.have) < length:
            assert self.more(), f"cut off: {self.have!r}"
        body, self.have = self.have[:length], self.have[length:]
        return status, fields, body


def send(s, parts):
    """All parts, or as many as are taken before the other side closes."""
    try:
        for part in parts:
            s.sendall(part)
    except (BrokenPipeError, ConnectionResetError):
        pass


def well_formed(status, fields, body):
    if status >= 400:
        assert fields["content-type"] == "application/json" and json.loads(body)["detail"]
    if status == 405:
        assert fields["allow"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_case(server, name, way):
    data, statuses, kept = CASES[name]
    with connect(server) as s:
        stream = Stream(s)
        send(s, WAYS[way](data))
        if way == "half-closed":
            s.shutdown(socket.SHUT_WR)
        answers = []
        for status in statuses:
            while (answer := stream.next()) and answer[0] == 100 and b"100-continue" in data:
                assert way != "whole", "it was there already"
            assert answer and answer[0] == status, (name, answer, answers)
            well_formed(*answer)
            answers.append(answer[1].get("connection"))
        if kept and way != "half-closed":
            send(s, [PROBE])
            status, fields, body = stream.next()
            assert (status, json.loads(body)["data"]) == (200, {"A": ["B"]})
        assert stream.next() is None, "one answer too many"
    assert answers == ["keep-alive"] * (len(answers) - 1) + ["keep-alive" if kept else "close"]


def test_options_of_everything(server):
    with connect(server) as s:
        s.sendall(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (answer := Stream(s).next())[0] == 200 and answer[1]["allow"] == "GET, HEAD"
        assert answer[1]["content-length"] == "0" and "content-type" not in answer[1]


@pytest.mark.parametrize("framing, body", [(b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")])
def test_who_waits_for_a_word_gets_it(server, framing, body):
    with connect(server) as s:
        stream = Stream(s)
        for _ in range(3):
            s.sendall(POST + b"Expect: 100-Continue\r\n" + framing + END)
            assert stream.next() == (100, {}, b"")
            s.sendall(body)
            assert stream.next()[0] == 405
        s.sendall(PROBE)
        assert stream.next()[0] == 200 and stream.next() is None


def test_a_field_is_looked_up_in_what_was_sent(server):
    """Behind a body, and with another request right behind: conditional requests and packing depend on fields."""
    with connect(server) as s:
        stream = Stream(s)
        s.sendall(b"GET /docs/plain.html HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
        status, fields, _ = stream.next()
        again = b"GET /docs/plain.html HTTP/1.1\r\nHost: x\r\nif-none-match:  %s \t\r\n\r\n" % fields["etag"].encode()
        s.sendall(again + again.replace(b"if-", b"iff-") + PROBE)
        assert [stream.next()[0] for _ in range(3)] == [304, 200, 200] and status == 200


def test_the_answer_reaches_who_is_still_sending(server):
    """To close with unread bytes would reset the connection, and the answer could be lost (RFC 9112, 9.6)."""
    with connect(server) as s:
        send(s, [POST + b"Content-Length: 500000\r\n\r\n"] + [b"x" * 1000] * 500)
        stream = Stream(s)
        assert stream.next()[0] == 413 and stream.next() is None


def test_refusals_are_counted_under_their_status(server):
    def counted():
        sums = collections.Counter()
        for sample, value in server.metrics().items():
            if sample.startswith("http_requests_total") and 'handler="none"' in sample:
                sums[re.search('status="(...)"', sample)[1]] += value
        return sums

    before = counted()
    sent = collections.Counter()
    for name in ("no host", "a body too long", "a target too long", "another expectation", "101 fields", "get", "HTTP/2.0"):
        data, (status,), _ = CASES[name]
        with connect(server) as s:
            s.sendall(data)
            assert Stream(s).next()[0] == status
        sent[str(status)] += 1
    assert len(sent) == 7
    harness.until(lambda: counted() - before == sent, "every refusal to be counted")
    assert server.metric("http_requests_inprogress") == 1
