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
    early = ["values of layer 2", 2, "values of layer 1", 1]
    assert list(buckets) == ["head", *range(11, 2, -1), *early, 0, "scalars", "embeddings"]
    assert [p.shape for p in buckets["head"]] == [(50_304, 768)]
    tables = [p for name in (*early[::2], "embeddings") for p in buckets[name]]
    assert [p.shape for p in tables] == [(50_257, 768)] * 4
    embedding, *values = map(id, model.tables)
    assert list(map(id, tables)) == [values[2], values[1], embedding, values[0]]
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
        parameter.grad.fill_(1)
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
        optimizers = Optimizers(model, mini.optimizer, SINGLE)
        for parameter in model.parameters():
            parameter.grad.copy_(torch.randn_like(parameter))
        optimizers.step(multiplier=multiplier, momentum=0.9)
        moves.append([p.detach() - b for p, b in zip(model.parameters(), before, strict=True)])
    for whole, quarter in zip(*moves, strict=True):
        assert torch.allclose(quarter, whole / 4, atol=1e-6)


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
    """An exchange whose outcome is nothing until it is waited for."""

    def __init__(self, tensor: Tensor, events: list[str]) -> None:
        super().__init__(tensor)
        self.__dict__.update(events=events, outcome=tensor.clone())
        tensor.fill_(torch.nan)

    def wait(self) -> Tensor:
        self.events.append("received")
        return self.result.copy_(self.outcome)


class Slow(World):
    """The first of two ranks, which are equal."""

    events: list[str] = []  # noqa: RUF012 - one world at a time

    def start_sum(self, tensor: Tensor) -> Pending:
        return Late(tensor, self.events)

    def start_scattered_sum(self, whole: Tensor) -> Pending:
        whole.view(2, -1)[1].fill_(torch.nan)
        return Late(self.share_of(whole), self.events)

    def start_gather(self, share: Tensor) -> Pending:
        self.events.append("Muon")
        return Pending(torch.cat([share, share]))

    def start_sharing(self, whole: Tensor) -> Pending:
        self.events.append("Adam")
        whole.view(2, -1)[1].copy_(self.share_of(whole))
        return Late(whole, self.events)


def test_all_exchanges_are_waited_for_and_muon_computes_while_the_embeddings_travel(
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
    # Of gradients: the head's and the scalars', six blocks', the embeddings'; three shapes of
    # matrices; then the weights of Adam's buckets.
    early = ["received", "Adam"] * 2
    late = ["received", "Adam"]
    assert world.events == early + ["received"] * 6 + ["Muon"] * 3 + late + ["received"] * 3
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_ranks_that_update_their_shares_have_the_weights_of_one_that_updates_all(
    mini: Recipe,
) -> None:
    whole = updated(mini, SINGLE)
    for size in (2, 4):
        shares = [updated(mini, Alone(rank, size, SINGLE.device)) for rank in range(size)]
        for tensor, *parts in zip(whole, *shares, strict=True):
            # A weight that no rank but its own has updated has stayed NaN in the others.
            found = torch.stack(parts)
            assert ((~found.isnan()).sum(0) == 1).all()
            assert torch.equal(found.nan_to_num().sum(0), tensor)


class Alone(World):
    """A rank that hears nothing of the others."""

    def start_scattered_sum(self, whole: Tensor) -> Pending:
        return Pending(self.share_of(whole))

    def start_sharing(self, whole: Tensor) -> Pending:
        others = torch.arange(self.size) != self.rank
        whole.view(self.size, -1)[others] = torch.nan
        return Pending(whole)

    def start_sum(self, tensor: Tensor) -> Pending:
        return Pending(tensor)

    def start_gather(self, share: Tensor) -> Pending:
        return Pending(share.repeat(self.size, 1, 1))


def updated(mini: Recipe, world: World) -> list[Tensor]:
    """Adam's weights after an update from gradients that a fixed seed draws."""
    torch.manual_seed(3)
    model = GPT(mini.model, 32)
    optimizers = Optimizers(model, mini.optimizer, world)
    for parameter in model.parameters():
        parameter.grad.copy_(torch.randn(parameter.shape))
    optimizers.step(multiplier=1.0, momentum=0.9)
    buckets = gradient_buckets(model)
    names = [name for name in buckets if isinstance(name, str)]
    return [p.detach() for name in names for p in buckets[name]]
