"""akin-prep on small inputs written by hand: dialects, filters, counts of what is dropped, and bad input."""
import json
import os
import re
import subprocess
import threading

import pytest

import harness
import independent
from harness import prep, refused

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
GOOD = HEADER + """\
1,A,"LAMP, RED",6,12/1/2010 8:26,2.55,17850,United Kingdom
1,B,"THE ""BEST"" CUP",6,12/1/2010 8:26,2.55,17850,United Kingdom
2,A,LAMP AGAIN,1,12/13/2010 8:28,2.55,13047,France
C3,A,"LAMP, RED",-1,12/14/2010 8:28,2.55,13047,France
4,C,CLOCK,2,12/15/2010 8:28,2.55,,France
5,D,MUG,0,12/15/2010 8:28,2.55,13047,France
6,E,PLATE,3,12/15/2010 8:28,2.55,13047,France
"""
BASKETS = {"17850": ["A", "B"], "13047": ["A", "E"]}


def build(folder, raw, *options, name="m", **env):
    path = folder / name
    done = prep("build", "-o", path, *options, "-", stdin=raw if isinstance(raw, bytes) else raw.encode(), **env)
    done.model = path
    return done


def show(model, *arguments):
    done = prep("show", "--json", "-n", 100000, *arguments, model)
    assert done.returncode == 0, done.err
    return json.loads(done.out)


def baskets(model, customers):
    """Everything the model holds, given who should be in it."""
    found = {c: [i["id"] for i in show(model, "--customer", c)["items"]] for c in customers}
    summary = show(model)
    assert summary["customers"] == len(customers)
    assert summary["interactions"] == sum(map(len, found.values()))
    assert summary["items"] == len({i for items in found.values() for i in items})
    return found


def accepts(folder, raw, want=BASKETS, *options, **env):
    done = build(folder, raw, *options, **env)
    assert done.returncode == 0, done.err
    assert baskets(done.model, want) == want
    assert prep("verify", done.model).returncode == 0
    return done


def test_kept_and_dropped(tmp_path):
    done = accepts(tmp_path, GOOD)
    story = show(done.model)["provenance"]
    assert story["rows_read"] == 7 and story["rows_kept"] == 4
    assert {k: v for k, v in story["dropped"].items() if v} == {"no_customer": 1, "not_bought": 2}
    lamp = show(done.model, "--item", "A")
    assert lamp["description"] == "LAMP, RED" and lamp["customers"] == 2
    assert show(done.model, "--item", "B")["description"] == 'THE "BEST" CUP'


def test_online_retail_counts(model):
    summary = show(model)
    assert (summary["customers"], summary["items"], summary["interactions"]) == (4339, 3665, 266802)
    story = summary["provenance"]
    assert story["rows_read"] == 541909 and story["rows_kept"] == 397924
    assert sum(story["dropped"].values()) == 541909 - 397924
    assert story["dropped"]["no_customer"] == 135080
    assert story["data_until"] == "2011-12-09 12:50:00"


def test_plain_and_compressed_and_piped_input_give_the_same(tmp_path, model):
    raw = independent.unpack()
    plain = tmp_path / "OnlineRetail.csv"
    plain.write_bytes(raw)
    wanted = show(model)
    for name, done in (("file", prep("build", "-q", "-o", tmp_path / "a", plain)),
                       ("stdin", prep("build", "-q", "-o", tmp_path / "b", "-", stdin=raw)),
                       ("lz4 stdin", prep("build", "-q", "-o", tmp_path / "c", stdin=independent.DATA.read_bytes()))):
        assert done.returncode == 0, (name, done.err)
    for name in "abc":
        found = show(tmp_path / name)
        for key in ("customers", "items", "interactions", "item_rows", "customer_rows"):
            assert found[key] == wanted[key]


def test_the_model_does_not_depend_on_the_threads(tmp_path):
    made = []
    for threads in ("1", "3"):
        done = prep("build", "-q", "-j", threads, "-o", tmp_path / threads, independent.DATA, SOURCE_DATE_EPOCH="1700000000")
        assert done.returncode == 0, done.err
        made.append((tmp_path / threads).read_bytes())
    assert made[0] == made[1]


# -- dialects ------------------------------------------------------------------------------------------------------

SIMPLE = [("CustomerID", "StockCode", "Description", "Quantity"),
          ("17850", "A", "LAMP, RED; BIG|\tONE", "6"), ("17850", "B", 'THE "BEST"\nCUP', "1"),
          ("13047", "A", "LAMP", "1"), ("13047", "E", "", "2"), ("13047", "F", "no", "-1")]


