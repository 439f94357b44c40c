from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from trainer.config import Recipe
from trainer.model import GPT
from trainer.optim.optimizers import gradient_buckets
from trainer.optim.reduction import GradientReducer, Name
from trainer.runtime.distributed import SINGLE, Pending, World

ORDER: list[Name] = ["head", 5, 4, 3, 2, 1, 0, "scalars", "embeddings"]


@dataclass(frozen=True)
class Watched(World):
    """One of two ranks, whose exchanges add nothing but are written down with what they sent."""

    events: list[object] = field(default_factory=list)
    sent: list[Tensor] = field(default_factory=list)

    def start_sum(self, tensor: Tensor) -> Pending:
        self.events.append("start")
        self.sent.append(tensor.clone())
        return Pending(tensor)


@pytest.fixture
def world() -> Watched:
    return Watched(rank=0, size=2, device=torch.device("cpu"))


@pytest.fixture
def model(mini: Recipe) -> GPT:
    """A model none of whose gradients vanish."""
    torch.manual_seed(1)
    model = GPT(mini.model, 32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def loss_of(model: GPT, seed: int, reducer: GradientReducer | None = None) -> Tensor:
    tokens = torch.randint(97, 105, (2, 33), generator=torch.Generator().manual_seed(seed))
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    context = model.context(inputs, torch.zeros_like(inputs), (2, 1))
    return model(inputs, targets, context, None if reducer is None else reducer.watch)


def by_hand(model: GPT, *seeds: int) -> list[Tensor]:
    """The gradients that autograd finds without a reducer."""
    total = torch.stack([loss_of(model, seed) for seed in seeds]).sum()
    return list(torch.autograd.grad(total, list(model.parameters())))


def test_a_buckets_gradients_lie_side_by_side_and_keep_their_place(
    model: GPT, world: Watched
) -> None:
    buckets = gradient_buckets(model)
    reducer = GradientReducer(buckets, world)
    addresses = [p.grad.data_ptr() for p in model.parameters()]
    for parameters in buckets.values():
        first = parameters[0].grad
        for parameter in parameters:
            assert parameter.grad.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        total = sum(p.numel() for p in parameters)
        # A multiple of the ranks, of which there are two.
        assert first.untyped_storage().nbytes() == (total + total % 2) * first.element_size()
    loss_of(model, 0).backward()
    assert all(p.grad.any() for p in model.parameters())
    reducer.zero()
    assert not any(p.grad.any() for p in model.parameters())
    assert [p.grad.data_ptr() for p in model.parameters()] == addresses


def test_gradients_of_several_passes_add_up(model: GPT) -> None:
    expected = by_hand(model, 0, 1)
    reducer = GradientReducer(gradient_buckets(model), SINGLE)
    loss_of(model, 0).backward()
    with reducer.last_backward():
        loss_of(model, 1, reducer).backward()
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        assert torch.allclose(parameter.grad, gradient, atol=1e-6)


def test_a_gradient_that_was_put_elsewhere_ends_the_step(model: GPT) -> None:
    reducer = GradientReducer(gradient_buckets(model), SINGLE)
    model.head.grad = model.head.grad.clone()
    with pytest.raises(RuntimeError, match="has left the buffer"), reducer.last_backward():
        loss_of(model, 0, reducer).backward()


def test_exchanges_start_before_the_backward_pass_has_ended(model: GPT, world: Watched) -> None:
    reducer = GradientReducer(gradient_buckets(model), world)
    with reducer.last_backward():
        loss_of(model, 0, reducer).backward()
        world.events.append("backward ended")
        during = world.events.index("backward ended")
    # The head's with layer 5's; layer 0, the scalars and the embeddings have to wait.
    assert world.events == ["start"] * 6 + ["backward ended"] + ["start"] * 3
    assert during == 6


def test_every_exchange_sends_the_complete_gradients_in_the_order_of_the_buckets(
    model: GPT, world: Watched
) -> None:
    expected = dict(zip(map(id, model.parameters()), by_hand(model, 0, 1), strict=True))
    buckets = gradient_buckets(model)
    assert list(buckets) == ORDER
    reducer = GradientReducer(buckets, world)
    loss_of(model, 0, reducer).backward()
    assert not world.sent  # a pass that is not the last one sends nothing
    with reducer.last_backward():
        loss_of(model, 1, reducer).backward()
    assert len(world.sent) == len(ORDER)
    for sent, parameters in zip(world.sent, buckets.values(), strict=True):
        gradients = torch.cat([expected[id(p)].flatten() for p in parameters])
        assert torch.allclose(sent[: len(gradients)], gradients, atol=1e-6)


def test_a_bucket_takes_those_before_it_along_and_none_goes_twice(world: Watched) -> None:
    weights = [nn.Parameter(torch.full((2,), float(i))) for i in range(4)]
    reducer = GradientReducer({i: [weight] for i, weight in enumerate(weights)}, world)
    for i, weight in enumerate(weights):
        weight.grad.fill_(i)
    with reducer.last_backward():
        for bucket in (2, 1, 2, 0):
            reducer.complete(bucket)
        assert [int(sent[0]) for sent in world.sent] == [0, 1, 2]
    assert [int(sent[0]) for sent in world.sent] == [0, 1, 2, 3]


def test_of_a_shared_bucket_a_rank_gets_the_sum_of_its_share() -> None:
    class Doubling(World):
        """The second of two ranks, which are equal."""

        def start_scattered_sum(self, whole: Tensor) -> Pending:
            return Pending(self.share_of(whole).mul_(2))

        def start_sum(self, tensor: Tensor) -> Pending:
            return Pending(tensor.mul_(3))

    weights = [nn.Parameter(torch.ones(n)) for n in (3, 2, 1)]
    buckets: dict[Name, list[nn.Parameter]] = {"a": weights[:2], "b": weights[2:]}
    reducer = GradientReducer(
        buckets, Doubling(rank=1, size=2, device=torch.device("cpu")), shared=["a"]
    )
    with reducer.last_backward():
        for weight in weights:
            weight.grad.fill_(1)
    assert reducer.share("a").tolist() == [2, 2, 0]  # five gradients and room for a sixth
    assert weights[0].grad.tolist() == [1, 1, 1]
    assert weights[2].grad.tolist() == [3]


def test_waiting_waits_for_that_bucket_once() -> None:
    waited: list[Tensor] = []

    class Slow(Pending):
        def wait(self) -> Tensor:
            waited.append(self.result)
            return self.result

    class Recorder(World):
        def start_sum(self, tensor: Tensor) -> Pending:
            return Slow(tensor)

    weights = [nn.Parameter(torch.zeros(n)) for n in (1, 2)]
    buckets = {"a": weights[:1], "b": weights[1:]}
    reducer = GradientReducer(buckets, Recorder(rank=0, size=2, device=torch.device("cpu")))
    with reducer.last_backward():
        pass
    reducer.wait("b")
    reducer.wait("b")
    assert [len(tensor) for tensor in waited] == [2]


def test_one_rank_watches_nothing(model: GPT) -> None:
    reducer = GradientReducer(gradient_buckets(model), SINGLE)
    activation = torch.ones(3, requires_grad=True)
    reducer.watch(activation, 5)
    assert not activation._backward_hooks
