"""Settings: where they come from, which wins, what is refused and how that is said."""
import re
import subprocess

import pytest

import harness
from harness import SERVER, TOP, one_line

ROWS = [("1", "A"), ("1", "B"), ("2", "A")]


def server(*arguments, **env):
    done = subprocess.run([SERVER, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=harness.PATIENCE, env=harness.environment(**env))
    done.out, done.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    harness.no_sanitizer_report(done.err)
    return done


@pytest.fixture
def conf(tmp_path):
    def conf(text):
        path = tmp_path / "akin.conf"
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
        return path
    return conf


def in_force(*arguments, **env):
    done = server("-T", *arguments, **env)
    assert done.returncode == 0, done.err
    return dict(re.fullmatch(r"(\w+) = ?(.*)", line).groups() for line in done.out.splitlines()
                if line and not line.startswith("#"))


def test_file_then_environment_then_flag(conf):
    path = conf("workers = 3\nthreads = 30\nmax_n = 300\n")
    found = in_force("-c", path, "--max-n", "30", AKIN_MAX_N="33", AKIN_THREADS="44")
    assert (found["workers"], found["threads"], found["max_n"]) == ("3", "44", "30")
    assert in_force("-c", path, "--max_n=31")["max_n"] == "31"


def test_settings_print_themselves_in_a_form_they_read(conf):
    first = in_force("-c", conf(""), "--workers", "7", "--address", "127.0.0.1", "--pid-file", "/run/x.pid")
    again = in_force("-c", conf("".join(f"{k} = {v}\n" for k, v in first.items())))
    assert again == first


BAD = [
    ("\n\nworkers = many\n", 3, ["workers", "many"]),
    ("workers = -1\n", 1, ["workers", "-1"]),
    ("workers = 65\n", 1, ["workers", "64", "65"]),
    ("workers = 2x\n", 1, ["workers", "2x"]),
    ("workers = 0x2\n", 1, ["workers", "0x2"]),
    ("workers =\n", 1, ["workers"]),
    ("workers = 99999999999999999999\n", 1, ["workers"]),
    ("threads = 1\nport = 65536\n", 2, ["port", "65536"]),
    ("port = 1.5\n", 1, ["port"]),
    ("# fine\n\nworker = 2\n", 3, ["worker"]),
    ("MAX_N = \n", 1, []),
    ("fill = some\n", 1, ["fill", "some", "popular"]),
    ("log_level = loud\n", 1, ["log_level", "loud"]),
    ("address = localhost\n", 1, ["address", "localhost"]),
    ("workers = 1\nthreads = 2\nworkers = 3\n", 3, ["workers"]),
    ("workers = 1\nnonsense\n", 2, []),
    ("[section]\nworkers = 1\n", 1, []),
    ("workers = 1\nmodel = " + "x" * 5000 + "\n", 2, []),
    ("max_n = 0\n", 1, ["max_n"]),
    ("workers = 1\nport: 8001\n", 2, ["=", ":"]),
    ("port:8001 = 5\n", 1, ["=", ":"]),
]


@pytest.mark.parametrize("text, line, words", BAD, ids=[repr(b[0][:24]) for b in BAD])
def test_bad_file(conf, text, line, words):
    path = conf(text)
    said = one_line_of_failure(server("-t", "-c", path))
    assert f"{path}:{line}: " in said, said
    assert all(word in said for word in words), said


def one_line_of_failure(done):
    assert done.returncode in (1, 64), (done.returncode, done.err)
    return one_line(done.err)


def test_rules_between_settings(conf):
    said = one_line_of_failure(server("-t", "-c", conf("default_n = 50\nmax_n = 10\n")))
    assert "default_n" in said and "max_n" in said


def test_colons_in_values_and_comments(conf):
    found = in_force("-c", conf("# port: 1\n; port: 1\naddress = ::1\nlog = a:b\n"))
    assert (found["address"], found["log"], found["port"]) == ("::1", "a:b", "8000")


def test_variables_are_in_capitals(conf):
    assert in_force("-c", conf(""), AKIN_port="8001", AKIN_Max_N="7")["port"] == "8000"
    assert in_force("-c", conf(""), AKIN_Max_N="7")["max_n"] == "100"
    assert in_force("-c", conf(""), AKIN_PORT="8001")["port"] == "8001"


def test_bad_environment(conf):
    assert "AKIN_WORKERS" in one_line_of_failure(server("-t", "-c", conf(""), AKIN_WORKERS="many"))


@pytest.mark.parametrize("arguments", [["--workers", "many"], ["--workers=65"], ["--wrokers", "2"], ["--workers"],
                                       ["-x"], ["extra"], ["--port", ""]])
def test_bad_flags(conf, arguments):
    done = server("-t", "-c", conf(""), *arguments)
    assert done.returncode in (1, 64) and done.err and done.err.count("\n") < 12, done.err


def test_a_file_that_is_not_there(tmp_path):
    assert "no.conf" in one_line_of_failure(server("-t", "-c", tmp_path / "no.conf"))


def test_binary_junk_as_file(conf):
    done = server("-t", "-c", conf(bytes(range(256)) * 4))
    assert done.returncode == 1
    one_line(done.err)


def test_check_says_so(conf, small):
    done = server("-t", "-c", conf(""), "--model", small(ROWS))
    assert done.returncode == 0 and done.err.strip() + done.out.strip()


def test_check_starts_nothing(conf, small, start):
    path = small(ROWS)
    running = start(path)
    segments = sorted(harness.SHM.glob("akin.*"))
    assert server("-t", "-c", conf(""), "--model", path, "--port", running.port).returncode == 0
    assert sorted(harness.SHM.glob("akin.*")) == segments
    assert running.get("/").status == 200


def test_check_looks_at_log_and_pid_file(conf, small, tmp_path):
    """Before a start does, and without leaving a file behind."""
    path, folder = small(ROWS), tmp_path / "folder"
    folder.mkdir()
    for key in ("log", "pid_file"):
        for where in (tmp_path / "none" / "x", folder, path / "x"):
            said = one_line_of_failure(server("-t", "-c", conf(""), "--model", path, f"--{key}={where}"))
            assert str(where) in said and "can't" in said, said
        there, new = folder / f"{key}.there", folder / f"{key}.new"
        there.write_text("kept")
        for where in (there, new):
            done = server("-t", "-c", conf(""), "--model", path, f"--{key}={where}")
            assert done.returncode == 0, done.err
        assert there.read_text() == "kept" and not new.exists()
    harness.os.mkfifo(folder / "fifo")
    one_line_of_failure(server("-t", "-c", conf(""), "--model", path, f"--pid_file={folder / 'fifo'}"))
    assert server("-t", "-c", conf(""), "--model", path, "--pid_file=", "--log=/dev/null").returncode == 0
    assert server("-t", "-c", conf(""), "--model", path, "--pid_file=/dev/null").returncode == 1


def test_check_tells_of_unknown_variables(conf, small):
    done = server("-t", "-c", conf(""), "--model", small(ROWS), AKIN_WROKERS="2")
    assert done.returncode == 0 and "AKIN_WROKERS" in done.err


def test_print_and_check(conf, small, tmp_path):
    for flags in (["-tT"], ["-T", "-t"]):
        done = server(*flags, "-c", conf(""), "--model", tmp_path / "none")
        assert done.returncode == 1 and "workers = " in done.out and "none" in one_line(done.err)
        done = server(*flags, "-c", conf(""), "--model", small(ROWS))
        assert done.returncode == 0 and "workers = " in done.out and "fine" in done.err


@pytest.mark.parametrize("flag", ["-h", "-V"])
def test_help_and_version(flag):
    done = server(flag)
    assert done.returncode == 0 and done.out and not done.err
    if flag == "-V":
        assert re.search(r"\d+\.\d+\.\d+", done.out)


# -- the man page and the sample file against the program ---------------------------------------------------------

def documented():
    """{key: (default, text)} of akin.conf(5)."""
    found = {}
    for part in re.split(r"^\.It Ic ", (TOP / "docs/akin.conf.5").read_text(), flags=re.M)[1:]:
        key = part.split()[0]
        plain = re.sub(r"^\.\w+ ?", "", part, flags=re.M)
        match = re.search(r"Default:\s+(\S+)", plain)
        found[key] = match and match[1].rstrip(".,"), plain
    return found


def test_every_setting_is_in_the_man_page_with_its_default(conf):
    manual, found = documented(), in_force("-c", conf(""))
    assert set(manual) == set(found)
    for key, (default, _) in manual.items():
        assert default == (found[key] or "empty"), key


def test_every_range_in_the_man_page_is_the_programs(conf):
    """The ends of each range are taken, and one beyond is refused."""
    path, ranges = conf(""), 0
    for key, (_, text) in documented().items():
        match = re.search(r"^(\d+) to (\d+)", text, re.M)
        if not match:
            continue
        ranges += 1
        low, high = map(int, match.groups())
        friend = {"default_n": ["--max_n", "10000"], "max_n": ["--default_n", "1"]}.get(key, [])
        for value in (low, high):
            assert in_force("-c", path, f"--{key}={value}", *friend)[key] == str(value)
        for value in (low - 1, high + 1):
            assert server("-T", "-c", path, f"--{key}={value}", *friend).returncode != 0, (key, value)
    assert ranges >= 12


def test_the_sample_file_holds_the_defaults(conf):
    text = (TOP / "etc/akin.conf").read_text()
    found = in_force("-c", conf(""))
    assert in_force("-c", TOP / "etc/akin.conf") == found
    shown = dict(re.findall(r"^#?(\w+) *= *(.*?) *$", text, re.M))
    assert shown == found


def test_fill_and_default_n(start, small):
    """Customer 1's most similar is 2, who has nothing new; A, B, C are left by popularity."""
    rows = [("1", "X"), ("2", "X"), ("3", "A"), ("4", "A"), ("4", "B"), ("5", "B"), ("5", "A"), ("6", "C")]
    path = small(rows)
    popular, none = start(path, default_n=2), start(path, fill="none")
    assert popular.get("/predict/user/1").json["data"] == {"1": ["A", "B"]}
    assert popular.get("/predict/user/1?n=5").json["data"] == {"1": ["A", "B", "C"]}
    assert none.get("/predict/user/1?n=5").nameless == b'{"success":true,"type":"user_based","total":0,"data":{"1":[]}}'


def test_max_n(start, small):
    server = start(small(ROWS), max_n=7)
    assert server.get("/predict/item/A?n=7").status == 200
    answer = server.get("/predict/item/A?n=8")
    assert answer.status == 422 and "7" in answer.json["detail"][0]["msg"]
