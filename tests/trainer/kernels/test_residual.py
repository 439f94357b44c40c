from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from trainer.config import FLOAT32_EPS as NORM_EPS
from trainer.kernels import residual

ROWS, WIDTH = 21, 48
SKIPS = ("none", "itself", "another")


@pytest.fixture(autouse=True)
def few_programs(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Small tests: some programs then take three rows, others two."""
    if "cuda" not in request.fixturenames:
        monkeypatch.setattr(residual, "PROGRAMS", 8)


class Inputs(NamedTuple):
    x: Tensor
    x0: Tensor
    mix: Tensor
    skip: Tensor | None
    weight: Tensor | None

    def exact(self) -> Inputs:
        return Inputs(*(None if t is None else t.double().requires_grad_() for t in self))


def draw(
    device: torch.device,
    dtype: torch.dtype,
    skip: str,
    *,
    shape: tuple[int, int] = (ROWS, WIDTH),
) -> Inputs:
    torch.manual_seed(3)
    wide = torch.promote_types(dtype, torch.float32)

    def rows() -> Tensor:
        return torch.randn(shape, device=device).to(dtype)

    return Inputs(
        rows(),
        rows(),
        torch.tensor([0.8, -0.3], dtype=wide, device=device),
        rows() if skip == "another" else None,
        None if skip == "none" else torch.tensor(1.7, dtype=wide, device=device),
    )


def norm_by_hand(x: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + NORM_EPS).sqrt()


def by_hand(given: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """The input, for what reaches it by other ways; mixed and normed."""
    y = given.x
    if given.weight is not None:
        y = y + given.weight * (given.x if given.skip is None else given.skip)
    mixed = given.mix[0] * y + given.mix[1] * given.x0
    return given.x, mixed, norm_by_hand(mixed)


def relative_error(result: Tensor, expected: Tensor) -> float:
    result, expected = result.detach().double(), expected.detach().double()
    return float((result - expected).norm() / expected.norm())


def backward(
    given: Inputs, saved: residual.MixNorm, d: list[Tensor | None], d_x0: Tensor | None
) -> residual.MixNormGradients:
    return residual.mix_norm_backward(
        d[0],
        d[1],
        d[2],
        saved.rstd,
        given.x,
        given.x0,
        given.mix,
        given.skip,
        given.weight,
        d_x0,
    )


@pytest.mark.parametrize("skip", SKIPS)
def test_mix_norm_equals_its_formula(device: torch.device, skip: str) -> None:
    given = draw(device, torch.float64, skip)
    result = residual.mix_norm(*given, NORM_EPS)
    _, mixed, normed = by_hand(given)
    torch.testing.assert_close(result.mixed, mixed)
    torch.testing.assert_close(result.normed, normed)
    torch.testing.assert_close(result.rstd, (normed / mixed)[:, 0])


def test_mixed_is_spared_where_nobody_reads_it(device: torch.device) -> None:
    given = draw(device, torch.float64, "another")
    spared, kept = (residual.mix_norm(*given, NORM_EPS, write=write) for write in (False, True))
    assert spared.mixed.shape == kept.mixed.shape
    assert torch.equal(spared.normed, kept.normed)
    assert torch.equal(spared.rstd, kept.rstd)
    torch.testing.assert_close(spared.normed / spared.rstd[:, None], kept.mixed)


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("used", ["x", "mixed", "both", "neither"])
def test_mix_norm_backward_equals_autograd(device: torch.device, skip: str, used: str) -> None:
    given = draw(device, torch.float64, skip)
    saved = residual.mix_norm(*given, NORM_EPS)
    d: list[Tensor | None] = [torch.randn_like(given.x) for _ in range(3)]
    d[0] = d[0] if used in ("x", "both") else None
    d[1] = d[1] if used in ("mixed", "both") else None
    before = torch.randn_like(given.x0)
    d_x0 = before.clone()
    result = backward(given, saved, d, d_x0)
    assert result.d_x0 is d_x0

    leaves = given.exact()
    pairs = zip(by_hand(leaves), d, strict=True)
    sum((value * g).sum() for value, g in pairs if g is not None).backward()
    torch.testing.assert_close(result.d_stream, leaves.x.grad)
    torch.testing.assert_close(result.d_mix, leaves.mix.grad)
    torch.testing.assert_close(d_x0, before + leaves.x0.grad)
    for value, leaf in ((result.d_skip, leaves.skip), (result.d_weight, leaves.weight)):
        if leaf is None:
            assert value is None
        else:
            torch.testing.assert_close(value, leaf.grad)


@pytest.mark.parametrize("skip", SKIPS)
def test_the_first_gradient_of_x0_starts_from_nothing(device: torch.device, skip: str) -> None:
    given = draw(device, torch.float64, skip)
    saved = residual.mix_norm(*given, NORM_EPS)
    d: list[Tensor | None] = [torch.randn_like(given.x) for _ in range(3)]
    added = backward(given, saved, d, torch.zeros_like(given.x0))
    alone = backward(given, saved, d, None)
    torch.testing.assert_close(alone.d_x0, added.d_x0)
    torch.testing.assert_close(alone.d_stream, added.d_stream)


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("used", [True, False])
def test_a_stream_that_is_x0_itself_has_one_gradient(
    device: torch.device, skip: str, *, used: bool
) -> None:
    given = draw(device, torch.float64, skip)
    given = given._replace(x0=given.x)
    saved = residual.mix_norm(*given, NORM_EPS)
    d: list[Tensor | None] = [torch.randn_like(given.x) if used else None]
    d += [torch.randn_like(given.x) for _ in range(2)]
    result = backward(given, saved, d, None)

    leaves = given.exact()
    leaves = leaves._replace(x0=leaves.x)
    pairs = zip(by_hand(leaves), d, strict=True)
    sum((value * g).sum() for value, g in pairs if g is not None).backward()
    assert result.d_stream is None
    torch.testing.assert_close(result.d_x0, leaves.x.grad)


@pytest.mark.parametrize("used", [True, False])
def test_norm_and_its_backward_equal_autograd(device: torch.device, *, used: bool) -> None:
    leaf = draw(device, torch.float64, "none").x.requires_grad_()
    expected = norm_by_hand(leaf)
    normed, rstd = residual.norm(leaf.detach(), NORM_EPS)
    torch.testing.assert_close(normed, expected.detach())
    torch.testing.assert_close(rstd, (expected / leaf)[:, 0].detach())

    d_normed, d_x = torch.randn_like(normed), torch.randn_like(normed)
    gradient = residual.norm_backward(d_x if used else None, d_normed, normed, rstd)
    expected.backward(d_normed)
    torch.testing.assert_close(gradient, leaf.grad + d_x if used else leaf.grad)


def test_the_mean_square_has_eps_added(device: torch.device) -> None:
    zeros = torch.zeros(3, WIDTH, dtype=torch.float64, device=device)
    normed, rstd = residual.norm(zeros, 2.0**-10)
    assert rstd.tolist() == pytest.approx([32.0] * 3)
    assert not normed.any()


def assert_within_bfloat16(shape: tuple[int, int], device: torch.device) -> None:
    """Each stored row is rounded once, and the backward starts from rows that are rounded.

    Rounding errs by at most half of epsilon; by all of it in the interpreter, which cuts off.
    Scalars are sums of T * D products of a size of about 3 with random signs, two factors rounded.
    """
    rounding = torch.finfo(torch.bfloat16).eps / (2 if device.type == "cuda" else 1)
    given = draw(device, torch.bfloat16, "another", shape=shape)
    saved = residual.mix_norm(*given, NORM_EPS)
    leaves = given.exact()
    expected = by_hand(leaves)
    for value, exact in zip(saved[:2], expected[1:], strict=True):
        assert value.dtype == torch.bfloat16
        assert relative_error(value, exact) < rounding
    assert saved.rstd.dtype == torch.float32

    d: list[Tensor | None] = [torch.randn_like(given.x) for _ in range(3)]
    d_x0 = torch.zeros_like(given.x0)
    result = backward(given, saved, d, d_x0)
    torch.autograd.backward(expected, [g.double() for g in d if g is not None])
    assert relative_error(result.d_stream, leaves.x.grad) < 2 * rounding
    assert relative_error(result.d_skip, leaves.skip.grad) < 2 * rounding
    assert relative_error(d_x0, leaves.x0.grad) < 2 * rounding
    bound = 2 * rounding * 3 * (shape[0] * shape[1]) ** 0.5
    assert result.d_mix.dtype == result.d_weight.dtype == torch.float32
    assert float((result.d_mix - leaves.mix.grad).abs().max()) < bound
    assert abs(float(result.d_weight - leaves.weight.grad)) < bound


def test_bfloat16_is_computed_in_float32_and_rounded_once(device: torch.device) -> None:
    assert_within_bfloat16((ROWS, WIDTH), device)


@pytest.mark.gpu
def test_a_full_sequence_on_the_card_is_within_bfloat16_of_float64(cuda: torch.device) -> None:
    assert_within_bfloat16((65_536, 768), cuda)


@pytest.mark.gpu
def test_gradients_on_the_card_repeat_bit_for_bit(cuda: torch.device) -> None:
    given = draw(cuda, torch.bfloat16, "another", shape=(65_536, 768))
    saved = residual.mix_norm(*given, NORM_EPS)
    d: list[Tensor | None] = [torch.randn_like(given.x) for _ in range(3)]
    once, again = (backward(given, saved, d, torch.zeros_like(given.x0)) for _ in range(2))
    for first, second in zip(once, again, strict=True):
        assert torch.equal(first, second)


def test_a_tensor_with_gaps_is_refused(device: torch.device) -> None:
    wide = torch.randn(5, 2 * WIDTH, device=device)
    with pytest.raises(ValueError, match=r"\(5, 48\) with strides \(96, 1\) is not contiguous"):
        residual.norm(wide[:, :WIDTH], NORM_EPS)


def test_a_skip_without_a_weight_is_refused(device: torch.device) -> None:
    given = draw(device, torch.float32, "another")._replace(weight=None)
    with pytest.raises(ValueError, match="a skip needs its weight"):
        residual.mix_norm(*given, NORM_EPS)
