"""The competitions a record can enter: what must be shown, and on what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from speedcheck.errors import UsageError
from speedcheck.logs import Parser, parse_log
from speedcheck.logs.foreign import ForeignParser
from speedcheck.logs.pattern import LogPattern

Direction = Literal["less", "greater"]
Test = Literal["t", "known-sigma"]
Cost = Literal["time", "steps"]


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
        test: "t", or "known-sigma" for the z-test.
        sigma: the standard deviation of one loss that the z-test takes as known.
        cost: what its records lower: the training time, or the number of steps.
        log_pattern: reads the lines of logs in a format of its own.
        source: the file that defines it; "" for a built-in track.
        budget_train_ms: training time after which a run ends, in milliseconds; None for none.
        measure: words that name the measure in documents.
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
    cost: Cost = "time"
    log_pattern: LogPattern | None = None
    source: str = ""
    budget_train_ms: float | None = None
    measure: tuple[str, ...] = ("val_loss", "loss")

    @property
    def sign(self) -> int:
        """Return the factor that turns the measure into one that must be low."""
        return 1 if self.direction == "less" else -1

    def parser(self) -> Parser:
        """Return a parser of the track's logs, for the files of one record."""
        return ForeignParser(self.log_pattern) if self.log_pattern else parse_log


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
GPT2_SMALL_STEPS = Track(
    name="gpt2-small-steps",
    target=3.28,
    alpha=alpha_of_margin(STEPS_MARGIN, STEPS_SIGMA),
    typical_sd=STEPS_SIGMA,
    val_tokens=10_485_760,
    test="known-sigma",
    sigma=STEPS_SIGMA,
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
