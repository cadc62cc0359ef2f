"""/docs and /redoc: the packages' own bytes, packed and cached; and both used in a browser whose network is off.

The server may have been built where npm or its registry could not be reached. Then both are the plain page, and what
needs Swagger UI and ReDoc is skipped, with that said."""
import contextlib
import gzip
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tarfile

import pytest

import browser
import harness
from contract import operations
from harness import BUILD, TOP, until

UI = TOP / "build/ui"                           # where `make ui` has put the archives, for every build
MAKER = TOP / "server/ui"
PICTURES = BUILD / "pictures"                   # what the browser saw


@pytest.fixture(scope="module")
def server(session_server):
    return session_server


@pytest.fixture(scope="module")
def with_ui(server):
    if b"<title>Akin - Swagger UI</title>" not in server.get("/docs").body:
        pytest.skip("this server was built without Swagger UI and ReDoc: npm or its registry was not reachable (make ui)")


def linked(server, page):
    """Files that a page asks for, by path."""
    return re.findall(r'(?:href|src)="(/docs/[^"]+\.(?:js|css))"', server.get(page).body.decode())


# -- what is sent -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("page", ["/docs", "/redoc", "/docs/plain.html"])
def test_a_page_and_its_files(server, page):
    answer = server.get(page)
    assert answer.status == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    files = linked(server, page)
    assert files
    for path in files:
        found = server.get(path)
        assert found.status == 200 and found.headers["content-type"].startswith(
            "text/css" if path.endswith(".css") else "text/javascript")
        assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
        # The name changes with the contents, or the above would be a lie.
        assert hashlib.sha256(found.body).hexdigest()[:16] in path


def test_pages_send_nobody_elsewhere(server):
    for page in ("/docs", "/redoc", "/docs/plain.html"):
        answer = server.get(page)
        assert not re.findall(rb'(?:href|src)="(?!/|#|data:)', answer.body)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none';") and "unsafe" not in policy
        assert not re.search(r"https?:|\*", policy) and answer.headers["x-content-type-options"] == "nosniff"


def assets(server):
    files = {path for page in ("/docs", "/redoc") for path in linked(server, page)}
    return ["/docs", "/redoc", "/docs/plain.html", *sorted(files)]


def test_packed_and_plain_are_the_same(server):
    for path in assets(server):
        plain, packed = server.get(path), server.get(path, Accept_Encoding="gzip, deflate, br")
        assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body)
        assert plain.headers["etag"] != packed.headers["etag"]
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
        for refused in ("gzip;q=0", "identity", "br", "gzip;q=0, *"):
            assert "content-encoding" not in server.get(path, Accept_Encoding=refused).headers, refused


def test_what_a_client_has_is_not_sent_again(server):
    with server.client() as client:
        for path in assets(server):
            for encoding in ({}, {"Accept_Encoding": "gzip"}):
                first = client.get(path, **encoding)
                again = client.get(path, If_None_Match=first.headers["etag"], **encoding)
                assert again.status == 304 and again.body == b"" and again.headers["etag"] == first.headers["etag"]
                assert again.headers["cache-control"] == first.headers["cache-control"]
                weak = client.get(path, If_None_Match=f'"x", W/{first.headers["etag"]}', **encoding)
                assert weak.status == 304
                assert client.get(path, If_None_Match='"another"', **encoding).body == first.body


def test_head_and_other_methods(server):
    with server.client() as client:
        for path in [*assets(server), "/openapi.json"]:
            get, head = client.get(path), client.get(path, "HEAD")
            assert head.status == 200 and head.body == b""
            assert {k: v for k, v in head.headers.items() if k != "date"} == {
                k: v for k, v in get.headers.items() if k != "date"}
            post = client.get(path, "POST")
            assert post.status == 405 and post.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/docs/oauth2-redirect", "/docs/ui.inc", "/docs/..%2Fdocs.html", "/docs/docs",
                                  "/docs/%2Fdocs", "/redoc/x"])
def test_what_is_not_there(server, path):
    answer = server.get(path)
    assert (answer.status, answer.json) == (404, {"detail": "Not Found"})


