"""The merged projection with everything that stands between it and attention in its epilogue.

One kernel takes the place of a product and `heads.split_heads`: a tile of the product holds a whole
head in float32, so that Q and K are normalised and turned, and V is mixed, before they are
rounded and written. Beyond its factors, it reads angles and rows of the value embeddings only.
On Hopper `project_hopper` computes the same.

Shapes: T tokens, D features, H heads, E features of a head. Feature i of a head turns with feature
i + E / 2, and only the first E / 4 of these pairs turn at all
(`trainer.operations.rotary.rotary_tables`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from trainer.kernels.common import (
    halves,
    is_hopper,
    require_contiguous,
    side_by_side,
    wide_dtype,
)
from trainer.kernels.gemm import (
    GemmConfig,
    Operands,
    Shape,
    grid,
    is_for_gluon,
    matmul_tile,
    operands_of,
    plan_of,
    tile_at,
)
from trainer.kernels.heads import load_angles, split_heads

# Measured on an H200 for E = 128 (docs/performance-log.md): two such programs share a
# multiprocessor (245 registers, 96 KiB), and one's epilogue hides behind the other's products.
HOPPER = GemmConfig(
    block_m=128, block_n=128, block_k=64, stages=3, warps=4, group=4, persistent=False
)


class TurnEnds(NamedTuple):
    """What the epilogue of queries and keys takes."""

    projected: Any
    rstd: Any
    cos: Any
    sin: Any
    eps: Any
    heads: Any


class MixEnds(NamedTuple):
    """What the epilogue of values takes."""

    projected: Any
    v: Any
    mix: Any
    table: Any
    tokens: Any
    width: Any


def project(
    normed: Tensor,
    qkv: Tensor,
    mix: Tensor,
    table: Tensor | None,
    tokens: Tensor | None,
    cos: Tensor,
    sin: Tensor,
    eps: float,
    config: GemmConfig | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Project to heads, normalise and turn Q and K, and mix V with the value embedding.

    With q_raw, k_raw, v_raw = normed @ qkv.T: q = rotate(q_raw * rstd) with
    rstd = 1 / sqrt(mean(q_raw^2) + eps) of each head, likewise k;
    v = mix[0] * v_raw + mix[1] * table[tokens]. Before sm_90, and for other types and head sizes
    than bfloat16 and 128, this is a product that is rounded, then `split_heads`.

    Args:
        normed: (T, D), contiguous as everything here.
        qkv: (3, H * E, D), in the dtype of `normed`.
        mix: (2,) float32.
        table: value embeddings (vocabulary, H * E), or None: v = mix[0] * v_raw.
        tokens: (T,) integers below the vocabulary; None without a table.
        cos: (at least T, E) float32 from `rotary_tables`; likewise `sin`.
        sin: the sines, in its first half.
        eps: of the norm.
        config: of the kernel in Triton, tiles a head wide; by default the kernel for the device,
            type and size, if there is one.

    Returns:
        projected (T, 3, H, E), which holds q, k and v_raw, and v (T, H, E), both in the dtype of
        `normed`; rstd (T, 2H), those of q first, in float32 (float64 for float64).

    Raises:
        ValueError: a tensor is not contiguous, shapes or types do not fit, or a table comes
            without tokens.
    """
    require_contiguous(normed, qkv, mix, table, tokens, cos, sin)
    _check(normed, qkv, table, tokens, cos)
    if config is None and _fits(normed, cos) and is_for_gluon(normed, qkv.flatten(0, 1).T):
        # Not everywhere is there a Gluon to import.
        from trainer.kernels.project_hopper import write_heads  # noqa: PLC0415

        outs = _room(normed, qkv, cos.shape[1])
        write_heads(normed, qkv, outs, mix, (table, tokens), (cos, sin), eps)
        return outs
    config = config or _default_config(normed, cos)
    if config is None:
        length, size = len(normed), cos.shape[1]
        projected = (normed @ qkv.flatten(0, 1).mT).view(length, 3, -1, size)
        return projected, *split_heads(projected, mix, table, tokens, cos, sin, eps)
    return _fused(normed, qkv, mix, table, tokens, cos, sin, eps, config)


