"""One section of a log to its runs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from speedcheck.logs.environment import completed, read_environment, with_header
from speedcheck.logs.fingerprints import read_fingerprints
from speedcheck.logs.header import read_header
from speedcheck.logs.model import Environment, Run
from speedcheck.logs.spans import find_spans, read_ending
from speedcheck.logs.strays import note_strays

if TYPE_CHECKING:
    from speedcheck.logs.sections import Section
    from speedcheck.logs.text import Problems, Text


def read_runs(
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
    note_strays(text.data, section, spans[0].format if spans else None, read, problems)
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
