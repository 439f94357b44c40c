"""How much of the runs do their own clocks leave out, by the ledger's clock on the wall?"""

from __future__ import annotations

from collections.abc import Iterator

from speedcheck.certificate import JudgedRun
from speedcheck.checks import codes
from speedcheck.logs import Run
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding
from speedcheck.words import count

# What a log may print its times to, in milliseconds: from milliseconds to minutes.
_UNITS_MS = (60_000, 6_000, 1_000, 600, 100, 10)
# The ledger's own figure is rounded to a millisecond.
_LEDGER_S = 0.001


def check_outside_clock(sample: Sample) -> Iterator[Finding]:
    """Say how much time is outside of the clocks, and where a clock shows more than there was."""
    known = [
        (run, judged, judged.outside_clock_s)
        for run, judged in sample.counted()
        if judged.outside_clock_s is not None
    ]
    beyond = [(judged, -seconds) for run, judged, seconds in known if -seconds > _rounding_s(run)]
    logs = {judged.log for judged, _ in beyond}
    within = [seconds for _, judged, seconds in known if judged.log not in logs]
    if within:
        yield _outside(within)
    if beyond:
        yield _beyond(beyond, len(known))


def _rounding_s(run: Run) -> float:
    """Return by how much the run's last time may be rounded, in seconds.

    The log prints all its times to one unit; it is taken for the largest that divides them all.
    """
    times = {round(v.train_time_ms, 3) for v in run.validations if v.train_time_ms}
    unit = next((u for u in _UNITS_MS if all(time % u == 0 for time in times)), 1)
    return unit / 2000 + _LEDGER_S


def _outside(seconds: list[float]) -> Finding:
    low, high = f"{min(seconds):.1f}", f"{max(seconds):.1f}"
    span = f", {low} to {high} s" if low != high else ""
    message = (
        f"outside of the clock: mean {sum(seconds) / len(seconds):.1f} s a run{span} "
        f"(n = {len(seconds)}): start-up, compilation, validation"
    )
    return Finding(codes.OUTSIDE_CLOCK, "info", message)


def _beyond(beyond: list[tuple[JudgedRun, float]], known: int) -> Finding:
    most = max(seconds for _, seconds in beyond)
    message = (
        f"the clocks of {len(beyond)} of {count(known, 'counted run')} show more time than the "
        f"ledger saw pass from start to end, up to {most:.4g} s more"
    )
    return Finding(codes.CLOCK_BEYOND_WALL, "warn", message, beyond[0][0].log or "")
