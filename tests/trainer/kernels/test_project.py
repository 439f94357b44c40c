from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from tests.trainer.kernels.compiled import assert_compiles
from trainer.config import FLOAT32_EPS as NORM_EPS
from trainer.kernels import project as module
from trainer.kernels.gemm import GemmConfig
from trainer.kernels.project import HOPPER, project
from trainer.operations.rotary import rotary_tables, rotate

LENGTH, WIDTH, SIZE, VOCABULARY = 45, 24, 16, 29
CONFIGS = {
    "16 tokens": GemmConfig(16, SIZE, 16, stages=2, warps=4, group=2, persistent=False),
    "32 tokens": GemmConfig(32, SIZE, 16, stages=2, warps=4, group=1, persistent=False),
}


@pytest.fixture
def cpu_only(device: torch.device) -> torch.device:
    """Heads of 16 features and float64 are for the interpreter."""
    if device.type == "cuda":
        pytest.skip("runs interpreted")
    return device


class Inputs(NamedTuple):
    normed: Tensor
    qkv: Tensor
    mix: Tensor
    table: Tensor | None
    tokens: Tensor | None
    cos: Tensor
    sin: Tensor


def draw(
    device: torch.device,
    dtype: torch.dtype,
    *,
    with_table: bool = True,
    heads: int = 3,
    size: int = SIZE,
    length: int = LENGTH,
    width: int = WIDTH,
) -> Inputs:
    torch.manual_seed(4)
    wide = torch.promote_types(dtype, torch.float32)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(shape, device=device) * scale).to(dtype)

    return Inputs(
        normal(length, width),
        normal(3, heads * size, width, scale=width**-0.5),
        torch.tensor([0.7, -1.3], dtype=wide, device=device),
        normal(VOCABULARY, heads * size) if with_table else None,
        torch.randint(VOCABULARY, (length,), device=device) if with_table else None,
        # Longer than the sequence, as a model's tables are.
        *(t.to(device, wide) for t in rotary_tables(length + 3, size)),
    )


def by_hand(given: Inputs, rows: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor]:
    """Some rows of projected, v and rstd in float64, turned by the trainer's own function."""
    length, size = len(given.normed), given.cos.shape[1]
    cos, sin = (t[:length][rows].double() for t in (given.cos, given.sin))
    normed, qkv, mix = given.normed[rows].double(), given.qkv.double(), given.mix.double()
    raw = torch.einsum("td,ced->tce", normed, qkv).unflatten(-1, (-1, size))
    rstd = (raw[:, :2].square().mean(-1) + NORM_EPS).rsqrt()
    q, k = (rotate(t[None], cos, sin)[0] for t in (raw[:, :2] * rstd[..., None]).unbind(1))
    v = mix[0] * raw[:, 2]
    if given.table is not None:
        v = v + mix[1] * given.table[given.tokens[rows]].double().view_as(v)
    return torch.stack([q, k, raw[:, 2]], 1), v, rstd.flatten(1)


def assert_rounded_once(actual: Tensor, exact: Tensor, device: torch.device) -> None:
    """Half of epsilon, all of it in the interpreter, which cuts off; and a little for float32."""
    rounding = torch.finfo(actual.dtype).eps / (2 if device.type == "cuda" else 1)
    error = (actual.double() - exact).norm() / exact.norm()
    assert error < rounding + 2**-20, error


@pytest.mark.usefixtures("loops_with_bounds_of_their_own")
@pytest.mark.parametrize("heads", [2, 3])
@pytest.mark.parametrize("with_table", [True, False])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_heads_are_projected_normalised_turned_and_mixed(
    cpu_only: torch.device, config: GemmConfig, heads: int, *, with_table: bool
) -> None:
    given = draw(cpu_only, torch.float64, with_table=with_table, heads=heads)
    for value, expected in zip(project(*given, NORM_EPS, config), by_hand(given), strict=True):
        torch.testing.assert_close(value, expected)


@pytest.mark.usefixtures("loops_with_bounds_of_their_own")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_narrow_types_are_computed_in_float32_and_rounded_once(
    cpu_only: torch.device, dtype: torch.dtype
) -> None:
    given = draw(cpu_only, dtype)
    projected, v, rstd = project(*given, NORM_EPS, CONFIGS["16 tokens"])
    assert (projected.dtype, v.dtype, rstd.dtype) == (dtype, dtype, torch.float32)
    for value, exact in zip((projected, v, rstd), by_hand(given), strict=True):
        assert_rounded_once(value, exact, cpu_only)


