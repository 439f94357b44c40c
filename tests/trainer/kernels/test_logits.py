"""The head's product with its sums against float64 formulas of both."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor

from tests.trainer.kernels.compiled import assert_compiles
from trainer.kernels import logits
from trainer.kernels.gemm import GemmConfig
from trainer.kernels.logits import fits, is_for_strips, logits_and_loss

WIDTH = 48
FACTOR = 1 / 64
# One tile and part of another in each direction; rows and columns of several groups.
SHAPES = [(144, 272), (592, 80)]
CONFIGS = {
    "default": logits.HOPPER,
    "whole tiles": GemmConfig(64, 32, 32, stages=2, warps=4, group=2, pieces=1),
    "quarters": GemmConfig(64, 128, 64, stages=2, warps=4, group=4, pieces=4),
}

pytestmark = pytest.mark.usefixtures("loops_with_bounds_of_their_own")


@pytest.fixture
def card(device: torch.device) -> torch.device:
    """Where the kernels run: from sm_90, or interpreted."""
    if not fits(device):
        pytest.skip("needs the copy engine of sm_90")
    return device


def draw(
    shape: tuple[int, int], device: torch.device, width: int = WIDTH
) -> tuple[Tensor, Tensor, Tensor]:
    """x and weight in e4m3, whose logits are of a few units, and targets."""
    generator = torch.Generator().manual_seed(shape[0])
    x = 2 * torch.randn(shape[0], width, generator=generator)
    weight = 64 / math.sqrt(width) * torch.randn(shape[1], width, generator=generator)
    targets = torch.randint(shape[1], shape[:1], generator=generator)
    e4m3 = torch.float8_e4m3fn
    return x.to(device, e4m3), weight.to(device, e4m3), targets.to(device)


def exact_logits(x: Tensor, weight: Tensor) -> Tensor:
    return FACTOR * x.double() @ weight.double().T


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_logits_are_the_product_and_losses_their_cross_entropy(
    card: torch.device, config: GemmConfig, shape: tuple[int, int]
) -> None:
    x, weight, targets = draw(shape, card)
    z, losses, log_sums = logits_and_loss(x, weight, targets, FACTOR, config)
    assert z.dtype == torch.bfloat16
    # The tensor cores keep 13 bits of FP8's sums, bfloat16 keeps 8.
    expected = exact_logits(x, weight)
    assert (z.double() - expected).norm() < 2**-8 * expected.norm()
    capped = 30 * torch.sigmoid(z.double() / 7.5)
    # The card's tanh errs by 2**-11 of c, which is 15 at most; interpreted, z is not rounded yet.
    error = 15 * 2**-9
    cross_entropy = F.cross_entropy(capped, targets, reduction="none")
    torch.testing.assert_close(losses.double(), cross_entropy, rtol=0, atol=error)
    torch.testing.assert_close(log_sums.double(), capped.logsumexp(1) - 15, rtol=0, atol=error)


def test_weights_of_zero_lose_the_logarithm_of_their_rows(card: torch.device) -> None:
    x, weight, targets = draw((144, 272), card)
    z, losses, _ = logits_and_loss(x, torch.zeros_like(weight), targets, FACTOR)
    assert not z.any()
    assert (losses.double() - math.log(272)).abs().max() <= 2**-20


def test_nan_stays_in_its_row(card: torch.device) -> None:
    x, weight, targets = draw((144, 272), card)
    broken = x.float()
    broken[70, 5] = math.nan
    _, losses, _ = logits_and_loss(broken.to(x.dtype), weight, targets, FACTOR)
    assert torch.equal(losses.isnan(), torch.arange(144, device=card) == 70)


@pytest.mark.parametrize("outside", [-1, 272, 2**40])
def test_a_target_that_is_no_row_makes_the_loss_nan(card: torch.device, outside: int) -> None:
    x, weight, targets = draw((144, 272), card)
    targets[70] = outside
    _, losses, _ = logits_and_loss(x, weight, targets, FACTOR)
    assert torch.equal(losses.isnan(), targets == outside)


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(144, 272), (300, 12_048), (20_000, 1_424)])
@pytest.mark.parametrize("width", [128, 384, 768])
def test_strips_agree_with_float64(cuda: torch.device, shape: tuple[int, int], width: int) -> None:
    x, weight, targets = draw(shape, cuda, width)
    if not is_for_strips(x, weight):
        pytest.skip("needs Hopper and the release of Triton that the kernel is for")
    z, losses, log_sums = logits_and_loss(x, weight, targets, FACTOR)
    exact = exact_logits(x, weight)
    assert (z.double() - exact).norm() < 2**-8 * exact.norm()
    capped = 30 * torch.sigmoid(z.double() / 7.5)
    cross_entropy = F.cross_entropy(capped, targets, reduction="none")
    torch.testing.assert_close(losses.double(), cross_entropy, rtol=0, atol=15 * 2**-9)
    torch.testing.assert_close(log_sums.double(), capped.logsumexp(1) - 15, rtol=0, atol=15 * 2**-9)


@pytest.mark.gpu
def test_full_size_has_the_logits_and_losses_of_triton(cuda: torch.device) -> None:
    x, weight, targets = draw((65_536 - 77, 50_304), cuda, 768)
    if not is_for_strips(x, weight):
        pytest.skip("needs Hopper and the release of Triton that the kernel is for")
    own = logits_and_loss(x, weight, targets, FACTOR)
    others = logits_and_loss(x, weight, targets, FACTOR, logits.HOPPER)
    assert torch.equal(own[0], others[0])
    for mine, theirs in zip(own[1:], others[1:], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=2**-16)


@pytest.mark.gpu
def test_the_same_call_gives_the_same_bits(cuda: torch.device) -> None:
    if not fits(cuda):
        pytest.skip("needs the copy engine of sm_90")
    x, weight, targets = draw((65_536, 50_304), cuda, 768)
    first = logits_and_loss(x, weight, targets, FACTOR)
    for _ in range(5):
        again = logits_and_loss(x, weight, targets, FACTOR)
        assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_compiles_without_spills_and_fits_the_card() -> None:
    assert_compiles("logits")
