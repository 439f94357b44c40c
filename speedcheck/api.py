"""The library: what the command line does, as functions that return frozen objects."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from speedcheck.certificate import Certificate, LossStatistics, Verdict
from speedcheck.checks.loss import judge_losses, loss_statistics
from speedcheck.errors import InputError, UsageError
from speedcheck.judge import judge
from speedcheck.records.folder import find_records, read_record
from speedcheck.rule import Overrides, Rule, rule_for
from speedcheck.tracks import DEFAULT_TRACK, get_track


@dataclass(frozen=True, slots=True)
class LossCertificate:
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


def verify(
    path: str | Path,
    *,
    track: str | None = None,
    target: float | None = None,
    alpha: float | None = None,
) -> Certificate:
    """Judge the one record in a folder by the evidence in it.

    Args:
        path: the record folder.
        track: name of the track to judge it by; the record's own unless given.
        target: loss that the mean must be below, nats per token; the record's unless given.
        alpha: significance level; the record's unless given.

    Raises:
        InputError: no record is there, more than one is, or it cannot be read.
        UsageError: no such track, or a number out of its range.
    """
    overrides = Overrides(track=track, target=target, alpha=alpha)
    folders = find_records(Path(path))
    if len(folders) > 1:
        raise InputError(
            f"holds {len(folders)} records",
            where=str(path),
            remedy="name one, such as " + str(folders[0]),
        )
    return verify_folder(folders[0], overrides)


def verify_folder(folder: Path, overrides: Overrides) -> Certificate:
    """Judge the record in `folder`, which is one of `find_records`."""
    record = read_record(folder)
    return judge(record, rule_for(record, overrides))


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
    overrides = Overrides(target=target, alpha=alpha)
    track = get_track(DEFAULT_TRACK)
    rule = Rule(
        track=track,
        target=track.target if overrides.target is None else overrides.target,
        alpha=track.alpha if overrides.alpha is None else overrides.alpha,
        by_caller=True,
    )
    try:
        numbers = [float(loss) for loss in losses]
    except (TypeError, ValueError) as error:
        raise UsageError(f"a loss is not a number ({error})", remedy="give numbers") from error
    loss = loss_statistics([x if math.isfinite(x) else None for x in numbers], rule.target)
    verdict = Verdict.of(judge_losses(loss, rule))
    return LossCertificate(rule.target, rule.alpha, verdict.status == "pass", loss, verdict)
