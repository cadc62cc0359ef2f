"""docs/SECURITY.md: what it names is there, and what it says of the HTTP library is true of this one."""
import re
import subprocess

import harness
from harness import TOP

TEXT = (TOP / "docs/SECURITY.md").read_text()


def test_what_it_names_is_there():
    named = re.findall(r"`((?:tests|server|etc)/[\w./-]+)(?:::(\w+))?`", TEXT)
    assert len(named) > 20
    for path, test in named:
        assert (TOP / path).exists(), path
        assert not test or re.search(rf"(?m)^def {test}\(", (TOP / path).read_text()), f"{path}::{test}"
    for name in re.findall(r"(?m)^    (\w+) = ", TEXT):
        assert re.search(rf"(?m)^#{name} =", (TOP / "etc/akin.conf").read_text()), name


def test_the_library_is_the_one_it_speaks_of():
    linked = subprocess.run(["ldd", harness.SERVER], stdout=subprocess.PIPE, text=True).stdout
    assert "libcivetweb.so.1 " in linked
    library = re.search(r"libcivetweb\.so\.1 => (\S+)", linked)[1]
    with open(library, "rb") as f:
        content = f.read()
    assert re.search(rb"\x001\.15\x00", content), "another version of civetweb: read its notices again"


def test_what_it_says_is_not_used_is_not():
    for source in (TOP / "server").glob("*.[ch]"):
        text = re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.S)
        for word in ("document_root", "mg_handle_form_request", "ssl_certificate", "cgi_", "X-Forwarded-For"):
            assert word not in text, f"{source}: {word}"


def test_the_recipe_for_a_key(tmp_path):
    """As it stands, but for the place, the group and the signal; the result is a file that a server takes."""
    recipe = re.search(r"(?m)^    (umask 027)\n    (echo .*?)\n    (chgrp akin .*?)\n", TEXT)
    keys, conf = tmp_path / "keys", tmp_path / "empty.conf"
    conf.touch()
    lines = [line.replace("/etc/akin/keys", str(keys)).replace("chgrp akin", "chgrp $(id -g)") for line in recipe.groups()]
    for _ in range(2):
        subprocess.run(["sh", "-ec", "\n".join(lines)], check=True)
    done = harness.prep("build", "-o", tmp_path / "model", "-", stdin=harness.csv_bytes([("1", "A"), ("2", "A")]))
    assert done.returncode == 0
    done = subprocess.run([harness.SERVER, "-t", "-c", conf, "--model", tmp_path / "model", "--api_keys", keys],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=harness.environment())
    assert done.returncode == 0 and len(keys.read_text().splitlines()) == 2, done.stderr