def test_a_slash_too_many(server):
    for path in ("/docs/", "/redoc/"):
        answer = server.get(path)
        assert answer.status == 307 and answer.headers["location"] == path[:-1]


def test_they_are_counted_by_route(server):
    before = {h: server.metric("http_requests_total", handler=h) for h in ("/docs", "/redoc", "/docs/{file}")}
    files = linked(server, "/docs")
    for path in (*files, "/redoc"):
        server.get(path)
    for handler, more in (("/docs", 1), ("/redoc", 1), ("/docs/{file}", len(files))):
        assert server.metric("http_requests_total", handler=handler) == before[handler] + more


def test_the_files_are_the_packages_own(server, with_ui):
    """Against the archives as npm gave them, whose digests are locked."""
    locked = dict(reversed(line.split()) for line in (MAKER / "SHA512SUMS").read_text().splitlines())
    served = {re.sub(r"\.[0-9a-f]{16}\.", ".", path.rpartition("/")[2]): path for path in assets(server)}
    compared = 0
    for archive, digest in locked.items():
        assert hashlib.sha512((UI / archive).read_bytes()).hexdigest() == digest
        with tarfile.open(UI / archive) as tar:
            members = {name.rpartition("/")[2]: name for name in tar.getnames()}
            for name, path in served.items():
                if name in members and name not in ("docs.js",):
                    assert server.get(path).body == tar.extractfile(members[name]).read(), name
                    compared += 1
            for name in members:
                if re.search("LICENSE|NOTICE", name) and ("bundle.js" in name or "." not in name):
                    if "es-bundle" not in name:
                        assert tar.extractfile(members[name]).read() in server.get("/docs/licences.txt").body, name
    assert compared == 3


def test_who_takes_nothing_is_let_go(start, small, with_ui):
    """More than any socket's buffers hold, and a client that does not read."""
    server = start(small([("1", "A"), ("1", "B")]), workers=1, request_timeout_ms=300)
    path = max(linked(server, "/docs"), key=lambda p: len(server.get(p).body))
    whole = len(server.get(path).body)
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", server.port))
        s.settimeout(harness.PATIENCE)
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 10)
        until(lambda: server.metric("akin_threads_busy") == 2, "its thread to be busy, beside the scrape's")
        until(lambda: server.metric("akin_threads_busy") == 1, "its thread to be free again")
        taken = 0
        with contextlib.suppress(ConnectionResetError):
            while part := s.recv(65536):
                taken += len(part)
    assert whole < taken < 10 * whole


def test_the_pages_set_what_fastapi_sets(server, with_ui):
    page = server.get("/docs").body.decode()
    (script,) = [p for p in linked(server, "/docs") if "/docs." in p]
    text = server.get(script).body.decode()
    assert "<title>Akin - Swagger UI</title>" in page and '<div id="swagger-ui">' in page
    for setting in ("url: '/openapi.json'", "dom_id: '#swagger-ui'", "layout: 'BaseLayout'", "deepLinking: true",
                    "showExtensions: true", "showCommonExtensions: true"):
        assert setting in text, setting
    page = server.get("/redoc").body.decode()
    assert "<title>Akin - ReDoc</title>" in page and '<redoc spec-url="/openapi.json"></redoc>' in page


# -- without the packages -------------------------------------------------------------------------------------------

def test_the_plain_page_lists_every_route(server):
    page = server.get("/docs/plain.html").body.decode()
    document = server.get("/openapi.json").json
    for path, _, _ in operations(document):
        assert f"<code>{path}</code>" in page, path
    links = [p.replace("&amp;", "&") for p in re.findall(r'href="(/[^"]*)"', page)]
    assert {p for p, method, _ in operations(document) if "{" not in p and method == "get"} <= set(links)
    for link in links:
        assert server.get(link).status == 200, link
    listed = set(map(int, re.findall(r"\b[345]\d\d\b", page.partition("<h2>Refusals")[2])))
    described = {int(s) for _, _, o in operations(document) for s in o["responses"] if s != "200"}
    assert {400, 404, 422, 500, 503, 307, 405} <= listed <= described | {307, 405}


