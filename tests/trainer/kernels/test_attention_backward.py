"""Gradients through attention, rotation, norm and mixing at once, against autograd in float64."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from benchmarks.gpu import compile_check
from tests.trainer.kernels.compiled import assert_compiles
from trainer.config import FLOAT32_EPS as NORM_EPS
from trainer.kernels import attention_backward, common, heads
from trainer.kernels.attention import HOPPER, PORTABLE, Tilings, attend
from trainer.kernels.attention_backward import (
    Projection,
    ProjectionGradients,
    attend_projection_backward,
)
from trainer.kernels.attention_merge import delta_of
from trainer.kernels.tiles import Tiling
from trainer.operations.masks import Interval, block_mask, dense_mask, intervals, token_rule
from trainer.operations.rotary import norm, rotary_tables, rotate

TOKENS, HEADS, FEATURES, VOCAB = 256, 2, 16, 29
BLOCK, WINDOW = 32, 3
SCALE = 0.3
# Of a call at full size, for races that most calls win.
REPEATS = 50
TILINGS = {
    "copy engine": Tilings(*[Tiling(own=64, visited=64, stages=2, warps=4)] * 3),
    "plain loads": Tilings(*[Tiling(own=32, visited=32, stages=2, warps=4, tma=False)] * 3),
    "tiles of two heights": Tilings(
        Tiling(own=128, visited=64, stages=2, warps=4),
        Tiling(own=32, visited=128, stages=2, warps=4),
        Tiling(own=128, visited=32, stages=2, warps=4),
    ),
}


@pytest.fixture(autouse=True)
def few_programs(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Interpreted, idle programs cost time."""
    if "cuda" not in request.fixturenames:
        monkeypatch.setattr(heads, "PROGRAMS", 3)


pytestmark = pytest.mark.usefixtures("loops_with_bounds_of_their_own")


class Problem(NamedTuple):
    """A raw projection, what is made of it, who sees whom, and the gradient of what comes out."""

    raw: Tensor
    mix: Tensor
    table: Tensor | None
    tokens: Tensor | None
    cos: Tensor
    sin: Tensor
    documents: Tensor
    d_out: Tensor
    block: int = BLOCK
    window: int = WINDOW
    scale: float = SCALE

    @property
    def bounds(self) -> Interval:
        return intervals(self.documents, self.block, [self.window])[0]

    def part(self, of: slice) -> Problem:
        """Some tokens alone, of which each keeps its angles."""
        tokens = None if self.tokens is None else self.tokens[of]
        turning = (self.cos[of], self.sin[of], self.documents[of], self.d_out[of])
        return Problem(self.raw[of], self.mix, self.table, tokens, *turning, *self[8:])


def draw(
    device: torch.device,
    *,
    with_table: bool,
    dtype: torch.dtype = torch.float32,
    shape: tuple[int, int, int] = (TOKENS, HEADS, FEATURES),
    mean: float = 70,
) -> Problem:
    """Draw a problem whose documents have `mean` tokens on average."""
    torch.manual_seed(5)
    length, count, size = shape
    wide = torch.promote_types(dtype, torch.float32)
    return Problem(
        (3 * torch.randn(length, 3, count, size, device=device)).to(dtype),
        torch.tensor([0.7, -1.3], dtype=wide, device=device),
        torch.randn(VOCAB, count * size, device=device).to(dtype) if with_table else None,
        torch.randint(VOCAB, (length,), device=device) if with_table else None,
        # Longer than the sequence, as a model's tables are.
        *(t.to(device, wide) for t in rotary_tables(length + 3, size)),
        (torch.rand(length, device=device) < 1 / mean).cumsum(0),
        torch.randn(shape, device=device).to(dtype),
    )


def saved(given: Problem, tilings: Tilings | None) -> tuple[Projection, Tensor, Tensor, Tensor]:
    """What a forward pass leaves: the projection, v, the output and the logarithms."""
    qkv = given.raw.clone()
    v, rstd = heads.split_heads(qkv, *given[1:6], NORM_EPS)
    out, lse = attend(qkv[:, 0], qkv[:, 1], v, given.bounds.low, given.scale, tilings)
    return Projection(qkv, rstd, *given[1:6]), v, out, lse


def run(given: Problem, tilings: Tilings | None = None) -> ProjectionGradients:
    projection, v, out, lse = saved(given, tilings)
    lse_delta = delta_of(given.d_out, out, lse, tilings)
    return attend_projection_backward(
        given.d_out, projection, v, lse_delta, given.bounds, given.scale, tilings
    )


def exact(given: Problem) -> ProjectionGradients:
    """By autograd through the trainer's own plain functions and dense scores, in float64."""
    raw, mix = (t.double().requires_grad_() for t in (given.raw, given.mix))
    cos, sin = given.cos.double(), given.sin.double()
    q, k = (rotate(norm(t, NORM_EPS)[None], cos, sin)[0] for t in raw[:, :2].unbind(1))
    v = mix[0] * raw[:, 2]
    if given.table is not None:
        v = v + mix[1] * given.table.double()[given.tokens].view_as(v)
    several = given.documents.unsqueeze(0)
    mask = dense_mask(block_mask(several, given.block, given.window), token_rule(several))[0]
    scores = torch.einsum("qhe,khe->hqk", q, k) * given.scale
    weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
    out = torch.einsum("hqk,khe->qhe", weights, v)
    return ProjectionGradients(*torch.autograd.grad(out, (raw, mix, v), given.d_out.double()))


