from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from reference_step import Reference
from torch import Tensor

from trainer.config import RECIPES, ModelConfig, Recipe
from trainer.data.stream import document_ids
from trainer.model import GPT
from trainer.operations.masks import AttentionBias, attention_bias
from trainer.operations.plain import PlainOperations, relu_squared
from trainer.schedule import Window

LENGTH = 32


def randomised(config: ModelConfig) -> GPT:
    torch.manual_seed(5)
    model = GPT(config, LENGTH)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def batch(config: ModelConfig) -> tuple[Tensor, AttentionBias]:
    tokens = torch.randint(config.vocab_size, (2, LENGTH))
    documents = torch.zeros_like(tokens)
    return tokens, attention_bias(documents, config.block_size, Window(3, 1), torch.float32)


def test_sub3_has_the_records_parameters() -> None:
    d, vocabulary, depth, attentions = 768, 50257, 12, 11
    matrices = attentions * (3 * d * d + d * d) + depth * (4 * d * d + 4 * d * d)
    embeddings = (1 + 3) * vocabulary * d
    head = 50304 * d
    scalars = depth * 2 + attentions * 2 + 6
    with torch.device("meta"):
        model = GPT(RECIPES["sub3"].model, 65_536)
    assert sum(p.numel() for p in model.parameters()) == matrices + embeddings + head + scalars
    assert len(list(model.hidden_matrices())) == 46


def test_sub3_keeps_embeddings_in_bfloat16_and_matrices_in_float32() -> None:
    with torch.device("meta"):
        model = GPT(RECIPES["sub3"].model, 65_536)
    low = {name for name, p in model.named_parameters() if p.dtype == torch.bfloat16}
    assert low == {"embedding.weight", *(f"value_embeddings.{i}.weight" for i in range(3))}
    assert {p.dtype for p in model.hidden_matrices()} == {torch.float32}


def test_sub3_starts_at_the_loss_of_a_uniform_guess() -> None:
    config = replace(RECIPES["sub3"].model, width=24, block_size=8)
    model = GPT(config, LENGTH)
    tokens, bias = batch(config)
    bias = AttentionBias(*(matrix.bfloat16() for matrix in bias))
    assert model.logits(tokens, bias).shape == (2, LENGTH, 50_304)
    loss = model(tokens, tokens, bias)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(50_304), abs=1e-5)


def test_initial_weights_are_uniform_within_half_the_usual_bound() -> None:
    model = GPT(RECIPES["tiny"].model, LENGTH)
    for weight in (model.mlps[0].up, model.attentions[0].qkv):
        bound = math.sqrt(3) * 0.5 / math.sqrt(weight.shape[-1])
        assert weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert model.embedding.weight.std().item() == pytest.approx(1, rel=0.02)
    zero = [model.head, *(mlp.down for mlp in model.mlps)]
    zero += [attention.out for attention in model.attentions]
    assert not any(weight.any() for weight in zero)


def test_relu_squared_has_the_gradient_that_autograd_finds() -> None:
    x = torch.randn(40, dtype=torch.float64, requires_grad=True)
    assert torch.equal(relu_squared(x), x.relu() ** 2)
    assert torch.autograd.gradcheck(relu_squared, (x,))


def test_logits_stay_between_0_and_30(mini: Recipe) -> None:
    model = randomised(mini.model)
    with torch.no_grad():
        model.head.mul_(1e4)
    logits = model.logits(*batch(mini.model))
    assert logits.min() >= 0
    assert logits.max() <= 30
    assert logits.max() - logits.min() > 29


@pytest.mark.parametrize(("depth", "norm_eps"), [(6, 2.0**-23), (12, 2.0**-23), (6, 2.0**-7)])
def test_the_network_is_the_one_of_the_specification(
    mini: Recipe, depth: int, norm_eps: float
) -> None:
    model = randomised(replace(mini.model, depth=depth, norm_eps=norm_eps)).double()
    model.cos, model.sin = model.cos.double(), model.sin.double()
    tokens = torch.randint(mini.model.vocab_size, (1, LENGTH))
    tokens[0, [3, 17]] = mini.data.separator
    documents = torch.from_numpy(document_ids(tokens.numpy(), mini.data.separator))
    reference = Reference.of(model, mini.data.separator, torch.float64)
    model.operations = PlainOperations(torch.float64, norm_eps)
    for window in (Window(1, 1), Window(2, 1), Window(4, 2)):
        context = model.context(tokens, documents, window)
        loss = model(tokens, tokens, context)
        expected = reference.loss(tokens[0], tokens[0], window)
        assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
        model.zero_grad()
        loss.backward()
        names = list(reference.weights)
        gradients = torch.autograd.grad(expected, list(reference.weights.values()))
        for name, gradient in zip(names, gradients, strict=True):
            assert torch.allclose(model.get_parameter(name).grad, gradient, atol=1e-6), name


@pytest.mark.parametrize(("windows", "kind"), [("all-short", "short"), ("all-long", "long")])
def test_an_ablation_uses_one_window_in_all_layers(mini: Recipe, windows: str, kind: str) -> None:
    tokens, bias = batch(mini.model)
    one = getattr(bias, kind)
    ablation = randomised(replace(mini.model, windows=windows))
    mixed = randomised(mini.model)
    assert torch.equal(ablation.logits(tokens, bias), mixed.logits(tokens, AttentionBias(one, one)))
    assert not torch.equal(ablation.logits(tokens, bias), mixed.logits(tokens, bias))


def test_a_token_influences_nothing_before_it_and_nothing_in_other_documents(
    mini: Recipe,
) -> None:
    model = randomised(mini.model)
    tokens = torch.randint(250, (1, LENGTH))
    documents = (torch.arange(LENGTH) >= 20).long()[None]
    bias = attention_bias(documents, 8, Window(4, 2), torch.float32)
    changed = tokens.clone()
    changed[0, 10] = (tokens[0, 10] + 1) % 250
    moved = (model.logits(tokens, bias) - model.logits(changed, bias))[0].abs().amax(-1) > 1e-6
    assert not moved[:10].any()
    assert moved[10]
    assert moved[11:20].any()
    assert not moved[20:].any()
