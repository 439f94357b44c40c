"""Attention's forward pass on Hopper, for scores with a bound, in Gluon.

Where no score can be large, as with normed queries and keys, the softmax needs no running maximum:
exponentials are added up as they are, nothing is rescaled, and half the instructions between the
products are gone. Three warpgroups of 64 queries share the keys and values that one warp fetches
for them (`attention_fetch_hopper`); while one of them takes exponentials, others multiply.

Shapes: T tokens, H heads, E features of a head.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import (
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_wait,
)
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor

from trainer.kernels import common
from trainer.kernels.attention_fetch_hopper import (
    BLOCK,
    GROUPS,
    ROOMS,
    TILE,
    E,
    begin_of,
    close_shared,
    count_tiles,
    fetch,
    open_shared,
    read,
    stage_of,
)
from trainer.kernels.tiles import merged_heads

LN_2 = gl.constexpr(common.LN_2.value)
WARPS = gl.constexpr(4)
# Registers a thread: the warpgroups share what the warp that fetches leaves.
REGISTERS, FEW_REGISTERS = gl.constexpr(152), gl.constexpr(56)

# How registers hold scores, what is added up, weights as a product's first factor, and a number.
SCORES = gl.constexpr(gl.NVMMADistributedLayout([3, 0], [WARPS.value, 1], [16, BLOCK.value, 16]))
ACC = gl.constexpr(gl.NVMMADistributedLayout([3, 0], [WARPS.value, 1], [16, E.value, 16]))
FACTOR = gl.constexpr(gl.DotOperandLayout(0, ACC.value, 2))
NUMBER = gl.constexpr(gl.BlockedLayout([1], [32], [WARPS.value], [0]))


class Queries(NamedTuple):
    """A warpgroup's queries of a tile, and what they see.

    Attributes:
        first: of them.
        rows: all of them.
        lowest: the first key that each one sees.
        seen_by_all: from this key on, those before the first query are seen by all of them.
    """

    first: Any
    rows: Any
    lowest: Any
    seen_by_all: Any


def write_attention(
    q: Tensor, k: Tensor, v: Tensor, low: Tensor, scale: float, out: Tensor, lse: Tensor
) -> None:
    """Write `out` (T, H, E) and `lse` (H, T), as `attention.attend` returns them.

    Raises:
        ValueError: heads are not side by side.
    """
    tokens, heads, _ = q.shape
    _forward_kernel[(common.program_count(q.device),)](
        *(_tiles(t) for t in (q, out, k, v)),
        low,
        lse,
        tokens,
        heads,
        scale * common.LOG2_E.value,
        num_warps=WARPS.value,
    )


def _tiles(tensor: Tensor) -> TensorDescriptor:
    return TensorDescriptor.from_tensor(merged_heads(tensor), [BLOCK.value, E.value], TILE.value)


@gluon.jit
def _forward_kernel(q, out, k, v, low, lse, tokens, heads, scale):
    """Compute every tile of this program; `scale` is for scores in base 2."""
    shared = open_shared()
    results = (out, lse, tokens, heads, scale)
    gl.warp_specialize(
        [
            (_compute, (shared, results, 0)),
            (_compute, (shared, results, 1)),
            (_compute, (shared, results, 2)),
            (fetch, (q, k, v, low, shared, tokens, heads)),
        ],
        [WARPS, WARPS, 1],
        [REGISTERS, REGISTERS, FEW_REGISTERS],
    )
    close_shared(shared)


@gluon.jit
def _compute(shared, results, OWN: gl.constexpr):
    """A warpgroup: its part of every tile of this program."""
    _, _, tokens, heads, _ = results
    tile_count = count_tiles(tokens, heads)
    i, step = gl.to_tensor(0), gl.to_tensor(0)
    tile = _next_tile(shared, i, OWN)
    while tile < tile_count:
        step = _attend(shared, results, i, tile, step, OWN)
        i += 1
        tile = _next_tile(shared, i, OWN)
    # Who stored has to stay until it is read.
    tma.store_wait(0)


@gluon.jit
def _next_tile(shared, i, OWN: gl.constexpr):
    """Wait for the part's queries, and return the number of the i-th tile."""
    room = i % ROOMS
    mbarrier.wait(shared.q_full.index(room * GROUPS + OWN), i // ROOMS % 2)
    return read(shared.tile.index(room), NUMBER)


@gluon.jit
def _attend(shared, results, i, tile, step, OWN: gl.constexpr):
    """Write the output of a warpgroup's part of a tile; return the step behind the tile."""
    out, lse, tokens, heads, scale = results
    room = i % ROOMS
    head, first = tile % heads, (tile // heads * GROUPS + OWN) * BLOCK
    queries, begin, before = _queries_of(shared, room, first, OWN)
    step = _skip(shared, step, before)
    query_tile = shared.queries.index(room * GROUPS + OWN)
    none = gl.zeros((BLOCK, BLOCK), gl.float32, SCORES)
    # The first scores. Meanwhile the output before has left its room.
    stage = _wait_for(shared, step)
    key = shared.keys_of.index(stage).permute((1, 0))
    scores = warpgroup_mma(query_tile, key, none, use_acc=False, is_async=True)
    tma.store_wait(0)
    other = shared.q_empty.index((ROOMS - 1 - room) * GROUPS + OWN)
    mbarrier.arrive(other, count=1, pred=i > 0)
    scores = warpgroup_mma_wait(0, deps=(scores,))
    mbarrier.arrive(shared.empty.index(stage), count=1)
    step += 1
    weights = _exponentials(scores, begin, queries, scale)
    # Of each query: the sum of exponentials, by four threads, and the weighted values.
    l_i = _sums(weights)
    acc = gl.zeros((BLOCK, E), gl.float32, ACC)
    factor = gl.convert_layout(weights.to(gl.bfloat16), FACTOR)
    begin, end = begin + BLOCK, first + BLOCK
    gl.assume(begin < end)
    for start in range(begin, end, BLOCK):
        # The exponentials of a step run beside the product with the values of the step before.
        stage = _wait_for(shared, step)
        key = shared.keys_of.index(stage).permute((1, 0))
        scores = warpgroup_mma(query_tile, key, none, use_acc=False, is_async=True)
        acc = warpgroup_mma(factor, shared.values_of.index(stage), acc, is_async=True)
        scores = warpgroup_mma_wait(1, deps=(scores,))
        weights = _exponentials(scores, start, queries, scale)
        l_i += _sums(weights)
        acc = warpgroup_mma_wait(0, deps=(acc,))
        mbarrier.arrive(shared.empty.index(stage), count=1)
        factor = gl.convert_layout(weights.to(gl.bfloat16), FACTOR)
        step += 1
    # The last values. Meanwhile the softmax's denominator is kept for the backward pass.
    stage = _wait_for(shared, step)
    acc = warpgroup_mma(factor, shared.values_of.index(stage), acc, is_async=True)
    denominator = gl.convert_layout(gl.sum(l_i, 1), gl.SliceLayout(1, ACC))
    rows = first + gl.arange(0, BLOCK, layout=gl.SliceLayout(1, ACC))
    gl.store(lse + head * tokens + rows, gl.log2(denominator) * LN_2, mask=rows < tokens)
    acc = warpgroup_mma_wait(0, deps=(acc,))
    mbarrier.arrive(shared.empty.index(stage), count=1)
    step = _skip(shared, step + 1, GROUPS - 1 - OWN)
    # Epilogue: normalise, and let the output leave from the room of the queries.
    query_tile.store((acc * (1 / denominator)[:, None]).to(gl.bfloat16))
    fence_async_shared()
    tma.async_copy_shared_to_global(out, [first, head * E], query_tile)
    return step


@gluon.jit
def _queries_of(shared, room, first, OWN: gl.constexpr):
    """A warpgroup's queries, its first key, and how many steps only earlier queries need."""
    lows = shared.lows.index(room)
    own = lows.slice(OWN * BLOCK, BLOCK)
    queries = Queries(
        first,
        first + gl.arange(0, BLOCK, layout=gl.SliceLayout(1, SCORES)),
        own.load(gl.SliceLayout(1, SCORES)),
        read(own.slice(BLOCK - 1, 1), NUMBER),
    )
    begin = begin_of(read(own.slice(0, 1), NUMBER), first)
    begin_of_all = begin_of(read(lows.slice(0, 1), NUMBER), first - OWN * BLOCK)
    return queries, begin, (begin - begin_of_all) // BLOCK


@gluon.jit
def _wait_for(shared, step):
    """Wait until a step's stage is full."""
    stage, phase = stage_of(step)
    mbarrier.wait(shared.full.index(stage), phase)
    return stage


@gluon.jit
def _skip(shared, step, count):
    """Let go of steps that only other warpgroups need."""
    for _ in range(count):
        stage = _wait_for(shared, step)
        mbarrier.arrive(shared.empty.index(stage), count=1)
        step += 1
    return step


@gluon.jit
def _exponentials(scores, start, queries, scale):
    """Weights, not yet normalised; masked only where some query's interval cuts the step."""
    exponent = scores * scale
    if (start < queries.seen_by_all) | (start + BLOCK > queries.first + 1):
        keys = start + gl.arange(0, BLOCK, layout=gl.SliceLayout(0, SCORES))[None, :]
        seen = (keys >= queries.lowest[:, None]) & (keys <= queries.rows[:, None])
        exponent = gl.where(seen, exponent, float("-inf"))
    return gl.exp2(exponent)


@gluon.jit
def _sums(weights):
    """The sums of what each of four threads holds of a query's weights, (BLOCK, 4)."""
    return gl.sum(gl.sum(weights.reshape(BLOCK, BLOCK // 8, 4, 2), 3), 1)
