"""A user's patterns for the lines of a log format that is not one of ours.

    SEED=(?P<seed>[0-9]+)
    step:(?P<step>[0-9]+)/(?P<total>[0-9]+) .*val_bpb:(?P<val_loss>[0-9.]+)

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

MEASURE, STEP, FINAL = "val_loss", "step", "final"
TIME_UNITS = {"ms": 1.0, "s": 1e3, "min": 6e4}
"""Endings of the groups that give a time, and how many milliseconds each is."""

FIGURES = (
    STEP,
    MEASURE,
    "total",
    "seed",
    "run",
    *(f"train_time_{unit}" for unit in TIME_UNITS),
    *(f"eval_time_{unit}" for unit in TIME_UNITS),
    "started_ms",
    "stopped_ms",
    "artifact_bytes",
    "val_tokens",
    "train_shards",
)
"""What a line can tell of a run: the groups of a pattern, and the keys of `columns`."""

GROUPS = (*FIGURES, FINAL)

MAX_LENGTH = 4000

# The engine unrolls counted repeats: `(?:a{1000}b){1000}` takes 270 MB before it reads anything.
MAX_REPEATS = 10_000
_REPEAT = re.compile(r"\{([0-9]*),?([0-9]*)\}")

# The word before the measure: escapes and sets of characters between the two are separators.
_SEPARATORS = re.compile(r"\\[sSdDwWbB][*+?]?|\[[^\]]*\][*+?]?|\{[0-9,]*\}")
_LAST_WORD = re.compile(r"([A-Za-z][A-Za-z0-9_]*)[^A-Za-z0-9_]*\Z")


class Searcher(Protocol):
    """What `regex` compiles an expression to: a search that can be stopped."""

    def search(self, string: str, *, timeout: float) -> re.Match[str] | None:
        """Search as `re` does; TimeoutError after `timeout` seconds of the processor."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression that can be applied to a stranger's log.

    Args:
        text: the expression.

    Raises:
        ValueError: the expression cannot be used; the message says why.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MAX_LENGTH:
            raise ValueError(f"has {len(self.text)} characters, more than {MAX_LENGTH}")
        self._check_groups(_groups(self.text))
        if _repeats(self.text) > MAX_REPEATS:
            raise ValueError(f"has counted repeats of more than {MAX_REPEATS} in all")
        self.compiled()

    def _check_groups(self, names: set[str]) -> None:
        """Refuse groups that mean nothing here."""

    def compiled(self) -> Searcher:
        """Return the expression as the engine that can stop has it."""
        return _compile(self.text)


@dataclass(frozen=True, slots=True)
class LogPattern(Expression):
    """An expression whose named groups are the figures of a line, at least one of `GROUPS`."""

    @property
    def groups(self) -> frozenset[str]:
        """Return the names of the groups."""
        return frozenset(_groups(self.text))

    @property
    def measure(self) -> tuple[str, ...]:
        """Return the word directly before the group `val_loss`, and its last part; () without."""
        before, group, _ = self.text.partition(f"(?P<{MEASURE}>")
        word = _LAST_WORD.search(_SEPARATORS.sub(" ", before)) if group else None
        return names_of_measure(word[1]) if word else ()

    def _check_groups(self, names: set[str]) -> None:
        unknown = sorted(names - set(GROUPS))
        if unknown:
            raise ValueError(f"has a group {unknown[0]!r}; the groups are {', '.join(GROUPS)}")
        if not names:
            raise ValueError(f"has no named group; the groups are {', '.join(GROUPS)}")
        check_times(names)


def check_times(names: frozenset[str] | set[str]) -> None:
    """Refuse figures that give one time in two units.

    Raises:
        ValueError: two of the names do.
    """
    for time in ("train_time", "eval_time"):
        both = [name for unit in TIME_UNITS if (name := f"{time}_{unit}") in names]
        if len(both) > 1:
            raise ValueError(f"has both {both[0]} and {both[1]}")


def names_of_measure(word: str) -> tuple[str, ...]:
    """Return the names of a measure: "val_bpb" is also called "bpb"."""
    return tuple(dict.fromkeys((word, re.split(r"[_/. -]", word)[-1])))


def _groups(text: str) -> set[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return set(re.compile(text).groupindex)
    except (re.error, OverflowError, Warning) as error:
        raise ValueError(f"is not a regular expression of Python ({error})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


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
