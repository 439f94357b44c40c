"""The program of a record, as its logs hold it. Nothing here runs it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from speedcheck.checks.beside_baseline import losses_of
from speedcheck.comparison.sides import read_side
from speedcheck.errors import InputError, RecordError
from speedcheck.logs import Run
from speedcheck.program.program_sources import Source, Sources
from speedcheck.rules.rule import Overrides, Rule
from speedcheck.words import count

SCRIPT_NAME = "train_gpt.py"
"""What a program is called that does not say its name; the public programs are called so."""

# How the log of the bundled trainer begins each of its files.
_FILE_LINE = re.compile(r"^# file: (\S+\.py)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RecordProgram:
    """The program of a record, as its logs hold it.

    Attributes:
        folder: the record's folder as the caller names it.
        text: the program.
        sha256: SHA-256 of its bytes in the log.
        log: the log that it was taken from.
        first_line: number of its first line there.
        runs: counted runs with this very program.
        counted: counted runs of the record.
        recipe: the recipe of the bundled trainer; None for another program.
        rule: the rule of the record.
        published: the losses of its counted runs.
        free_seed: a seed from which on none is published: equal seeds give no new evidence. 0
            where the logs do not say their seeds.
    """

    folder: Path
    text: str
    sha256: str
    log: str
    first_line: int
    runs: int
    counted: int
    recipe: str | None
    rule: Rule
    published: tuple[float, ...]
    free_seed: int

    @property
    def lines(self) -> int:
        """Return the number of its lines."""
        return len(self.text.splitlines())


def program_of_record(folder: Path, overrides: Overrides) -> RecordProgram:
    """Take the program of a record out of its logs: that of most of its counted runs.

    Raises:
        InputError: the folder holds no record whose runs count, or no log holds a program that
            Python can read.
    """
    side = read_side(folder, overrides)
    sample, record = side.sample, side.sample.record
    sources = Sources(record.path, record.logs)
    counted = [run for run, _ in sample.counted()]
    found = Counter(run.source_sha256 for run in counted if run.source_sha256)
    if not found:
        remedy = "run the author's script with speedcheck run --script"
        raise InputError("its logs hold no program", where=str(folder), remedy=remedy)
    sha256, runs = found.most_common(1)[0]
    run = next(run for run in counted if run.source_sha256 == sha256)
    source = _readable(sources.of(run), folder)
    return RecordProgram(
        folder=folder,
        text=source.program.text,
        sha256=sha256,
        log=source.log,
        first_line=source.first_line,
        runs=runs,
        counted=len(counted),
        recipe=_recipe(run),
        rule=side.rule,
        published=tuple(losses_of(sample)),
        free_seed=max((run.seed + 1 for run in sample.runs if run.seed is not None), default=0),
    )


def write_program(program: RecordProgram, folder: Path) -> Path:
    """Write a record's program to `folder`, and return the script or the package.

    Raises:
        InputError: a file of the package would lie outside of it.
        RecordError: it cannot be written.
    """
    files = _files(program) if program.recipe else {SCRIPT_NAME: program.text}
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        what = f"the program cannot be written ({error.strerror})"
        raise RecordError(what, where=str(folder), remedy="free some space") from error
    return folder / PurePosixPath(next(iter(files))).parts[0]


def arguments_of(program: RecordProgram) -> tuple[str, ...]:
    """Return the words that the bundled trainer's program needs; none for another program."""
    if program.recipe is None:
        return ()
    return ("--recipe", program.recipe, "--log-dir", "logs")


def _recipe(run: Run) -> str | None:
    return run.header.recipe if run.header else None


def _readable(source: Source | None, folder: Path) -> Source:
    problem = "its log holds none" if source is None else source.program.problem
    if source is None or problem:
        what = f"the program cannot be run again: {problem}"
        raise InputError(what, where=str(folder), remedy="ask its author for the script")
    return source


def _files(program: RecordProgram) -> dict[str, str]:
    """Split the bundled trainer's program into its files, by their paths."""
    marks = list(_FILE_LINE.finditer(program.text))
    ends = [mark.start() for mark in marks[1:]] + [len(program.text)]
    files = {
        mark[1]: program.text[mark.end() + 1 : end] for mark, end in zip(marks, ends, strict=True)
    }
    packages = {PurePosixPath(name).parts[0] for name in files}
    wrong = [n for n in files if PurePosixPath(n).is_absolute() or ".." in PurePosixPath(n).parts]
    if wrong or len(packages) != 1:
        what = f"the program holds {count(len(files), 'file')} of {count(len(packages), 'package')}"
        raise InputError(wrong[0] if wrong else what, where=program.log, remedy="look at the log")
    return files
