"""Between the merged projection and attention: norm and rotation of Q and K, mixing of V.

Shapes: T tokens, H heads, E features of a head. A program takes one token at a time and goes on
with the token PROGRAMS further down. Feature i of a head turns with feature i + E / 2, and only
the first E / 4 of these pairs turn at all (`trainer.operations.rotary.rotary_tables`).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.residual import require_contiguous, wide_dtype

# The sums over tokens are one partial a program: fixed, so that every card adds in one order.
# Chosen for an H200, 8 for each of its 132 multiprocessors: all are resident at once, since
# compiled for sm_90 the backward takes 128 registers a thread, the forward 48.
PROGRAMS = 1056
# Chosen for H = 6, E = 128: loads of 16 bytes. The forward holds the halves of Q and K together,
# the backward those of one of them.
WARPS = 4
BACKWARD_WARPS = 2


def split_heads(
    qkv: Tensor,
    mix: Tensor,
    table: Tensor | None,
    tokens: Tensor | None,
    cos: Tensor,
    sin: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Normalise and turn Q and K in place, and mix V with the value embedding.

    q = rotate(q * rstd) with rstd = 1 / sqrt(mean(q^2) + eps) of each head, likewise k;
    v = mix[0] * v_raw + mix[1] * table[tokens].

    Args:
        qkv: (T, 3, H, E), contiguous; q and k are overwritten, the raw v stays.
        mix: (2,) float32.
        table: value embeddings (vocabulary, H * E), contiguous, or None: v = mix[0] * v_raw.
        tokens: (T,) integers below the vocabulary; None without a table.
        cos: (at least T, E) float32 from `rotary_tables`, contiguous; likewise `sin`.
        sin: of which the first half holds the sines.
        eps: of the norm.

    Returns:
        v (T, H, E) in the dtype of `qkv`, and rstd (T, 2H), those of q first, in float32 (float64
        for float64).

    Raises:
        ValueError: a tensor is not contiguous, or a table comes without tokens.
    """
    require_contiguous(qkv, mix, table, tokens, cos, sin)
    if (table is None) != (tokens is None):
        raise ValueError("a table needs tokens, and tokens need a table")
    length, _, heads, size = qkv.shape
    v = qkv.new_empty(length, heads, size)
    rstd = qkv.new_empty(length, 2 * heads, dtype=wide_dtype(qkv))
    _split_heads[(min(length, PROGRAMS),)](
        qkv,
        mix,
        table,
        tokens,
        cos,
        sin,
        v,
        rstd,
        eps,
        length,
        HEADS=heads,
        SIZE=size,
        num_warps=WARPS,
    )
    return v, rstd


def split_heads_backward(
    d_q: Tensor,
    d_k: Tensor,
    d_v: Tensor,
    qkv: Tensor,
    rstd: Tensor,
    mix: Tensor,
    table: Tensor | None,
    tokens: Tensor | None,
    cos: Tensor,
    sin: Tensor,
) -> tuple[Tensor, Tensor]:
    """Gradients of qkv and mix from those of q, k and v; that of the table is mix[1] * d_v.

    With g the gradient of a turned head q: d_q_raw = rstd * turn_back(g - q * mean(g * q)), since
    turning q and g alike keeps their product; d_v_raw = mix[0] * d_v;
    d_mix = [sum(d_v * v_raw), sum(d_v * table[tokens])].

    Args:
        d_q: (T, H, E), of any strides but 1 in E; likewise `d_k` and `d_v`.
        d_k: (T, H, E).
        d_v: (T, H, E).
        qkv: as `split_heads` left it; likewise `rstd`, which it returned.
        rstd: (T, 2H).
        mix: as `split_heads` took it; likewise the rest.
        table: (vocabulary, H * E) or None.
        tokens: (T,) or None.
        cos: (at least T, E).
        sin: (at least T, E).

    Returns:
        d_qkv (T, 3, H, E), contiguous, in the dtype of `qkv`, and d_mix (2,) in that of `rstd`.

    Raises:
        ValueError: a tensor has other strides than these.
    """
    require_contiguous(qkv, rstd, mix, table, tokens, cos, sin)
    for gradient in (d_q, d_k, d_v):
        if gradient.stride(2) != 1:
            raise ValueError(f"a gradient's strides are {gradient.stride()}, the last must be 1")
    length, _, heads, size = qkv.shape
    programs = min(length, PROGRAMS)
    d_qkv = torch.empty_like(qkv)
    partials = rstd.new_empty(programs, 2)
    _split_heads_backward[(programs,)](
        d_q,
        d_k,
        d_v,
        *d_q.stride()[:2],
        *d_k.stride()[:2],
        *d_v.stride()[:2],
        qkv,
        rstd,
        mix,
        table,
        tokens,
        cos,
        sin,
        d_qkv,
        partials,
        length,
        HEADS=heads,
        SIZE=size,
        num_warps=BACKWARD_WARPS,
    )
    return d_qkv, partials.sum(0)


