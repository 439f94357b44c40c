"""Tiles of a product on Hopper, in pieces between registers, shared memory and matrices.

What the epilogues of `gemm_hopper` are made of. A warpgroup has rooms in shared memory, each for a
piece of its tile: what the copy engine fetches for the epilogue arrives there, and results leave
from there.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import fence_async_shared, mbarrier, tma
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor

from trainer.kernels.gemm import STEP_BYTES

# Rows and columns of a tile, as many as one warpgroup's registers hold, and columns of a piece of a
# result on its way through shared memory.
BLOCK_M, BLOCK_N = gl.constexpr(128), gl.constexpr(128)
PIECE = gl.constexpr(64)
WARPS = gl.constexpr(4)


class Ends(NamedTuple):
    """A warpgroup's own: rooms for pieces of a tile, and a barrier for what is fetched there."""

    rooms: Any
    arrived: Any
    phase: Any


def piece_of(matrix: Tensor) -> TensorDescriptor:
    """What a kernel takes for a matrix that it reads or writes a piece at a time."""
    return described(matrix, BLOCK_M.value, PIECE.value)


def described(matrix: Tensor, rows: int, columns: int) -> TensorDescriptor:
    """What a kernel takes for a matrix whose tiles of that shape it visits."""
    return TensorDescriptor.from_tensor(matrix, [rows, columns], _layout(matrix.element_size()))


@cache
def _layout(size: int) -> gl.NVMMASharedLayout:
    """How shared memory holds elements of so many bytes; made once, since each costs 5 us."""
    return gl.NVMMASharedLayout(STEP_BYTES, 8 * size, 2)


@gluon.jit
def barriers(COUNT: gl.constexpr, ARRIVALS: gl.constexpr = 1):
    """So many barriers, each for so many arrivals a phase."""
    made = gl.allocate_shared_memory(gl.int64, [COUNT, 1], mbarrier.MBarrierLayout())
    for i in gl.static_range(COUNT):
        mbarrier.init(made.index(i), count=ARRIVALS)
    return made


@gluon.jit
def end(ended, COUNT: gl.constexpr):
    """End barriers: their memory may not be used for anything else before."""
    for i in gl.static_range(COUNT):
        mbarrier.invalidate(ended.index(i))


@gluon.jit
def nothing_before(_tile, _shape, _ends, _args, _PLAN: gl.constexpr):
    """The prologue of an epilogue that needs nothing but the accumulator."""


@gluon.jit
def fetch_tile(source, tile, ends):
    """Ask for a tile of a matrix, a piece a room; it then hides behind the products."""
    empty_rooms()
    mbarrier.expect(ends.arrived, BLOCK_M * BLOCK_N * 2)
    for i in gl.static_range(2):
        at = [tile.row, tile.column + i * PIECE]
        tma.async_copy_global_to_shared(source, at, ends.arrived, ends.rooms.index(i))


@gluon.jit
def empty_rooms():
    """Wait until what was stored from the warpgroup's rooms has left them."""
    tma.store_wait(0)
    gl.thread_barrier()


@gluon.jit
def halves(acc):
    """The left and the right half of the columns, in registers that fit a piece."""
    HALF: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [WARPS, 1], [16, PIECE, 16])
    left, right = acc.reshape(BLOCK_M, 2, PIECE).permute(0, 2, 1).split()
    left = gl.convert_layout(left, HALF, assert_trivial=True)
    return left, gl.convert_layout(right, HALF, assert_trivial=True)


@gluon.jit
def store(target, value, row, column, room):
    """Write a rounded piece by way of an empty room."""
    room.store(value)
    fence_async_shared()
    tma.async_copy_shared_to_global(target, [row, column], room)
