"""Runs of a record whose track asks it to beat a frontier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from speedcheck.baseline import read_baseline
from speedcheck.checks.beside_baseline import losses_of
from speedcheck.comparison.sides import read_side
from speedcheck.errors import InputError, UsageError
from speedcheck.planning.measured import Measured
from speedcheck.planning.planned import Frontier
from speedcheck.rules.rule import Overrides
from speedcheck.rules.tracks import Track
from speedcheck.stats.moments import moments


def read_frontier(track: Track, measured: Measured | None, overrides: Overrides) -> Frontier | None:
    """Return the frontier that a record of `track` must beat; None where it has a fixed target.

    Args:
        track: the track.
        measured: the figures of the runs so far, whose record.toml may name the frontier.
        overrides: what the caller asks for; its baseline is the frontier.

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
    name, losses = _losses(track, measured, overrides)
    found = moments(losses)
    if found.mean is None or found.std is None:
        what = "the frontier has no mean and spread: it needs 2 runs with a loss"
        raise InputError(what, where=name, remedy="name the best certified record of the track")
    return Frontier(name, found.n, found.mean, found.std, track.improvement)


def _losses(
    track: Track, measured: Measured | None, overrides: Overrides
) -> tuple[str, list[float]]:
    if measured is not None:
        record = measured.record
        baseline = read_baseline(record, measured.rule, overrides, overrides.parser_for)
        if baseline is not None:
            return baseline.name, losses_of(baseline.sample)
    elif overrides.baseline is not None:
        return _of_folder(overrides.baseline, overrides)
    raise UsageError(
        f"track {track.name} tests against a frontier, and none is named",
        remedy="name the best certified record of the track with --baseline FOLDER",
    )


def _of_folder(folder: Path, overrides: Overrides) -> tuple[str, list[float]]:
    side = read_side(folder, replace(overrides, baseline=None))
    return str(folder), losses_of(side.sample)
