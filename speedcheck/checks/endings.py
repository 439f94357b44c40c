"""Where runs end: at their last planned step, at an earlier one on purpose, or cut."""

from __future__ import annotations

from collections.abc import Sequence

from speedcheck.logs import Run

NO_LOSS = "no validation loss"


def early_stop_of(kind: Sequence[Run]) -> int | None:
    """Return the step before the last planned one at which runs of one kind end on purpose.

    One run that ends early was cut; several that end at the same validation, and none of them
    later, were meant to. They have to be most of the runs, the others being cut.

    Args:
        kind: runs of one program and plan; those that diverged say nothing of it.
    """
    steps = [run.final_step for run in kind if not run.diverged and run.final_step is not None]
    if len(steps) < 2:
        return None
    furthest = max(steps)
    ends = [run for run in kind if run.final_step == furthest and not run.diverged]
    are_most = len(ends) > 1 and 2 * len(ends) > len(steps)
    return furthest if are_most and all(map(_stops_early, ends)) else None


def incomplete_reason(run: Run, early_stop: int | None) -> str:
    """Return why a run is no whole one; "" for one that is, and for one that diverged.

    Args:
        run: the run.
        early_stop: the step at which runs of its kind end on purpose.
    """
    if run.diverged or run.complete or (run.complete is None and run.final is not None):
        return ""
    if run.final is None:
        return NO_LOSS
    if run.final_step == early_stop:
        return ""
    return f"incomplete: the last validation is at step {run.final_step} of {run.total_steps}"


def _stops_early(run: Run) -> bool:
    """Whether a run's last step line is a validation before the last planned step."""
    step, total = run.final_step, run.total_steps
    return step is not None and total is not None and step == run.last_step and step < total
