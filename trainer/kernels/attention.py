"""Attention in which each query sees an interval of keys that ends with itself.

Query token q sees the keys [low(q), q]; the queries that see key k are then [k, high(k)]. Both
bounds never decrease along the sequence, so a block of queries visits one range of key blocks (a
block of keys, of query blocks), and those between the bounds of its first and last token need no
look at single tokens. Documents and windows are in the bounds alone: another window compiles
nothing anew. Forward and backward (`attention_backward`) follow FlashAttention-2 (Dao, 2023), with
nothing added up by several programs: every result is the same from call to call.

Shapes: T tokens, H heads, E features of a head. A tile is (rows, E) of one head.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.common import HOPPER_FEATURES, LN_2, LOG2_E, has_gluon, is_hopper
from trainer.kernels.tiles import Tiling, dot, launch, load_tile, store_tile

# Where the largest score so far starts: below any, yet finite, so that a tile in which a query sees
# no key gives weights of 0 rather than NaN.
LOWEST: tl.constexpr = tl.constexpr(-1.0e6)
# Exponentials of scores up to this need no shift: 2**24 times exp(60) is finite in float32, and
# exp(-60) has all its digits there.
LARGEST_UNSHIFTED = 60.0


class Tilings(NamedTuple):
    """A tiling for each of the three kernels."""

    forward: Tiling
    queries: Tiling
    keys: Tiling


# Measured on an H200 (docs/performance-log.md): with 64 own rows and 4 warps two programs share a
# multiprocessor, so that one's softmax hides behind the other's products.
HOPPER = Tilings(
    forward=Tiling(own=64, visited=64, stages=3, warps=4),
    queries=Tiling(own=64, visited=64, stages=3, warps=4),
    keys=Tiling(own=64, visited=64, stages=2, warps=4),
)
# For other cards and for wider types: 73 KiB in float32 with heads of 128, of the 99 that the
# smallest card since sm_80 lets a program have.
PORTABLE = Tilings(
    forward=Tiling(own=64, visited=32, stages=2, warps=4, tma=False),
    queries=Tiling(own=32, visited=32, stages=2, warps=4, tma=False),
    keys=Tiling(own=32, visited=32, stages=2, warps=4, tma=False),
)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    low: Tensor,
    scale: float,
    tilings: Tilings | None = None,
    *,
    bound: float = math.inf,
) -> tuple[Tensor, Tensor]:
    """Softmax attention over the visible keys.

    On Hopper `attention_forward_hopper` computes it where scores have a small bound and no tilings
    are given.

    Args:
        q: (T, H, E) with neighbouring features and any other strides; E a power of two.
        k: likewise.
        v: likewise.
        low: see `trainer.operations.masks.Interval`.
        scale: what the scores are multiplied by, positive.
        tilings: of the kernels; by default those for the tensors' device and type.
        bound: of the absolute value of every score, scale included.

    Returns:
        out (T, H, E), contiguous, and the natural logarithm of each softmax's denominator (H, T),
        in float32 or, for inputs of float64, float64.

    Raises:
        ValueError: T is not a whole number of tiles, or shapes, types or strides do not fit.
    """
    check(q, k, v)
    tokens, heads, _ = q.shape
    out = q.new_empty(q.shape)
    lse = q.new_empty((heads, tokens), dtype=torch.promote_types(q.dtype, torch.float32))
    if tilings is None and has_hopper_kernel(q, k, v, bound):
        # Not everywhere is there a Gluon to import.
        from trainer.kernels.attention_forward_hopper import write_attention  # noqa: PLC0415

        write_attention(q, k, v, low, scale, out, lse)
    else:
        tiling = (tilings or default_tilings(q, k, v)).forward
        launch(_forward_kernel, tiling, (q, out), (k, v), low, lse, scale * LOG2_E.value)
    return out, lse


def has_hopper_kernel(q: Tensor, k: Tensor, v: Tensor, bound: float) -> bool:
    """Whether the kernel of `attention_forward_hopper` computes attention of such tensors.

    It is for heads of 128 features in bfloat16, for whole tiles, and for scores that need no shift.
    """
    tiles = q.shape[2] == HOPPER_FEATURES and q.shape[0] % HOPPER.forward.own == 0
    fits = tiles and default_tilings(q, k, v) is HOPPER and bound <= LARGEST_UNSHIFTED
    return fits and has_gluon(q.device)


def default_tilings(*tensors: Tensor) -> Tilings:
    """Return HOPPER where it applies to all of the tensors (T, H, E), else PORTABLE."""
    q = tensors[0]
    # The copy engine sees (T, H * E): heads side by side, rows from multiples of 16 bytes.
    regular = all(t.stride(1) == t.shape[2] and t.stride(0) % 8 == 0 for t in tensors)
    return HOPPER if is_hopper(q.device) and regular and q.dtype == torch.bfloat16 else PORTABLE


def check(*tensors: Tensor) -> None:
    """Raise ValueError unless the tensors (T, H, E) are alike and of sizes that kernels take."""
    q = tensors[0]
    features = q.shape[2]
    if features & (features - 1):
        raise ValueError(f"{features} features of a head are no power of two")
    if any(t.shape != q.shape or t.dtype != q.dtype for t in tensors):
        raise ValueError(f"shapes or types differ: {[(tuple(t.shape), t.dtype) for t in tensors]}")
    if any(t.stride(2) != 1 for t in tensors):
        raise ValueError("the features of a head are not neighbours in memory")


@triton.jit
def _forward_kernel(q, out, k, v, low, lse, scale, PLAN: tl.constexpr):
    """One tile of out; `scale` is for scores in base 2."""
    BLOCK_M: tl.constexpr = PLAN.own  # queries
    BLOCK_N: tl.constexpr = PLAN.visited  # keys
    E: tl.constexpr = PLAN.features
    WIDE: tl.constexpr = lse.dtype.element_ty
    head, first = tl.program_id(0), tl.program_id(1) * BLOCK_M
    query = load_tile(q, 0, first, head, BLOCK_M, PLAN)
    queries = first + tl.arange(0, BLOCK_M)
    lowest = tl.load(low + queries)
    begin = tl.load(low + first) // BLOCK_N * BLOCK_N
    all_see = tl.load(low + first + BLOCK_M - 1)
    # Of each query: the largest score so far, the sum of exponentials, and the weighted values.
    m_i = tl.full((BLOCK_M,), LOWEST, WIDE)
    l_i = tl.zeros((BLOCK_M,), WIDE)
    acc = tl.zeros((BLOCK_M, E), WIDE)
    for start in tl.range(begin, first + BLOCK_M, BLOCK_N):
        key = load_tile(k, 2, start, head, BLOCK_N, PLAN)
        scores = dot(query, key.T, tl.zeros((BLOCK_M, BLOCK_N), WIDE), PLAN)
        # Mask, only in tiles that some query's interval cuts.
        if (start < all_see) | (start + BLOCK_N > first + 1):
            keys = start + tl.arange(0, BLOCK_N)[None, :]
            seen = (keys >= lowest[:, None]) & (keys <= queries[:, None])
            scores = tl.where(seen, scores, float("-inf"))
        # Online softmax: rescale what was added up under a smaller maximum.
        m_new = tl.maximum(m_i, tl.max(scores, 1) * scale)
        weights = tl.exp2(scores * scale - m_new[:, None])
        alpha = tl.exp2(m_i - m_new)
        l_i = l_i * alpha + tl.sum(weights, 1)
        value = load_tile(v, 3, start, head, BLOCK_N, PLAN)
        acc = dot(weights.to(value.dtype), value, acc * alpha[:, None], PLAN)
        m_i = m_new
    # Epilogue: normalise, and keep the softmax's denominator for the backward pass.
    store_tile(out, 1, acc / l_i[:, None], first, head, PLAN)
    at = head * tl.num_programs(1) * BLOCK_M + queries
    tl.store(lse + at, (m_i + tl.log2(l_i)) * LN_2)
