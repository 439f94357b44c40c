"""The matrix product of `gemm` for Hopper, whose warps share the work: acc = a @ b, tile by tile.

Two warpgroups take turns, as in a game of ping-pong: while one multiplies its tile, the other
finishes the one that it had before, and one more warp fetches what both are going to multiply. In
Triton the compiler decides which warp does what; in Gluon the program says so, and who waits for
whom. Only Hopper has such products, and Gluon changes from release to release (`common.has_gluon`):
everywhere else the product is that of `gemm`.

Kernels pass in what they do before and after the products of a tile, as they do to `gemm`:

    PROLOGUE(tile, shape, ends, args, PLAN)
    EPILOGUE(acc, tile, shape, ends, args, PLAN)

PROLOGUE may ask the copy engine for what the epilogue needs, and writes nothing but the rooms.
`ends` are the warpgroup's own rooms (see `Ends`), `args` is a named tuple of the kernel's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import (
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_wait,
)
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor

from trainer.kernels.common import program_count
from trainer.kernels.gemm import STEP_BYTES, Tile
from trainer.kernels.pieces_hopper import (
    BLOCK_M,
    BLOCK_N,
    PIECE,
    WARPS,
    Ends,
    barriers,
    described,
    end,
)

# Steps that are written out: a loop of single steps is slower by some percent.
MOST_WRITTEN = 16
# Registers a thread: the two warpgroups that multiply share what the warp that fetches leaves.
REGISTERS, FEW_REGISTERS = gl.constexpr(240), gl.constexpr(24)


@dataclass(frozen=True)
class PingPong:
    """How a product is cut up.

    Args:
        stages: steps in flight between memory and the tensor cores.
        group: rows of tiles that are visited together, column by column.
        rooms: pieces of a result for which each warpgroup has shared memory.
        strip: 0, or how many tiles beside one another a program computes from the same rows of a,
            which then stay in shared memory; as many stages as steps, and an even number.
    """

    stages: int
    group: int
    rooms: int
    strip: int = 0


@dataclass(frozen=True)
class PingPongPlan:
    """What a kernel is compiled for.

    Attributes:
        config: how the product is cut up.
        steps: of the main loop.
        written: how many of them are written out one after the other.
        block_k: terms of a step.
        b_transposed: whether b is stored as (N, K).
    """

    config: PingPong
    steps: int
    written: int
    block_k: int
    b_transposed: bool


class Stages(NamedTuple):
    """Steps of both factors, and a barrier each for a full stage and for an empty one."""

    a: Any
    b: Any
    full: Any
    empty: Any


def plan_of(a: Tensor, b: Tensor, config: PingPong) -> PingPongPlan:
    """The plan for factors (M, K) and (K, N); b may lie in memory as (N, K)."""
    block_k = STEP_BYTES // a.element_size()
    steps = a.shape[1] // block_k
    written = max(n for n in range(1, MOST_WRITTEN + 1) if steps % n == 0)
    return PingPongPlan(config, steps, written, block_k, b.stride(1) != 1)


def operands_of(a: Tensor, b: Tensor) -> tuple[TensorDescriptor, TensorDescriptor]:
    """What a kernel takes for these factors."""
    block_k = STEP_BYTES // a.element_size()
    left = described(a, BLOCK_M.value, block_k)
    if b.stride(1) == 1:
        return left, described(b, block_k, BLOCK_N.value)
    return left, described(b.T, BLOCK_N.value, block_k)


def grid(a: Tensor) -> tuple[int]:
    """One program a multiprocessor."""
    return (program_count(a.device),)


@gluon.jit
def matmul(a, b, shape, args, PROLOGUE: gl.constexpr, EPILOGUE: gl.constexpr, PLAN: gl.constexpr):
    """Compute the tiles of this program."""
    STAGES: gl.constexpr = PLAN.config.stages
    ROOMS: gl.constexpr = PLAN.config.rooms
    STEP: gl.constexpr = gl.NVMMASharedLayout(128, a.dtype.primitive_bitwidth, 2)
    ROOM: gl.constexpr = gl.NVMMASharedLayout(128, 16, 2)
    stages = Stages(
        gl.allocate_shared_memory(a.dtype, [STAGES, BLOCK_M, PLAN.block_k], STEP),
        gl.allocate_shared_memory(b.dtype, [STAGES, b.block_shape[0], b.block_shape[1]], STEP),
        barriers(STAGES),
        barriers(STAGES),
    )
    rooms = (
        gl.allocate_shared_memory(gl.bfloat16, [ROOMS, BLOCK_M, PIECE], ROOM),
        gl.allocate_shared_memory(gl.bfloat16, [ROOMS, BLOCK_M, PIECE], ROOM),
    )
    arrived, turns = barriers(2), barriers(2)
    shared = (stages, rooms, arrived, turns, shape, args)
    gl.warp_specialize(
        [
            (_compute, (shared, 0, PROLOGUE, EPILOGUE, PLAN)),
            (_compute, (shared, 1, PROLOGUE, EPILOGUE, PLAN)),
            (_fetch, (a, b, stages, shape, PLAN)),
        ],
        [WARPS, 1],
        [REGISTERS, FEW_REGISTERS],
    )
    # Otherwise the compiler puts other things there while the copy engine still reads.
    rooms[0]._keep_alive()
    rooms[1]._keep_alive()
    # And memory of barriers may not be used for anything else before they are ended.
    end(stages.full, STAGES)
    end(stages.empty, STAGES)
    end(arrived, 2)
    end(turns, 2)


@gluon.jit
def _fetch(a, b, stages, shape, PLAN: gl.constexpr):
    """The warp that fetches: one step after the other, of all tiles of this program."""
    K: gl.constexpr = PLAN.block_k
    STRIP: gl.constexpr = PLAN.config.strip
    A_BYTES: gl.constexpr = BLOCK_M * K * a.dtype.primitive_bitwidth // 8
    B_BYTES: gl.constexpr = BLOCK_N * K * b.dtype.primitive_bitwidth // 8
    for i in range(_count(shape, PLAN)):
        tile = _tile_at(i, shape, PLAN)
        for k in range(PLAN.steps):
            stage, phase = _stage_of(i * PLAN.steps + k, PLAN)
            # Empty at first: the phase of its barrier before any arrival.
            mbarrier.wait(stages.empty.index(stage), 1 - phase)
            full = stages.full.index(stage)
            if STRIP == 0:
                mbarrier.expect(full, A_BYTES + B_BYTES)
                tma.async_copy_global_to_shared(a, [tile.row, k * K], full, stages.a.index(stage))
            else:
                # A stage has its own step of a, which stays until the rows change.
                changed = i % STRIP == 0
                mbarrier.expect(full, A_BYTES + B_BYTES, pred=changed)
                mbarrier.expect(full, B_BYTES, pred=i % STRIP != 0)
                tma.async_copy_global_to_shared(
                    a, [tile.row, k * K], full, stages.a.index(stage), pred=changed
                )
            at = [k * K, tile.column]
            if PLAN.b_transposed:
                at = [tile.column, k * K]
            tma.async_copy_global_to_shared(b, at, full, stages.b.index(stage))


@gluon.jit
def _compute(
    shared,
    OWN: gl.constexpr,
    PROLOGUE: gl.constexpr,
    EPILOGUE: gl.constexpr,
    PLAN: gl.constexpr,
):
    """A warpgroup that multiplies: every second tile of this program."""
    stages, rooms, arrived, turns, shape, args = shared
    for i in range(OWN, _count(shape, PLAN), 2):
        tile = _tile_at(i, shape, PLAN)
        ends = Ends(rooms[OWN], arrived.index(OWN), i // 2 % 2)
        PROLOGUE(tile, shape, ends, args, PLAN)
        # The first has its first turn at once: the phase of its barrier before any arrival.
        mbarrier.wait(turns.index(OWN), (i // 2 + 1 - OWN) % 2)
        acc = _multiply(stages, i * PLAN.steps, PLAN)
        mbarrier.arrive(turns.index(1 - OWN), count=1)
        acc = warpgroup_mma_wait(0, deps=(acc,))
        last, _ = _stage_of((i + 1) * PLAN.steps - 1, PLAN)
        mbarrier.arrive(stages.empty.index(last), count=1)
        EPILOGUE(acc, tile, shape, ends, args, PLAN)
    # Who stored has to stay until it is read.
    tma.store_wait(0)


@gluon.jit
def _multiply(stages, first, PLAN: gl.constexpr):
    """The product of a tile, from this program's step `first` on; its last step still runs."""
    STEPS: gl.constexpr = PLAN.steps
    WRITTEN: gl.constexpr = PLAN.written
    TERMS: gl.constexpr = 256 // stages.a.dtype.primitive_bitwidth
    ACC: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [WARPS, 1], [16, BLOCK_N, TERMS])
    acc = gl.zeros((BLOCK_M, BLOCK_N), gl.float32, ACC)
    if WRITTEN == STEPS:
        acc = _multiply_steps(acc, stages, first, 0, PLAN)
    else:
        for begin in range(0, STEPS, WRITTEN):
            acc = _multiply_steps(acc, stages, first, begin, PLAN)
    return acc


