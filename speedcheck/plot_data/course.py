"""What the logs say of the course of training: losses and time a step, by step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from speedcheck.logs import Run
from speedcheck.plot_data.pictures import Curve, Curves, StepTimes
from speedcheck.sample import Sample
from speedcheck.sample.step_times import read_step_times

# Stretches of training, each with one time a step, and points of a curve: a picture shows no more.
MOST_STRETCHES = 60
MOST_POINTS = 150

# More lines than these say no more, and would make a page of megabytes.
MOST_CURVES = 100


def loss_curves(sample: Sample, target: float) -> Curves | None:
    """Return the validation losses of the first 100 runs; None where there are no curves."""
    runs = list(zip(sample.runs, sample.judged, strict=False))
    curves = [_curve(run, counted=judged.counted) for run, judged in runs[:MOST_CURVES]]
    drawn = [curve for curve in curves if len(curve.x) > 1]
    left_out = max(len(runs) - MOST_CURVES, 0)
    return Curves(tuple(drawn), _apart(drawn), target, left_out) if drawn else None


def step_times(sample: Sample) -> StepTimes | None:
    """Return the time a step over the training; None where the logs do not tell it."""
    by_run = [_whole_steps(times) for times in _times(sample) if len(times) > 1]
    if not by_run:
        return None
    last = max(max(times) for times in by_run)
    ends = _ends(last)
    rows = np.array([_milliseconds(times, ends) for times in by_run])
    known = ~np.isnan(rows).all(axis=0)
    if not known.any():
        return None
    rows = rows[:, known]
    return StepTimes(
        steps=tuple(int(end) for end, is_known in zip(ends[1:], known, strict=True) if is_known),
        median=tuple(np.nanmedian(rows, axis=0).tolist()),
        low=tuple(np.nanmin(rows, axis=0).tolist()),
        high=tuple(np.nanmax(rows, axis=0).tolist()),
        runs=len(by_run),
    )


def _curve(run: Run, *, counted: bool) -> Curve:
    points = {v.step: v.loss for v in run.validations if math.isfinite(v.loss)}
    steps = _thinned(sorted(points))
    return Curve(tuple(steps), tuple(points[step] for step in steps), counted)


def _thinned(steps: Sequence[int]) -> Sequence[int]:
    every = -(-len(steps) // MOST_POINTS)
    # Counted from the end, so that the last one is drawn.
    return steps[::-1][:: max(every, 1)][::-1]


def _apart(curves: Sequence[Curve]) -> tuple[Curve, ...]:
    counted = [curve for curve in curves if curve.counted]
    if len(counted) < 2:
        return ()
    start = max(curve.x[-1] for curve in counted) * 2 / 3
    at: dict[float, list[float]] = defaultdict(list)
    for curve in counted:
        for x, y in zip(curve.x, curve.y, strict=True):
            at[x].append(y)
    steps = sorted(at)
    # The last validation before that point, too: a line needs two.
    first = max((x for x in steps if x <= start), default=steps[0])
    means = {x: math.fsum(at[x]) / len(at[x]) for x in steps if x >= first and len(at[x]) > 1}
    apart = []
    for curve in counted:
        points = [(x, y - means[x]) for x, y in zip(curve.x, curve.y, strict=True) if x in means]
        if points:
            xs, ys = zip(*points, strict=True)
            apart.append(Curve(xs, ys, counted=True))
    return tuple(apart)


def _times(sample: Sample) -> list[Mapping[int, float]]:
    """Return the clock of each counted run by step: of all step lines, or of the validations."""
    counted = [index for index, run in enumerate(sample.judged[: len(sample.runs)]) if run.counted]
    read = read_step_times(sample.record.path, sample.runs, counted)
    return [
        read.get(index)
        or {
            validation.step: validation.train_time_ms
            for validation in sample.runs[index].validations
            if validation.train_time_ms is not None
        }
        for index in counted
    ]


def _whole_steps(times: Mapping[int, float]) -> dict[int, float]:
    """Return the steps from the last restart of the clock on: it restarts after the warm-up."""
    steps = sorted(times)
    start = 0
    for place, (a, b) in enumerate(pairwise(steps), start=1):
        if times[b] < times[a]:
            start = place
    return {step: times[step] for step in steps[start:]}


def _ends(last: int) -> list[float]:
    ends = np.unique(np.linspace(0, last, min(last, MOST_STRETCHES) + 1).round())
    return [float(end) for end in ends]


def _milliseconds(times: Mapping[int, float], ends: Sequence[float]) -> list[float]:
    """Return the time a step within each stretch; NaN where the run has no line in it."""
    steps = np.array(sorted(times), dtype=np.float64)
    clock = np.array([times[int(step)] for step in steps])
    result = []
    for low, high in pairwise(ends):
        first, last = np.searchsorted(steps, [low, high], side="right") - 1
        inside = 0 <= first < last
        result.append(
            float((clock[last] - clock[first]) / (steps[last] - steps[first]))
            if inside
            else math.nan
        )
    return result
