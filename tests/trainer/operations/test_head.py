"""The output head against float64 autograd of its definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor

from trainer.operations.head import (
    Precision,
    fp8_head_loss,
    fp8_head_loss_backward,
    head_loss,
    head_precision,
    plain_head_loss,
    plain_head_loss_backward,
    validation_loss,
)

pytestmark = pytest.mark.usefixtures("loops_with_bounds_of_their_own")

WIDTH, ROWS = 48, 272

# Rounding to m stored bits is off by 2**-(m+1) / sqrt(3) in root mean square at most. A term of a
# backward product meets e5m2 (m = 2) and e4m3 (m = 3), or bfloat16 (m = 7) three times; z carries
# the errors of x and the weight, too.
RELATIVE_ERROR = {"fp8": 0.1, "bf16": 0.01}


@pytest.fixture(params=["fp8", "bf16"])
def precision(request: pytest.FixtureRequest, device: torch.device) -> Precision:
    chosen: Precision = request.param
    if chosen == "fp8" and device.type == "cuda" and head_precision(device) != "fp8":
        pytest.skip("this GPU has no FP8")
    return chosen


def draw(
    tokens: int,
    device: torch.device,
    dtype: torch.dtype = torch.bfloat16,
    width: int = WIDTH,
    rows: int = ROWS,
) -> tuple[Tensor, Tensor, Tensor]:
    """x, normed and of `dtype`, a weight (float32 at least) and targets."""
    generator = torch.Generator().manual_seed(tokens)
    x = F.rms_norm(torch.randn(tokens, width, generator=generator), (width,))
    # Logits of a few units: FP8's errors of z, absolute in the softmax, grow with z.
    weight = 2 / math.sqrt(width) * torch.randn(rows, width, generator=generator)
    targets = torch.randint(rows, (tokens,), generator=generator)
    wide = torch.promote_types(dtype, torch.float32)
    return (
        x.to(device, dtype).requires_grad_(),
        weight.to(device, wide).requires_grad_(),
        targets.to(device),
    )


def exact_loss(x: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(30 * torch.sigmoid(x @ weight.T / 7.5), targets)


def exact(x: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mean loss and its gradients in float64."""
    x, weight = x.detach().double().requires_grad_(), weight.detach().double().requires_grad_()
    loss = exact_loss(x, weight, targets)
    return loss.detach(), *torch.autograd.grad(loss, (x, weight))


def test_float64_agrees_with_autograd_to_the_last_digits(device: torch.device) -> None:
    x, weight, targets = draw(33, device, torch.float64)
    loss = head_loss(x, weight, targets, "bf16")
    results = (loss, *torch.autograd.grad(loss, (x, weight)))
    for result, expected in zip(results, exact(x, weight, targets), strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-14)


def assert_equal_but_for_rounding(fast: Tensor, expected: Tensor, precision: Precision) -> None:
    result = fast.double()
    slope = (result * expected).sum() / expected.square().sum()
    assert abs(slope - 1) < 0.02
    assert (result - expected).norm() < RELATIVE_ERROR[precision] * expected.norm()


@pytest.mark.parametrize("tokens", [16, 64, 256])
def test_gradients_are_exact_but_for_rounding_at_any_number_of_tokens(
    device: torch.device, precision: Precision, tokens: int
) -> None:
    x, weight, targets = draw(tokens, device)
    loss = head_loss(x, weight, targets, precision)
    fast = torch.autograd.grad(loss, (x, weight))
    assert [gradient.dtype for gradient in fast] == [torch.bfloat16, torch.float32]
    for result, expected in zip(fast, exact(x, weight, targets)[1:], strict=True):
        assert_equal_but_for_rounding(result, expected, precision)


def test_an_eighth_of_the_loss_has_an_eighth_of_the_gradient(
    device: torch.device, precision: Precision
) -> None:
    x, weight, targets = draw(16, device)
    whole = torch.autograd.grad(head_loss(x, weight, targets, precision), (x, weight))
    eighth = torch.autograd.grad(head_loss(x, weight, targets, precision) / 8, (x, weight))
    for large, small in zip(whole, eighth, strict=True):
        assert torch.equal(large, small * 8)


def test_the_mean_loss_is_exact_but_for_rounding(
    device: torch.device, precision: Precision
) -> None:
    x, weight, targets = draw(64, device)
    loss = head_loss(x, weight, targets, precision)
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    exact_mean = exact(x, weight, targets)[0]
    # Errors of single logits, of 4 nats on average, largely cancel in the mean.
    assert abs(loss.double() - exact_mean) < RELATIVE_ERROR[precision] * 4 / math.sqrt(64)


def test_a_head_of_zeros_loses_the_logarithm_of_its_rows(
    device: torch.device, precision: Precision
) -> None:
    x, _, targets = draw(16, device)
    weight = torch.zeros(ROWS, WIDTH, device=device)
    two_last_places = 2.0**-20
    for loss in (head_loss(x, weight, targets, precision), validation_loss(x, weight, targets)):
        assert abs(loss.double() - math.log(ROWS)) <= two_last_places