@pytest.fixture
def tools(tmp_path):
    """A PATH in which npm is what a test says it is, and packages can't be installed."""
    def tools(npm):
        folder = tmp_path / "tools"
        folder.mkdir()
        for name in ("sh", "dirname", "mkdir", "sha512sum", "sha256sum", "cat", "cut", "sed", "gzip", "head", "wc", "rm", "mv",
                     "tar"):
            (folder / name).symlink_to(shutil.which(name))
        if npm:
            (folder / "npm").write_text(f"#!{shutil.which('sh')}\n{npm}\n")
            (folder / "npm").chmod(stat.S_IRWXU)
        return {"PATH": str(folder)}
    return tools


@pytest.mark.parametrize("npm", [None, "exit 1", "echo npm ERR! code EAI_AGAIN >&2; exit 7",
                                 "for archive in redoc-2.5.4.tgz swagger-ui-dist-5.35.0.tgz; do echo x >$archive; done"],
                         ids=["none", "fails", "says why", "other archives"])
def test_a_build_without_the_packages_goes_on(tools, tmp_path, npm):
    env, folder = tools(npm), tmp_path / "ui"
    fetch = subprocess.run([MAKER / "fetch", folder], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=harness.PATIENCE)
    assert fetch.returncode == 0 and "no Swagger UI" in fetch.stderr, fetch
    assert fetch.stderr.count("\n") == 1 and ("EAI_AGAIN" in fetch.stderr) == ("EAI_AGAIN" in (npm or "")), fetch
    embed = subprocess.run([MAKER / "embed", folder], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=harness.PATIENCE)
    assert embed.returncode == 0 and "plain pages" in embed.stderr, embed
    table = (folder / "ui.inc").read_text()
    assert '"/docs", PAGE' in table and '"/redoc", PAGE' in table and "swagger" not in table
    plain = (folder / "files/plain.html").read_bytes()
    assert (folder / "files/docs.html").read_bytes() == (folder / "files/redoc.html").read_bytes() == plain


