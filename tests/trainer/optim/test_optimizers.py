from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from trainer.config import RECIPES, Recipe
from trainer.model import GPT
from trainer.optim.adam import Adam
from trainer.optim.optimizers import Optimizers, gradient_buckets
from trainer.runtime.distributed import SINGLE, Pending, World


def test_every_parameter_has_exactly_one_bucket(mini: Recipe) -> None:
    model = GPT(mini.model, 32)
    owned = [p for bucket in gradient_buckets(model).values() for p in bucket]
    assert len(owned) == len({id(p) for p in owned})
    assert {id(p) for p in owned} == {id(p) for p in model.parameters()}


def test_buckets_follow_the_backward_pass() -> None:
    with torch.device("meta"):
        model = GPT(RECIPES["sub3"].model, 128)
    buckets = gradient_buckets(model)
    assert list(buckets) == ["head", *range(11, -1, -1), "scalars", "embeddings"]
    assert [p.shape for p in buckets["head"]] == [(50_304, 768)]
    assert [p.shape for p in buckets["embeddings"]] == [(50_257, 768)] * 4
    assert sum(p.numel() for p in buckets["scalars"]) == 52
    hidden = [p for layer in range(12) for p in buckets[layer]]
    assert {id(p) for p in hidden} == {id(p) for p in model.hidden_matrices()}


@pytest.mark.parametrize(
    ("name", "moved"),
    [("head_lr", "head"), ("embedding_lr", "embeddings"), ("scalar_lr", "scalars")],
)
def test_each_of_adams_groups_has_its_own_learning_rate(
    mini: Recipe, name: str, moved: str
) -> None:
    model = GPT(mini.model, 32)
    still = {"muon_lr": 0.0, "head_lr": 0.0, "embedding_lr": 0.0, "scalar_lr": 0.0, name: 0.25}
    optimizers = Optimizers(model, replace(mini.optimizer, **still), SINGLE)
    before = {id(p): p.detach().clone() for p in model.parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizers.step(multiplier=1.0, momentum=0.9)
    for bucket, parameters in gradient_buckets(model).items():
        # Adam's first step is the learning rate itself, whatever the gradient.
        move = -0.25 if bucket == moved else 0.0
        for parameter in parameters:
            assert torch.allclose(parameter - before[id(parameter)], torch.tensor(move), atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 0.02)],
)
@pytest.mark.parametrize("fused", [False, True])
def test_adam_moves_as_torchs_does(
    dtype: torch.dtype, tolerance: float, fused: bool, device: torch.device
) -> None:
    generator = torch.Generator().manual_seed(2)
    shapes = [(5, 3), (7,), (2, 2)]
    ours = [torch.randn(shape, generator=generator, dtype=dtype).to(device) for shape in shapes]
    theirs = [weight.clone() for weight in ours]
    adam = Adam(ours, fused=fused)
    reference = torch.optim.Adam(theirs, betas=(0.8, 0.95), eps=1e-10)
    for step in range(20):
        lr = 0.01 / (1 + step)
        for mine, other in zip(ours, theirs, strict=True):
            gradient = torch.randn(mine.shape, generator=generator, dtype=dtype) * 10.0**-step
            mine.grad = gradient.to(device)
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


def stepped(optimizers: Optimizers, model: GPT, steps: int) -> list[Tensor]:
    """Weights after updates from gradients that a fixed seed draws."""
    generator = torch.Generator().manual_seed(5)
    for _ in range(steps):
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizers.step(multiplier=1.0, momentum=0.9)
    return [p.detach().clone() for p in model.parameters()]


def test_a_restored_state_goes_on_as_it_was_and_where_it_was(mini: Recipe) -> None:
    model = GPT(mini.model, 32)
    optimizers = Optimizers(model, mini.optimizer, SINGLE)
    weights = stepped(optimizers, model, 2)
    state = optimizers.state()
    addresses = [tensor.data_ptr() for tensor in optimizers._state()]
    expected = stepped(optimizers, model, 2)
    optimizers.restore(state)
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), weights, strict=True):
            parameter.copy_(weight)
    assert all(map(torch.equal, stepped(optimizers, model, 2), expected))
    assert [tensor.data_ptr() for tensor in optimizers._state()] == addresses


def test_the_state_is_a_copy(mini: Recipe) -> None:
    model = GPT(mini.model, 32)
    optimizers = Optimizers(model, mini.optimizer, SINGLE)
    state = optimizers.state()
    stepped(optimizers, model, 1)
    assert not any(tensor.any() for tensor in state)
    assert all(tensor.any() for tensor in optimizers.state())


@pytest.mark.gpu
def test_a_gpu_updates_as_the_processor_does(mini: Recipe, cuda: torch.device) -> None:
    moved = []
    for device in (SINGLE.device, cuda):
        torch.manual_seed(0)
        model = GPT(mini.model, 32).to(device)
        optimizers = Optimizers(model, mini.optimizer, replace(SINGLE, device=device))
        for _ in range(3):
            for parameter in model.parameters():
                parameter.grad.copy_(torch.randn(parameter.shape))
            optimizers.step(multiplier=1.0, momentum=0.9)
        moved.append([p.detach().cpu() for p in model.parameters()])
    for processor, gpu in zip(*moved, strict=True):
        assert torch.allclose(gpu, processor, atol=1e-4)


class Late(Pending):
    """A sum that is nothing until it is waited for."""

    def __init__(self, tensor: Tensor, events: list[str]) -> None:
        super().__init__(tensor)
        self.__dict__.update(events=events, sum=tensor.clone())
        tensor.fill_(torch.nan)

    def wait(self) -> Tensor:
        self.events.append("sum")
        return self.result.copy_(self.sum)


class Slow(World):
    """One of two ranks, which are equal."""

    events: list[str] = []  # noqa: RUF012 - one world at a time

    def start_sum(self, tensor: Tensor) -> Pending:
        return Late(tensor, self.events)

    def start_gather(self, share: Tensor) -> Pending:
        self.events.append("Muon")
        return Pending(torch.cat([share, share]))


def test_every_gradient_is_waited_for_and_the_embeddings_after_muon_has_computed(
    mini: Recipe,
) -> None:
    model = GPT(mini.model, 32)
    world = Slow(rank=0, size=2, device=SINGLE.device)
    optimizers = Optimizers(model, mini.optimizer, world)
    with optimizers.gradients.last_backward():
        for parameter in model.parameters():
            parameter.grad.fill_(1)
    world.events.clear()
    optimizers.step(multiplier=1.0, momentum=0.9)
    # Head, scalars and six blocks; three shapes of matrices; the embeddings.
    assert world.events == ["sum"] * 8 + ["Muon"] * 3 + ["sum"]
    assert all(parameter.isfinite().all() for parameter in model.parameters())
