"""Patterns for texts that stand for a number in a range: JSON Schema cannot say it otherwise.

A pattern takes the number as it is usually written, without leading zeros."""

DURATIONS = {"ns": 1, "us": 10 ** 3, "ms": 10 ** 6, "s": 10 ** 9, "m": 60 * 10 ** 9,
             "h": 3600 * 10 ** 9, "d": 86400 * 10 ** 9}
SIZES = {"B?": 1, "KiB": 2 ** 10, "MiB": 2 ** 20, "GiB": 2 ** 30, "TiB": 2 ** 40}
UINT64_MAX = 2 ** 64 - 1


def digit(low, high):
    if low == high:
        return str(low)
    return f"[{low}-{high}]"


def any_digits(count):
    return {0: "", 1: "[0-9]"}.get(count, f"[0-9]{{{count}}}")


def same_length(low, high):
    """Alternatives for all numbers from low to high, texts of one length."""
    if low == high:
        return [low]
    rest = len(low) - 1
    if rest == 0:
        return [digit(low, high)]
    if low[0] == high[0]:
        return [low[0] + part for part in same_length(low[1:], high[1:])]
    first, last, out = int(low[0]), int(high[0]), []
    if low[1:] != "0" * rest:
        out += [low[0] + part for part in same_length(low[1:], "9" * rest)]
        first += 1
    tail = []
    if high[1:] != "9" * rest:
        tail = [high[0] + part for part in same_length("0" * rest, high[1:])]
        last -= 1
    if first <= last:
        out.append(digit(first, last) + any_digits(rest))
    return out + tail


def number(low, high):
    """A pattern, without anchors, for the whole numbers from low to high."""
    out = []
    for length in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 0 if length == 1 else 10 ** (length - 1))
        out += same_length(str(first), str(min(high, 10 ** length - 1)))
    # Lengths of which every number is allowed make one alternative.
    whole = [n for n in range(2, 21) if "[1-9]" + any_digits(n - 1) in out]
    if len(whole) > 1:
        out = [part for part in out if part not in {"[1-9]" + any_digits(n - 1) for n in whole}]
        out.append(f"[1-9][0-9]{{{whole[0] - 1},{whole[-1] - 1}}}")
    return "|".join(out)


def quantity(units, low, high):
    """A pattern for a number with a unit that stands for low to high of the smallest unit."""
    out = []
    for unit, factor in units.items():
        first, last = -(-low // factor), high // factor
        if first <= last:
            numbers = number(first, last)
            out.append((f"({numbers})" if "|" in numbers else numbers) + unit)
    return "^(" + "|".join(out) + ")$"


def duration(low, high):
    return quantity(DURATIONS, low, high or UINT64_MAX)


def size(low, high):
    return quantity(SIZES, low, high or UINT64_MAX)

