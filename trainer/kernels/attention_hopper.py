"""Gradients of keys and values on Hopper, whose asynchronous units this kernel schedules itself.

It computes what the kernel of `attention_keys` computes, and leaves the same tiles of
d_S to the queries' kernel. It is written in Gluon, Triton's language in which the program and not
the compiler says when a product is waited for: the exponentials run beside the product of d_P, d_S
beside that of d_V, and the last two products of a tile beside the first of the next tile. Weights
and d_S go from the registers of one product into the next.

Shapes: T tokens, H heads, E features of a head. A tile is (BLOCK, E) of one head.
"""

from __future__ import annotations

from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import (
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_init,
    warpgroup_mma_wait,
)
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor

from trainer.kernels import common
from trainer.kernels.attention_keys import Mixing
from trainer.kernels.tiles import merged_heads

LOG2_E = gl.constexpr(common.LOG2_E.value)
E = gl.constexpr(128)
# Keys and queries of a tile of scores. With 64, two programs share a multiprocessor, and what one
# of them waits for hides behind the other's products.
BLOCK = gl.constexpr(64)
# Tiles of queries: one is in use while the next arrives, and shared memory holds no third.
STAGES = gl.constexpr(2)
WARPS = 4

# How registers hold scores (keys, queries), what is added up (keys, E), a product's first factor,
# and rows that are read from memory, 16 bytes a thread.
SCORES = gl.constexpr(gl.NVMMADistributedLayout([3, 0], [WARPS, 1], [16, BLOCK.value, 16]))
ACC = gl.constexpr(gl.NVMMADistributedLayout([3, 0], [WARPS, 1], [16, E.value, 16]))
FACTOR = gl.constexpr(gl.DotOperandLayout(0, ACC.value, 2))
ROWWISE = gl.constexpr(gl.BlockedLayout([1, 8], [2, 16], [WARPS, 1], [1, 0]))
# How shared memory holds tiles, angles, and the two numbers of each query, together and one by one.
TILE = gl.constexpr(gl.NVMMASharedLayout(128, 16, 2))
ANGLES = gl.constexpr(gl.NVMMASharedLayout(128, 32, 2))
PAIRS = gl.constexpr(gl.NVMMASharedLayout(0, 32, 2))
LINE = gl.constexpr(gl.NVMMASharedLayout(0, 32, 1))


def keys_gradients(
    own: tuple[Tensor | None, ...],
    visited: tuple[Tensor, ...],
    high: Tensor,
    kept: Tensor,
    slots: int,
    lse_delta: Tensor,
    scale: float,
    mixing: Mixing,
) -> None:
    """Start a program for each tile of keys of each head.

    Args:
        own: k, v, d_k, d_v, the raw v, and d_mixed_v or None: (T, H, E), heads side by side.
        visited: q and d_out, likewise.
        high: last query that sees a key, (T,).
        kept: room for the tiles of d_S, one below the other.
        slots: how many of them a block of keys has at most.
        lse_delta: (2, H, T): logarithms to base 2 of the denominators, and delta.
        scale: what scores are multiplied by.
        mixing: what the gradients pass through.

    Raises:
        ValueError: heads are not side by side.
    """
    first = own[0]
    assert first is not None  # noqa: S101 - as the docstring says
    tokens, heads, _ = first.shape
    block, quarter = BLOCK.value, E.value // 4
    _keys_kernel[heads, tokens // block](
        *(None if t is None else _tiles(t) for t in own + visited),
        TensorDescriptor.from_tensor(lse_delta.flatten(1), [2, block], PAIRS.value),
        *(TensorDescriptor.from_tensor(t, [block, quarter], ANGLES.value) for t in mixing[1:3]),
        TensorDescriptor.from_tensor(kept, [block, block], TILE.value),
        slots,
        high,
        scale,
        mixing.rstd,
        *mixing[3:],
        num_warps=WARPS,
    )


def _tiles(tensor: Tensor) -> TensorDescriptor:
    return TensorDescriptor.from_tensor(merged_heads(tensor), [BLOCK.value, E.value], TILE.value)


