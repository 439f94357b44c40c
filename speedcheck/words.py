"""Lists and numbers in sentences, in one form everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NAMED = 4


def join_some(items: Iterable[str], most: int = NAMED) -> str:
    """Return the first items, and how many more there are."""
    every = list(items)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")


def count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 run", "2 runs", "2 losses"."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{ending}"


def decimals(value: float) -> int:
    """Return how many digits a number has behind its point, as it is printed."""
    return len(repr(value).partition(".")[2])


def number_ranges(numbers: Sequence[int]) -> str:
    """Return whole numbers as ranges, "0 to 5, 8", the first few of them."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return join_some(f"{a}" if a == b else f"{a} to {b}" for a, b in ranges)
