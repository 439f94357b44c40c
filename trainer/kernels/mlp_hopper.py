"""The MLP's first product on Hopper, in Gluon: see `mlp`, whose Triton kernel it replaces.

Shapes: T tokens, D features, F hidden features.
"""

from __future__ import annotations

from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.language import PropagateNan

from trainer.kernels.gemm import Shape
from trainer.kernels.gemm_hopper import PingPong, grid, matmul, operands_of, plan_of
from trainer.kernels.pieces_hopper import (
    PIECE,
    WARPS,
    empty_rooms,
    halves,
    nothing_before,
    piece_of,
    store,
)

# Measured on an H200 (docs/performance-log.md).
UP = PingPong(stages=6, group=8, rooms=1)
NAN = gl.constexpr(PropagateNan.ALL)


def write_h(x: Tensor, up: Tensor, h: Tensor) -> None:
    """Write relu(x @ up.T)^2 to `h` (T, F)."""
    a, b = operands_of(x, up.T)
    plan = plan_of(x, up.T, UP)
    _up_kernel[grid(x)](a, b, *h.shape, piece_of(h), PLAN=plan, num_warps=WARPS.value)


@gluon.jit
def _up_kernel(a, b, m, n, out, PLAN: gl.constexpr):
    """Write relu(a @ b)^2."""
    matmul(a, b, Shape(m, n), (out,), nothing_before, _square_positive, PLAN)


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
