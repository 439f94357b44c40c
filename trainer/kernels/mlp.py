"""The MLP's two wide products with ReLU squared, or its gradient, in their epilogues.

The pre-activation never goes to memory: only h = relu(pre)^2 does, and sqrt(h) is the relu(pre)
that the gradient needs. Both are one kernel, out = epilogue(a @ b), a (M, K), b (K, N).

Shapes: T tokens, D features, F hidden features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

# More than one, so that a persistent program's stride shows under Triton's interpreter.
INTERPRETED_PROGRAMS = 2


@dataclass(frozen=True)
class MatmulConfig:
    """How the product is cut up; no field changes a result beyond the order of summation.

    Args:
        block_m: rows of a tile.
        block_n: columns of a tile.
        block_k: terms of a step of the inner loop.
        stages: steps in flight between memory and the tensor cores.
        warps: warps of a program; four make one warpgroup.
        group: rows of tiles that are visited together, column by column.
        tma: whether tiles travel through the bulk copy engine (sm_90), not by plain loads.
        persistent: whether one program per multiprocessor takes tile after tile.
        pieces: column pieces in which a tile is finished, a power of two: more take less room.
        early: whether a tile of h is asked into registers before the products that it will scale;
            with one piece.
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


# Measured on an H200 (docs/performance-log.md). Up: two warpgroups hold 64 x 256 each; one program
# a multiprocessor takes tile after tile and fetches the next one's first steps while it finishes.
HOPPER_UP = MatmulConfig(block_m=128, block_n=256, block_k=64, stages=3, warps=8)
# Down: its epilogue has a tile to read, which hides behind the products of a second program on the
# same multiprocessor.
HOPPER_DOWN = MatmulConfig(
    block_m=128,
    block_n=128,
    block_k=64,
    stages=3,
    warps=4,
    group=4,
    persistent=False,
    pieces=1,
    early=True,
)

# For other cards and for wider types: 48 KiB in float32, of the 99 that the smallest card since
# sm_80 lets a program have.
PORTABLE = MatmulConfig(
    block_m=128, block_n=64, block_k=32, stages=3, warps=4, tma=False, persistent=False, pieces=1
)


def up_relu_squared(x: Tensor, up: Tensor, config: MatmulConfig | None = None) -> Tensor:
    """relu(x @ up.T)^2, accumulated in float32 and rounded once.

    Args:
        x: (T, D), rows contiguous.
        up: (F, D), rows contiguous.
        config: of the kernel; by default the one for x's device and type.

    Returns:
        h (T, F) in x's type.

    Raises:
        ValueError: shapes or types do not fit.
    """
    return _product(x, up.T, None, config)


def down_backward_relu_squared(
    d_m: Tensor, down: Tensor, h: Tensor, config: MatmulConfig | None = None
) -> Tensor:
    """(d_m @ down) * 2 sqrt(h): the gradient of the pre-activation, where h = relu(pre)^2.

    Args:
        d_m: gradient of the MLP's output (T, D), rows contiguous.
        down: (D, F), with contiguous rows or columns: the tensor cores take either.
        h: (T, F), rows contiguous.
        config: of the kernel; by default the one for d_m's device and type.

    Returns:
        d_pre (T, F) in d_m's type.

    Raises:
        ValueError: shapes or types do not fit.
    """
    return _product(d_m, down, h, config)


