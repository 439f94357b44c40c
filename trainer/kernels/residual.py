"""The residual stream between the matrix products: sums, skips and RMS norms, one pass each.

Shapes: T tokens, D features. A program takes one row (D,) at a time, padded to a power of two;
where it sums over rows, it goes on with the row PROGRAMS further down.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.common import require_contiguous, wide_dtype

# A sum over tokens is one partial a program, so this fixes the order of adding on every card.
# Chosen for an H200, 12 for each of its 132 multiprocessors: all are resident at once, since
# compiled for sm_90 the largest kernel takes 168 registers a thread, which lets 12 in.
PROGRAMS = 1584
# Chosen for D = 768: three loads of 16 bytes a thread, and sums over a row without a barrier.
WARPS = 1


class MixNorm(NamedTuple):
    """What a block starts from: (T, D), its norm (T, D) and the factor between them (T,)."""

    mixed: Tensor
    normed: Tensor
    rstd: Tensor


class MixNormGradients(NamedTuple):
    """Gradients of the inputs of `mix_norm`; None where there was no such input of its own."""

    d_stream: Tensor | None
    d_x0: Tensor
    d_skip: Tensor | None
    d_mix: Tensor
    d_weight: Tensor | None


def launch_by_rows(
    kernel: Any,
    rows: int,
    width: int,
    *arguments: Tensor | float | None,
    programs: int | None = None,
) -> None:
    """Run a kernel whose programs share `rows` rows of `width` features; one for each unless told.

    Without partial sums nothing is gained by going on with another row.
    """
    kernel[(rows if programs is None else min(rows, programs),)](
        *arguments, rows, WIDTH=width, BLOCK=triton.next_power_of_2(width), num_warps=WARPS
    )


def mix_norm(
    x: Tensor,
    x0: Tensor,
    mix: Tensor,
    skip: Tensor | None,
    weight: Tensor | None,
    eps: float,
    *,
    write: bool = True,
) -> MixNorm:
    """Open a block: skip, mix with x0, normalise.

    y = x + weight * skip; mixed = mix[0] * y + mix[1] * x0;
    rstd = 1 / sqrt(mean(mixed^2) + eps); normed = mixed * rstd.

    Args:
        x: (T, D), contiguous as all of this shape.
        x0: (T, D).
        mix: (2,) float32.
        skip: (T, D), or None with a weight: `x` itself is the skip.
        weight: one float32 number; None where the block has no skip.
        eps: of the norm.
        write: whether to write mixed, not only to make room for it: it is normed / rstd.

    Returns:
        mixed and normed in the dtype of `x`, rstd in float32 (float64 for float64).

    Raises:
        ValueError: a tensor is not contiguous, or a skip comes without a weight.
    """
    require_contiguous(x, x0, mix, skip)
    if skip is not None and weight is None:
        raise ValueError("a skip needs its weight")
    rows, width = x.shape
    mixed, normed = torch.empty_like(x), torch.empty_like(x)
    rstd = x.new_empty(rows, dtype=wide_dtype(x))
    target = mixed if write else None
    launch_by_rows(_mix_norm, rows, width, x, x0, mix, skip, weight, target, normed, rstd, eps)
    return MixNorm(mixed, normed, rstd)


def mix_norm_backward(
    d_x: Tensor | None,
    d_mixed: Tensor | None,
    d_normed: Tensor,
    rstd: Tensor,
    x: Tensor,
    x0: Tensor,
    mix: Tensor,
    skip: Tensor | None,
    weight: Tensor | None,
    d_x0: Tensor | None,
) -> MixNormGradients:
    """Gradients of `mix_norm` from those of mixed (None: zero) and normed.

    d_total = d_mixed + rstd * (d_normed - normed * mean(d_normed * normed));
    d_y = mix[0] * d_total; d_stream = d_y + d_x, where d_x is what reaches x by other ways;
    d_skip = weight * d_y, a part of d_stream where x itself is the skip;
    d_mix = [sum(d_total * y), sum(d_total * x0)]; d_weight = sum(d_y * skip).

    Args:
        d_x: (T, D) or None.
        d_mixed: (T, D) or None.
        d_normed: (T, D).
        rstd: (T,), as `mix_norm` returned it.
        x: as `mix_norm` took it; likewise the rest.
        x0: (T, D); where it is `x` itself, both have one gradient, d_x0.
        mix: (2,).
        skip: (T, D) or None.
        weight: one number or None.
        d_x0: (T, D), updated in place: mix[1] * d_total is added. None: zero.

    Returns:
        Gradients of the rows in the dtype of `d_normed`, of the scalars in that of `rstd`: mix
        (2,), weight 0-dim.

    Raises:
        ValueError: a tensor is not contiguous.
    """
    require_contiguous(d_x, d_mixed, d_normed, x, x0, mix, skip, d_x0)
    rows, width = d_normed.shape
    d_stream = None if x0.data_ptr() == x.data_ptr() else torch.empty_like(d_normed)
    d_x0_before, d_x0 = d_x0, torch.empty_like(d_normed) if d_x0 is None else d_x0
    d_skip = None if skip is None else torch.empty_like(d_normed)
    partials = rstd.new_empty(min(rows, PROGRAMS), 3)
    launch_by_rows(
        _mix_norm_backward,
        rows,
        width,
        d_x,
        d_mixed,
        d_normed,
        rstd,
        x,
        x0,
        mix,
        skip,
        weight,
        d_x0_before,
        d_x0,
        d_stream,
        d_skip,
        partials,
        programs=PROGRAMS,
    )
    sums = partials.sum(0)
    return MixNormGradients(d_stream, d_x0, d_skip, sums[:2], None if weight is None else sums[2])


def norm(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """RMS norm with `eps` of the rows of `x` (T, D), contiguous.

    Returns:
        normed in the dtype of `x`, and rstd (T,) in float32 (float64 for float64).

    Raises:
        ValueError: `x` is not contiguous.
    """
    require_contiguous(x)
    rows, width = x.shape
    normed, rstd = torch.empty_like(x), x.new_empty(rows, dtype=wide_dtype(x))
    launch_by_rows(_norm, rows, width, x, normed, rstd, eps)
    return normed, rstd


def norm_backward(d_x: Tensor | None, d_normed: Tensor, normed: Tensor, rstd: Tensor) -> Tensor:
    """Gradient (T, D) of `x` from that of its norm and what reaches it by other ways (None: zero).

    d_x + rstd * (d_normed - normed * mean(d_normed * normed)), in the dtype of `d_normed`.

    Raises:
        ValueError: a tensor is not contiguous.
    """
    require_contiguous(d_x, d_normed, normed)
    rows, width = d_normed.shape
    total = torch.empty_like(d_normed)
    launch_by_rows(_norm_backward, rows, width, d_x, d_normed, normed, rstd, total)
    return total


@triton.jit
def store_normed(values, normed_ptr, rstd_ptr, eps, row, columns, WIDTH: tl.constexpr):
    """Write the RMS norm of one row, whose padding is 0, and its 1 / RMS."""
    scale = tl.rsqrt(tl.sum(values * values, 0) / WIDTH + eps)
    tl.store(normed_ptr + row * WIDTH + columns, values * scale, mask=columns < WIDTH)
    tl.store(rstd_ptr + row, scale)


@triton.jit
def _norm_gradient(d_normed, normed, rstd, WIDTH: tl.constexpr):
    """Of a row before its RMS norm: without the part along the row, times 1 / RMS."""
    return rstd * (d_normed - normed * (tl.sum(d_normed * normed, 0) / WIDTH))


@triton.jit
def _load_if_any(ptr, at, inside):
    """Values as they lie in memory; zeros where there is none."""
    if ptr is None:
        values = tl.zeros(at.shape, tl.float32)
    else:
        values = tl.load(ptr + at, mask=inside, other=0)
    return values


# Rows of a matrix of scalars differ in alignment; one binary is to serve them all.
@triton.jit(do_not_specialize_on_alignment=["mix_ptr", "weight_ptr"])
def _mix_norm(
    x_ptr,
    x0_ptr,
    mix_ptr,
    skip_ptr,
    weight_ptr,
    mixed_ptr,
    normed_ptr,
    rstd_ptr,
    eps,
    _n_rows,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    WIDE: tl.constexpr = rstd_ptr.dtype.element_ty
    columns = tl.arange(0, BLOCK)
    inside = columns < WIDTH
    mix_y = tl.load(mix_ptr).to(WIDE)
    mix_x0 = tl.load(mix_ptr + 1).to(WIDE)
    row = tl.program_id(0).to(tl.int64)
    at = row * WIDTH + columns
    y = tl.load(x_ptr + at, mask=inside, other=0).to(WIDE)
    x0 = tl.load(x0_ptr + at, mask=inside, other=0).to(WIDE)
    if weight_ptr is not None:
        added = y
        if skip_ptr is not None:
            added = tl.load(skip_ptr + at, mask=inside, other=0).to(WIDE)
        y += tl.load(weight_ptr).to(WIDE) * added
    mixed = mix_y * y + mix_x0 * x0
    if mixed_ptr is not None:
        tl.store(mixed_ptr + at, mixed, mask=inside)
    store_normed(mixed, normed_ptr, rstd_ptr, eps, row, columns, WIDTH)


@triton.jit(do_not_specialize_on_alignment=["mix_ptr", "weight_ptr"])
def _mix_norm_backward(
    d_x_ptr,
    d_mixed_ptr,
    d_normed_ptr,
    rstd_ptr,
    x_ptr,
    x0_ptr,
    mix_ptr,
    skip_ptr,
    weight_ptr,
    d_x0_before_ptr,
    d_x0_ptr,
    d_stream_ptr,
    d_skip_ptr,
    partials_ptr,
    n_rows,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    WIDE: tl.constexpr = rstd_ptr.dtype.element_ty
    columns = tl.arange(0, BLOCK)
    inside = columns < WIDTH
    mix_y = tl.load(mix_ptr).to(WIDE)
    mix_x0 = tl.load(mix_ptr + 1).to(WIDE)
    d_mix_y = tl.full((), 0, WIDE)
    d_mix_x0 = tl.full((), 0, WIDE)
    d_weight = tl.full((), 0, WIDE)
    row = tl.program_id(0).to(tl.int64)
    while row < n_rows:
        at = row * WIDTH + columns
        d_normed = tl.load(d_normed_ptr + at, mask=inside, other=0).to(WIDE)
        y = tl.load(x_ptr + at, mask=inside, other=0).to(WIDE)
        x0 = tl.load(x0_ptr + at, mask=inside, other=0).to(WIDE)
        # Asked for before the sum over the row, which loads are not moved across.
        d_x0_before = _load_if_any(d_x0_before_ptr, at, inside)
        d_mixed = _load_if_any(d_mixed_ptr, at, inside)
        d_x = _load_if_any(d_x_ptr, at, inside)
        added = y
        if weight_ptr is not None:
            weight = tl.load(weight_ptr).to(WIDE)
            if skip_ptr is not None:
                added = tl.load(skip_ptr + at, mask=inside, other=0).to(WIDE)
            y += weight * added
        # The norm is made again: what it is made of is needed anyway.
        rstd = tl.load(rstd_ptr + row)
        d_total = _norm_gradient(d_normed, (mix_y * y + mix_x0 * x0) * rstd, rstd, WIDTH)
        d_total += d_mixed.to(WIDE)
        d_y = mix_y * d_total
        d_stream = d_y + d_x.to(WIDE)
        if weight_ptr is not None:
            if skip_ptr is not None:
                tl.store(d_skip_ptr + at, weight * d_y, mask=inside)
            else:
                d_stream += weight * d_y
            d_weight += tl.sum(d_y * added, 0)
        d_mix_y += tl.sum(d_total * y, 0)
        d_mix_x0 += tl.sum(d_total * x0, 0)
        d_x0 = d_x0_before.to(WIDE) + mix_x0 * d_total
        if d_stream_ptr is None:
            d_x0 += d_stream
        else:
            tl.store(d_stream_ptr + at, d_stream, mask=inside)
        tl.store(d_x0_ptr + at, d_x0, mask=inside)
        row += tl.num_programs(0)
    own_ptr = partials_ptr + tl.program_id(0) * 3
    tl.store(own_ptr, d_mix_y)
    tl.store(own_ptr + 1, d_mix_x0)
    tl.store(own_ptr + 2, d_weight)


@triton.jit
def _norm(x_ptr, normed_ptr, rstd_ptr, eps, _n_rows, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    WIDE: tl.constexpr = rstd_ptr.dtype.element_ty
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0).to(tl.int64)
    x = tl.load(x_ptr + row * WIDTH + columns, mask=columns < WIDTH, other=0).to(WIDE)
    store_normed(x, normed_ptr, rstd_ptr, eps, row, columns, WIDTH)


@triton.jit
def _norm_backward(
    d_x_ptr,
    d_normed_ptr,
    normed_ptr,
    rstd_ptr,
    total_ptr,
    _n_rows,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    WIDE: tl.constexpr = rstd_ptr.dtype.element_ty
    columns = tl.arange(0, BLOCK)
    inside = columns < WIDTH
    row = tl.program_id(0).to(tl.int64)
    at = row * WIDTH + columns
    d_normed = tl.load(d_normed_ptr + at, mask=inside, other=0).to(WIDE)
    normed = tl.load(normed_ptr + at, mask=inside, other=0).to(WIDE)
    total = _norm_gradient(d_normed, normed, tl.load(rstd_ptr + row), WIDTH)
    if d_x_ptr is not None:
        total += tl.load(d_x_ptr + at, mask=inside, other=0).to(WIDE)
    tl.store(total_ptr + at, total, mask=inside)
