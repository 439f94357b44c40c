"""The head's FP8 product with the sums of its softmax on Hopper, in Gluon.

It takes the place of the Triton kernel of `logits`, whose shapes and letters these are. A program
keeps BLOCK_M tokens in shared memory and passes over a strip of the vocabulary, so that it writes a
sum of exp(c) for each token and strip, and not for each tile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl

from trainer.kernels import loss
from trainer.kernels.common import LOG2_E
from trainer.kernels.gemm import STEP_BYTES, Shape
from trainer.kernels.gemm_hopper import PingPong, grid, matmul, operands_of, plan_of
from trainer.kernels.pieces_hopper import (
    BLOCK_M,
    BLOCK_N,
    PIECE,
    WARPS,
    empty_rooms,
    halves,
    nothing_before,
    piece_of,
    store,
)

# 15 * log2(e), with which exp(c) is a power of two of tanh(z / 15).
CAP_LOG2_E = gl.constexpr(loss.HALF_CAP.value * LOG2_E.value)
TANH_OF_TWO = gl.constexpr(loss.TANH_OF_TWO.value)
# Measured on an H200 (docs/performance-log.md): 512 rows of tiles times 9 strips keep 132 programs
# busy to the end, and 44 tiles of the weight stay in L2 while all rows pass.
STRIP = 44


class LogitsArgs(NamedTuple):
    """What the epilogue takes."""

    z: Any
    sums: Any
    factor: Any
    whole: Any


def write_logits(x: Tensor, weight: Tensor, z: Tensor, factor: float) -> Tensor:
    """Write factor * x @ weight.T to `z` (T, V), rounded; returns sums of exp(c) of parts of rows.

    Args:
        x: (T, D) float8_e4m3fn, contiguous; D as `logits.is_for_strips` says.
        weight: (V, D), likewise.
        z: (T, V) bfloat16.
        factor: takes the operands' scales back.

    Returns:
        (parts, T) float32, which add up to the sums over whole rows.
    """
    config = PingPong(stages=x.shape[1] // STEP_BYTES, group=1, rooms=1, strip=STRIP)
    strips = triton.cdiv(z.shape[1], BLOCK_N.value * STRIP)
    # One for each warpgroup that passes over a strip.
    sums = torch.empty(2 * strips, len(x), dtype=torch.float32, device=x.device)
    a, b = operands_of(x, weight.T)
    plan = plan_of(x, weight.T, config)
    _logits_kernel[grid(x)](
        a,
        b,
        *z.shape,
        piece_of(z),
        sums,
        factor,
        WHOLE=not z.shape[1] % PIECE.value,
        PLAN=plan,
        num_warps=WARPS.value,
    )
    return sums


@gluon.jit
def _logits_kernel(a, b, m, n, z, sums, factor, WHOLE: gl.constexpr, PLAN: gl.constexpr):
    """Write the logits and the sums of their powers; WHOLE unless a piece has a tail."""
    args = LogitsArgs(z, sums, factor, WHOLE)
    matmul(a, b, Shape(m, n), args, nothing_before, _write_and_sum, PLAN)


@gluon.jit
def _write_and_sum(acc, tile, shape, ends, args, PLAN: gl.constexpr):
    """Write a tile of logits, and add its rows' powers to those of the strip's tiles before."""
    pieces = halves(acc)
    rows = tile.row + gl.arange(0, BLOCK_M, layout=gl.SliceLayout(1, pieces[0].type.layout))
    number = tile.column // BLOCK_N
    part = number // PLAN.config.strip * 2 + number % 2
    own = args.sums + part.to(gl.int64) * shape.m + rows
    # Each warpgroup takes every second tile of a strip.
    begun = number % PLAN.config.strip >= 2
    total = gl.load(own, mask=(rows < shape.m) & begun, other=0.0)
    for i in gl.static_range(2):
        column = tile.column + i * PIECE
        total += _write_piece(pieces[i], tile.row, column, shape.n, ends, args)
    gl.store(own, total, mask=rows < shape.m)


@gluon.jit
def _write_piece(acc, row, column, columns, ends, args):
    """Write a piece of logits; returns the sums of exp(c) of its rows."""
    # Rounded first: the gradient will read the rounded ones.
    rounded = (acc * args.factor).to(gl.bfloat16)
    empty_rooms()
    store(args.z, rounded, row, column, ends.rooms.index(0))
    tanh = gl.inline_asm_elementwise(
        TANH_OF_TWO, "=f,=f,r", [rounded], dtype=gl.float32, is_pure=True, pack=2
    )
    powers = gl.exp2(CAP_LOG2_E * tanh)
    if not args.whole:
        inside = column + gl.arange(0, PIECE, layout=gl.SliceLayout(0, acc.type.layout)) < columns
        powers = gl.where(inside[None, :], powers, 0.0)
    # A strip's last pieces may lie behind the last column.
    return gl.where(column < columns, gl.sum(powers, 1), 0.0)
