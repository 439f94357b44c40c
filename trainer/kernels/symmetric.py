"""X X^T for stacks of matrices: one triangle of tiles is computed, the other is its mirror image.

Newton-Schulz spends 60 % of its multiplications on such products; of a matrix of 768 rows 21 of 36
tiles are computed.

Shapes: S matrices of N rows and K columns.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

# Chosen for Hopper: 128 rows by 128 are two wgmma of one warpgroup, and three stages of 32 KiB let
# two programs share a multiprocessor, so that one multiplies while the other stores.
TILE, TILE_K = 128, 64
STAGES, WARPS = 3, 4


def symmetric_product(
    x: Tensor, addend: Tensor | None = None, *, alpha: float = 1.0, beta: float = 0.0
) -> Tensor:
    """Compute alpha * X X^T + beta * A for every matrix X of a stack, accumulated in float32.

    Args:
        x: (S, N, K) of any strides.
        addend: A (S, N, N), contiguous and symmetric; None for none.
        alpha: factor of the product.
        beta: factor of the addend.

    Returns:
        (S, N, N) contiguous in x's type, rounded once, equal to its transpose bit for bit outside
        the tiles on the diagonal.

    Raises:
        ValueError: the addend does not fit.
    """
    count, rows, columns = x.shape
    out = x.new_empty(count, rows, rows)
    if addend is not None and (addend.shape != out.shape or not addend.is_contiguous()):
        raise ValueError(f"no contiguous addend {tuple(out.shape)}: {tuple(addend.shape)}")
    side = triton.cdiv(rows, TILE)
    _symmetric_kernel[(side * side, count)](
        x,
        addend,
        out,
        rows,
        *x.stride(),
        alpha,
        beta,
        COLUMNS=columns,
        SIDE=side,
        ACCUMULATOR=tl.float64 if x.dtype == torch.float64 else tl.float32,
        # The interpreter keeps bfloat16 as bits; products of two are exact in float32.
        WIDEN=x.device.type == "cpu" and x.dtype == torch.bfloat16,
        TILE=TILE,
        TILE_K=TILE_K,
        num_warps=WARPS,
        num_stages=STAGES,
    )
    return out


@triton.jit
def _symmetric_kernel(
    x,
    addend,
    out,
    rows,
    stride_s,
    stride_n,
    stride_k,
    alpha,
    beta,
    COLUMNS: tl.constexpr,
    SIDE: tl.constexpr,
    ACCUMULATOR: tl.constexpr,
    WIDEN: tl.constexpr,
    TILE: tl.constexpr,
    TILE_K: tl.constexpr,
):
    row, column = tl.program_id(0) // SIDE, tl.program_id(0) % SIDE
    # The upper triangle is somebody else's mirror image; leaving costs next to nothing.
    if column > row:
        return
    matrix = tl.program_id(1).to(tl.int64)
    i = row * TILE + tl.arange(0, TILE)
    j = column * TILE + tl.arange(0, TILE)
    k = tl.arange(0, TILE_K)
    base = x + matrix * stride_s
    left = base + i[:, None] * stride_n + k[None, :] * stride_k
    right = base + j[None, :] * stride_n + k[:, None] * stride_k
    total = tl.zeros((TILE, TILE), dtype=ACCUMULATOR)
    for start in range(0, COLUMNS, TILE_K):
        inside = k < COLUMNS - start
        a = tl.load(left, mask=(i < rows)[:, None] & inside[None, :], other=0.0)
        b = tl.load(right, mask=(j < rows)[None, :] & inside[:, None], other=0.0)
        if WIDEN:
            a, b = a.to(tl.float32), b.to(tl.float32)
        total = tl.dot(a, b, total, input_precision="ieee", out_dtype=ACCUMULATOR)
        left += TILE_K * stride_k
        right += TILE_K * stride_k
    total *= alpha
    mask = (i < rows)[:, None] & (j < rows)[None, :]
    place = matrix * rows * rows + i[:, None] * rows + j[None, :]
    if addend is not None:
        total += beta * tl.load(addend + place, mask=mask, other=0.0).to(ACCUMULATOR)
    result = total.to(out.dtype.element_ty)
    tl.store(out + place, result, mask=mask)
    if column < row:
        mirrored = matrix * rows * rows + j[:, None] * rows + i[None, :]
        tl.store(out + mirrored, tl.trans(result), mask=tl.trans(mask))
