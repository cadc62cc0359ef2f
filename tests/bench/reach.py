"""Whether a row of the bench reaches what it is to reach: the last column, as a program reads it."""
import re

NUMBER = r"\d[\d,]*(?:\.\d+)?"


def number(text):
    return float(text.replace(",", ""))


def missed(ours, ratio, reach):
    """"≤ 2 s" is about the figure, whose unit must be the same; "≤ 2" is about the ratio when there is one; "0" and "0, 0" want
    every number of the figure to be 0."""
    if not reach:
        return False
    if re.fullmatch(r"0(, 0)*", reach):
        found = [number(n) for n in re.findall(NUMBER, ours)]
        if len(found) != reach.count("0"):
            raise ValueError(f"{reach!r} can't be told of {ours!r}")
        return any(found)
    limit = re.fullmatch(rf"([≤≥]) ({NUMBER})( \S+)?", reach)
    figure = limit and re.match(rf"({NUMBER})( [^\s(]+)?", ours if limit[3] or not ratio else ratio)
    if not figure or limit[3] and limit[3] != figure[2]:
        raise ValueError(f"{reach!r} can't be told of {ours!r}")
    return number(figure[1]) > number(limit[2]) if limit[1] == "≤" else number(figure[1]) < number(limit[2])
