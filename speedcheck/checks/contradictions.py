"""Do the times of a log agree with one another?"""

from __future__ import annotations

from itertools import pairwise

from speedcheck.checks import codes
from speedcheck.logs import Run, Validation
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding

# Older programs set the clock back to 0 at this step.
_RESET_STEP = 10
_TOLERANCE = 0.02


def check_times(sample: Sample) -> list[Finding]:
    """Point out counted runs whose times contradict one another."""
    return [
        Finding(codes.TIMES_CONTRADICT, "warn", problem, judged.log or "")
        for run, judged in sample.counted()
        if (problem := contradiction(run))
    ]


def contradiction(run: Run) -> str:
    """Return how the times of a run contradict one another; "" where they do not.

    A clock that runs backwards after step 10 does, and so does a final step_avg that differs by
    more than 2 % from train_time under each of its three meanings: the time by steps, by steps
    after the tenth, or by the steps since the validation before.
    """
    timed = [v for v in run.validations if v.train_time_ms is not None]
    for before, after in pairwise(timed):
        if before.step > _RESET_STEP and _ms(after) < _ms(before):
            return (
                f"train_time falls from {_ms(before):g} ms at step {before.step} to "
                f"{_ms(after):g} ms at step {after.step}"
            )
    final = run.final
    if final is None or final.train_time_ms is None or not final.step_avg_ms:
        return ""
    averages = _averages(timed)
    if not averages or any(_agrees(final.step_avg_ms, average) for average in averages):
        return ""
    return (
        f"train_time {final.train_time_ms:g} ms at step {final.step} does not fit "
        f"step_avg {final.step_avg_ms:g} ms"
    )


def _averages(timed: list[Validation]) -> list[float]:
    """Return the milliseconds a step up to the last validation, under each meaning."""
    final = timed[-1]
    averages = [_ms(final) / steps for steps in (final.step, final.step - _RESET_STEP) if steps > 0]
    if len(timed) > 1 and final.step > timed[-2].step:
        averages.append((_ms(final) - _ms(timed[-2])) / (final.step - timed[-2].step))
    return averages


def _agrees(printed: float, average: float) -> bool:
    return abs(printed - average) <= _TOLERANCE * average


def _ms(validation: Validation) -> float:
    return validation.train_time_ms or 0.0
