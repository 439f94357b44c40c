from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from trainer.optim.muon import Muon, orthogonalise
from trainer.runtime.distributed import SINGLE, Pending


def spread_matrices(rows: int, cols: int, count: int = 3) -> Tensor:
    """Matrices with singular values from 1 down to 0.05 in random directions."""
    generator = torch.Generator().manual_seed(rows * 1000 + cols)
    rank = min(rows, cols)
    u = torch.linalg.qr(torch.randn(count, rows, rank, generator=generator)).Q
    v = torch.linalg.qr(torch.randn(count, cols, rank, generator=generator)).Q
    return u @ torch.diag_embed(torch.linspace(1, 0.05, rank).expand(count, -1)) @ v.mT


def update(muon: Muon, *, lr: float, momentum: float) -> None:
    muon.apply(muon.start_update(momentum), lr=lr)


@pytest.mark.parametrize("shape", [(24, 24), (64, 16), (16, 64)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_newton_schulz_keeps_the_singular_vectors_and_levels_the_values(
    shape: tuple[int, int], dtype: torch.dtype
) -> None:
    matrices = spread_matrices(*shape)
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    inside = u.mT @ orthogonalise(matrices, dtype).float() @ vh.mT
    values = inside.diagonal(dim1=-2, dim2=-1)
    tolerance = 1e-4 if dtype == torch.float32 else 0.05
    assert (inside - torch.diag_embed(values)).abs().max() < tolerance
    assert values.min() > 0.65
    assert values.max() < 1.25


def test_newton_schulz_applies_the_quintic_to_every_singular_value() -> None:
    matrices = spread_matrices(12, 20).double()
    u, s, vh = torch.linalg.svd(matrices, full_matrices=False)
    s = s / (s.square().sum(-1, keepdim=True).sqrt() + 1e-7)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    expected = u @ torch.diag_embed(s) @ vh
    assert torch.allclose(orthogonalise(matrices, torch.float64), expected, atol=1e-10)


def test_a_zero_gradient_moves_nothing() -> None:
    weight = nn.Parameter(torch.ones(8, 4))
    weight.grad = torch.zeros_like(weight)
    update(Muon([weight], SINGLE, torch.float32), lr=1.0, momentum=0.85)
    assert torch.equal(weight, torch.ones(8, 4))


def test_momentum_averages_and_looks_ahead_as_a_scalar_recursion_says() -> None:
    """Gradients c * G turn the momentum into a scalar, of which only the sign survives."""
    direction = spread_matrices(6, 6, count=1)[0]
    coefficients = [1.0, 1.0, 1.0, -0.4, -0.9, 2.0, -1.0]
    momenta = [0.85, 0.9, 0.95, 0.85, 0.85, 0.5, 0.95]
    weight = nn.Parameter(torch.zeros(6, 6))
    muon = Muon([weight], SINGLE, torch.float32)
    buffer, travelled, against = 0.0, 0.0, []
    for c, mu in zip(coefficients, momenta, strict=True):
        weight.grad = c * direction
        update(muon, lr=0.1, momentum=mu)
        buffer = mu * buffer + (1 - mu) * c
        ahead = (1 - mu) * c + mu * buffer
        travelled -= 0.1 * math.copysign(1, ahead)
        against.append((ahead * c < 0, ahead * buffer < 0))
    # Neither the gradients' signs nor those of the plain average would do.
    assert any(gradient for gradient, _ in against)
    assert any(average for _, average in against)
    step = orthogonalise(direction.unsqueeze(0), torch.float32)[0]
    assert torch.allclose(weight, travelled * step, atol=1e-4)


@pytest.mark.parametrize(("shape", "scale"), [((32, 8), 2.0), ((8, 32), 1.0), ((8, 8), 1.0)])
def test_only_matrices_with_more_rows_than_columns_are_scaled_up(
    shape: tuple[int, int], scale: float
) -> None:
    weight = nn.Parameter(torch.zeros(shape))
    weight.grad = spread_matrices(*shape, count=1)[0]
    update(Muon([weight], SINGLE, torch.float32), lr=1.0, momentum=0.9)
    expected = -scale * orthogonalise(weight.grad[None], torch.float32)[0]
    assert torch.allclose(weight, expected, atol=1e-4)


def test_stacked_matrices_are_orthogonalised_one_by_one() -> None:
    gradients = spread_matrices(8, 8)
    stacked = nn.Parameter(torch.zeros(3, 8, 8))
    single = [nn.Parameter(torch.zeros(8, 8)) for _ in range(3)]
    stacked.grad = gradients.clone()
    for weight, gradient in zip(single, gradients, strict=True):
        weight.grad = gradient.clone()
    update(Muon([stacked], SINGLE, torch.float32), lr=1.0, momentum=0.9)
    for weight in single:
        update(Muon([weight], SINGLE, torch.float32), lr=1.0, momentum=0.9)
    assert torch.allclose(stacked, torch.stack(list(single)), atol=1e-6)


class OneOf(type(SINGLE)):  # type: ignore[misc]
    """A rank that records its share instead of exchanging it."""

    shares: list[Tensor] = []  # noqa: RUF012 - shared by the ranks on purpose

    def start_gather(self, share: Tensor) -> Pending:
        self.shares.append(share)
        return Pending(share.new_zeros(len(share) * self.size, *share.shape[1:]))


@pytest.mark.parametrize("size", [2, 4, 8])
def test_the_ranks_shares_together_are_the_whole_update(size: int) -> None:
    gradients = [spread_matrices(8, 8, count=n) for n in (3, 1, 3)]

    def weights() -> list[nn.Parameter]:
        made = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
        for weight, gradient in zip(made, gradients, strict=True):
            weight.grad = gradient.clone()
        return made

    whole = weights()
    update(Muon(whole, SINGLE, torch.float32), lr=1.0, momentum=0.9)
    OneOf.shares.clear()
    for rank in range(size):
        world = OneOf(**vars(replace(SINGLE, rank=rank, size=size)))
        update(Muon(weights(), world, torch.float32), lr=1.0, momentum=0.9)
    assert len({share.shape for share in OneOf.shares}) == 1
    together = torch.cat(OneOf.shares)
    assert torch.allclose(-together[:7], torch.cat(list(whole)), atol=1e-6)
    assert not together[7:].any()


def test_one_shapes_update_travels_while_the_next_is_computed() -> None:
    """Every exchange has started before the first is waited for."""
    events: list[str] = []

    class Slow(Pending):
        def wait(self) -> Tensor:
            events.append("wait")
            return self.result

    class Recorder(type(SINGLE)):  # type: ignore[misc]
        def start_gather(self, share: Tensor) -> Pending:
            events.append("start")
            return Slow(share)

    weights = [nn.Parameter(torch.zeros(shape)) for shape in ((8, 8), (16, 8), (8, 16))]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    update(Muon(weights, Recorder(**vars(SINGLE)), torch.float32), lr=1.0, momentum=0.9)
    assert events == ["start"] * 3 + ["wait"] * 3


def test_gradients_are_left_as_they_were() -> None:
    weight = nn.Parameter(torch.zeros(8, 8))
    weight.grad = spread_matrices(8, 8, count=1)[0]
    before = weight.grad.clone()
    update(Muon([weight], SINGLE, torch.float32), lr=1.0, momentum=0.9)
    assert torch.equal(weight.grad, before)


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(768, 768), (3072, 768), (768, 3072)])
def test_on_the_card_bfloat16_stays_close_to_float32(
    cuda: torch.device, shape: tuple[int, int]
) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1)).to(cuda)
    exact = orthogonalise(matrices, torch.float32)
    rounded = orthogonalise(matrices, torch.bfloat16).float()
    # Plain PyTorch on a processor: 0.0105 for each of the shapes.
    assert (rounded - exact).norm() < 0.02 * exact.norm()
