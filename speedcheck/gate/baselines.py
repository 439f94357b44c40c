"""The merged records that a new one is compared with: the fastest, and the last that was tested."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.certificate import Certificate
from speedcheck.checks import codes
from speedcheck.errors import SpeedcheckError
from speedcheck.gate.objection import Objection
from speedcheck.gate.workplace import Workplace

# Ten times as fast as the fastest record is not progress but another clock, or another program.
FASTEST_SHARE = 0.1

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
        named = _DATE.search(str(folder))
        dates[folder] = (plan.date if plan else None) or (named[0] if named else "")
    return dates
