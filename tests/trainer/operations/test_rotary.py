from __future__ import annotations

import pytest
import torch

from trainer.config import FLOAT32_EPS
from trainer.operations.rotary import norm, rotary_tables, rotate


def test_norm_gives_every_vector_a_mean_square_of_one() -> None:
    x = torch.randn(3, 5, 16, dtype=torch.float64) * 7
    assert torch.allclose(
        norm(x, FLOAT32_EPS).square().mean(-1), torch.ones(3, 5, dtype=torch.float64)
    )


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
