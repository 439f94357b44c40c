"""The rule that one record is judged by: its track's, unless the record or the caller says more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from speedcheck.errors import InputError, UsageError
from speedcheck.logs import Parser, parse_log
from speedcheck.records.overrides import NO_OVERRIDES
from speedcheck.records.record_folder import Record
from speedcheck.records.record_toml import PLAN_NAME, Plan
from speedcheck.rules.config import Config, load_config
from speedcheck.rules.tracks import DEFAULT_TRACK, TRACK_OF_RECIPE, Track, get_track, without_track
from speedcheck.stats.noninferiority import (
    NON_INFERIORITY_ALPHA,
    NON_INFERIORITY_MARGIN,
    NON_INFERIORITY_MIN_RUNS,
)


@dataclass(frozen=True, slots=True)
class SystemsRule:
    """What a pure change of speed must show about the loss (docs/statistics.md).

    Attributes:
        margin: the largest worsening of the mean that is accepted, in the measure's unit.
        alpha: size of the one-sided test.
        min_runs: smallest number of runs that can show it.
    """

    margin: float = NON_INFERIORITY_MARGIN
    alpha: float = NON_INFERIORITY_ALPHA
    min_runs: int = NON_INFERIORITY_MIN_RUNS


@dataclass(frozen=True, slots=True)
class Rule:
    """What must be shown.

    Attributes:
        track: the track that the record enters.
        target: loss that the mean must be below, nats per token.
        alpha: significance level.
        by_caller: whether all that is lenient in it is the caller's own word.
        systems: what a systems record must show about its loss.
    """

    track: Track
    target: float
    alpha: float
    by_caller: bool = False
    systems: SystemsRule = SystemsRule()

    @property
    def is_lenient(self) -> bool:
        """Return whether less is asked for than the track asks."""
        return _is_easier(self.target, self.track) or self.alpha > self.track.alpha


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the caller asks for instead of what the record and its track say.

    Attributes:
        track: name of the track.
        target: loss that the mean must be below, nats per token.
        alpha: significance level.
        baseline: folder of the record to compare with.
        baseline_name: what reports call it; its path unless given.
        config: the speedcheck.toml to read.
        systems: what a systems record must show; the default unless given.

    Raises:
        UsageError: a value is out of range.
    """

    track: str | None = None
    target: float | None = None
    alpha: float | None = None
    baseline: Path | None = None
    config: Path | None = None
    baseline_name: str | None = None
    systems: SystemsRule = SystemsRule()

    def __post_init__(self) -> None:
        if self.target is not None and not math.isfinite(self.target):
            raise UsageError(f"--target is {self.target:g}", remedy="give a finite loss")
        if self.alpha is not None and not 0 < self.alpha < 1:
            raise UsageError(f"--alpha is {self.alpha:g}", remedy="give a number between 0 and 1")

    def parser_for(self, folder: Path, plan: Plan | None) -> Parser:
        """Return the parser of the logs in a folder: its track's, if that has a format of its own.

        Raises:
            UsageError: the caller names a track that does not exist.
            InputError: record.toml does, or the configuration cannot be read.
        """
        track = named_track(folder, plan, self, load_config(folder, self.config))
        return track.parser() if track else parse_log


def rule_for(record: Record, overrides: Overrides, config: Config) -> Rule:
    """Return the rule for `record`: the caller's word, else the record's, else its track's.

    Without a word from either, the track is the configuration's default, else that of the recipe
    in the logs, else gpt2-small; a recipe that record.toml changes enters none of them. The losses
    never decide it.

    Raises:
        UsageError: the caller names a track that does not exist.
        InputError: record.toml does.
    """
    # A caller who names a track means its numbers, not the record's.
    plan = None if overrides.track else record.plan
    track = named_track(record.path, record.plan, overrides, config) or _track_of_logs(record)
    target = _first(overrides.target, plan.target if plan else None, track.target)
    alpha = _first(overrides.alpha, plan.alpha if plan else None, track.alpha)
    return Rule(
        track=track,
        target=target,
        alpha=alpha,
        by_caller=(overrides.target is not None or not _is_easier(target, track))
        and (overrides.alpha is not None or alpha <= track.alpha),
        systems=overrides.systems,
    )


def named_track(
    folder: Path, plan: Plan | None, overrides: Overrides, config: Config
) -> Track | None:
    """Return the track that the caller, the plan or the configuration names, if one does.

    Raises:
        UsageError: the caller names a track that does not exist.
        InputError: record.toml does.
    """
    if overrides.track:
        return get_track(overrides.track, config.tracks)
    if plan is None or plan.track is None:
        return config.tracks[config.default_track] if config.default_track else None
    try:
        return get_track(plan.track, config.tracks)
    except UsageError as error:
        where = str(folder / PLAN_NAME)
        raise InputError(f"track: {error.what}", where=where, remedy=error.remedy) from None


def _track_of_logs(record: Record) -> Track:
    recipes = {run.header.recipe for log in record.logs for run in log.runs if run.header}
    recipe = recipes.pop() if len(recipes) == 1 else None
    track = get_track(TRACK_OF_RECIPE.get(recipe or "", DEFAULT_TRACK))
    is_changed = record.plan is not None and record.plan.overrides != NO_OVERRIDES
    return without_track(track) if is_changed else track


def _is_easier(target: float, track: Track) -> bool:
    return track.sign * target > track.sign * track.target


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