def lines(delimiter, end, rows=SIMPLE, last=True):
    def field(text):
        return '"%s"' % text.replace('"', '""') if set(text) & set('\t,;|"\r\n') else text
    text = end.join(delimiter.join(map(field, row)) for row in rows)
    return text + end if last else text


@pytest.mark.parametrize("last", [True, False], ids=["ended", "unended"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "pipe"])
def test_dialect(tmp_path, delimiter, end, bom, last):
    done = accepts(tmp_path, bom + lines(delimiter, end, last=last).encode())
    assert show(done.model, "--item", "A")["description"] == "LAMP, RED; BIG|\tONE"
    assert show(done.model, "--item", "B")["description"].split() == ["THE", '"BEST"', "CUP"]
    assert show(done.model)["provenance"]["rows_read"] == 5


def test_a_space_behind_every_delimiter(tmp_path):
    done = accepts(tmp_path, '"CustomerID", "StockCode", "Description"\n"17850", "A", "LAMP, RED"\n "17850" , "B", x\n'
                             '13047, A, x\n13047, "E", "x"\n')
    assert show(done.model, "--item", "A")["description"] == "LAMP, RED"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252"])
def test_text_is_stored_as_utf8(tmp_path, encoding):
    text = "CustomerID,StockCode,Description\n1,Ä1,£ café\n1,B,plain\n"
    if encoding == "cp1252":
        text = text.replace("plain", "€ “x”")
    done = accepts(tmp_path, text.encode(encoding), {"1": ["Ä1", "B"]})
    assert show(done.model, "--item", "Ä1")["description"] == "£ café"
    assert show(done.model, "--item", "B")["description"] == ("€ “x”" if encoding == "cp1252" else "plain")


@pytest.mark.parametrize("header", [
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
    "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
    "INVOICE, stock code ,description,QUANTITY,invoicedate,price,customerid,country",
    '"InvoiceNo","StockCode","Description","Quantity","InvoiceDate","UnitPrice","CustomerID","Country"',
])
def test_both_editions_headers(tmp_path, header):
    accepts(tmp_path, GOOD.replace(HEADER, header + "\n"))


def test_columns_in_another_order_and_more_of_them(tmp_path):
    accepts(tmp_path, "x,Quantity,CustomerID,y,StockCode,z\n,1,17850,,A,\n,1,17850,,B,\n,1,13047,,A,9\n,2,13047,,E,9\n")


def test_columns_by_name(tmp_path):
    accepts(tmp_path, "who,what,many\n17850,A,1\n17850,B,2\n13047,A,1\n13047,E,3\n13047,F,-3\n", BASKETS,
            "--columns", "customer=who,item=what,quantity=many")


def test_only_customer_and_item_are_needed(tmp_path):
    done = accepts(tmp_path, "CustomerID,StockCode\n17850,A\n17850,B\n13047,A\n13047,E\n")
    story = show(done.model)["provenance"]
    assert story["recency_off"] and story["data_until"] is None
    assert "recen" in done.out + done.err


def test_numbers_and_missing_values_as_other_tools_write_them(tmp_path):
    accepts(tmp_path, "CustomerID,StockCode,Quantity\n17850.0,A,6.0\n17850,B,\"6,0\"\n13047.0,A,1\n13047,E,0.5\n"
                      "nan,X,1\nNULL,X,1\nNaN,X,1\n,X,1\n13047,Z,0.0\n13047,Z,-1.0\n")


def test_ids_are_texts(tmp_path):
    accepts(tmp_path, "CustomerID,StockCode\n0017,007\n0017,7\n17,a b\n17,x/y\n17,A\n17,a\n",
            {"0017": ["007", "7"], "17": ["a b", "x/y", "A", "a"]})


def test_first_appearance_is_the_order_of_items(tmp_path):
    accepts(tmp_path, "CustomerID,StockCode,Quantity\n1,Z,-1\n1,Y,1\n2,B,1\n2,A,1\n1,Z,1\n1,A,1\n1,B,1\n2,Y,1\n",
            {"1": ["Y", "B", "A", "Z"], "2": ["Y", "B", "A"]})


def test_several_files_are_one_input(tmp_path):
    (tmp_path / "1.csv").write_text("CustomerID,StockCode\n17850,A\n17850,B\n")
    (tmp_path / "2.csv").write_text("Stock Code;Customer ID\r\nA;13047\r\nE;13047\r\n")
    done = prep("build", "-o", tmp_path / "m", tmp_path / "1.csv", tmp_path / "2.csv")
    assert done.returncode == 0, done.err
    assert baskets(tmp_path / "m", BASKETS) == BASKETS