@pytest.mark.skipif(harness.SANITIZED, reason="the build is the same there, and is made in the other run")
def test_a_server_without_the_packages(tmp_path, model, monkeypatch):
    """Built for this test, from scratch."""
    done = subprocess.run(["make", "-s", "-j2", f"BUILD={tmp_path}/b", "CFLAGS=-O0", f"{tmp_path}/b/akin-server"], cwd=TOP,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
                          env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES")})
    assert done.returncode == 0 and "plain pages" in done.stdout, done.stdout
    monkeypatch.setattr(harness, "SERVER", tmp_path / "b/akin-server")
    server = harness.Server(tmp_path / "s", model)
    try:
        plain = server.get("/docs/plain.html")
        for page in ("/docs", "/redoc"):
            answer = server.get(page)
            assert (answer.status, answer.body) == (200, plain.body)
            assert server.get(linked(server, page)[0]).status == 200
        test_the_plain_page_lists_every_route(server)
        assert server.stop() == 0
    finally:
        server.kill()


# -- in a browser -------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def window(tmp_path_factory):
    PICTURES.mkdir(exist_ok=True)
    window = browser.Browser(tmp_path_factory.mktemp("browser"))
    yield window
    window.close()


@pytest.fixture
def visit(window, server):
    """Open a page; afterwards nothing but this server was asked, and nothing went wrong but what the test allows."""
    allowed = []

    def visit(path, *allow):
        allowed.extend(allow)
        window.open("about:blank")
        window.requested(), window.console()
        window.open(f"http://127.0.0.1:{server.port}{path}")
        return window

    yield visit
    elsewhere = [url for url in window.requested() if not re.match(rf"(data:|blob:)|http://127.0.0.1:{server.port}/", url)]
    assert [url for url in elsewhere if not any(a in url for a in allowed)] == []
    assert [line for line in window.console() if not any(a in line for a in allowed)] == []


def panel(kind):
    return f"[id$='-predict_{kind}_predict_{kind}__{kind}_id__get']"


def fill(window, operation, name, value):
    """Type into a parameter's field of an open operation."""
    window.type(f"{operation} tr[data-param-name='{name}'] input", value)


def executed(window, operation):
    """Press Execute; the status and the body that the page then shows."""
    live = f"{operation} .live-responses-table"
    before = window.text(f"{live} .highlight-code")
    window.click(f"{operation} .btn.execute")
    until(lambda: window.text(f"{live} .response-col_status") and window.text(f"{live} .highlight-code") != before,
          "the answer")
    return window.text(f"{live} tbody .response-col_status").split()[0], window.text(f"{live} tbody .highlight-code pre")


def test_docs_lists_all_and_tries_it_out(visit, server, with_ui, expected):
    window = visit("/docs", "status of 404")        # that a console tells of a 404 is right
    document = server.get("/openapi.json").json
    window.wait("#swagger-ui .opblock")
    shown = window.script("return [...document.querySelectorAll('.opblock')].map(b => b.querySelector("
                          "'.opblock-summary-path').textContent.replace(/\\u200b/g, ''))")
    assert sorted(shown) == sorted(path for path, _, _ in operations(document))
    assert window.text("#swagger-ui .info .title").startswith("Akin")
    window.screenshot(PICTURES / "docs.png")

    operation = panel("item")
    window.click(f"{operation} .opblock-summary-control")
    window.click(f"{operation} .try-out__btn")
    fill(window, operation, "item_id", "85123A")
    fill(window, operation, "n", "7")
    status, body = executed(window, operation)
    want = [other for other, _ in expected.similar_items("85123A", 7)]
    answer = json.loads(body)
    assert status == "200" and re.fullmatch("[0-9a-f]{24}", answer.pop("recommendation_id"))
    assert answer == {"success": True, "type": "item_based", "total": 7, "data": {"85123A": want}}
    window.script("document.querySelector(arguments[0]).scrollIntoView()", f"{operation} .responses-wrapper")
    window.screenshot(PICTURES / "docs-tried.png")

    fill(window, operation, "item_id", "no such/item")
    status, body = executed(window, operation)
    assert status == "404" and json.loads(body) == {"detail": "Item 'no such/item' not found"}


def test_docs_tries_a_customer_with_details(visit, with_ui, expected):
    window, operation = visit("/docs"), panel("user")
    window.click(f"{operation} .opblock-summary-control")
    window.click(f"{operation} .try-out__btn")
    fill(window, operation, "user_id", "12995")
    fill(window, operation, "n", "5")
    window.script("const s = document.querySelector(arguments[0]); s.value = 'true';"
                  "s.dispatchEvent(new Event('change', {bubbles: true}))", f"{operation} tr[data-param-name='details'] select")
    status, body = executed(window, operation)
    got = [(g["id"], g["source"]) for g in json.loads(body)["data"]["12995"]]
    assert status == "200" and got == expected.for_customer("12995", 5)


def test_redoc_lists_all_and_finds(visit, server, with_ui):
    # Its makers' sign is on their server: the page's policy keeps the browser from asking for it.
    window = visit("/redoc", "cdn.redoc.ly/redoc/logo-mini.svg")
    document = server.get("/openapi.json").json
    window.wait("[id^='tag/'] h2")
    until(lambda: all(f">{o['summary']}<" in window.script("return document.body.innerHTML")
                      for _, _, o in operations(document)), "every operation")
    window.screenshot(PICTURES / "redoc.png")
    window.type("[role=search] input", "customer")
    until(lambda: "Items for a customer" in window.text("[data-role='search:results']"), "what is found")
    for line in window.console():
        assert "cdn.redoc.ly" in line and "Content Security Policy" in line, line


def test_the_plain_page_in_the_browser(visit):
    window = visit("/docs/plain.html", "/favicon.ico")      # which a page of JSON has not named
    window.wait("table")
    assert window.script("return getComputedStyle(document.body).maxWidth") != "none"      # its style was taken
    window.screenshot(PICTURES / "plain.png")
    window.click("a[href='/predict/item/85123A?n=3']")
    until(lambda: '"total":3' in window.text("body"), "the answer")
