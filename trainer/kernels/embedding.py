"""Embedding tables: rows looked up and normalised, and the gradient added to the rows in use.

Shapes: T tokens, D features of a table's row. The gradient of a row is a sum over the positions of
its token. Positions are sorted by token once a sequence; a token's positions are then a run, and
runs are cut into pieces, so that a frequent token does not keep one program busy for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.common import require_contiguous, wide_dtype
from trainer.kernels.residual import launch_by_rows, norm_backward, store_normed

# Least positions of a piece of a run that is cut; its last piece takes the remainder too.
PIECE = 32
# Chosen for an H200: 16 for each of its 132 multiprocessors.
PROGRAMS = 2112
# Rows that a program of the first pass has on their way at once: 48 registers for sm_90, as for 4.
ROWS_AT_ONCE = 8
# The second pass reads few rows, from the cache: narrow strips of many rows hide its latency.
STRIP = 256
PARTIALS_AT_ONCE = 16
WARPS = 4


class Segments(NamedTuple):
    """The positions 0 to T - 1 of a sequence's tokens, sorted by token, all (T,) integers.

    Attributes:
        order: positions in the order of their tokens, and in their own order for one token.
        tokens: the token of each of these.
        begins: where in `order` the run of that token begins.
        ends: where it ends, exclusive.
        starts: where the pieces start, ascending; T in the places beyond the last piece.
    """

    order: Tensor
    tokens: Tensor
    begins: Tensor
    ends: Tensor
    starts: Tensor


class Rows(NamedTuple):
    """What is to be added to the rows of a table.

    Attributes:
        values: (T, D), of any stride but 1 in D.
        scale: one float32 number that they are multiplied by; None: 1.
    """

    values: Tensor
    scale: Tensor | None


def embed_norm(table: Tensor, tokens: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """RMS norms of the rows of `tokens`: row / sqrt(mean(row^2) + eps).

    Args:
        table: (vocabulary, D), contiguous.
        tokens: (T,) integers below the vocabulary, contiguous.
        eps: of the norm.

    Returns:
        normed (T, D) in the dtype of `table`, and rstd (T,), the factors, in float32 (float64 for
        float64).

    Raises:
        ValueError: a tensor is not contiguous.
    """
    require_contiguous(table, tokens)
    (length,), width = tokens.shape, table.shape[1]
    normed = table.new_empty(length, width)
    rstd = table.new_empty(length, dtype=wide_dtype(table))
    launch_by_rows(_embed_norm, length, width, table, tokens, normed, rstd, eps)
    return normed, rstd


def embed_norm_backward(d_normed: Tensor, normed: Tensor, rstd: Tensor) -> Tensor:
    """Gradient of the looked-up rows (T, D); `add_rows_` takes it to the table.

    Args:
        d_normed: (T, D).
        normed: (T, D) as `embed_norm` returned it, likewise `rstd` (T,).
        rstd: the factors.

    Raises:
        ValueError: a tensor is not contiguous.
    """
    return norm_backward(None, d_normed, normed, rstd)


def sort_tokens(tokens: Tensor) -> Segments:
    """Sort the positions of `tokens` (T,) by token, and cut the runs into pieces.

    A run of at least 2 * PIECE positions is cut every PIECE positions as long as PIECE remain, so
    that none of its pieces has fewer. Never waits for the device.
    """
    ordered, order = torch.sort(tokens, stable=True)
    begins = torch.searchsorted(ordered, ordered, out_int32=True)
    ends = torch.searchsorted(ordered, ordered, out_int32=True, right=True)
    positions = torch.arange(len(tokens), dtype=torch.int32, device=tokens.device)
    within = positions - begins
    starts = (within % PIECE == 0) & ((within == 0) | (ends - positions >= PIECE))
    numbers = starts.cumsum(0, dtype=torch.int32)
    return Segments(
        order, ordered, begins, ends, torch.searchsorted(numbers, positions + 1, out_int32=True)
    )


def add_rows_(grad: Tensor, sources: Sequence[Rows], segments: Segments) -> Tensor:
    """Add to each row of a table's gradient the rows of its token's positions.

    grad[v] += sum of scale * values[t] over the sources and all t with tokens[t] = v, in float32
    (float64 for float64) in the order of the positions, and rounded once. Rows of tokens that do
    not occur are neither read nor written.

    Args:
        grad: (vocabulary, D), contiguous, updated in place.
        sources: one or two, of equal shapes.
        segments: of the T tokens.

    Returns:
        `grad`.

    Raises:
        ValueError: a tensor has other strides than these.
    """
    require_contiguous(grad)
    for values, _ in sources:
        if values.stride(1) != 1:
            raise ValueError(f"the rows' strides are {values.stride()}, the last must be 1")
    (first, scale), (second, second_scale) = (*sources, Rows(sources[0].values, None))[:2]
    length, width = first.shape
    slots = triton.cdiv(length, PIECE)
    partials = first.new_empty(slots, width, dtype=wide_dtype(grad))
    _add_pieces[(min(length, PROGRAMS),)](
        grad,
        first,
        first.stride(0),
        scale,
        second if len(sources) > 1 else None,
        second.stride(0),
        second_scale,
        *segments,
        partials,
        length,
        WIDTH=width,
        BLOCK=triton.next_power_of_2(width),
        ROWS=ROWS_AT_ONCE,
        PIECE=PIECE,
        num_warps=WARPS,
    )
    _add_partials[(slots, triton.cdiv(width, STRIP))](
        grad,
        *segments[1:4],
        partials,
        WIDTH=width,
        BLOCK=STRIP,
        ROWS=PARTIALS_AT_ONCE,
        PIECE=PIECE,
        num_warps=WARPS,
    )
    return grad


@triton.jit
def _embed_norm(
    table_ptr,
    tokens_ptr,
    normed_ptr,
    rstd_ptr,
    eps,
    _n_tokens,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    columns = tl.arange(0, BLOCK)
    position = tl.program_id(0).to(tl.int64)
    row_ptr = table_ptr + tl.load(tokens_ptr + position).to(tl.int64) * WIDTH
    row = tl.load(row_ptr + columns, mask=columns < WIDTH, other=0)
    values = row.to(rstd_ptr.dtype.element_ty)
    store_normed(values, normed_ptr, rstd_ptr, eps, position, columns, WIDTH)


@triton.jit
def _add_to_row(grad_ptr, token, total, columns, WIDTH: tl.constexpr):
    row_ptr = grad_ptr + token.to(tl.int64) * WIDTH
    before = tl.load(row_ptr + columns, mask=columns < WIDTH, other=0).to(total.dtype)
    tl.store(row_ptr + columns, before + total, mask=columns < WIDTH)


@triton.jit
def _load_scale(scale_ptr, WIDE: tl.constexpr):
    scale = tl.full((), 1, WIDE)
    if scale_ptr is not None:
        scale = tl.load(scale_ptr).to(WIDE)
    return scale


# A scalar may be any element of a matrix of them; one binary is to serve every alignment.
@triton.jit(do_not_specialize_on_alignment=["scale_ptr", "second_scale_ptr"])
def _add_pieces(
    grad_ptr,
    first_ptr,
    first_stride,
    scale_ptr,
    second_ptr,
    second_stride,
    second_scale_ptr,
    order_ptr,
    tokens_ptr,
    begins_ptr,
    ends_ptr,
    starts_ptr,
    partials_ptr,
    n_tokens,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
    PIECE: tl.constexpr,
):
    """Sum pieces; a token's only one goes to the gradient, the others to `partials`."""
    WIDE: tl.constexpr = partials_ptr.dtype.element_ty
    columns = tl.arange(0, BLOCK)
    scale = _load_scale(scale_ptr, WIDE)
    second_scale = _load_scale(second_scale_ptr, WIDE)
    piece = tl.program_id(0)
    start = tl.load(starts_ptr + piece)
    while start < n_tokens:
        begin = tl.load(begins_ptr + start)
        end = tl.load(ends_ptr + start)
        stop = tl.where(end - start < 2 * PIECE, end, start + PIECE)
        total = tl.zeros((BLOCK,), WIDE)
        at = start
        while at < stop:
            places = at + tl.arange(0, ROWS)
            members = tl.load(order_ptr + places, mask=places < stop, other=0).to(tl.int64)[:, None]
            inside = (places < stop)[:, None] & (columns < WIDTH)[None, :]
            tile_ptr = first_ptr + members * first_stride + columns[None, :]
            values = scale * tl.load(tile_ptr, mask=inside, other=0).to(WIDE)
            if second_ptr is not None:
                tile_ptr = second_ptr + members * second_stride + columns[None, :]
                values += second_scale * tl.load(tile_ptr, mask=inside, other=0).to(WIDE)
            total += tl.sum(values, 0)
            at += ROWS
        if end - begin < 2 * PIECE:
            _add_to_row(grad_ptr, tl.load(tokens_ptr + start), total, columns, WIDTH)
        else:
            # Pieces of runs that are cut start at least PIECE apart: no two have one slot.
            slot_ptr = partials_ptr + start // PIECE * WIDTH
            tl.store(slot_ptr + columns, total, mask=columns < WIDTH)
        piece += tl.num_programs(0)
        start = tl.load(starts_ptr + piece, mask=piece < n_tokens, other=n_tokens)


@triton.jit
def _add_partials(
    grad_ptr,
    tokens_ptr,
    begins_ptr,
    ends_ptr,
    partials_ptr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
    PIECE: tl.constexpr,
):
    """Sum the partials of one run that is cut: the run's first multiple of PIECE finds it."""
    at = tl.program_id(0) * PIECE
    begin = tl.load(begins_ptr + at)
    pieces = (tl.load(ends_ptr + at) - begin) // PIECE
    if (pieces > 1) & (at - begin < PIECE):
        columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
        total = tl.zeros((BLOCK,), partials_ptr.dtype.element_ty)
        piece = 0
        while piece < pieces:
            numbers = piece + tl.arange(0, ROWS)
            slots = begin // PIECE + numbers
            inside = (numbers < pieces)[:, None] & (columns < WIDTH)[None, :]
            tile_ptr = partials_ptr + slots[:, None] * WIDTH + columns[None, :]
            total += tl.sum(tl.load(tile_ptr, mask=inside, other=0), 0)
            piece += ROWS
        _add_to_row(grad_ptr, tl.load(tokens_ptr + at), total, columns, WIDTH)