@gluon.jit
def _multiply_steps(acc, stages, first, begin, PLAN: gl.constexpr):
    """Add the steps of a tile from `begin` on, as many as are written out."""
    WRITTEN: gl.constexpr = PLAN.written
    for i in gl.static_range(WRITTEN):
        k = begin + i
        stage, phase = _stage_of(first + k, PLAN)
        mbarrier.wait(stages.full.index(stage), phase)
        right = stages.b.index(stage)
        if PLAN.b_transposed:
            right = right.permute((1, 0))
        acc = warpgroup_mma(stages.a.index(stage), right, acc, use_acc=k > 0, is_async=True)
        # The step before has left its stage.
        acc = warpgroup_mma_wait(1, deps=(acc,))
        before, _ = _stage_of(first + k + PLAN.config.stages - 1, PLAN)
        mbarrier.arrive(stages.empty.index(before), count=1, pred=k > 0)
    return acc


@gluon.jit
def _stage_of(step, PLAN: gl.constexpr):
    """The stage of a step of this program's, and how often it was full before, modulo 2."""
    return step % PLAN.config.stages, step // PLAN.config.stages % 2


@gluon.jit
def _count(shape, PLAN: gl.constexpr):
    """How many tiles this program computes."""
    STRIP: gl.constexpr = PLAN.config.strip
    tiles_m, tiles_n = gl.cdiv(shape.m, BLOCK_M), gl.cdiv(shape.n, BLOCK_N)
    if STRIP == 0:
        count = gl.cdiv(tiles_m * tiles_n - gl.program_id(0), gl.num_programs(0))
    else:
        strips = tiles_m * gl.cdiv(tiles_n, STRIP)
        count = gl.cdiv(strips - gl.program_id(0), gl.num_programs(0)) * STRIP
    return count


@gluon.jit
def _tile_at(i, shape, PLAN: gl.constexpr):
    """Place the i-th tile of this program."""
    GROUP: gl.constexpr = PLAN.config.group
    STRIP: gl.constexpr = PLAN.config.strip
    tiles_m, tiles_n = gl.cdiv(shape.m, BLOCK_M), gl.cdiv(shape.n, BLOCK_N)
    if STRIP == 0:
        # `group` rows of tiles are visited column by column, to meet in L2.
        number = gl.program_id(0) + i * gl.num_programs(0)
        first = number // (GROUP * tiles_n) * GROUP
        height = gl.minimum(tiles_m - first, GROUP)
        within = number % (GROUP * tiles_n)
        row, column = first + within % height, within // height
    else:
        # All rows visit the same strip of b before the next; the last may reach beyond it.
        number = gl.program_id(0) + i // STRIP * gl.num_programs(0)
        row, column = number % tiles_m, number // tiles_m * STRIP + i % STRIP
    return Tile(row * BLOCK_M, column * BLOCK_N)
