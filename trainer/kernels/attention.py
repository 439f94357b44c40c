"""Attention in which each query sees an interval of keys that ends with itself.

Query token q sees the keys [low(q), q]; the queries that see key k are then [k, high(k)]. Both
bounds never decrease along the sequence, so a block of queries visits one range of key blocks (a
block of keys, of query blocks), and those between the bounds of its first and last token need no
look at single tokens. Documents and windows are in the bounds alone: another window compiles
nothing anew. Forward and backward follow FlashAttention-2 (Dao, 2023), with nothing added up by
several programs: every result is the same from call to call.

Shapes: T tokens, H heads, E features of a head. A tile is (rows, E) of one head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

# Sequences are whole numbers of these, so that no tile has a tail.
TOKENS_MULTIPLE = 128
# Where the largest score so far starts: below any, yet finite, so that a tile in which a query sees
# no key gives weights of 0 rather than NaN.
LOWEST: tl.constexpr = tl.constexpr(-1.0e6)
LN_2: tl.constexpr = tl.constexpr(math.log(2))
LOG2_E: tl.constexpr = tl.constexpr(math.log2(math.e))


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
    strides: tuple[tuple[int, int], ...]


class Tilings(NamedTuple):
    """A tiling for each of the three kernels."""

    forward: Tiling
    queries: Tiling
    keys: Tiling


# Measured on an H200 (docs/performance-log.md): with 64 own rows and 4 warps two programs share a
# multiprocessor, so that one's softmax hides behind the other's products.
HOPPER = Tilings(
    forward=Tiling(own=64, visited=64, stages=3, warps=4),
    queries=Tiling(own=64, visited=64, stages=2, warps=4),
    keys=Tiling(own=64, visited=64, stages=2, warps=4),
)
# For other cards and for wider types: 73 KiB in float32 with heads of 128, of the 99 that the
# smallest card since sm_80 lets a program have.
PORTABLE = Tilings(
    forward=Tiling(own=64, visited=32, stages=2, warps=4, tma=False),
    queries=Tiling(own=32, visited=32, stages=2, warps=4, tma=False),
    keys=Tiling(own=32, visited=32, stages=2, warps=4, tma=False),
)


class Visible(NamedTuple):
    """The bounds of what is seen, each (T,) int32 and nondecreasing.

    Attributes:
        low: first key that a query sees; the last is itself.
        high: last query that sees a key; the first is itself.
    """

    low: Tensor
    high: Tensor


def visible(documents: Tensor, block_size: int, window: int) -> Visible:
    """Bounds of causal attention within documents and a window of blocks.

    Args:
        documents: document numbers (T,), nondecreasing.
        block_size: tokens in a block.
        window: W, in blocks, the token's own block included.
    """
    at = torch.arange(len(documents), device=documents.device)
    changes = documents[1:] != documents[:-1]
    ends = torch.cat([changes, changes.new_ones(1)])
    starts = torch.cat([changes.new_ones(1), changes])
    start = torch.where(starts, at, 0).cummax(0).values
    end = torch.where(ends, at, len(at)).flip(0).cummin(0).values.flip(0)
    block = at // block_size
    low = torch.maximum(start, (block - window + 1) * block_size)
    high = torch.minimum(end, (block + window) * block_size - 1)
    return Visible(low.int(), high.int())


def attend(
    q: Tensor, k: Tensor, v: Tensor, low: Tensor, scale: float, tilings: Tilings | None = None
) -> tuple[Tensor, Tensor]:
    """Softmax attention over the visible keys.

    Args:
        q: (T, H, E) with neighbouring features and any other strides; E a power of two.
        k: likewise.
        v: likewise.
        low: see `Visible`.
        scale: what the scores are multiplied by, positive.
        tilings: of the kernels; by default those for the tensors' device and type.

    Returns:
        out (T, H, E), contiguous, and the natural logarithm of each softmax's denominator (H, T),
        in float32 or, for inputs of float64, float64.

    Raises:
        ValueError: T is no multiple of 128, or shapes, types or strides do not fit.
    """
    _check(q, k, v)
    tiling = (tilings or default_tilings(q, k, v)).forward
    tokens, heads, _ = q.shape
    out = q.new_empty(q.shape)
    lse = q.new_empty((heads, tokens), dtype=torch.promote_types(q.dtype, torch.float32))
    _launch(_forward_kernel, tiling, (q, out), (k, v), low, lse, scale * math.log2(math.e))
    return out, lse


def attend_backward(
    d_out: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    low: Tensor,
    high: Tensor,
    scale: float,
    tilings: Tilings | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attend`.

    Args:
        d_out: gradient of out, (T, H, E) with neighbouring features.
        q: as in `attend`.
        k: as in `attend`.
        v: as in `attend`.
        out: what `attend` returned.
        lse: what `attend` returned.
        low: see `Visible`.
        high: see `Visible`.
        scale: as in `attend`.
        tilings: of the kernels; by default those for the tensors' device and type.

    Returns:
        d_q, d_k and d_v, each (T, H, E), contiguous.

    Raises:
        ValueError: as in `attend`.
    """
    _check(q, k, v, out, d_out)
    tilings = tilings or default_tilings(q, k, v, out, d_out)
    d_q, d_k, d_v = (q.new_empty(q.shape) for _ in range(3))
    delta = torch.empty_like(lse)
    own = (q, d_out, out, d_q)
    _launch(_queries_kernel, tilings.queries, own, (k, v), low, lse, delta, scale)
    own = (k, v, d_k, d_v)
    _launch(_keys_kernel, tilings.keys, own, (q, d_out), high, lse, delta, scale)
    return d_q, d_k, d_v


