from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from trainer.attention import Attention, norm, rotary_tables, rotate


def test_norm_gives_every_vector_a_mean_square_of_one() -> None:
    x = torch.randn(3, 5, 16, dtype=torch.float64) * 7
    assert torch.allclose(norm(x).square().mean(-1), torch.ones(3, 5, dtype=torch.float64))


def test_half_of_the_pairs_turn_with_frequencies_from_1_to_1_over_1024() -> None:
    cos, sin = rotary_tables(length=2, head_dim=128)
    first, second = torch.atan2(sin[1], cos[1]).chunk(2)
    expected = [1024 ** (-i / 31) for i in range(32)] + [0.0] * 32
    assert first.tolist() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(second, -first)


def test_rotation_multiplies_pairs_by_the_conjugate_phase() -> None:
    """y1 + i*y2 = (x1 + i*x2) * exp(-i*angle): opposite to GPT-NeoX."""
    cos, sin = rotary_tables(length=9, head_dim=16)
    x = torch.randn(2, 9, 3, 16)
    x1, x2 = x.chunk(2, dim=-1)
    phase = torch.complex(cos, -sin)[:, None, :8]
    expected = torch.complex(x1, x2) * phase
    y1, y2 = rotate(x, cos, sin).chunk(2, dim=-1)
    assert torch.allclose(torch.complex(y1, y2), expected, atol=1e-6)


def test_rotation_of_bfloat16_is_computed_in_float32_and_rounded_once() -> None:
    cos, sin = rotary_tables(length=9, head_dim=16)
    x = torch.randn(1, 9, 2, 16).bfloat16()
    assert torch.equal(rotate(x, cos, sin), rotate(x.float(), cos, sin).bfloat16())


def by_hand(layer: Attention, x: Tensor, ve: Tensor | None, bias: Tensor) -> Tensor:
    """One query at a time, one head at a time."""
    length, width = x.shape
    size = width // layer.heads
    cos, sin = (table[:, : size // 2] for table in rotary_tables(length, size))
    q, k, v = (x @ weight.T for weight in layer.qkv)
    v = 0.3 * v if ve is None else 0.3 * v + 0.6 * ve
    rows = []
    for position in range(length):
        heads = []
        for head in range(layer.heads):
            part = slice(head * size, (head + 1) * size)

            def turned(t: Tensor, at: int, part: slice = part) -> Tensor:
                unit = t[at, part] / t[at, part].square().mean().sqrt()
                first, second = unit[: size // 2], unit[size // 2 :]
                return torch.cat(
                    [first * cos[at] + second * sin[at], second * cos[at] - first * sin[at]]
                )

            scores = torch.stack([turned(q, position) @ turned(k, at) for at in range(length)])
            weights = torch.softmax(scores * layer.softmax_scale + bias[position], 0)
            heads.append(weights @ v[:, part])
        rows.append(torch.cat(heads))
    return torch.stack(rows) @ layer.out.T


@pytest.mark.parametrize("with_values", [True, False])
def test_attention_equals_a_computation_by_hand(*, with_values: bool) -> None:
    torch.manual_seed(1)
    layer = Attention(width=16, heads=2, softmax_scale=0.4)
    with torch.no_grad():
        layer.qkv.normal_()
        layer.out.normal_()
    x = torch.randn(2, 6, 16)
    ve = torch.randn(2, 6, 16) if with_values else None
    bias = torch.full((2, 1, 6, 6), -math.inf).triu(1)
    mix = (torch.tensor(0.3), torch.tensor(0.6))
    y = layer(x, ve, mix, rotary_tables(6, 8), bias)
    for row in range(2):
        expected = by_hand(layer, x[row], None if ve is None else ve[row], bias[row, 0])
        assert torch.allclose(y[row], expected, atol=1e-4)
