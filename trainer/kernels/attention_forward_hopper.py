"""Attention's forward pass on Hopper, for scores with a bound: three warpgroups share their keys.

Where no score can be large, as with normed queries and keys, the softmax needs no running maximum:
exponentials are added up as they are, and nothing is rescaled. What is left between the products
hides behind those of the other warpgroups. Each of them has 64 queries; one more warp fetches
keys and values for all through the copy engine, and already the next tile's while the last one ends.
A program takes tile after tile from a counter, since tiles see unequal numbers of keys. Who computes
a tile changes no bit of it.

Shapes: T tokens, H heads, E features of a head. A tile is GROUPS * BLOCK queries of one head.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
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
from trainer.kernels.common import program_count
from trainer.kernels.tiles import merged_heads

LOG2_E = common.LOG2_E.value
LN_2 = gl.constexpr(common.LN_2.value)
E = gl.constexpr(128)
# Queries of a warpgroup, and keys of a step.
BLOCK = gl.constexpr(64)
GROUPS = gl.constexpr(3)
# Steps in flight between memory and the tensor cores, and tiles of queries.
STAGES = gl.constexpr(4)
ROOMS = gl.constexpr(2)
WARPS = gl.constexpr(4)
# Registers a thread: the warp that fetches needs few.
REGISTERS, FEW_REGISTERS = gl.constexpr(152), gl.constexpr(56)
# Bounds that travel with a tile: a power of two, at least one for each query.
BOUNDS = gl.constexpr(256)

# How registers hold scores, what is added up, weights as a product's first factor, a number that
# all threads of a warpgroup know, and what the warp that fetches asks for.
SCORES = gl.constexpr(gl.NVMMADistributedLayout([3, 0], [WARPS.value, 1], [16, BLOCK.value, 16]))
ACC = gl.constexpr(gl.NVMMADistributedLayout([3, 0], [WARPS.value, 1], [16, E.value, 16]))
FACTOR = gl.constexpr(gl.DotOperandLayout(0, ACC.value, 2))
NUMBER = gl.constexpr(gl.BlockedLayout([1], [32], [WARPS.value], [0]))
LANES = gl.constexpr(gl.BlockedLayout([1], [32], [1], [0]))
SPREAD = gl.constexpr(gl.BlockedLayout([4], [32], [1], [0]))
# How shared memory holds tiles, and numbers.
TILE = gl.constexpr(gl.NVMMASharedLayout(128, 16, 2))
LINE = gl.constexpr(gl.SwizzledSharedLayout(1, 1, 1, [0]))


class Shared(NamedTuple):
    """Rooms for tiles of queries, stages of keys and of the values of the step before, and barriers.

    A room comes with its tile's number and the lowest key that each query sees.
    """

    queries: Any
    tile: Any
    lows: Any
    q_full: Any
    q_empty: Any
    k_stages: Any
    v_stages: Any
    full: Any
    empty: Any


class Tile(NamedTuple):
    """A warpgroup's queries of a tile, and who sees whom; `cut` is what every query sees from."""

    queries: Any
    lowest: Any
    cut: Any
    first: Any
    scale: Any


def write_attention(
    q: Tensor, k: Tensor, v: Tensor, low: Tensor, scale: float, out: Tensor, lse: Tensor
) -> None:
    """Write `out` (T, H, E) and `lse` (H, T), as `attention.attend` returns them.

    Raises:
        ValueError: heads are not side by side.
    """
    tokens, heads, _ = q.shape
    taken = torch.zeros(1, dtype=torch.int32, device=q.device)
    _forward_kernel[(program_count(q.device),)](
        *(_tiles(t) for t in (q, out, k, v)),
        low,
        lse,
        taken,
        tokens,
        heads,
        scale * LOG2_E,
        num_warps=WARPS.value,
    )


def _tiles(tensor: Tensor) -> TensorDescriptor:
    return TensorDescriptor.from_tensor(merged_heads(tensor), [BLOCK.value, E.value], TILE.value)


