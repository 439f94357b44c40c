"""The rule that one record is judged by: its track's, unless the record or the caller says more."""

from __future__ import annotations

import math
from dataclasses import dataclass

from speedcheck.errors import InputError, UsageError
from speedcheck.records.folder import Record
from speedcheck.records.plan import PLAN_NAME
from speedcheck.tracks import DEFAULT_TRACK, TRACK_OF_RECIPE, Track, get_track


@dataclass(frozen=True, slots=True)
class Rule:
    """What must be shown.

    Attributes:
        track: the track that the record enters.
        target: loss that the mean must be below, nats per token.
        alpha: significance level.
        by_caller: whether all that is lenient in it is the caller's own word.
    """

    track: Track
    target: float
    alpha: float
    by_caller: bool = False

    @property
    def is_lenient(self) -> bool:
        """Return whether less is asked for than the track asks."""
        return self.target > self.track.target or self.alpha > self.track.alpha


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the caller asks for instead of what the record and its track say.

    Raises:
        UsageError: a value is out of range, or no track has that name.
    """

    track: str | None = None
    target: float | None = None
    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.track is not None:
            get_track(self.track)
        if self.target is not None and not math.isfinite(self.target):
            raise UsageError(f"the target is {self.target}", remedy="give a finite loss")
        if self.alpha is not None and not 0 < self.alpha < 1:
            raise UsageError(f"alpha is {self.alpha}", remedy="give a number between 0 and 1")


def rule_for(record: Record, overrides: Overrides) -> Rule:
    """Return the rule for `record`: the caller's word, else the record's, else its track's.

    Without a word from either, the track is that of the recipe in the logs, else gpt2-small.

    Raises:
        InputError: record.toml names a track that does not exist.
    """
    # A caller who names a track means its numbers, not the record's.
    plan = None if overrides.track else record.plan
    track = get_track(overrides.track) if overrides.track else _own_track(record)
    target = _first(overrides.target, plan.target if plan else None, track.target)
    alpha = _first(overrides.alpha, plan.alpha if plan else None, track.alpha)
    return Rule(
        track=track,
        target=target,
        alpha=alpha,
        by_caller=(overrides.target is not None or target <= track.target)
        and (overrides.alpha is not None or alpha <= track.alpha),
    )


def _own_track(record: Record) -> Track:
    planned = record.plan.track if record.plan else None
    try:
        return get_track(planned or _track_of_logs(record) or DEFAULT_TRACK)
    except UsageError as error:
        where = str(record.path / PLAN_NAME)
        raise InputError(f"track: {error.what}", where=where, remedy=error.remedy) from None


def _track_of_logs(record: Record) -> str | None:
    recipes = {run.header.recipe for log in record.logs for run in log.runs if run.header}
    return TRACK_OF_RECIPE.get(recipes.pop() or "") if len(recipes) == 1 else None


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
