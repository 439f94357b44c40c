"""Logs in a format of their own to runs, as their track describes it.

Each line is searched by every pattern on its own, and what they give is taken together; where two
give the same figure, the first pattern counts. A file that begins with the header of a table, or
a line that is a JSON object, is read by the track's columns.

Programs inside the log are left out as in every log, by the grammar of `sections`; a file without
any separator line is read as a whole.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from speedcheck.logs.assemble import assemble
from speedcheck.logs.gather import HELD, Gatherer
from speedcheck.logs.header import completed, read_environment, read_fingerprints
from speedcheck.logs.line_figures import Columns, Table
from speedcheck.logs.log_file import (
    MAX_UNREAD,
    Environment,
    LogFile,
    Problem,
    Run,
    UnreadValidation,
)
from speedcheck.logs.log_text import MAX_SHOWN, NotTextError, Problems, Text, normalise, quoted
from speedcheck.logs.parse import MAX_VALIDATIONS
from speedcheck.logs.patterns import (
    FINAL,
    MAX_MATCHED_LINE,
    MEASURE,
    STEP,
    Expression,
    Line,
    LogPattern,
    Search,
    TooSlowError,
    names_of_measure,
)
from speedcheck.logs.sections import note_open_program, output_stretches
from speedcheck.logs.unread import find_validations

MAX_PATTERNS = 16


@dataclass(frozen=True, slots=True)
class ForeignFormat:
    """How a track's logs are read.

    Args:
        patterns: what finds the figures of a line.
        columns: which columns of tables and JSON objects hold them.
        skip_before: lines before the first one that matches give no results, nor do those behind
        skip_after: the first one from there on that matches.

    Raises:
        ValueError: no figure is the measure, or the parts do not go together.
    """

    patterns: tuple[LogPattern, ...] = ()
    columns: Columns | None = None
    skip_before: Expression | None = None
    skip_after: Expression | None = None

    def __post_init__(self) -> None:
        if len(self.patterns) > MAX_PATTERNS:
            raise ValueError(f"has {len(self.patterns)} patterns, more than {MAX_PATTERNS}")
        groups = self._groups()
        if self.patterns and MEASURE not in groups:
            raise ValueError(f"has no group (?P<{MEASURE}>...)")
        if self.patterns and "total" in groups and STEP not in groups:
            raise ValueError(f"has a group 'total' and no group (?P<{STEP}>...) to reach it")

    @property
    def has_steps(self) -> bool:
        """Return whether lines give the step; else validations are counted."""
        return STEP in self._groups()

    @property
    def has_final(self) -> bool:
        """Return whether a pattern names the line that decides."""
        return FINAL in self._groups()

    @property
    def measure(self) -> tuple[str, ...]:
        """Return the words that stand for the measure in the patterns and columns."""
        words = [word for pattern in self.patterns for word in pattern.measure]
        if self.columns:
            words += names_of_measure(self.columns.measure)
        return tuple(dict.fromkeys(words))

    def _groups(self) -> frozenset[str]:
        groups = frozenset[str]().union(*(pattern.groups for pattern in self.patterns))
        return groups | self.columns.figures if self.columns else groups


class TakenLine(NamedTuple):
    """A line with figures, for people who write patterns.

    Attributes:
        line: number of the line, from 1.
        by: the numbers of the patterns that match, from 1; () for columns and fingerprints.
        figures: what it gives, by name.
        is_skipped: whether its results are skipped.
        problem: what is wrong with it; "" if nothing is.
        text: the line.
    """

    line: int
    by: tuple[int, ...]
    figures: dict[str, str]
    is_skipped: bool
    problem: str
    text: str


class ForeignParser:
    """Parses the logs of one folder with one allowance of time.

    Args:
        log_format: how the track's logs are read.

    Attributes:
        taken: the lines with figures of the last file, if `keep_lines` was given.
    """

    def __init__(self, log_format: ForeignFormat, *, keep_lines: bool = False) -> None:
        self._format = log_format
        self._search = Search(log_format.patterns)
        self._keeps_lines = keep_lines
        self.taken: list[TakenLine] = []

    def __call__(self, data: bytes, name: str) -> LogFile:
        """Read the bytes of one file; never raises, as `parse_log`."""
        sha256 = hashlib.sha256(data).hexdigest()
        self._search.allow(len(data))
        self.taken = []
        try:
            text = normalise(data)
        except NotTextError as error:
            problem = Problem("not_text", None, str(error))
            return LogFile(name, sha256, len(data), (), (problem,), self._hidden(data))
        runs, problems = self._read(text, name)
        if not runs:
            message = "no line gives a validation by the track's log_pattern"
            problems.add("no_run", None, message)
        return LogFile(name, sha256, len(data), runs, problems.all(), problems.unread)

    def _hidden(self, data: bytes) -> tuple[UnreadValidation, ...]:
        """The validations of bytes that are not text, as if they were without their NUL bytes."""
        runs, _ = self._read(normalise(data.replace(b"\0", b"")), "")
        found = [
            validation
            for run in runs
            for validation in (*run.validations, run.result)
            if validation is not None
        ]
        unread = {v.line: UnreadValidation(v.line, v.step, v.loss, "") for v in found}
        return tuple(unread.values())[:MAX_UNREAD] or tuple(find_validations(data))

    def _read(self, text: Text, name: str) -> tuple[tuple[Run, ...], Problems]:
        problems = Problems(text.data)
        try:
            gatherer, stretches = self._gather(text, problems, has_steps=self._format.has_steps)
            if gatherer.lacks_steps:
                # A log that tells no step is read as if the track had none.
                problems = Problems(text.data)
                gatherer, stretches = self._gather(text, problems, has_steps=False)
        except TooSlowError as error:
            problems.add("slow_pattern", error.start, str(error))
            return (), problems
        found = assemble(
            gatherer,
            name,
            problems,
            has_final=self._format.has_final,
        )
        runs: list[Run] = []
        before, environment = 0, Environment()
        for start, end, run in found:
            named = read_environment(_outside(text.data, stretches, before, start))
            environment = completed(named, environment)
            runs.append(replace(run, index=len(runs), environment=environment))
            before = end
        return tuple(runs), problems

    def _gather(
        self, text: Text, problems: Problems, *, has_steps: bool
    ) -> tuple[Gatherer, list[tuple[int, int]]]:
        """What the lines of a log tell, and the stretches outside of its programs."""
        self.taken = []
        stretches = output_stretches(text.data)
        note_open_program(text.data, stretches[-1][1], problems)
        gatherer = Gatherer(problems, has_steps=has_steps)
        begin, end = self._kept(text.data, stretches)
        header, table = self._table(text.data, stretches)
        for line in _lines(text.data, stretches, problems):
            is_last = text.cut and line.end == len(text.data) - 1
            is_skipped = not begin <= line.start < end
            rows_of = None if line.start == header else table
            for by, fields, is_row in self._figures(line, rows_of, problems, is_last=is_last):
                kept = {k: v for k, v in fields.items() if k in HELD} if is_skipped else fields
                problem = (gatherer.read_row if is_row else gatherer.read)(kept, line)
                if self._keeps_lines:
                    number = problems.line_at(line.start)
                    taken = TakenLine(number, by, fields, is_skipped, problem, line.text)
                    self.taken.append(taken)
            if gatherer.count > MAX_VALIDATIONS:
                message = f"more than {MAX_VALIDATIONS} validation lines: not read further"
                problems.add("flood", None, message)
                break
        return gatherer, stretches

    def _figures(
        self, line: Line, table: Table | None, problems: Problems, *, is_last: bool
    ) -> Iterator[tuple[tuple[int, ...], dict[str, str], bool]]:
        """The figures of a line, by which patterns, and whether they are a row of a table."""
        columns = self._format.columns
        is_cut = is_last and table is not None and table.may_be_cut(line.text)
        rows = list(table.rows(line.text)) if table else []
        if not rows and columns and (row := columns.json_row(line.text)):
            rows = [row]
        matches = [] if rows else self._search.matches(line)
        if is_cut or (is_last and any(_ends_in_figure(match) for _, match in matches)):
            message = f"the file ends within this line: not read: {quoted(line.text)}"
            problems.add("cut_line", line.start, message)
            return
        yield from (((), row, True) for row in rows)
        fields = _printed_fingerprints(line.text)
        for _, match in reversed(matches):
            fields |= {name: text for name, text in match.groupdict().items() if text is not None}
        if fields and not rows:
            yield tuple(number for number, _ in matches), fields, False

    def _kept(self, data: bytes, stretches: list[tuple[int, int]]) -> tuple[int, float]:
        """Between which positions lines give results."""
        begin, end = 0, math.inf
        if self._format.skip_before:
            begin = next(self._places(self._format.skip_before, data, stretches, 0), 0)
        if self._format.skip_after:
            behind = next(self._places(self._format.skip_after, data, stretches, begin), None)
            end = math.inf if behind is None else behind + 1
        return begin, end

    def _places(
        self, expression: Expression, data: bytes, stretches: list[tuple[int, int]], begin: int
    ) -> Iterator[int]:
        for line in _lines(data, stretches):
            if line.start >= begin and self._search.has(expression, line):
                yield line.start

    def _table(
        self, data: bytes, stretches: list[tuple[int, int]]
    ) -> tuple[int | None, Table | None]:
        """Where the first line that is not empty stands, and the table whose header it is."""
        if self._format.columns is None:
            return None, None
        first = next((line for line in _lines(data, stretches) if line.text.strip()), None)
        if first is None:
            return None, None
        return first.start, self._format.columns.table(first.text)


def _lines(
    data: bytes, stretches: list[tuple[int, int]], problems: Problems | None = None
) -> Iterator[Line]:
    """Every line that may be one of figures; one that is too long is unread if it tells some."""
    for before, behind in stretches:
        start = before + 1
        while start < behind:
            end = data.find(b"\n", start)
            if start < end <= start + MAX_MATCHED_LINE:
                yield Line(data[start:end].decode("utf-8", "replace"), start, end)
            elif end > start and problems:
                head = data[start : start + MAX_SHOWN]
                problems.add_unread(start, head.decode("utf-8", "replace"))
            start = end + 1


def _outside(data: bytes, stretches: list[tuple[int, int]], start: int, end: int) -> bytes:
    parts = (data[max(start, first) : min(end, last)] for first, last in stretches)
    return b"\n" + b"\n".join(parts)


def _printed_fingerprints(text: str) -> dict[str, str]:
    """The fingerprints of the data that a line prints in the usual form."""
    if "val_tokens" not in text and "train_shards" not in text:
        return {}
    printed = read_fingerprints(text.encode("utf-8", "replace"))
    return {key: str(value) for key, value in printed._asdict().items() if value is not None}


def _ends_in_figure(match: re.Match[str]) -> bool:
    """Whether a figure reaches the end of its line, where it may have lost digits."""
    return any(match.end(group) == len(match.string) for group in match.groupdict())
