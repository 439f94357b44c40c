"""Gradients of attention's keys and values, in Triton, and what the queries' kernel shares.

Each program ends with float32 gradients of a tile of k and of v in registers, and takes them back
to the projection; it keeps the gradients of the scores. On Hopper `attention_hopper` does the same.

Shapes: T tokens, H heads, E features of a head.
"""

from __future__ import annotations

from typing import NamedTuple

import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.common import LOG2_E
from trainer.kernels.tiles import dot, load_tile, store_tile


class Mixing(NamedTuple):
    """What the gradients of keys and values pass through: see `Projection`.

    Attributes:
        rstd: (T, 2H).
        cos: (at least T, E).
        sin: (at least T, E).
        mix: (2,).
        table: (vocabulary, H * E) or None.
        tokens: (T,) or None.
        partials: a row for each program, its part of the gradient of mix.
    """

    rstd: Tensor
    cos: Tensor
    sin: Tensor
    mix: Tensor
    table: Tensor | None
    tokens: Tensor | None
    partials: Tensor


# Rows of a matrix of scalars differ in alignment; one binary is to serve them all.
@triton.jit(do_not_specialize=["slots"], do_not_specialize_on_alignment=["mix"])
def keys_kernel(
    k,
    v,
    d_k,
    d_v,
    raw_v,
    d_mixed_v,
    q,
    d_out,
    high,
    kept,
    slots,
    lse_delta,
    scale,
    rstd,
    cos,
    sin,
    mix,
    table,
    tokens,
    partials,
    PLAN: tl.constexpr,
):
    """One tile each of d_k and d_v; scores and weights are transposed, (keys, queries).

    Their gradients are kept.
    """
    BLOCK_N: tl.constexpr = PLAN.own  # keys
    BLOCK_M: tl.constexpr = PLAN.visited  # queries
    E: tl.constexpr = PLAN.features
    WIDE: tl.constexpr = lse_delta.dtype.element_ty
    head, first = tl.program_id(0), tl.program_id(1) * BLOCK_N
    key = load_tile(k, 0, first, head, BLOCK_N, PLAN)
    value = load_tile(v, 1, first, head, BLOCK_N, PLAN)
    lse = lse_delta + head * tl.num_programs(1) * BLOCK_N
    delta = lse + tl.num_programs(0) * tl.num_programs(1) * BLOCK_N
    keys = first + tl.arange(0, BLOCK_N)
    highest = tl.load(high + keys)
    seen_by_all = tl.load(high + first)
    end = tl.load(high + first + BLOCK_N - 1) + 1
    acc_k = tl.zeros((BLOCK_N, E), WIDE)
    acc_v = tl.zeros((BLOCK_N, E), WIDE)
    for start in tl.range(first // BLOCK_M * BLOCK_M, end, BLOCK_M):
        query = load_tile(q, 6, start, head, BLOCK_M, PLAN)
        d_mixed = load_tile(d_out, 7, start, head, BLOCK_M, PLAN)
        # The weights once more, from the denominators of the forward pass.
        queries = start + tl.arange(0, BLOCK_M)
        denominator = tl.load(lse + queries)
        scores = dot(key, query.T, tl.zeros((BLOCK_N, BLOCK_M), WIDE), PLAN)
        if (start < first + BLOCK_N - 1) | (start + BLOCK_M > seen_by_all + 1):
            seen = (queries[None, :] >= keys[:, None]) & (queries[None, :] <= highest[:, None])
            scores = tl.where(seen, scores, float("-inf"))
        weights = tl.exp2(scores * (scale * LOG2_E) - denominator[None, :])
        acc_v = dot(weights.to(d_mixed.dtype), d_mixed, acc_v, PLAN)
        # The gradient of the scores, kept for the queries' kernel.
        d_weights = dot(value, d_mixed.T, tl.zeros((BLOCK_N, BLOCK_M), WIDE), PLAN)
        their_delta = tl.load(delta + queries)
        d_scores = (weights * (d_weights - their_delta[None, :])).to(query.dtype)
        slot = (start - first // BLOCK_M * BLOCK_M) // BLOCK_M
        there = row_of_scores(head, first, slot, slots, tl.num_programs(1) * BLOCK_N, BLOCK_N)
        places = places_of_scores(kept, there, BLOCK_N, BLOCK_M)
        # Not to stay in L2, where queries and gradients are read again.
        tl.store(places, d_scores, eviction_policy="evict_first")
        acc_k = dot(d_scores, query, acc_k, PLAN)
    # Epilogue: values back through mixing, keys through rotation and norm.
    rstd += tl.num_programs(0)
    cos, sin, rstd = load_turns(first, head, rstd, cos, sin, WIDE, PLAN)
    d_raw_v = _before_mixing(
        acc_v, raw_v, d_mixed_v, first, head, mix, table, tokens, partials, PLAN
    )
    store_tile(d_v, 3, d_raw_v, first, head, PLAN)
    # Fetched once more: kept through the loop, it would not fit into the registers.
    key = load_tile(k, 0, first, head, BLOCK_N, PLAN)
    d_raw_k = before_turn_and_norm(acc_k * scale, key, cos, sin, rstd, PLAN)
    store_tile(d_k, 2, d_raw_k, first, head, PLAN)


@triton.jit
def row_of_scores(head, first_key, slot, slots, tokens, KEYS: tl.constexpr):
    """Where a tile of d_S begins: that of the keys from `first_key` and of the slot-th queries."""
    return (head * tokens + first_key) * slots + slot * KEYS


@triton.jit
def places_of_scores(kept, row, KEYS: tl.constexpr, QUERIES: tl.constexpr):
    rows = (row + tl.arange(0, KEYS)).to(tl.int64)[:, None]
    return kept + rows * QUERIES + tl.arange(0, QUERIES)[None, :]


@triton.jit
def load_turns(first, head, rstd, cos, sin, WIDE: tl.constexpr, PLAN: tl.constexpr):
    """Cosines and sines of the pairs that turn, (OWN, E / 4) each, and rstd (OWN,)."""
    rows = first + tl.arange(0, PLAN.own)
    places = rows[:, None].to(tl.int64) * PLAN.features + tl.arange(0, PLAN.features // 4)[None, :]
    own_rstd = tl.load(rstd + rows * (2 * tl.num_programs(0)) + head)
    return tl.load(cos + places).to(WIDE), tl.load(sin + places).to(WIDE), own_rstd


@triton.jit
def before_turn_and_norm(d_tile, tile, cos, sin, rstd, PLAN: tl.constexpr):
    """The gradient of raw heads from that of the turned ones, `tile`; (OWN, E) each."""
    E: tl.constexpr = PLAN.features
    tile = tile.to(d_tile.dtype)
    mean = tl.sum(d_tile * tile, 1) / E
    d_tile = (d_tile - tile * mean[:, None]) * rstd[:, None]
    # Features are two halves, which turn with each other, of E / 4 that turn and E / 4 that do not.
    quarters = tl.permute(tl.reshape(d_tile, (PLAN.own, 2, 2, E // 4)), (0, 3, 1, 2))
    turning, still = tl.split(quarters)
    lower, upper = tl.split(turning)
    turning = tl.join(lower * cos - upper * sin, upper * cos + lower * sin)
    quarters = tl.permute(tl.join(turning, still), (0, 2, 3, 1))
    return tl.reshape(quarters, (PLAN.own, E))


@triton.jit
def _before_mixing(
    d_v, raw_v, d_mixed_v, first, head, mix, table, tokens, partials, PLAN: tl.constexpr
):
    """The gradient of the raw v from that of the mixed v, (OWN, E) each.

    Writes the latter where a table needs it, and the program's part of d_mix.
    """
    OWN: tl.constexpr = PLAN.own
    E: tl.constexpr = PLAN.features
    WIDE: tl.constexpr = d_v.dtype
    own = partials + (tl.program_id(1) * tl.num_programs(0) + head) * 2
    mix_v = tl.load(mix).to(WIDE)
    if table is not None:
        row = tl.load(tokens + first + tl.arange(0, OWN)).to(tl.int64)[:, None]
        place = (row * tl.num_programs(0) + head) * E + tl.arange(0, E)[None, :]
        embedded = tl.load(table + place)
    raw = load_tile(raw_v, 4, first, head, OWN, PLAN)
    tl.store(own, tl.sum(d_v * raw.to(WIDE)))
    if table is not None:
        tl.store(own + 1, tl.sum(d_v * embedded.to(WIDE)))
        store_tile(d_mixed_v, 5, d_v, first, head, PLAN)
    else:
        tl.store(own + 1, 0.0)
    return d_v * mix_v
