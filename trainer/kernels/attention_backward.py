"""Gradients of attention, up to those of the projection that made q, k and v.

Each program ends with float32 gradients of a tile of q, or of k and v, in registers. Written
before the norm and the rotation of `heads.split_heads`, they pass through memory once; a kernel of
its own for that step would read them again, in bfloat16.

Shapes: T tokens, H heads, E features of a head.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.attention import LOG2_E, Tilings, check, default_tilings
from trainer.kernels.residual import require_contiguous
from trainer.kernels.tiles import dot, launch, load_tile, store_tile


class Projection(NamedTuple):
    """What q, k and v were made of: `heads.split_heads` before and after.

    Attributes:
        qkv: (T, 3, H, E) as `split_heads` left it: turned q and k, raw v.
        rstd: (T, 2H), of q first.
        mix: (2,).
        table: value embeddings (vocabulary, H * E) or None.
        tokens: (T,), or None without a table.
        cos: (at least T, E).
        sin: (at least T, E).
    """

    qkv: Tensor
    rstd: Tensor
    mix: Tensor
    table: Tensor | None
    tokens: Tensor | None
    cos: Tensor
    sin: Tensor


class ProjectionGradients(NamedTuple):
    """Gradients of a projection.

    Attributes:
        qkv: of the raw projection, (T, 3, H, E), contiguous.
        mix: (2,) in the type of rstd.
        v: of the mixed v, (T, H, E), which times mix[1] is that of the table's rows; None without
            a table.
    """

    qkv: Tensor
    mix: Tensor
    v: Tensor | None


def attend_backward(
    d_out: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    low: Tensor,
    high: Tensor,
    scale: float,
    tilings: Tilings | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attention.attend`.

    Args:
        d_out: gradient of out, (T, H, E) with neighbouring features.
        q: as in `attend`.
        k: as in `attend`.
        v: as in `attend`.
        out: what `attend` returned.
        lse: what `attend` returned.
        low: see `trainer.masks.Interval`.
        high: see `trainer.masks.Interval`.
        scale: as in `attend`.
        tilings: of the kernels; by default those for the tensors' device and type.

    Returns:
        d_q, d_k and d_v, each (T, H, E), contiguous.

    Raises:
        ValueError: as in `attend`.
    """
    check(q, k, v, out, d_out)
    tilings = tilings or default_tilings(q, k, v, out, d_out)
    d_q, d_k, d_v = (q.new_empty(q.shape) for _ in range(3))
    delta = torch.empty_like(lse)
    own: tuple[Tensor | None, ...] = (q, d_out, out, d_q)
    launch(_queries_kernel, tilings.queries, own, (k, v), low, lse, delta, scale, None, None, None)
    own = (k, v, d_k, d_v, None, None)
    unmixed = (None,) * 7
    launch(_keys_kernel, tilings.keys, own, (q, d_out), high, lse, delta, scale, *unmixed)
    return d_q, d_k, d_v


