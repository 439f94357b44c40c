"""FlexAttention under a block mask.

FlexAttention visits, for each block of queries, the key blocks that a list names: those of the
full list without a look at single tokens, those of the partial list with the rule applied. The
window is in the lists alone, whose shapes do not depend on it: one compiled kernel serves every
window.

An oracle for our own kernels that shares nothing with them: `FlexOperations` also computes the
projection before attention in plain PyTorch.

Shapes: B sequences, H heads, T tokens, E features, N = T / block blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask as FlexBlockMask
from torch.nn.attention.flex_attention import flex_attention

from trainer.kernels import embedding
from trainer.operations.fused import FusedOperations
from trainer.operations.fused_attention import FusedContext, ValueTable
from trainer.operations.masks import BlockMask, block_mask
from trainer.operations.protocol import AttentionWeights, Heads, Mixed
from trainer.operations.rotary import norm, rotate


class BlockLists(NamedTuple):
    """The blocks that a block relates to: how many, (B, 1, N), and which, (B, 1, N, N), int32.

    `kv` lists are by query block, for the forward pass and the queries' gradient; `q` lists are by
    key block, for the gradients of keys and values.
    """

    kv_count: Tensor
    kv: Tensor
    full_kv_count: Tensor
    full_kv: Tensor
    q_count: Tensor
    q: Tensor
    full_q_count: Tensor
    full_q: Tensor


class FlexMask(NamedTuple):
    """A block mask and what its rule for single tokens needs.

    Attributes:
        documents: document numbers (B, T).
        lists: the blocks.
        block_size: tokens in a block.
    """

    documents: Tensor
    lists: BlockLists
    block_size: int


def block_lists(mask: BlockMask) -> BlockLists:
    """List the related blocks of each block, in order."""
    by_query = [_listed(relation) for relation in mask]
    by_key = [_listed(relation.mT) for relation in mask]
    return BlockLists(*(part for count_and_list in (*by_query, *by_key) for part in count_and_list))


def _listed(relation: Tensor) -> tuple[Tensor, Tensor]:
    """Count (B, 1, N) and columns (B, 1, N, N) of the true entries of each row of (B, N, N)."""
    count = relation.sum(-1, dtype=torch.int32)
    # Contiguous, since the kernels take the last dimension's stride for 1 and argsort keeps its
    # argument's strides.
    order = relation.to(torch.int8).argsort(dim=-1, descending=True, stable=True).contiguous()
    return count.unsqueeze(1), order.to(torch.int32).unsqueeze(1)


def masks(
    documents: Tensor, block_size: int, windows: tuple[int, int]
) -> tuple[FlexMask, FlexMask]:
    """Masks of the long and the short window, both in blocks, from one build."""
    long, short = windows
    blocks = block_mask(documents, block_size, long)
    return (
        FlexMask(documents, block_lists(blocks), block_size),
        FlexMask(documents, block_lists(blocks.within(short)), block_size),
    )


def attend(q: Tensor, k: Tensor, v: Tensor, mask: FlexMask, scale: float) -> Tensor:
    """Attention of (T, H, E), as (T, H * E), compiled at the first call."""
    return _compiled()(q, k, v, mask.documents, mask.lists, mask.block_size, scale)


def attend_uncompiled(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    documents: Tensor,
    lists: BlockLists,
    block_size: int,
    scale: float,
) -> Tensor:
    """Attention of (T, H, E), as (T, H * E); see `FlexMask`.

    Heads side by side is how the kernel writes and what the next layer reads; returned in another
    order, the gradient would be copied into that order before the kernel gets it.
    """

    def sees(batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (documents[batch, key] == documents[batch, query])

    length = len(q)
    blocks = FlexBlockMask(
        seq_lengths=(length, length),
        kv_num_blocks=lists.kv_count,
        kv_indices=lists.kv,
        full_kv_num_blocks=lists.full_kv_count,
        full_kv_indices=lists.full_kv,
        q_num_blocks=lists.q_count,
        q_indices=lists.q,
        full_q_num_blocks=lists.full_q_count,
        full_q_indices=lists.full_q,
        BLOCK_SIZE=(block_size, block_size),
        mask_mod=sees,
    )
    queries, keys, values = (t.transpose(0, 1).unsqueeze(0) for t in (q, k, v))
    attended = flex_attention(queries, keys, values, block_mask=blocks, scale=scale)
    assert isinstance(attended, Tensor)
    return attended[0].transpose(0, 1).flatten(1)


@cache
def _compiled() -> Callable[..., Tensor]:
    compiled: Callable[..., Tensor] = torch.compile(attend_uncompiled)
    return compiled


class FlexOperations(FusedOperations):
    """The fused operations with FlexAttention in the place of our projection and attention."""

    def mix_norm(
        self,
        x: Tensor,
        x0: Tensor,
        mix: Tensor,
        skip: Tensor | None,
        weight: Tensor | None,
        *,
        attends: bool,
    ) -> Mixed:
        """Open a layer, and write its stream."""
        return super().mix_norm(x, x0, mix, skip, weight, attends=False)

    def add_attention(
        self,
        mixed: Mixed,
        weights: AttentionWeights,
        value: ValueTable | None,
        heads: Heads,
        context: FusedContext,
        *,
        long: bool,
    ) -> Tensor:
        """FlexAttention; autograd finds the gradients."""
        normed = mixed.normed
        q, k, v = (normed @ matrix.mT for matrix in weights.qkv.to(normed.dtype))
        v = weights.mix[0] * v
        if value is not None:
            v = v + weights.mix[1] * F.embedding(context.tokens, value.weight)
        q, k, v = (t.to(normed.dtype).view(len(normed), heads.number, -1) for t in (q, k, v))
        q, k = (rotate(norm(t, self.eps), *heads.rotary) for t in (q, k))
        mask = context.long if long else context.short
        return mixed.stream + attend(q, k, v, mask, heads.scale) @ weights.out.to(normed.dtype).mT

    def context(
        self, tokens: Tensor, documents: Tensor, block_size: int, windows: tuple[int, int]
    ) -> FusedContext:
        """Block masks from one build."""
        long, short = masks(documents, block_size, windows)
        return FusedContext(long, short, tokens[0], embedding.sort_tokens(tokens[0]))