def default_tilings(*tensors: Tensor) -> Tilings:
    """Return HOPPER where it applies to all of the tensors (T, H, E), else PORTABLE."""
    q = tensors[0]
    hopper = q.device.type == "cuda" and torch.cuda.get_device_capability(q.device) >= (9, 0)
    # The copy engine sees (T, H * E): heads side by side, rows from multiples of 16 bytes.
    regular = all(t.stride(1) == t.shape[2] and t.stride(0) % 8 == 0 for t in tensors)
    return HOPPER if hopper and regular and q.dtype == torch.bfloat16 else PORTABLE


def _check(*tensors: Tensor) -> None:
    q = tensors[0]
    tokens, _, features = q.shape
    if tokens % TOKENS_MULTIPLE:
        raise ValueError(f"{tokens} tokens are no multiple of {TOKENS_MULTIPLE}")
    if features & (features - 1):
        raise ValueError(f"{features} features of a head are no power of two")
    if any(t.shape != q.shape or t.dtype != q.dtype for t in tensors):
        raise ValueError(f"shapes or types differ: {[(tuple(t.shape), t.dtype) for t in tensors]}")
    if any(t.stride(2) != 1 for t in tensors):
        raise ValueError("the features of a head are not neighbours in memory")


def _launch(
    kernel: Any,
    tiling: Tiling,
    own: tuple[Tensor, ...],
    visited: tuple[Tensor, ...],
    *others: Tensor | float,
) -> None:
    """Start a program for each tile of each head.

    The kernel takes `own` (tensors of which a program reads or writes its own tile), `visited`
    (of which it reads others) and then `others`.
    """
    tensors = own + visited
    tokens, heads, features = own[0].shape
    # The interpreter keeps bfloat16 as bits; products of two are exact in float32.
    widen = own[0].device.type == "cpu" and own[0].dtype == torch.bfloat16
    strides = tuple((t.stride(0), t.stride(1)) for t in tensors)
    rows = [tiling.own] * len(own) + [tiling.visited] * len(visited)
    described = [
        _descriptor(t, count) for t, count in zip(tensors, rows, strict=True) if tiling.tma
    ]
    kernel[heads, tokens // tiling.own](
        *(described or tensors),
        *others,
        PLAN=_Plan(features, tiling.own, tiling.visited, tiling.tma, widen, strides),
        num_warps=tiling.warps,
        num_stages=tiling.stages,
        maxnreg=tiling.registers,
    )


