from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainer.config import Recipe
from trainer.model import GPT
from trainer.optim.optimizers import Optimizers
from trainer.runtime.distributed import SINGLE
from trainer.warmup import warm_up

PIECES = ("weights", "buffers", "first moments", "second moments", "steps", "momentum", "random")


class Student:
    """A run that uses all of its state: its random state too, as dropout would."""

    def __init__(self, recipe: Recipe) -> None:
        torch.manual_seed(3)
        self.recipe = recipe
        self.model = GPT(recipe.model, 32)
        torch.nn.init.normal_(self.model.head, std=0.1)
        self.optimizers = Optimizers(self.model, recipe.optimizer, SINGLE)

    def step(self, number: int) -> float:
        tokens = torch.randint(97, 105, (2, 33), generator=torch.Generator().manual_seed(number))
        inputs = tokens[:, :-1]
        context = self.model.context(inputs, torch.zeros_like(inputs), (2, 1))
        self.optimizers.gradients.zero()
        loss = self.model(inputs, tokens[:, 1:], context)
        loss.backward()
        for parameter in self.model.parameters():
            parameter.grad.add_(torch.randn_like(parameter), alpha=0.01)
        self.optimizers.step(multiplier=1.0, momentum=0.9)
        self.model.cos.mul_(0.99)
        self.model.sin.mul_(0.99)
        return loss.item()

    def two_steps(self) -> None:
        """Steps on other data than the run's first."""
        self.step(7)
        self.step(8)

    def tensors(self, piece: str) -> list[Tensor]:
        """The part of the state called `piece`, as it is kept."""
        adams = [shared._adam for shared in self.optimizers._adams.values()]
        return {
            "weights": lambda: list(self.model.parameters()),
            "buffers": lambda: list(self.model.buffers()),
            "first moments": lambda: [moment for adam in adams for moment in adam._first],
            "second moments": lambda: [moment for adam in adams for moment in adam._second],
            "steps": lambda: [adam._steps for adam in adams],
            "momentum": self.optimizers._muon.state,
            "random": lambda: [torch.get_rng_state()],
        }[piece]()


@pytest.fixture
def student(mini: Recipe) -> Student:
    return Student(mini)


def test_a_run_with_warm_up_equals_one_without_loss_for_loss(student: Student) -> None:
    cold = [student.step(number) for number in range(4)]
    warm = Student(student.recipe)
    warm_up(warm.model, warm.optimizers, warm.two_steps)
    assert [warm.step(number) for number in range(4)] == cold
    assert len(set(cold)) == 4


@pytest.mark.parametrize("piece", PIECES)
def test_each_piece_of_the_state_changes_and_is_put_back_where_it_was(
    student: Student, piece: str
) -> None:
    student.step(0)  # so that no piece is zero before
    before = [tensor.detach().clone() for tensor in student.tensors(piece)]
    addresses = [tensor.data_ptr() for tensor in student.tensors(piece)]
    changed: list[bool] = []

    def steps() -> None:
        student.two_steps()
        after = student.tensors(piece)
        changed.extend(not torch.equal(*pair) for pair in zip(before, after, strict=True))

    warm_up(student.model, student.optimizers, steps)
    assert changed
    assert all(changed)
    assert all(map(torch.equal, student.tensors(piece), before))
    if piece != "random":
        assert [tensor.data_ptr() for tensor in student.tensors(piece)] == addresses


def test_a_warm_up_leaves_no_gradients(student: Student) -> None:
    def steps() -> None:
        for parameter in student.model.parameters():
            parameter.grad.fill_(1)

    warm_up(student.model, student.optimizers, steps)
    assert not any(parameter.grad.any() for parameter in student.model.parameters())


@pytest.mark.gpu
def test_the_random_state_of_the_gpu_is_put_back(student: Student, cuda: torch.device) -> None:
    student.model.to(cuda)
    before = torch.cuda.get_rng_state(cuda)

    def steps() -> None:
        torch.randn(3, device=cuda)
        assert not torch.equal(torch.cuda.get_rng_state(cuda), before)

    warm_up(student.model, student.optimizers, steps)
    assert torch.equal(torch.cuda.get_rng_state(cuda), before)
