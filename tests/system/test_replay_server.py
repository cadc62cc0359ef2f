"""akin-prep replay against a server: those that misbehave, and what is posted to those that take feedback."""
import http.server
import json
import socket
import threading
import time

import pytest

from harness import prep, refused
from replayed import by_hand, replay, shares, table, url


@pytest.fixture(scope="module")
def hand(tmp_path_factory):
    return by_hand(tmp_path_factory.mktemp("hand"))


class Fake(http.server.ThreadingHTTPServer):
    """A server that answers as its script says: script(number of the request, method and path) -> (status, body, headers),
    or a word on how to misbehave."""
    daemon_threads = True

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.requests, self.port = script, [], self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, body))
        answer = self.server.script(len(self.server.requests), f"{self.command} {self.path}")
        if answer == "hang up":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if answer == "silence":
            time.sleep(3)
            self.close_connection = True
            return
        status, body, *headers = answer
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(body), "Akin-Generation": 1, **(headers[0] if headers else {})}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    do_POST = do_GET

    def log_message(self, *_):
        pass


def good(request):
    """An akin-server that recommends X and A to everybody."""
    if "/predict/item/" in request:
        return 200, {"success": True, "data": {"x": []}}
    return 200, {"success": True, "type": "user_based", "total": 2, "recommendation_id": "0" * 24, "data": {"x": [
        {"id": "X", "description": "", "score": 1, "source": "user"}, {"id": "A", "description": "", "score": 0.5, "source": "popular"}]}}


def ask(fake, hand, *more):
    return prep("replay", "-q", "--json", "--server", url(fake), "--timeout", "10", *more, hand[1])


def test_the_fake_is_good_enough(hand):
    with Fake(lambda n, request: good(request)) as fake:
        answer = json.loads(ask(fake, hand).out)
        assert answer["hits_by_place"] == {"user": [1, 0, 0, 0, 0], "popular": [0, 2, 0, 0, 0]}
        assert answer["unknown"]["customers"] == shares(4, 0) and answer["server"]["requests"] == 9 == len(fake.requests)
        assert [path for _, path, _ in fake.requests[5:]] == [f"/predict/user/{who}?n=5&details=true" for who in
                                                              ("ann", "eve", "cid", "bob")], "in the order of the first purchases"


@pytest.mark.parametrize("trouble", [(503, {"detail": "full"}), "hang up"], ids=["busy", "hangs up"])
def test_a_request_is_sent_again(hand, trouble):
    with Fake(lambda n, request: trouble if n in (2, 3, 9) else good(request)) as fake:
        answer = json.loads(ask(fake, hand, "--retries", "2").out)
        assert answer["hits"] == 3 and len(fake.requests) == 12
        # libcurl tries a kept connection that was closed once more by itself.
        assert answer["server"]["retried"] == (1 if trouble == "hang up" else 3)
    with Fake(lambda n, request: trouble if n > 1 else good(request)) as fake:
        refused(ask(fake, hand, "--retries", "2"), r"http://.*: must answer, (not 503: .*full|Empty reply|Recv failure)")
        assert len(fake.requests) == (5 if trouble == "hang up" else 4)


def test_a_server_that_asks_for_time_gets_it(hand):
    with Fake(lambda n, request: (503, {}, {"Retry-After": 1}) if n == 1 else good(request)) as fake:
        begun = time.monotonic()
        assert json.loads(ask(fake, hand).out)["hits"] == 3
        assert time.monotonic() - begun >= 1


LIES = {
    "no JSON": b"hello", "no object": b"[]", "no data": {}, "two users": {"data": {"a": [], "b": []}},
    "ids only": {"data": {"a": ["A"]}}, "too many": {"data": {"a": good("")[1]["data"]["x"] * 3}},
    "another source": {"data": {"a": [{"id": "A", "source": "moon"}]}}, "no id": {"data": {"a": [{"source": "user"}]}},
    "empty": b"", "cut": json.dumps(good("")[1]).encode()[:-1], "a NUL": b'{"data":{"a":["\\u0000"]}}'}


def test_answers_that_are_not_akin_s(hand):
    for what, lie in LIES.items():
        with Fake(lambda n, request: (200, lie) if "user" in request else good(request)) as fake:
            line = refused(ask(fake, hand), "/predict/user/ann")
            assert "must answer as an akin-server does" in line, what


