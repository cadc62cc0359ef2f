"""A client that is slow to take its answers, and how to tell that one is in hand."""
import re
import socket

import harness
from harness import until


class SlowReader:
    """Asks for far more than the socket buffers hold and reads nothing, so that the request stays in hand."""

    def __init__(self, server):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(harness.PATIENCE)
        self.socket.connect(("127.0.0.1", server.port))
        one = b"GET /predict/user/12350?n=10000&details=true HTTP/1.1\r\nHost: x\r\n\r\n"
        self.count = 24
        self.socket.sendall(one * self.count)

    def read(self):
        """All that comes until the end; how many whole answers that is, and what is left over."""
        parts = []
        try:
            while part := self.socket.recv(1 << 20):
                parts.append(part)
        except ConnectionResetError:
            parts.append(b"(reset)")
        rest, whole = b"".join(parts), 0
        while rest:
            head, blank, body = rest.partition(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            if not blank or len(body) < int(length[1]):
                break
            whole, rest = whole + 1, body[int(length[1]):]
        return whole, rest

    def close(self):
        self.socket.close()


def in_hand(server, count):
    """The scrape itself is one."""
    return lambda: server.metric("http_requests_inprogress") == count + 1


def until_stuck(server):
    """Until the reader's answer can't go on: ten scrapes in a row see it in hand and none more answered."""
    seen = []

    def look():
        samples = server.metrics()
        answered = sum(v for k, v in samples.items() if k.startswith('http_requests_total{handler="/predict/user'))
        seen.append((samples["http_requests_inprogress"], answered))
        return len(seen) >= 10 and set(seen[-10:]) == {(2, answered)}

    until(look, "the answer to be stuck in hand")


def stuck(server):
    """In hand, and none was finished since the last few looks."""
    seen = []

    def look():
        seen.append((server.metric("http_requests_total", handler="/predict/user/{user_id}"), in_hand(server, 1)()))
        return seen[-1][1] and len(seen) >= 10 and len(set(seen[-10:])) == 1
    return look
