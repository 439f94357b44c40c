from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.gpu import compile_check
from tests.trainer.kernels.compiled import assert_compiles
from trainer.kernels import common, mlp
from trainer.kernels.gemm import GemmConfig, is_for_gluon
from trainer.kernels.mlp import (
    HOPPER_DOWN,
    HOPPER_UP,
    PORTABLE,
    down_backward_relu_squared,
    normed_mlp_backward,
    up_relu_squared,
)
from trainer.kernels.residual import norm

# Whole tiles of none of them.
TOKENS, WIDTH, HIDDEN = 45, 24, 40
SMALL = GemmConfig(block_m=32, block_n=32, block_k=16, stages=2, warps=4, group=2)
CONFIGS = {
    "default": None,
    "copy engine": SMALL,
    "copy engine, four pieces": replace(SMALL, block_n=64, pieces=4),
    "copy engine, one program a tile": replace(SMALL, persistent=False),
    "plain loads": replace(SMALL, tma=False),
    "plain loads, one program a tile": replace(SMALL, tma=False, persistent=False, pieces=1),
}
# Steps of 64 features. Fewer tiles than programs, one in all; more than stages; tails.
SIZES_OF_WHOLE_STEPS = [(45, 64, 40), (300, 256, 392), (20_001, 512, 1_024), (8_192, 1_024, 776)]
EPS = 2**-7
# Half a unit in the last place where a kernel is compiled; Triton's interpreter cuts off instead.
BFLOAT16_ROUNDING = 2**-7 if os.environ.get("TRITON_INTERPRET") else 2**-8


pytestmark = pytest.mark.usefixtures("loops_with_bounds_of_their_own")


