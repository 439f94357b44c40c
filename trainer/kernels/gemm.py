"""One matrix product for the tensor cores: acc = a @ b, tile by tile, a (M, K), b (K, N).

The kernels of the MLP, of the projection and of the head differ in what they make of a tile. They
pass that in as two functions (on Hopper, to `gemm_hopper`). PROLOGUE runs before the loop over K
and asks for what the epilogue will need, so that loads hide behind the products; EPILOGUE takes the
accumulator and writes.

    early = PROLOGUE(tile, shape, args, PLAN)
    EPILOGUE(acc, early, tile, shape, args, PLAN)

`args` is a named tuple of the kernel's own. Where early values fetch and where results store by
plain pointers, a tile may reach beyond M and N; the copy engine cuts that off by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from trainer.kernels.common import accumulator, halves, has_gluon, program_count, widens

# What `gemm_hopper` takes: whole steps of K of so many bytes, what a row of a stage holds.
STEP_BYTES = 128


@dataclass(frozen=True)
class GemmConfig:
    """How a product is cut up; no field changes a result beyond the order of summation.

    Args:
        block_m: rows of a tile.
        block_n: columns of a tile.
        block_k: terms of a step of the main loop.
        stages: steps in flight between memory and the tensor cores.
        warps: warps of a program; four make one warpgroup.
        group: rows of tiles that are visited together, column by column.
        tma: whether tiles travel through the bulk copy engine (sm_90), not by plain loads.
        persistent: whether one program per multiprocessor takes tile after tile.
        pieces: column pieces in which a tile is finished, a power of two: more take less room.
        early: whether the MLP asks for its tile of h before the products that it will scale; with
            one piece.
    """

    block_m: int
    block_n: int
    block_k: int
    stages: int
    warps: int
    group: int = 8
    tma: bool = True
    persistent: bool = True
    pieces: int = 2
    early: bool = False


@dataclass(frozen=True)
class GemmPlan:
    """What a kernel is compiled for.

    Attributes:
        config: how the product is cut up.
        terms: K.
        b_transposed: whether b is stored as (N, K).
        widen: whether operands are widened first, for Triton's interpreter.
        acc: type of the accumulator.
    """

    config: GemmConfig
    terms: int
    b_transposed: bool
    widen: bool
    acc: tl.dtype


class Operands(NamedTuple):
    """The factors as a kernel sees them: descriptors, or pointers and the strides of their rows."""

    a: Any
    b: Any
    a_stride: Any
    b_stride: Any


class Shape(NamedTuple):
    """M and N."""

    m: Any
    n: Any


class Tile(NamedTuple):
    """First row and first column of a tile of the result."""

    row: Any
    column: Any


def is_for_gluon(a: Tensor, b: Tensor) -> bool:
    """Whether `gemm_hopper` takes factors (M, K) and (K, N) in bfloat16 or FP8."""
    size = a.element_size()
    # The copy engine wants rows that start every so many times 16 bytes.
    lengths = (a.stride(0) * size, max(b.stride()) * size, b.shape[1] * size)
    aligned = not any(length % 16 for length in lengths)
    return has_gluon(a.device) and aligned and not a.shape[1] * size % STEP_BYTES


def plan_of(a: Tensor, b: Tensor, config: GemmConfig) -> GemmPlan:
    """The plan for factors (M, K) and (K, N); b may lie in memory as (N, K)."""
    return GemmPlan(config, a.shape[1], b.stride(1) != 1, widens(a), accumulator(a))


def operands_of(a: Tensor, b: Tensor, config: GemmConfig) -> Operands:
    """What a kernel takes for these factors."""
    block_m, block_n, block_k = config.block_m, config.block_n, config.block_k
    left = operand(a, (block_m, block_k), config)
    if b.stride(1) == 1:
        return Operands(left, operand(b, (block_k, block_n), config), a.stride(0), b.stride(0))
    right = operand(b.T, (block_n, block_k), config)
    return Operands(left, right, a.stride(0), b.stride(1))


def operand(tensor: Tensor, block: tuple[int, int], config: GemmConfig) -> Any:
    """What a kernel takes for a matrix whose tiles of the shape `block` it visits."""
    return TensorDescriptor.from_tensor(tensor, list(block)) if config.tma else tensor


def grid(out: Tensor, config: GemmConfig) -> tuple[int]:
    """How many programs compute `out` (M, N)."""
    m, n = out.shape
    tiles = triton.cdiv(m, config.block_m) * triton.cdiv(n, config.block_n)
    return (min(tiles, program_count(out.device)) if config.persistent else tiles,)


@triton.jit
def matmul(
    operands, shape, args, PROLOGUE: tl.constexpr, EPILOGUE: tl.constexpr, PLAN: tl.constexpr
):
    """Compute the tiles of this program."""
    # One tile without a loop: then what it stores may take the room of its factors.
    if not PLAN.config.persistent:
        tile = tile_at(tl.program_id(0), shape, PLAN)
        matmul_tile(tile, operands, shape, args, PROLOGUE, EPILOGUE, PLAN)
    else:
        first, step = tl.program_id(0), tl.num_programs(0)
        tiles = tl.cdiv(shape.m, PLAN.config.block_m) * tl.cdiv(shape.n, PLAN.config.block_n)
        # Flattened, it fetches the next tile's first steps while it finishes one.
        for number in tl.range(first, tiles, step, flatten=True):
            tile = tile_at(number, shape, PLAN)
            matmul_tile(tile, operands, shape, args, PROLOGUE, EPILOGUE, PLAN)


@triton.jit
def tile_at(number, shape, PLAN: tl.constexpr):
    """Place a tile: `group` rows of tiles are visited column by column, to meet in L2."""
    M: tl.constexpr = PLAN.config.block_m
    N: tl.constexpr = PLAN.config.block_n
    GROUP: tl.constexpr = PLAN.config.group
    tiles_m, tiles_n = tl.cdiv(shape.m, M), tl.cdiv(shape.n, N)
    first = number // (GROUP * tiles_n) * GROUP
    height = min(tiles_m - first, GROUP)
    within = number % (GROUP * tiles_n)
    return Tile((first + within % height) * M, (within // height) * N)


@triton.jit
def matmul_tile(
    tile, operands, shape, args, PROLOGUE: tl.constexpr, EPILOGUE: tl.constexpr, PLAN: tl.constexpr
):
    """One tile: prologue, main loop over K, epilogue."""
    BLOCK_M: tl.constexpr = PLAN.config.block_m
    BLOCK_N: tl.constexpr = PLAN.config.block_n
    BLOCK_K: tl.constexpr = PLAN.config.block_k
    TMA: tl.constexpr = PLAN.config.tma
    early = PROLOGUE(tile, shape, args, PLAN)
    acc = tl.zeros((BLOCK_M, BLOCK_N), PLAN.acc)
    a, b = operands.a, operands.b
    a_stride, b_stride = operands.a_stride, operands.b_stride
    for k in range(0, PLAN.terms, BLOCK_K):
        left = load(
            a, Tile(tile.row, k), Shape(shape.m, PLAN.terms), a_stride, BLOCK_M, BLOCK_K, TMA
        )
        if PLAN.b_transposed:
            at, of = Tile(tile.column, k), Shape(shape.n, PLAN.terms)
            right = load(b, at, of, b_stride, BLOCK_N, BLOCK_K, TMA).T
        else:
            at, of = Tile(k, tile.column), Shape(PLAN.terms, shape.n)
            right = load(b, at, of, b_stride, BLOCK_K, BLOCK_N, TMA)
        if PLAN.widen:
            left, right = left.to(PLAN.acc), right.to(PLAN.acc)
        acc = tl.dot(left, right, acc, input_precision="ieee", out_dtype=PLAN.acc)
    EPILOGUE(acc, early, tile, shape, args, PLAN)


@triton.jit
def nothing_early(_tile, _shape, _args, _PLAN: tl.constexpr):
    """The prologue of an epilogue that reads nothing but the accumulator."""


@triton.jit
def in_pieces(
    acc, early, tile, shape, args, FINISH: tl.constexpr, PIECES: tl.constexpr, PLAN: tl.constexpr
):
    """Finish a tile in column pieces; returns the sum of what FINISH returns, which may be None."""
    if PIECES > 1:
        left, right = halves(acc)
        HALF: tl.constexpr = acc.shape[1] // 2
        beside = Tile(tile.row, tile.column + HALF)
        total = in_pieces(left, None, tile, shape, args, FINISH, PIECES // 2, PLAN)
        other = in_pieces(right, None, beside, shape, args, FINISH, PIECES // 2, PLAN)
        if total is not None:
            total += other
    else:
        total = FINISH(acc, early, tile, shape, args, PLAN)
    return total


@triton.jit
def load(source, tile, shape, stride, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, TMA: tl.constexpr):
    """A tile of a matrix, zeros beyond it."""
    if TMA:
        values = source.load([tile.row, tile.column])
    else:
        i, j, inside = places(tile, shape, HEIGHT, WIDTH)
        values = tl.load(source + i * stride + j, inside, 0.0)
    return values


@triton.jit
def store(target, value, tile, shape, TMA: tl.constexpr):
    """Round a tile and write it into a matrix without gaps between its rows."""
    if TMA:
        target.store([tile.row, tile.column], value.to(target.dtype))
    else:
        i, j, inside = places(tile, shape, value.shape[0], value.shape[1])
        tl.store(target + i * shape.n + j, value.to(target.dtype.element_ty), inside)


@triton.jit
def places(tile, shape, HEIGHT: tl.constexpr, WIDTH: tl.constexpr):
    """Rows and columns of a tile, and which of its places are inside the matrix."""
    i = tile.row + tl.arange(0, HEIGHT)[:, None]
    j = tile.column + tl.arange(0, WIDTH)[None, :]
    return i.to(tl.int64), j, (i < shape.m) & (j < shape.n)
