#!/usr/bin/python3
"""The table of docs/gate.md: what models of Online Retail keep from one month's end to the next, and what spoiled ones keep.

    usage: months.py [BUILD]
"""
import csv
import datetime
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

import independent

PREP = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TOP / "build").resolve() / "akin-prep"


def read():
    text = independent.unpack().decode("latin-1")
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    at = head.index("InvoiceDate")
    return head, [(datetime.datetime.strptime(row[at], "%m/%d/%Y %H:%M"), row) for row in rows]


def build(path, head, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    subprocess.run([PREP, "build", "-q", "-o", path, "--date-format", "mdy", "-"], check=True, input=text.getvalue().encode("latin-1"))
    return path


def diff(before, after):
    """Percent: items lost, customers lost, ids kept by items, by customers, by both."""
    told = json.loads(subprocess.run([PREP, "diff", "--json", before, after], check=True, stdout=subprocess.PIPE).stdout)
    items, users = told["answers"]["items"], told["answers"]["users"]
    both = 100 * (items["kept"] + users["kept"]) / (items["ids"] + users["ids"])
    return (told["items"]["lost_percent"], told["customers"]["lost_percent"], items["kept_percent"], users["kept_percent"],
            both), told["data"]


def line(name, figures, data):
    print(f"| {name} | " + " | ".join(f"{f:.1f} %" for f in figures) + f" | {data} |")


def months(rows, span):
    """(month's end, rows of the `span` months before it, or of all), as far as there are so many."""
    for end in [datetime.datetime(2011, month, 1) for month in range(1, 13)]:
        begin = (end.year * 12 + end.month - 1) - span if span else 0
        if not span or begin >= 2010 * 12 + 11:
            since = datetime.datetime(begin // 12, begin % 12 + 1, 1) if span else datetime.datetime.min
            yield end, [row for when, row in rows if since <= when < end]


def spoiled(head, rows):
    customer, plain = head.index("CustomerID"), [row for _, row in rows]
    shuffled = [row[customer] for row in plain]
    random.Random(1).shuffle(shuffled)
    yield "customers shuffled", [[*row[:customer], who, *row[customer + 1:]] for row, who in zip(plain, shuffled)]
    yield "customers 100 rows off", [[*row[:customer], plain[(at + 100) % len(plain)][customer], *row[customer + 1:]]
                                     for at, row in enumerate(plain)]
    yield "every second row", plain[::2]
    yield "every tenth row", plain[::10]
    yield "the first half", plain[:len(plain) // 2]


def main():
    head, rows = read()
    print("| from, to | items lost | customers lost | kept, items | kept, users | kept, both | data |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for span, name in ((0, "all rows"), (6, "6 months"), (3, "3 months")):
            before = None
            for end, part in months(rows, span):
                after = build(folder / f"{span}-{end:%Y%m}", head, part)
                if before:
                    line(f"{name} until {end - datetime.timedelta(1):%B %Y}", *diff(before, after))
                before = after
        whole = build(folder / "whole", head, [row for _, row in rows])
        for name, part in spoiled(head, rows):
            line(f"spoiled: {name}", *diff(whole, build(folder / "spoiled", head, part)))


main()
