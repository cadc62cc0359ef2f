"""Akin beside FastAPI: the same requests, good and bad, to both; status, head and body are compared. Where they differ
on purpose, docs/api.md says why, and each such difference must still be there."""
import csv
import io
import json
import re
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

import contract
import harness
from harness import TOP, until

MAX_N = 100
ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D"), ("3", "E"),
        ("4", "a b"), ("4", "x/y"), ("4", "été"), ("4", "0042"), ("4", "50%"), ("4", "q?&=+"), ("4", 'a"b\\n'),
        ("0007", "A"), ("0007", "a b"), ("a/b", "B"), ("zoë", "A"), ("zoë", "D")]


def csv_of(rows):
    """harness.csv_bytes() knows no quotes."""
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(("CustomerID", "StockCode", "Description"))
    out.writerows((customer, item, f"THING {item}") for customer, item in rows)
    return text.getvalue().encode()


class Reference(harness.Server):
    """The FastAPI application, asked as Akin's servers are."""

    def __init__(self, folder):
        self.port = harness.free_port()
        self.log = (folder / "fastapi.log").open("wb")
        self.process = subprocess.Popen([sys.executable, TOP / "tests/system/fastapi_app.py", str(self.port),
                                         str(MAX_N),
                                         json.dumps(ROWS)], stdout=self.log, stderr=self.log,
                                         env=harness.environment())
        until(lambda: self.process.poll() is not None or self.is_up(), "FastAPI", 60)
        assert self.process.poll() is None, (folder / "fastapi.log").read_text()

    def is_up(self):
        try:
            return self.get("/").status == 200
        except OSError:
            return False

    def end(self):
        self.process.terminate()
        self.process.wait(harness.PATIENCE)
        self.log.close()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(Akin, FastAPI), which has no recommendation_id to give"""
    folder = tmp_path_factory.mktemp("differential")
    done = harness.prep("build", "-o", folder / "m", "-", stdin=csv_of(ROWS))
    assert done.returncode == 0, done.err
    reference, server = Reference(folder), None
    try:
        server = harness.Server(folder, folder / "m", workers=1, max_n=MAX_N, feedback="off")
        yield server, reference
        assert server.stop() == 0, server.logged()
    finally:
        reference.end()
        if server:
            server.kill()


# -- what is asked --------------------------------------------------------------------------------------------------

INTEGERS = ["", "0", "-0", "-1", "1", "5", "99", "100", "101", "007", "+7", "%2B7", "-%2B7", "7+", "%20%097%0A", "%0B7",
            "%1C7", "1_0", "1__0", "_1", "1_", "1%200", "1.5", "1.0", "1e3", "abc", "0x10", "0b1", "0o7", "NaN", "inf",
            "True", "null", "5;", "5,5", "5%00", "%00", "%", "%3", "%zz", "%37", "5=5", "9" * 18, "9" * 19,
            "1" + "0" * 30, "-" + "9" * 30, "9" * 4000, "%FF", "1e", "--5", "+-5", "5-", "%2D1", "(5)", "5n", "'5'",
            "%225%22", "[5]", "{5}"]
BOOLEANS = ["", "true", "True", "TRUE", "tRuE", "1", "0", "on", "ON", "off", "yes", "no", "t", "f", "y", "n", "Y", "2",
            "-1", "maybe", "+true", "true+", "%74rue", "01", "1.0", "falsey", "enabled", "null", "None", "%00",
            "true%00", "%FF"]
QUERIES = [f"n={v}" for v in INTEGERS] + [f"details={v}" for v in BOOLEANS] + [
    "", "n", "details", "%6E=7", "N=x", "Details=x", "&&n=4&&",
    "n=4;details=1", "n%00=4", "x=1", "=5", "=", "&", "n=2&unknown=%zz", "n=%32", "n=0&details=x", "n=x&details=x",
    "details=x&n=x", "n=101&details=", "n=3&details=true", "details=on&n=2",
    "n=4&x=" + "y" * 3000, "?n=4", "n=1?", "n=4#x", "n+=4", "+n=4", "n[]=4"]
IDS = ["1", "2", "3", "4", "0007", "7", "nobody", "A", "B", "C", "D", "E", "a%20b", "a+b", "0042", "42",
       "%C3%A9t%C3%A9", "50%25", "q%3F%26%3D%2B", "a%22b%5Cn", "zo%C3%AB", "%41", "%5A%5A", "..", "%2E%2E", ".", "~",
       "x" * 60, "'", "%27", "%3Cb%3E", "none", "null", "-1", "1.0", "1e3", "%E2%82%AC", "a%2Cb", "a;b", "a=b", "a:b",
       "a@b", "(a)", "a*b", "a$b", "!"]
PATHS = ["/", "//", "///", "/.", "/metrics/", "/metrics//", "/metrics/?a=b", "/metrics/?", "/predict", "/predict/",
         "/predict/user", "/predict/user/", "/predict/user//", "/predict/item/", "/predict/item//?n=x",
         "/predict/user/1/", "/predict/user/1//?n=x", "/predict/user/1/y", "/predict//user/1", "/predict/users/1",
         "/predict/User/1", "/Predict/user/1", "/nope", "/nope/", "/./metrics", "/predict/../metrics",
         "/predict/user/../user/1", "//metrics", "//metrics/", "/Metrics", "/metrics%20", "/predict/us%65r/1",
         "/index.html", "/favicon.ico", "/robots.txt", "/%", "/%zz", "/x" * 100, "/docs/", "/redoc/", "/redoc/x",
         "/docs/x/y", "/openapi.json/", "/openapi.jso", "/openapi.json%20", "/api/docs", "/static/",
         "/predict/user/1", "/predict/item/nothing", "/predict/user/1?n=x"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def asked(*paths, methods=("GET",)):
    return [(method, path) for path in paths for method in methods]


REQUESTS = (asked(*(f"{path}?{query}" for path in ("/predict/user/1", "/predict/item/A") for query in QUERIES))
            + asked(*(f"/predict/{kind}/{id}{query}" for kind in ("user", "item") for id in IDS
                      for query in ("", "?n=2&details=yes")))
            + asked(*PATHS, methods=METHODS))

# The first column of the table in docs/api.md: requests that show it, each of them.
ON_PURPOSE = {
    "a parameter given twice": asked(*(f"/predict/{what}?{query}" for what in ("user/1", "item/A") for query in (
        "n=3&n=4", "n=x&n=4", "n=4&n=x", "n=4&n=", "n=4&%6E=4", "details=1&details=0", "details=x&details=1"))),
    "`%2F` in an id": asked("/predict/item/x%2Fy", "/predict/item/x%2fy?n=2", "/predict/user/a%2Fb",
                            "/predict/user/a%2Fb/", "/predict/item/%2F"),
    "`%2F` between the parts of a route": asked("/predict%2Fuser/1", "/predict/user%2F1", "/metrics%2F"),
    "`%00` in a path": asked("/%00", "/predict/item/A%00", "/predict/user/%00?n=2", "/metrics%00"),
    "`#` in a target": asked("/predict/user/1?n=4#x", "/predict/item/A?n=4#x", "/predict/item/A#x"),
    "`Location` of a redirect": asked("/predict/%75ser/1/", "/predict/us%65r/a//?n=%35", methods=METHODS),
    "digits and spaces in `n` that are not ASCII": asked(*(f"/predict/user/1?n={v}" for v in (
        "%D9%A5", "%EF%BC%95", "%C2%A05", "%E2%80%835", "5%C2%A0"))),
    "`n` of more than 4300 digits": asked("/predict/user/1?n=" + "9" * 4400, "/predict/item/A?n=" + "0" * 4400 + "5"),
    "unprintable bytes of an unknown id, in `detail`": asked("/predict/user/%7F", "/predict/item/a%0Ab",
                                                             "/predict/item/%1B[31m", "/predict/user/" + "x" * 200),
    "broken UTF-8 in an id": asked("/predict/user/%FF", "/predict/item/a%C3", "/predict/item/%ED%A0%80"),
    "`/docs/{file}`": asked("/docs/x", methods=METHODS[2:]) + asked("/docs/plain.html"),
    "`/docs/oauth2-redirect`": asked("/docs/oauth2-redirect"),
    "`/healthz`, `/readyz`, `/model`": asked("/healthz", "/readyz", "/model", methods=METHODS),
}
# Rows of that table which other tests here show,
SHOWN_BELOW = {"answers", "labels of `http_request_duration_seconds`", "buckets of `http_request_duration_seconds`",
               "`_created` in the text format", "`recommendation_id`", "families that begin with `python_`"}
# and those about the reference's own program, which is not what runs here, or about settings that it does not have.
NOT_RUN = {"recommendations for a customer", "number of items", "`data`", "order of similar ones", "`n`", "`details`",
           "metric label of a 405", "`/feedback`"}


# -- and compared -----------------------------------------------------------------------------------------------------

def alike(a, b):
    """The same JSON, numbers that are no integers as far as 15 digits go."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(alike(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return isinstance(a, (int, float)) and isinstance(b, (int, float)) and abs(a - b) <= 1e-14
    return type(a) is type(b) and a == b


