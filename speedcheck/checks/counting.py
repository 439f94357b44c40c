"""Which runs count: every run of the folder is listed, and one that does not count says why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from speedcheck.certificate import JudgedRun
from speedcheck.checks.claimed import set_apart
from speedcheck.checks.copies import originals
from speedcheck.checks.endings import NO_LOSS, early_stop_of, incomplete_reason
from speedcheck.checks.grouping import Choice, Group, as_groups, choose_group, find_kinds
from speedcheck.claims.model import Series
from speedcheck.errors import NothingSelectedError
from speedcheck.logs import Run
from speedcheck.program.sources import Sources
from speedcheck.records.folder import LOGS_NAME, Record
from speedcheck.records.ledger import Entry

# No document decides which runs count.
_NO_LISTS: tuple[Series, ...] = ()

LEFT_OUT = "left out by"
IN_ANOTHER_GROUP = "of another kind: group"
NOT_IN_LEDGER = "the ledger does not know it as a finished run"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record with its runs judged.

    Attributes:
        record: the record as it was read.
        runs: what the logs hold, in the order of their names.
        judged: the same runs as the certificate lists them; for a record without logs, its
            published losses.
        groups: the kinds of runs in the folder, where there are several.
        choice: which of them is judged; None where all runs are of one kind.
    """

    record: Record
    runs: tuple[Run, ...]
    judged: tuple[JudgedRun, ...]
    groups: tuple[Group, ...] = ()
    choice: Choice | None = None

    @property
    def from_logs(self) -> bool:
        """Return whether the runs stand in logs, and not only in a list of figures."""
        return bool(self.runs)

    def counted(self) -> tuple[tuple[Run, JudgedRun], ...]:
        """Return the counted runs that have a log."""
        pairs = zip(self.runs, self.judged, strict=False)
        return tuple((run, judged) for run, judged in pairs if judged.counted)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs the caller wants counted.

    Attributes:
        only: patterns, one of which the end of a log's path must match; none for all.
        exclude: patterns, none of which it may match.
        group: name of the group to judge, or "all"; None to leave it to the evidence.
    """

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    group: str | None = None


def weigh(
    record: Record, selection: Selection | None = None, sources: Sources | None = None
) -> Evidence:
    """Decide for every run of `record` whether it counts.

    Args:
        record: the record as it was read.
        selection: what the caller wants counted.
        sources: the programs of its runs; read when they are asked for, unless given.

    Raises:
        UsageError: the selection names a group that is not there, or leaves no log.
    """
    selection = selection or Selection()
    runs = tuple(run for log in record.logs for run in log.runs)
    if not runs:
        published = enumerate(_published(record))
        judged = tuple(_published_run(index, loss) for index, loss in published)
        return Evidence(record, runs, judged)
    if all(_selection_reason(record, run, selection) for run in runs):
        raise NothingSelectedError("--only and --exclude leave no log", where=str(record.path))
    sources = sources or Sources(record.path, record.logs)
    reasons = _reasons(record, runs, selection)
    kinds = _compare(record, runs, reasons, selection, sources)
    groups, choice = _choose(record, runs, kinds, selection, sources)
    if choice is not None and choice.group is not None:
        for group in groups:
            for index in group.members if group != choice.group else ():
                reasons[index] = f"{IN_ANOTHER_GROUP} {group.name}"
    judged = tuple(map(_judged, runs, reasons))
    return Evidence(record, runs, judged, groups, choice)


def _reasons(record: Record, runs: tuple[Run, ...], selection: Selection) -> list[str]:
    """Return for each run why it does not count, whatever the others are; "" where it may."""
    finished = _finished_logs(record)
    return [
        _selection_reason(record, run, selection)
        or _ledger_reason(run, finished)
        or ("" if run.final or run.diverged else NO_LOSS)
        for run in runs
    ]


def _compare(
    record: Record,
    runs: tuple[Run, ...],
    reasons: list[str],
    selection: Selection,
    sources: Sources,
) -> list[list[int]]:
    """Add the reasons that a run has beside the others, and return the kinds of those without.

    A ledger says what belongs to its record and when a run is whole.
    """
    original_of = originals(runs, _without(reasons))
    firsts = sorted(set(original_of.values()))
    divides = record.ledger is None or selection.group is not None
    kinds = find_kinds(runs, firsts, sources) if divides else [firsts]
    early_stop: dict[int, int | None] = {}
    for kind in kinds:
        step = None if record.ledger else early_stop_of([runs[index] for index in kind])
        early_stop |= dict.fromkeys(kind, step)
    for index, original in original_of.items():
        copy = "" if index == original else f"a copy of {_name(runs[original])}"
        reasons[index] = incomplete_reason(runs[index], early_stop[original]) or copy
    return [left for kind in kinds if (left := [i for i in kind if not reasons[i]])]


def _without(reasons: list[str]) -> list[int]:
    return [index for index, reason in enumerate(reasons) if not reason]


def _choose(
    record: Record,
    runs: tuple[Run, ...],
    kinds: list[list[int]],
    selection: Selection,
    sources: Sources,
) -> tuple[tuple[Group, ...], Choice | None]:
    """Name the kinds and choose one, where there are several or the caller asks."""
    if selection.group is None and record.ledger is not None:
        return (), None
    programs = {runs[index].source_sha256 for kind in kinds for index in kind}
    listed = _NO_LISTS if len(kinds) > 1 or len(programs) > 1 else ()
    divided = set_apart(runs, kinds, listed, sources) if len(programs) > 1 else kinds
    if selection.group is None and len(divided) < 2:
        return (), None
    groups = as_groups(runs, divided)
    choice = choose_group(groups, runs, listed, selection.group)
    if choice.ground == "claims" and len(divided) > len(kinds):
        why = f"{choice.why}, which alone tell its program from the others"
        choice = replace(choice, ground="claims alone", why=why)
    return groups, choice


def _selection_reason(record: Record, run: Run, selection: Selection) -> str:
    if selection.only and not any(_matches(record, run, pattern) for pattern in selection.only):
        return f"{LEFT_OUT} --only"
    hit = next((glob for glob in selection.exclude if _matches(record, run, glob)), None)
    return "" if hit is None else f"{LEFT_OUT} --exclude {hit}"


def _matches(record: Record, run: Run, pattern: str) -> bool:
    """Whether a pattern matches a log's path, or as much of its end as the pattern has parts.

    So "this_pr/*" means the logs in a folder of that name, wherever the caller stands.
    """
    path = record.path.absolute() / run.log
    end = "/".join(path.parts[-1 - pattern.count("/") :])
    return fnmatchcase(run.log, pattern) or fnmatchcase(end, pattern)


def _finished_logs(record: Record) -> dict[str, Entry] | None:
    """Return the ledger's finished runs by the path of their logs; None without a ledger."""
    if record.ledger is None:
        return None
    latest = record.ledger.latest().values()
    return {f"{LOGS_NAME}/{entry.log}": entry for entry in latest if entry.event == "finished"}