def _product(a: Tensor, b: Tensor, h: Tensor | None, config: MatmulConfig | None) -> Tensor:
    """Launch the kernel for a (M, K) and b (K, N)."""
    config = config or default_config(a, b, HOPPER_UP if h is None else HOPPER_DOWN)
    out = a.new_empty(a.shape[0], b.shape[1])
    _check(a, b, out if h is None else h)
    rows, columns = out.shape
    b_turned = b.stride(1) != 1
    stored_b = b.T if b_turned else b
    b_block = (config.block_n, config.block_k) if b_turned else (config.block_k, config.block_n)
    piece = (config.block_m, config.block_n // config.pieces)
    tiles = triton.cdiv(rows, config.block_m) * triton.cdiv(columns, config.block_n)
    _product_kernel[(min(tiles, _programs(a.device)) if config.persistent else tiles,)](
        _operand(a, (config.block_m, config.block_k), config.tma),
        _operand(stored_b, b_block, config.tma),
        None if h is None else _operand(h, piece, config.tma),
        h if config.early else None,
        _operand(out, piece, config.tma),
        rows,
        columns,
        a.stride(0),
        stored_b.stride(0),
        0 if h is None else h.stride(0),
        K=a.shape[1],
        B_TURNED=b_turned,
        # The interpreter keeps bfloat16 as bits; products of two are exact in float32.
        WIDEN=a.device.type == "cpu" and a.dtype == torch.bfloat16,
        ACCUMULATOR=tl.float64 if a.dtype == torch.float64 else tl.float32,
        CONFIG=config,
        num_warps=config.warps,
        num_stages=config.stages,
    )
    return out


def _check(a: Tensor, b: Tensor, like_out: Tensor) -> None:
    shapes = tuple(a.shape), tuple(b.shape), tuple(like_out.shape)
    if a.shape[1] != b.shape[0] or shapes[2] != (a.shape[0], b.shape[1]):
        raise ValueError(f"shapes do not fit: {shapes[0]} @ {shapes[1]} gives no {shapes[2]}")
    if not a.dtype == b.dtype == like_out.dtype:
        raise ValueError(f"types differ: {a.dtype}, {b.dtype}, {like_out.dtype}")
    if a.stride(1) != 1 or like_out.stride(1) != 1 or 1 not in b.stride():
        raise ValueError("the elements of a row are not neighbours in memory")


def default_config(a: Tensor, b: Tensor, on_hopper: MatmulConfig) -> MatmulConfig:
    """Return `on_hopper` for factors (M, K) and (K, N) where it applies, else PORTABLE."""
    hopper = a.device.type == "cuda" and torch.cuda.get_device_capability(a.device) >= (9, 0)
    # The copy engine wants rows that start every so many times 16 bytes: 8 numbers of bfloat16.
    aligned = all(length % 8 == 0 for length in (a.stride(0), max(b.stride()), b.shape[1]))
    return on_hopper if hopper and aligned and a.dtype == torch.bfloat16 else PORTABLE


@lru_cache
def _programs(device: torch.device) -> int:
    if device.type == "cpu":
        return INTERPRETED_PROGRAMS
    return torch.cuda.get_device_properties(device).multi_processor_count


def _operand(tensor: Tensor, block: tuple[int, int], tma: bool) -> Tensor | TensorDescriptor:
    return TensorDescriptor.from_tensor(tensor, list(block)) if tma else tensor


@triton.jit
def _product_kernel(
    a,
    b,
    h,
    h_memory,
    out,
    rows,
    columns,
    a_stride,
    b_stride,
    h_stride,
    K: tl.constexpr,
    B_TURNED: tl.constexpr,
    WIDEN: tl.constexpr,
    ACCUMULATOR: tl.constexpr,
    CONFIG: tl.constexpr,
):
    first, step = tl.program_id(0), tl.num_programs(0)
    tiles = tl.cdiv(rows, CONFIG.block_m) * tl.cdiv(columns, CONFIG.block_n)
    factors = (a, b, a_stride, b_stride)
    ends = (h, h_memory, out, h_stride)
    shape = (rows, columns, K)
    # One tile without a loop: then what it stores may take the room of its factors.
    if not CONFIG.persistent:
        _tile(first, factors, ends, shape, B_TURNED, WIDEN, ACCUMULATOR, CONFIG)
    else:
        # Flattened, it fetches the next tile's first steps while it finishes one.
        for tile in tl.range(first, tiles, step, flatten=True):
            _tile(tile, factors, ends, shape, B_TURNED, WIDEN, ACCUMULATOR, CONFIG)


@triton.jit
def _tile(
    tile,
    factors,
    ends,
    shape,
    B_TURNED: tl.constexpr,
    WIDEN: tl.constexpr,
    ACCUMULATOR: tl.constexpr,
    CONFIG: tl.constexpr,
):
    M: tl.constexpr = CONFIG.block_m
    N: tl.constexpr = CONFIG.block_n
    STEP: tl.constexpr = CONFIG.block_k
    a, b, a_stride, b_stride = factors
    h, h_memory, out, h_stride = ends
    rows, columns, terms = shape
    row, column = _corner(tile, rows, columns, M, N, CONFIG.group)
    at, of = (row, column), (rows, columns)
    early = None
    if h_memory is not None:
        # Asked for here, waited for in the epilogue; read once, it need not stay in L2.
        i, j, inside = _places(at, of, M, N)
        early = tl.load(h_memory + i * h_stride + j, inside, 0.0, eviction_policy="evict_first")
    product = tl.zeros((M, N), ACCUMULATOR)
    for k in range(0, terms, STEP):
        left = _load(a, (row, k), (rows, terms), a_stride, M, STEP, CONFIG.tma)
        if B_TURNED:
            right = _load(b, (column, k), (columns, terms), b_stride, N, STEP, CONFIG.tma).T
        else:
            right = _load(b, (k, column), (terms, columns), b_stride, STEP, N, CONFIG.tma)
        if WIDEN:
            left, right = left.to(ACCUMULATOR), right.to(ACCUMULATOR)
        product = tl.dot(left, right, product, input_precision="ieee", out_dtype=ACCUMULATOR)
    _finish(product, h, early, out, at, of, h_stride, M, N, CONFIG.pieces, CONFIG.tma)


@triton.jit
def _corner(tile, rows, columns, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, GROUP: tl.constexpr):
    """Place a tile: GROUP rows of tiles are visited column by column."""
    tiles_down, tiles_across = tl.cdiv(rows, HEIGHT), tl.cdiv(columns, WIDTH)
    first = tile // (GROUP * tiles_across) * GROUP
    height = min(tiles_down - first, GROUP)
    within = tile % (GROUP * tiles_across)
    return (first + within % height) * HEIGHT, (within // height) * WIDTH


@triton.jit
def _finish(
    product,
    h,
    early,
    out,
    at,
    shape,
    h_stride,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    PIECES: tl.constexpr,
    TMA: tl.constexpr,
):
    """Apply the epilogue to a tile of products, half by half where PIECES is above 1."""
    if PIECES > 1:
        HALF: tl.constexpr = WIDTH // 2
        halves = tl.permute(tl.reshape(product, (HEIGHT, 2, HALF)), (0, 2, 1))
        left, right = tl.split(halves)
        beside = (at[0], at[1] + HALF)
        _finish(left, h, None, out, at, shape, h_stride, HEIGHT, HALF, PIECES // 2, TMA)
        _finish(right, h, None, out, beside, shape, h_stride, HEIGHT, HALF, PIECES // 2, TMA)
    else:
        if h is None:
            # A NaN must stay one, for the run to stop at it.
            positive = tl.maximum(product, 0.0, propagate_nan=tl.PropagateNan.ALL)
            value = positive * positive
        else:
            if early is None:  # noqa: SIM108 - compiled, only one of the two exists
                squared = _load(h, at, shape, h_stride, HEIGHT, WIDTH, TMA)
            else:
                squared = early
            value = product * 2 * tl.sqrt(squared.to(product.dtype))
        _store(out, value, at, shape, HEIGHT, WIDTH, TMA)


@triton.jit
def _load(source, at, shape, stride, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, TMA: tl.constexpr):
    if TMA:
        values = source.load([at[0], at[1]])
    else:
        i, j, inside = _places(at, shape, HEIGHT, WIDTH)
        values = tl.load(source + i * stride + j, inside, 0.0)
    return values


@triton.jit
def _store(target, value, at, shape, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, TMA: tl.constexpr):
    if TMA:
        target.store([at[0], at[1]], value.to(target.dtype))
    else:
        i, j, inside = _places(at, shape, HEIGHT, WIDTH)
        tl.store(target + i * shape[1] + j, value.to(target.dtype.element_ty), inside)


@triton.jit
def _places(at, shape, HEIGHT: tl.constexpr, WIDTH: tl.constexpr):
    """Rows and columns of a tile, and which of its places are inside the matrix."""
    i = at[0] + tl.arange(0, HEIGHT)[:, None]
    j = at[1] + tl.arange(0, WIDTH)[None, :]
    return i.to(tl.int64), j, (i < shape[0]) & (j < shape[1])
