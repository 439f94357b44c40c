"""The product that merges heads, its gradient, and delta, against float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.trainer.kernels.compiled import assert_compiles
from trainer.kernels import attention_merge
from trainer.kernels.attention_merge import merge_, merge_backward, restores_stream
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


def draw_stream(
    device: torch.device, tokens: int, heads: int, size: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """out (T, H, E), the weight (D, H * E) for D = H * E, and the stream's norm and 1 / RMS."""
    width = heads * size
    _, weight, out, _ = draw(device, tokens, heads, size, width, dtype)
    spread = torch.rand(tokens, device=device) * 3 + 0.1
    normed = torch.randn(tokens, width, device=device).to(dtype)
    return out, weight, normed, 1 / spread


def merged_exactly(stream: Tensor, out: Tensor, weight: Tensor) -> Tensor:
    return stream.double() + out.flatten(1).double() @ weight.double().mT


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("there", [True, False])
def test_heads_are_merged_into_a_stream_that_is_there_or_restored(
    device: torch.device, dtype: torch.dtype, *, there: bool
) -> None:
    out, weight, normed, rstd = draw_stream(device, 96, 2, 16, dtype)
    stream = (normed / rstd[:, None]).to(dtype)
    expected = merged_exactly(stream, out, weight)
    given = stream if there else torch.full_like(stream, math.nan)
    found = merge_(given, out, weight, normed, None if there else rstd)
    assert found is given
    assert (found.double() - expected).norm() < torch.finfo(dtype).eps * expected.norm()


@pytest.mark.gpu
@pytest.mark.parametrize(("tokens", "heads"), [(192, 1), (20_032, 3), (65_536, 6)])
def test_a_stream_is_restored_on_the_card(cuda: torch.device, tokens: int, heads: int) -> None:
    out, weight, normed, rstd = draw_stream(cuda, tokens, heads, 128, torch.bfloat16)
    if not restores_stream(normed):
        pytest.skip("needs Hopper and the release of Triton that the kernel is for")

    def merge() -> Tensor:
        return merge_(torch.full_like(normed, math.nan), out, weight, normed, rstd)

    first = merge()
    expected = merged_exactly(normed.double() / rstd.double()[:, None], out, weight)
    # Rounded once.
    error = (first.double() - expected).norm() / expected.norm()
    assert error < torch.finfo(torch.bfloat16).eps / 2
    assert all(torch.equal(first, merge()) for _ in range(10))


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
