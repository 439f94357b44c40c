from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainer.kernels.compiled import assert_compiles
from trainer.config import RECIPES
from trainer.errors import TrainerError
from trainer.kernels.attention import HOPPER, PORTABLE, Tilings, attend
from trainer.kernels.tiles import Tiling
from trainer.operations.masks import Interval, block_mask, dense_mask, intervals, token_rule

TOKENS, HEADS, FEATURES = 256, 2, 16
BLOCK = 32
SCALE = 0.3
TILINGS = {
    "default": None,
    "copy engine": Tilings(*[Tiling(own=64, visited=32, stages=2, warps=4)] * 3),
    "visits more than it owns": Tilings(*[Tiling(own=32, visited=128, stages=2, warps=4)] * 3),
    "plain loads": Tilings(*[Tiling(own=128, visited=64, stages=2, warps=4, tma=False)] * 3),
}


@pytest.fixture(autouse=True)
def loops_with_bounds_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Triton 3.6's interpreter count to a number that a kernel computed.

    It holds scalars as arrays of one element, and NumPy 2.4 makes no int of those.
    """
    from triton.runtime import interpreter

    patch = interpreter._patch_lang_tensor

    def patch_and_mend(tensor: Any, scope: Any) -> None:
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: self.handle.data.item())

    monkeypatch.setattr(interpreter, "_patch_lang_tensor", patch_and_mend)


def documents_of(length: int, mean: int, seed: int) -> Tensor:
    """Numbers of documents whose lengths are geometric, (T,)."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(length, generator=generator) < 1 / mean).cumsum(0)


def oracle_mask(documents: Tensor, block: int, window: int) -> Tensor:
    """Who sees whom, (T, T) of [query, key]."""
    several = documents.unsqueeze(0)
    return dense_mask(block_mask(several, block, window), token_rule(several))[0]


