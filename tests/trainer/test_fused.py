"""The fast path against the reference, in float64 where Triton interprets its kernels."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from reference_step import Reference
from torch import Tensor

from trainer.config import Recipe
from trainer.data import document_ids
from trainer.kernels import embedding, heads, residual
from trainer.model import GPT
from trainer.operations import flex
from trainer.operations.flex import FlexMask
from trainer.operations.fused import FusedOperations
from trainer.schedule import Window

LENGTH = 16


def dense_attend(q: Tensor, k: Tensor, v: Tensor, mask: FlexMask, scale: float) -> Tensor:
    """What FlexAttention makes of its lists: it has no backward pass on the CPU."""
    length, block = q.shape[-2], mask.block_size
    rule = (mask.documents[:, :, None] == mask.documents[:, None, :]).tril()
    visible = torch.zeros(length, length, dtype=torch.bool, device=q.device)
    for count, listed, one_by_one in (
        (mask.lists.kv_count, mask.lists.kv, True),
        (mask.lists.full_kv_count, mask.lists.full_kv, False),
    ):
        for row, (n, columns) in enumerate(zip(count[0, 0].tolist(), listed[0, 0], strict=True)):
            for column in columns[:n].tolist():
                part = (
                    slice(row * block, (row + 1) * block),
                    slice(column * block, (column + 1) * block),
                )
                visible[part] = rule[0][part] if one_by_one else True
    scores = (q @ k.mT * scale).masked_fill(~visible, -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


@pytest.fixture
def small(mini: Recipe) -> Recipe:
    """Blocks of 4 tokens: interpreted kernels are slow."""
    return replace(mini, model=replace(mini.model, block_size=4))


@pytest.mark.skipif(torch.cuda.is_available(), reason="kernels take float64 interpreted only")
def test_the_fast_path_has_the_references_loss_and_gradients(
    small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flex, "attend", dense_attend)
    for kernels in (embedding, heads, residual):
        monkeypatch.setattr(kernels, "PROGRAMS", 3)  # interpreted, idle programs cost time
    window = Window(3, 1)
    torch.manual_seed(2)
    model = GPT(small.model, LENGTH, FusedOperations("bf16", torch.float64)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.cos, model.sin = model.cos.double(), model.sin.double()
    tokens = torch.randint(250, (1, LENGTH))
    tokens[0, [3, 10]] = small.data.separator
    targets = tokens.roll(-1)
    documents = torch.from_numpy(document_ids(tokens.numpy(), small.data.separator))
    reference = Reference.of(model, small.data.separator, torch.float64)

    total = torch.zeros((), dtype=torch.float64)
    for _ in range(2):  # gradients add up over the passes of a step
        loss = model(tokens, targets, model.context(tokens, documents, window)) / 2
        loss.backward()
        total += loss.detach()
    expected = reference.loss(tokens[0], targets[0], window)
    expected.backward()
    assert total.item() == pytest.approx(expected.item(), abs=1e-7)
    for name, weight in reference.weights.items():
        found = model.get_parameter(name).grad
        assert found is not None, name
        assert torch.allclose(found, weight.grad, rtol=1e-4, atol=1e-6), name
    with torch.no_grad():
        again = model(tokens, targets, model.context(tokens, documents, window))
    assert again.item() == pytest.approx(expected.item(), abs=1e-7)