@gluon.jit
def _forward_kernel(q, out, k, v, low, lse, taken, tokens, heads, scale):
    """Compute the tiles that this program takes; `scale` is for scores in base 2."""
    stage_shape: gl.constexpr = [STAGES, BLOCK, E]
    shared = Shared(
        gl.allocate_shared_memory(gl.bfloat16, [ROOMS * GROUPS, BLOCK, E], TILE),
        gl.allocate_shared_memory(gl.int32, [ROOMS, 1], LINE),
        gl.allocate_shared_memory(gl.int32, [ROOMS, BOUNDS], LINE),
        _barriers(ROOMS * GROUPS, 1),
        _barriers(ROOMS * GROUPS, 1),
        gl.allocate_shared_memory(gl.bfloat16, stage_shape, TILE),
        gl.allocate_shared_memory(gl.bfloat16, stage_shape, TILE),
        _barriers(STAGES, 1),
        _barriers(STAGES, GROUPS),
    )
    results = (out, lse, tokens, heads, scale)
    gl.warp_specialize(
        [
            (_compute, (shared, results, 0)),
            (_compute, (shared, results, 1)),
            (_compute, (shared, results, 2)),
            (_fetch, (q, k, v, low, taken, shared, tokens, heads)),
        ],
        [WARPS, WARPS, 1],
        [REGISTERS, REGISTERS, FEW_REGISTERS],
    )
    # Otherwise the compiler puts other things there while the copy engine still reads.
    shared.queries._keep_alive()
    # And memory of barriers may not be used for anything else before they are ended.
    _end(shared.q_full, ROOMS * GROUPS)
    _end(shared.q_empty, ROOMS * GROUPS)
    _end(shared.full, STAGES)
    _end(shared.empty, STAGES)


@gluon.jit
def _barriers(COUNT: gl.constexpr, ARRIVALS: gl.constexpr):
    barriers = gl.allocate_shared_memory(gl.int64, [COUNT, 1], mbarrier.MBarrierLayout())
    for i in gl.static_range(COUNT):
        mbarrier.init(barriers.index(i), count=ARRIVALS)
    return barriers


@gluon.jit
def _end(barriers, COUNT: gl.constexpr):
    for i in gl.static_range(COUNT):
        mbarrier.invalidate(barriers.index(i))