@pytest.mark.parametrize("dates, options, until", [
    (["12/1/2010 8:26", "12/13/2010 8:28"], [], "2010-12-13 08:28:00"),
    (["1/12/2010 8:26", "13/12/2010 8:28"], [], "2010-12-13 08:28:00"),
    (["2010-12-01 08:26:00", "2010-12-13 08:28:00"], [], "2010-12-13 08:28:00"),
    (["2010-12-01T08:26:00", "2010-12-13T08:28:00"], [], "2010-12-13 08:28:00"),
    (["2010-12-01", "2010-12-13"], [], "2010-12-13 00:00:00"),
    (["1/2/2010 8:26", "3/4/2010 8:28"], ["--date-format", "mdy"], "2010-03-04 08:28:00"),
    (["1/2/2010 8:26", "3/4/2010 8:28"], ["--date-format", "dmy"], "2010-04-03 08:28:00"),
    (["1/2/2010 8:26", "3/4/2010 8:28"], [], None),
    (["12/1/2010 8:26", "12/13/2010 8:28"], ["--date-format", "none"], None),
])
def test_dates(tmp_path, dates, options, until):
    text = "CustomerID,StockCode,InvoiceDate\n" + "".join(f"1,I{at},{date}\n" for at, date in enumerate(dates))
    done = accepts(tmp_path, text, {"1": ["I0", "I1"]}, *options)
    assert show(done.model)["provenance"]["data_until"] == until
    if until is None and not options:
        assert "ambiguous" in done.out + done.err


def test_recent_popularity_is_the_last_thirty_days(tmp_path):
    text = "CustomerID,StockCode,InvoiceDate\n" + "".join(f"{c},OLD,2010-01-01\n" for c in range(3)) + \
           "9,NEW,2010-06-01\n9,OLD,2010-03-01\n8,MID,2010-05-10\n"
    done = accepts(tmp_path, text, {"0": ["OLD"], "1": ["OLD"], "2": ["OLD"], "9": ["OLD", "NEW"], "8": ["MID"]})
    assert show(done.model, "--item", "OLD")["recent"] is None
    assert show(done.model, "--item", "NEW")["recent"] == {"place": 2, "customers": 1}    # MID is the smaller id
    assert show(done.model, "--item", "OLD")["popular"] == {"place": 1, "customers": 4}


def test_scores_by_hand(tmp_path):
    """A: 1 2 3, B: 1 2, C: 3. cos(A,B) = 2/sqrt(6), cos(A,C) = 1/sqrt(3)."""
    done = build(tmp_path, "CustomerID,StockCode\n1,A\n1,B\n2,A\n2,B\n3,A\n3,C\n")
    found = show(done.model, "--item", "A")["neighbours"]
    assert [(n["id"], n["common"], n["of"]) for n in found] == [("B", 2, 2), ("C", 1, 1)]
    assert abs(found[0]["score"] - 0.816496580927726) < 1e-12 and abs(found[1]["score"] - 0.577350269189626) < 1e-12
    found = show(done.model, "--customer", "3")["neighbours"]
    assert [n["id"] for n in found] == ["1", "2"]       # a tie, by the smaller id


def test_ties_go_to_the_smaller_id_by_bytes(tmp_path):
    ids = ["b", "B", "a", "10", "9", "é", "z", "AA", "A"]
    done = build(tmp_path, "CustomerID,StockCode\n" + "".join(f"1,{i}\n" for i in ids))
    for item in ids:
        want = sorted((i for i in ids if i != item), key=str.encode)
        assert [n["id"] for n in show(done.model, "--item", item)["neighbours"]] == want


# -- bad input -----------------------------------------------------------------------------------------------------

def bad_build(tmp_path, *arguments, stdin=b""):
    """It is refused in one line, and what stood at the output is as it was."""
    out = tmp_path / "out.model"
    out.write_bytes(b"as it was")
    done = prep("build", "-q", "-o", out, *arguments, stdin=stdin)
    assert out.read_bytes() == b"as it was"
    assert [p for p in tmp_path.iterdir() if "out.model" in p.name] == [out], "something was left aside"
    return done


