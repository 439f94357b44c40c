"""The times of training steps, which only the comparison of runs with one another needs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from speedcheck.logs import Run
from speedcheck.sample.duplicates import StepTimes

_STEP_TIME = re.compile(
    rb"\nstep:([0-9]{1,9})(?:/[0-9]{1,9})? [^\n]{0,200}?"
    rb"train_time:([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s)\b"
)


def read_step_times(
    root: Path, runs: Sequence[Run], members: Sequence[int]
) -> Mapping[int, StepTimes]:
    """Return the times of the steps of the runs in `members`, in milliseconds, by position.

    Files with several runs are left out: the times of their validations must do.
    """
    alone: dict[str, list[int]] = defaultdict(list)
    for index in members:
        alone[runs[index].log].append(index)
    return {
        indices[0]: times
        for log, indices in alone.items()
        if len(indices) == 1 and (times := _times(root / log))
    }


def _times(path: Path) -> dict[int, float]:
    try:
        data = path.read_bytes()
    except OSError:
        return {}
    scale = {b"ms": 1.0, b"s": 1000.0}
    found = _STEP_TIME.findall(data)
    return {int(step): float(time) * scale[unit] for step, time, unit in found}
