"""The programs of a record's runs, each read once and only when somebody asks for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from speedcheck.logs import LogFile, NotTextError, Run, embedded_program
from speedcheck.program.diff import Difference, differences
from speedcheck.program.normal import Digests, digests
from speedcheck.program.settings import find_compile_options, find_settings
from speedcheck.program.syntax import Program, UnreadableProgramError, names_of
from speedcheck.program.tokens import find_val_tokens
from speedcheck.program.uses import Uses

MAX_CHARACTERS = 32 << 20
"""Of a record's programs. A record has one of 20 to 100 KB; a folder whose seeds are written into
the programs has one a run, and 300 of the longest fit. A MiB takes 2 to 3 s."""

# A record and its baseline, or the records of one author, often have the same.
_MOST_KEPT = 64


@lru_cache(_MOST_KEPT)
def read_program(text: str) -> Program:
    """Read a program, or several source files one after another; nothing of it is run.

    Never raises: where the text cannot be parsed, `problem` says why.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        names = names_of(text)
    except UnreadableProgramError as error:
        return Program(text, problem=str(error))
    uses = Uses(names, text)
    return Program(
        text=text,
        settings=find_settings(uses),
        compile_options=find_compile_options(uses),
        val_tokens=find_val_tokens(names),
    )


@dataclass(frozen=True, slots=True)
class Source:
    """A program and where it is.

    Attributes:
        program: what was read.
        log: the first log that was found to hold it.
        first_line: number of the program's first line in that log.
    """

    program: Program
    log: str
    first_line: int = 1

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
        self._digests: dict[Program, Digests | None] = {}
        self._characters = 0

    def of(self, run: Run) -> Source | None:
        """Return the program of `run`; None where its log holds none.

        A program that cannot be read says why in its `problem`.
        """
        key = run.source_sha256
        if key is None or run.source_span is None:
            return None
        if key not in self._read:
            self._read[key] = self._source(run)
        return self._read[key]

    def codes_of(self, runs: Iterable[Run]) -> list[str | None]:
        """Return a code for each run: equal where only names and constants differ.

        None where its log holds no program, or one that cannot be read. It tells apart the runs of
        one call: where there is a single program, whose digest costs as much as reading it, the
        code is "".
        """
        programs: list[Program | None] = []
        first: Program | None = None
        for run in runs:
            source = self.of(run)
            program = source.program if source and not source.program.problem else None
            programs.append(program)
            first = first or program
            if program and first and program != first:
                # Digested while its syntax tree is there.
                self._digest(program)
                self._digest(first)
        return [self._code(program) if program else None for program in programs]

    def _digest(self, program: Program) -> None:
        if program not in self._digests:
            self._digests[program] = digests(program)

    def _code(self, program: Program) -> str:
        found = self._digests.get(program)
        return found.code if found else ""

    def differences(self, source: Source, others: Sequence[Source]) -> list[Difference | None]:
        """Say of each of several programs how it differs from one, which is parsed once.

        None where one of the two cannot be parsed. Nothing is parsed again where the digests of
        `codes_of` show that only the text differs, such as a seed in it.
        """
        known = self._digests.get(source.program)

        def is_equal(other: Source) -> bool:
            theirs = self._digests.get(other.program)
            return bool(known and theirs and known.all_but_text == theirs.all_but_text)

        compared = [other.program for other in others if not is_equal(other)]
        found = differences(source.program, compared)
        return [Difference("text") if is_equal(other) else next(found) for other in others]

    def _source(self, run: Run) -> Source:
        try:
            raw = (self._root / run.log).read_bytes()
            if hashlib.sha256(raw).hexdigest() != self._sha256.get(run.log):
                return _unread(run, "the log changed while it was read")
            text, first_line = embedded_program(raw, run)
        except (OSError, NotTextError) as error:
            return _unread(run, f"the log cannot be read again ({error})")
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            problem = f"programs of more than {MAX_CHARACTERS >> 20} MiB together: not read"
            return _unread(run, problem)
        return Source(read_program(text), run.log, first_line)


def _unread(run: Run, problem: str) -> Source:
    return Source(Program("", problem=problem), run.log)
