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
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Protocol, cast

from speedcheck.logs.readings import fold

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


class Line(NamedTuple):
    """A line of the log; its positions are those of `Text.data`."""

    text: str
    start: int
    end: int


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
    for measured in ("train_time", "eval_time"):
        both = [name for unit in TIME_UNITS if (name := f"{measured}_{unit}") in names]
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


# A line of figures is short; the memory that a search may take grows with the line.
MAX_MATCHED_LINE = 64 << 10

# A sound pattern reads a MiB in 0.05 s, so that only one that backtracks without end meets these
# bounds. They count the processor's time of this process: a busy machine reads no less.
SECONDS_PER_LINE = 0.5
SECONDS_AT_FIRST = 2.0
SECONDS_PER_MIB = 2.0


class TooSlowError(Exception):
    """A pattern takes too long.

    Args:
        start: where the line stands; None where the time was used up before.
    """

    def __init__(self, start: int | None) -> None:
        self.start = start
        limit = f"{SECONDS_PER_LINE:g} s"
        super().__init__(
            "not read: the track's log_pattern was too slow for other files"
            if start is None
            else f"the track's log_pattern takes over {limit} here: file not read"
        )


class Search:
    """Searches the files of one folder with one allowance of time.

    Args:
        expressions: what is searched for; they are numbered from 1.
    """

    def __init__(self, expressions: Sequence[Expression]) -> None:
        self._compiled = [expression.compiled() for expression in expressions]
        self._seconds_left = SECONDS_AT_FIRST

    def allow(self, size: int) -> None:
        """Add the time for a file of as many bytes."""
        self._seconds_left += SECONDS_PER_MIB * size / 2**20

    def matches(self, line: Line) -> list[tuple[int, re.Match[str]]]:
        """Return the numbers and matches of what is found in a line, as it is or folded.

        Raises:
            TooSlowError: a search takes too long.
        """
        return self._matches(self._compiled, line)

    def has(self, expression: Expression, line: Line) -> bool:
        """Return whether another expression is found in a line.

        Raises:
            TooSlowError: the search takes too long.
        """
        return bool(self._matches([expression.compiled()], line))

    def _matches(
        self, searchers: Sequence[Searcher], line: Line
    ) -> list[tuple[int, re.Match[str]]]:
        if self._seconds_left < SECONDS_PER_LINE:
            raise TooSlowError(None)
        folded = fold(line.text)
        found: list[tuple[int, re.Match[str]]] = []
        begin = time.process_time()
        try:
            for number, searcher in enumerate(searchers, 1):
                match = searcher.search(line.text, timeout=SECONDS_PER_LINE)
                if match is None and folded is not line.text:
                    match = searcher.search(folded, timeout=SECONDS_PER_LINE)
                if match is not None:
                    found.append((number, match))
        except TimeoutError:
            raise TooSlowError(line.start) from None
        finally:
            self._seconds_left -= time.process_time() - begin
        return found
