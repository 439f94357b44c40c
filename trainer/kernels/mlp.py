"""The MLP's two wide products with ReLU squared, or its gradient, in their epilogues.

The pre-activation never goes to memory: only h = relu(pre)^2 does, and sqrt(h) is the relu(pre)
that the gradient needs. On Hopper `mlp_hopper` and `mlp_backward_hopper` compute the same.

Shapes: T tokens, D features, F hidden features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.common import is_hopper
from trainer.kernels.gemm import (
    GemmConfig,
    Operands,
    Shape,
    grid,
    in_pieces,
    is_for_gluon,
    load,
    matmul,
    nothing_early,
    operand,
    operands_of,
    places,
    plan_of,
    store,
)
from trainer.kernels.residual import norm_backward

# For Hopper under other releases of Triton than Gluon's, and for later cards. Measured on an H200
# (docs/performance-log.md). Up: two warpgroups hold 64 x 256 each; one program
# a multiprocessor takes tile after tile and fetches the next one's first steps while it finishes.
HOPPER_UP = GemmConfig(block_m=128, block_n=256, block_k=64, stages=3, warps=8)
# Down: its epilogue has a tile to read, which hides behind the products of a second program on the
# same multiprocessor.
HOPPER_DOWN = GemmConfig(
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
PORTABLE = GemmConfig(
    block_m=128, block_n=64, block_k=32, stages=3, warps=4, tma=False, persistent=False, pieces=1
)


class UpEnds(NamedTuple):
    """What the epilogue of the first product takes."""

    out: Any


class DownEnds(NamedTuple):
    """What the epilogue of the gradient takes: h by tiles, and by pointers where it is early."""

    out: Any
    h: Any
    h_pointer: Any
    h_stride: Any


def up_relu_squared(x: Tensor, up: Tensor, config: GemmConfig | None = None) -> Tensor:
    """relu(x @ up.T)^2, accumulated in float32 and rounded once.

    Args:
        x: (T, D), rows contiguous.
        up: (F, D), rows contiguous.
        config: of the kernel in Triton; by default the kernel for x's device and type.

    Returns:
        h (T, F) in x's type.

    Raises:
        ValueError: shapes or types do not fit.
    """
    out = x.new_empty(x.shape[0], up.shape[0])
    _check(x, up.T, out)
    if config is None and _is_for_gluon(x, up.T):
        # Not everywhere is there a Gluon to import.
        from trainer.kernels.mlp_hopper import write_h  # noqa: PLC0415

        write_h(x, up, out)
        return out
    config = config or default_config(x, up.T, HOPPER_UP)
    piece = (config.block_m, config.block_n // config.pieces)
    _up_kernel[grid(out, config)](
        *operands_of(x, up.T, config),
        *out.shape,
        operand(out, piece, config),
        PLAN=plan_of(x, up.T, config),
        num_warps=config.warps,
        num_stages=config.stages,
    )
    return out


def down_backward_relu_squared(
    d_m: Tensor, down: Tensor, h: Tensor, config: GemmConfig | None = None
) -> Tensor:
    """(d_m @ down) * 2 sqrt(h): the gradient of the pre-activation, where h = relu(pre)^2.

    Args:
        d_m: gradient of the MLP's output (T, D), rows contiguous.
        down: (D, F), with contiguous rows or columns: the tensor cores take either.
        h: (T, F), rows contiguous.
        config: of the kernel in Triton; by default the kernel for d_m's device and type.

    Returns:
        d_pre (T, F) in d_m's type.

    Raises:
        ValueError: shapes or types do not fit.
    """
    out = d_m.new_empty(d_m.shape[0], down.shape[1])
    _check(d_m, down, h)
    if config is None and _is_for_gluon(d_m, down):
        from trainer.kernels.mlp_backward_hopper import write_d_pre  # noqa: PLC0415

        write_d_pre(d_m, down, h, out)
        return out
    config = config or default_config(d_m, down, HOPPER_DOWN)
    piece = (config.block_m, config.block_n // config.pieces)
    _down_kernel[grid(out, config)](
        *operands_of(d_m, down, config),
        *out.shape,
        operand(out, piece, config),
        operand(h, piece, config),
        h if config.early else None,
        h.stride(0),
        PLAN=plan_of(d_m, down, config),
        num_warps=config.warps,
        num_stages=config.stages,
    )
    return out


def normed_mlp_backward(
    d_out: Tensor, down: Tensor, h: Tensor, up: Tensor, normed: Tensor, rstd: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of the pre-activation and of a stream to which the MLP of its norm was added.

    Args:
        d_out: gradient of the stream with the MLP's output, (T, D), contiguous.
        down: as in `down_backward_relu_squared`; likewise `h`.
        h: (T, F).
        up: (F, D), rows contiguous.
        normed: the stream's norm (T, D), as `residual.norm` returned it; likewise `rstd`.
        rstd: (T,).

    Returns:
        d_pre (T, F) and d_stream (T, D): what `down_backward_relu_squared` and, from
        d_normed = d_pre @ up, `residual.norm_backward` return.

    Raises:
        ValueError: shapes or types do not fit.
    """
    if _is_for_gluon(d_out, down) and _is_for_gluon(h, up):
        # Not everywhere is there a Gluon to import.
        from trainer.kernels import mlp_backward_hopper as hopper  # noqa: PLC0415

        _check(d_out, down, h)
        d_pre, d_stream = torch.empty_like(h), torch.empty_like(d_out)
        sums = hopper.write_d_pre(d_out, down, h, d_pre)
        hopper.write_d_stream(d_pre, up, d_out, normed, rstd, sums, d_stream)
        return d_pre, d_stream
    d_pre = down_backward_relu_squared(d_out, down, h)
    return d_pre, norm_backward(d_out, d_pre @ up, normed, rstd)


