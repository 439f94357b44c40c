"""The merged projection with everything that stands between it and attention in its epilogue.

One kernel takes the place of a product and `heads.split_heads`: a tile of the product holds a whole
head in float32, so that Q and K are normalised and turned, and V is mixed, before they are
rounded and written. Beyond its factors, it reads angles and rows of the value embeddings only.

Shapes: T tokens, D features, H heads, E features of a head. Feature i of a head turns with feature
i + E / 2, and only the first E / 4 of these pairs turn at all
(`trainer.operations.rotary.rotary_tables`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from trainer.kernels.heads import _load_angles, split_heads
from trainer.kernels.mlp import _corner
from trainer.kernels.residual import require_contiguous, wide_dtype


@dataclass(frozen=True)
class ProjectConfig:
    """How the product is cut up; no field changes a result beyond the order of summation.

    Args:
        block_m: tokens of a tile.
        block_k: terms of a step of the inner loop.
        stages: steps in flight between memory and the tensor cores.
        warps: warps of a program; four make one warpgroup.
        group: rows of tiles that are visited together, column by column.
    """

    block_m: int
    block_k: int
    stages: int
    warps: int
    group: int = 4


@dataclass(frozen=True)
class _Plan:
    """What the kernel is compiled for."""

    terms: int
    heads: int
    size: int
    wide: tl.dtype
    widen: bool
    config: ProjectConfig


# Measured on an H200 for E = 128 (docs/performance-log.md): two such programs share a
# multiprocessor (245 registers, 96 KiB), and one's epilogue hides behind the other's products.
HOPPER = ProjectConfig(block_m=128, block_k=64, stages=3, warps=4)
HOPPER_HEAD_SIZE = 128


def project(
    normed: Tensor,
    qkv: Tensor,
    mix: Tensor,
    table: Tensor | None,
    tokens: Tensor | None,
    cos: Tensor,
    sin: Tensor,
    eps: float,
    config: ProjectConfig | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Project to heads, normalise and turn Q and K, and mix V with the value embedding.

    With q_raw, k_raw, v_raw = normed @ qkv.T: q = rotate(q_raw * rstd) with
    rstd = 1 / sqrt(mean(q_raw^2) + eps) of each head, likewise k;
    v = mix[0] * v_raw + mix[1] * table[tokens]. Before sm_90, and for other types and head sizes
    than bfloat16 and 128, this is a product that is rounded, then `split_heads`.

    Args:
        normed: (T, D), contiguous as everything here.
        qkv: (3, H * E, D), in the dtype of `normed`.
        mix: (2,) float32.
        table: value embeddings (vocabulary, H * E), or None: v = mix[0] * v_raw.
        tokens: (T,) integers below the vocabulary; None without a table.
        cos: (at least T, E) float32 from `rotary_tables`; likewise `sin`.
        sin: of which the first half holds the sines.
        eps: of the norm.
        config: of the kernel; by default the one for the device, type and size, if there is one.

    Returns:
        projected (T, 3, H, E), which holds q, k and v_raw, and v (T, H, E), both in the dtype of
        `normed`; rstd (T, 2H), those of q first, in float32 (float64 for float64).

    Raises:
        ValueError: a tensor is not contiguous, shapes or types do not fit, or a table comes
            without tokens.
    """
    require_contiguous(normed, qkv, mix, table, tokens, cos, sin)
    _check(normed, qkv, table, tokens, cos)
    config = config or _default_config(normed, cos)
    if config is None:
        length, size = len(normed), cos.shape[1]
        projected = (normed @ qkv.flatten(0, 1).mT).view(length, 3, -1, size)
        return projected, *split_heads(projected, mix, table, tokens, cos, sin, eps)
    return _fused(normed, qkv, mix, table, tokens, cos, sin, eps, config)


def _check(
    normed: Tensor, qkv: Tensor, table: Tensor | None, tokens: Tensor | None, cos: Tensor
) -> None:
    if qkv.shape[0] != 3 or qkv.shape[2] != normed.shape[1] or qkv.shape[1] % cos.shape[1]:
        shapes = ", ".join(str(tuple(t.shape)) for t in (normed, qkv, cos))
        raise ValueError(f"normed, qkv and cos do not fit: {shapes}")
    if qkv.dtype != normed.dtype:
        raise ValueError(f"types differ: {normed.dtype}, {qkv.dtype}")
    if (table is None) != (tokens is None):
        raise ValueError("a table needs tokens, and tokens need a table")


