"""Synthetic shards for measuring speed: FineWeb's format and sizes, made in seconds.

What a step costs depends on the tokens through the lengths of the documents, which decide how
much of the attention mask is empty, and through how often a row of the embedding is hit. Both
follow the laws of real text here; a loss on such tokens says nothing.

- Documents: log-normal length with median 400 and sigma 1 (mean 660), each behind a separator.
- Tokens: Zipf's law, the k-th most frequent token in proportion to 1/k. The exponent is 1, that
  of words in natural text; the most frequent token is then 8.8 % of all. Token id k - 1 has rank
  k, for GPT-2's ids rise with rarity too.

Both are drawn from tables by the raw bits of PCG64, which no version of numpy changes: a seed
and a shard's number give the same bytes everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from trainer.data.fineweb.layout import (
    SEPARATOR,
    SHARD_TOKENS,
    VAL_NAME,
    require_no_shards,
    train_name,
)
from trainer.data.fineweb.origin import record
from trainer.data.shards import Shard, Tokens, describe_shard, write_shard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.random import PCG64

MEDIAN_LENGTH = 400
SIGMA = 1.0

Integer = TypeVar("Integer", np.uint16, np.int64)

# Entries of the tables, all equally likely. The rarest token fills seven of its table's.
TOKEN_ENTRIES = 1 << 22
LENGTH_ENTRIES = 1 << 12
# Tokens drawn at a time, so that a shard of any length needs 32 MiB beside its tokens.
CHUNK = 1 << 22


@dataclass(frozen=True)
class SynthConfig:
    """What to make.

    Attributes:
        shards: training shards.
        tokens: tokens in each of them.
        val_tokens: tokens in the validation shard.
        seed: of all of them.
    """

    shards: int
    tokens: int = SHARD_TOKENS
    val_tokens: int = SHARD_TOKENS
    seed: int = 0

    @property
    def origin(self) -> str:
        """What the shards are, for those who find them or read a log."""
        return f"synthetic tokens (seed {self.seed}), not FineWeb: for measuring speed"


def make_shards(directory: Path, config: SynthConfig) -> Iterator[Shard]:
    """Make the validation shard, which is number 0, and the training shards; yield each.

    Raises:
        TrainerError: the folder holds shards already, or cannot be written.
    """
    require_no_shards(directory)
    for number in range(config.shards + 1):
        path = directory / (train_name(number) if number else VAL_NAME)
        count = config.tokens if number else config.val_tokens
        write_shard(path, draw_tokens(config.seed, number, count))
        shard = describe_shard(path)
        record(directory, shard, config.origin)
        yield shard


def draw_tokens(seed: int, number: int, count: int) -> Tokens:
    """Return the `count` tokens of shard `number`, shape (count,); the first is a separator."""
    for_tokens, for_lengths = np.random.SeedSequence((seed, number)).spawn(2)
    tokens = np.empty(count, dtype=np.uint16)
    bits, table = np.random.PCG64(for_tokens), zipf_table()
    for start in range(0, count, CHUNK):
        chunk = tokens[start : start + CHUNK]
        chunk[:] = _draw(bits, table, len(chunk))
    tokens[_document_starts(np.random.PCG64(for_lengths), count)] = SEPARATOR
    return tokens


def _document_starts(bits: PCG64, count: int) -> npt.NDArray[np.int64]:
    """Return the positions of the separators in `count` tokens; the first is 0."""
    table = length_table()
    # One for the separator; twice the documents that fill the shard on average are enough.
    lengths = _draw(bits, table, 2 * count // int(table.mean()) + LENGTH_ENTRIES) + 1
    starts = np.concatenate(([0], np.cumsum(lengths)))
    return starts[starts < count]


def _draw(bits: PCG64, table: npt.NDArray[Integer], count: int) -> npt.NDArray[Integer]:
    """Return `count` entries of a table whose length is a power of two up to 2**32."""
    words = bits.random_raw((count + 1) // 2).astype("<u8", copy=False)
    indices = words.view("<u4")[:count]
    indices &= np.uint32(len(table) - 1)
    return table.take(indices)


def zipf_table() -> Tokens:
    """Return token ids 0 to 50255, each as often as Zipf's law with exponent 1 has it."""
    cumulative = np.cumsum(1 / np.arange(1, SEPARATOR + 1))
    last = np.rint(cumulative * (TOKEN_ENTRIES / cumulative[-1])).astype(np.int64)
    return np.repeat(np.arange(SEPARATOR, dtype=np.uint16), np.diff(last, prepend=0))


def length_table() -> npt.NDArray[np.int64]:
    """Return document lengths at evenly spaced quantiles of their log-normal distribution."""
    normal = NormalDist(log(MEDIAN_LENGTH), SIGMA)
    quantiles = ((index + 0.5) / LENGTH_ENTRIES for index in range(LENGTH_ENTRIES))
    return np.array([round(exp(normal.inv_cdf(p))) for p in quantiles], dtype=np.int64)