def seen(answer, origin):
    """What of an answer is compared."""
    location = answer.headers.get("location")
    return {"status": answer.status,
            "content-type": answer.headers.get("content-type"),
            "allow": set(answer.headers["allow"].split(", ")) if "allow" in answer.headers else None,
            "location": location and location.removeprefix(origin)}


def difference(both, method, path):
    """In words, or None."""
    akin, fastapi = (server.get(path, method) for server in both)
    ours, theirs = seen(akin, ""), seen(fastapi, f"http://127.0.0.1:{both[1].port}")
    found = [f"{key}: {ours[key]!r}, not {theirs[key]!r}" for key in ours if ours[key] != theirs[key]]
    if method == "HEAD" or not (akin.body and fastapi.body):
        if akin.body != fastapi.body or akin.headers.get("content-length") != fastapi.headers.get("content-length"):
            found.append(f"body: {akin.body[:100]}, not {fastapi.body[:100]}")
    elif not all(answer.headers["content-type"] == "application/json" for answer in (akin, fastapi)):
        if akin.body != fastapi.body:
            found.append("body: not JSON")
    elif not alike(akin.json, fastapi.json):
        found.append(f"body: {akin.body[:200].decode()}, not {fastapi.body[:200].decode()}")
    elif '"score"' not in akin.body.decode() and akin.body != fastapi.body:
        found.append(f"bytes: {akin.body[:200]}, not {fastapi.body[:200]}")
    return "; ".join(found) or None