def relative_error(result: Tensor, expected: Tensor) -> float:
    return float((result.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("with_table", [True, False])
@pytest.mark.parametrize("tilings", TILINGS.values(), ids=TILINGS)
def test_gradients_equal_autograd_in_every_tiling(
    device: torch.device, tilings: Tilings, *, with_table: bool
) -> None:
    given = draw(device, with_table=with_table)
    expected, actual = exact(given), run(given, tilings)
    for part in range(3):
        assert relative_error(actual.qkv[:, part], expected.qkv[:, part]) < 1e-5
    mixed = 2 if with_table else 1
    assert relative_error(actual.mix[:mixed], expected.mix[:mixed]) < 1e-5
    assert actual.qkv.is_contiguous()
    if with_table:
        assert actual.v is not None
        assert relative_error(actual.v, expected.v) < 1e-5
    else:
        assert actual.v is None
        assert float(actual.mix[1]) == 0.0


def assert_like_autograd(given: Problem, tolerance: float, tilings: Tilings | None) -> None:
    for mine, expected in zip(run(given, tilings), exact(given), strict=True):
        assert relative_error(mine, expected) < tolerance


@pytest.mark.parametrize("window", [1, 2, 4, 8])
def test_gradients_equal_autograd_in_every_window(device: torch.device, window: int) -> None:
    given = draw(device, with_table=True)._replace(window=window)
    assert_like_autograd(given, 1e-5, TILINGS["copy engine"])


def test_one_document_and_the_widest_window_reach_all(device: torch.device) -> None:
    given = draw(device, with_table=True, mean=1e9)._replace(window=TOKENS // BLOCK)
    assert_like_autograd(given, 1e-5, TILINGS["plain loads"])


def test_who_sees_itself_alone_has_no_gradient_of_scores(device: torch.device) -> None:
    given = draw(device, with_table=True, mean=1)
    actual, expected = run(given, TILINGS["copy engine"]), exact(given)
    assert actual.qkv[:, :2].abs().max() < 1e-5
    assert relative_error(actual.qkv[:, 2], expected.qkv[:, 2]) < 1e-5


def test_large_scores_neither_overflow_nor_vanish(device: torch.device) -> None:
    given = draw(device, with_table=True)._replace(scale=40.0)
    # Scores of several hundred, of which float32 keeps 2**-24: their exponentials err by 1e-4.
    assert saved(given, TILINGS["plain loads"])[3].max() > 500
    assert_like_autograd(given, 1e-3, TILINGS["plain loads"])


def test_tiles_that_do_not_fit_each_other_are_refused(device: torch.device) -> None:
    given, usual = draw(device, with_table=False), TILINGS["copy engine"]
    with pytest.raises(ValueError, match="transposed"):
        run(given, usual._replace(keys=Tiling(own=64, visited=32, stages=2, warps=4)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="kernels take float64 interpreted only")
def test_in_float64_nothing_but_its_rounding_is_lost(device: torch.device) -> None:
    given = draw(device, with_table=True, dtype=torch.float64)
    for mine, expected in zip(run(given, TILINGS["plain loads"]), exact(given), strict=True):
        # Attention's scale and its exponentials are float32 in the interpreter.
        assert relative_error(mine, expected) < 1e-6


def assert_within_bfloat16(given: Problem, tilings: Tilings | None = None) -> None:
    """Half of epsilon for each rounding, twice that where Triton's interpreter cuts off.

    Turned heads, v, the weights, the scores' gradients, the output that delta is of and the results
    are rounded.
    """
    tolerance = 2**-6 if os.environ.get("TRITON_INTERPRET") else 2**-7
    expected, actual = exact(given), run(given, tilings)
    for part in range(3):
        assert relative_error(actual.qkv[:, part], expected.qkv[:, part]) < tolerance
    assert relative_error(actual.mix, expected.mix) < tolerance
    assert actual.v is not None
    assert relative_error(actual.v, expected.v) < tolerance
    assert actual.qkv.dtype == actual.v.dtype == torch.bfloat16
    assert actual.mix.dtype == torch.float32


def test_bfloat16_errs_by_its_rounding_alone(device: torch.device) -> None:
    given = draw(device, with_table=True, dtype=torch.bfloat16)
    assert_within_bfloat16(given, TILINGS["plain loads"])


@pytest.mark.gpu
def test_heads_of_128_on_the_card_are_within_bfloat16_of_float64(cuda: torch.device) -> None:
    assert_within_bfloat16(draw(cuda, with_table=True, dtype=torch.bfloat16, shape=(2048, 6, 128)))


@pytest.mark.gpu
@pytest.mark.parametrize("tilings", [HOPPER, PORTABLE], ids=["hopper", "portable"])
@pytest.mark.parametrize("window", [1, 7, 14])
def test_full_size_agrees_with_float64(cuda: torch.device, window: int, tilings: Tilings) -> None:
    if tilings is HOPPER and torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("needs the copy engine of sm_90")
    length, mean = 65_536, 660
    drawn = draw(cuda, with_table=True, dtype=torch.bfloat16, shape=(length, 6, 128), mean=mean)
    given = drawn._replace(block=128, window=window, scale=0.12)
    actual = run(given, tilings)
    assert actual.v is not None
    # What a token sees, and who sees it, is within 14 blocks: of parts of 32 compare the middle.
    for first in (0, 30_080, length - 4096):
        part = slice(first, first + 4096)
        middle = slice(0 if first == 0 else 1792, None if part.stop == length else -1792)
        expected = exact(given.part(part))
        assert relative_error(actual.v[part][middle], expected.v[middle]) < 2**-7
        for mine, other in zip(actual.qkv[part].unbind(1), expected.qkv.unbind(1), strict=True):
            assert relative_error(mine[middle], other[middle]) < 2**-7


@pytest.mark.gpu
@pytest.mark.parametrize("with_table", [True, False])
def test_the_same_call_gives_the_same_gradients_bit_for_bit(
    cuda: torch.device, *, with_table: bool
) -> None:
    given = draw(cuda, with_table=with_table, dtype=torch.bfloat16, shape=(65_536, 6, 128))
    once = run(given)
    for _ in range(REPEATS):
        again = run(given)
        assert torch.equal(once.qkv, again.qkv)
        assert torch.equal(once.mix, again.mix)


@pytest.mark.gpu
@pytest.mark.parametrize("with_table", [True, False])
@pytest.mark.parametrize(
    ("mean", "window"),
    [(1, 14), (70, 1), (660, 14), (1e9, 16)],
    ids=["tokens alone", "one block", "documents", "one document"],
)
def test_the_hopper_kernel_gives_what_the_portable_language_gives(
    cuda: torch.device,
    monkeypatch: pytest.MonkeyPatch,
    mean: float,
    window: int,
    *,
    with_table: bool,
) -> None:
    drawn = draw(cuda, with_table=with_table, dtype=torch.bfloat16, shape=(4096, 6, 128), mean=mean)
    given = drawn._replace(block=128, window=window, scale=0.12)
    if not attention_backward.has_hopper_kernel(given.raw[:, 0], HOPPER.keys):
        pytest.skip("needs sm_90 and the release of Triton that the kernel is for")
    mine = run(given)
    monkeypatch.setattr(attention_backward, "has_hopper_kernel", lambda *_: False)
    other = run(given)
    # The same products in the same order. Only a norm's mean adds its features up in another one.
    assert torch.equal(mine.qkv[:, 0], other.qkv[:, 0])
    assert torch.equal(mine.qkv[:, 2], other.qkv[:, 2])
    assert relative_error(mine.qkv[:, 1], other.qkv[:, 1].double()) < 2**-12
    assert relative_error(mine.mix, other.mix.double()) < 1e-5
    if with_table:
        assert mine.v is not None
        assert other.v is not None
        assert torch.equal(mine.v, other.v)


@pytest.mark.parametrize(
    ("changed", "capability", "release"),
    [
        ({"dtype": torch.float32}, (9, 0), "3.6.0"),
        ({"features": 64}, (9, 0), "3.6.0"),
        ({"tiling": HOPPER.keys._replace(stages=3)}, (9, 0), "3.6.0"),
        ({}, (8, 0), "3.6.0"),
        ({}, (10, 0), "3.6.0"),
        ({}, (9, 0), "3.5.1"),
        ({}, (9, 0), "3.7.0"),
    ],
)
def test_only_what_it_is_written_for_takes_the_hopper_kernel(
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    capability: tuple[int, int],
    release: str,
) -> None:
    def taken(
        dtype: torch.dtype = torch.bfloat16, features: int = 128, tiling: Tiling = HOPPER.keys
    ) -> bool:
        q = compile_check.tensor(256, 6, features, dtype=dtype)
        return attention_backward.has_hopper_kernel(q, tiling)

    usual, ours = (9, 0), "3.6.0"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: usual)
    monkeypatch.setattr(common.triton, "__version__", ours)
    assert taken()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(common.triton, "__version__", release)
    assert not taken(**changed)


def test_gaps_in_a_projection_are_refused(device: torch.device) -> None:
    given = draw(device, with_table=False)
    wide = torch.cat([given.cos] * 2, 1)
    rstd = given.raw.new_empty(TOKENS, 2 * HEADS)
    gaps = Projection(given.raw, rstd, given.mix, None, None, wide[:, :FEATURES], given.sin)
    lse_delta = rstd.new_empty(2, HEADS, TOKENS)
    v = torch.empty_like(given.d_out)
    with pytest.raises(ValueError, match="contiguous"):
        attend_projection_backward(given.d_out, gaps, v, lse_delta, given.bounds, SCALE)


@pytest.mark.parametrize("target", ["90", "80"])
def test_compiles_without_spills_and_fits_the_card(target: str) -> None:
    assert_compiles("attention_backward", "--target", target)
