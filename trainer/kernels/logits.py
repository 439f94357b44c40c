"""The head's FP8 product with the sums of its softmax: one pass over the logits less.

While a program of the product has a tile of logits in registers, it adds up exp(c) of each row (for
c see `loss`); a short kernel then adds up the sums of all tiles of a row.

Shapes: T tokens, D features, V rows of the output matrix (the vocabulary and its padding).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from trainer.kernels.loss import HALF_CAP, LOG2_E, _centred_tanh, _output
from trainer.kernels.mlp import _corner, _programs

# Of the copy engine, through which tiles travel.
CAPABILITY = (9, 0)
# Tokens whose sums a program adds up, and tiles that it reads at a time.
SUM_TOKENS, SUM_TILES = 32, 64


@dataclass(frozen=True)
class LogitsConfig:
    """How the product is cut up; no field changes a result beyond the order of summation.

    Args:
        block_m: rows of a tile.
        block_n: columns of a tile.
        block_k: terms of a step of the inner loop.
        stages: steps in flight between memory and the tensor cores.
        warps: warps of a program; four make one warpgroup.
        group: rows of tiles that are visited together, column by column.
        pieces: column pieces in which a tile is finished, a power of two: more take less room.
    """

    block_m: int
    block_n: int
    block_k: int
    stages: int
    warps: int
    group: int
    pieces: int


# Measured on an H200 (docs/performance-log.md): one program a multiprocessor takes tile after tile
# and fetches the next one's first steps while it finishes. The weight does not stay in L2, so that
# it comes from memory once for each group of 32 tiles.
HOPPER = LogitsConfig(block_m=128, block_n=256, block_k=128, stages=3, warps=8, group=32, pieces=2)


def fits(device: torch.device) -> bool:
    """Whether `logits_and_loss` runs on `device`: from sm_90, and interpreted on CPUs."""
    return device.type != "cuda" or torch.cuda.get_device_capability(device) >= CAPABILITY


def logits_and_loss(
    x: Tensor, weight: Tensor, targets: Tensor, factor: float, config: LogitsConfig = HOPPER
) -> tuple[Tensor, Tensor, Tensor]:
    """The logits before the cap, z = factor * x @ weight.T, and what `softcapped_loss` makes of z.

    Accumulated as the tensor cores do, in fewer than float32's bits.

    Args:
        x: (T, D) float8_e4m3fn, contiguous, D a multiple of 16.
        weight: (V, D), likewise.
        targets: (T,) int64. A target outside [0, V) makes its loss NaN.
        factor: takes the operands' scales back.
        config: of the product.

    Returns:
        z (T, V) in bfloat16, and losses (T,) and log_sums (T,) in float32, with the GPU's tanh.
    """
    (tokens, terms), columns = x.shape, weight.shape[0]
    z = _output(torch.Size((tokens, columns)), torch.bfloat16, x.device)
    tiles = triton.cdiv(columns, config.block_n)
    sums = torch.empty(tiles, tokens, dtype=torch.float32, device=x.device)
    losses = torch.empty(tokens, dtype=torch.float32, device=x.device)
    log_sums = torch.empty_like(losses)
    on_gpu = x.device.type == "cuda"
    if not on_gpu:
        # Triton's interpreter takes FP8's NaN for a number.
        x, weight = x.float(), weight.float()
    programs = min(triton.cdiv(tokens, config.block_m) * tiles, _programs(x.device))
    _logits_kernel[(programs,)](
        TensorDescriptor.from_tensor(x, [config.block_m, config.block_k]),
        TensorDescriptor.from_tensor(weight, [config.block_n, config.block_k]),
        TensorDescriptor.from_tensor(z, [config.block_m, config.block_n // config.pieces]),
        sums,
        tokens,
        columns,
        factor,
        TERMS=terms,
        APPROXIMATE=on_gpu,
        CONFIG=config,
        num_warps=config.warps,
        num_stages=config.stages,
    )
    _sums_kernel[(triton.cdiv(tokens, SUM_TOKENS),)](
        z,
        targets,
        sums,
        losses,
        log_sums,
        tokens,
        COLUMNS=columns,
        TILES=tiles,
        APPROXIMATE=on_gpu,
        TOKENS=SUM_TOKENS,
        AT_ONCE=SUM_TILES,
    )
    return z.to(torch.bfloat16), losses, log_sums


@triton.jit
def _logits_kernel(
    x,
    weight,
    z,
    sums,
    tokens,
    columns,
    factor,
    TERMS: tl.constexpr,
    APPROXIMATE: tl.constexpr,
    CONFIG: tl.constexpr,
):
    tiles = tl.cdiv(tokens, CONFIG.block_m) * tl.cdiv(columns, CONFIG.block_n)
    # Flattened, it fetches the next tile's first steps while it finishes one.
    for tile in tl.range(tl.program_id(0), tiles, tl.num_programs(0), flatten=True):
        _tile(tile, (x, weight, z, sums), (tokens, columns, TERMS), factor, APPROXIMATE, CONFIG)


@triton.jit
def _tile(tile, operands, shape, factor, APPROXIMATE: tl.constexpr, CONFIG: tl.constexpr):
    M: tl.constexpr = CONFIG.block_m
    N: tl.constexpr = CONFIG.block_n
    x, weight, z, sums = operands
    tokens, columns, terms = shape
    row, column = _corner(tile, tokens, columns, M, N, CONFIG.group)
    product = tl.zeros((M, N), tl.float32)
    for k in range(0, terms, CONFIG.block_k):
        left, right = x.load([row, k]), weight.load([column, k]).T
        product = tl.dot(left, right, product)
    total = _finish(product, z, row, column, columns, factor, APPROXIMATE, CONFIG.pieces)
    rows = row + tl.arange(0, M)
    tl.store(sums + (column // N).to(tl.int64) * tokens + rows, total, mask=rows < tokens)


@triton.jit
def _finish(tile, z, row, column, columns, factor, APPROXIMATE: tl.constexpr, PIECES: tl.constexpr):
    """Write a tile of logits, piece by piece; return the sums of exp(c) of its rows."""
    N: tl.constexpr = tile.shape[1]
    if PIECES > 1:
        pairs = tl.permute(tl.reshape(tile, (tile.shape[0], 2, N // 2)), (0, 2, 1))
        left, right = tl.split(pairs)
        beside = column + N // 2
        total = _finish(left, z, row, column, columns, factor, APPROXIMATE, PIECES // 2)
        total += _finish(right, z, row, beside, columns, factor, APPROXIMATE, PIECES // 2)
    else:
        # Rounded first: the gradient will read the rounded ones.
        rounded = (tile * factor).to(z.dtype)
        z.store([row, column], rounded)
        powers = tl.exp2((HALF_CAP * LOG2_E) * _centred_tanh(rounded, tl.float32, APPROXIMATE))
        if column + N > columns:
            inside = column + tl.arange(0, N) < columns
            powers = tl.where(inside[None, :], powers, 0.0)
        total = tl.sum(powers, 1)
    return total


@triton.jit
def _sums_kernel(
    z,
    targets,
    sums,
    losses,
    log_sums,
    n_tokens,
    COLUMNS: tl.constexpr,
    TILES: tl.constexpr,
    APPROXIMATE: tl.constexpr,
    TOKENS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """Losses of TOKENS tokens."""
    token = tl.program_id(0) * TOKENS + tl.arange(0, TOKENS)
    inside = token < n_tokens
    total = tl.zeros((TOKENS,), tl.float32)
    for first in range(0, TILES, AT_ONCE):
        tile = first + tl.arange(0, AT_ONCE)
        places = tile.to(tl.int64)[:, None] * n_tokens + token[None, :]
        there = (tile < TILES)[:, None] & inside[None, :]
        total += tl.sum(tl.load(sums + places, mask=there, other=0.0), 0)
    log_sum = tl.log(tl.where(inside, total, 1.0))
    target = tl.load(targets + token, mask=inside, other=0)
    known = inside & (target >= 0) & (target < COLUMNS)
    places = token.to(tl.int64) * COLUMNS + target
    logit = tl.load(z + places, mask=known, other=float("nan"))
    tl.store(log_sums + token, log_sum, mask=inside)
    loss = log_sum - HALF_CAP * _centred_tanh(logit, tl.float32, APPROXIMATE)
    tl.store(losses + token, loss, mask=inside)