def test_other_troubles(hand):
    cases = [(lambda n, r: (404, {"detail": "Not Found"}), "/predict/item/.*must be an akin-server's, not 404"),
             (lambda n, r: (302, b"", {"Location": "/x"}), "must answer 200 or 404, not 302"),
             (lambda n, r: (422, {"detail": [{"msg": "ensure this"}]}) if "user" in r else good(r), "not 422: .*ensure this"),
             (lambda n, r: (*good(r), {"Akin-Generation": 1 if n < 8 else 2}), "one model until all is asked, but generation 1 became 2"),
             (lambda n, r: (200, b"x" * (17 << 20)), "at most 16 MiB")]
    for script, words in cases:
        with Fake(script) as fake:
            refused(ask(fake, hand), words)
    with Fake(lambda n, request: "silence" if n == 8 else good(request)) as fake:
        refused(ask(fake, hand, "--timeout", "1"), "/predict/user/.*must answer, Operation timed out")
    with Fake(lambda n, request: (404, {"detail": "Not Found"})) as fake:
        refused(ask(fake, hand, "--model", hand[0]), "/model: must tell what it serves, not 404")
    with Fake(lambda n, request: (200, {"generation": 1})) as fake:
        refused(ask(fake, hand, "--model", hand[0]), "/model: must tell the checksum")


def test_a_server_that_goes_away(hand):
    """In the middle; whoever listens no more is not asked again."""
    with Fake(lambda n, request: good(request)) as fake:
        def script(n, request):
            if n == 8:
                fake.socket.close()
                return "hang up"
            return good(request)
        fake.script = script
        refused(ask(fake, hand), "/predict/user/.*must answer, Failed to connect")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        refused(prep("replay", "-q", "--server", f"http://127.0.0.1:{s.getsockname()[1]}", hand[1]), "Failed to connect")


# -- telling the server ------------------------------------------------------------------------------------------------

class Listening(Fake):
    """A fake that takes feedback: what becomes of an event, judge(event, how often it came) says. Answers have names."""

    def __init__(self, judge, results=lambda found: found):
        self.judge, self.results, self.asked, self.events, self.bodies = judge, results, 0, [], []
        super().__init__(self.answer)

    def answer(self, n, request):
        if request.startswith("GET"):
            status, body = good(request)
            self.asked += 1
            return status, {**body, "recommendation_id": f"{self.asked:024x}"}
        body = self.requests[-1][2]
        events = json.loads(body)
        self.bodies.append((len(events), len(body)))
        found = []
        for event in events:
            self.events.append(event)
            result = self.judge(event, sum(e["item"] == event["item"] for e in self.events))
            found.append(result if isinstance(result, dict) else {"outcome": result})
        found = self.results(found)
        return 200, {"accepted": len(found), "rejected": 0, "results": found}


BOUGHT = [("ann", "D", "2012-01-30T08:00:00"), ("ann", "A", "2012-02-01T12:00:00"), ("eve", "A", "2012-02-05T23:59:00"),
          ("cid", "X", "2012-02-06T00:00:00"), ("cid", "D", "2012-02-06T00:00:00"), ("bob", "E", "2012-02-06T09:00:00"),
          ("ann", "F", "2012-02-06T09:00:00"), ("cid", "F", None)]
NAMED = {"ann": 6, "eve": 7, "cid": 8, "bob": 9}       # five items are asked for first


def posted(who, item, when, name=None):
    event = {"recommendation_id": f"{name or NAMED[who]:024x}", "item": item, "event": "purchase", "time": when}
    return {k: v for k, v in event.items() if v}


def like_the_fake(event, _):
    """X is shown first, then A."""
    return {"outcome": "hit", "rank": "XA".index(event["item"]) + 1, "source": "user"} if event["item"] in "XA" else "miss"


def test_what_is_posted(hand):
    for batch, bodies in ((400, [8]), (3, [3, 3, 2]), (1, [1] * 8)):
        with Listening(like_the_fake) as fake:
            answer = json.loads(ask(fake, hand, "--feedback", "--batch", batch).out)
            assert fake.events == [posted(*row) for row in BOUGHT]
            assert [count for count, _ in fake.bodies] == bodies
            assert answer["feedback"] == {"posted": 8, "contradicted": 0, "outcomes": {"hit": 3, "miss": 5}}
            assert (answer["hits"], answer["trials"]) == (3, 8) and answer["aside"]["repeat"] == 0


def test_who_is_unknown_is_not_posted(hand):
    class Choosy(Listening):
        def answer(self, n, request):
            return (404, {"detail": "User 'eve' not found"}) if "/eve?" in request else super().answer(n, request)
    with Choosy(like_the_fake) as fake:
        answer = json.loads(ask(fake, hand, "--feedback").out)
        assert [event["item"] for event in fake.events] == [item for who, item, _ in BOUGHT if who != "eve"]
        assert answer["aside"]["unknown_customer"] == 1 and answer["trials"] == 7