@gluon.jit
def _begin(lowest, first):
    """Where a warpgroup begins: with its first query's lowest key, but at least two steps.

    If the loop over steps could be skipped, the assembler would have every product waited for. Keys
    before the first token are zeros that no query sees.
    """
    return gl.minimum(lowest // BLOCK * BLOCK, first - BLOCK)


@gluon.jit
def _fetch(q, k, v, low, taken, shared, tokens, heads):
    """The warp that fetches. A step has a tile of keys, and the values of the step before."""
    BYTES: gl.constexpr = BLOCK * E * 2
    total = gl.cdiv(tokens, GROUPS * BLOCK) * heads
    i, step = gl.to_tensor(0), gl.to_tensor(0)
    tile = gl.program_id(0)
    asked = _ask(taken)
    lows = _load_lows(low, tile, tokens, heads)
    while tile < total:
        # The next tile's number and bounds are under way while this one is fetched.
        following = _answer(asked)
        asked = _ask(taken)
        following_lows = _load_lows(low, following, tokens, heads)
        first, column = tile // heads * (GROUPS * BLOCK), tile % heads * E
        room = _announce(shared, i, tile, lows)
        for group in gl.static_range(GROUPS):
            own = room * GROUPS + group
            full = shared.q_full.index(own)
            mbarrier.expect(full, BYTES)
            tma.async_copy_global_to_shared(
                q, [first + group * BLOCK, column], full, shared.queries.index(own)
            )
        begin = _begin(_read(shared.lows.index(room).slice(0, 1), LANES), first)
        steps = (first + GROUPS * BLOCK - begin) // BLOCK
        for s in range(steps + 1):
            stage, phase = _stage_of(step)
            # Empty at first: the phase of its barrier before any arrival.
            mbarrier.wait(shared.empty.index(stage), 1 - phase)
            full = shared.full.index(stage)
            at_an_end = (s == 0) | (s == steps)
            mbarrier.expect(full, BYTES, pred=at_an_end)
            mbarrier.expect(full, 2 * BYTES, pred=(s > 0) & (s < steps))
            start = begin + s * BLOCK
            tma.async_copy_global_to_shared(
                k, [start, column], full, shared.k_stages.index(stage), pred=s < steps
            )
            tma.async_copy_global_to_shared(
                v, [start - BLOCK, column], full, shared.v_stages.index(stage), pred=s > 0
            )
            step += 1
        i += 1
        tile, lows = following, following_lows
    # A number behind the last tile tells the others to stop.
    room = _announce(shared, i, tile, lows)
    for group in gl.static_range(GROUPS):
        mbarrier.arrive(shared.q_full.index(room * GROUPS + group), count=1)


@gluon.jit
def _ask(taken):
    """Ask for the next tile; only the first lane's answer counts."""
    lanes = gl.arange(0, 32, layout=LANES)
    one = gl.full([32], 1, gl.int32, LANES)
    return gl.atomic_add(taken + lanes * 0, one, mask=lanes == 0, sem="relaxed")


@gluon.jit
def _answer(asked):
    """The tile that was asked for; the first ones go to the programs in order."""
    lanes = gl.arange(0, 32, layout=LANES)
    return gl.num_programs(0) + gl.sum(gl.where(lanes == 0, asked, 0), 0)


@gluon.jit
def _load_lows(low, tile, tokens, heads):
    queries = tile // heads * (GROUPS * BLOCK) + gl.arange(0, BOUNDS, layout=SPREAD)
    return gl.load(low + gl.minimum(queries, tokens - 1))


@gluon.jit
def _announce(shared, i, tile, lows):
    """Write the i-th tile's number and bounds into a room as soon as that is empty."""
    room = i % ROOMS
    for group in gl.static_range(GROUPS):
        mbarrier.wait(shared.q_empty.index(room * GROUPS + group), 1 - i // ROOMS % 2)
    shared.tile.index(room).store(gl.full([1], tile, gl.int32, LANES))
    shared.lows.index(room).store(lows)
    # All lanes have written before one of them arrives.
    gl.thread_barrier()
    return room


@gluon.jit
def _read(number, LAYOUT: gl.constexpr):
    return gl.max(number.load(LAYOUT), 0)


@gluon.jit
def _stage_of(step):
    """The stage of a step of this program's, and how often it was full before, modulo 2."""
    return step % STAGES, step // STAGES % 2


@gluon.jit
def _compute(shared, results, OWN: gl.constexpr):
    """A warpgroup: its queries of every tile that this program takes."""
    _, _, tokens, heads, _ = results
    total = gl.cdiv(tokens, GROUPS * BLOCK) * heads
    i, step = gl.to_tensor(0), gl.to_tensor(0)
    tile = _next_tile(shared, i, OWN)
    while tile < total:
        step = _attend(shared, results, i, tile, step, OWN)
        i += 1
        tile = _next_tile(shared, i, OWN)
    # Who stored has to stay until it is read.
    tma.store_wait(0)


@gluon.jit
def _next_tile(shared, i, OWN: gl.constexpr):
    room = i % ROOMS
    mbarrier.wait(shared.q_full.index(room * GROUPS + OWN), i // ROOMS % 2)
    return _read(shared.tile.index(room), NUMBER)


@gluon.jit
def _attend(shared, results, i, tile, step, OWN: gl.constexpr):
    """Write the output of a warpgroup's queries; return the step behind the last of the tile."""
    out, lse, tokens, heads, scale = results
    room = i % ROOMS
    first = (tile // heads * GROUPS + OWN) * BLOCK
    lows = shared.lows.index(room).slice(OWN * BLOCK, BLOCK)
    own = Tile(
        first + gl.arange(0, BLOCK, layout=gl.SliceLayout(1, SCORES)),
        lows.load(gl.SliceLayout(1, SCORES)),
        _read(lows.slice(BLOCK - 1, 1), NUMBER),
        first,
        scale,
    )
    begin = _begin(_read(lows.slice(0, 1), NUMBER), first)
    begin_of_all = _begin(
        _read(shared.lows.index(room).slice(0, 1), NUMBER), first - OWN * BLOCK
    )
    # Steps that only those with earlier queries need.
    step = _skip(shared, step, (begin - begin_of_all) // BLOCK)
    query = shared.queries.index(room * GROUPS + OWN)
    none = gl.zeros((BLOCK, BLOCK), gl.float32, SCORES)
    # The first scores. Meanwhile the tile before has left its room.
    stage, phase = _stage_of(step)
    mbarrier.wait(shared.full.index(stage), phase)
    key = shared.k_stages.index(stage).permute((1, 0))
    scores = warpgroup_mma(query, key, none, use_acc=False, is_async=True)
    tma.store_wait(0)
    left = shared.q_empty.index((ROOMS - 1 - room) * GROUPS + OWN)
    mbarrier.arrive(left, count=1, pred=i > 0)
    scores = warpgroup_mma_wait(0, deps=(scores,))
    mbarrier.arrive(shared.empty.index(stage), count=1)
    step += 1
    weights = _exponentials(scores, begin, own)
    l_i = _sums(weights)
    factor = gl.convert_layout(weights.to(gl.bfloat16), FACTOR)
    acc = gl.zeros((BLOCK, E), gl.float32, ACC)
    begin, end = begin + BLOCK, first + BLOCK
    gl.assume(begin < end)
    for start in range(begin, end, BLOCK):
        # Scores of this step; their exponentials run beside the product with the values before.
        stage, phase = _stage_of(step)
        mbarrier.wait(shared.full.index(stage), phase)
        key = shared.k_stages.index(stage).permute((1, 0))
        scores = warpgroup_mma(query, key, none, use_acc=False, is_async=True)
        acc = warpgroup_mma(factor, shared.v_stages.index(stage), acc, is_async=True)
        scores = warpgroup_mma_wait(1, deps=(scores,))
        weights = _exponentials(scores, start, own)
        l_i += _sums(weights)
        acc = warpgroup_mma_wait(0, deps=(acc,))
        mbarrier.arrive(shared.empty.index(stage), count=1)
        factor = gl.convert_layout(weights.to(gl.bfloat16), FACTOR)
        step += 1
    # The last values.
    stage, phase = _stage_of(step)
    mbarrier.wait(shared.full.index(stage), phase)
    acc = warpgroup_mma(factor, shared.v_stages.index(stage), acc, is_async=True)
    # Epilogue: normalise, and keep the softmax's denominator for the backward pass.
    denominator = gl.convert_layout(gl.sum(l_i, 1), gl.SliceLayout(1, ACC))
    rows = first + gl.arange(0, BLOCK, layout=gl.SliceLayout(1, ACC))
    at = lse + tile % heads * tokens + rows
    gl.store(at, gl.log2(denominator) * LN_2, mask=rows < tokens)
    acc = warpgroup_mma_wait(0, deps=(acc,))
    mbarrier.arrive(shared.empty.index(stage), count=1)
    step = _skip(shared, step + 1, GROUPS - 1 - OWN)
    query.store((acc * (1 / denominator)[:, None]).to(gl.bfloat16))
    fence_async_shared()
    tma.async_copy_shared_to_global(out, [first, tile % heads * E], query)
    return step


@gluon.jit
def _skip(shared, step, count):
    """Let go of steps that only other warpgroups need."""
    for _ in range(count):
        stage, phase = _stage_of(step)
        mbarrier.wait(shared.full.index(stage), phase)
        mbarrier.arrive(shared.empty.index(stage), count=1)
        step += 1
    return step


@gluon.jit
def _exponentials(scores, start, own):
    """Weights before they are normalised; masked only in steps that some query's interval cuts."""
    exponent = scores * own.scale
    if (start < own.cut) | (start + BLOCK > own.first + 1):
        keys = start + gl.arange(0, BLOCK, layout=gl.SliceLayout(0, SCORES))[None, :]
        seen = (keys >= own.lowest[:, None]) & (keys <= own.queries[:, None])
        exponent = gl.where(seen, exponent, float("-inf"))
    return gl.exp2(exponent)


@gluon.jit
def _sums(weights):
    """The sum of what each of four threads holds of a row, (BLOCK, 4)."""
    return gl.sum(gl.sum(weights.reshape(BLOCK, BLOCK // 8, 4, 2), 3), 1)
