from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import rms_norm

from benchmarks.gpu import compile_check
from tests.trainer.kernels.test_attention_kernel import (
    assert_close,
    documents_of,
    on,
    oracle_mask,
    part_of,
    run_oracle,
)
from trainer.kernels import attention, common
from trainer.kernels.attention import HOPPER, LARGEST_UNSHIFTED, attend
from trainer.operations.masks import intervals

SCALE = 0.12
BOUND = 16.0
REPEATS = 20


@pytest.fixture
def hopper(cuda: torch.device) -> torch.device:
    if not common.has_gluon(cuda):
        pytest.skip("needs sm_90 and the release of Triton that the kernel is for")
    return cuda


def draw(device: torch.device, tokens: int) -> list[Tensor]:
    """Normed q and k, cut out of a projection, and v."""
    torch.manual_seed(11)
    merged, v = (torch.randn((tokens, n, 6, 128), device=device) for n in (3, 1))
    q, k, _ = rms_norm(merged, (128,)).bfloat16().unbind(1)
    return [q, k, v[:, 0].bfloat16()]


def run(inputs: list[Tensor], low: Tensor) -> dict[str, Tensor]:
    assert attention.has_hopper_kernel(*inputs, BOUND)
    out, lse = attend(*inputs, low, SCALE, bound=BOUND)
    return {"out": out, "lse": lse}


def run_triton(inputs: list[Tensor], low: Tensor) -> dict[str, Tensor]:
    out, lse = attend(*inputs, low, SCALE, HOPPER)
    return {"out": out, "lse": lse}


@pytest.mark.gpu
@pytest.mark.parametrize("tokens", [64, 128, 4096], ids=["third of a tile", "two", "many tiles"])
@pytest.mark.parametrize(
    ("mean", "window"),
    [(1, 14), (5, 14), (70, 1), (660, 2), (660, 14), (10**9, 16)],
    ids=["tokens alone", "words", "one block", "two blocks", "documents", "one document"],
)
def test_gives_what_the_portable_language_gives(
    hopper: torch.device, tokens: int, mean: int, window: int
) -> None:
    low = on(hopper, intervals(documents_of(tokens, mean, seed=mean), 64, [window])[0])
    inputs = draw(hopper, tokens)
    mine, other = run(inputs, low), run_triton(inputs, low)
    # Each is within 2**-7 of what is exact.
    assert_close(mine, {name: t.double() for name, t in other.items()}, 2**-7)
    torch.testing.assert_close(mine["lse"], other["lse"], rtol=0, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("window", [1, 7, 14])
def test_full_size_agrees_with_float64(hopper: torch.device, window: int) -> None:
    tokens = 65_536
    documents = documents_of(tokens, mean=660, seed=window)
    inputs = draw(hopper, tokens)
    actual = run(inputs, on(hopper, intervals(documents, 128, [window])[0]))
    # What a token sees, and who sees it, is within 14 blocks: of parts of 32 compare the middle.
    for first in (0, 30_080, tokens - 4096):
        part = slice(first, first + 4096)
        middle = slice(0 if first == 0 else 1792, None if part.stop == tokens else -1792)
        mask = oracle_mask(documents[part], 128, window)
        for head in (0, 5):
            exact = run_oracle([t[part, head : head + 1] for t in inputs], mask, SCALE)
            mine = part_of(actual, part, slice(head, head + 1))
            every = slice(None)
            assert_close(part_of(mine, middle, every), part_of(exact, middle, every), 2**-7)


@pytest.mark.gpu
def test_the_same_call_gives_the_same_bits_whoever_computes_a_tile(hopper: torch.device) -> None:
    low = on(hopper, intervals(documents_of(65_536, 660, 1), 128, [14])[0])
    inputs = draw(hopper, 65_536)
    once = run(inputs, low)
    for _ in range(REPEATS):
        again = run(inputs, low)
        assert all(torch.equal(once[name], again[name]) for name in once)


@pytest.mark.gpu
def test_not_a_number_reaches_those_who_see_it(hopper: torch.device) -> None:
    documents = documents_of(4096, mean=300, seed=7)
    low = on(hopper, intervals(documents, 128, [2])[0])
    inputs = draw(hopper, 4096)
    inputs[1][1000, 1, 3] = float("nan")
    out = run(inputs, low)["out"]
    seen = oracle_mask(documents, 128, 2)[:, 1000].to(hopper)
    assert torch.equal(out[:, 1].isnan().all(-1), seen)
    assert not out[:, 0].isnan().any()


@pytest.mark.parametrize(
    ("changed", "capability", "release"),
    [
        ({"dtype": torch.float32}, (9, 0), "3.6.0"),
        ({"features": 64}, (9, 0), "3.6.0"),
        ({"tokens": 96}, (9, 0), "3.6.0"),
        ({"bound": LARGEST_UNSHIFTED + 1}, (9, 0), "3.6.0"),
        ({"bound": math.inf}, (9, 0), "3.6.0"),
        ({"bound": math.nan}, (9, 0), "3.6.0"),
        ({}, (8, 0), "3.6.0"),
        ({}, (10, 0), "3.6.0"),
        ({}, (9, 0), "3.5.1"),
        ({}, (9, 0), "3.7.0"),
    ],
)
def test_only_what_it_is_written_for_takes_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    capability: tuple[int, int],
    release: str,
) -> None:
    def taken(
        dtype: torch.dtype = torch.bfloat16,
        features: int = 128,
        tokens: int = 256,
        bound: float = LARGEST_UNSHIFTED,
    ) -> bool:
        q = compile_check.tensor(tokens, 6, features, dtype=dtype)
        return attention.has_hopper_kernel(q, q, q, bound)

    usual, ours = (9, 0), "3.6.0"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: usual)
    monkeypatch.setattr(common.triton, "__version__", ours)
    assert taken()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(common.triton, "__version__", release)
    assert not taken(**changed)


def test_exponentials_of_the_largest_scores_fit_into_float32() -> None:
    largest, tiny = torch.tensor([LARGEST_UNSHIFTED, -LARGEST_UNSHIFTED]).exp()
    assert (largest * 2**24).isfinite()
    assert tiny > torch.finfo(torch.float32).tiny