@pytest.mark.parametrize("raw, words", [
    (b"", ["empty|no header|no line"]),
    (b"\n", []),
    (HEADER.encode(), ["no row|0 rows|none"]),
    (b"StockCode,Quantity\nA,1\n", ["customer"]),
    (b"CustomerID,Quantity\n1,1\n", ["item"]),
    (b"CustomerID,StockCode,StockCode\n1,A,A\n", ["item|twice|StockCode"]),
    (b"CustomerID,StockCode,Quantity\n1,A,-1\n,B,1\n", ["no row|0 rows|none|of 2"]),
    (b"CustomerID,StockCode\n" + b"1,A\n" * 5 + b"1\n", ["field|:7"]),
    (b"CustomerID,StockCode,Quantity\n1,A,six\n2,B,1\n", ["six|1 of 2|quantity|50"]),
    (b'CustomerID,StockCode\n1,A\n2,"B\n3,C\n', ["quote"]),
    (b"CustomerID,StockCode\n1,A\n2," + b"x" * (1 << 20) + b"\n", ["field|long|size"]),
    (bytes(range(256)) * 300, []),
    (b"\x00" * 5000, []),
    (b"\x7fELF" + os.urandom(9000), []),
    (b"\x04\x22\x4d\x18" + b"\xff" * 100, ["LZ4"]),
    (b"\x1f\x8b\x08\x00" + b"\x00" * 100, []),
    (b"PK\x03\x04" + b"\x00" * 100, []),
    (b"\x02\x21\x4c\x18" + b"\x00" * 100, ["LZ4"]),
], ids=["empty", "newline", "header only", "no customer column", "no item column", "column twice", "no row kept",
        "short row", "bad quantity", "unended quote", "1 MB field", "all bytes", "zeros", "elf", "bad lz4", "gzip", "zip", "old lz4"])
def test_bad_input(tmp_path, raw, words):
    refused(bad_build(tmp_path, "-", stdin=raw), *words)


def test_no_such_file(tmp_path):
    refused(bad_build(tmp_path, tmp_path / "nope.csv"), "nope.csv", "No such file")


def test_a_directory(tmp_path):
    refused(bad_build(tmp_path, tmp_path), "directory|regular")


