"""The product that merges heads, between attention and the residual stream, and its gradient.

On Hopper the stream need not be in memory: the product's epilogue restores it from its norm, which
the projection reads anyway. Attention's gradients need delta = sum(d_out * out) of each query and
head: there, the product that gives d_out has a whole head in each of its tiles, and finds delta in
its epilogue (both in `attention_merge_hopper`). Elsewhere a kernel reads d_out and out once more.

Shapes: T tokens, D features of the stream, H heads, E features of a head.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.attention import Tilings, check, default_tilings
from trainer.kernels.common import HOPPER_FEATURES, LOG2_E, has_gluon
from trainer.kernels.gemm import STEP_BYTES, is_for_gluon
from trainer.kernels.tiles import launch, load_tile


def restores_stream(x: Tensor) -> bool:
    """Whether `merge_` needs nothing but the norm of streams like `x` (T, D), of D features."""
    aligned = not x.shape[1] * x.element_size() % STEP_BYTES
    return has_gluon(x.device) and x.dtype == torch.bfloat16 and aligned


def merge_(
    stream: Tensor, out: Tensor, weight: Tensor, normed: Tensor, rstd: Tensor | None
) -> Tensor:
    """Add out.flatten(1) @ weight.T to the stream.

    Args:
        stream: (T, D), contiguous, updated in place.
        out: what `attend` returned, (T, H, E), contiguous.
        weight: (D, H * E), rows contiguous.
        normed: the stream's norm (T, D).
        rstd: normed / stream of each token (T,), where the stream is to be restored; None where it
            is there.

    Returns:
        `stream`.
    """
    merged = out.flatten(1)
    if rstd is None:
        return stream.addmm_(merged, weight.mT)
    if restores_stream(stream) and is_for_gluon(merged, weight.T):
        # Not everywhere is there a Gluon to import.
        from trainer.kernels.attention_merge_hopper import write_stream  # noqa: PLC0415

        write_stream(merged, weight, normed, rstd, stream)
        return stream
    return stream.copy_(normed / rstd[:, None]).addmm_(merged, weight.mT)


def merge_backward(
    d_merged: Tensor, weight: Tensor, out: Tensor, lse: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradient of what attention returned, and delta.

    Args:
        d_merged: gradient of out.flatten(1) @ weight.T, (T, D).
        weight: (D, H * E), rows contiguous.
        out: what `attend` returned, (T, H, E), contiguous; likewise `lse`.
        lse: (H, T).

    Returns:
        d_out (T, H, E), and what `delta_of` returns.
    """
    fits = out.shape[2] == HOPPER_FEATURES and out.dtype == torch.bfloat16
    if fits and is_for_gluon(d_merged, weight):
        # Not everywhere is there a Gluon to import.
        from trainer.kernels.attention_merge_hopper import write_gradient  # noqa: PLC0415

        d_out, lse_delta = torch.empty_like(out), lse.new_empty(2, *lse.shape)
        write_gradient(d_merged, weight, out, lse, d_out, lse_delta)
        return d_out, lse_delta
    d_out = (d_merged @ weight).view_as(out)
    return d_out, delta_of(d_out, out, lse)


def delta_of(d_out: Tensor, out: Tensor, lse: Tensor, tilings: Tilings | None = None) -> Tensor:
    """What attention's gradients need of each query: the softmax's denominator, and delta.

    Args:
        d_out: gradient of out, (T, H, E) with neighbouring features.
        out: what `attend` returned; likewise `lse`.
        lse: (H, T).
        tilings: of attention's kernels; by default those for the tensors' device and type.

    Returns:
        (2, H, T): the denominators' logarithms to base 2, and sum(d_out * out).

    Raises:
        ValueError: shapes, types or strides do not fit.
    """
    check(d_out, out)
    tiling = (tilings or default_tilings(d_out, out)).queries
    lse_delta = lse.new_empty(2, *lse.shape)
    launch(_delta_kernel, tiling, (d_out, out), (), lse, lse_delta)
    return lse_delta


@triton.jit
def _delta_kernel(d_out, out, lse, lse_delta, PLAN: tl.constexpr):
    """One tile of delta = sum of d_out * out, behind the denominators' logarithms to base 2."""
    head, first = tl.program_id(0), tl.program_id(1) * PLAN.own
    WIDE: tl.constexpr = lse.dtype.element_ty
    d_mixed = load_tile(d_out, 0, first, head, PLAN.own, PLAN).to(WIDE)
    mixed = load_tile(out, 1, first, head, PLAN.own, PLAN).to(WIDE)
    tokens = tl.num_programs(1) * PLAN.own
    at = head * tokens + first + tl.arange(0, PLAN.own)
    tl.store(lse_delta + at, tl.load(lse + at) * LOG2_E)
    tl.store(lse_delta + tl.num_programs(0) * tokens + at, tl.sum(d_mixed * mixed, 1))
