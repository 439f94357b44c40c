"""Logs in a format of their own to runs, by the pattern of their track.

Each line is searched on its own. One that gives `val_loss` is a validation; `step`, `total` and
`seed` may stand on it or on a line before it, and hold until another line gives them anew. A time
counts on the validation's own line only: that of an earlier line would be too short. Where no
line gives a step, the validations of a run are counted, and another seed begins another run.

Programs inside the log are left out as in every log, by the grammar of `sections`; a file without
any separator line is read as a whole.
"""

from __future__ import annotations

import hashlib
import math
import time
from typing import TYPE_CHECKING

from speedcheck.logs.environment import completed, read_environment
from speedcheck.logs.grouping import RunLines, group_runs
from speedcheck.logs.matches import FoundValidation, LineReader, ends_in_figure
from speedcheck.logs.model import Environment, LogFile, Problem, Run
from speedcheck.logs.parse import MAX_VALIDATIONS
from speedcheck.logs.sections import SEPARATOR, outside_programs
from speedcheck.logs.text import NotTextError, Problems, Text, normalise, quoted

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from speedcheck.logs.pattern import LogPattern

# A line of figures is short; the memory that a search may take grows with the line.
MAX_MATCHED_LINE = 64 << 10

# A sound pattern reads a MiB in 0.1 s, so that only one that backtracks without end meets these
# bounds. They count the processor's time of this process: a busy machine reads no less.
SECONDS_PER_LINE = 0.5
SECONDS_AT_FIRST = 2.0
SECONDS_PER_MIB = 2.0


class _TooSlowError(Exception):
    """The pattern takes too long on a line."""


class ForeignParser:
    """Parses the logs of one folder with one allowance of time.

    Args:
        pattern: the pattern of the track.
    """

    def __init__(self, pattern: LogPattern) -> None:
        self._compiled = pattern.compiled()
        self._has_steps = pattern.has_steps
        self._seconds_left = SECONDS_AT_FIRST

    def __call__(self, data: bytes, name: str) -> LogFile:
        """Read the bytes of one file; never raises, as `parse_log`."""
        sha256 = hashlib.sha256(data).hexdigest()
        self._seconds_left += SECONDS_PER_MIB * len(data) / 2**20
        try:
            text = normalise(data)
        except NotTextError as error:
            return LogFile(name, sha256, len(data), (), (Problem(None, str(error)),))
        problems = Problems(text.data)
        runs = self._runs(text, name, problems)
        if not runs:
            problems.add(None, "no line gives a validation by the track's log_pattern")
        return LogFile(name, sha256, len(data), runs, problems.all())

    def _runs(self, text: Text, name: str, problems: Problems) -> tuple[Run, ...]:
        stretches = _stretches(text.data, problems)
        try:
            found = {f.placed.start: f for f in self._validations(text, stretches, problems)}
        except _TooSlowError:
            return ()
        runs: list[Run] = []
        before, environment = 0, Environment()
        for group in group_runs((f.placed for f in found.values()), problems):
            start = group.placed[0].start
            named = read_environment(_outside(text.data, stretches, before, start))
            environment = completed(named, environment)
            last = found[group.placed[-1].start]
            runs.append(_run(name, len(runs), group, found[start], last, environment))
            before = group.end
        return tuple(runs)

    def _validations(
        self, text: Text, stretches: list[tuple[int, int]], problems: Problems
    ) -> Iterator[FoundValidation]:
        reader = LineReader(problems, has_steps=self._has_steps)
        count = 0
        for start, end in _lines(text.data, stretches):
            line = text.data[start:end].decode("utf-8", "replace")
            match = self._search(line, start, problems)
            if match is None:
                continue
            if text.cut and end == len(text.data) - 1 and ends_in_figure(match):
                problems.add(start, f"the file ends within this line: not read: {quoted(line)}")
                continue
            found = reader.read(match, start, end)
            count += found is not None
            if count > MAX_VALIDATIONS:
                problems.add(
                    None, f"more than {MAX_VALIDATIONS} validation lines: not read further"
                )
                return
            if found is not None:
                yield found

    def _search(self, line: str, start: int, problems: Problems) -> re.Match[str] | None:
        if self._seconds_left < SECONDS_PER_LINE:
            problems.add(None, "not read: the track's log_pattern was too slow for other files")
            raise _TooSlowError
        begin = time.process_time()
        try:
            return self._compiled.search(line, timeout=SECONDS_PER_LINE)
        except TimeoutError:
            limit = f"{SECONDS_PER_LINE:g} s"
            problems.add(start, f"the track's log_pattern takes over {limit} here: file not read")
            raise _TooSlowError from None
        finally:
            self._seconds_left -= time.process_time() - begin


def _stretches(data: bytes, problems: Problems) -> list[tuple[int, int]]:
    if SEPARATOR not in data:
        return [(0, len(data))]
    stretches = outside_programs(data, with_literals=True)
    end = stretches[-1][1]
    if end < len(data):
        problems.add(end, "a program begins here and no separator ends it: not read further")
    return stretches


def _lines(data: bytes, stretches: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """First position and line end of every line that may be one of figures."""
    for before, behind in stretches:
        start = before + 1
        while start < behind:
            end = data.find(b"\n", start)
            if start < end <= start + MAX_MATCHED_LINE:
                yield start, end
            start = end + 1


def _outside(data: bytes, stretches: list[tuple[int, int]], start: int, end: int) -> bytes:
    parts = (data[max(start, first) : min(end, last)] for first, last in stretches)
    return b"\n" + b"\n".join(parts)


def _run(
    log: str,
    index: int,
    group: RunLines,
    first: FoundValidation,
    last: FoundValidation,
    environment: Environment,
) -> Run:
    return Run(
        log=log,
        index=index,
        format="foreign",
        validations=group.validations,
        last_step=last.last_step,
        total_steps=group.last.total_steps,
        environment=environment,
        header=None,
        source_sha256=None,
        source_span=None,
        diverged=not math.isfinite(group.last.loss),
        stopped=None,
        peak_memory_mib=None,
        step_repeats=group.repeats,
        printed_seed=first.seed,
    )
