"""The fast path against the reference, in float64 where Triton interprets its kernels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from reference_step import Reference

from trainer.config import Recipe
from trainer.data.stream import document_ids
from trainer.kernels import embedding, heads, residual
from trainer.model import GPT
from trainer.operations.fused import FusedOperations
from trainer.schedule import Window

LENGTH = 64


@pytest.fixture
def small(mini: Recipe) -> Recipe:
    """Blocks of 16 tokens: interpreted kernels are slow."""
    return replace(mini, model=replace(mini.model, block_size=16))


@pytest.mark.slow
@pytest.mark.usefixtures("device", "loops_with_bounds_of_their_own")
@pytest.mark.skipif(torch.cuda.is_available(), reason="kernels take float64 interpreted only")
def test_the_fast_path_has_the_references_loss_and_gradients(
    small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An epsilon that shows: each norm must take the recipe's.
    config = replace(small.model, norm_eps=2.0**-7)
    for kernels in (embedding, heads, residual):
        monkeypatch.setattr(kernels, "PROGRAMS", 3)  # interpreted, idle programs cost time
    window = Window(3, 1)
    torch.manual_seed(2)
    operations = FusedOperations(config.norm_eps, "bf16", torch.float64)
    model = GPT(config, LENGTH, operations).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.cos, model.sin = model.cos.double(), model.sin.double()
    tokens = torch.randint(250, (1, LENGTH))
    tokens[0, [11, 40]] = small.data.separator
    targets = tokens.roll(-1)
    documents = torch.from_numpy(document_ids(tokens.numpy(), small.data.separator))
    reference = Reference.of(model, small.data.separator, torch.float64)

    before = {name: torch.randn_like(p) for name, p in model.named_parameters()}
    for name, parameter in model.named_parameters():
        parameter.grad = before[name].clone()
    loss = model(tokens, targets, model.context(tokens, documents, window))
    loss.backward()
    expected = reference.loss(tokens[0], targets[0], window)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-7)
    for name, weight in reference.weights.items():
        found = model.get_parameter(name).grad - before[name]
        assert torch.allclose(found, weight.grad, rtol=1e-4, atol=1e-6), name
