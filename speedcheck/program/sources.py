"""The programs of a record's runs, each read once and only when somebody asks for it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from speedcheck.logs import LogFile, Run
from speedcheck.logs.text import NotTextError, normalise
from speedcheck.program.diff import code_digest
from speedcheck.program.model import Program
from speedcheck.program.read import read_program

MAX_PROGRAMS = 64
MAX_CHARACTERS = 4 << 20
"""Of a record's programs, which are one; a folder of many attempts has some tens of 100 KB."""


@dataclass(frozen=True, slots=True)
class Source:
    """A program and where it stands.

    Attributes:
        program: what was read.
        log: the first log that was found to hold it.
        first_line: number of the program's first line in that log.
    """

    program: Program
    log: str
    first_line: int

    def where(self, line: int | None = None) -> str:
        """Return the log, and the line in it of a line of the program."""
        return self.log if line is None else f"{self.log}:{self.first_line + line - 1}"


class Sources:
    """The programs of the runs of one record.

    Args:
        root: the record folder.
        logs: its logs, whose bytes are read again for the first run of each program.
    """

    def __init__(self, root: Path, logs: Iterable[LogFile]) -> None:
        self._root = root
        self._sha256 = {log.name: log.sha256 for log in logs}
        self._read: dict[str, Source] = {}
        self._characters = 0

    def of(self, run: Run) -> Source | None:
        """Return the program of `run`; None where its log holds none.

        A program that cannot be read says why in its `problem`.
        """
        key = run.source_sha256
        if key is None or run.source_span is None:
            return None
        if key not in self._read:
            self._read[key] = self._source(run, run.source_span)
        return self._read[key]

    def codes_of(self, runs: Iterable[Run]) -> list[str | None]:
        """Return a code for each run: equal where only names and constants differ.

        None where its log holds no program, or one that cannot be read. It tells apart the runs of
        one call: a digest costs as much as reading, so a program that no other one can be equal to
        is known by its number of names.
        """
        programs = [source.program if (source := self.of(run)) else None for run in runs]
        readable = dict.fromkeys(p for p in programs if p is not None and not p.problem)
        alike = Counter(program.n_names for program in readable)
        codes = {p: code_digest(p) if alike[p.n_names] > 1 else str(p.n_names) for p in readable}
        return [codes.get(p) if p is not None else None for p in programs]

    def _source(self, run: Run, span: tuple[int, int]) -> Source:
        if len(self._read) >= MAX_PROGRAMS:
            problem = f"more than {MAX_PROGRAMS} different programs: not read"
            return Source(Program("", problem=problem), run.log, 1)
        try:
            raw = (self._root / run.log).read_bytes()
            if hashlib.sha256(raw).hexdigest() != self._sha256.get(run.log):
                return Source(Program("", problem="the log changed while it was read"), run.log, 1)
            data = normalise(raw).data
        except (OSError, NotTextError) as error:
            problem = f"the log cannot be read again ({error})"
            return Source(Program("", problem=problem), run.log, 1)
        text = data[slice(*span)].decode("utf-8", "replace")
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            problem = f"programs of more than {MAX_CHARACTERS} characters together: not read"
            return Source(Program("", problem=problem), run.log, 1)
        return Source(read_program(text), run.log, data.count(b"\n", 0, span[0]))
