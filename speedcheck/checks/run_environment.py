"""Under which environment were the counted runs made? The log or the ledger says it.

A variable such as TORCHINDUCTOR_COORDINATE_DESCENT_TUNING sets up the compiler from outside of the
program, so that a program without any setting shows nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from speedcheck.checks import codes
from speedcheck.logs import Run
from speedcheck.program.variables import is_variable
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.sample import Sample
from speedcheck.sample.ledger_notes import RunNote, notes_by_log
from speedcheck.verdicts import Finding
from speedcheck.words import count, join_some

_MOST_SHOWN = 60


def check_environment(sample: Sample) -> Iterator[Finding]:
    """Judge the environment variables of the counted runs on a track that forbids settings."""
    notes = notes_by_log(sample.record.ledger)
    unknown: list[str] = []
    runs_with: dict[tuple[str, str], list[str]] = defaultdict(list)
    for run, judged in sample.counted():
        sources = list(_sources(run, notes.get(run.log)))
        if not sources:
            unknown.append(judged.log or "")
        # Where the log and the ledger both show a setting, one of them is enough.
        settings = {text: place for place, texts in sources for text in _settings(texts)}
        for text, place in settings.items():
            runs_with[text, place].append(judged.log or "")
    if unknown:
        yield _unknown(unknown, len(sample.counted()))
    yield from _found(runs_with)


def _sources(run: Run, note: RunNote | None) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield who says the environment of a run, and the variables."""
    if run.header and run.header.variables is not None:
        yield "", run.header.variables
    if note and note.variables is not None:
        yield LEDGER_NAME, note.variables


def _settings(variables: Mapping[str, object]) -> list[str]:
    return [
        f"{name}={str(value)[:_MOST_SHOWN]}"
        for name, value in variables.items()
        if is_variable(name)
    ]


def _unknown(logs: list[str], counted: int) -> Finding:
    message = (
        f"the environment variables of {len(logs)} of {count(counted, 'counted run')} "
        "were not logged: they can set up the compiler"
    )
    return Finding(codes.ENVIRONMENT_UNKNOWN, "unknown", message, logs[0])


def _found(runs_with: Mapping[tuple[str, str], list[str]]) -> Iterator[Finding]:
    for (setting, place), logs in runs_with.items():
        message = f"{setting} in the environment of {join_some(logs)}: the track allows no setting"
        yield Finding(codes.ENVIRONMENT_SETTING, "warn", message, place or logs[0])
