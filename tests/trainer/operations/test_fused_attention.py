"""The bound of attention's scores, which lets a kernel do without a running maximum."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import rms_norm

from trainer.config import RECIPES
from trainer.kernels.attention import LARGEST_UNSHIFTED
from trainer.operations.fused_attention import largest_score

FEATURES, SCALE = 128, 0.12


def raw_heads() -> dict[str, Tensor]:
    torch.manual_seed(5)
    one_hot = torch.zeros(1, FEATURES)
    one_hot[0, 3] = 1e4
    # Rounded up by almost as much as bfloat16 allows, all features alike.
    rounded_up = torch.full((1, FEATURES), 1.0)
    rounded_up[0, 0] = 0.93
    return {
        "random": torch.randn(4096, FEATURES),
        "one feature": one_hot,
        "all rounded up": rounded_up,
        "heavy tails": torch.randn(4096, FEATURES) ** 5,
    }


@pytest.mark.parametrize("kind", raw_heads())
def test_no_score_of_normed_heads_exceeds_the_bound(kind: str) -> None:
    normed = rms_norm(raw_heads()[kind], (FEATURES,)).bfloat16().double()
    # A product is largest where both heads are the same.
    largest = normed.square().sum(1).max().item() * SCALE
    assert largest <= largest_score(FEATURES, SCALE)
    # But a bound far above would say nothing.
    assert largest_score(FEATURES, SCALE) < 1.05 * largest


def test_the_record_recipes_scores_need_no_running_maximum() -> None:
    model = RECIPES["sub3"].model
    assert largest_score(model.head_dim, model.softmax_scale) < LARGEST_UNSHIFTED / 3
