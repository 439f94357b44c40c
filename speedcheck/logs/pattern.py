"""A user's pattern for the lines of a log format that is not one of ours.

    SEED=(?P<seed>[0-9]+)|step:(?P<step>[0-9]+)/(?P<total>[0-9]+) .*val_bpb:(?P<val_loss>[0-9.]+)

A pattern may be written carelessly, or by a stranger in a pull request, so that it must be able
neither to hang the command nor to fill the memory: it is one of Python's `re`, which leaves out
the recursion and the fuzzy matching of the engine that applies it; it is short; its counted
repeats are few; and the engine, the package `regex`, stops a search that takes too long.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

MEASURE, STEP = "val_loss", "step"
GROUPS = (STEP, MEASURE, "total", "train_time_ms", "train_time_s", "seed")

MAX_LENGTH = 4000

# The engine unrolls counted repeats: `(?:a{1000}b){1000}` takes 270 MB before it reads anything.
MAX_REPEATS = 10_000
_REPEAT = re.compile(r"\{([0-9]*),?([0-9]*)\}")


class Searcher(Protocol):
    """What `regex` compiles an expression to: a search that can be stopped."""

    def search(self, string: str, *, timeout: float) -> re.Match[str] | None:
        """Search as `re` does; TimeoutError after `timeout` seconds of the processor."""


@dataclass(frozen=True, slots=True)
class LogPattern:
    """A regular expression whose named groups are the figures of a line.

    Args:
        text: the expression.

    Raises:
        ValueError: the expression cannot be used; the message says why.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MAX_LENGTH:
            raise ValueError(f"has {len(self.text)} characters, more than {MAX_LENGTH}")
        _check_groups(_groups(self.text))
        if _repeats(self.text) > MAX_REPEATS:
            raise ValueError(f"has counted repeats of more than {MAX_REPEATS} in all")
        self.compiled()

    @property
    def has_steps(self) -> bool:
        """Return whether lines give the step; else validations are counted."""
        return STEP in _groups(self.text)

    def compiled(self) -> Searcher:
        """Return the expression as the engine that can stop has it."""
        return _compile(self.text)


def _groups(text: str) -> set[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return set(re.compile(text).groupindex)
    except (re.error, OverflowError, Warning) as error:
        raise ValueError(f"is not a regular expression of Python ({error})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _check_groups(names: set[str]) -> None:
    if MEASURE not in names:
        raise ValueError(f"has no group (?P<{MEASURE}>...)")
    if "total" in names and STEP not in names:
        raise ValueError(f"has a group 'total' and no group (?P<{STEP}>...) to reach it")
    unknown = sorted(names - set(GROUPS))
    if unknown:
        raise ValueError(f"has a group {unknown[0]!r}; the groups are {', '.join(GROUPS)}")
    if {"train_time_ms", "train_time_s"} <= names:
        raise ValueError("has both train_time_ms and train_time_s")


def _repeats(text: str) -> int:
    """Return the most repeats that the counts can multiply to, as if all were nested."""
    counts = (max(int(low or 1), int(high or 1), 1) for low, high in _REPEAT.findall(text))
    return math.prod(counts)


@cache
def _compile(text: str) -> Searcher:
    # Only tracks with a pattern of their own need the package, which has no types.
    import regex  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        return cast(Searcher, regex.compile(text))
    except (regex.error, RecursionError) as error:
        raise ValueError(f"is not a regular expression of the package regex ({error})") from None