def _check(
    normed: Tensor, qkv: Tensor, table: Tensor | None, tokens: Tensor | None, cos: Tensor
) -> None:
    if qkv.shape[0] != 3 or qkv.shape[2] != normed.shape[1] or qkv.shape[1] % cos.shape[1]:
        shapes = ", ".join(str(tuple(t.shape)) for t in (normed, qkv, cos))
        raise ValueError(f"normed, qkv and cos do not fit: {shapes}")
    if qkv.dtype != normed.dtype:
        raise ValueError(f"types differ: {normed.dtype}, {qkv.dtype}")
    if (table is None) != (tokens is None):
        raise ValueError("a table needs tokens, and tokens need a table")


def _default_config(normed: Tensor, cos: Tensor) -> GemmConfig | None:
    # The copy engine wants rows that start every so many times 16 bytes: 8 numbers of bfloat16.
    aligned = normed.shape[1] % 8 == 0
    return HOPPER if is_hopper(normed.device) and aligned and _fits(normed, cos) else None


def _fits(normed: Tensor, cos: Tensor) -> bool:
    """Whether type and size of a head are those that the kernels for Hopper are for."""
    return normed.dtype == torch.bfloat16 and cos.shape[1] == HOPPER.block_n


def _room(normed: Tensor, qkv: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Room for what `project` returns."""
    length, heads = len(normed), qkv.shape[1] // size
    projected = normed.new_empty(length, 3, heads, size)
    v = normed.new_empty(length, heads, size)
    return projected, v, normed.new_empty(length, 2 * heads, dtype=wide_dtype(normed))


def _fused(
    normed: Tensor,
    qkv: Tensor,
    mix: Tensor,
    table: Tensor | None,
    tokens: Tensor | None,
    cos: Tensor,
    sin: Tensor,
    eps: float,
    config: GemmConfig,
) -> tuple[Tensor, Tensor, Tensor]:
    """Launch the kernel."""
    length, size = len(normed), cos.shape[1]
    if size != config.block_n:
        raise ValueError(f"tiles of {config.block_n} columns do not hold heads of {size} features")
    weight = qkv.flatten(0, 1)
    projected, v, rstd = _room(normed, qkv, size)
    # Half a head is written at a time.
    half = [config.block_m, size // 2]
    _project_kernel[grid(projected.flatten(1), config)](
        *operands_of(normed, weight.T, config),
        length,
        TensorDescriptor.from_tensor(projected.flatten(1), half),
        TensorDescriptor.from_tensor(v.flatten(1), half),
        rstd,
        mix,
        table,
        tokens,
        cos,
        sin,
        eps,
        HEADS=v.shape[1],
        PLAN=plan_of(normed, weight.T, config),
        num_warps=config.warps,
        num_stages=config.stages,
    )
    return projected, v, rstd


# Rows of a matrix of scalars differ in alignment; one binary is to serve them all.
@triton.jit(do_not_specialize_on_alignment=["mix"])
def _project_kernel(
    normed,
    qkv,
    normed_stride,
    qkv_stride,
    n_tokens,
    projected,
    v,
    rstd,
    mix,
    table,
    tokens,
    cos,
    sin,
    eps,
    HEADS: tl.constexpr,
    PLAN: tl.constexpr,
):
    """One tile: a head of Q, K or V, which lie side by side."""
    WIDTH: tl.constexpr = HEADS * PLAN.config.block_n
    operands = Operands(normed, qkv, normed_stride, qkv_stride)
    shape = Shape(n_tokens, 3 * WIDTH)
    tile = tile_at(tl.program_id(0), shape, PLAN)
    if tile.column < 2 * WIDTH:
        to_turn = TurnEnds(projected, rstd, cos, sin, eps, HEADS)
        matmul_tile(tile, operands, shape, to_turn, _ask_for_angles, _turn, PLAN)
    else:
        to_mix = MixEnds(projected, v, mix, table, tokens, WIDTH)
        matmul_tile(tile, operands, shape, to_mix, _ask_for_embedding, _mix, PLAN)


# Angles and embeddings are asked into registers before the products that they turn or join. Where
# they come after, Triton 3.6 moves the products into their layout through shared memory, not them
# into the products'.
@triton.jit
def _ask_for_angles(tile, shape, ends, PLAN: tl.constexpr):
    """Cosines and sines (M, E / 4) of a tile's tokens, without the pairs that stand still."""
    SIZE: tl.constexpr = PLAN.config.block_n
    token = tile.row + tl.arange(0, PLAN.config.block_m)
    row = tl.minimum(token, shape.m - 1).to(tl.int64)[:, None]
    pair = tl.arange(0, SIZE // 4)[None, :]
    return load_angles(ends.cos, ends.sin, row, pair, SIZE, PLAN.acc)


@triton.jit
def _turn(acc, angles, tile, shape, ends, PLAN: tl.constexpr):
    """Normalise, turn and write one head (M, E) of Q or K."""
    SIZE: tl.constexpr = PLAN.config.block_n
    token = tile.row + tl.arange(0, PLAN.config.block_m)
    at = token.to(tl.int64) * (2 * ends.heads) + tile.column // SIZE
    cos, sin = angles
    rstd = tl.rsqrt(tl.sum(acc * acc, 1) / SIZE + ends.eps)
    tl.store(ends.rstd + at, rstd, mask=token < shape.m)
    lower, upper = halves(acc * rstd[:, None])
    first, lower_still = halves(lower)
    second, upper_still = halves(upper)
    projected = ends.projected
    lower = side_by_side(first * cos + second * sin, lower_still)
    projected.store([tile.row, tile.column], lower.to(projected.dtype))
    upper = side_by_side(second * cos - first * sin, upper_still)
    projected.store([tile.row, tile.column + SIZE // 2], upper.to(projected.dtype))


@triton.jit
def _ask_for_embedding(tile, shape, ends, PLAN: tl.constexpr):
    """The tokens' rows of the table, the columns of one head of V; None without a table."""
    values = None
    if ends.table is not None:
        token = tile.row + tl.arange(0, PLAN.config.block_m)
        columns = tile.column - 2 * ends.width + tl.arange(0, PLAN.config.block_n)[None, :]
        chosen = tl.load(ends.tokens + token, mask=token < shape.m, other=0).to(tl.int64)
        values = tl.load(ends.table + chosen[:, None] * ends.width + columns)
    return values


@triton.jit
def _mix(acc, embedding, tile, _shape, ends, PLAN: tl.constexpr):
    """Write one head of V as it is and mixed, half a head at a time."""
    mix_v = tl.load(ends.mix).to(acc.dtype)
    mix_table = tl.load(ends.mix + 1).to(acc.dtype)
    left, right = halves(acc)
    left_embedding, right_embedding = None, None
    if embedding is not None:
        left_embedding, right_embedding = halves(embedding)
    beside = tile.column + PLAN.config.block_n // 2
    _mix_half(left, left_embedding, mix_v, mix_table, tile.row, tile.column, ends)
    _mix_half(right, right_embedding, mix_v, mix_table, tile.row, beside, ends)


@triton.jit
def _mix_half(raw, embedding, mix_v, mix_table, row, column, ends):
    ends.projected.store([row, column], raw.to(ends.projected.dtype))
    mixed = mix_v * raw
    if embedding is not None:
        mixed += mix_table * embedding.to(raw.dtype)
    ends.v.store([row, column - 2 * ends.width], mixed.to(ends.v.dtype))