def test_validation_rounds_to_bfloat16_and_leaves_no_graph(device: torch.device) -> None:
    x, weight, targets = draw(16, device)
    loss = validation_loss(x, weight, targets)
    assert not loss.requires_grad
    z = (x.double() @ weight.bfloat16().double().T).bfloat16().double()
    expected = F.cross_entropy(30 * torch.sigmoid(z / 7.5), targets)
    # The product is summed in float32: a few of its results round to the other neighbour.
    torch.testing.assert_close(loss.double(), expected, rtol=0, atol=1e-4)


def test_nan_in_a_token_makes_the_loss_nan(device: torch.device, precision: Precision) -> None:
    x, weight, targets = draw(16, device)
    broken = x.detach().clone()
    broken[3, 5] = math.nan
    assert head_loss(broken, weight, targets, precision).isnan()


def test_fp8_refuses_extents_that_are_no_multiple_of_16(device: torch.device) -> None:
    x, weight, targets = draw(33, device)
    with pytest.raises(ValueError, match=r"\(33, 48, 272\) are not multiples of 16"):
        head_loss(x, weight, targets, "fp8")


def test_without_the_copy_engine_the_fp8_head_computes_the_same(
    monkeypatch: pytest.MonkeyPatch, device: torch.device
) -> None:
    if device.type == "cuda" and head_precision(device) != "fp8":
        pytest.skip("this GPU has no FP8")
    x, weight, targets = draw(64, device)
    here = fp8_head_loss(x, weight, targets)
    monkeypatch.setattr("trainer.operations.head.fits", lambda _: False)
    elsewhere = fp8_head_loss(x, weight, targets)
    for one, other in zip(here[:3], elsewhere[:3], strict=True):
        # Sums in another order, rounded to bfloat16.
        assert (one.double() - other.double()).norm() <= 2**-7 * other.double().norm()
    assert all(torch.equal(one, other) for one, other in zip(here[3:], elsewhere[3:], strict=True))


@pytest.mark.parametrize(
    ("capability", "expected"), [((8, 0), "bf16"), ((8, 9), "fp8"), ((9, 0), "fp8")]
)
def test_fp8_is_chosen_from_compute_capability_8_9(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert head_precision(torch.device("cuda")) == expected
    assert head_precision(torch.device("cpu")) == "bf16"


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        pytest.param(fp8_head_loss, fp8_head_loss_backward, id="fp8"),
        pytest.param(plain_head_loss, plain_head_loss_backward, id="plain"),
    ],
)
def test_the_operators_keep_pytorchs_contract(
    device: torch.device, forward: Callable[..., Any], backward: Callable[..., Any]
) -> None:
    if forward is fp8_head_loss and device.type == "cuda" and head_precision(device) != "fp8":
        pytest.skip("this GPU has no FP8")
    x, weight, targets = draw(16, device, width=16, rows=16)
    torch.library.opcheck(forward, (x, weight, targets))
    with torch.no_grad():
        _, *kept = forward(x, weight, targets)
    if forward is plain_head_loss:
        kept += [x.detach(), weight.detach()]
    torch.library.opcheck(backward, (torch.tensor(0.5, device=device), targets, *kept))


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_a_step_of_the_head_never_waits_for_the_gpu(
    cuda: torch.device, precision: Precision
) -> None:
    x, weight, targets = draw(64, cuda)
    head_loss(x, weight, targets, precision).backward()  # compiles
    try:
        torch.cuda.set_sync_debug_mode("error")
        (head_loss(x, weight, targets, precision) / 8).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
def test_a_full_sequence_takes_four_bytes_a_logit_and_exact_gradients(cuda: torch.device) -> None:
    if head_precision(cuda) != "fp8":
        pytest.skip("this GPU has no FP8")
    tokens, rows = 65_536, 50_304
    x, weight, targets = draw(tokens, cuda, width=768, rows=rows)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    head_loss(x, weight, targets, "fp8").backward()
    peak = torch.cuda.max_memory_allocated() - before
    # z in bfloat16 and its gradient in two layouts; the rest is (T, D) and (V, D).
    assert peak < 4 * tokens * rows + 2**30

    wide_x, wide_weight = x.detach().double(), weight.detach().double()
    sample = slice(42_688, 42_704)
    d_weight = torch.zeros(16, 768, dtype=torch.float64, device=cuda)
    for start in range(0, tokens, 1024):
        part = slice(start, start + 1024)
        z = (wide_x[part] @ wide_weight.T).requires_grad_()
        loss = F.cross_entropy(30 * torch.sigmoid(z / 7.5), targets[part], reduction="sum")
        (d_z,) = torch.autograd.grad(loss, z)
        d_weight += d_z[:, sample].T @ wide_x[part] / tokens
        if part.start <= sample.start < part.stop:
            inner = slice(sample.start - start, sample.stop - start)
            d_x = d_z[inner] @ wide_weight / tokens
    assert x.grad is not None
    assert weight.grad is not None
    assert_equal_but_for_rounding(x.grad[sample], d_x, "fp8")
    assert_equal_but_for_rounding(weight.grad[sample], d_weight, "fp8")
