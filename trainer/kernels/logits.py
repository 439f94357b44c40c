"""The head's FP8 product with the sums of its softmax: one pass over the logits less.

While a program of the product has a tile of logits in registers, it adds up exp(c) of each row (for
c see `loss`); a short kernel then adds up the sums of all tiles of a row. On Hopper the product is
that of `logits_hopper`.

Shapes: T tokens, D features, V rows of the output matrix (the vocabulary and its padding).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.common import LOG2_E, is_hopper, room_for
from trainer.kernels.gemm import (
    GemmConfig,
    Operands,
    Shape,
    grid,
    in_pieces,
    is_for_gluon,
    matmul,
    nothing_early,
    operand,
    operands_of,
    plan_of,
)
from trainer.kernels.loss import HALF_CAP, centred_tanh

# Tokens whose sums a program adds up, and tiles that it reads at a time.
SUM_TOKENS, SUM_TILES = 32, 64

# Features of a token, of one byte each, that a program of `logits_hopper` keeps in shared memory.
MOST_TERMS = 768

# Measured on an H200 (docs/performance-log.md): one program a multiprocessor takes tile after tile
# and fetches the next one's first steps while it finishes. The weight does not stay in L2, so that
# it comes from memory once for each group of 32 tiles.
HOPPER = GemmConfig(block_m=128, block_n=256, block_k=128, stages=3, warps=8, group=32)


class LogitsEnds(NamedTuple):
    """What the epilogue takes."""

    z: Any
    sums: Any
    factor: Any
    approximate: Any


def fits(device: torch.device) -> bool:
    """Whether `logits_and_loss` runs on `device`: from sm_90, and interpreted on CPUs."""
    return device.type != "cuda" or is_hopper(device)


def logits_and_loss(
    x: Tensor, weight: Tensor, targets: Tensor, factor: float, config: GemmConfig | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The logits before the cap, z = factor * x @ weight.T, and what `softcapped_loss` makes of z.

    Accumulated as the tensor cores do, in fewer than float32's bits.

    Args:
        x: (T, D) float8_e4m3fn, contiguous, D a multiple of 16.
        weight: (V, D), likewise.
        targets: (T,) int64. A target outside [0, V) makes its loss NaN.
        factor: takes the operands' scales back.
        config: of the product in Triton; by default the kernel for x's device and size.

    Returns:
        z (T, V) in bfloat16, and losses (T,) and log_sums (T,) in float32, with the GPU's tanh.
    """
    z = room_for(torch.Size((len(x), len(weight))), torch.bfloat16, x.device)
    if config is None and is_for_strips(x, weight):
        # Not everywhere is there a Gluon to import.
        from trainer.kernels.logits_hopper import write_logits  # noqa: PLC0415

        sums = write_logits(x, weight, z, factor)
    else:
        sums = _write_logits(x, weight, z, factor, config or HOPPER)
    losses, log_sums = _losses(z, targets, sums)
    return z.to(torch.bfloat16), losses, log_sums


def is_for_strips(x: Tensor, weight: Tensor) -> bool:
    """Whether `logits_hopper` takes the factors: shared memory holds so many steps of tokens."""
    return is_for_gluon(x, weight.T) and x.shape[1] <= MOST_TERMS


def _write_logits(
    x: Tensor, weight: Tensor, z: Tensor, factor: float, config: GemmConfig
) -> Tensor:
    """Fill z; returns the sums of exp(c) of each tile's rows, (tiles, T)."""
    tokens, columns = len(x), len(weight)
    tiles = triton.cdiv(columns, config.block_n)
    sums = torch.empty(tiles, tokens, dtype=torch.float32, device=x.device)
    on_gpu = x.device.type == "cuda"
    if not on_gpu:
        # Triton's interpreter takes FP8's NaN for a number.
        x, weight = x.float(), weight.float()
    _logits_kernel[grid(z, config)](
        *operands_of(x, weight.T, config),
        tokens,
        columns,
        operand(z, (config.block_m, config.block_n // config.pieces), config),
        sums,
        factor,
        APPROXIMATE=on_gpu,
        PLAN=plan_of(x, weight.T, config),
        num_warps=config.warps,
        num_stages=config.stages,
    )
    return sums


def _losses(z: Tensor, targets: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
    """Losses and log_sums (T,) from sums (parts, T)."""
    tokens, columns = z.shape
    losses = torch.empty(tokens, dtype=torch.float32, device=z.device)
    log_sums = torch.empty_like(losses)
    _sums_kernel[(triton.cdiv(tokens, SUM_TOKENS),)](
        z,
        targets,
        sums,
        losses,
        log_sums,
        tokens,
        COLUMNS=columns,
        TILES=len(sums),
        APPROXIMATE=z.device.type == "cuda",
        TOKENS=SUM_TOKENS,
        AT_ONCE=SUM_TILES,
    )
    return losses, log_sums


@triton.jit
def _logits_kernel(
    x,
    weight,
    x_stride,
    weight_stride,
    n_tokens,
    n_columns,
    z,
    sums,
    factor,
    APPROXIMATE: tl.constexpr,
    PLAN: tl.constexpr,
):
    operands = Operands(x, weight, x_stride, weight_stride)
    ends = LogitsEnds(z, sums, factor, APPROXIMATE)
    matmul(operands, Shape(n_tokens, n_columns), ends, nothing_early, _write_and_sum, PLAN)


@triton.jit
def _write_and_sum(acc, early, tile, shape, ends, PLAN: tl.constexpr):
    """Write a tile of logits and the sums of exp(c) of its rows."""
    PIECES: tl.constexpr = PLAN.config.pieces
    total = in_pieces(acc, early, tile, shape, ends, _write_piece, PIECES, PLAN)
    rows = tile.row + tl.arange(0, PLAN.config.block_m)
    own = (tile.column // PLAN.config.block_n).to(tl.int64) * shape.m
    tl.store(ends.sums + own + rows, total, mask=rows < shape.m)


@triton.jit
def _write_piece(acc, _early, tile, shape, ends, _PLAN: tl.constexpr):
    N: tl.constexpr = acc.shape[1]
    # Rounded first: the gradient will read the rounded ones.
    rounded = (acc * ends.factor).to(ends.z.dtype)
    ends.z.store([tile.row, tile.column], rounded)
    powers = tl.exp2((HALF_CAP * LOG2_E) * centred_tanh(rounded, tl.float32, ends.approximate))
    if tile.column + N > shape.n:
        inside = tile.column + tl.arange(0, N) < shape.n
        powers = tl.where(inside[None, :], powers, 0.0)
    return tl.sum(powers, 1)


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
    loss = log_sum - HALF_CAP * centred_tanh(logit, tl.float32, APPROXIMATE)
    tl.store(losses + token, loss, mask=inside)
