from __future__ import annotations

import pytest
import torch

from trainer.adam import Adam
from trainer.config import RECIPES, Recipe
from trainer.distributed import SINGLE
from trainer.model import GPT
from trainer.optim import Optimizers, adam_groups


def test_every_parameter_has_exactly_one_optimizer(mini: Recipe) -> None:
    model = GPT(mini.model, 32)
    owned = [p for _, group in adam_groups(model, mini.optimizer) for p in group]
    owned += list(model.hidden_matrices())
    assert len(owned) == len({id(p) for p in owned})
    assert {id(p) for p in owned} == {id(p) for p in model.parameters()}


def test_adams_groups_are_the_records() -> None:
    with torch.device("meta"):
        model = GPT(RECIPES["sub3"].model, 128)
    head, tables, scalars = adam_groups(model, RECIPES["sub3"].optimizer)
    assert [lr for lr, _ in (head, tables, scalars)] == [0.008, 0.6, 0.04]
    assert [p.shape for p in head[1]] == [(50_304, 768)]
    assert [p.shape for p in tables[1]] == [(50_257, 768)] * 4
    assert sum(p.numel() for p in scalars[1]) == 52


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 0.02)],
)
def test_adam_moves_as_torchs_does(dtype: torch.dtype, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(2)
    shapes = [(5, 3), (7,), (2, 2)]
    ours = [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]
    theirs = [weight.clone() for weight in ours]
    adam = Adam(ours)
    reference = torch.optim.Adam(theirs, betas=(0.8, 0.95), eps=1e-10)
    for step in range(20):
        lr = 0.01 / (1 + step)
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator, dtype=dtype) * 10.0**-step
            other.grad = mine.grad.clone()
        adam.step(lr=lr)
        reference.param_groups[0]["lr"] = lr
        reference.step()
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, rtol=tolerance, atol=tolerance)


def test_the_multiplier_scales_both_optimizers_alike(mini: Recipe) -> None:
    moves = []
    for multiplier in (1.0, 0.25):
        torch.manual_seed(0)
        model = GPT(mini.model, 32)
        before = [p.detach().clone() for p in model.parameters()]
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        Optimizers(model, mini.optimizer, SINGLE).step(multiplier=multiplier, momentum=0.9)
        moves.append([p.detach() - b for p, b in zip(model.parameters(), before, strict=True)])
    for whole, quarter in zip(*moves, strict=True):
        assert torch.allclose(quarter, whole / 4, atol=1e-6)