def _descriptor(tensor: Tensor, rows: int) -> TensorDescriptor:
    """Describe (T, H, E) as (T, H * E), cut into tiles (rows, E)."""
    tokens, heads, features = tensor.shape
    if tensor.stride(1) != features:
        raise ValueError("heads are not side by side in memory, as the copy engine needs them")
    shape, strides = [tokens, heads * features], [tensor.stride(0), 1]
    return TensorDescriptor(tensor, shape, strides, [rows, features])


@triton.jit
def _forward_kernel(q, out, k, v, low, lse, scale, PLAN: tl.constexpr):
    """One tile of out; `scale` is for scores in base 2."""
    head, first = tl.program_id(0), tl.program_id(1) * PLAN.own
    OWN: tl.constexpr = PLAN.own
    VISITED: tl.constexpr = PLAN.visited
    E: tl.constexpr = PLAN.features
    WIDE: tl.constexpr = lse.dtype.element_ty
    query = _load(q, 0, first, head, OWN, PLAN)
    queries = first + tl.arange(0, OWN)
    lowest = tl.load(low + queries)
    begin = tl.load(low + first) // VISITED * VISITED
    all_see = tl.load(low + first + OWN - 1)
    top = tl.full((OWN,), LOWEST, WIDE)
    total = tl.zeros((OWN,), WIDE)
    mixed = tl.zeros((OWN, E), WIDE)
    for start in tl.range(begin, first + OWN, VISITED):
        key = _load(k, 2, start, head, VISITED, PLAN)
        scores = _dot(query, key.T, tl.zeros((OWN, VISITED), WIDE), PLAN)
        if (start < all_see) | (start + VISITED > first + 1):
            keys = start + tl.arange(0, VISITED)[None, :]
            seen = (keys >= lowest[:, None]) & (keys <= queries[:, None])
            scores = tl.where(seen, scores, float("-inf"))
        new_top = tl.maximum(top, tl.max(scores, 1) * scale)
        weights = tl.exp2(scores * scale - new_top[:, None])
        keep = tl.exp2(top - new_top)
        total = total * keep + tl.sum(weights, 1)
        value = _load(v, 3, start, head, VISITED, PLAN)
        mixed = _dot(weights.to(value.dtype), value, mixed * keep[:, None], PLAN)
        top = new_top
    _store(out, 1, mixed / total[:, None], first, head, PLAN)
    at = head * tl.num_programs(1) * OWN + queries
    tl.store(lse + at, (top + tl.log2(total)) * LN_2)


@triton.jit
def _queries_kernel(q, d_out, out, d_q, k, v, low, lse, delta, scale, PLAN: tl.constexpr):
    """One tile of d_q, and its part of delta = sum of d_out * out, which the keys need too."""
    head, first = tl.program_id(0), tl.program_id(1) * PLAN.own
    OWN: tl.constexpr = PLAN.own
    VISITED: tl.constexpr = PLAN.visited
    E: tl.constexpr = PLAN.features
    WIDE: tl.constexpr = lse.dtype.element_ty
    query = _load(q, 0, first, head, OWN, PLAN)
    d_mixed = _load(d_out, 1, first, head, OWN, PLAN)
    mixed = _load(out, 2, first, head, OWN, PLAN)
    queries = first + tl.arange(0, OWN)
    at = head * tl.num_programs(1) * OWN + queries
    own_delta = tl.sum(d_mixed.to(WIDE) * mixed.to(WIDE), 1)
    tl.store(delta + at, own_delta)
    denominator = tl.load(lse + at) * LOG2_E
    lowest = tl.load(low + queries)
    begin = tl.load(low + first) // VISITED * VISITED
    all_see = tl.load(low + first + OWN - 1)
    total = tl.zeros((OWN, E), WIDE)
    for start in tl.range(begin, first + OWN, VISITED):
        key = _load(k, 4, start, head, VISITED, PLAN)
        value = _load(v, 5, start, head, VISITED, PLAN)
        scores = _dot(query, key.T, tl.zeros((OWN, VISITED), WIDE), PLAN)
        d_weights = _dot(d_mixed, value.T, tl.zeros((OWN, VISITED), WIDE), PLAN)
        if (start < all_see) | (start + VISITED > first + 1):
            keys = start + tl.arange(0, VISITED)[None, :]
            seen = (keys >= lowest[:, None]) & (keys <= queries[:, None])
            scores = tl.where(seen, scores, float("-inf"))
        weights = tl.exp2(scores * (scale * LOG2_E) - denominator[:, None])
        d_scores = weights * (d_weights - own_delta[:, None])
        total = _dot(d_scores.to(key.dtype), key, total, PLAN)
    _store(d_q, 3, total * scale, first, head, PLAN)


