"""Runs of a record whose track asks it to beat a frontier."""

from __future__ import annotations

from dataclasses import replace

from speedcheck.baseline import read_baseline
from speedcheck.checks.beside_baseline import losses_of
from speedcheck.comparison.sides import read_side
from speedcheck.errors import InputError, UsageError
from speedcheck.planning.measured import Measured
from speedcheck.planning.planned import Frontier
from speedcheck.rules.rule import Overrides
from speedcheck.rules.tracks import Track
from speedcheck.stats.moments import moments


def read_frontier(
    track: Track, measured: Measured | None, overrides: Overrides, *, is_needed: bool
) -> Frontier | None:
    """Return the frontier that a record of `track` must beat; None where it has a fixed target.

    Args:
        track: the track.
        measured: the figures of the runs so far, whose record.toml may name the frontier.
        overrides: what the caller asks for; its baseline is the frontier.
        is_needed: whether a record is planned; without one, None where no frontier is named.

    Raises:
        UsageError: no frontier is named, or one on a track with a fixed target, or a target on a
            track with a frontier.
        InputError: the frontier cannot be read, or has no mean and spread.
    """
    if track.test != "welch":
        if overrides.baseline is not None:
            what = f"track {track.name} tests against a fixed target, not against a record"
            raise UsageError(what, where="--baseline", remedy="leave it out")
        return None
    if overrides.target is not None:
        what = f"track {track.name} tests against the frontier, not against a target"
        raise UsageError(what, where="--target", remedy="leave it out")
    named = _losses(measured, overrides)
    if named is None:
        if is_needed:
            raise UsageError(
                f"track {track.name} tests against a frontier, and none is named",
                remedy="name the best certified record of the track with --baseline FOLDER",
            )
        return None
    name, losses = named
    found = moments(losses)
    if found.mean is None or found.std is None:
        what = "the frontier has no mean and spread: it needs 2 runs with a loss"
        raise InputError(what, where=name, remedy="name the best certified record of the track")
    return Frontier(name, found.n, found.mean, found.std, track.improvement)


def _losses(measured: Measured | None, overrides: Overrides) -> tuple[str, list[float]] | None:
    """Return the name of the frontier that is named, and its losses."""
    if measured is not None:
        record = measured.record
        baseline = read_baseline(record, measured.rule, overrides, overrides.parser_for)
        return None if baseline is None else (baseline.name, losses_of(baseline.sample))
    if overrides.baseline is None:
        return None
    side = read_side(overrides.baseline, replace(overrides, baseline=None))
    return str(overrides.baseline), losses_of(side.sample)
