"""Kernels of the output head: softcapped cross-entropy, its gradient, FP8 operands.

Shapes: T tokens, V rows of the output matrix (the vocabulary and its padding).

The softcap 30 * sigmoid(z / 7.5) equals 15 + 15 * tanh(z / 15), and a softmax ignores the
constant. The kernels use the centred logits c = 15 * tanh(z / 15): they lie within +-15, so that
exp(c) summed over V needs no running maximum, and one special function gives them.

FP8 matrix products on Hopper read both operands along the summed axis. A matrix that serves in
two products is therefore written in both layouts, while its tile is in registers.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.common import LOG2_E, accumulator, require_contiguous, room_for, wide_dtype

HALF_CAP = tl.constexpr(15.0)

# Largest finite values: FP8 has no infinity worth keeping (e5m2), or none at all (e4m3).
E5M2_MAX = 57344.0
E4M3_MAX = tl.constexpr(448.0)

# Columns that a program of the loss reads at a time: two 16-byte loads a thread. More of them
# would waste more work beyond the last column: 25 * 2048 exceed 50,304 by 1.8 %.
LOSS_BLOCK = 2048
LOSS_WARPS = 4
# A tile fills at least 64 bytes of a row in either layout, with 64 values a thread; tiles below one
# another follow in time, so that kilobytes of a transposed row meet in L2. Measured on an H200.
TILE = {"ROWS": 256, "COLUMNS": 64, "GROUP": 4}
TILE_WARPS = 8


def softcapped_loss(
    z: Tensor, targets: Tensor, *, approximate: bool = False
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of 30 * sigmoid(z / 7.5), in one pass over z.

    Args:
        z: (T, V) logits before the cap, contiguous.
        targets: (T,) int64. A target outside [0, V) makes its loss NaN.
        approximate: use the GPU's tanh, whose relative error is 2**-11; only for a bfloat16 z,
            whose own rounding is four times that.

    Returns:
        losses (T,) in nats, and log_sums (T,): the logarithm of sum(exp(c)) over a row, which is
        logsumexp(logits) - 15. float64 for a float64 z, else float32.

    Raises:
        ValueError: z is not contiguous.
    """
    require_contiguous(z)
    tokens, columns = z.shape
    log_sums = z.new_empty(tokens, dtype=wide_dtype(z))
    losses = torch.empty_like(log_sums)
    _loss_kernel[(tokens,)](
        z,
        targets,
        losses,
        log_sums,
        COLUMNS=columns,
        BLOCK=LOSS_BLOCK,
        ACCUMULATOR=accumulator(z),
        APPROXIMATE=_approximates(z, approximate),
        num_warps=LOSS_WARPS,
    )
    return losses, log_sums


def softcapped_gradient(
    z: Tensor, targets: Tensor, log_sums: Tensor, *, approximate: bool = False
) -> Tensor:
    """Gradient of the sum of the losses with respect to z, (T, V) in the type of z.

    (softmax(c) - onehot) * (1 - tanh(z / 15)**2), rounded once; arguments as `softcapped_loss`
    takes and returns them, with the same `approximate`.
    """
    gradient = room_for(z.shape, z.dtype, z.device)
    _launch_gradient(z, targets, log_sums, gradient, None, 1.0, approximate)
    return gradient.to(z.dtype)


def quantised_gradient(
    z: Tensor, targets: Tensor, log_sums: Tensor, scale: float, *, approximate: bool = False
) -> tuple[Tensor, Tensor]:
    """The gradient of `softcapped_gradient` times `scale` in float8_e5m2, and its transpose.

    Returns:
        (T, V) and (V, T), both contiguous.

    Raises:
        ValueError: `scale` exceeds 57344, e5m2's largest value. Both factors of the gradient are
            at most 1 in size, so up to there nothing can overflow and nothing needs clamping.
    """
    if abs(scale) > E5M2_MAX:
        raise ValueError(f"scale {scale:g} exceeds {E5M2_MAX:g}, the largest value of e5m2")
    gradient = room_for(z.shape, torch.float8_e5m2, z.device)
    transposed = room_for(z.shape[::-1], torch.float8_e5m2, z.device)
    _launch_gradient(z, targets, log_sums, gradient, transposed, scale, approximate)
    return gradient.to(torch.float8_e5m2), transposed.to(torch.float8_e5m2)