def _ledger_reason(run: Run, finished: dict[str, Entry] | None) -> str:
    """Return why a run is none of those that a ledger saw finish; they all end as planned."""
    if finished is None:
        return ""
    reason = incomplete_reason(run, early_stop=None)
    return reason or ("" if run.log in finished else NOT_IN_LEDGER)


def _name(run: Run) -> str:
    return run.log if run.index == 0 else f"{run.log} run {run.index}"


def _judged(run: Run, reason: str) -> JudgedRun:
    return JudgedRun(
        log=run.log,
        run=run.index,
        seed=run.seed,
        # The last validation before a divergence is not the run's loss.
        val_loss=None if run.diverged else _finite(run.val_loss),
        train_time_ms=None if run.diverged else _finite(run.train_time_ms),
        final_step=run.final_step,
        total_steps=run.total_steps,
        complete=run.complete,
        counted=not reason,
        reason=reason or (f"diverged: {run.stopped or 'the loss'}" if run.diverged else ""),
        gpu=run.environment.gpu,
        n_gpus=run.environment.n_gpus,
        torch=run.environment.torch,
        source_sha256=run.source_sha256,
    )


def _published(record: Record) -> Iterable[float]:
    published = record.plan.published if record.plan else None
    return published.losses if published else ()


def _published_run(index: int, loss: float) -> JudgedRun:
    return JudgedRun(
        log=None,
        run=index,
        seed=None,
        val_loss=loss,
        train_time_ms=None,
        final_step=None,
        total_steps=None,
        complete=None,
        counted=True,
        reason="published without its log",
        gpu=None,
        n_gpus=None,
        torch=None,
        source_sha256=None,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
