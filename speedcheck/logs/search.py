"""Searches of lines that cannot take long, whatever the pattern and the line are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from speedcheck.logs.folding import fold

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from speedcheck.logs.gather import Line
    from speedcheck.logs.pattern import Expression, Searcher

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
