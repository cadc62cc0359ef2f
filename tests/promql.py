"""As much of PromQL as the tests need: which series an expression reads, with which matchers, over which range and
inside which functions. That an expression is valid is promtool's business, not this one's."""
import collections
import re

Selector = collections.namedtuple("Selector", "name matchers range functions")
TOKEN = re.compile(r"""
    (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)
  | (?P<variable>\$\{?\w+\}?)
  | (?P<number>[0-9][0-9a-zA-Z_.]*)
  | (?P<op>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],:@])
  | (?P<space>\s+|\#[^\n]*)
""", re.X)
GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "Inf", "NaN"}


def tokens(expr):
    at = 0
    while at < len(expr):
        found = TOKEN.match(expr, at)
        assert found, f"no PromQL at {at}: {expr[at:at + 20]!r}"
        if found.lastgroup != "space":
            yield found.lastgroup, found[0]
        at = found.end()


def closing(words, at):
    """Where the parenthesis that opens at `at` closes."""
    depth = 0
    for i in range(at, len(words)):
        depth += (words[i][1] in "([{") - (words[i][1] in ")]}") if words[i][0] == "op" else 0
        if not depth:
            return i
    raise AssertionError("a parenthesis does not close")


def selectors(expr):
    """Every series selector in expr."""
    words, found, stack, function, i = list(tokens(expr)) + [("end", "")], [], [], None, 0
    while words[i][0] != "end":
        kind, word = words[i]
        following = words[i + 1][1]
        if kind == "word" and word in GROUPING:
            i = closing(words, i + 1) if following == "(" else i
        elif kind == "word" and (following == "(" or following in ("by", "without")):
            function = word
        elif word == "(":
            stack.append(function)
            function = None
        elif word == ")":
            stack.pop()
        elif (kind == "word" and word not in WORDS) or word == "{":
            name, matchers, span = (word, [], None) if kind == "word" else (None, [], None)
            i += kind == "word"
            if words[i][1] == "{":
                end = closing(words, i)
                inside = words[i + 1:end]
                matchers = [(inside[k][1], inside[k + 1][1], inside[k + 2][1][1:-1]) for k in range(0, len(inside), 4)]
                i = end + 1
            if words[i][1] == "[":
                end = closing(words, i)
                span = "".join(w for _, w in words[i + 1:end])
                i = end + 1
            found.append(Selector(name, matchers, span, [f for f in stack if f]))
            continue
        i += 1
    return found


def names(expr):
    return {s.name for s in selectors(expr)}


def filled(expr, **variables):
    """An expression as Grafana sends it: filled(expr, job=".+", __rate_interval="1m")."""
    for name, value in variables.items():
        expr = expr.replace("${" + name + "}", value)
        expr = re.sub(r"\$" + re.escape(name) + r"\b", lambda _: value, expr)
    assert "$" not in expr, f"a variable is left in {expr}"
    return expr


def counting(expr):
    """An alert's condition as a question that always has an answer: comparisons give 0 or 1 instead of nothing, and of
    absent() what it looks for."""
    absent = re.fullmatch(r"\s*absent\((.*)\)\s*", expr, re.S)
    if absent:
        return absent[1]
    return re.sub(r'("(?:\\.|[^"\\])*")|(==|!=|>=|<=|>(?!=)|<(?!=))(?!\s*bool)(?![~])',
                  lambda m: m[1] or m[2] + " bool", expr)