def oracle(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Attention (T, H, E) and log-sum-exp (H, T) from dense scores."""
    scores = torch.einsum("qhe,khe->hqk", q, k) * scale
    scores = scores.masked_fill(~mask, float("-inf"))
    return torch.einsum("hqk,khe->qhe", scores.softmax(-1), v), scores.logsumexp(-1)


def draw(
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    shape: tuple[int, int, int] = (TOKENS, HEADS, FEATURES),
) -> list[Tensor]:
    """q, k and v."""
    torch.manual_seed(11)
    return [torch.randn(shape, device=device).to(dtype) for _ in range(3)]


def on(device: torch.device, bounds: Interval) -> Tensor:
    """What the forward pass needs of them."""
    return bounds.low.to(device)


def run(
    inputs: list[Tensor], low: Tensor, scale: float = SCALE, tilings: Tilings | None = None
) -> dict[str, Tensor]:
    out, lse = attend(*inputs, low, scale, tilings)
    return {"out": out, "lse": lse}


def run_oracle(inputs: list[Tensor], mask: Tensor, scale: float = SCALE) -> dict[str, Tensor]:
    q, k, v = (t.double() for t in inputs)
    out, lse = oracle(q, k, v, mask.to(q.device), scale)
    return {"out": out, "lse": lse}


def part_of(results: dict[str, Tensor], tokens: slice, heads: slice) -> dict[str, Tensor]:
    return {
        name: t[heads, tokens] if name == "lse" else t[tokens, heads] for name, t in results.items()
    }


def assert_close(actual: dict[str, Tensor], exact: dict[str, Tensor], tolerance: float) -> None:
    """Each result as a whole, and no single element far off."""
    for name, expected in exact.items():
        error = actual[name].double() - expected
        assert error.norm() <= tolerance * expected.norm(), name
        assert error.abs().max() <= 4 * tolerance * expected.abs().max(), name


@pytest.mark.parametrize("window", range(1, 15))
def test_bounds_spell_the_dense_mask(window: int) -> None:
    documents = documents_of(2048, mean=300, seed=window)
    low, high, reach = intervals(documents, 128, [window])[0]
    at = torch.arange(2048)
    mask = oracle_mask(documents, 128, window)
    causal = at <= at[:, None]
    assert torch.equal((at >= low[:, None]) & causal, mask)
    assert torch.equal((at[:, None] <= high) & causal, mask)
    assert int((high - at).max()) < reach


@pytest.mark.parametrize("window", [1, 2, 3, 4])
def test_equals_the_dense_oracle_for_random_documents(device: torch.device, window: int) -> None:
    documents = documents_of(TOKENS, mean=50, seed=window)
    inputs, low = draw(device), on(device, intervals(documents, BLOCK, [window])[0])
    exact = run_oracle(inputs, oracle_mask(documents, BLOCK, window))
    assert_close(run(inputs, low, tilings=TILINGS["copy engine"]), exact, 1e-5)


@pytest.mark.parametrize("tilings", TILINGS.values(), ids=TILINGS)
def test_every_tiling_computes_the_same(device: torch.device, tilings: Tilings | None) -> None:
    documents = documents_of(TOKENS, mean=70, seed=0)
    inputs, low = draw(device), on(device, intervals(documents, BLOCK, [3])[0])
    exact = run_oracle(inputs, oracle_mask(documents, BLOCK, 3))
    assert_close(run(inputs, low, tilings=tilings), exact, 1e-5)


@pytest.mark.parametrize("mean", [1, 10**9], ids=["one token each", "one for all"])
def test_extreme_documents(device: torch.device, mean: int) -> None:
    documents = documents_of(TOKENS, mean, seed=0)
    inputs, low = draw(device), on(device, intervals(documents, BLOCK, [8])[0])
    exact = run_oracle(inputs, oracle_mask(documents, BLOCK, 8))
    actual = run(inputs, low, tilings=TILINGS["copy engine"])
    if mean == 1:  # a query that sees itself alone: scores have no influence
        torch.testing.assert_close(actual["out"], inputs[2])
    assert_close(actual, exact, 1e-5)


def test_bfloat16_errs_by_its_rounding_alone(device: torch.device) -> None:
    documents = documents_of(TOKENS, mean=70, seed=4)
    inputs, low = draw(device, torch.bfloat16), on(device, intervals(documents, BLOCK, [3])[0])
    exact = run_oracle(inputs, oracle_mask(documents, BLOCK, 3))
    # Weights and results are rounded, each by at most 2**-9 of itself (by twice that where Triton's
    # interpreter cuts off instead).
    tolerance = 2**-6 if os.environ.get("TRITON_INTERPRET") else 2**-7
    assert_close(run(inputs, low, tilings=TILINGS["plain loads"]), exact, tolerance)


def test_large_scores_neither_overflow_nor_vanish(device: torch.device) -> None:
    documents = documents_of(TOKENS, mean=70, seed=5)
    inputs, low = draw(device), on(device, intervals(documents, BLOCK, [3])[0])
    exact = run_oracle(inputs, oracle_mask(documents, BLOCK, 3), scale=40.0)
    actual = run(inputs, low, scale=40.0, tilings=TILINGS["plain loads"])
    # Scores of several hundred, of which float32 keeps 2**-24: their exponentials err by 1e-4.
    assert exact["lse"].max() > 500
    assert_close(actual, exact, 1e-3)


@pytest.mark.parametrize("layout", ["merged", "heads first"])
def test_strides_are_free(device: torch.device, layout: str) -> None:
    inputs, low = draw(device), on(device, intervals(documents_of(TOKENS, 70, 6), BLOCK, [2])[0])
    expected = run(inputs, low, tilings=TILINGS["plain loads"])
    if layout == "merged":
        apart = list(torch.stack(inputs, 1).unbind(1))
        tilings = TILINGS["copy engine"]
    else:
        apart = [t.transpose(0, 1).contiguous().transpose(0, 1) for t in inputs]
        tilings = TILINGS["plain loads"]
    assert not apart[0].is_contiguous()
    actual = run(apart, low, tilings=tilings)
    assert all(t.is_contiguous() for t in actual.values())
    assert_close(actual, {name: t.double() for name, t in expected.items()}, 1e-5)


def test_not_a_number_reaches_those_who_see_it(device: torch.device) -> None:
    documents = documents_of(TOKENS, mean=70, seed=7)
    inputs, low = draw(device), on(device, intervals(documents, BLOCK, [2])[0])
    inputs[1][100, 1, 3] = float("nan")
    out, _ = attend(*inputs, low, SCALE)
    seen = oracle_mask(documents, BLOCK, 2)[:, 100].to(device)
    assert torch.equal(out[:, 1].isnan().all(-1), seen)
    assert not out[:, 0].isnan().any()


@pytest.mark.parametrize(
    ("tilings", "tokens", "rows"),
    [
        ("default", 32, 64),
        ("default", 96, 64),
        ("visits more than it owns", 64, 128),
        ("plain loads", 192, 128),
    ],
)
def test_a_sequence_that_leaves_a_tile_half_empty_is_refused(
    device: torch.device, tilings: str, tokens: int, rows: int
) -> None:
    low = torch.zeros(tokens, dtype=torch.int32, device=device)
    with pytest.raises(ValueError, match=f"^{tokens} tokens are not .* tiles of {rows} rows"):
        run(draw(device, shape=(tokens, HEADS, FEATURES)), low, tilings=TILINGS[tilings])


@pytest.mark.parametrize("length", [16, 32, 64])
def test_the_gpu_recipe_refuses_sequences_shorter_than_the_largest_tile(length: int) -> None:
    recipe = RECIPES["sub3"]
    largest = max(max(t.own, t.visited) for tilings in (HOPPER, PORTABLE) for t in tilings)
    assert recipe.model.block_size % largest == 0
    with pytest.raises(TrainerError, match=f"sequence_length {length} .* block_size 128"):
        recipe.with_sequence_length(length)


def test_a_sequence_of_one_tile_gives_what_dense_scores_give(device: torch.device) -> None:
    documents = documents_of(64, mean=20, seed=8)
    inputs, low = draw(device, shape=(64, HEADS, FEATURES)), intervals(documents, BLOCK, [1])[0]
    exact = run_oracle(inputs, oracle_mask(documents, BLOCK, 1))
    assert_close(run(inputs, on(device, low)), exact, 1e-5)


def test_what_does_not_fit_is_refused(device: torch.device) -> None:
    q, k, v = draw(device)
    low = torch.zeros(TOKENS, dtype=torch.int32, device=device)
    with pytest.raises(ValueError, match="no power of two"):
        attend(q[..., :12], k[..., :12], v[..., :12], low, SCALE)
    with pytest.raises(ValueError, match="differ"):
        attend(q, k, v.bfloat16(), low, SCALE)
    with pytest.raises(ValueError, match="not neighbours"):
        attend(q, k, v.mT.contiguous().mT, low, SCALE)
    with pytest.raises(ValueError, match="side by side"):
        attend(q[:, ::2], k[:, ::2], v[:, ::2], low, SCALE, TILINGS["copy engine"])


@pytest.mark.parametrize("target", ["90", "80"])
def test_compiles_without_spills_and_fits_the_card(target: str) -> None:
    assert_compiles("attention", "--target", target)


@pytest.mark.gpu
@pytest.mark.parametrize("tilings", [HOPPER, PORTABLE], ids=["hopper", "portable"])
@pytest.mark.parametrize("window", [1, 7, 14])
def test_full_size_agrees_with_float64(cuda: torch.device, window: int, tilings: Tilings) -> None:
    if tilings is HOPPER and torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("needs the copy engine of sm_90")
    tokens = 65536
    documents = documents_of(tokens, mean=660, seed=window)
    low = on(cuda, intervals(documents, 128, [window])[0])
    inputs = draw(cuda, torch.bfloat16, (tokens, 6, 128))
    actual = run(inputs, low, 0.12, tilings)
    # What a token sees, and who sees it, is within 14 blocks: of parts of 32 compare the middle.
    for first in (0, 30080, tokens - 4096):
        part = slice(first, first + 4096)
        middle = slice(0 if first == 0 else 1792, None if part.stop == tokens else -1792)
        mask = oracle_mask(documents[part], 128, window)
        for head in (0, 5):
            exact = run_oracle([t[part, head : head + 1] for t in inputs], mask, 0.12)
            mine = part_of(actual, part, slice(head, head + 1))
            every = slice(None)
            assert_close(part_of(mine, middle, every), part_of(exact, middle, every), 2**-7)


@pytest.mark.gpu
def test_the_same_call_gives_the_same_bits(cuda: torch.device) -> None:
    low = on(cuda, intervals(documents_of(65536, 660, 1), 128, [14])[0])
    inputs = draw(cuda, torch.bfloat16, (65536, 6, 128))
    first, second = run(inputs, low, 0.12), run(inputs, low, 0.12)
    assert all(torch.equal(first[name], second[name]) for name in first)
