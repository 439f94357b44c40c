"""The product that merges heads on Hopper, in Gluon, and its gradient with delta.

They take the place of products and of the kernel of `attention_merge`, whose shapes and letters
these are: each spares a pass, over the stream or over the gradient.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import mbarrier

from trainer.kernels import common
from trainer.kernels.gemm import Shape
from trainer.kernels.gemm_hopper import PingPong, grid, matmul, operands_of, plan_of
from trainer.kernels.pieces_hopper import (
    BLOCK_M,
    BLOCK_N,
    PIECE,
    WARPS,
    fetch_tile,
    halves,
    piece_of,
    store,
)

# Two rooms: for a tile of normed or of out.
CONFIG = PingPong(stages=5, group=8, rooms=2)
LOG2_E = gl.constexpr(common.LOG2_E.value)


class MergeArgs(NamedTuple):
    """What prologue and epilogue of the product take."""

    stream: Any
    normed: Any
    rstd: Any


class GradientArgs(NamedTuple):
    """What prologue and epilogue of the gradient take."""

    d_out: Any
    out: Any
    lse: Any
    lse_delta: Any


def write_stream(
    merged: Tensor, weight: Tensor, normed: Tensor, rstd: Tensor, stream: Tensor
) -> None:
    """Write normed / rstd + merged @ weight.T to `stream` (T, D), merged (T, H * E)."""
    a, b = operands_of(merged, weight.T)
    _merge_kernel[grid(merged)](
        a,
        b,
        *stream.shape,
        piece_of(stream),
        piece_of(normed),
        rstd,
        PLAN=plan_of(merged, weight.T, CONFIG),
        num_warps=WARPS.value,
    )


def write_gradient(
    d_merged: Tensor, weight: Tensor, out: Tensor, lse: Tensor, d_out: Tensor, lse_delta: Tensor
) -> None:
    """Fill d_out (T, H, E) and lse_delta (2, H, T), which `merge_backward` returns."""
    a, b = operands_of(d_merged, weight)
    _merge_gradient_kernel[grid(d_merged)](
        a,
        b,
        *out.flatten(1).shape,
        piece_of(d_out.flatten(1)),
        piece_of(out.flatten(1)),
        lse,
        lse_delta,
        PLAN=plan_of(d_merged, weight, CONFIG),
        num_warps=WARPS.value,
    )


@gluon.jit
def _merge_kernel(a, b, m, n, stream, normed, rstd, PLAN: gl.constexpr):
    """Write normed / rstd + a @ b."""
    args = MergeArgs(stream, normed, rstd)
    matmul(a, b, Shape(m, n), args, _fetch_normed, _restore_and_add, PLAN)


@gluon.jit
def _fetch_normed(tile, _shape, ends, args, _PLAN: gl.constexpr):
    fetch_tile(args.normed, tile, ends)


@gluon.jit
def _restore_and_add(acc, tile, shape, ends, args, _PLAN: gl.constexpr):
    """Results take the place of normed."""
    pieces = halves(acc)
    rows = tile.row + gl.arange(0, BLOCK_M, layout=gl.SliceLayout(1, pieces[0].type.layout))
    root = 1 / gl.load(args.rstd + rows, mask=rows < shape.m, other=1.0)
    mbarrier.wait(ends.arrived, ends.phase)
    for i in gl.static_range(2):
        room = ends.rooms.index(i)
        normed = room.load(pieces[i].type.layout).to(gl.float32)
        total = root[:, None] * normed + pieces[i]
        store(args.stream, total.to(gl.bfloat16), tile.row, tile.column + i * PIECE, room)


@gluon.jit
def _merge_gradient_kernel(a, b, m, n, d_out, out, lse, lse_delta, PLAN: gl.constexpr):
    """A tile is a head of d_out."""
    args = GradientArgs(d_out, out, lse, lse_delta)
    matmul(a, b, Shape(m, n), args, _fetch_out, _write_and_sum, PLAN)


@gluon.jit
def _fetch_out(tile, _shape, ends, args, _PLAN: gl.constexpr):
    fetch_tile(args.out, tile, ends)


@gluon.jit
def _write_and_sum(acc, tile, shape, ends, args, _PLAN: gl.constexpr):
    """Write a head of d_out in the place of out, and the sums of their products."""
    pieces = halves(acc)
    ROWS: gl.constexpr = gl.SliceLayout(1, pieces[0].type.layout)
    rows = tile.row + gl.arange(0, BLOCK_M, layout=ROWS)
    at = tile.column // BLOCK_N * shape.m + rows
    lse = gl.load(args.lse + at, mask=rows < shape.m, other=0.0)
    delta = gl.zeros((BLOCK_M,), gl.float32, ROWS)
    mbarrier.wait(ends.arrived, ends.phase)
    for i in gl.static_range(2):
        room = ends.rooms.index(i)
        out = room.load(pieces[i].type.layout).to(gl.float32)
        # Of the rounded one, which attention's gradients will read.
        rounded = pieces[i].to(gl.bfloat16)
        delta += gl.sum(rounded.to(gl.float32) * out, 1)
        store(args.d_out, rounded, tile.row, tile.column + i * PIECE, room)
    gl.store(args.lse_delta + at, lse * LOG2_E, mask=rows < shape.m)
    gl.store(args.lse_delta + shape.n // BLOCK_N * shape.m + at, delta, mask=rows < shape.m)