def test_a_fifo_that_ends_early(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def write():
        with open(fifo, "wb") as f:
            f.write(HEADER.encode()[:20])

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    refused(bad_build(tmp_path, fifo))
    writer.join(harness.PATIENCE)


@pytest.mark.parametrize("cut", [1, 3, 7, 20, 1000, 4_000_000, -1, -4, -8])
def test_a_truncated_lz4_frame(tmp_path, cut):
    refused(bad_build(tmp_path, "-", stdin=independent.DATA.read_bytes()[:cut]))


def test_a_flipped_lz4_frame(tmp_path):
    raw = bytearray(independent.DATA.read_bytes())
    raw[5_000_000] ^= 4
    refused(bad_build(tmp_path, "-", stdin=bytes(raw)))


def test_an_output_that_cannot_be(tmp_path):
    fifo = tmp_path / "fifo"        # never a device of the machine's own: a broken program would replace it
    os.mkfifo(fifo)
    for path in (tmp_path / "no" / "folder" / "m", tmp_path, fifo):
        done = prep("build", "-q", "-o", path, "-", stdin=GOOD.encode())
        refused(done, str(path))
    assert fifo.is_fifo()


def test_the_input_is_not_overwritten(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(GOOD)
    refused(prep("build", "-q", "-o", path, path))
    assert path.read_text() == GOOD


def test_a_link_at_the_output_is_replaced_and_what_it_leads_to_stays(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("as it was")
    link.symlink_to(real)
    assert build(tmp_path, GOOD, "-q", name="link").returncode == 0
    assert real.read_text() == "as it was" and not link.is_symlink() and prep("verify", link).returncode == 0


def test_ten_percent_is_the_limit_of_malformed_rows(tmp_path):
    good, bad = "1,A,1\n2,B,1\n" * 45, "1,A,six\n"
    raw = "CustomerID,StockCode,Quantity\n" + good + bad * 10
    want = {"1": ["A"], "2": ["B"]}
    accepts(tmp_path, raw, want)
    refused(build(tmp_path, raw + bad, "-q"), "malformed")
    accepts(tmp_path, raw + bad, want, "--max-bad", "0.2")
    refused(build(tmp_path, raw, "-q", "--strict"), ":92: ", "six")


def test_examples_of_dropped_rows_have_file_line_rule_and_value(tmp_path):
    raw = "CustomerID,StockCode,Quantity\n" + "1,A,1\n" * 50 + '2,"B\nC",six\n' + "3,C,1\n"
    path = tmp_path / "shop.csv"
    path.write_text(raw)
    done = prep("build", "-o", tmp_path / "m", path)
    assert done.returncode == 0
    assert f"{path}:52: " in done.err and "six" in done.err


def test_a_frequent_reason_leaves_room_for_the_examples_of_others(tmp_path):
    raw = "CustomerID,StockCode,Quantity\n" + "1,A,-1\n" * 40 + ",A,1\n" * 40 + "1,A,1\n"
    for options, lines in (([], [2, 3, 4, 42, 43, 44]), (["-v"], [*range(2, 32), *range(42, 72)]), (["-q"], [])):
        done = build(tmp_path, raw, *options)
        assert done.returncode == 0
        assert re.findall(r"^stdin:(\d+): ", done.err, re.M) == list(map(str, lines))


@pytest.mark.parametrize("arguments", [
    ["bild"], ["build", "--neighbours", "x", "-"], ["build", "-j", "0", "-"], ["build", "--max-bad", "2", "-"],
    ["build", "--max-bad", "0x1p-1", "-"], ["build", "--max-bad", "nan", "-"], ["build", "--max-bad", "", "-"],
    ["build", "--delimiter", "ab", "-"], ["build", "--date-format", "ymd?", "-"], ["build", "--columns", "foo=1", "-"],
    ["build", "--columns", "item", "-"], ["build", "--nope"], ["build", "-o"], ["show"], ["show", "a", "b"], ["verify"],
    ["verify", "--item", "a", "b"], ["show", "-n", "0", "x"], ["show", "--item", "a", "--customer", "b", "x"]])
def test_bad_command_lines(arguments):
    done = prep(*arguments, stdin=GOOD.encode())
    assert done.returncode == 64 and not done.out, (done.returncode, done.out)
    assert done.err.count("\n") == 1 and done.err.startswith("akin-prep"), done.err


def test_usage_is_shown_to_who_asks_and_to_who_says_nothing():
    for arguments, status in ((["--help"], 0), (["build", "--help"], 0), (["verify", "-h"], 0), (["show", "-h"], 0), ([], 64)):
        done = prep(*arguments)
        assert done.returncode == status and "usage: akin-prep" in (done.err if status else done.out)


def test_show_of_what_is_not_there(model):
    refused(prep("show", "--item", "nope", model), "nope")
    refused(prep("show", "--customer", "\x1b[2J", model), r"\\x1b")


def test_show_prints_no_control_characters(tmp_path):
    done = build(tmp_path, 'CustomerID,StockCode,Description\n1,A,"bad \x1b[2J text"\n1,B,x\n')
    assert done.returncode == 0
    shown = prep("show", "--item", "A", done.model)
    assert shown.returncode == 0 and "\x1b" not in shown.out


def test_a_full_disk_is_said(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run([harness.PREP, "build", "-o", tmp_path / "m", "-"], input=GOOD.encode(), stdout=full,
                              stderr=subprocess.PIPE, timeout=harness.PATIENCE)
    assert done.returncode == 1 and b"No space left" in done.stderr


def test_a_file_size_limit_is_said_and_nothing_is_left(tmp_path):
    out = tmp_path / "m"
    done = subprocess.run(["/bin/sh", "-c", 'ulimit -f 4; exec "$@"', "sh", harness.PREP, "build", "-q", "-o", out,
                           independent.DATA], capture_output=True, timeout=harness.PATIENCE)
    assert done.returncode == 1 and b"File too large" in done.stderr and not list(tmp_path.iterdir())


def test_a_catalogue_too_large_for_whole_rows(tmp_path):
    """9000 items: above the limit up to which the server keeps rests; the answers are the same."""
    rows = [f"{c},I{(c * 7919 + k * 31) % 9000:04}" for c in range(1500) for k in range(12)] + \
           [f"x{i % 50},I{i:04}" for i in range(9000)]
    done = build(tmp_path, "CustomerID,StockCode\n" + "\n".join(rows) + "\n")
    assert done.returncode == 0, done.err
    summary = show(done.model)
    assert summary["items"] == 9000 and not summary["item_rows"]["whole"] and summary["customer_rows"]["whole"]
    expected = independent.Expected([(*row.split(","), "") for row in rows])
    for item in ("I0000", "I4711", "I8999"):
        want = [(other, co) for other, co in expected.near(expected.buyers, item)]
        assert [(n["id"], n["common"]) for n in show(done.model, "--item", item)["neighbours"]] == want
