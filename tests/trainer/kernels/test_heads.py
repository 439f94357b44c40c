from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from trainer.config import FLOAT32_EPS as NORM_EPS
from trainer.kernels import heads
from trainer.operations.rotary import rotary_tables, rotate

LENGTH, HEADS, SIZE, VOCAB = 13, 3, 16, 29


@pytest.fixture(autouse=True)
def few_programs(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Small tests: some programs then take three tokens, others two."""
    if "cuda" not in request.fixturenames:
        monkeypatch.setattr(heads, "PROGRAMS", 5)


class Inputs(NamedTuple):
    qkv: Tensor
    mix: Tensor
    table: Tensor | None
    tokens: Tensor | None
    cos: Tensor
    sin: Tensor

    def exact(self) -> Inputs:
        """The same in float64, where the first three are leaves."""
        leaves = (None if t is None else t.double().requires_grad_() for t in self[:3])
        return Inputs(*leaves, self.tokens, self.cos.double(), self.sin.double())


def draw(
    device: torch.device,
    dtype: torch.dtype,
    *,
    with_table: bool,
    shape: tuple[int, int, int] = (LENGTH, HEADS, SIZE),
) -> Inputs:
    torch.manual_seed(4)
    length, count, size = shape
    wide = torch.promote_types(dtype, torch.float32)
    table = torch.randn(VOCAB, count * size, device=device).to(dtype)
    return Inputs(
        torch.randn(length, 3, count, size, device=device).to(dtype) * 3,
        torch.tensor([0.7, -1.3], dtype=wide, device=device),
        table if with_table else None,
        torch.randint(VOCAB, (length,), device=device) if with_table else None,
        # Longer than the sequence, as a model's tables are.
        *(t.to(device, wide) for t in rotary_tables(length + 3, size)),
    )


def by_hand(given: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """Q, K and V, the rotation by the trainer's own function on (1, T, H, E)."""
    rstd = (given.qkv[:, :2].square().mean(-1, keepdim=True) + NORM_EPS).rsqrt()
    q, k = (given.qkv[:, :2] * rstd).unbind(1)
    q, k = (rotate(t[None], given.cos, given.sin)[0] for t in (q, k))
    v = given.mix[0] * given.qkv[:, 2]
    if given.table is not None:
        v = v + given.mix[1] * given.table[given.tokens].view_as(v)
    return q, k, v


def split(given: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """What the kernel makes of a copy: the copy, v and rstd."""
    qkv = given.qkv.clone()
    return qkv, *heads.split_heads(qkv, *given[1:], NORM_EPS)


@pytest.mark.parametrize("with_table", [True, False])
def test_queries_and_keys_are_turned_in_place_and_values_mixed(
    device: torch.device, *, with_table: bool
) -> None:
    given = draw(device, torch.float64, with_table=with_table)
    qkv, v, rstd = split(given)
    for value, expected in zip((qkv[:, 0], qkv[:, 1], v), by_hand(given), strict=True):
        torch.testing.assert_close(value, expected)
    assert torch.equal(qkv[:, 2], given.qkv[:, 2])
    mean_square = given.qkv[:, :2].square().mean(-1).flatten(1)
    torch.testing.assert_close(rstd, (mean_square + NORM_EPS).rsqrt())


def test_only_a_quarter_of_the_tables_is_read(device: torch.device) -> None:
    given = draw(device, torch.float64, with_table=False)
    expected, _, _ = split(given)
    given.cos[:, SIZE // 4 :] = torch.nan
    given.sin[:, SIZE // 4 :] = torch.nan
    assert torch.equal(split(given)[0], expected)


def test_tokens_may_be_int32(device: torch.device) -> None:
    given = draw(device, torch.float32, with_table=True)
    expected = split(given)
    short = split(given._replace(tokens=given.tokens.int()))
    for value, same in zip(short, expected, strict=True):
        assert torch.equal(value, same)


def relative_error(result: Tensor, expected: Tensor) -> float:
    result, expected = result.detach().double(), expected.detach().double()
    return float((result - expected).norm() / expected.norm())


def assert_within_bfloat16(shape: tuple[int, int, int], device: torch.device) -> None:
    """Rounding errs by at most half of epsilon; by all of it in the interpreter, which cuts off."""
    rounding = torch.finfo(torch.bfloat16).eps / (2 if device.type == "cuda" else 1)
    given = draw(device, torch.bfloat16, with_table=True, shape=shape)
    qkv, v, rstd = split(given)
    expected = by_hand(given.exact())
    assert v.dtype == torch.bfloat16
    assert rstd.dtype == torch.float32
    for value, exact in zip((qkv[:, 0], qkv[:, 1], v), expected, strict=True):
        assert relative_error(value, exact) < rounding


def test_bfloat16_is_computed_in_float32_and_rounded_once(device: torch.device) -> None:
    assert_within_bfloat16((LENGTH, HEADS, SIZE), device)


@pytest.mark.gpu
def test_heads_of_a_full_sequence_on_the_card_are_within_bfloat16_of_float64(
    cuda: torch.device,
) -> None:
    assert_within_bfloat16((65_536, 6, 128), cuda)


def test_a_table_without_tokens_is_refused(device: torch.device) -> None:
    given = draw(device, torch.float32, with_table=True)._replace(tokens=None)
    with pytest.raises(ValueError, match="a table needs tokens"):
        split(given)
