"""The competitions a record can enter: what must be shown, and on what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from speedcheck.errors import UsageError
from speedcheck.logs import ForeignFormat, ForeignParser, Parser, Run, parse_log

Direction = Literal["less", "greater"]
Test = Literal["t", "known-sigma", "welch"]
Cost = Literal["time", "steps"]


BUILT_IN_MEASURE = ("val_loss", "loss")
"""What the measure is called where logs have one of the built-in formats."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use; None where there is no limit.

    Attributes:
        train_ms: training time, in milliseconds.
        eval_ms: evaluation time, in milliseconds.
        artifact_bytes: size of the artifact.
    """

    train_ms: float | None = None
    eval_ms: float | None = None
    artifact_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """One competition.

    Attributes:
        name: what `--track` and record.toml call it.
        target: validation loss, nats per token, that the mean must be below.
        alpha: significance level of the one-sided test.
        typical_sd: standard deviation of the loss over seeds, nats per token, from earlier runs
            of this track; only for planning, never for the test. None where unknown.
        n_gpus: the number of GPUs that the rules ask for; None where any hardware will do.
        gpu: a word of the GPU's name that the rules ask for.
        val_tokens: the number of validation tokens that the rules ask for; None where the
            recipe alone says it.
        direction: "greater" where the mean must be above the target.
        test: "t", "known-sigma" for the z-test, or "welch" for a mean that must be better than
            that of the best certified record, the frontier. There the target is what the first
            record of the track must reach.
        sigma: the standard deviation of one loss that the z-test takes as known.
        improvement: by how much a record must beat the frontier, in the measure's unit.
        exchange_rate: nats per token that one step is worth when two records are compared; None
            on a track without such a rule.
        cost: what its records lower: the training time, or the number of steps.
        log_format: how its logs are read, where they have a format of their own.
        measure: the words that stand for the measure in documents.
        budget: what a run may use; its training ends when the time is used up, so that a run that
            reaches it within one logged step is complete.
        limits: what a run must not exceed, and need not use up.
        train_shards: the number of training shards that the rules ask for.
        machine_spread: standard deviation of the difference between two machines of one name, as a
            share of the run time; None for the default of `speedcheck compare`.
        source: the file that defines it; "" for a built-in track.
    """

    name: str
    target: float
    alpha: float
    typical_sd: float | None
    n_gpus: int | None = None
    gpu: str | None = None
    val_tokens: int | None = None
    direction: Direction = "less"
    test: Test = "t"
    sigma: float | None = None
    improvement: float = 0.0
    exchange_rate: float | None = None
    cost: Cost = "time"
    log_format: ForeignFormat | None = None
    measure: tuple[str, ...] = BUILT_IN_MEASURE
    budget: Limits = Limits()
    limits: Limits = Limits()
    train_shards: int | None = None
    machine_spread: float | None = None
    source: str = ""

    @property
    def sign(self) -> int:
        """Return the factor that turns the measure into one that must be low."""
        return 1 if self.direction == "less" else -1

    def parser(self) -> Parser:
        """Return a parser of the track's logs, for the files of one record."""
        return ForeignParser(self.log_format) if self.log_format else parse_log

    @property
    def budget_train_ms(self) -> float | None:
        """Return the training time at which a run ends, in milliseconds."""
        return self.budget.train_ms

    def reached_end(self, run: Run) -> bool | None:
        """Return whether a run is complete; None where neither log nor track can tell.

        It is at its planned end, at the line that decides, or at the budget of the track within
        one logged step. A run without the line that decides, where the track names one, is not.
        """
        if run.complete or run.ended is False or self.budget.train_ms is None:
            return run.complete
        if run.last_time_ms is None:
            return run.complete
        return run.last_time_ms + (run.step_time_ms or 0.0) >= self.budget.train_ms


def alpha_of_margin(margin: float, sigma: float) -> float:
    """Give the size of the z-test that passes when |mean - target| * sqrt(n) reaches `margin`.

    Args:
        margin: nats per token.
        sigma: standard deviation of one loss, nats per token.
    """
    return math.erfc(margin / sigma / math.sqrt(2)) / 2


# The rule of the competition: the mean is below the target at p < 0.01.
ALPHA = 0.01

GPT2_SMALL = Track(
    name="gpt2-small",
    target=3.28,
    alpha=ALPHA,
    typical_sd=0.00185,  # 1261 published runs of the record of 2024-12-17
    n_gpus=8,
    gpu="H100",
    val_tokens=10_485_760,
)
GPT2_MEDIUM = Track(
    name="gpt2-medium",
    target=2.92,
    alpha=ALPHA,
    typical_sd=None,
    n_gpus=8,
    gpu="H100",
    val_tokens=10_485_760,
)

# The step-count track: fewest steps, on any hardware. Its rule takes sigma as known and passes
# when (3.28 - mean) * sqrt(n) >= 0.004, whatever the sample's own standard deviation is.
STEPS_SIGMA, STEPS_MARGIN = 0.0013, 0.004
# One program that was run 200 steps shorter: 3.2790 to 3.2881.
STEPS_RATE = 0.0045 / 100
GPT2_SMALL_STEPS = Track(
    name="gpt2-small-steps",
    target=3.28,
    alpha=alpha_of_margin(STEPS_MARGIN, STEPS_SIGMA),
    typical_sd=STEPS_SIGMA,
    val_tokens=10_485_760,
    test="known-sigma",
    sigma=STEPS_SIGMA,
    exchange_rate=STEPS_RATE,
    cost="steps",
)

TINY = Track(
    name="tiny",
    target=1.30,  # docs/tiny.md: 64 measured seeds
    alpha=ALPHA,
    typical_sd=0.0067,  # the same 64
)

TRACKS = {track.name: track for track in (GPT2_SMALL, GPT2_MEDIUM, GPT2_SMALL_STEPS, TINY)}
DEFAULT_TRACK = GPT2_SMALL.name

# A recipe of the bundled trainer enters the track of its size.
TRACK_OF_RECIPE = {"sub3": GPT2_SMALL.name, "tiny": TINY.name}

NO_TRACK = "none"
"""What a certificate says of a record that enters no track, such as one with fewer steps."""


def without_track(track: Track) -> Track:
    """Return what a record must show that is like those of `track` and enters no track.

    That is the test, of a changed recipe for one, on whatever hardware.
    """
    return replace(track, name=NO_TRACK, typical_sd=None, n_gpus=None, gpu=None)


def get_track(name: str, tracks: Mapping[str, Track] = TRACKS) -> Track:
    """Return the track called `name`.

    Args:
        name: what `--track` or record.toml says.
        tracks: the known tracks by their names.

    Raises:
        UsageError: no track has that name.
    """
    try:
        return tracks[name]
    except KeyError:
        known = ", ".join(tracks)
        raise UsageError(f"no track is called {name!r}", remedy=f"choose one of: {known}") from None


def track_judged_by(name: str, tracks: Mapping[str, Track] = TRACKS) -> Track:
    """Return the track that a certificate names; for a record without one, the usual rules.

    Raises:
        UsageError: no track has that name.
    """
    return without_track(TRACKS[DEFAULT_TRACK]) if name == NO_TRACK else get_track(name, tracks)


def track_in_words(name: str) -> str:
    """Return the track of a certificate for a sentence: "track tiny", or "no track"."""
    return "no track" if name == NO_TRACK else f"track {name}"
