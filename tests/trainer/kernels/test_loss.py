"""The head's kernels against float64 formulas of their definition and PyTorch's roundings."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor

from trainer.kernels.loss import (
    quantise,
    quantised_gradient,
    softcapped_gradient,
    softcapped_loss,
)

# float32: a few units of 2**-24 in tanh(z / 15), times 15 in a logit, once in the sum and once in
# the target's.
FLOAT32_ERROR = 2e-5
DTYPES = {torch.float64: 1e-13, torch.float32: FLOAT32_ERROR, torch.bfloat16: FLOAT32_ERROR}
# Columns within a block of the loss, and beyond two.
LOSS_SHAPES = [(33, 272), (3, 2 * 2048 + 16)]
# Odd sizes within a tile and beyond, rows beyond a group of tiles.
TILED_SHAPES = [(33, 272), (577, 144)]


def draw(shape: tuple[int, int], dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Logits of both signs up to the cap's flat part, and targets."""
    generator = torch.Generator().manual_seed(shape[0])
    z = 12 * torch.randn(shape, generator=generator, dtype=torch.float64)
    targets = torch.randint(shape[1], shape[:1], generator=generator)
    return z.to(device, dtype), targets.to(device)


def exact(z: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Losses (T,) and the gradient of their sum (T, V), by autograd in float64."""
    z = z.double().requires_grad_()
    losses = F.cross_entropy(30 * torch.sigmoid(z / 7.5), targets, reduction="none")
    (gradient,) = torch.autograd.grad(losses.sum(), z)
    return losses.detach(), gradient


def exact_log_sums(z: Tensor) -> Tensor:
    """In the type that the kernels give and take."""
    log_sums = (30 * torch.sigmoid(z.double() / 7.5)).logsumexp(1) - 15
    return log_sums.to(torch.promote_types(z.dtype, torch.float32))


def as_bytes(matrix: Tensor) -> Tensor:
    return matrix.view(torch.uint8)


@pytest.mark.parametrize("shape", LOSS_SHAPES)
@pytest.mark.parametrize(("dtype", "error"), DTYPES.items())
def test_losses_are_the_cross_entropy_of_the_softcapped_logits(
    device: torch.device, dtype: torch.dtype, error: float, shape: tuple[int, int]
) -> None:
    z, targets = draw(shape, dtype, device)
    losses, log_sums = softcapped_loss(z, targets)
    assert losses.dtype == log_sums.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(losses.double(), exact(z, targets)[0], rtol=0, atol=error)
    torch.testing.assert_close(log_sums, exact_log_sums(z), rtol=0, atol=error)


@pytest.mark.parametrize("shape", TILED_SHAPES)
@pytest.mark.parametrize(("dtype", "error"), DTYPES.items())
def test_the_gradient_is_autograds(
    device: torch.device, dtype: torch.dtype, error: float, shape: tuple[int, int]
) -> None:
    z, targets = draw(shape, dtype, device)
    gradient = softcapped_gradient(z, targets, exact_log_sums(z))
    assert gradient.dtype == dtype
    rounding = torch.finfo(dtype).eps
    torch.testing.assert_close(gradient.double(), exact(z, targets)[1], rtol=rounding, atol=error)


def test_equal_logits_lose_the_logarithm_of_their_number(device: torch.device) -> None:
    z = torch.zeros(4, 50304, dtype=torch.bfloat16, device=device)
    losses, _ = softcapped_loss(z, torch.tensor([0, 1, 50256, 50303], device=device))
    last_place = 2.0**-20
    assert (losses.double() - math.log(50304)).abs().max() <= last_place


@pytest.mark.filterwarnings("ignore:overflow")  # an infinite exp(z) gives the limit, 1
def test_logits_of_any_size_have_a_finite_loss(device: torch.device) -> None:
    z = torch.tensor([[1e30, -1e30, 0.0, 40.0], [-1e30] * 4, [math.inf, -math.inf, 0.0, 1.0]])
    z, targets = z.to(device), torch.tensor([1, 2, 0], device=device)
    losses, log_sums = softcapped_loss(z, targets)
    torch.testing.assert_close(losses.double(), exact(z, targets)[0], rtol=0, atol=FLOAT32_ERROR)
    assert softcapped_gradient(z, targets, log_sums).isfinite().all()


def test_nan_stays_in_its_row(device: torch.device) -> None:
    z, targets = draw((5, 80), torch.bfloat16, device)
    z[2, 7] = math.nan
    losses, log_sums = softcapped_loss(z, targets)
    gradient, transposed = quantised_gradient(z, targets, log_sums, 2.0**13)
    broken = torch.arange(5, device=device) == 2
    assert torch.equal(losses.isnan(), broken)
    assert torch.equal(gradient.float().isnan(), broken[:, None].expand(5, 80))
    assert torch.equal(transposed.float().isnan(), broken.expand(80, 5))


@pytest.mark.parametrize("outside", [-1, 80, 2**40])
def test_a_target_that_is_no_column_makes_the_loss_nan(device: torch.device, outside: int) -> None:
    z, targets = draw((5, 80), torch.bfloat16, device)
    targets[3] = outside
    losses, _ = softcapped_loss(z, targets)
    assert torch.equal(losses.isnan(), targets == outside)


@pytest.mark.parametrize("shape", TILED_SHAPES)
def test_both_layouts_of_the_fp8_gradient_are_pytorchs_rounding_of_the_float32_one(
    device: torch.device, shape: tuple[int, int]
) -> None:
    z, targets = draw(shape, torch.float32, device)
    log_sums = exact_log_sums(z)
    gradient, transposed = quantised_gradient(z, targets, log_sums, 2.0**13)
    expected = softcapped_gradient(z, targets, log_sums).mul(2.0**13).to(torch.float8_e5m2)
    assert gradient.is_contiguous()
    assert transposed.is_contiguous()
    assert torch.equal(as_bytes(gradient), as_bytes(expected))
    assert torch.equal(as_bytes(transposed), as_bytes(expected).T)


def test_the_fp8_gradient_is_within_half_a_unit_of_the_exact_one(device: torch.device) -> None:
    z, targets = draw((33, 272), torch.bfloat16, device)
    gradient, _ = quantised_gradient(z, targets, exact_log_sums(z), 2.0**13)
    scaled = exact(z, targets)[1] * 2.0**13
    # Two stored bits of mantissa, and steps of 2**-16 below the smallest normal number.
    half_unit = (scaled.abs() * 2**-3).clamp(min=2.0**-17)
    float32_error = FLOAT32_ERROR * scaled.abs() + 1e-6 * 2**13
    assert ((gradient.double() - scaled).abs() <= half_unit + float32_error).all()


def test_a_scale_that_could_overflow_is_refused(device: torch.device) -> None:
    z, targets = draw((5, 80), torch.bfloat16, device)
    log_sums = exact_log_sums(z)
    gradient, _ = quantised_gradient(z, targets, log_sums, 57344.0)
    assert gradient.float().isfinite().all()
    with pytest.raises(ValueError, match="65536 exceeds 57344"):
        quantised_gradient(z, targets, log_sums, 65536.0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("shape", TILED_SHAPES)
def test_quantised_matrices_are_pytorchs_rounding_in_both_layouts(
    device: torch.device, dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    matrix, _ = draw(shape, dtype, device)
    matrix[0, :3] = torch.tensor([1e30, -1e30, math.nan])
    quantised, transposed = quantise(matrix, 32.0)
    expected = (matrix.float() * 32).clamp(-448, 448).to(torch.float8_e4m3fn)
    assert quantised[0, :2].float().tolist() == [448, -448]
    torch.testing.assert_close(quantised.float(), expected.float(), rtol=0, atol=0, equal_nan=True)
    assert torch.equal(as_bytes(transposed), as_bytes(quantised).T)


def test_matrices_with_gaps_are_refused(device: torch.device) -> None:
    z, targets = draw((80, 80), torch.bfloat16, device)
    for call in (lambda: softcapped_loss(z.T, targets), lambda: quantise(z.T, 1.0)):
        with pytest.raises(ValueError, match="not contiguous"):
            call()


@pytest.mark.gpu
def test_the_gpus_tanh_is_within_its_accuracy_at_full_size(cuda: torch.device) -> None:
    tokens, columns, scale = 65_536, 50_304, 2.0**13
    z = torch.empty(tokens, columns, dtype=torch.bfloat16, device=cuda).normal_(0, 8)
    targets = torch.randint(columns, (tokens,), device=cuda)
    # Row 42,690 holds the element 2**31.
    sample = torch.tensor([0, 1, 4095, 42_690, 42_691, 65_000, tokens - 1], device=cuda)
    losses, log_sums = softcapped_loss(z, targets, approximate=True)
    gradient, transposed = quantised_gradient(z, targets, log_sums, scale, approximate=True)

    # The PTX manual: tanh.approx is off by 2**-10.987 of its value. A loss, and the exponent of a
    # probability, take a logit's error twice.
    tanh_error = 2**-10.98
    logit_error = 2 * 15 * tanh_error
    exact_losses, exact_gradient = exact(z[sample], targets[sample])
    torch.testing.assert_close(losses[sample].double(), exact_losses, rtol=0, atol=logit_error)
    t = torch.tanh(z[sample].double() / 15)
    slope, scaled = 1 - t.square(), exact_gradient * scale
    error = scale * slope * (15 * t).softmax(1) * math.expm1(logit_error)
    error += scaled.abs() / slope * 2 * tanh_error
    bound = (scaled.abs() + error) * 2**-3 + error + 2.0**-17
    assert ((gradient[sample].double() - scaled).abs() <= bound).all()
    for start in range(0, tokens, 8192):
        rows = slice(start, start + 8192)
        assert torch.equal(as_bytes(transposed)[:, rows], as_bytes(gradient)[rows].T)
