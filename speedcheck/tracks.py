"""The competitions a record can enter: what must be shown, and on what."""

from __future__ import annotations

from dataclasses import dataclass

from speedcheck.errors import UsageError


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
    """

    name: str
    target: float
    alpha: float
    typical_sd: float | None
    n_gpus: int | None = None
    gpu: str | None = None
    val_tokens: int | None = None


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

TINY = Track(name="tiny", target=1.62, alpha=ALPHA, typical_sd=0.03)

TRACKS = {track.name: track for track in (GPT2_SMALL, GPT2_MEDIUM, TINY)}
DEFAULT_TRACK = GPT2_SMALL.name

# A recipe of the bundled trainer enters the track of its size.
TRACK_OF_RECIPE = {"sub3": GPT2_SMALL.name, "tiny": TINY.name}


def get_track(name: str) -> Track:
    """Return the track called `name`.

    Raises:
        UsageError: no track has that name.
    """
    try:
        return TRACKS[name]
    except KeyError:
        known = ", ".join(TRACKS)
        raise UsageError(f"no track is called {name!r}", remedy=f"choose one of: {known}") from None