def quantise(matrix: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """`matrix` (rows, columns), contiguous, times `scale` in float8_e4m3fn, and its transpose.

    Values beyond +-448 become +-448; NaN stays NaN.

    Returns:
        (rows, columns) and (columns, rows), both contiguous.

    Raises:
        ValueError: `matrix` is not contiguous.
    """
    require_contiguous(matrix)
    quantised = room_for(matrix.shape, torch.float8_e4m3fn, matrix.device)
    transposed = room_for(matrix.shape[::-1], torch.float8_e4m3fn, matrix.device)
    _quantise_kernel[_tiles(matrix)](
        matrix,
        quantised,
        transposed,
        *matrix.shape,
        scale,
        **TILE,
        PACKED=quantised.is_cuda,
        num_warps=TILE_WARPS,
    )
    return quantised.to(torch.float8_e4m3fn), transposed.to(torch.float8_e4m3fn)


def _launch_gradient(
    z: Tensor,
    targets: Tensor,
    log_sums: Tensor,
    gradient: Tensor,
    transposed: Tensor | None,
    scale: float,
    approximate: bool,
) -> None:
    require_contiguous(z)
    _gradient_kernel[_tiles(z)](
        z,
        targets,
        log_sums,
        gradient,
        transposed,
        *z.shape,
        scale,
        **TILE,
        ACCUMULATOR=accumulator(z),
        APPROXIMATE=_approximates(z, approximate),
        PACKED=transposed is not None and transposed.is_cuda,
        num_warps=TILE_WARPS,
    )


def _approximates(z: Tensor, wanted: bool) -> bool:
    return wanted and z.is_cuda and z.dtype == torch.bfloat16


def _tiles(matrix: Tensor) -> tuple[int, int]:
    rows, columns = matrix.shape
    return triton.cdiv(columns, TILE["COLUMNS"]), triton.cdiv(rows, TILE["ROWS"])


# Two bfloat16 in a register are widened, divided by 15 and sent through the GPU's own tanh.
# Widening them here has a second reason: around a conversion that it knows, Triton 3.6 would do
# the whole gradient twice, in the layout of either store, to exchange z instead of the result.
TANH_OF_TWO = tl.constexpr("""{
    .reg .b32 low, high;
    shl.b32 low, $2, 16;
    and.b32 high, $2, 0xffff0000;
    mul.f32 low, low, 0f3D888889;
    mul.f32 high, high, 0f3D888889;
    tanh.approx.f32 $0, low;
    tanh.approx.f32 $1, high;
}""")


@triton.jit
def centred_tanh(z, ACCUMULATOR: tl.constexpr, APPROXIMATE: tl.constexpr):
    """tanh(z / 15)."""
    if APPROXIMATE:
        t = tl.inline_asm_elementwise(
            TANH_OF_TWO, "=f,=f,r", [z], dtype=tl.float32, is_pure=True, pack=2
        )
    else:
        t = 1 - 2 / (1 + tl.exp2(z.to(ACCUMULATOR) * (2 * LOG2_E / HALF_CAP)))
    return t


@triton.jit
def _loss_kernel(
    z_ptr,
    targets_ptr,
    losses_ptr,
    log_sums_ptr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
    ACCUMULATOR: tl.constexpr,
    APPROXIMATE: tl.constexpr,
):
    """One row of z a program."""
    row = tl.program_id(0)
    z_row = z_ptr + row.to(tl.int64) * COLUMNS
    sums = tl.zeros((BLOCK,), ACCUMULATOR)
    for start in range(0, COLUMNS, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        inside = columns < COLUMNS
        z = tl.load(z_row + columns, mask=inside, other=0)
        powers = tl.exp2((HALF_CAP * LOG2_E) * centred_tanh(z, ACCUMULATOR, APPROXIMATE))
        sums += tl.where(inside, powers, 0)
    log_sum = tl.log(tl.sum(sums))
    target = tl.load(targets_ptr + row)
    known = (target >= 0) & (target < COLUMNS)
    z = tl.load(z_row + target, mask=known, other=float("nan"))
    tl.store(log_sums_ptr + row, log_sum)
    tl.store(losses_ptr + row, log_sum - HALF_CAP * centred_tanh(z, ACCUMULATOR, APPROXIMATE))


@triton.jit
def _tile(ROWS: tl.constexpr, COLUMNS: tl.constexpr, GROUP: tl.constexpr):
    """First row and column of this program's tile; GROUP tiles of a column come in turn."""
    row, column = tl.swizzle2d(
        tl.program_id(1), tl.program_id(0), tl.num_programs(1), tl.num_programs(0), GROUP
    )
    return row * ROWS, column * COLUMNS


@triton.jit
def _pointers(ptr, row, column, stride, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Of a tile's elements, (ROWS, COLUMNS)."""
    # Only its origin can be further away than 32 bits count.
    origin = ptr + row.to(tl.int64) * stride + column
    return origin + tl.arange(0, ROWS)[:, None] * stride + tl.arange(0, COLUMNS)[None, :]


@triton.jit
def _inside(row, column, n_rows, n_columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    rows = row + tl.arange(0, ROWS)
    columns = column + tl.arange(0, COLUMNS)
    return (rows < n_rows)[:, None] & (columns < n_columns)[None, :]


# Four float32 to four FP8 in one register. Triton's own conversion leaves pairs in 16-bit
# registers; where both layouts are stored, ptxas 12.8 (of Triton 3.6) takes the upper byte of such
# a pair before it is there, and every second column of the transpose is garbage.
FOUR_TO_E5M2 = tl.constexpr("""{
    .reg .b16 low, high;
    cvt.rn.satfinite.e5m2x2.f32 low, $2, $1;
    cvt.rn.satfinite.e5m2x2.f32 high, $4, $3;
    mov.b32 $0, {low, high};
}""")
FOUR_TO_E4M3 = tl.constexpr("""{
    .reg .b16 low, high;
    cvt.rn.satfinite.e4m3x2.f32 low, $2, $1;
    cvt.rn.satfinite.e4m3x2.f32 high, $4, $3;
    mov.b32 $0, {low, high};
}""")


@triton.jit
def _round(value, dtype: tl.constexpr, PACKED: tl.constexpr):
    """To the nearest of `dtype`, which is of FP8 where PACKED."""
    if PACKED:
        asm: tl.constexpr = FOUR_TO_E5M2 if dtype == tl.float8e5 else FOUR_TO_E4M3
        four = tl.inline_asm_elementwise(
            asm, "=r,f,f,f,f", [value], dtype=tl.int8, is_pure=True, pack=4
        )
        rounded = four.to(dtype, bitcast=True)
    else:
        rounded = value.to(dtype)
    return rounded


@triton.jit
def _store_both_ways(
    value,
    out_ptr,
    transposed_ptr,
    row,
    column,
    n_rows,
    n_columns,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PACKED: tl.constexpr,
):
    """A tile into a matrix (n_rows, n_columns) and, unless None, into its transpose."""
    value = _round(value, out_ptr.dtype.element_ty, PACKED)
    inside = _inside(row, column, n_rows, n_columns, ROWS, COLUMNS)
    tl.store(_pointers(out_ptr, row, column, n_columns, ROWS, COLUMNS), value, mask=inside)
    if transposed_ptr is not None:
        pointers = _pointers(transposed_ptr, column, row, n_rows, COLUMNS, ROWS)
        tl.store(pointers, tl.trans(value), mask=tl.trans(inside))


@triton.jit
def _gradient_kernel(
    z_ptr,
    targets_ptr,
    log_sums_ptr,
    gradient_ptr,
    transposed_ptr,
    n_rows,
    n_columns,
    scale,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    GROUP: tl.constexpr,
    ACCUMULATOR: tl.constexpr,
    APPROXIMATE: tl.constexpr,
    PACKED: tl.constexpr,
):
    """One tile of z a program."""
    row, column = _tile(ROWS, COLUMNS, GROUP)
    rows = row + tl.arange(0, ROWS)
    log_sums = tl.load(log_sums_ptr + rows, mask=rows < n_rows, other=0)
    targets = tl.load(targets_ptr + rows, mask=rows < n_rows, other=0).to(tl.int32)
    inside = _inside(row, column, n_rows, n_columns, ROWS, COLUMNS)
    pointers = _pointers(z_ptr, row, column, n_columns, ROWS, COLUMNS)
    z = tl.load(pointers, mask=inside, other=0)

    t = centred_tanh(z, ACCUMULATOR, APPROXIMATE)
    p = tl.exp2((HALF_CAP * LOG2_E) * t - LOG2_E * log_sums[:, None])
    is_target = targets[:, None] == (column + tl.arange(0, COLUMNS))[None, :]
    value = tl.where(is_target, p - 1, p) * ((1 - t * t) * scale)
    _store_both_ways(
        value, gradient_ptr, transposed_ptr, row, column, n_rows, n_columns, ROWS, COLUMNS, PACKED
    )


@triton.jit
def _quantise_kernel(
    matrix_ptr,
    quantised_ptr,
    transposed_ptr,
    n_rows,
    n_columns,
    scale,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    GROUP: tl.constexpr,
    PACKED: tl.constexpr,
):
    """One tile of the matrix a program."""
    row, column = _tile(ROWS, COLUMNS, GROUP)
    inside = _inside(row, column, n_rows, n_columns, ROWS, COLUMNS)
    pointers = _pointers(matrix_ptr, row, column, n_columns, ROWS, COLUMNS)
    value = tl.load(pointers, mask=inside, other=0).to(tl.float32) * scale
    value = tl.clamp(value, -E4M3_MAX, E4M3_MAX, propagate_nan=tl.PropagateNan.ALL)
    _store_both_ways(
        value, quantised_ptr, transposed_ptr, row, column, n_rows, n_columns, ROWS, COLUMNS, PACKED
    )
