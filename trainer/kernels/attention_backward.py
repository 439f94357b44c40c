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
from triton.tools.tensor_descriptor import TensorDescriptor

from trainer.kernels.attention import HOPPER, Tilings, check, default_tilings
from trainer.kernels.attention_keys import (
    Mixing,
    before_turn_and_norm,
    keys_kernel,
    load_turns,
    places_of_scores,
    row_of_scores,
)
from trainer.kernels.common import HOPPER_FEATURES, has_gluon, require_contiguous
from trainer.kernels.tiles import Tiling, dot, launch, load_tile, store_tile
from trainer.operations.masks import Interval


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


def attend_projection_backward(
    d_out: Tensor,
    projection: Projection,
    v: Tensor,
    lse_delta: Tensor,
    bounds: Interval,
    scale: float,
    tilings: Tilings | None = None,
) -> ProjectionGradients:
    """Gradients of `attention.attend` after `heads.split_heads`.

    With weights P, d_P = d_out V^T and delta = sum(d_out * out) of each query, the gradient of the
    scores is d_S = P * (d_P - delta): d_v = P^T d_out, d_k = scale * d_S^T q, d_q = scale * d_S k.
    The kernel of d_k and d_v keeps d_S, in the type of q, for that of d_q.

    Args:
        d_out: gradient of out, (T, H, E) with neighbouring features.
        projection: q and k were cut out of it.
        v: the mixed v (T, H, E).
        lse_delta: (2, H, T), as `attention_merge.delta_of` returns it.
        bounds: who sees whom.
        scale: as in `attend`.
        tilings: of the kernels; by default those for the tensors' device and type.

    Returns:
        The gradients of what the projection was made of.

    Raises:
        ValueError: as in `attend`, or a tensor of the projection is not contiguous, or tilings do
            not fit.
    """
    qkv, rstd, mix, table, tokens, cos, sin = projection
    require_contiguous(*projection)
    q, k, raw_v = qkv.unbind(1)
    check(q, k, v, d_out)
    tilings = tilings or default_tilings(q, k, v, d_out)
    d_qkv = torch.empty_like(qkv)
    d_q, d_k, d_raw_v = d_qkv.unbind(1)
    d_v = None if table is None else torch.empty_like(v)
    slots, kept = _room_for_scores(q, bounds.reach, tilings)
    tile = [tilings.keys.own, tilings.keys.visited]
    fetched = TensorDescriptor.from_tensor(kept, tile) if tilings.queries.tma else kept
    # A row a program, which a sum finishes: nothing is added up in the order of the day.
    partials = rstd.new_empty(q.shape[0] // tilings.keys.own * q.shape[1], 2)
    own: tuple[Tensor | None, ...] = (k, v, d_k, d_raw_v, raw_v, d_v)
    mixing = Mixing(rstd, cos, sin, mix, table, tokens, partials)
    outer = (kept, slots, lse_delta, scale)
    if has_hopper_kernel(q, tilings.keys):
        # Not everywhere is there a Gluon to import.
        from trainer.kernels.attention_hopper import keys_gradients  # noqa: PLC0415

        keys_gradients(own, (q, d_out), bounds.high, *outer, mixing)
    else:
        launch(keys_kernel, tilings.keys, own, (q, d_out), bounds.high, *outer, *mixing)
    turning = (rstd, cos, sin)
    inner = (fetched, slots, scale)
    launch(_queries_kernel, tilings.queries, (q, d_q), (k,), bounds.low, *inner, *turning)
    return ProjectionGradients(d_qkv, partials.sum(0), d_v)


def has_hopper_kernel(q: Tensor, keys: Tiling) -> bool:
    """Whether the kernel of `attention_hopper` computes the gradients of keys and values.

    It is for heads of 128 features in bfloat16 and for one tiling.
    """
    fits = keys == HOPPER.keys and q.shape[2] == HOPPER_FEATURES and q.dtype == torch.bfloat16
    return fits and has_gluon(q.device)


def _room_for_scores(q: Tensor, reach: int, tilings: Tilings) -> tuple[int, Tensor]:
    """How many tiles of d_S a block of keys has at most, and room for them.

    A tile is (keys, queries); those of one block of keys lie below one another.
    """
    keys, queries = tilings.keys, tilings.queries
    if (queries.visited, queries.own) != (keys.own, keys.visited):
        raise ValueError(f"tiles of {queries} are not those of {keys}, transposed")
    tokens, heads, _ = q.shape
    slots = triton.cdiv(max(keys.own, keys.visited) - 1 + min(reach, tokens), keys.visited)
    return slots, q.new_empty(heads * tokens * slots, keys.visited)


# Windows widen during a training; one binary is to serve them all.
@triton.jit(do_not_specialize=["slots"])
def _queries_kernel(q, d_q, k, low, kept, slots, scale, rstd, cos, sin, PLAN: tl.constexpr):
    """One tile of d_q."""
    BLOCK_M: tl.constexpr = PLAN.own  # queries
    BLOCK_N: tl.constexpr = PLAN.visited  # keys
    E: tl.constexpr = PLAN.features
    WIDE: tl.constexpr = rstd.dtype.element_ty
    head, first = tl.program_id(0), tl.program_id(1) * BLOCK_M
    query = load_tile(q, 0, first, head, BLOCK_M, PLAN)
    begin = tl.load(low + first) // BLOCK_N * BLOCK_N
    cos, sin, rstd = load_turns(first, head, rstd, cos, sin, WIDE, PLAN)
    tokens = tl.num_programs(1) * BLOCK_M
    acc = tl.zeros((BLOCK_M, E), WIDE)
    for start in tl.range(begin, first + BLOCK_M, BLOCK_N):
        slot = (first - start // BLOCK_M * BLOCK_M) // BLOCK_M
        row = row_of_scores(head, start, slot, slots, tokens, BLOCK_N)
        key = load_tile(k, 2, start, head, BLOCK_N, PLAN)
        if PLAN.tma:
            d_scores = kept.load([row, 0])
        else:
            d_scores = tl.load(places_of_scores(kept, row, BLOCK_N, BLOCK_M))
        acc = dot(d_scores.T, key, acc, PLAN)
    # Epilogue: back through rotation and norm.
    d_raw = before_turn_and_norm(acc * scale, query, cos, sin, rstd, PLAN)
    store_tile(d_q, 1, d_raw, first, head, PLAN)
