"""Is the mean loss beyond the target, by the test that allows a look after every run?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from speedcheck.certificate import LossStatistics
from speedcheck.checks import codes
from speedcheck.figures import SequentialFigures
from speedcheck.records.ledger import LEDGER_NAME, Ledger
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.record_toml import PLAN_NAME
from speedcheck.rules.rule import Rule
from speedcheck.sample import Sample
from speedcheck.stats.sequential import sequential_t
from speedcheck.verdicts import Finding


def sequential_statistics(loss: LossStatistics, sample: Sample, rule: Rule) -> LossStatistics:
    """Return the statistics with the anytime-valid test in the place of the fixed one.

    Without a ledger, and on a track without a t-test against a fixed target, no test is left.

    Args:
        loss: the statistics of all counted losses, whose mean and sd stay.
        sample: the record with its runs judged.
        rule: its rule.
    """
    untested = replace(loss, t=None, df=None, p_value=None)
    ledger = sample.record.ledger
    if ledger is None or rule.track.test != "t":
        return untested
    losses = _prefix(sample, ledger)
    test = sequential_t(losses, rule.target, rule.alpha, rule.track.direction)
    figures = SequentialFigures(
        runs=test.n,
        maximum=len(ledger.latest()),
        e_values=test.e_values,
        p_anytime=test.p_value,
        certified_at=test.certified_at if test.certified else None,
    )
    return replace(untested, p_value=figures.p_anytime, sequential=figures)


def check_sequential(loss: LossStatistics, sample: Sample, rule: Rule) -> Iterator[Finding]:
    """Judge the losses of a record with a sequential stopping rule."""
    figures = loss.sequential
    if figures is None:
        yield _refused(rule)
    elif figures.certified_at is not None:
        yield Finding(codes.SEQUENTIAL, "info", describe(figures))
    elif any(run.counted and run.val_loss is None for run in sample.judged):
        # The diverged run has a finding of its own.
        return
    else:
        bound = f"{1 / rule.alpha:g}"
        message = f"{describe(figures)}; it must reach {bound}: continue with --resume"
        yield Finding(codes.NOT_REACHED, "fail", message, remedy=_continue(figures))


def _continue(figures: SequentialFigures) -> str:
    """Return the command that adds runs: past the maximum it takes a larger one."""
    more = f" --max-seeds {2 * figures.maximum}" if figures.runs >= figures.maximum else ""
    return f"add runs, which this test allows: speedcheck run --resume{more} --out FOLDER"


def describe(figures: SequentialFigures) -> str:
    """Return the figures of the test in words."""
    last = figures.e_values[-1] if figures.e_values else 1.0
    largest = max(figures.e_values, default=1.0)
    runs = f"{figures.runs} of at most {figures.maximum} runs"
    parts = [f"E = {last:.4g} after {runs}"]
    if largest > last:
        parts.append(f"largest {largest:.4g}")
    if figures.certified_at is not None:
        parts.append(f"certified at run {figures.certified_at}")
    return ", ".join([*parts, f"anytime-valid p = {figures.p_anytime:.2g}"])


def _refused(rule: Rule) -> Finding:
    if rule.track.test != "t":
        message = (
            f"{PLAN_NAME} asks for the sequential test, which is made for a t-test against a fixed "
            f"target; the test of track {rule.track.name} is {rule.track.test!r}"
        )
        return Finding(codes.NOT_SEQUENTIAL, "fail", message, PLAN_NAME)
    message = "the sequential test needs the ledger, which says the order of the seeds"
    return Finding(codes.NOT_SEQUENTIAL, "fail", message, LEDGER_NAME)


def _prefix(sample: Sample, ledger: Ledger) -> list[float]:
    """Return the losses of the planned seeds up to the first one without a counted run.

    The loss of a run that diverged is NaN.
    """
    by_log = {judged.log: judged for _, judged in sample.counted()}
    losses: list[float] = []
    for entry in ledger.latest().values():
        judged = by_log.get(f"{LOGS_NAME}/{entry.log}")
        if entry.event != "finished" or judged is None:
            break
        losses.append(math.nan if judged.val_loss is None else judged.val_loss)
    return losses