@pytest.mark.usefixtures("loops_with_bounds_of_their_own")
def test_only_a_quarter_of_the_angles_is_read(cpu_only: torch.device) -> None:
    given = draw(cpu_only, torch.float64)
    config = CONFIGS["16 tokens"]
    expected = project(*given, NORM_EPS, config)
    given.cos[:, SIZE // 4 :] = torch.nan
    given.sin[:, SIZE // 4 :] = torch.nan
    for value, same in zip(project(*given, NORM_EPS, config), expected, strict=True):
        assert torch.equal(value, same)


@pytest.mark.parametrize("with_table", [True, False])
def test_other_types_and_cards_take_a_product_and_a_kernel(
    device: torch.device, monkeypatch: pytest.MonkeyPatch, *, with_table: bool
) -> None:
    monkeypatch.setattr(module, "_fused", None)
    given = draw(device, torch.float32, with_table=with_table)
    for value, exact in zip(project(*given, NORM_EPS), by_hand(given), strict=True):
        torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-5)


def test_what_does_not_fit_is_refused(device: torch.device) -> None:
    given = draw(device, torch.float32)
    with pytest.raises(ValueError, match="a table needs tokens"):
        project(*given._replace(tokens=None), NORM_EPS)
    with pytest.raises(ValueError, match="types differ"):
        project(*given._replace(qkv=given.qkv.bfloat16()), NORM_EPS)
    with pytest.raises(ValueError, match=r"do not fit: \(45, 23\), \(3, 48, 24\), \(48, 16\)"):
        project(*given._replace(normed=given.normed[:, 1:].contiguous()), NORM_EPS)
    with pytest.raises(ValueError, match="not contiguous"):
        project(*given._replace(qkv=given.qkv.mT), NORM_EPS)


@pytest.mark.parametrize("target", ["90", "80"])
def test_compiles_without_spills_and_fits_the_card(target: str) -> None:
    assert_compiles("project", "--target", target)


@pytest.mark.gpu
@pytest.mark.parametrize("config", [None, HOPPER], ids=["default", "Triton"])
@pytest.mark.parametrize("with_table", [True, False])
@pytest.mark.parametrize("length", [65_536, 65_536 - 77])
def test_full_size_is_within_bfloat16_of_float64(
    cuda: torch.device, length: int, config: GemmConfig | None, *, with_table: bool
) -> None:
    if torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("needs the copy engine of sm_90")
    given = draw(
        cuda, torch.bfloat16, with_table=with_table, heads=6, size=128, length=length, width=768
    )
    results = project(*given, NORM_EPS, config)
    # Both ends and a part of the middle: float64 for all would take 10 s.
    for rows in (slice(300), slice(30_000, 30_300), slice(-300, None)):
        for value, exact in zip(results, by_hand(given, rows), strict=True):
            assert_rounded_once(value[rows], exact, cuda)


@pytest.mark.gpu
@pytest.mark.parametrize("with_table", [True, False])
@pytest.mark.parametrize(
    ("heads", "length", "width"), [(1, 45, 64), (3, 300, 320), (2, 9_000, 1_024)]
)
def test_other_sizes_are_within_bfloat16_of_float64(
    cuda: torch.device, heads: int, length: int, width: int, *, with_table: bool
) -> None:
    if torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("needs the copy engine of sm_90")
    given = draw(
        cuda,
        torch.bfloat16,
        with_table=with_table,
        heads=heads,
        size=128,
        length=length,
        width=width,
    )
    for value, exact in zip(project(*given, NORM_EPS), by_hand(given), strict=True):
        assert_rounded_once(value, exact, cuda)


@pytest.mark.gpu
@pytest.mark.parametrize("with_table", [True, False])
def test_the_kernel_on_the_card_repeats_bit_for_bit(
    cuda: torch.device, *, with_table: bool
) -> None:
    if torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("needs the copy engine of sm_90")
    given = draw(
        cuda, torch.bfloat16, with_table=with_table, heads=6, size=128, length=65_536, width=768
    )
    once = project(*given, NORM_EPS)
    for _ in range(20):
        for first, second in zip(once, project(*given, NORM_EPS), strict=True):
            assert torch.equal(first, second)
