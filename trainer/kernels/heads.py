"""Between the merged projection and attention: norm and rotation of Q and K, mixing of V.

Shapes: T tokens, H heads, E features of a head. A program takes one token at a time and goes on
with the token PROGRAMS further down. Feature i of a head turns with feature i + E / 2, and only
the first E / 4 of these pairs turn at all (`trainer.operations.rotary.rotary_tables`).
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from trainer.kernels.common import require_contiguous, wide_dtype

# Chosen for an H200, 8 for each of its 132 multiprocessors: all are resident at once.
PROGRAMS = 1056
# Chosen for H = 6, E = 128: loads of 16 bytes.
WARPS = 4


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
        sin: the sines, in its first half.
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


@triton.jit
def load_angles(cos_ptr, sin_ptr, token, feature, SIZE: tl.constexpr, WIDE: tl.constexpr):
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
        cos, sin = load_angles(cos_ptr, sin_ptr, token, feature, SIZE, WIDE)
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