def attend_projection_backward(
    d_out: Tensor,
    projection: Projection,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    low: Tensor,
    high: Tensor,
    scale: float,
    tilings: Tilings | None = None,
) -> ProjectionGradients:
    """Gradients of `attention.attend` after `heads.split_heads`.

    As `heads.split_heads_backward` of what `attend_backward` returns, whose docstring has the
    formulas, but with gradients that are rounded once.

    Args:
        d_out: gradient of out, (T, H, E) with neighbouring features.
        projection: of which q and k were attended to.
        v: the mixed v (T, H, E).
        out: what `attend` returned; likewise `lse`.
        lse: (H, T).
        low: see `trainer.masks.Interval`; likewise `high`.
        high: (T,).
        scale: as in `attend`.
        tilings: of the kernels; by default those for the tensors' device and type.

    Returns:
        The gradients of what the projection was made of.

    Raises:
        ValueError: as in `attend`, or a tensor of the projection is not contiguous.
    """
    qkv, rstd, mix, table, tokens, cos, sin = projection
    require_contiguous(*projection)
    q, k, raw_v = qkv.unbind(1)
    check(q, k, v, out, d_out)
    tilings = tilings or default_tilings(q, k, v, out, d_out)
    d_qkv = torch.empty_like(qkv)
    d_q, d_k, d_raw_v = d_qkv.unbind(1)
    d_v = None if table is None else torch.empty_like(v)
    delta = torch.empty_like(lse)
    own: tuple[Tensor | None, ...] = (q, d_out, out, d_q)
    launch(_queries_kernel, tilings.queries, own, (k, v), low, lse, delta, scale, rstd, cos, sin)
    # A row a program, which a sum finishes: nothing is added up in the order of the day.
    partials = rstd.new_empty(q.shape[0] // tilings.keys.own * q.shape[1], 2)
    own = (k, v, d_k, d_raw_v, raw_v, d_v)
    mixing = (rstd, cos, sin, mix, table, tokens, partials)
    launch(_keys_kernel, tilings.keys, own, (q, d_out), high, lse, delta, scale, *mixing)
    return ProjectionGradients(d_qkv, partials.sum(0), d_v)


@triton.jit
def _queries_kernel(
    q, d_out, out, d_q, k, v, low, lse, delta, scale, rstd, cos, sin, PLAN: tl.constexpr
):
    """One tile of d_q, and its part of delta = sum of d_out * out, which the keys need too."""
    head, first = tl.program_id(0), tl.program_id(1) * PLAN.own
    OWN: tl.constexpr = PLAN.own
    VISITED: tl.constexpr = PLAN.visited
    E: tl.constexpr = PLAN.features
    WIDE: tl.constexpr = lse.dtype.element_ty
    query = load_tile(q, 0, first, head, OWN, PLAN)
    d_mixed = load_tile(d_out, 1, first, head, OWN, PLAN)
    mixed = load_tile(out, 2, first, head, OWN, PLAN)
    queries = first + tl.arange(0, OWN)
    at = head * tl.num_programs(1) * OWN + queries
    own_delta = tl.sum(d_mixed.to(WIDE) * mixed.to(WIDE), 1)
    tl.store(delta + at, own_delta)
    denominator = tl.load(lse + at) * LOG2_E
    lowest = tl.load(low + queries)
    begin = tl.load(low + first) // VISITED * VISITED
    all_see = tl.load(low + first + OWN - 1)
    if rstd is not None:
        # Asked for here, needed behind the loop.
        cos, sin, rstd = _load_turns(first, head, rstd, cos, sin, WIDE, PLAN)
    total = tl.zeros((OWN, E), WIDE)
    for start in tl.range(begin, first + OWN, VISITED):
        key = load_tile(k, 4, start, head, VISITED, PLAN)
        value = load_tile(v, 5, start, head, VISITED, PLAN)
        scores = dot(query, key.T, tl.zeros((OWN, VISITED), WIDE), PLAN)
        d_weights = dot(d_mixed, value.T, tl.zeros((OWN, VISITED), WIDE), PLAN)
        if (start < all_see) | (start + VISITED > first + 1):
            keys = start + tl.arange(0, VISITED)[None, :]
            seen = (keys >= lowest[:, None]) & (keys <= queries[:, None])
            scores = tl.where(seen, scores, float("-inf"))
        weights = tl.exp2(scores * (scale * LOG2_E) - denominator[:, None])
        d_scores = weights * (d_weights - own_delta[:, None])
        total = dot(d_scores.to(key.dtype), key, total, PLAN)
    total *= scale
    if rstd is not None:
        total = _before_turn_and_norm(total, query, cos, sin, rstd, PLAN)
    store_tile(d_q, 3, total, first, head, PLAN)


# Rows of a matrix of scalars differ in alignment; one binary is to serve them all.
@triton.jit(do_not_specialize_on_alignment=["mix"])
def _keys_kernel(
    k,
    v,
    d_k,
    d_v,
    raw_v,
    d_mixed_v,
    q,
    d_out,
    high,
    lse,
    delta,
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
    """One tile each of d_k and d_v; scores and weights are transposed, (keys, queries)."""
    head, first = tl.program_id(0), tl.program_id(1) * PLAN.own
    OWN: tl.constexpr = PLAN.own
    VISITED: tl.constexpr = PLAN.visited
    E: tl.constexpr = PLAN.features
    WIDE: tl.constexpr = lse.dtype.element_ty
    key = load_tile(k, 0, first, head, OWN, PLAN)
    value = load_tile(v, 1, first, head, OWN, PLAN)
    row = head * tl.num_programs(1) * OWN  # of lse and delta
    keys = first + tl.arange(0, OWN)
    highest = tl.load(high + keys)
    seen_by_all = tl.load(high + first)
    end = tl.load(high + first + OWN - 1) + 1
    key_total = tl.zeros((OWN, E), WIDE)
    value_total = tl.zeros((OWN, E), WIDE)
    for start in tl.range(first // VISITED * VISITED, end, VISITED):
        query = load_tile(q, 6, start, head, VISITED, PLAN)
        d_mixed = load_tile(d_out, 7, start, head, VISITED, PLAN)
        queries = start + tl.arange(0, VISITED)
        denominator = tl.load(lse + row + queries) * LOG2_E
        scores = dot(key, query.T, tl.zeros((OWN, VISITED), WIDE), PLAN)
        if (start < first + OWN - 1) | (start + VISITED > seen_by_all + 1):
            seen = (queries[None, :] >= keys[:, None]) & (queries[None, :] <= highest[:, None])
            scores = tl.where(seen, scores, float("-inf"))
        weights = tl.exp2(scores * (scale * LOG2_E) - denominator[None, :])
        value_total = dot(weights.to(d_mixed.dtype), d_mixed, value_total, PLAN)
        d_weights = dot(value, d_mixed.T, tl.zeros((OWN, VISITED), WIDE), PLAN)
        their_delta = tl.load(delta + row + queries)
        d_scores = weights * (d_weights - their_delta[None, :])
        key_total = dot(d_scores.to(query.dtype), query, key_total, PLAN)
    if rstd is not None:
        rstd += tl.num_programs(0)
        cos, sin, rstd = _load_turns(first, head, rstd, cos, sin, WIDE, PLAN)
        value_total = _before_mixing(
            value_total, raw_v, d_mixed_v, first, head, mix, table, tokens, partials, PLAN
        )
    store_tile(d_v, 3, value_total, first, head, PLAN)
    key_total *= scale
    if rstd is not None:
        # Fetched once more: kept through the loop, it would not fit into the registers.
        key = load_tile(k, 0, first, head, OWN, PLAN)
        key_total = _before_turn_and_norm(key_total, key, cos, sin, rstd, PLAN)
    store_tile(d_k, 2, key_total, first, head, PLAN)


@triton.jit
def _load_turns(first, head, rstd, cos, sin, WIDE: tl.constexpr, PLAN: tl.constexpr):
    """Cosines and sines of the pairs that turn, (OWN, E / 4) each, and rstd (OWN,)."""
    rows = first + tl.arange(0, PLAN.own)
    places = rows[:, None].to(tl.int64) * PLAN.features + tl.arange(0, PLAN.features // 4)[None, :]
    own_rstd = tl.load(rstd + rows * (2 * tl.num_programs(0)) + head)
    return tl.load(cos + places).to(WIDE), tl.load(sin + places).to(WIDE), own_rstd


@triton.jit
def _before_turn_and_norm(d_tile, tile, cos, sin, rstd, PLAN: tl.constexpr):
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
