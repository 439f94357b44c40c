"""The MLP's two wide products on Hopper, in Gluon: see `mlp`, whose Triton kernels they replace.

Shapes: T tokens, D features, F hidden features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import mbarrier
from triton.language import PropagateNan

from trainer.kernels.gemm import Shape
from trainer.kernels.gemm_hopper import (
    PIECE,
    WARPS,
    PingPong,
    empty_rooms,
    fetch_tile,
    grid,
    halves,
    matmul,
    nothing_before,
    operands_of,
    piece_of,
    plan_of,
    store,
)

# Measured on an H200 (docs/performance-log.md).
UP = PingPong(stages=6, group=8, rooms=1)
DOWN = PingPong(stages=5, group=8, rooms=2)
NAN = gl.constexpr(PropagateNan.ALL)


class DownArgs(NamedTuple):
    """What the gradient's ends take."""

    out: Any
    h: Any


def up_relu_squared(x: Tensor, up: Tensor, out: Tensor) -> None:
    """Write relu(x @ up.T)^2 to `out` (T, F)."""
    a, b = operands_of(x, up.T)
    plan = plan_of(x, up.T, UP)
    _up_kernel[grid(x)](a, b, *out.shape, piece_of(out), PLAN=plan, num_warps=WARPS.value)


def down_backward_relu_squared(d_m: Tensor, down: Tensor, h: Tensor, out: Tensor) -> None:
    """Write (d_m @ down) * 2 sqrt(h) to `out` (T, F)."""
    a, b = operands_of(d_m, down)
    ends = piece_of(out), piece_of(h)
    plan = plan_of(d_m, down, DOWN)
    _down_kernel[grid(d_m)](a, b, *out.shape, *ends, PLAN=plan, num_warps=WARPS.value)


@gluon.jit
def _up_kernel(a, b, m, n, out, PLAN: gl.constexpr):
    """Write relu(a @ b)^2."""
    matmul(a, b, Shape(m, n), (out,), nothing_before, _square_positive, PLAN)


@gluon.jit
def _down_kernel(a, b, m, n, out, h, PLAN: gl.constexpr):
    """Write (a @ b) * 2 sqrt(h)."""
    matmul(a, b, Shape(m, n), DownArgs(out, h), _fetch_h, _scale_by_root, PLAN)


@gluon.jit
def _square_positive(acc, tile, _shape, ends, args, _PLAN: gl.constexpr):
    (out,) = args
    pieces = halves(acc)
    for i in gl.static_range(2):
        # A NaN must stay one, for the run to stop at it.
        positive = gl.maximum(pieces[i], 0.0, propagate_nan=NAN)
        squared = (positive * positive).to(gl.bfloat16)
        empty_rooms()
        store(out, squared, tile.row, tile.column + i * PIECE, ends.rooms.index(0))


@gluon.jit
def _fetch_h(tile, _shape, ends, args, _PLAN: gl.constexpr):
    fetch_tile(args.h, tile, ends)


@gluon.jit
def _scale_by_root(acc, tile, _shape, ends, args, _PLAN: gl.constexpr):
    """Results take the place of h."""
    pieces = halves(acc)
    mbarrier.wait(ends.arrived, ends.phase)
    for i in gl.static_range(2):
        room = ends.rooms.index(i)
        h = room.load(pieces[i].type.layout).to(gl.float32)
        scaled = (pieces[i] * 2 * gl.sqrt(h)).to(gl.bfloat16)
        store(args.out, scaled, tile.row, tile.column + i * PIECE, room)