def test_the_same_requests_get_the_same_answers(both):
    purposeful = {request for requests in ON_PURPOSE.values() for request in requests}
    requests = [r for r in dict.fromkeys(REQUESTS) if r not in purposeful]
    assert len(requests) > 700
    differing = [(*r, found) for r in requests if (found := difference(both, *r))]
    assert not differing, f"{len(differing)} of {len(requests)} differ:\n" + "\n".join(map(str, differing[:40]))


@pytest.mark.parametrize("what", ON_PURPOSE)
def test_what_differs_on_purpose_still_differs(both, what):
    alike = [request for request in ON_PURPOSE[what] if not difference(both, *request)]
    assert not alike, f"{what}: no difference any more: take it out of docs/api.md and of this table"


def test_every_difference_is_in_the_documentation_and_the_other_way_round():
    table = (TOP / "docs/api.md").read_text().partition("## Differences from the reference")[2]
    rows = [re.split(r"(?<!\\) *\| *",
                     line.strip("| ")) for line in table.splitlines() if line.startswith("| ")]     # not |---
    documented = {row[0]: row[-1] for row in rows[1:]}
    assert set(documented) == set(ON_PURPOSE) | SHOWN_BELOW | NOT_RUN
    assert all(documented.values()), [k for k, why in documented.items() if not why]


def test_answers_say_which_model_they_are_from(both):
    akin, fastapi = (server.get("/predict/item/A") for server in both)
    assert akin.headers["akin-generation"] == "1" and "akin-generation" not in fastapi.headers
    assert set(akin.headers) == set(fastapi.headers) | {"akin-generation"}