def test_what_the_server_makes_of_it(hand):
    """It tells repeats; what it does not judge is set aside; where it contradicts, that is said."""
    outcomes = {"D": "repeat", "E": "old_generation", "F": "miss", "A": "miss", "X": {"outcome": "hit", "rank": 2}}
    with Listening(lambda event, _: outcomes[event["item"]]) as fake:
        done = ask(fake, hand, "--feedback")
        answer = json.loads(done.out)
        assert answer["aside"] == {"unknown_customer": 0, "unknown_item": 0, "repeat": 2, "not_judged": 1}
        assert (answer["hits"], answer["trials"]) == (3, 5)
        assert answer["feedback"]["contradicted"] == 3         # two As that are none to it, and X at another place
        text = prep("replay", "-q", "--server", url(fake), "--feedback", hand[1]).out
        assert "3 of them judged by the server otherwise than here" in text and "1 not judged by the server" in text
        assert all(piece in text for piece in ("8 events: ", "1 hit", "4 miss", "1 old_generation", "2 repeat"))
    with Listening(lambda event, n: {"outcome": "hit", "rank": 1} if event["item"] == "D" else like_the_fake(event, n)) as fake:
        answer = json.loads(ask(fake, hand, "--feedback").out)         # a hit, of what it has not shown: nobody knows where
        assert (answer["hits"], answer["trials"], answer["aside"]["not_judged"], answer["feedback"]["contradicted"]) == (3, 6, 2, 2)


def test_an_answer_that_is_gone_is_asked_for_again(hand):
    with Listening(lambda event, times: "gone" if event["item"] == "F" or times == 1 and event["item"] == "E"
                   else like_the_fake(event, times)) as fake:
        answer = json.loads(ask(fake, hand, "--feedback").out)
        assert fake.events == [*(posted(*row) for row in BOUGHT), posted(*BOUGHT[5], 10), posted(*BOUGHT[6], 11), posted(*BOUGHT[7], 12)]
        assert answer["feedback"] == {"posted": 11, "contradicted": 0, "outcomes": {"hit": 3, "miss": 3, "gone": 5}}
        assert answer["aside"]["not_judged"] == 2 and answer["trials"] == 6


def test_a_server_that_does_not_listen_well(hand):
    for results in (lambda found: found[1:], lambda found: found + found[:1], lambda found: [{}] * len(found), lambda found: {}, lambda found: ["hit"] * len(found)):
        with Listening(like_the_fake, results) as fake:
            refused(ask(fake, hand, "--feedback"), "/feedback: must say what became of each event")
    for status, body in ((404, {"detail": "Not Found"}), (413, {"detail": "at most 2 events"}), (400, b"")):
        with Fake(lambda n, request: (status, body) if request.startswith("POST") else good(request)) as fake:
            refused(ask(fake, hand, "--feedback"), f"/feedback: must take what was bought, not {status}")
    with Fake(lambda n, request: (200, {k: v for k, v in good(request)[1].items() if k != "recommendation_id"})) as fake:
        refused(ask(fake, hand, "--feedback"), "must have a recommendation_id in its answers")


def test_long_bodies_are_cut(hand, tmp_path):
    """No request over 60,000 bytes, whatever --batch allows."""
    rows = [("ann", "i%03d" % n + "x" * 1000, 1, "2012-01-30 08:00") for n in range(200)]
    with Listening(lambda event, _: "miss") as fake:
        answer = json.loads(ask(fake, (None, table(tmp_path / "new.csv", rows)), "--feedback").out)
        assert answer["feedback"]["posted"] == 200 == len(fake.events) and len(fake.bodies) < 6
        assert all(bytes <= 60000 for _, bytes in fake.bodies)


def test_the_log_of_what_was_told_is_transactions(start, hand, tmp_path):
    """What the server writes down is what was replayed, at its own times: replayed once more, it is the same."""
    model, new = hand
    server = start(model, feedback_log=tmp_path / "log")
    told_it = replay("--server", url(server), "--feedback", "--by", "day", new)
    assert told_it["feedback"]["outcomes"] == {"hit": 5, "repeat": 1, "unknown_item": 1}
    again = replay("--server", model, "--by", "day", *sorted((tmp_path / "log").glob("*.csv")))
    assert again["hits_by_place"] == told_it["hits_by_place"]
    assert [(p["begin"], p["trials"], p["hits"]) for p in again["periods"] if p["trials"]][:2] == [("2012-01-30", 1, 1), ("2012-02-06", 3, 3)]


def test_a_server_without_feedback(start, hand):
    server = start(hand[0], feedback="off")
    refused(prep("replay", "-q", "--server", url(server), "--feedback", hand[1]), "must have a recommendation_id")
    assert replay("--server", url(server), "--model", hand[0], hand[1])["hits"] == 5
