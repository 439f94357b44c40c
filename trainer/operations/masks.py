"""Who sees whom: document-causal sliding windows of whole blocks.

A query token q sees a key token k when k <= q (so itself too), both are in the same document, and
block(q) - block(k) < W. A block of queries then relates to a block of keys in one of three ways:
full (every token sees every token), partial (some do) or empty. Deciding that per block is what
lets a kernel skip the empty blocks and apply the token rule in the partial ones only.

Shapes: B sequences, T tokens, N = T / block_size blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from trainer.schedule import Window


class BlockMask(NamedTuple):
    """Block relations, two disjoint bool tensors (B, N, N) of [query block, key block]."""

    partial: Tensor
    full: Tensor

    def within(self, blocks: int) -> BlockMask:
        """The mask of a window of `blocks`, from one of a window at least as large.

        The window cuts between blocks, never through one, so a narrower one only drops blocks.
        """
        near = _block_distance(self.full) < blocks
        return BlockMask(self.partial & near, self.full & near)


class AttentionBias(NamedTuple):
    """What is added to the attention scores (B, 1, T, T): 0 where q sees k, else -inf."""

    long: Tensor
    short: Tensor


def block_mask(documents: Tensor, block_size: int, window: int) -> BlockMask:
    """Relate the blocks of each sequence.

    Args:
        documents: document numbers (B, T), nondecreasing along a sequence.
        block_size: tokens in a block; divides T.
        window: W, in blocks, the query's own block included.
    """
    blocks = documents.view(len(documents), -1, block_size)
    first, last = blocks[..., 0], blocks[..., -1]
    distance = _block_distance(first.unsqueeze(-1) == first.unsqueeze(-2))
    # For key blocks before the query's own, overlap means that the key block reaches its document.
    overlap = first.unsqueeze(-1) <= last.unsqueeze(-2)
    one_document = first.unsqueeze(-2) == last.unsqueeze(-1)
    visible = (distance >= 0) & (distance < window) & overlap
    full = visible & (distance > 0) & one_document
    return BlockMask(partial=visible & ~full, full=full)


def dense_mask(blocks: BlockMask, token_rule: Tensor) -> Tensor:
    """Spell a block mask out for every pair of tokens, (B, T, T)."""
    block_size = token_rule.shape[-1] // blocks.full.shape[-1]
    return _per_token(blocks.full, block_size) | (
        _per_token(blocks.partial, block_size) & token_rule
    )


def token_rule(documents: Tensor) -> Tensor:
    """Causal and in one document, whatever the window: (B, T, T) of [query, key]."""
    same = documents.unsqueeze(-1) == documents.unsqueeze(-2)
    return same.tril()


class Interval(NamedTuple):
    """The same relation as an interval for each token: bounds (T,) int32, nondecreasing.

    Attributes:
        low: first key that a query sees; the last one is itself.
        high: last query that sees a key; the first one is itself.
        reach: a query comes fewer tokens than this behind any key that it sees.
    """

    low: Tensor
    high: Tensor
    reach: int


def intervals(documents: Tensor, block_size: int, windows: Sequence[int]) -> list[Interval]:
    """Who sees whom under each of the windows, which are in blocks; `documents` is (T,)."""
    start = torch.searchsorted(documents, documents)
    end = torch.searchsorted(documents, documents, right=True) - 1
    block = torch.arange(len(documents), device=documents.device) // block_size
    return [
        Interval(
            low=torch.maximum(start, (block - window + 1) * block_size).int(),
            high=torch.minimum(end, (block + window) * block_size - 1).int(),
            reach=window * block_size,
        )
        for window in windows
    ]


def attention_bias(
    documents: Tensor, block_size: int, window: Window, dtype: torch.dtype
) -> AttentionBias:
    """The dense masks of both kinds of layers, from one build."""
    rule = token_rule(documents)
    blocks = block_mask(documents, block_size, window.long)
    masks = (blocks, blocks.within(window.short))
    return AttentionBias(*(_bias(dense_mask(mask, rule), dtype) for mask in masks))


def _block_distance(like: Tensor) -> Tensor:
    """block(q) - block(k) as (N, N), on the device of a (..., N, N) tensor."""
    index = torch.arange(like.shape[-1], device=like.device)
    return index.unsqueeze(-1) - index


def _per_token(blocks: Tensor, block_size: int) -> Tensor:
    """(B, N, N) to (B, T, T)."""
    return blocks.repeat_interleave(block_size, -1).repeat_interleave(block_size, -2)


def _bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return bias.masked_fill_(~mask, float("-inf")).unsqueeze(-3)
