"""Self-attention with value embeddings, normalised and rotated queries and keys.

Shapes: B sequences, T tokens, D features, H heads, E = D / H features of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor, nn

# float32's machine epsilon, whatever the dtype of the input.
NORM_EPS = torch.finfo(torch.float32).eps

ROTARY_BASE = 1024  # the slowest pair turns by 1/1024 radian a token


def norm(x: Tensor) -> Tensor:
    """RMS norm over the last dimension, without a learned weight."""
    return F.rms_norm(x, (x.shape[-1],), eps=NORM_EPS)


def rotary_tables(length: int, head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines of the rotation angles, each (length, head_dim) float32.

    Feature i turns with feature i + head_dim / 2. Half of these pairs turn, with frequencies from
    1 down to 1 / ROTARY_BASE; the others stand still and so carry no position.
    """
    turning = (1 / ROTARY_BASE) ** torch.linspace(0, 1, head_dim // 4)
    frequencies = torch.cat([turning, turning.new_zeros(head_dim // 4)])
    angles = torch.outer(torch.arange(length, dtype=torch.float32), frequencies)
    return torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin(), -angles.sin()], -1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of features of a head (..., T, heads, E) by its position's angle.

    y1 = x1 cos + x2 sin, y2 = x2 cos - x1 sin: the direction opposite to GPT-NeoX's. Computed in
    the tables' precision, then rounded.
    """
    length, head_dim = x.shape[-3], x.shape[-1]
    wide = x.to(cos.dtype)
    partner = wide.roll(head_dim // 2, dims=-1)
    return (wide * cos[:length, None] + partner * sin[:length, None]).type_as(x)


class Attention(nn.Module):
    """Multi-head attention; Q, K and V are one weight of three matrices (3, D, D)."""

    def __init__(self, width: int, heads: int, softmax_scale: float) -> None:
        super().__init__()
        self.heads = heads
        self.softmax_scale = softmax_scale
        self.qkv = nn.Parameter(torch.empty(3, width, width))
        self.out = nn.Parameter(torch.zeros(width, width))

    def forward(
        self,
        x: Tensor,
        value_embedding: Tensor | None,
        value_mix: tuple[Tensor, Tensor],
        rotary: tuple[Tensor, Tensor],
        bias: Tensor,
    ) -> Tensor:
        """Attend within (B, T, D); `bias` (B, 1, T, T) says who sees whom."""
        projected = F.linear(x, self.qkv.flatten(0, 1).type_as(x))
        qk, v = torch.split(projected, [2 * x.shape[-1], x.shape[-1]], dim=-1)
        v = value_mix[0] * v
        if value_embedding is not None:
            v = v + value_mix[1] * value_embedding
        # Q and K are normalised and turned alike: as 2H heads of one tensor (B, T, 2H, E).
        qk = rotate(norm(qk.view(*x.shape[:2], 2 * self.heads, -1)), *rotary)
        q, k = qk.transpose(1, 2).chunk(2, dim=1)
        y = F.scaled_dot_product_attention(
            q,
            k,
            v.view(*x.shape[:2], self.heads, -1).transpose(1, 2),
            attn_mask=bias,
            scale=self.softmax_scale,
        )
        return F.linear(y.transpose(1, 2).flatten(2), self.out.type_as(x))
