"""Asking with an address or a key of one's own, and starts that are refused: what test_access.py and test_user.py share."""
import http.client
import signal
import subprocess

import harness
from harness import SERVER, one_line, until

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C")]
ITEM = "/predict/item/A"
SHOP = "shop-key-0123456789"


def ask(server, path, source=None, host="127.0.0.1", method="GET", **headers):
    c = http.client.HTTPConnection(host, server.port, timeout=harness.PATIENCE, source_address=source and (source, 0))
    try:
        c.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = c.getresponse()
        return harness.Answer(response, response.read())
    finally:
        c.close()


def renew(server):
    """SIGHUP, until the outcome is known; whether it was a success."""
    before = server.metric("akin_api_keys_reloads_total")
    server.send(signal.SIGHUP)
    until(lambda: server.metric("akin_api_keys_reloads_total") > before, "the keys to be read")
    return server.metric("akin_api_keys_last_reload_successful") == 1


def failing(*arguments, **more):
    """Run akin-server, which fails; the last line that it says."""
    done = subprocess.run([SERVER, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=harness.PATIENCE, env=harness.environment(), **more)
    text = done.stderr.decode()
    harness.no_sanitizer_report(text)
    assert done.returncode == 1, text
    return one_line(text.splitlines()[-1] + "\n")


def refused_start(conf, *arguments):
    """A start ends with a line, and -t says the same."""
    base = ["-c", conf, "--port", 0, "--address", "127.0.0.1"]
    said = failing(*base, *arguments)
    assert failing("-t", *base, *arguments) == said
    return said