def _check(a: Tensor, b: Tensor, like_out: Tensor) -> None:
    shapes = tuple(a.shape), tuple(b.shape), tuple(like_out.shape)
    if a.shape[1] != b.shape[0] or shapes[2] != (a.shape[0], b.shape[1]):
        raise ValueError(f"shapes do not fit: {shapes[0]} @ {shapes[1]} gives no {shapes[2]}")
    if not a.dtype == b.dtype == like_out.dtype:
        raise ValueError(f"types differ: {a.dtype}, {b.dtype}, {like_out.dtype}")
    if a.stride(1) != 1 or like_out.stride(1) != 1 or 1 not in b.stride():
        raise ValueError("the elements of a row are not neighbours in memory")


def _is_for_gluon(a: Tensor, b: Tensor) -> bool:
    return a.dtype == torch.bfloat16 and is_for_gluon(a, b)


def default_config(a: Tensor, b: Tensor, on_hopper: GemmConfig) -> GemmConfig:
    """Return `on_hopper` for factors (M, K) and (K, N) where it applies, else PORTABLE."""
    # The copy engine wants rows that start every so many times 16 bytes: 8 numbers of bfloat16.
    aligned = all(length % 8 == 0 for length in (a.stride(0), max(b.stride()), b.shape[1]))
    fits = is_hopper(a.device) and aligned and a.dtype == torch.bfloat16
    return on_hopper if fits else PORTABLE


@triton.jit
def _up_kernel(a, b, a_stride, b_stride, m, n, out, PLAN: tl.constexpr):
    """Write relu(a @ b)^2."""
    operands = Operands(a, b, a_stride, b_stride)
    matmul(operands, Shape(m, n), UpEnds(out), nothing_early, _square_positive, PLAN)


@triton.jit
def _down_kernel(a, b, a_stride, b_stride, m, n, out, h, h_pointer, h_stride, PLAN: tl.constexpr):
    """Write (a @ b) * 2 sqrt(h)."""
    operands = Operands(a, b, a_stride, b_stride)
    ends = DownEnds(out, h, h_pointer, h_stride)
    matmul(operands, Shape(m, n), ends, _ask_for_h, _scale_by_root, PLAN)


@triton.jit
def _square_positive(acc, early, tile, shape, ends, PLAN: tl.constexpr):
    in_pieces(acc, early, tile, shape, ends, _square_piece, PLAN.config.pieces, PLAN)


@triton.jit
def _square_piece(acc, _early, tile, shape, ends, PLAN: tl.constexpr):
    # A NaN must stay one, for the run to stop at it.
    positive = tl.maximum(acc, 0.0, propagate_nan=tl.PropagateNan.ALL)
    store(ends.out, positive * positive, tile, shape, PLAN.config.tma)


@triton.jit
def _ask_for_h(tile, shape, ends, PLAN: tl.constexpr):
    early = None
    if ends.h_pointer is not None:
        # Waited for in the epilogue; read once, it need not stay in L2.
        i, j, inside = places(tile, shape, PLAN.config.block_m, PLAN.config.block_n)
        early = tl.load(
            ends.h_pointer + i * ends.h_stride + j, inside, 0.0, eviction_policy="evict_first"
        )
    return early


@triton.jit
def _scale_by_root(acc, early, tile, shape, ends, PLAN: tl.constexpr):
    in_pieces(acc, early, tile, shape, ends, _scale_piece, PLAN.config.pieces, PLAN)


@triton.jit
def _scale_piece(acc, early, tile, shape, ends, PLAN: tl.constexpr):
    TMA: tl.constexpr = PLAN.config.tma
    if early is None:
        h = load(ends.h, tile, shape, ends.h_stride, acc.shape[0], acc.shape[1], TMA)
    else:
        h = early
    store(ends.out, acc * 2 * tl.sqrt(h.to(acc.dtype)), tile, shape, TMA)
