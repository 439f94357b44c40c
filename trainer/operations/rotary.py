"""What queries and keys go through before attention: RMS norm and rotary embedding.

Shapes: B sequences, T tokens, E features of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor

ROTARY_BASE = 1024  # the slowest pair turns by 1/1024 radian a token


def norm(x: Tensor, eps: float) -> Tensor:
    """RMS norm over the last dimension, without a learned weight."""
    return F.rms_norm(x, (x.shape[-1],), eps=eps)


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
