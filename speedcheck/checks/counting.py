"""Which runs count: every run of the folder is listed, and one that does not count says why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from speedcheck.certificate import JudgedRun
from speedcheck.checks.grouping import Choice, Group, choose_group, find_groups
from speedcheck.claims.documents import listed_losses
from speedcheck.errors import UsageError
from speedcheck.logs import Run
from speedcheck.program.sources import Sources
from speedcheck.records.folder import LOGS_NAME, Record
from speedcheck.records.ledger import Entry

LEFT_OUT = "left out by"
IN_ANOTHER_GROUP = "of another kind: group"
# The loss at step 0 is everyone's; each of the others agrees by chance in about 1 of 40 pairs, at
# the four decimals that logs print.
_VALIDATIONS_THAT_TELL = 6

NOT_IN_LEDGER = "the ledger does not know it as a finished run"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record with its runs judged.

    Attributes:
        record: the record as it was read.
        runs: what the logs hold, in the order of their names.
        judged: the same runs as the certificate lists them; for a record without logs, its
            published losses.
        early_stop: the step at which every run of the folder ends on purpose; None otherwise.
        groups: the kinds of runs in the folder, where there are several.
        choice: which of them is judged; None where all runs are of one kind.
    """

    record: Record
    runs: tuple[Run, ...]
    judged: tuple[JudgedRun, ...]
    early_stop: int | None
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
        only: patterns, one of which a log's path must match; none for all.
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
        return Evidence(record, runs, judged, early_stop=None)
    selected = tuple(run for run in runs if not _selection_reason(run, selection))
    if not selected:
        raise UsageError("--only and --exclude leave no log", where=str(record.path))
    early_stop = _early_stop(selected) if record.ledger is None else None
    reasons = _reasons(record, runs, selection, early_stop)
    groups, choice = _groups(record, runs, reasons, selection, sources)
    if choice is not None and choice.group is not None:
        for group in groups:
            for index in group.members if group != choice.group else ():
                reasons[index] = f"{IN_ANOTHER_GROUP} {group.name}"
    judged = tuple(map(_judged, runs, reasons))
    return Evidence(record, runs, judged, early_stop, groups, choice)


def _reasons(
    record: Record, runs: tuple[Run, ...], selection: Selection, early_stop: int | None
) -> list[str]:
    """Return for each run why it does not count, whatever group it is of; "" where it may."""
    finished = _finished_logs(record)
    first_of: dict[tuple[object, ...], str] = {}
    return [
        _selection_reason(run, selection)
        or _incomplete_reason(run, early_stop)
        or _ledger_reason(run, finished)
        or _copy_reason(run, first_of)
        for run in runs
    ]


def _groups(
    record: Record,
    runs: tuple[Run, ...],
    reasons: list[str],
    selection: Selection,
    sources: Sources | None,
) -> tuple[tuple[Group, ...], Choice | None]:
    """Divide the runs that may count, and choose; a ledger says what belongs to its record."""
    if record.ledger is not None and selection.group is None:
        return (), None
    members = [index for index, reason in enumerate(reasons) if not reason]
    sources = sources or Sources(record.path, record.logs)
    groups = find_groups(runs, members, sources)
    if len(groups) < 2 and selection.group is None:
        return (), None
    return groups, choose_group(groups, runs, listed_losses(record), selection.group)


def _selection_reason(run: Run, selection: Selection) -> str:
    if selection.only and not any(fnmatchcase(run.log, pattern) for pattern in selection.only):
        return f"{LEFT_OUT} --only"
    hit = next((pattern for pattern in selection.exclude if fnmatchcase(run.log, pattern)), None)
    return "" if hit is None else f"{LEFT_OUT} --exclude {hit}"


def _early_stop(runs: tuple[Run, ...]) -> int | None:
    """Return the step before the total at which all runs end alike, if they do.

    One run that ends early was cut; several that end at the same validation were meant to.
    """
    ends = {(run.final_step, run.last_step, run.total_steps) for run in runs}
    if len(runs) < 2 or len(ends) != 1:
        return None
    final, last, total = next(iter(ends))
    stopped = final is not None and total is not None and final == last and final < total
    return final if stopped else None


def _finished_logs(record: Record) -> dict[str, Entry] | None:
    """Return the ledger's finished runs by the path of their logs; None without a ledger."""
    if record.ledger is None:
        return None
    latest = record.ledger.latest().values()
    return {f"{LOGS_NAME}/{entry.log}": entry for entry in latest if entry.event == "finished"}


def _ledger_reason(run: Run, finished: dict[str, Entry] | None) -> str:
    return "" if finished is None or run.log in finished else NOT_IN_LEDGER


def _incomplete_reason(run: Run, early_stop: int | None) -> str:
    if run.diverged or run.complete or (run.complete is None and run.final is not None):
        return ""
    if run.final is None:
        return "no validation loss"
    if run.final_step == early_stop:
        return ""
    return f"incomplete: the last validation is at step {run.final_step} of {run.total_steps}"


def _copy_reason(run: Run, first_of: dict[tuple[object, ...], str]) -> str:
    """Call a run a copy when its losses are those of another one at every validation.

    Over many validations no two runs of a GPU agree so; over few, which can, the times decide too.
    Runs that diverge early have no more than the loss before the first step in common, which no
    seed changes.
    """
    if run.diverged:
        return ""
    enough = len(run.validations) >= _VALIDATIONS_THAT_TELL
    content = tuple((v.step, v.loss, None if enough else v.train_time_ms) for v in run.validations)
    first = first_of.setdefault(content, _name(run))
    return "" if first == _name(run) else f"a copy of {first}"


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
