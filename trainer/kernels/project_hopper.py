"""The merged projection with its epilogue on Hopper, in Gluon.

It takes the place of the Triton kernel of `project`, whose shapes and letters these are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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
    described,
    empty_rooms,
    halves,
    piece_of,
    store,
)

# Measured on an H200 (docs/performance-log.md). Two rooms: for cosines and sines.
CONFIG = PingPong(stages=5, group=8, rooms=2)
# Features of a head, and of them those that turn with one another.
E, QUARTER = BLOCK_N, gl.constexpr(BLOCK_N.value // 4)
ANGLES = gl.constexpr(gl.NVMMASharedLayout(128, 32, 2))
# Rows of a piece that are read from memory, 16 bytes a thread.
ROWWISE = gl.constexpr(gl.BlockedLayout([1, 8], [4, 8], [WARPS.value, 1], [1, 0]))


class ProjectArgs(NamedTuple):
    """What prologue and epilogue take."""

    projected: Any
    v: Any
    rstd: Any
    mix: Any
    table: Any
    tokens: Any
    cos: Any
    sin: Any
    eps: Any
    heads: Any


def write_heads(
    normed: Tensor,
    qkv: Tensor,
    outs: tuple[Tensor, Tensor, Tensor],
    mix: Tensor,
    values: tuple[Tensor | None, Tensor | None],
    angles: tuple[Tensor, Tensor],
    eps: float,
) -> None:
    """Compute what `project` returns, of what it takes.

    Args:
        normed: (T, D).
        qkv: (3, H * E, D).
        outs: room for projected (T, 3, H, E), v (T, H, E) and rstd (T, 2H).
        mix: (2,).
        values: table and tokens, or None twice.
        angles: cosines and sines.
        eps: of the norm.
    """
    weight = qkv.flatten(0, 1)
    projected, v, rstd = outs[0].flatten(1), outs[1].flatten(1), outs[2]
    a, b = operands_of(normed, weight.T)
    _project_kernel[grid(normed)](
        a,
        b,
        *projected.shape,
        piece_of(projected),
        piece_of(v),
        rstd,
        mix,
        *values,
        *(described(table, BLOCK_M.value, QUARTER.value) for table in angles),
        eps,
        HEADS=rstd.shape[1] // 2,
        PLAN=plan_of(normed, weight.T, CONFIG),
        num_warps=WARPS.value,
    )


# Rows of a matrix of scalars differ in alignment; one binary is to serve them all.
@gluon.jit(do_not_specialize_on_alignment=["mix"])
def _project_kernel(
    a,
    b,
    m,
    n,
    projected,
    v,
    rstd,
    mix,
    table,
    tokens,
    cos,
    sin,
    eps,
    HEADS: gl.constexpr,
    PLAN: gl.constexpr,
):
    """A tile is a head of Q, K or V, which lie side by side."""
    args = ProjectArgs(projected, v, rstd, mix, table, tokens, cos, sin, eps, HEADS)
    matmul(a, b, Shape(m, n), args, _fetch_angles, _finish_head, PLAN)


@gluon.jit
def _fetch_angles(tile, _shape, ends, args, _PLAN: gl.constexpr):
    """Ask for the angles of the tokens of Q and K, which then hide behind the products."""
    turns = tile.column < 2 * args.heads * E
    empty_rooms()
    mbarrier.expect(ends.arrived, 2 * BLOCK_M * QUARTER * 4, pred=turns)
    cos, sin = _angle_rooms(ends)
    tma.async_copy_global_to_shared(args.cos, [tile.row, 0], ends.arrived, cos, pred=turns)
    tma.async_copy_global_to_shared(args.sin, [tile.row, 0], ends.arrived, sin, pred=turns)
    # For the phase to change with each tile.
    mbarrier.arrive(ends.arrived, count=1, pred=tile.column >= 2 * args.heads * E)


@gluon.jit
def _angle_rooms(ends):
    cos = ends.rooms.index(0)._reinterpret(gl.float32, [BLOCK_M, QUARTER], ANGLES)
    sin = ends.rooms.index(1)._reinterpret(gl.float32, [BLOCK_M, QUARTER], ANGLES)
    return cos, sin


@gluon.jit
def _finish_head(acc, tile, shape, ends, args, _PLAN: gl.constexpr):
    mbarrier.wait(ends.arrived, ends.phase)
    if tile.column < 2 * args.heads * E:
        _turn(acc, tile, shape, ends, args)
    else:
        _mix(acc, tile, shape, ends, args)


@gluon.jit
def _turn(acc, tile, shape, ends, args):
    """Normalise, turn and write one head of Q or K."""
    rstd = gl.rsqrt(gl.sum(acc * acc, 1) / E + args.eps)
    token = tile.row + gl.arange(0, BLOCK_M, layout=gl.SliceLayout(1, acc.type.layout))
    at = token.to(gl.int64) * (2 * args.heads) + tile.column // E
    gl.store(args.rstd + at, rstd, mask=token < shape.m)
    # Features are two halves, which turn with each other, of E / 4 that turn and E / 4 that do not.
    quarters = (acc * rstd[:, None]).reshape(BLOCK_M, 2, 2, QUARTER)
    turning, still = quarters.permute(0, 3, 1, 2).split()
    lower, upper = turning.split()
    cos_room, sin_room = _angle_rooms(ends)
    cos = cos_room.load(lower.type.layout)
    sin = sin_room.load(lower.type.layout)
    turned = gl.join(lower * cos + upper * sin, upper * cos - lower * sin)
    quarters = gl.join(turned, gl.convert_layout(still, turned.type.layout)).permute(0, 2, 3, 1)
    whole = gl.convert_layout(quarters.reshape(BLOCK_M, E), acc.type.layout, assert_trivial=True)
    pieces = halves(whole)
    gl.thread_barrier()
    for i in gl.static_range(2):
        rounded = pieces[i].to(gl.bfloat16)
        store(args.projected, rounded, tile.row, tile.column + i * PIECE, ends.rooms.index(i))


@gluon.jit
def _mix(acc, tile, shape, ends, args):
    """Write one head of V as it is and mixed, a piece at a time."""
    mix_v = gl.load(args.mix)
    mix_table = gl.load(args.mix + 1)
    first = tile.column - 2 * args.heads * E
    pieces = halves(acc)
    for i in gl.static_range(2):
        raw = pieces[i]
        mixed = mix_v * raw
        if args.table is not None:
            rows = _table_rows(tile.row, first + i * PIECE, shape, args)
        empty_rooms()
        if args.table is not None:
            ends.rooms.index(1).store(rows)
            mixed += mix_table * ends.rooms.index(1).load(raw.type.layout).to(gl.float32)
        column = tile.column + i * PIECE
        store(args.projected, raw.to(gl.bfloat16), tile.row, column, ends.rooms.index(0))
        store(args.v, mixed.to(gl.bfloat16), tile.row, first + i * PIECE, ends.rooms.index(1))


@gluon.jit
def _table_rows(row, column, shape, args):
    """A piece of the tokens' rows of the table."""
    token = row + gl.arange(0, BLOCK_M, layout=gl.SliceLayout(1, ROWWISE))
    chosen = gl.load(args.tokens + token, mask=token < shape.m, other=0).to(gl.int64)
    columns = column + gl.arange(0, PIECE, layout=gl.SliceLayout(0, ROWWISE))
    return gl.load(args.table + chosen[:, None] * (args.heads * E) + columns[None, :])
