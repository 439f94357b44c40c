"""Where runs end: at the planned step, at the budget, at one common earlier step, or too soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from speedcheck.logs import Run

NO_LOSS = "no validation loss"


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the runs of one group end.

    Attributes:
        reasons: for each run why it is incomplete; "" for a complete one, and for a diverged one.
        stops_at: the step before the planned one at which all of them end.
        differ: whether complete runs end at different steps and nothing says where they should.
    """

    reasons: tuple[str, ...]
    stops_at: int | None = None
    differ: bool = False


def find_ends(
    runs: Sequence[Run], *, at_step: int | None = None, budget_ms: float | None = None
) -> Ends:
    """Decide which runs of one group are complete.

    A run is complete at its planned end, or at the track's budget within one logged step, or where
    all runs of the group end at one common step (of one run alone nothing says that its end is
    meant). Runs without a plan or a budget are complete wherever they end.

    Args:
        runs: runs of one group.
        at_step: the validation that record.toml names: a run without it is incomplete.
        budget_ms: training time after which the track ends a run, in milliseconds.
    """
    if at_step is not None:
        return Ends(tuple(_without(run, at_step) for run in runs))
    stops_at = _common_stop(runs)
    reasons = tuple(_reason(run, stops_at, budget_ms) for run in runs)
    last = {
        run.final_step
        for run, reason in zip(runs, reasons, strict=True)
        if not reason and not run.diverged and run.total_steps is None and _prints_steps(run)
    }
    return Ends(reasons, stops_at, differ=budget_ms is None and len(last) > 1)


def cut_at(run: Run, step: int) -> Run:
    """Return a run as it was at the validation at `step`; one without it stays as it is."""
    kept = tuple(validation for validation in run.validations if validation.step <= step)
    if run.diverged or not kept or kept[-1].step != step:
        return run
    return replace(run, validations=kept, result=None, ended=None)


def _without(run: Run, step: int) -> str:
    if run.diverged or any(validation.step == step for validation in run.validations):
        return ""
    return f"incomplete: no validation at step {step}"


def _prints_steps(run: Run) -> bool:
    """Whether the log prints steps; otherwise its validations are counted, and tell no end."""
    return run.first_step is not None


def _common_stop(runs: Sequence[Run]) -> int | None:
    """Return the step before the planned one at which all runs end, of at least two.

    The bundled trainer ends at its plan, and its header says so.
    """
    ended = [run for run in runs if not run.diverged]
    steps = {run.final_step for run in ended}
    if len(ended) < 2 or len(steps) != 1 or any(run.header for run in ended):
        return None
    return steps.pop() if all(map(_stops_early, ended)) else None


def _stops_early(run: Run) -> bool:
    """Whether a run's last step line is a validation before the planned end."""
    step, total = run.final_step, run.total_steps
    return step is not None and total is not None and step == run.last_step and step < total


def _reason(run: Run, stops_at: int | None, budget_ms: float | None) -> str:
    if run.diverged:
        return ""
    if run.final is None:
        return NO_LOSS
    if run.complete or (stops_at is not None and run.final_step == stops_at):
        return ""
    if budget_ms is not None:
        return "" if _reached(run, budget_ms) else _early(run, f"the budget of {budget_ms:g} ms")
    if run.total_steps is None:
        return ""
    return f"incomplete: the last validation is at step {run.final_step} of {run.total_steps}"


def _reached(run: Run, budget_ms: float) -> bool:
    """Whether a run trained for the budget, within one logged step."""
    if run.last_time_ms is None:
        return False
    return run.last_time_ms + (run.step_time_ms or 0.0) >= budget_ms


def _early(run: Run, end: str) -> str:
    at = "at an unknown time" if run.last_time_ms is None else f"at {run.last_time_ms:g} ms"
    return f"incomplete: it ends {at}, before {end}"
