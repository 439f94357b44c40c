"""The merged records that a new one is compared with: the fastest, and the last that was tested."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.certificate import Certificate
from speedcheck.checks import codes
from speedcheck.checks.beat_frontier import FEWEST_RUNS
from speedcheck.errors import SpeedcheckError
from speedcheck.gate.objection import Objection
from speedcheck.gate.workplace import Workplace
from speedcheck.records.record_toml import Plan
from speedcheck.rules.tracks import Track
from speedcheck.stats import one_sample_t
from speedcheck.stats.frontier import beats_frontier

# Ten times as fast as the fastest record is not progress but another clock, or another program.
FASTEST_SHARE = 0.1

_OF_THE_TEST = frozenset({codes.FRONTIER_NOT_BEATEN, codes.NOT_SIGNIFICANT})

_DATE = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")


@dataclass(frozen=True, slots=True)
class Frontier:
    """The merged records of one track that are certified.

    Attributes:
        fastest: folder of the one with the lowest mean time; None without one.
        fastest_s: its mean time in seconds.
        last_tested: folder of the last one that passed the loss test itself; None without one.
    """

    fastest: PurePosixPath | None = None
    fastest_s: float | None = None
    last_tested: PurePosixPath | None = None


def frontier(workplace: Workplace, track: str, without: frozenset[PurePosixPath]) -> Frontier:
    """Return the certified records of `track` in the base, those in `without` left out."""
    certified = {
        folder: certificate
        for folder, certificate in workplace.earlier().items()
        if folder not in without and certificate.certified and certificate.track == track
    }
    times = {folder: c.runtime.mean_s for folder, c in certified.items() if c.runtime is not None}
    fastest = min(times, key=times.__getitem__) if times else None
    tested = _dates(workplace, {f: c for f, c in certified.items() if not is_excused(c)})
    return Frontier(
        fastest=fastest,
        fastest_s=None if fastest is None else times[fastest],
        last_tested=max(tested, key=lambda f: (tested[f], -times.get(f, 0.0)), default=None),
    )


def best_record(
    workplace: Workplace, track: Track, without: frozenset[PurePosixPath], date: str
) -> PurePosixPath | None:
    """Return the best certified record of a track with the test "welch", made until a date.

    A base record is certified where nothing but the frontier was unknown of it and it beats the
    best one before it; the first one must pass the t-test against the track's target.

    Args:
        workplace: the base and its records.
        track: the track.
        without: folders that are left out: the judged record itself.
        date: ISO date of the judged record where it was merged before; "" for a new one, which
            comes after all records of the base.
    """
    sound = {
        folder: certificate
        for folder, certificate in workplace.earlier().items()
        if folder not in without and certificate.track == track.name and _is_sound(certificate)
    }
    dates = _dates(workplace, sound)
    best: tuple[PurePosixPath, list[float]] | None = None
    # Of one day the better comes first: the higher bar.
    for folder in sorted(sound, key=lambda f: (dates[f], track.sign * _mean(sound[f]), f)):
        losses = [run.val_loss for run in sound[folder].counted if run.val_loss is not None]
        is_earlier = not date or dates[folder] <= date
        if is_earlier and _beats(losses, best[1] if best else None, sound[folder], track):
            best = folder, losses
    return best[0] if best else None


def _beats(
    losses: list[float], best: list[float] | None, certificate: Certificate, track: Track
) -> bool:
    if best is None:
        p_value = one_sample_t(losses, track.target, track.direction).p_value
        return p_value is not None and p_value < certificate.alpha
    test = beats_frontier(
        losses,
        best,
        improvement=track.improvement,
        alpha=certificate.alpha,
        direction=track.direction,
    )
    return test.shown


def _is_sound(certificate: Certificate) -> bool:
    """Return whether only the test against a frontier can speak against a record."""
    return certificate.loss.n >= FEWEST_RUNS and not any(
        finding.severity == "fail" and finding.code not in _OF_THE_TEST
        for finding in certificate.verdicts.findings()
    )


def _mean(certificate: Certificate) -> float:
    return math.inf if certificate.loss.mean is None else certificate.loss.mean


def record_date(plan: Plan | None, folder: PurePosixPath) -> str:
    """Return when a record was made: by its record.toml, else by its folder's name; "" if neither.

    Args:
        plan: its record.toml.
        folder: its folder.
    """
    named = _DATE.search(str(folder))
    return (plan.date if plan else None) or (named[0] if named else "")


def is_excused(certificate: Certificate) -> bool:
    """Return whether a record passes without the loss test, as a systems record may."""
    return any(f.code == codes.LOSS_EXCUSED for f in certificate.verdicts.loss.findings)


def too_fast(certificate: Certificate, fastest_s: float | None) -> Objection | None:
    """Object to a run that trained in less than a tenth of the fastest record's time."""
    times = [run.train_time_ms / 1000 for run in certificate.counted if run.train_time_ms]
    if fastest_s is None or not times or min(times) >= FASTEST_SHARE * fastest_s:
        return None
    return Objection(
        f"a run trained for {min(times):.3f} s, less than {FASTEST_SHARE:g} of the track's "
        f"fastest record ({fastest_s:.3f} s)"
    )


def _dates(
    workplace: Workplace, certificates: Mapping[PurePosixPath, Certificate]
) -> dict[PurePosixPath, str]:
    """Return when each record was made: by its record.toml, else by its folder's name."""
    dates = {}
    for folder in certificates:
        try:
            plan = workplace.plan("base", folder)
        except SpeedcheckError:
            plan = None
        dates[folder] = record_date(plan, folder)
    return dates
