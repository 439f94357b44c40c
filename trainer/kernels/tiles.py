"""Tiles of (T, H, E): how kernels cut them up, fetch them and write them.

Shapes: T tokens, H heads, E features of a head. A tile is (rows, E) of one head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor


class Tiling(NamedTuple):
    """How a kernel cuts up its work.

    Attributes:
        own: rows that a program produces.
        visited: rows of each tile that it looks at.
        stages: tiles in flight between memory and the tensor cores.
        warps: warps of a program.
        tma: whether tiles travel through the bulk copy engine (sm_90), not by plain loads.
        registers: at most so many a thread, so that more programs share a multiprocessor.
    """

    own: int
    visited: int
    stages: int
    warps: int
    tma: bool = True
    registers: int | None = None


@dataclass(frozen=True)
class _Plan:
    """What a kernel is compiled for: shapes, and each operand's strides of tokens and heads."""

    features: int
    own: int
    visited: int
    tma: bool
    widen: bool
    strides: tuple[tuple[int, int] | None, ...]


def launch(
    kernel: Any,
    tiling: Tiling,
    own: tuple[Tensor | None, ...],
    visited: tuple[Tensor, ...],
    *others: Tensor | float | None,
) -> None:
    """Start a program for each tile of each head.

    The kernel takes `own` (a program reads or writes its own tile of these tensors; the first is
    never None), `visited` (it reads other tiles of these) and then `others`.

    Raises:
        ValueError: a tile would have a tail, or the copy engine is asked for, and heads are not
            side by side in memory.
    """
    tensors = own + visited
    first = own[0]
    assert first is not None  # noqa: S101 - as the docstring says
    tokens, heads, features = first.shape
    _refuse_tails(tokens, tiling)
    # The interpreter keeps bfloat16 as bits; products of two are exact in float32.
    widen = first.device.type == "cpu" and first.dtype == torch.bfloat16
    strides = tuple(None if t is None else (t.stride(0), t.stride(1)) for t in tensors)
    rows = [tiling.own] * len(own) + [tiling.visited] * len(visited)
    described = [
        None if t is None else _descriptor(t, count)
        for t, count in zip(tensors, rows, strict=True)
        if tiling.tma
    ]
    kernel[heads, tokens // tiling.own](
        *(described or tensors),
        *others,
        PLAN=_Plan(features, tiling.own, tiling.visited, tiling.tma, widen, strides),
        num_warps=tiling.warps,
        num_stages=tiling.stages,
        maxnreg=tiling.registers,
    )


def _refuse_tails(tokens: int, tiling: Tiling) -> None:
    for rows in (tiling.own, tiling.visited):
        if tokens % rows:
            raise ValueError(f"{tokens} tokens are not a whole number of tiles of {rows} rows")


def merged_heads(tensor: Tensor) -> Tensor:
    """The view (T, H * E) of a tensor (T, H, E), as the copy engine needs it.

    Raises:
        ValueError: heads are not side by side in memory.
    """
    if tensor.stride(1) != tensor.shape[2]:
        raise ValueError("heads are not side by side in memory, as the copy engine needs them")
    return tensor.flatten(1)


def _descriptor(tensor: Tensor, rows: int) -> TensorDescriptor:
    return TensorDescriptor.from_tensor(merged_heads(tensor), [rows, tensor.shape[2]])


@triton.jit
def dot(a, b, total, PLAN: tl.constexpr):
    """Add a @ b to the total."""
    if PLAN.widen:
        a, b = a.to(total.dtype), b.to(total.dtype)
    return tl.dot(a, b, total, input_precision="ieee", out_dtype=total.dtype)


@triton.jit
def load_tile(source, NUMBER: tl.constexpr, first, head, ROWS: tl.constexpr, PLAN: tl.constexpr):
    """Fetch a tile of operand NUMBER."""
    if PLAN.tma:
        tile = source.load([first, head * PLAN.features])
    else:
        tile = tl.load(_places(source, NUMBER, first, head, ROWS, PLAN))
    return tile


@triton.jit
def store_tile(target, NUMBER: tl.constexpr, tile, first, head, PLAN: tl.constexpr):
    """Round a program's own tile and write it to operand NUMBER."""
    if PLAN.tma:
        target.store([first, head * PLAN.features], tile.to(target.dtype))
    else:
        places = _places(target, NUMBER, first, head, PLAN.own, PLAN)
        tl.store(places, tile.to(target.dtype.element_ty))


@triton.jit
def _places(base, NUMBER: tl.constexpr, first, head, ROWS: tl.constexpr, PLAN: tl.constexpr):
    rows = (first + tl.arange(0, ROWS)).to(tl.int64)[:, None]
    features = tl.arange(0, PLAN.features)[None, :]
    return base + head * PLAN.strides[NUMBER][1] + rows * PLAN.strides[NUMBER][0] + features