@triton.jit
def _load_angles(cos_ptr, sin_ptr, token, feature, SIZE: tl.constexpr, WIDE: tl.constexpr):
    """Cosines and sines of one token for half a head; pairs that stand still have the angle 0."""
    turns = feature < SIZE // 4
    cos = tl.load(cos_ptr + token * SIZE + feature, mask=turns, other=1).to(WIDE)
    sin = tl.load(sin_ptr + token * SIZE + feature, mask=turns, other=0).to(WIDE)
    return cos, sin


# Rows of a matrix of scalars differ in alignment; one binary is to serve them all.
@triton.jit(do_not_specialize_on_alignment=["mix_ptr"])
def _split_heads(
    qkv_ptr,
    mix_ptr,
    table_ptr,
    tokens_ptr,
    cos_ptr,
    sin_ptr,
    v_ptr,
    rstd_ptr,
    eps,
    n_tokens,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
):
    WIDE: tl.constexpr = rstd_ptr.dtype.element_ty
    WIDTH: tl.constexpr = HEADS * SIZE
    # Q and K lie side by side: 2H heads.
    head = tl.arange(0, triton.next_power_of_2(2 * HEADS))
    feature = tl.arange(0, triton.next_power_of_2(SIZE // 2))[None, :]
    inside = (head[:, None] < 2 * HEADS) & (feature < SIZE // 2)
    lower = head[:, None] * SIZE + feature
    upper = lower + SIZE // 2
    columns = tl.arange(0, triton.next_power_of_2(WIDTH))
    mix_v = tl.load(mix_ptr).to(WIDE)
    mix_table = tl.load(mix_ptr + 1).to(WIDE)
    token = tl.program_id(0).to(tl.int64)
    while token < n_tokens:
        own_ptr = qkv_ptr + token * (3 * WIDTH)
        first = tl.load(own_ptr + lower, mask=inside, other=0).to(WIDE)
        second = tl.load(own_ptr + upper, mask=inside, other=0).to(WIDE)
        v = tl.load(own_ptr + 2 * WIDTH + columns, mask=columns < WIDTH, other=0).to(WIDE)
        cos, sin = _load_angles(cos_ptr, sin_ptr, token, feature, SIZE, WIDE)
        rstd = tl.rsqrt(tl.sum(first * first + second * second, 1) / SIZE + eps)
        first *= rstd[:, None]
        second *= rstd[:, None]
        tl.store(own_ptr + lower, first * cos + second * sin, mask=inside)
        tl.store(own_ptr + upper, second * cos - first * sin, mask=inside)
        tl.store(rstd_ptr + token * (2 * HEADS) + head, rstd, mask=head < 2 * HEADS)
        v *= mix_v
        if table_ptr is not None:
            row_ptr = table_ptr + tl.load(tokens_ptr + token).to(tl.int64) * WIDTH
            v += mix_table * tl.load(row_ptr + columns, mask=columns < WIDTH, other=0).to(WIDE)
        tl.store(v_ptr + token * WIDTH + columns, v, mask=columns < WIDTH)
        token += tl.num_programs(0)


@triton.jit
def _heads_backward(
    d_out_ptr,
    head_stride,
    out_ptr,
    rstd_ptr,
    d_raw_ptr,
    cos,
    sin,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
):
    """H heads of one token, turned back and taken before their norm."""
    head = tl.arange(0, triton.next_power_of_2(HEADS))
    feature = tl.arange(0, triton.next_power_of_2(SIZE // 2))[None, :]
    inside = (head[:, None] < HEADS) & (feature < SIZE // 2)
    d_lower_ptr = d_out_ptr + head[:, None] * head_stride + feature
    lower = head[:, None] * SIZE + feature
    upper = lower + SIZE // 2
    rstd = tl.load(rstd_ptr + head, mask=head < HEADS, other=0)[:, None]
    d_first = tl.load(d_lower_ptr, mask=inside, other=0).to(rstd.dtype)
    d_second = tl.load(d_lower_ptr + SIZE // 2, mask=inside, other=0).to(rstd.dtype)
    first = tl.load(out_ptr + lower, mask=inside, other=0).to(rstd.dtype)
    second = tl.load(out_ptr + upper, mask=inside, other=0).to(rstd.dtype)
    mean = tl.sum(d_first * first + d_second * second, 1)[:, None] / SIZE
    d_first = rstd * (d_first - first * mean)
    d_second = rstd * (d_second - second * mean)
    tl.store(d_raw_ptr + lower, d_first * cos - d_second * sin, mask=inside)
    tl.store(d_raw_ptr + upper, d_second * cos + d_first * sin, mask=inside)


@triton.jit(do_not_specialize_on_alignment=["mix_ptr"])
def _split_heads_backward(
    d_q_ptr,
    d_k_ptr,
    d_v_ptr,
    q_token_stride,
    q_head_stride,
    k_token_stride,
    k_head_stride,
    v_token_stride,
    v_head_stride,
    qkv_ptr,
    rstd_ptr,
    mix_ptr,
    table_ptr,
    tokens_ptr,
    cos_ptr,
    sin_ptr,
    d_qkv_ptr,
    partials_ptr,
    n_tokens,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
):
    WIDE: tl.constexpr = rstd_ptr.dtype.element_ty
    WIDTH: tl.constexpr = HEADS * SIZE
    BLOCK: tl.constexpr = triton.next_power_of_2(WIDTH)
    feature = tl.arange(0, triton.next_power_of_2(SIZE // 2))[None, :]
    columns = tl.arange(0, BLOCK)
    inside = columns < WIDTH
    d_v_columns = columns // SIZE * v_head_stride + columns % SIZE
    mix_v = tl.load(mix_ptr).to(WIDE)
    # Summed over tokens first and over columns at the end, where a barrier costs nothing.
    d_mix_v = tl.zeros((BLOCK,), WIDE)
    d_mix_table = tl.zeros((BLOCK,), WIDE)
    token = tl.program_id(0).to(tl.int64)
    while token < n_tokens:
        own_ptr = qkv_ptr + token * (3 * WIDTH)
        d_own_ptr = d_qkv_ptr + token * (3 * WIDTH)
        own_rstd_ptr = rstd_ptr + token * (2 * HEADS)
        cos, sin = _load_angles(cos_ptr, sin_ptr, token, feature, SIZE, WIDE)
        d_v = tl.load(d_v_ptr + token * v_token_stride + d_v_columns, mask=inside, other=0).to(WIDE)
        d_mix_v += d_v * tl.load(own_ptr + 2 * WIDTH + columns, mask=inside, other=0).to(WIDE)
        if table_ptr is not None:
            row_ptr = table_ptr + tl.load(tokens_ptr + token).to(tl.int64) * WIDTH
            d_mix_table += d_v * tl.load(row_ptr + columns, mask=inside, other=0).to(WIDE)
        tl.store(d_own_ptr + 2 * WIDTH + columns, mix_v * d_v, mask=inside)
        _heads_backward(
            d_q_ptr + token * q_token_stride,
            q_head_stride,
            own_ptr,
            own_rstd_ptr,
            d_own_ptr,
            cos,
            sin,
            HEADS,
            SIZE,
        )
        _heads_backward(
            d_k_ptr + token * k_token_stride,
            k_head_stride,
            own_ptr + WIDTH,
            own_rstd_ptr + HEADS,
            d_own_ptr + WIDTH,
            cos,
            sin,
            HEADS,
            SIZE,
        )
        token += tl.num_programs(0)
    tl.store(partials_ptr + tl.program_id(0) * 2, tl.sum(d_mix_v, 0))
    tl.store(partials_ptr + tl.program_id(0) * 2 + 1, tl.sum(d_mix_table, 0))