@triton.jit
def _keys_kernel(k, v, d_k, d_v, q, d_out, high, lse, delta, scale, PLAN: tl.constexpr):
    """One tile each of d_k and d_v; scores and weights are transposed, (keys, queries)."""
    head, first = tl.program_id(0), tl.program_id(1) * PLAN.own
    OWN: tl.constexpr = PLAN.own
    VISITED: tl.constexpr = PLAN.visited
    E: tl.constexpr = PLAN.features
    WIDE: tl.constexpr = lse.dtype.element_ty
    key = _load(k, 0, first, head, OWN, PLAN)
    value = _load(v, 1, first, head, OWN, PLAN)
    row = head * tl.num_programs(1) * OWN  # of lse and delta
    keys = first + tl.arange(0, OWN)
    highest = tl.load(high + keys)
    seen_by_all = tl.load(high + first)
    end = tl.load(high + first + OWN - 1) + 1
    key_total = tl.zeros((OWN, E), WIDE)
    value_total = tl.zeros((OWN, E), WIDE)
    for start in tl.range(first // VISITED * VISITED, end, VISITED):
        query = _load(q, 4, start, head, VISITED, PLAN)
        d_mixed = _load(d_out, 5, start, head, VISITED, PLAN)
        queries = start + tl.arange(0, VISITED)
        denominator = tl.load(lse + row + queries) * LOG2_E
        scores = _dot(key, query.T, tl.zeros((OWN, VISITED), WIDE), PLAN)
        if (start < first + OWN - 1) | (start + VISITED > seen_by_all + 1):
            seen = (queries[None, :] >= keys[:, None]) & (queries[None, :] <= highest[:, None])
            scores = tl.where(seen, scores, float("-inf"))
        weights = tl.exp2(scores * (scale * LOG2_E) - denominator[None, :])
        value_total = _dot(weights.to(d_mixed.dtype), d_mixed, value_total, PLAN)
        d_weights = _dot(value, d_mixed.T, tl.zeros((OWN, VISITED), WIDE), PLAN)
        their_delta = tl.load(delta + row + queries)
        d_scores = weights * (d_weights - their_delta[None, :])
        key_total = _dot(d_scores.to(query.dtype), query, key_total, PLAN)
    _store(d_k, 2, key_total * scale, first, head, PLAN)
    _store(d_v, 3, value_total, first, head, PLAN)


@triton.jit
def _dot(a, b, total, PLAN: tl.constexpr):
    """Add a @ b to the total."""
    if PLAN.widen:
        a, b = a.to(total.dtype), b.to(total.dtype)
    return tl.dot(a, b, total, input_precision="ieee", out_dtype=total.dtype)


@triton.jit
def _load(source, NUMBER: tl.constexpr, first, head, ROWS: tl.constexpr, PLAN: tl.constexpr):
    """Fetch a tile of operand NUMBER."""
    if PLAN.tma:
        tile = source.load([first, head * PLAN.features])
    else:
        tile = tl.load(_places(source, NUMBER, first, head, ROWS, PLAN))
    return tile


@triton.jit
def _store(target, NUMBER: tl.constexpr, tile, first, head, PLAN: tl.constexpr):
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
