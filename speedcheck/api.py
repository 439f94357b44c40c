"""The library: what the command line does, as functions that return frozen objects."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from speedcheck.baseline import one_record, read_baseline, refuse_itself
from speedcheck.certificate import Certificate, LossStatistics
from speedcheck.checks.loss import judge_losses, loss_statistics
from speedcheck.errors import UsageError
from speedcheck.judge import Judgement, judge
from speedcheck.notebook import ShownInNotebooks
from speedcheck.records.record_folder import find_records, read_record
from speedcheck.rules.config import load_config
from speedcheck.rules.rule import Overrides, Rule, rule_for
from speedcheck.rules.tracks import DEFAULT_TRACK, get_track
from speedcheck.runs_table import runs_table
from speedcheck.sample import Selection
from speedcheck.sample.select import refuse_unmatched
from speedcheck.stats.sequential import SequentialTest, sequential_t
from speedcheck.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class LossCertificate(ShownInNotebooks):
    """The judgement of bare losses.

    Attributes:
        target: loss that the mean must be below, nats per token.
        alpha: significance level.
        certified: whether the mean is below the target at that level.
        loss: the test and the Bayesian estimates.
        verdict: why, in findings with stable codes.
    """

    target: float
    alpha: float
    certified: bool
    loss: LossStatistics
    verdict: Verdict


def verify(  # noqa: PLR0913 - one argument an option of the command
    path: str | Path,
    *,
    track: str | None = None,
    target: float | None = None,
    alpha: float | None = None,
    baseline: str | Path | None = None,
    config: str | Path | None = None,
    only: Iterable[str] = (),
    exclude: Iterable[str] = (),
    group: str | None = None,
) -> Certificate:
    """Judge the one record in a folder by the evidence in it.

    Args:
        path: the record folder.
        track: name of the track to judge it by; the record's own unless given.
        target: loss that the mean must be below, nats per token; the record's unless given.
        alpha: significance level; the record's unless given.
        baseline: folder of the record to compare with; the one that record.toml names unless
            given.
        config: the speedcheck.toml with the project's own tracks; that at the root of the
            repository, or else in the working directory, unless given.
        only: patterns such as "this_pr/*", one of which the path of a counted log matches.
        exclude: patterns that the path of no counted log matches.
        group: name of the group to judge, if the folder holds several; "all" for all.

    Raises:
        InputError: no record is there, more than one is, or it cannot be read; the same for the
            baseline and the configuration.
        UsageError: no such track or group, a number out of its range, a pattern that matches no
            log, or no log is left.
    """
    overrides = Overrides(
        track=track,
        target=target,
        alpha=alpha,
        baseline=None if baseline is None else Path(baseline),
        config=None if config is None else Path(config),
    )
    selection = Selection(only=tuple(only), exclude=tuple(exclude), group=group)
    folder = one_record(Path(path), overrides.parser_for)
    refuse_itself(folder, overrides.baseline)
    certificate = verify_folder(folder, overrides, selection)
    refuse_unmatched(selection, [(folder, run.log) for run in certificate.runs if run.log])
    return certificate


def verify_folder(
    folder: Path,
    overrides: Overrides,
    selection: Selection | None = None,
    *,
    with_documents: bool = True,
) -> Certificate:
    """Return the certificate of the record in `folder`; see `judge_folder`."""
    return judge_folder(folder, overrides, selection, with_documents=with_documents).certificate


def judge_folder(
    folder: Path,
    overrides: Overrides,
    selection: Selection | None = None,
    *,
    with_documents: bool = True,
) -> Judgement:
    """Judge the record in `folder`, which is one of `find_records`; for the rest see `judge`."""
    record = read_record(folder, overrides.parser_for)
    rule = rule_for(record, overrides, load_config(folder, overrides.config))
    baseline = read_baseline(record, rule, overrides, lambda *_: rule.track.parser())
    return judge(record, rule, baseline, selection, with_documents=with_documents)


def read(path: str | Path, *, track: str | None = None) -> pd.DataFrame:
    """Return the runs of every record in a folder as a pandas table, one row a run.

    The columns are those of `speedcheck table --csv`: the record's name and what `JudgedRun` says.

    Args:
        path: a record folder, or a folder of several.
        track: name of the track whose log format the logs have; the records' own unless given.

    Raises:
        InputError: no record is there, or one cannot be read.
        UsageError: no such track.
    """
    overrides = Overrides(track=track)
    folders = find_records(Path(path), overrides.parser_for)
    return runs_table([verify_folder(folder, overrides) for folder in folders])


def certify(
    losses: Iterable[float], target: float | None = None, alpha: float | None = None
) -> LossCertificate:
    """Test whether the mean of `losses` is below `target`.

    Args:
        losses: final validation losses, one a run, nats per token.
        target: the loss that the mean must be below; 3.28 unless given.
        alpha: significance level; 0.01 unless given.

    Raises:
        UsageError: a number is out of its range, or a loss is not a number.
    """
    rule = _rule(target, alpha)
    numbers = _numbers(losses)
    loss = loss_statistics([x if math.isfinite(x) else None for x in numbers], rule)
    verdict = Verdict.of(judge_losses(loss, rule))
    return LossCertificate(rule.target, rule.alpha, verdict.status == "pass", loss, verdict)


def certify_sequentially(
    losses: Iterable[float], target: float | None = None, alpha: float | None = None
) -> SequentialTest:
    """Test whether the mean of `losses` is below `target`, with a look after each run.

    Unlike `certify`, this may be called after every run, and the campaign may stop or go on by
    what it says: the probability of ever certifying a mean at the target is at most alpha. The
    order of the losses must be planned, such as seeds 0, 1, 2, ..., and not that of their arrival.

    Args:
        losses: final validation losses, one a run, nats per token, in the planned order.
        target: the loss that the mean must be below; 3.28 unless given.
        alpha: significance level; 0.01 unless given.

    Raises:
        UsageError: a number is out of its range, or a loss is not a number.
    """
    rule = _rule(target, alpha)
    return sequential_t(_numbers(losses), rule.target, rule.alpha)


def _rule(target: float | None, alpha: float | None) -> Rule:
    """Return the rule that bare losses are judged by."""
    overrides = Overrides(target=_number("target", target), alpha=_number("alpha", alpha))
    track = get_track(DEFAULT_TRACK)
    return Rule(
        track=track,
        target=track.target if overrides.target is None else overrides.target,
        alpha=track.alpha if overrides.alpha is None else overrides.alpha,
        by_caller=True,
    )


def _numbers(losses: Iterable[float]) -> list[float]:
    try:
        return [float(loss) for loss in losses]
    except (TypeError, ValueError) as error:
        raise UsageError(f"a loss is not a number ({error})", remedy="give numbers") from error


def _number(name: str, value: object) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise UsageError(f"{name} is {value!r}", remedy="give a number")
