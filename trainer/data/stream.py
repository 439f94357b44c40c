"""The order in which a run reads its tokens.

L is the sequence length; a step consumes sequences_per_step * L consecutive tokens, its span.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.data.shards import count_shards
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.data.shards import Tokens


class Batch(NamedTuple):
    """Sequences to train or validate on: two int64 arrays of shape (sequences, L)."""

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]


class TokenStream:
    """The training tokens of each step, in one fixed order.

    A step starts where the last one ended, or at the next shard unless at least span + 2 tokens
    remain in the current one. The order knows no seed and no number of ranks.

    Args:
        shards: token arrays in the order of reading, each of shape (n,).
        sequences_per_step: sequences of one step over all ranks.
        sequence_length: L, in tokens.
    """

    def __init__(
        self, shards: Sequence[Tokens], *, sequences_per_step: int, sequence_length: int
    ) -> None:
        self.shards = tuple(shards)
        self.sequences_per_step = sequences_per_step
        self.sequence_length = sequence_length
        self.span = sequences_per_step * sequence_length
        # A shard of n tokens starts its step i when n - i * span >= span + 2.
        steps = [max(len(tokens) - 2, 0) // self.span for tokens in self.shards]
        self._steps_before = (0, *accumulate(steps))

    @property
    def steps_available(self) -> int:
        """Steps that the shards hold."""
        return self._steps_before[-1]

    def require(self, steps: int, *, where: str = "training data") -> None:
        """Check that the shards, which are found `where`, hold `steps` steps.

        Raises:
            TrainerError: they do not; says what they hold and how many more tokens are needed.
        """
        missing = steps - self.steps_available
        if missing > 0:
            raise TrainerError(
                f"{sum(map(len, self.shards)):,} tokens in {count_shards(len(self.shards))} hold "
                f"{self.steps_available} steps of {self.span:,} tokens, the run needs {steps}",
                where=where,
                remedy=f"add at least {missing * self.span + 2:,} tokens in further shards",
            )

    def locate(self, step: int) -> tuple[int, int]:
        """Return (index of the shard, position in it) where `step`, counted from 0, starts."""
        if not 0 <= step < self.steps_available:
            raise TrainerError(
                f"step {step} is not among the {self.steps_available} that the shards hold",
                where="training data",
            )
        shard = bisect_right(self._steps_before, step) - 1
        return shard, (step - self._steps_before[shard]) * self.span

    def sequences(self, step: int, first: int = 0, count: int | None = None) -> Batch:
        """Return `count` sequences of `step` from number `first` on; without `count`, the rest.

        Sequence r holds tokens [r * L, (r + 1) * L) of the span; targets are the next tokens.

        Raises:
            TrainerError: the shards do not hold the step.
        """
        shard, start = self.locate(step)
        if count is None:
            count = self.sequences_per_step - first
        start += first * self.sequence_length
        return _cut(self.shards[shard], start, count, self.sequence_length)


class ValidationSet:
    """The first `val_tokens` tokens of the validation shard, as sequences of length L.

    Raises:
        TrainerError: the shard is too short, or L does not divide `val_tokens`.
    """

    def __init__(self, tokens: Tokens, *, val_tokens: int, sequence_length: int) -> None:
        if val_tokens % sequence_length:
            raise TrainerError(
                f"{val_tokens} tokens are no multiple of the sequence length {sequence_length}",
                where="validation data",
                remedy="choose a multiple",
            )
        # One token more, for the last target.
        if len(tokens) <= val_tokens:
            raise TrainerError(
                f"the shard has {len(tokens):,} tokens, {val_tokens + 1:,} are needed",
                where="validation data",
                remedy="make or fetch a longer shard",
            )
        self.tokens = tokens
        self.count = val_tokens // sequence_length
        self.sequence_length = sequence_length

    def sequences(self, first: int = 0, count: int | None = None) -> Batch:
        """Return `count` sequences from number `first` on; without `count`, the rest."""
        if count is None:
            count = self.count - first
        return _cut(self.tokens, first * self.sequence_length, count, self.sequence_length)


def document_ids(tokens: npt.NDArray[np.int64], separator: int) -> npt.NDArray[np.int64]:
    """Number the documents within each sequence: shape (..., L) in and out.

    A separator opens a document and belongs to it; tokens before the first one are document 0.
    """
    return np.cumsum(tokens == separator, axis=-1, dtype=np.int64)


def _cut(tokens: Tokens, start: int, count: int, length: int) -> Batch:
    stop = start + count * length
    window = tokens[start : stop + 1].astype(np.int64)
    return Batch(window[:-1].reshape(count, length), window[1:].reshape(count, length))
