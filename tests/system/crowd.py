"""Many clients at a time in one thread, each with an account of its own: what it was answered, and how long it waited."""
import json
import re
import selectors
import socket
import time

REQUEST = b"GET /predict/item/A?n=5 HTTP/1.1\r\nHost: x\r\n\r\n"


def whole(data):
    """The first answer in data as (status, header fields, body), and its length; None while it is not all there."""
    head, blank, rest = bytes(data).partition(b"\r\n\r\n")
    if not blank:
        return None
    lines = head.decode("latin-1").split("\r\n")
    fields = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    length = int(fields.get("content-length", 0))
    if len(rest) < length:
        return None
    return int(lines[0].split(" ")[1]), fields, rest[:length], len(head) + 4 + length


class Keen:
    """A client with a request always under way, who comes back at once when its connection is closed."""

    def __init__(self, crowd):
        self.crowd, self.socket = crowd, None
        self.answers = self.reconnected = self.raced = 0
        self.longest, self.waits = 0.0, []
        self.failures = []
        self.since = time.monotonic()
        self.connect()

    def connect(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(self.crowd.address)
        self.data, self.fresh = bytearray(), True
        self.crowd.poll.register(self.socket, selectors.EVENT_WRITE, self)

    def leave(self):
        if self.socket:
            self.crowd.poll.unregister(self.socket)
            self.socket.close()
            self.socket = None

    def again(self):
        self.leave()
        self.reconnected += 1
        self.connect()

    def ready(self, events):
        if events & selectors.EVENT_WRITE:
            self.crowd.poll.modify(self.socket, selectors.EVENT_READ, self)
            self.send()
            return
        try:
            part = self.socket.recv(65536)
        except OSError as e:
            part = b""
            if self.fresh or self.data:
                self.failures.append(repr(e))
        if part:
            self.data += part
            self.look()
        else:
            self.ended()

    def send(self):
        try:
            self.socket.send(self.crowd.request)
        except OSError as e:
            if self.fresh:
                self.failures.append(repr(e))
            self.again()

    def ended(self):
        """A kept connection may be closed while a request is on its way, and then that may be sent again."""
        if self.fresh or self.data:
            self.failures.append(f"closed with {len(self.data)} bytes")
        self.raced += 1
        self.again()

    def look(self):
        answer = whole(self.data)
        if not answer:
            return
        status, fields, body, _ = answer
        now = time.monotonic()
        if status != 200 or not json.loads(body)["success"]:
            self.failures.append((status, body))
        self.answers += 1
        self.longest = max(self.longest, now - self.since)
        if self.crowd.keep_waits:
            self.waits.append(now - self.since)
        self.since = now
        self.data, self.fresh = bytearray(), False
        if fields["connection"] == "close":
            self.again()
        else:
            self.send()


class Crowd:
    """Keen clients, as many as asked for."""

    def __init__(self, port, count, request=REQUEST, keep_waits=False):
        self.address, self.poll = ("127.0.0.1", port), selectors.DefaultSelector()
        self.request, self.keep_waits = request, keep_waits
        self.clients = [Keen(self) for _ in range(count)]

    def step(self):
        for key, events in self.poll.select(1):
            key.data.ready(events)

    def run(self, enough, seconds):
        """Until every client has had so many answers."""
        deadline = time.monotonic() + seconds
        while min(client.answers for client in self.clients) < enough:
            self.step()
            least = min(client.answers for client in self.clients)
            assert time.monotonic() < deadline, f"a client had {least} answers in {seconds} s"

    def close(self):
        for client in self.clients:
            client.leave()
        self.poll.close()


class Half:
    """A client that sends some of a request, then a byte now and then; it keeps what it was answered."""

    def __init__(self, port, head=b"GET /predict/item/A HTTP/1.1\r\nHost: x\r\nX: ", byte=b"x"):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.byte, self.data, self.over = byte, bytearray(), False
        self.write(head)

    def write(self, data):
        try:
            self.socket.send(data)
        except OSError:
            pass

    def step(self):
        """Read what there is, and send one byte more."""
        try:
            while part := self.socket.recv(65536):
                self.data += part
            self.over = True
        except BlockingIOError:
            self.write(self.byte)
        except OSError:
            self.over = True

    def close(self):
        self.socket.close()


class Stuck:
    """A client that asks for more than the kernel's buffers hold and takes nothing: its thread can't go on."""

    COUNT = 700

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * self.COUNT)

    def close(self):
        self.socket.close()


def port_of(where):
    return int(re.search(r":(\d+)$", where)[1])