def _default_config(normed: Tensor, cos: Tensor) -> ProjectConfig | None:
    device = normed.device
    hopper = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (9, 0)
    # The copy engine wants rows that start every so many times 16 bytes: 8 numbers of bfloat16.
    aligned = normed.shape[1] % 8 == 0
    fits = normed.dtype == torch.bfloat16 and cos.shape[1] == HOPPER_HEAD_SIZE
    return HOPPER if hopper and aligned and fits else None


def _fused(
    normed: Tensor,
    qkv: Tensor,
    mix: Tensor,
    table: Tensor | None,
    tokens: Tensor | None,
    cos: Tensor,
    sin: Tensor,
    eps: float,
    config: ProjectConfig,
) -> tuple[Tensor, Tensor, Tensor]:
    """Launch the kernel."""
    (length, terms), size = normed.shape, cos.shape[1]
    heads = qkv.shape[1] // size
    projected = normed.new_empty(length, 3, heads, size)
    v = normed.new_empty(length, heads, size)
    rstd = normed.new_empty(length, 2 * heads, dtype=wide_dtype(normed))
    # The interpreter keeps bfloat16 as bits; products of two are exact in float32.
    widen = normed.device.type == "cpu" and normed.dtype == torch.bfloat16
    wide = tl.float64 if normed.dtype == torch.float64 else tl.float32
    # Half a head is written at a time.
    half = [config.block_m, size // 2]
    _project_kernel[(triton.cdiv(length, config.block_m) * 3 * heads,)](
        TensorDescriptor.from_tensor(normed, [config.block_m, config.block_k]),
        TensorDescriptor.from_tensor(qkv.flatten(0, 1), [size, config.block_k]),
        TensorDescriptor.from_tensor(projected.flatten(1), half),
        TensorDescriptor.from_tensor(v.flatten(1), half),
        rstd,
        mix,
        table,
        tokens,
        cos,
        sin,
        eps,
        length,
        PLAN=_Plan(terms, heads, size, wide, widen, config),
        num_warps=config.warps,
        num_stages=config.stages,
    )
    return projected, v, rstd


# Rows of a matrix of scalars differ in alignment; one binary is to serve them all.
@triton.jit(do_not_specialize_on_alignment=["mix_ptr"])
def _project_kernel(
    normed,
    qkv,
    projected,
    v,
    rstd_ptr,
    mix_ptr,
    table_ptr,
    tokens_ptr,
    cos_ptr,
    sin_ptr,
    eps,
    n_tokens,
    PLAN: tl.constexpr,
):
    WIDTH: tl.constexpr = PLAN.heads * PLAN.size
    factors = (normed, qkv)
    turning = (projected, rstd_ptr, cos_ptr, sin_ptr, eps)
    mixing = (projected, v, mix_ptr, table_ptr, tokens_ptr)
    M: tl.constexpr = PLAN.config.block_m
    row, column = _corner(tl.program_id(0), n_tokens, 3 * WIDTH, M, PLAN.size, PLAN.config.group)
    if column < 2 * WIDTH:
        _turned_tile(row, column, factors, turning, n_tokens, PLAN)
    else:
        _mixed_tile(row, column - 2 * WIDTH, factors, mixing, n_tokens, PLAN)


# Angles and embeddings are asked into registers before the products that they turn or join. Where
# they come after, Triton 3.6 moves the products into their layout through shared memory, not them
# into the products'.
@triton.jit
def _turned_tile(row, column, factors, turning, n_tokens, PLAN: tl.constexpr):
    """One head of Q or K, which lie side by side: 2H heads."""
    projected, rstd_ptr, cos_ptr, sin_ptr, eps = turning
    token = row + tl.arange(0, PLAN.config.block_m)
    angles = _angles(cos_ptr, sin_ptr, token, n_tokens, PLAN)
    product = _product(factors, row, column, PLAN)
    rstd_ptr += token.to(tl.int64) * (2 * PLAN.heads) + column // PLAN.size
    _turn(product, row, column, projected, angles, rstd_ptr, token < n_tokens, eps)


@triton.jit
def _turn(raw, row, column, projected, angles, rstd_ptr, inside, eps):
    """Normalise, turn and write one head (M, E)."""
    cos, sin = angles
    rstd = tl.rsqrt(tl.sum(raw * raw, 1) / raw.shape[1] + eps)
    tl.store(rstd_ptr, rstd, mask=inside)
    lower, upper = _halves(raw * rstd[:, None])
    first, lower_still = _halves(lower)
    second, upper_still = _halves(upper)
    lower = _beside(first * cos + second * sin, lower_still)
    projected.store([row, column], lower.to(projected.dtype))
    upper = _beside(second * cos - first * sin, upper_still)
    projected.store([row, column + raw.shape[1] // 2], upper.to(projected.dtype))


@triton.jit
def _mixed_tile(row, column, factors, mixing, n_tokens, PLAN: tl.constexpr):
    """One head of V: written as it is and mixed, half a head at a time."""
    projected, v, mix_ptr, table_ptr, tokens_ptr = mixing
    WIDTH: tl.constexpr = PLAN.heads * PLAN.size
    embedding = _embedding(table_ptr, tokens_ptr, row, column, n_tokens, PLAN)
    product = _product(factors, row, 2 * WIDTH + column, PLAN)
    mix = (tl.load(mix_ptr).to(product.dtype), tl.load(mix_ptr + 1).to(product.dtype))
    left, right = _halves(product)
    left_embedding, right_embedding = None, None
    if embedding is not None:
        left_embedding, right_embedding = _halves(embedding)
    beside = column + PLAN.size // 2
    _mix(left, left_embedding, mix, row, column, (projected, v), WIDTH)
    _mix(right, right_embedding, mix, row, beside, (projected, v), WIDTH)


@triton.jit
def _mix(raw, embedding, mix, row, column, outs, WIDTH: tl.constexpr):
    projected, v = outs
    projected.store([row, 2 * WIDTH + column], raw.to(projected.dtype))
    mixed = mix[0] * raw
    if embedding is not None:
        mixed += mix[1] * embedding.to(raw.dtype)
    v.store([row, column], mixed.to(v.dtype))


@triton.jit
def _product(factors, row, column, PLAN: tl.constexpr):
    """A tile of normed @ qkv.T."""
    normed, qkv = factors
    M: tl.constexpr = PLAN.config.block_m
    N: tl.constexpr = PLAN.size
    product = tl.zeros((M, N), PLAN.wide)
    for k in range(0, PLAN.terms, PLAN.config.block_k):
        left, right = normed.load([row, k]), qkv.load([column, k]).T
        if PLAN.widen:
            left, right = left.to(PLAN.wide), right.to(PLAN.wide)
        product = tl.dot(left, right, product, input_precision="ieee", out_dtype=PLAN.wide)
    return product


@triton.jit
def _angles(cos_ptr, sin_ptr, token, n_tokens, PLAN: tl.constexpr):
    """Cosines and sines (M, E / 4) of M tokens, without the pairs that stand still."""
    row = tl.minimum(token, n_tokens - 1).to(tl.int64)[:, None]
    pair = tl.arange(0, PLAN.size // 4)[None, :]
    return _load_angles(cos_ptr, sin_ptr, row, pair, PLAN.size, PLAN.wide)


@triton.jit
def _embedding(table_ptr, tokens_ptr, row, column, n_tokens, PLAN: tl.constexpr):
    """The tokens' rows of the table, the columns of one head; None without a table."""
    values = None
    if table_ptr is not None:
        WIDTH: tl.constexpr = PLAN.heads * PLAN.size
        token = row + tl.arange(0, PLAN.config.block_m)
        columns = column + tl.arange(0, PLAN.size)[None, :]
        chosen = tl.load(tokens_ptr + token, mask=token < n_tokens, other=0).to(tl.int64)
        values = tl.load(table_ptr + chosen[:, None] * WIDTH + columns)
    return values


@triton.jit
def _halves(x):
    """The left and the right half of the columns."""
    pairs = tl.reshape(x, (x.shape[0], 2, x.shape[1] // 2))
    return tl.split(tl.permute(pairs, (0, 2, 1)))


@triton.jit
def _beside(left, right):
    """One matrix of two of the same shape."""
    pairs = tl.permute(tl.join(left, right), (0, 2, 1))
    return tl.reshape(pairs, (left.shape[0], 2 * left.shape[1]))