# Windows widen during a training, and rows of a matrix of scalars differ in alignment; one binary
# is to serve them all.
@gluon.jit(do_not_specialize=["slots"], do_not_specialize_on_alignment=["mix"])
def _keys_kernel(
    k,
    v,
    d_k,
    d_v,
    raw_v,
    d_mixed_v,
    q,
    d_out,
    lse_delta,
    cos,
    sin,
    kept,
    slots,
    high,
    scale,
    rstd,
    mix,
    table,
    tokens,
    partials,
):
    """One tile each of d_k and d_v; scores and weights are transposed, (keys, queries).

    Their gradients are kept.
    """
    head, first = gl.program_id(0), gl.program_id(1) * BLOCK
    # Behind the last query that sees a key: a whole number of tiles from the first.
    end = (gl.load(high + first + BLOCK - 1) // BLOCK + 1) * BLOCK
    # Fetch the program's own tiles, and fill the stages.
    key_tile = gl.allocate_shared_memory(gl.bfloat16, [BLOCK, E], TILE)
    value_tile = gl.allocate_shared_memory(gl.bfloat16, [BLOCK, E], TILE)
    d_scores_tile = gl.allocate_shared_memory(gl.bfloat16, [BLOCK, BLOCK], TILE)
    own_full = gl.allocate_shared_memory(gl.int64, [1], mbarrier.MBarrierLayout())
    mbarrier.init(own_full, count=1)
    stages = _open_stages()
    mbarrier.expect(own_full, 2 * BLOCK * E * 2)
    tma.async_copy_global_to_shared(k, [first, head * E], own_full, key_tile)
    tma.async_copy_global_to_shared(v, [first, head * E], own_full, value_tile)
    sources = (q, d_out, lse_delta, raw_v, cos, sin)
    for i in gl.static_range(STAGES):
        _fetch(sources, stages, i, first + i * BLOCK, first, end, head)
    mbarrier.wait(own_full, 0)
    own = (key_tile, value_tile, d_scores_tile)
    acc_k, acc_v, stage, phase = _add_up(
        own, sources, stages, first, end, head, high, kept, slots, scale
    )
    # Loaded while the last products run.
    rows = first + gl.arange(0, BLOCK, layout=gl.SliceLayout(1, ACC))
    own_rstd = gl.load(rstd + (2 * rows + 1) * gl.num_programs(0) + head)
    acc_k, acc_v = warpgroup_mma_wait(0, deps=(acc_k, acc_v))
    # Epilogue: keys back through rotation and norm, values through mixing.
    query_tiles, d_out_tiles, _, full_q, full_d, _ = stages
    mbarrier.wait(full_d.index(stage), phase)
    turns = d_out_tiles.index(stage)._reinterpret(gl.float32, [2, BLOCK, E // 4], ANGLES)
    key = key_tile.load(ACC).to(gl.float32)
    d_raw_k = _before_turn_and_norm(acc_k * scale, key, turns, own_rstd)
    _store(d_k, first, head, d_raw_k, key_tile)
    mbarrier.wait(full_q.index(stage), phase)
    raw = query_tiles.index(stage).load(ACC).to(gl.float32)
    d_raw_v = _before_mixing(
        acc_v, raw, d_mixed_v, first, head, mix, table, tokens, partials, value_tile
    )
    _store(d_v, first, head, d_raw_v, value_tile)
    tma.store_wait(0)
    _close(own, stages, own_full)


@gluon.jit
def _add_up(own, sources, stages, first, end, head, high, kept, slots, scale):
    """The sums of d_k, to be scaled, and of d_v over all tiles of queries; d_S is kept.

    The last products still run. Returned too are the stage behind the last tile and its phase.
    """
    query_tiles, d_out_tiles, lines, full_q, full_d, full_l = stages
    key_tile, value_tile, d_scores_tile = own
    keys = first + gl.arange(0, BLOCK, layout=gl.SliceLayout(1, SCORES))
    highest, seen_by_all = gl.load(high + keys), gl.load(high + first)
    acc_k = warpgroup_mma_init(gl.zeros((BLOCK, E), gl.float32, ACC))
    acc_v = warpgroup_mma_init(gl.zeros((BLOCK, E), gl.float32, ACC))
    none = gl.zeros((BLOCK, BLOCK), gl.float32, SCORES)
    row = (head * gl.num_programs(1) * BLOCK + first) * slots  # of the tiles of d_S
    stage, phase = gl.to_tensor(0), gl.to_tensor(0)
    # If the loop could be skipped, the assembler would have every product waited for.
    gl.assume(first < end)
    for start in range(first, end, BLOCK):
        query, d_mixed = query_tiles.index(stage), d_out_tiles.index(stage)
        mbarrier.wait(full_q.index(stage), phase)
        scores = warpgroup_mma(key_tile, query.permute((1, 0)), none, use_acc=False, is_async=True)
        # The last products of the tile before: then its stage is free, and its d_S is stored.
        acc_k, acc_v = warpgroup_mma_wait(1, deps=(acc_k, acc_v))
        mbarrier.wait(full_d.index(stage), phase)
        d_weights = warpgroup_mma(
            value_tile, d_mixed.permute((1, 0)), none, use_acc=False, is_async=True
        )
        gl.thread_barrier()
        if start > first:
            tma.async_copy_shared_to_global(kept, [row + start - BLOCK - first, 0], d_scores_tile)
            _fetch(sources, stages, 1 - stage, start + BLOCK, first, end, head)
        # The weights once more, from the denominators of the forward pass.
        mbarrier.wait(full_l.index(stage), phase)
        denominator = lines.index(2 * stage).load(gl.SliceLayout(0, SCORES))
        scores = warpgroup_mma_wait(1, deps=(scores,))
        exponent = scores * (scale * LOG2_E) - denominator[None, :]
        if (start < first + BLOCK - 1) | (start + BLOCK > seen_by_all + 1):
            queries = start + gl.arange(0, BLOCK, layout=gl.SliceLayout(0, SCORES))
            seen = (queries[None, :] >= keys[:, None]) & (queries[None, :] <= highest[:, None])
            # Not the scores: who writes to a product's registers has every product waited for.
            exponent = gl.where(seen, exponent, float("-inf"))
        weights = gl.exp2(exponent)
        factor = gl.convert_layout(weights.to(gl.bfloat16), FACTOR)
        acc_v = warpgroup_mma(factor, d_mixed, acc_v, is_async=True)
        # The gradient of the scores, kept for the queries' kernel.
        d_weights = warpgroup_mma_wait(1, deps=(d_weights,))
        delta = lines.index(2 * stage + 1).load(gl.SliceLayout(0, SCORES))
        d_scores = (weights * (d_weights - delta[None, :])).to(gl.bfloat16)
        acc_k = warpgroup_mma(gl.convert_layout(d_scores, FACTOR), query, acc_k, is_async=True)
        tma.store_wait(0)
        d_scores_tile.store(d_scores)
        fence_async_shared()
        phase = phase ^ stage
        stage = 1 - stage
    gl.thread_barrier()
    tma.async_copy_shared_to_global(kept, [row + end - BLOCK - first, 0], d_scores_tile)
    return acc_k, acc_v, stage, phase


@gluon.jit
def _open_stages():
    """Room for tiles of queries, of d_out and for their numbers, and a barrier for each."""
    query_tiles = gl.allocate_shared_memory(gl.bfloat16, [STAGES, BLOCK, E], TILE)
    d_out_tiles = gl.allocate_shared_memory(gl.bfloat16, [STAGES, BLOCK, E], TILE)
    lines = gl.allocate_shared_memory(gl.float32, [2 * STAGES, BLOCK], LINE)
    full_q = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    full_d = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    full_l = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    for i in gl.static_range(STAGES):
        mbarrier.init(full_q.index(i), count=1)
        mbarrier.init(full_d.index(i), count=1)
        mbarrier.init(full_l.index(i), count=1)
    return query_tiles, d_out_tiles, lines, full_q, full_d, full_l


@gluon.jit
def _close(own, stages, own_full):
    """End the barriers, and keep what the copy engine may read after the call that stores it.

    Otherwise the compiler puts other things there. With d_S in the place of a barrier, the
    barrier's eight bytes were back in it now and then.
    """
    key_tile, _, d_scores_tile = own
    _, _, _, full_q, full_d, full_l = stages
    mbarrier.invalidate(own_full)
    for i in gl.static_range(STAGES):
        mbarrier.invalidate(full_q.index(i))
        mbarrier.invalidate(full_d.index(i))
        mbarrier.invalidate(full_l.index(i))
    key_tile._keep_alive()
    d_scores_tile._keep_alive()


@gluon.jit
def _fetch(sources, stages, stage, start, first, end, head):
    """Fill a stage with the queries from `start`; behind the last, with what the epilogue needs.

    All barriers are set first, and copies share one only where they have to: each time, all threads
    have to meet.
    """
    q, d_out, lse_delta, raw_v, cos, sin = sources
    query_tiles, d_out_tiles, lines, full_q, full_d, full_l = stages
    mbarrier.expect(full_q.index(stage), BLOCK * E * 2, pred=start <= end)
    mbarrier.expect(full_d.index(stage), BLOCK * E * 2, pred=start <= end)
    mbarrier.expect(full_l.index(stage), 2 * BLOCK * 4, pred=start < end)
    room_q, room_d = query_tiles.index(stage), d_out_tiles.index(stage)
    if start < end:
        tma.async_copy_global_to_shared(q, [start, head * E], full_q.index(stage), room_q)
        tma.async_copy_global_to_shared(d_out, [start, head * E], full_d.index(stage), room_d)
        pairs = lines.index(2 * stage)._reinterpret(gl.float32, [2, BLOCK], PAIRS)
        at = [0, head * gl.num_programs(1) * BLOCK + start]
        tma.async_copy_global_to_shared(lse_delta, at, full_l.index(stage), pairs)
    if start == end:
        tma.async_copy_global_to_shared(raw_v, [first, head * E], full_q.index(stage), room_q)
        turns = room_d._reinterpret(gl.float32, [2, BLOCK, E // 4], ANGLES)
        tma.async_copy_global_to_shared(cos, [first, 0], full_d.index(stage), turns.index(0))
        tma.async_copy_global_to_shared(sin, [first, 0], full_d.index(stage), turns.index(1))


@gluon.jit
def _before_turn_and_norm(d_tile, tile, turns, rstd):
    """The gradient of raw heads from that of the turned ones, `tile`."""
    mean = gl.sum(d_tile * tile, 1) / E
    d_tile = (d_tile - tile * mean[:, None]) * rstd[:, None]
    # Features are two halves, which turn with each other, of E / 4 that turn and E / 4 that do not.
    turning, still = d_tile.reshape(BLOCK, 2, 2, E // 4).permute(0, 3, 1, 2).split()
    lower, upper = turning.split()
    cos = turns.index(0).load(lower.type.layout)
    sin = turns.index(1).load(lower.type.layout)
    turning = gl.join(lower * cos - upper * sin, upper * cos + lower * sin)
    still = gl.convert_layout(still, turning.type.layout)
    quarters = gl.join(turning, still).permute(0, 2, 3, 1)
    return gl.convert_layout(quarters.reshape(BLOCK, E), ACC)


@gluon.jit
def _before_mixing(d_tile, raw, d_mixed_v, first, head, mix, table, tokens, partials, room):
    """The gradient of the raw v from that of the mixed v.

    Writes the latter where a table needs it, and the program's part of d_mix.
    """
    own = partials + (gl.program_id(1) * gl.num_programs(0) + head) * 2
    gl.store(own, gl.sum(gl.sum(d_tile * raw, 1), 0))
    if table is not None:
        embedded = _load_embedded(table, tokens, first, head, room)
        gl.store(own + 1, gl.sum(gl.sum(d_tile * embedded, 1), 0))
        _store(d_mixed_v, first, head, d_tile, room)
        tma.store_wait(0)
    else:
        gl.store(own + 1, 0.0)
    return d_tile * gl.load(mix)


@gluon.jit
def _load_embedded(table, tokens, first, head, room):
    """The tokens' rows of the table, in the registers that hold what is added up."""
    rows = gl.load(tokens + first + gl.arange(0, BLOCK, layout=gl.SliceLayout(1, ROWWISE)))
    features = head * E + gl.arange(0, E, layout=gl.SliceLayout(0, ROWWISE))
    width = gl.num_programs(0) * E
    room.store(gl.load(table + rows.to(gl.int64)[:, None] * width + features[None, :]))
    return room.load(ACC).to(gl.float32)


@gluon.jit
def _store(target, first, head, tile, room):
    """Round a tile and write it by way of shared memory."""
    room.store(tile.to(gl.bfloat16))
    fence_async_shared()
    tma.async_copy_shared_to_global(target, [first, head * E], room)
