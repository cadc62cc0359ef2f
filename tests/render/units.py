"""Numbers as a dashboard shows them, and axes for them, by Grafana's names of units."""
import math

SECONDS = [(1e-6, "µs"), (1e-3, "ms"), (1, "s"), (60, "min"), (3600, "hours"), (86400, "days"), (365.25 * 86400, "years")]
BYTES = [(1, "B"), (1024, "KiB"), (1024 ** 2, "MiB"), (1024 ** 3, "GiB")]
SHORT = [(1, ""), (1e3, "K"), (1e6, "Mil")]
SCALES = {      # unit: steps, what follows
    "s": (SECONDS, ""), "bytes": (BYTES, ""), "Bps": (BYTES, "/s"), "short": (SHORT, ""), "none": (SHORT, ""),
    "reqps": (SHORT, "req/s"), "cps": (SHORT, "c/s"), "percentunit": ([(0.01, "%")], ""),
}


def scale(unit, size):
    """The step a number of this size is shown in: (divisor, name)."""
    steps, rest = SCALES[unit]
    fitting = [step for step in steps if abs(size) >= step[0] * 0.9999] or steps[:1]
    divisor, name = fitting[-1] if size else (steps[min(2, len(steps) - 1)] if unit == "s" else steps[0])
    return divisor, (name + (" " if name and rest else "") + rest if not rest.startswith("/") else name + rest)


def number(value, digits=3):
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(places, 3)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def written(value, name, digits=3):
    return number(value, digits) + ("" if name in ("%", "K", "") else " ") + name


def shown(value, unit):
    if value == 0:
        return written(0, "s" if unit == "s" else scale(unit, 0)[1])
    divisor, name = scale(unit, value)
    return written(value / divisor, name)


def ticks(low, high, unit, count=5):
    """Round values from low to high, and how they are written: [(value, text)]."""
    divisor, name = scale(unit, high)
    base = 2 if unit in ("bytes", "Bps") and divisor > 1 else 10
    span = (high - low) / divisor / count or 1
    power = base ** math.floor(math.log(span, base))
    steps = (1, 2, 4) if base == 2 else (1, 2, 2.5, 5, 10)
    step = next((s * power for s in steps if s * power >= span * 0.999), steps[-1] * power)
    first, found = math.ceil(low / divisor / step - 1e-9), []
    while (first + len(found)) * step <= high / divisor * (1 + 1e-9):
        value = (first + len(found)) * step
        found.append((value * divisor, written(value, name, 4) if value else shown(0, unit)))
    return found
