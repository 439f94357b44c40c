from __future__ import annotations

import math

import pytest
import torch

from trainer.config import RECIPES, Recipe
from trainer.distributed import SINGLE
from trainer.model import GPT
from trainer.optim import Optimizers, make_adam


def test_every_parameter_has_exactly_one_optimizer(mini: Recipe) -> None:
    model = GPT(mini.model, 32)
    adam = make_adam(model, mini.optimizer)
    owned = [p for group in adam.param_groups for p in group["params"]]
    owned += list(model.hidden_matrices())
    assert len(owned) == len({id(p) for p in owned})
    assert {id(p) for p in owned} == {id(p) for p in model.parameters()}


def test_adams_groups_carry_the_records_rates() -> None:
    with torch.device("meta"):
        model = GPT(RECIPES["sub3"].model, 128)
    head, tables, scalars = make_adam(model, RECIPES["sub3"].optimizer).param_groups
    assert [group["lr"] for group in (head, tables, scalars)] == [0.008, 0.6, 0.04]
    assert [p.shape for p in head["params"]] == [(50_304, 768)]
    assert [p.shape for p in tables["params"]] == [(50_257, 768)] * 4
    assert sum(p.numel() for p in scalars["params"]) == 52
    for group in (head, tables, scalars):
        assert group["betas"] == (0.8, 0.95)
        assert group["eps"] == 1e-10
        assert group["weight_decay"] == 0


def test_adam_follows_its_formula_with_bias_correction(mini: Recipe) -> None:
    model = GPT(mini.model, 32)
    optimizers = Optimizers(model, mini.optimizer, SINGLE)
    weight, m, v = 0.0, 0.0, 0.0
    for step, (gradient, multiplier) in enumerate([(0.5, 1.0), (-2.0, 1.0), (0.1, 0.55)], start=1):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        optimizers.step(multiplier=multiplier, momentum=0.9)
        m, v = 0.8 * m + 0.2 * gradient, 0.95 * v + 0.05 * gradient**2
        unbiased = (m / (1 - 0.8**step)) / (math.sqrt(v / (1 - 0.95**step)) + 1e-10)
        weight -= mini.optimizer.head_lr * multiplier * unbiased
    assert model.head[0, 0].item() == pytest.approx(weight, rel=1e-5)


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
