"""Gradients through the MLP on Hopper, in Gluon, up to the stream before its norm: see `mlp`.

The norm's gradient needs mean(d_normed * normed) of each token, a sum over all features of D, of
which a tile has some. But d_normed * normed adds up to d_pre * pre, a sum over F: the first kernel
has both in its epilogue, and the second finds the sum there before it writes its first tile.

Shapes: T tokens, D features, F hidden features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import mbarrier, tma

from trainer.kernels.gemm import Shape
from trainer.kernels.gemm_hopper import PingPong, grid, matmul, operands_of, plan_of
from trainer.kernels.pieces_hopper import (
    BLOCK_M,
    BLOCK_N,
    PIECE,
    WARPS,
    empty_rooms,
    fetch_tile,
    halves,
    piece_of,
    store,
)

# Measured on an H200 (docs/performance-log.md). Two rooms: for a tile of h, or for a piece each of
# d_out and normed.
DOWN = PingPong(stages=5, group=8, rooms=2)
UP = PingPong(stages=5, group=4, rooms=2)


class PreArgs(NamedTuple):
    """What the first kernel's ends take."""

    d_pre: Any
    h: Any
    sums: Any


class StreamArgs(NamedTuple):
    """What the second kernel's ends take."""

    d_stream: Any
    d_out: Any
    normed: Any
    rstd: Any
    sums: Any


def write_d_pre(d_out: Tensor, down: Tensor, h: Tensor, d_pre: Tensor) -> Tensor:
    """Write (d_out @ down) * 2 sqrt(h) to `d_pre` (T, F); returns sums of d_pre * pre.

    Returns:
        (parts, T) float32, which add up to the sums over whole rows.
    """
    a, b = operands_of(d_out, down)
    parts = triton.cdiv(h.shape[1], BLOCK_N.value)
    sums = torch.empty(parts, len(h), dtype=torch.float32, device=h.device)
    ends = piece_of(d_pre), piece_of(h), sums
    plan = plan_of(d_out, down, DOWN)
    _d_pre_kernel[grid(d_out)](a, b, *h.shape, *ends, PLAN=plan, num_warps=WARPS.value)
    return sums


def write_d_stream(
    d_pre: Tensor,
    up: Tensor,
    d_out: Tensor,
    normed: Tensor,
    rstd: Tensor,
    sums: Tensor,
    d_stream: Tensor,
) -> None:
    """Write d_out + rstd * (d_normed - normed * mean(d_normed * normed)), d_normed = d_pre @ up.

    Args:
        d_pre: (T, F).
        up: (F, D).
        d_out: (T, D).
        normed: (T, D).
        rstd: (T,).
        sums: as `write_d_pre` returned them.
        d_stream: takes the result, (T, D).
    """
    a, b = operands_of(d_pre, up)
    _d_stream_kernel[grid(d_pre)](
        a,
        b,
        *d_stream.shape,
        *(piece_of(matrix) for matrix in (d_stream, d_out, normed)),
        rstd,
        sums,
        PLAN=plan_of(d_pre, up, UP),
        num_warps=WARPS.value,
    )


@gluon.jit
def _d_pre_kernel(a, b, m, n, d_pre, h, sums, PLAN: gl.constexpr):
    """Write (a @ b) * 2 sqrt(h), and sums of it times sqrt(h)."""
    matmul(a, b, Shape(m, n), PreArgs(d_pre, h, sums), _fetch_h, _scale_by_root, PLAN)


@gluon.jit
def _fetch_h(tile, _shape, ends, args, _PLAN: gl.constexpr):
    fetch_tile(args.h, tile, ends)


@gluon.jit
def _scale_by_root(acc, tile, shape, ends, args, _PLAN: gl.constexpr):
    """Results take the place of h."""
    pieces = halves(acc)
    ROWS: gl.constexpr = gl.SliceLayout(1, pieces[0].type.layout)
    rows = tile.row + gl.arange(0, BLOCK_M, layout=ROWS)
    total = gl.zeros((BLOCK_M,), gl.float32, ROWS)
    mbarrier.wait(ends.arrived, ends.phase)
    for i in gl.static_range(2):
        room = ends.rooms.index(i)
        root = gl.sqrt(room.load(pieces[i].type.layout).to(gl.float32))
        scaled = pieces[i] * 2 * root
        total += gl.sum(scaled * root, 1)
        store(args.d_pre, scaled.to(gl.bfloat16), tile.row, tile.column + i * PIECE, room)
    own = (tile.column // BLOCK_N).to(gl.int64) * shape.m
    gl.store(args.sums + own + rows, total, mask=rows < shape.m)


@gluon.jit
def _d_stream_kernel(a, b, m, n, d_stream, d_out, normed, rstd, sums, PLAN: gl.constexpr):
    """Take a @ b back through the norm, and add what reaches the stream by other ways."""
    args = StreamArgs(d_stream, d_out, normed, rstd, sums)
    matmul(a, b, Shape(m, n), args, _fetch_first, _before_norm, PLAN)


@gluon.jit
def _fetch_first(tile, _shape, ends, args, _PLAN: gl.constexpr):
    _fetch_piece(tile.row, tile.column, ends, args)


@gluon.jit
def _fetch_piece(row, column, ends, args):
    """Ask for a piece each of d_out and normed."""
    empty_rooms()
    mbarrier.expect(ends.arrived, 2 * BLOCK_M * PIECE * 2)
    at = [row, column]
    tma.async_copy_global_to_shared(args.d_out, at, ends.arrived, ends.rooms.index(0))
    tma.async_copy_global_to_shared(args.normed, at, ends.arrived, ends.rooms.index(1))


@gluon.jit
def _before_norm(acc, tile, shape, ends, args, PLAN: gl.constexpr):
    """A piece after the other: its results take the place of d_out."""
    # Tiles of d_pre in a row: a sum for each.
    PARTS: gl.constexpr = (PLAN.steps * PLAN.block_k + BLOCK_N - 1) // BLOCK_N
    pieces = halves(acc)
    HALF: gl.constexpr = pieces[0].type.layout
    rows = tile.row + gl.arange(0, BLOCK_M, layout=gl.SliceLayout(1, HALF))
    inside = rows < shape.m
    rstd = gl.load(args.rstd + rows, mask=inside, other=0.0)
    along = gl.load(args.sums + rows, mask=inside, other=0.0)
    for part in gl.static_range(1, PARTS):
        along += gl.load(args.sums + part * shape.m + rows, mask=inside, other=0.0)
    along *= rstd / shape.n
    room, other = ends.rooms.index(0), ends.rooms.index(1)
    for i in gl.static_range(2):
        column = tile.column + i * PIECE
        if i > 0:
            _fetch_piece(tile.row, column, ends, args)
        # Two phases a tile.
        mbarrier.wait(ends.arrived, i)
        d_out = room.load(HALF).to(gl.float32)
        normed = other.load(HALF).to(gl.float32)
        total = d_out + rstd[:, None] * pieces[i] - along[:, None] * normed
        store(args.d_stream, total.to(gl.bfloat16), tile.row, column, room)