def draw(
    device: torch.device,
    dtype: torch.dtype,
    sizes: tuple[int, int, int] = (TOKENS, WIDTH, HIDDEN),
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x (T, D), up (F, D), down (D, F), gradient (T, D)."""
    torch.manual_seed(5)
    tokens, width, hidden = sizes
    shapes = ((tokens, width), (hidden, width), (width, hidden), (tokens, width))
    return tuple(torch.randn(shape, device=device).to(dtype) for shape in shapes)  # type: ignore[return-value]


def assert_close(actual: Tensor, exact: Tensor) -> None:
    """Allow each element its rounding and, since terms cancel, a little of the largest element.

    The tensor cores cut a sum off each time they add 16 products, so 768 of them may lose 48
    units of float32's last place.
    """
    if actual.dtype == torch.bfloat16:
        rounding, cancelled = BFLOAT16_ROUNDING, 48 * 2**-23
    else:
        rounding, cancelled = 2**-22, 2**-21
    error = (actual.double() - exact).abs()
    allowed = rounding * exact.abs() + cancelled * exact.abs().max()
    assert (error <= allowed).all(), (error - allowed).max()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_up_is_the_squared_relu_of_the_product(
    device: torch.device, dtype: torch.dtype, config: GemmConfig | None
) -> None:
    x, up, _, _ = draw(device, dtype)
    exact = (x.double() @ up.double().T).relu().square()
    assert_close(up_relu_squared(x, up, config), exact)


@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_down_backward_scales_the_product_by_twice_the_root(
    device: torch.device, dtype: torch.dtype, config: GemmConfig | None, turned: bool
) -> None:
    x, up, down, d_m = draw(device, dtype)
    h = up_relu_squared(x, up)
    exact = (d_m.double() @ down.double()) * 2 * h.double().sqrt()
    stored = down.T.contiguous().T if turned else down
    actual = down_backward_relu_squared(d_m, stored, h, config)
    assert_close(actual, exact)


def test_gradients_of_the_whole_mlp_are_those_of_autograd(device: torch.device) -> None:
    if device.type == "cuda":
        pytest.skip("float64 products are for the interpreter")
    x, up, down, d_m = (t.double().requires_grad_() for t in draw(device, torch.float64))
    ((x @ up.T).relu().square() @ down.T).backward(d_m)
    with torch.no_grad():
        h = up_relu_squared(x, up)
        d_pre = down_backward_relu_squared(d_m, down, h)
        torch.testing.assert_close(d_pre @ up, x.grad)
        torch.testing.assert_close(d_pre.T @ x, up.grad)
        torch.testing.assert_close(d_m.T @ h, down.grad)


def test_rows_may_lie_apart_in_memory(device: torch.device) -> None:
    x, up, down, d_m = draw(device, torch.float32)
    apart = torch.cat([x, d_m], dim=1)
    h = up_relu_squared(x, up)
    assert torch.equal(up_relu_squared(apart[:, :WIDTH], up), h)
    expected = down_backward_relu_squared(d_m, down, h)
    assert torch.equal(down_backward_relu_squared(apart[:, WIDTH:], down, h), expected)


def test_not_a_number_stays_one(device: torch.device) -> None:
    x, up, _, _ = draw(device, torch.float32)
    x[3, 7] = float("nan")
    assert up_relu_squared(x, up).isnan().any(dim=1).nonzero().flatten().tolist() == [3]


def test_nothing_flows_back_where_nothing_came_through(device: torch.device) -> None:
    x, up, down, d_m = draw(device, torch.float32)
    h = up_relu_squared(x, up)
    d_pre = down_backward_relu_squared(d_m, down, h)
    assert torch.equal(d_pre != 0, h > 0)


def test_shapes_that_do_not_fit_are_refused(device: torch.device) -> None:
    x, up, down, d_m = draw(device, torch.float32)
    with pytest.raises(ValueError, match="shapes do not fit"):
        up_relu_squared(x[:, 1:], up)
    with pytest.raises(ValueError, match="shapes do not fit"):
        down_backward_relu_squared(d_m, down, x)


def test_mixed_types_and_turned_rows_are_refused(device: torch.device) -> None:
    x, up, _, _ = draw(device, torch.float32)
    with pytest.raises(ValueError, match="types differ"):
        up_relu_squared(x, up.bfloat16())
    with pytest.raises(ValueError, match="not neighbours"):
        up_relu_squared(x.T.contiguous().T, up)


@pytest.mark.parametrize(
    ("width", "hidden", "capability", "release", "taken"),
    [
        (768, 3072, (9, 0), "3.6.0", True),
        (64, 8, (9, 0), "3.6.1", True),
        (96, 3072, (9, 0), "3.6.0", False),  # not whole steps
        (768, 3076, (9, 0), "3.6.0", False),  # rows that the copy engine cannot find
        (768, 3072, (8, 0), "3.6.0", False),
        (768, 3072, (10, 0), "3.6.0", False),
        (768, 3072, (9, 0), "3.5.1", False),
        (768, 3072, (9, 0), "3.7.0", False),
    ],
)
def test_only_what_it_is_written_for_takes_the_product_in_gluon(
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    hidden: int,
    capability: tuple[int, int],
    release: str,
    taken: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(common.triton, "__version__", release)
    x, down = compile_check.tensor(256, width), compile_check.tensor(width, hidden)
    assert is_for_gluon(x, down) == taken


@pytest.mark.parametrize("target", ["90", "80"])
def test_compiles_without_spills_and_fits_the_card(target: str) -> None:
    assert_compiles("mlp", "--target", target)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "config",
    [None, HOPPER_UP, HOPPER_DOWN, PORTABLE],
    ids=["default", "up", "down", "portable"],
)
@pytest.mark.parametrize("tokens", [65536, 65536 - 77])
def test_full_size_agrees_with_float64(
    cuda: torch.device, tokens: int, config: GemmConfig | None
) -> None:
    if config in (HOPPER_UP, HOPPER_DOWN) and torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("needs the copy engine of sm_90")
    x, up, down, d_m = draw(cuda, torch.bfloat16, (tokens, 768, 3072))
    h = up_relu_squared(x, up, config)
    d_pre = down_backward_relu_squared(d_m, down, h, config)
    # Both ends and a part of the middle: float64 for all would take 10 s.
    for rows in (slice(0, 512), slice(tokens // 2, tokens // 2 + 512), slice(tokens - 512, tokens)):
        exact = (x[rows].double() @ up.double().T).relu().square()
        assert_close(h[rows], exact)
        exact = (d_m[rows].double() @ down.double()) * 2 * h[rows].double().sqrt()
        assert_close(d_pre[rows], exact)


@pytest.mark.gpu
@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("sizes", SIZES_OF_WHOLE_STEPS)
def test_warps_that_take_turns_agree_with_float64(
    cuda: torch.device, sizes: tuple[int, int, int], turned: bool
) -> None:
    x, up, down, d_m = draw(cuda, torch.bfloat16, sizes)
    if not is_for_gluon(x, up.T):
        pytest.skip("needs Hopper and the release of Triton that the kernel is for")
    h = up_relu_squared(x, up)
    assert_close(h, (x.double() @ up.double().T).relu().square())
    stored = down.T.contiguous().T if turned else down
    exact = (d_m.double() @ down.double()) * 2 * h.double().sqrt()
    assert_close(down_backward_relu_squared(d_m, stored, h), exact)


def assert_goes_back_through_the_norm(tensors: tuple[Tensor, ...]) -> None:
    stream, up, down, d_out = tensors
    normed, rstd = norm(stream, EPS)
    h = up_relu_squared(normed, up)
    d_pre, d_stream = normed_mlp_backward(d_out, down, h, up, normed, rstd)
    assert torch.equal(d_pre, down_backward_relu_squared(d_out, down, h))
    exact = stream.double().requires_grad_()
    scaled = exact * (exact.square().mean(1, keepdim=True) + EPS).rsqrt()
    result = exact + (scaled @ up.double().T).relu().square() @ down.double().T
    (expected,) = torch.autograd.grad(result, exact, d_out.double())
    # Rounded are normed, h, d_pre and the result; each is a factor of most of what is summed.
    error = (d_stream.double() - expected).norm() / expected.norm()
    assert error < 4 * torch.finfo(stream.dtype).eps, error


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_whole_gradient_goes_back_through_the_norm(
    device: torch.device, dtype: torch.dtype
) -> None:
    assert_goes_back_through_the_norm(draw(device, dtype))


@pytest.mark.gpu
@pytest.mark.parametrize(
    "sizes", [*SIZES_OF_WHOLE_STEPS[2:], (300, 256, 448), (65_536, 768, 3_072)]
)
def test_warps_that_take_turns_go_back_through_the_norm(
    cuda: torch.device, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int, int]
) -> None:
    tensors = draw(cuda, torch.bfloat16, sizes)
    # Of a size at which no term drowns the others.
    tensors = (tensors[0], *(t * sizes[1] ** -0.5 for t in tensors[1:3]), tensors[3])
    if not is_for_gluon(tensors[0], tensors[1].T):
        pytest.skip("needs Hopper and the release of Triton that the kernels are for")
    if sizes[2] % 64 == 0:
        # Two kernels do it all.
        monkeypatch.setattr(mlp, "norm_backward", None)
    assert_goes_back_through_the_norm(tensors)


@pytest.mark.gpu
def test_not_a_number_stays_one_on_the_card(cuda: torch.device) -> None:
    x, up, down, d_m = draw(cuda, torch.bfloat16, (300, 768, 3072))
    x[3, 7] = d_m[290, 5] = float("nan")
    h = up_relu_squared(x, up)
    assert h.isnan().any(dim=1).nonzero().flatten().tolist() == [3]
    d_pre = down_backward_relu_squared(d_m, down, h)
    assert d_pre.isnan().any(dim=1).nonzero().flatten().tolist() == [3, 290]


@pytest.mark.gpu
def test_the_same_call_gives_the_same_bits(cuda: torch.device) -> None:
    x, up, down, d_m = draw(cuda, torch.bfloat16, (65536, 768, 3072))
    h = up_relu_squared(x, up)
    d_pre = down_backward_relu_squared(d_m, down, h)
    normed, rstd = norm(x, EPS)
    d_stream = normed_mlp_backward(d_m, down, h, up, normed, rstd)[1]
    for _ in range(20):
        assert torch.equal(up_relu_squared(x, up), h)
        assert torch.equal(down_backward_relu_squared(d_m, down, h), d_pre)
        again = normed_mlp_backward(d_m, down, h, up, normed, rstd)
        assert torch.equal(again[0], d_pre)
        assert torch.equal(again[1], d_stream)
