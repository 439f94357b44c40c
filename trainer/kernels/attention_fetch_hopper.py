"""The warp that fetches for attention's forward kernel on Hopper, and what it shares with the rest.

A program computes tile after tile, of GROUPS * BLOCK queries of one head. Each of its warpgroups
has BLOCK of these queries. All of them need the same keys and values, or almost, which one more
warp fetches through the copy engine: one tile of each a step, and already the next tile's while the
last one ends.

Shapes: T tokens, H heads, E features of a head.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import mbarrier, tma

from trainer.kernels.pieces_hopper import barriers, end

E = gl.constexpr(128)
# Queries of a warpgroup, and keys of a step.
BLOCK = gl.constexpr(64)
GROUPS = gl.constexpr(3)
# Steps in flight between memory and the tensor cores, and tiles of queries.
STAGES = gl.constexpr(4)
ROOMS = gl.constexpr(2)
# Bounds that travel with a tile: a power of two, at least one for each query.
BOUNDS = gl.constexpr(256)

# How the warp that fetches holds a number, and bounds.
LANES = gl.constexpr(gl.BlockedLayout([1], [32], [1], [0]))
SPREAD = gl.constexpr(gl.BlockedLayout([4], [32], [1], [0]))
# How shared memory holds tiles, and numbers.
TILE = gl.constexpr(gl.NVMMASharedLayout(128, 16, 2))
LINE = gl.constexpr(gl.SwizzledSharedLayout(1, 1, 1, [0]))


class Shared(NamedTuple):
    """Shared memory of a program, with a barrier each for what is full and for what is empty.

    Attributes:
        queries: rooms for tiles of queries, a part for each warpgroup; outputs leave from there.
        tile: the number of a room's tile.
        lows: the lowest key that each of its queries sees.
        q_full: of each part of a room.
        q_empty: likewise.
        keys_of: stages of keys.
        values_of: the same stages' values, which belong to the keys of the step before.
        full: of each stage.
        empty: likewise.
    """

    queries: Any
    tile: Any
    lows: Any
    q_full: Any
    q_empty: Any
    keys_of: Any
    values_of: Any
    full: Any
    empty: Any


@gluon.jit
def open_shared():
    """Allocate shared memory and start the barriers."""
    STAGE_SHAPE: gl.constexpr = [STAGES, BLOCK, E]
    return Shared(
        gl.allocate_shared_memory(gl.bfloat16, [ROOMS * GROUPS, BLOCK, E], TILE),
        gl.allocate_shared_memory(gl.int32, [ROOMS, 1], LINE),
        gl.allocate_shared_memory(gl.int32, [ROOMS, BOUNDS], LINE),
        barriers(ROOMS * GROUPS),
        barriers(ROOMS * GROUPS),
        gl.allocate_shared_memory(gl.bfloat16, STAGE_SHAPE, TILE),
        gl.allocate_shared_memory(gl.bfloat16, STAGE_SHAPE, TILE),
        barriers(STAGES),
        barriers(STAGES, GROUPS),
    )


@gluon.jit
def close_shared(shared):
    """End the barriers: their memory may not be used for anything else before.

    The compiler also has to keep the rooms, from which the copy engine still reads.
    """
    shared.queries._keep_alive()
    end(shared.q_full, ROOMS * GROUPS)
    end(shared.q_empty, ROOMS * GROUPS)
    end(shared.full, STAGES)
    end(shared.empty, STAGES)


@gluon.jit
def fetch(q, k, v, low, shared, tokens, heads):
    """Fetch every tile of this program: its queries and bounds, then its keys and values."""
    tile_count = count_tiles(tokens, heads)
    i, step = gl.to_tensor(0), gl.to_tensor(0)
    tile = gl.program_id(0)
    lows = _load_lows(low, tile, tokens, heads)
    while tile < tile_count:
        # The next tile's bounds are under way while this one is fetched.
        following = tile + gl.num_programs(0)
        following_lows = _load_lows(low, following, tokens, heads)
        first, column = tile // heads * (GROUPS * BLOCK), tile % heads * E
        room = _announce(shared, i, tile, lows)
        _fetch_queries(q, shared, room, first, column)
        step = _fetch_steps(k, v, shared, room, first, column, step)
        i += 1
        tile, lows = following, following_lows
    # A number behind the last tile tells the others to stop.
    room = _announce(shared, i, tile, lows)
    for group in gl.static_range(GROUPS):
        mbarrier.arrive(shared.q_full.index(room * GROUPS + group), count=1)


@gluon.jit
def _load_lows(low, tile, tokens, heads):
    queries = tile // heads * (GROUPS * BLOCK) + gl.arange(0, BOUNDS, layout=SPREAD)
    return gl.load(low + gl.minimum(queries, tokens - 1))


@gluon.jit
def _announce(shared, i, tile, lows):
    """Write the i-th tile's number and bounds into a room as soon as that is empty."""
    room = i % ROOMS
    for group in gl.static_range(GROUPS):
        # Empty at first: the phase of its barrier before any arrival.
        mbarrier.wait(shared.q_empty.index(room * GROUPS + group), 1 - i // ROOMS % 2)
    shared.tile.index(room).store(gl.full([1], tile, gl.int32, LANES))
    shared.lows.index(room).store(lows)
    # All lanes have written before one of them arrives.
    gl.thread_barrier()
    return room


@gluon.jit
def _fetch_queries(q, shared, room, first, column):
    for group in gl.static_range(GROUPS):
        part = room * GROUPS + group
        full = shared.q_full.index(part)
        mbarrier.expect(full, BLOCK * E * 2)
        at = [first + group * BLOCK, column]
        tma.async_copy_global_to_shared(q, at, full, shared.queries.index(part))


@gluon.jit
def _fetch_steps(k, v, shared, room, first, column, step):
    """Fetch the keys of each step, and in the next one their values."""
    BYTES: gl.constexpr = BLOCK * E * 2
    begin = begin_of(read(shared.lows.index(room).slice(0, 1), LANES), first)
    steps = (first + GROUPS * BLOCK - begin) // BLOCK
    for s in range(steps + 1):
        stage, phase = stage_of(step)
        mbarrier.wait(shared.empty.index(stage), 1 - phase)
        full = shared.full.index(stage)
        mbarrier.expect(full, BYTES, pred=(s == 0) | (s == steps))
        mbarrier.expect(full, 2 * BYTES, pred=(s > 0) & (s < steps))
        start = begin + s * BLOCK
        tma.async_copy_global_to_shared(
            k, [start, column], full, shared.keys_of.index(stage), pred=s < steps
        )
        tma.async_copy_global_to_shared(
            v, [start - BLOCK, column], full, shared.values_of.index(stage), pred=s > 0
        )
        step += 1
    return step


@gluon.jit
def count_tiles(tokens, heads):
    """Tiles of all programs; the last of a head may reach beyond the last token."""
    return gl.cdiv(tokens, GROUPS * BLOCK) * heads


@gluon.jit
def begin_of(lowest, first):
    """The first key that is visited, where the first query sees from `lowest` on.

    Two steps at least: if the loop over them could be skipped, the assembler would have every
    product waited for. Keys before the first token are zeros, which no query sees.
    """
    return gl.minimum(lowest // BLOCK * BLOCK, first - BLOCK)


@gluon.jit
def stage_of(step):
    """The stage of a step of this program's, and how often it was full before, modulo 2."""
    return step % STAGES, step // STAGES % 2


@gluon.jit
def read(number, LAYOUT: gl.constexpr):
    """A number from shared memory that all threads know then."""
    return gl.max(number.load(LAYOUT), 0)
