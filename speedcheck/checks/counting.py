"""Which runs count: every run of the folder is listed, and one that does not count says why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from speedcheck.certificate import JudgedRun
from speedcheck.logs import Run
from speedcheck.records.folder import LOGS_NAME, Record
from speedcheck.records.ledger import Entry

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
    """

    record: Record
    runs: tuple[Run, ...]
    judged: tuple[JudgedRun, ...]
    early_stop: int | None

    @property
    def from_logs(self) -> bool:
        """Return whether the runs stand in logs, and not only in a list of figures."""
        return bool(self.runs)

    def counted(self) -> tuple[tuple[Run, JudgedRun], ...]:
        """Return the counted runs that have a log."""
        pairs = zip(self.runs, self.judged, strict=False)
        return tuple((run, judged) for run, judged in pairs if judged.counted)


def weigh(record: Record) -> Evidence:
    """Decide for every run of `record` whether it counts."""
    runs = tuple(run for log in record.logs for run in log.runs)
    early_stop = _early_stop(runs) if record.ledger is None else None
    finished = _finished_logs(record)
    first_of: dict[tuple[object, ...], str] = {}
    judged = []
    for run in runs:
        reason = (
            _incomplete_reason(run, early_stop)
            or _ledger_reason(run, finished)
            or _copy_reason(run, first_of)
        )
        judged.append(_judged(run, reason))
    if not runs:
        judged = [_published_run(index, loss) for index, loss in enumerate(_published(record))]
    return Evidence(record, runs, tuple(judged), early_stop)


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
    """Call a run a copy when every validation has the same loss at the same time.

    Runs that diverge early have no more than the loss before the first step in common, which no
    seed changes.
    """
    if run.diverged:
        return ""
    content = tuple((v.step, v.loss, v.train_time_ms) for v in run.validations)
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