def part_of(theirs, ours, where):
    """Is all of their OpenAPI in ours? Titles and descriptions are words."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), where
        for key, value in theirs.items():
            if key not in ("description", "summary", "title"):
                assert key in ours, f"{where}: no {key}"
                part_of(value, ours[key], f"{where}/{key}")
    elif isinstance(theirs, list) and all(isinstance(v, dict) and "name" in v for v in theirs):
        part_of({v["name"]: v for v in theirs}, {v["name"]: v for v in ours}, where)
    else:
        assert theirs == ours, f"{where}: {ours}, not {theirs}"


def whole(document, node):
    """With references put in."""
    node = contract.refer(document, node)
    if isinstance(node, dict):
        return {k: whole(document, v) for k, v in node.items()}
    return [whole(document, v) for v in node] if isinstance(node, list) else node


def test_what_fastapi_says_of_itself_is_true_of_akin(both):
    akin, fastapi = (server.get("/openapi.json").json for server in both)
    theirs, ours = whole(fastapi, fastapi["paths"]), whole(akin, akin["paths"])
    assert {"/", "/predict/user/{user_id}", "/predict/item/{item_id}", "/metrics"} <= set(theirs)
    for path in theirs:
        found = theirs[path]["get"]
        for part in ("operationId",
                     ):       # FastAPI makes it of the function's name: clients that are generated use it
            assert ours[path]["get"][part] == found[part] or path in ("/", "/metrics")
        part_of(found.get("parameters", []), ours[path]["get"].get("parameters", []), path)
        assert set(found["responses"]) <= set(ours[path]["get"]["responses"])
        if "422" in found["responses"]:
            part_of(found["responses"]["422"]["content"], ours[path]["get"]["responses"]["422"]["content"],
                    f"{path}, 422")
    assert akin["info"]["title"] == fastapi["info"]["title"] and akin["openapi"] == fastapi["openapi"]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_what_fastapi_serves_by_itself_takes_the_same_methods(both, path):
    """Their bodies are other ones."""
    for method in METHODS:
        akin, fastapi = (server.get(path, method) for server in both)
        assert seen(akin, "") == seen(fastapi, ""), method
        assert method in ("GET", "HEAD") or akin.body == fastapi.body


def test_the_pages_have_the_same_titles(both):
    for page in ("/docs", "/redoc"):
        akin, fastapi = (server.get(page) for server in both)
        titles = [re.search(r"<title>(.*?)</title>", answer.body.decode())[1] for answer in (akin, fastapi)]
        if titles[0] != "Akin - API":       # the plain page, where Akin was built without the packages
            assert titles[0] == titles[1]


# -- metrics --------------------------------------------------------------------------------------------------------

# What the reference's page was measured to hold: family, type, labels but `le` (counters without their _total).
MEASURED = {
    "http_requests": ("counter", {"handler", "method", "status"}),
    "http_request_size_bytes": ("summary", {"handler"}),
    "http_response_size_bytes": ("summary", {"handler"}),
    "http_request_duration_highr_seconds": ("histogram", set()),
    "http_request_duration_seconds": ("histogram", {"handler"}),
}
BUCKETS = {"http_request_duration_seconds": {"0.1", "0.5", "1.0", "+Inf"}, "http_request_duration_highr_seconds": {
    "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0",
    "4.5", "5.0",
    "7.5", "10.0", "30.0", "60.0", "+Inf"}}
MORE_LABELS = {"http_request_duration_seconds": {"method", "status"}}


def families(server):
    answer = server.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {f.name: f for f in text_string_to_metric_families(answer.body.decode())}


def labels(family):
    return {name for sample in family.samples for name in sample.labels} - {"le"}


def bounds(family):
    return {sample.labels["le"] for sample in family.samples if sample.name.endswith("_bucket")}


def test_the_references_families_are_akins(both):
    for path in ("/", "/predict/item/A", "/predict/item/A?n=x", "/nope"):
        both[0].get(path)
    akin = families(both[0])
    for name, (kind, wanted) in MEASURED.items():
        assert akin[name].type == kind, name
        assert labels(akin[name]) == wanted | MORE_LABELS.get(name, set()), name
        assert BUCKETS.get(name, set()) <= bounds(akin[name])
    assert bounds(akin["http_request_duration_highr_seconds"]) == BUCKETS["http_request_duration_highr_seconds"]
    assert {s.labels["status"] for s in akin["http_requests"].samples} <= {"2xx", "3xx", "4xx", "5xx"}
    assert "none" in {s.labels["handler"] for s in akin["http_requests"].samples}


def test_families_of_the_python_client(both):
    """prometheus_client's own page, from the application beside it."""
    akin, theirs = map(families, both)
    process = {name: family for name, family in theirs.items() if name.startswith("process_")}
    assert len(process) == 6
    for name, family in process.items():
        assert akin[name].type == family.type and labels(akin[name]) == labels(family) == set(), name
        assert {s.name for s in akin[name].samples} == {s.name for s in family.samples}
    assert {name for name in theirs if name not in akin and not name.startswith("python_")} == set()


def test_what_differs_in_metrics_on_purpose(both):
    akin, theirs = map(families, both)
    pythons = [[name for name in found if name.startswith("python_")] for found in (akin, theirs)]
    assert not pythons[0] and pythons[1]
    assert not [name for name in akin if name.endswith("_created")]
    assert bounds(akin["http_request_duration_seconds"]) > BUCKETS["http_request_duration_seconds"]
    assert labels(akin["http_request_duration_seconds"]) > MEASURED["http_request_duration_seconds"][1]
