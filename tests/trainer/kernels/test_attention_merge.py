"""The gradient through the product that merges heads, and delta, against float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.trainer.kernels.compiled import assert_compiles
from trainer.kernels import attention_merge
from trainer.kernels.attention_merge import merge_backward
from trainer.kernels.gemm import is_for_gluon

pytestmark = pytest.mark.usefixtures("loops_with_bounds_of_their_own")


def draw(
    device: torch.device, tokens: int, heads: int, size: int, width: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradient of the stream (T, D), the weight (D, H * E), out (T, H, E) and lse (H, T)."""
    torch.manual_seed(3)
    d_merged = torch.randn(tokens, width, device=device).to(dtype)
    weight = (torch.randn(width, heads * size, device=device) * width**-0.5).to(dtype)
    out = torch.randn(tokens, heads, size, device=device).to(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    return d_merged, weight, out, torch.randn(heads, tokens, device=device, dtype=wide)


def assert_is_the_gradient(inputs: tuple[Tensor, ...], results: tuple[Tensor, Tensor]) -> None:
    d_merged, weight, out, lse = inputs
    d_out, lse_delta = results
    exact = (d_merged.double() @ weight.double()).view(out.shape)
    assert d_out.dtype == out.dtype
    assert (d_out.double() - exact).norm() < torch.finfo(out.dtype).eps * exact.norm()
    torch.testing.assert_close(lse_delta[0].double(), lse.double() / math.log(2))
    # Of d_out as it is returned: scores' gradients then add up to zero.
    delta = (d_out.double() * out.double()).sum(2).mT
    error = (lse_delta[1].double() - delta).abs().max()
    assert error < 2**-18 * out.shape[2], error


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_and_delta_agree_with_float64(
    device: torch.device, dtype: torch.dtype
) -> None:
    inputs = draw(device, 128, 2, 16, 24, dtype)
    assert_is_the_gradient(inputs, merge_backward(*inputs))


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("tokens", "heads", "width"), [(192, 1, 64), (20_032, 3, 320), (65_536, 6, 768)]
)
def test_warps_that_take_turns_agree_with_float64(
    cuda: torch.device,
    monkeypatch: pytest.MonkeyPatch,
    tokens: int,
    heads: int,
    width: int,
) -> None:
    inputs = draw(cuda, tokens, heads, 128, width, torch.bfloat16)
    if not is_for_gluon(inputs[0], inputs[1]):
        pytest.skip("needs Hopper and the release of Triton that the kernel is for")
    # One kernel does it all.
    monkeypatch.setattr(attention_merge, "delta_of", None)
    first = merge_backward(*inputs)
    assert_is_the_gradient(inputs, first)
    for _ in range(10):
        again = merge_backward(*inputs)
        assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


@pytest.mark.parametrize("target", ["90", "80"])
def test_compiles_without_spills_and_fits_the_card(target: str) -> None:
    assert_compiles("attention_merge", "--target", target)
