"""Where a track counts steps: the test at every validation step that all runs have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator

from speedcheck.certificate import LossStatistics
from speedcheck.checks import codes
from speedcheck.rules.rule import Rule
from speedcheck.sample import Sample
from speedcheck.stats.step_rule import StepScan, step_scan
from speedcheck.verdicts import Finding
from speedcheck.words import count


def curves_of(sample: Sample) -> list[list[tuple[int, float]]]:
    """Return step and loss at every validation of each counted run, up to its result."""
    return [
        [
            (v.step, v.loss)
            for v in run.validations
            if math.isfinite(v.loss) and (judged.final_step is None or v.step <= judged.final_step)
        ]
        for run, judged in sample.counted()
    ]


def scan_of(sample: Sample, rule: Rule) -> StepScan | None:
    """Return the scan; None on a track that counts time, and without a validation in common."""
    track = rule.track
    if track.cost != "steps":
        return None
    scan = step_scan(curves_of(sample), rule.target, rule.alpha, track.sigma, track.direction)
    return scan if scan.rows else None


def check_scan(loss: LossStatistics) -> Iterator[Finding]:
    """Name the earliest step that passes, where it is not the last one."""
    scan = loss.scan
    if scan is not None and scan.earliest not in (None, scan.rows[-1].step):
        looks = count(len(scan.rows), "look")
        message = f"the earliest step that passes is {scan.earliest}, chosen among {looks}"
        yield Finding(codes.STEP_SCAN, "info", message)
