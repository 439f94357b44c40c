"""A whole file to its runs and problems."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

from speedcheck.errors import InputError, not_read
from speedcheck.logs.header import (
    completed,
    read_environment,
    read_fingerprints,
    read_header,
    with_header,
)
from speedcheck.logs.log_file import Environment, LogFile, Problem, Run
from speedcheck.logs.log_text import NotTextError, Problems, Text, long_lines, normalise
from speedcheck.logs.run_spans import find_spans, read_ending
from speedcheck.logs.sections import SEPARATOR, Section, find_sections, output_stretches
from speedcheck.logs.step_lines import KEYWORDS
from speedcheck.logs.unread import find_validations, note_unread

Parser = Callable[[bytes, str], LogFile]
"""Reads the bytes of a file under a name, whatever they are."""

MAX_BYTES = 64 << 20
"""The longest published log has 0.8 MB; a larger file than 64 MiB would only fill the memory."""


MAX_SEPARATORS = 10_000
MAX_VALIDATIONS = 100_000
"""More than these is not a log but a file made to fill the memory with runs of one line each."""


def parse_log(data: bytes, name: str) -> LogFile:
    """Read the bytes of one file.

    Never raises: whatever the bytes are, the result has runs, or a problem that says why not.

    Args:
        data: the file's bytes: UTF-8, or UTF-16 with a byte order mark.
        name: what to call the log in its runs.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        text = normalise(data)
    except NotTextError as error:
        return LogFile(
            name,
            sha256,
            len(data),
            (),
            (Problem("not_text", None, str(error)),),
            tuple(find_validations(data)),
        )
    runs, problems = _read(text, name)
    return LogFile(name, sha256, len(data), tuple(runs), problems.all(), problems.unread)


def read_log(path: Path, root: Path, parse: Parser = parse_log) -> LogFile:
    """Read one file of a folder; it is named by its path below the folder.

    Args:
        path: the file.
        root: the folder.
        parse: what reads its bytes.

    Raises:
        InputError: the file cannot be read, or is not a regular file.
    """
    name = path.relative_to(root).as_posix()
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError("is not a regular file", where=str(path), remedy="name a log")
        if status.st_size > MAX_BYTES:
            problem = Problem("too_large", None, f"larger than {MAX_BYTES >> 20} MiB: not read")
            return LogFile(name, None, status.st_size, (), (problem,))
        data = path.read_bytes()
    except OSError as error:
        raise not_read(path, error) from error
    return parse(data, name)


def program_text(data: bytes, run: Run) -> str:
    """The program embedded in a log, as text that is never run; "" where there is none.

    Args:
        data: the bytes that `run` was read from.
        run: a run of that file.

    Raises:
        NotTextError: the bytes are not those of a log.
    """
    return embedded_program(data, run)[0]


def embedded_program(data: bytes, run: Run) -> tuple[str, int]:
    """The program embedded in a log, and the number of its first line in the file; ("", 1) if none.

    Raises:
        NotTextError: the bytes are not those of a log.
    """
    if run.source_span is None:
        return "", 1
    text, (start, end) = normalise(data).data, run.source_span
    return text[start:end].decode("utf-8", "replace"), text.count(b"\n", 0, start)


def output_lines(data: bytes) -> list[tuple[int, str]]:
    """The lines of a log outside of its programs, with their numbers; none of a binary file."""
    try:
        text = normalise(data).data
    except NotTextError:
        return []
    found: list[tuple[int, str]] = []
    number, counted = 1, 1
    for start, end in output_stretches(text):
        number += text.count(b"\n", counted, start + 1)
        counted = start + 1
        lines = text[start + 1 : end].split(b"\n")
        found += [(number + i, line.decode("utf-8", "replace")) for i, line in enumerate(lines)]
    return found


def _read(text: Text, name: str) -> tuple[list[Run], Problems]:
    problems = Problems(text.data)
    if flood := _flood(text.data):
        problems.add("flood", None, flood)
        return [], problems
    for position in long_lines(text.data):
        problems.add("long_line", position, "a line longer than 1 MiB is not read")
        problems.add_unread(
            position, text.data[position : position + 4000].decode("utf-8", "replace")
        )
    runs: list[Run] = []
    for section in find_sections(text.data, problems):
        runs += _read_runs(text, section, name, len(runs), problems)
    if not runs:
        problems.add("no_run", None, "no step line" if text.data.strip() else "empty file")
    return runs, problems


def _flood(data: bytes) -> str:
    """Why a file is not worth reading; "" for every file that a trainer may have written."""
    if data.count(SEPARATOR) > MAX_SEPARATORS:
        return f"more than {MAX_SEPARATORS} separator lines: not read"
    # A file with less room than that need not be counted.
    has_room = len(data) > MAX_VALIDATIONS * min(map(len, KEYWORDS))
    if has_room and sum(map(data.count, KEYWORDS)) > MAX_VALIDATIONS:
        return f"more than {MAX_VALIDATIONS} validation lines: not read"
    return ""


def _read_runs(
    text: Text, section: Section, log: str, first_index: int, problems: Problems
) -> list[Run]:
    """The runs of a section, in order.

    Args:
        text: the log.
        section: where the program, the environment and the output stand.
        log: name of the log.
        first_index: position of the section's first run within the file.
        problems: takes what cannot be read.
    """
    spans = find_spans(text, section, problems)
    read = [validation for span in spans for validation in span.validations]
    note_unread(text.data, section, spans[0].format if spans else None, read, problems)
    printed = read_fingerprints(text.data[section.start : section.end])
    source_sha256 = _sha256(text.data, section.program) if spans else None
    environment = Environment()
    runs: list[Run] = []
    for index, span in enumerate(spans, first_index):
        preamble = text.data[span.before : span.start + 1]
        header = read_header(text.data, span.before, span.start + 1, problems)
        environment = with_header(completed(read_environment(preamble), environment), header)
        ending = read_ending(text.data, span, problems)
        runs.append(
            Run(
                log=log,
                index=index,
                format=span.format,
                validations=span.validations,
                last_step=ending.last_step,
                total_steps=ending.total_steps,
                environment=environment,
                header=header,
                source_sha256=source_sha256,
                source_span=section.program,
                diverged=ending.diverged,
                stopped=ending.stopped,
                peak_memory_mib=ending.peak_memory_mib,
                step_repeats=span.repeats,
                first_step=span.first_step,
                last_time_ms=ending.last_time_ms,
                step_time_ms=ending.step_time_ms,
                printed_val_tokens=printed.val_tokens,
                printed_train_shards=printed.train_shards,
            )
        )
    return runs


def _sha256(data: bytes, span: tuple[int, int] | None) -> str | None:
    return None if span is None else hashlib.sha256(data[slice(*span)]).hexdigest()
