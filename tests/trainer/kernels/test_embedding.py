from __future__ import annotations

from itertools import groupby

import pytest
import torch
from torch import Tensor

from trainer.config import FLOAT32_EPS as NORM_EPS
from trainer.kernels import embedding, residual
from trainer.operations.rotary import norm

WIDTH, VOCAB = 20, 160
PIECE = embedding.PIECE


@pytest.fixture(autouse=True)
def few_programs(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Small tests: programs then take several rows or pieces, and a row has two strips."""
    if "cuda" not in request.fixturenames:
        monkeypatch.setattr(embedding, "PROGRAMS", 7)
        monkeypatch.setattr(residual, "PROGRAMS", 11)
        monkeypatch.setattr(embedding, "STRIP", 16)


def shuffled(tokens: list[int]) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.tensor(tokens)[torch.randperm(len(tokens), generator=generator)]


def runs(*lengths: int) -> Tensor:
    return shuffled([token for token, length in enumerate(lengths) for _ in range(length)])


SEQUENCES = {
    "one token": runs(1),
    "all equal": torch.full((150,), 3),
    "all distinct": shuffled(list(range(150))),
    "runs about as long as pieces": runs(1, 31, 32, 33, 63, 64, 65, 2),
    "runs that end where pieces do": runs(96, 1, 128, 31),
    "one frequent token": runs(100, *[1] * 40, 5, 9),
}
every_sequence = pytest.mark.parametrize("tokens", SEQUENCES.values(), ids=SEQUENCES)


def pieces_of(segments: embedding.Segments) -> list[tuple[int, list[int]]]:
    """Token and positions of every piece."""
    starts = [start for start in segments.starts.tolist() if start < len(segments.order)]
    ends = [*starts[1:], len(segments.order)]
    return [
        (int(segments.tokens[start]), segments.order[start:end].tolist())
        for start, end in zip(starts, ends, strict=True)
    ]


def add(grad: Tensor, rows: Tensor, tokens: Tensor, scale: Tensor | None = None) -> Tensor:
    sources = [embedding.Rows(rows, scale)]
    return embedding.add_rows_(grad, sources, embedding.sort_tokens(tokens))


@every_sequence
def test_pieces_hold_each_position_once_by_token_and_in_order(tokens: Tensor) -> None:
    pieces = pieces_of(embedding.sort_tokens(tokens))
    positions = [position for _, piece in pieces for position in piece]
    assert positions == sorted(range(len(tokens)), key=lambda at: (int(tokens[at]), at))
    assert all(int(tokens[position]) == token for token, piece in pieces for position in piece)


@every_sequence
def test_a_piece_is_its_token_s_only_one_or_has_between_one_and_two_piece_lengths(
    tokens: Tensor,
) -> None:
    for _, group in groupby(pieces_of(embedding.sort_tokens(tokens)), key=lambda piece: piece[0]):
        lengths = [len(piece) for _, piece in group]
        assert max(lengths) < 2 * PIECE
        if len(lengths) > 1:
            assert set(lengths[:-1]) == {PIECE}
            assert lengths[-1] >= PIECE


@every_sequence
def test_runs_are_where_their_token_is(tokens: Tensor) -> None:
    segments = embedding.sort_tokens(tokens)
    for begin, end, token in zip(*segments[2:4], segments.tokens, strict=True):
        run = segments.tokens[begin:end]
        assert (run == token).all()
        assert len(run) == (tokens == token).sum()


@every_sequence
@pytest.mark.parametrize("scaled", [True, False])
def test_rows_are_added_as_by_index_add(
    device: torch.device, tokens: Tensor, *, scaled: bool
) -> None:
    tokens = tokens.to(device)
    torch.manual_seed(6)
    grad = torch.randn(VOCAB, WIDTH, dtype=torch.float64, device=device)
    rows = torch.randn(len(tokens), WIDTH, dtype=torch.float64, device=device)
    scale = torch.tensor([9.0, -0.6], dtype=torch.float64, device=device)[1:] if scaled else None
    expected = grad.index_add(0, tokens, rows if scale is None else scale * rows)
    result = add(grad, rows, tokens, scale)
    assert result is grad
    torch.testing.assert_close(grad, expected)
    untouched = torch.ones(VOCAB, dtype=torch.bool, device=device)
    untouched[tokens] = False
    assert torch.equal(grad[untouched], expected[untouched])


@every_sequence
@pytest.mark.parametrize("scaled", [True, False])
def test_two_sources_are_added_as_one_after_the_other(
    device: torch.device, tokens: Tensor, *, scaled: bool
) -> None:
    tokens = tokens.to(device)
    torch.manual_seed(8)
    before = torch.randn(VOCAB, WIDTH, dtype=torch.float64, device=device)
    scales = torch.tensor([0.3, -1.6], dtype=torch.float64, device=device)
    # The second source lies apart, the first does not.
    wide = torch.randn(3, len(tokens), 2, WIDTH, dtype=torch.float64, device=device)
    values = wide[0, :, 0].contiguous(), wide[1, :, 1]
    sources = [embedding.Rows(v, scales[i] if scaled else None) for i, v in enumerate(values)]
    together = embedding.add_rows_(before.clone(), sources, embedding.sort_tokens(tokens))
    expected = before.clone()
    for source in sources:
        add(expected, source.values, tokens, source.scale)
    torch.testing.assert_close(together, expected)


def test_rows_may_lie_apart(device: torch.device) -> None:
    tokens = SEQUENCES["one frequent token"].to(device)
    rows = torch.randn(len(tokens), 3, WIDTH, dtype=torch.float64, device=device)[:, 1]
    grad = torch.zeros(VOCAB, WIDTH, dtype=torch.float64, device=device)
    add(grad, rows, tokens, torch.tensor(2.0, device=device))
    torch.testing.assert_close(grad, torch.zeros_like(grad).index_add_(0, tokens, 2 * rows))


@pytest.mark.parametrize("count", [32, 160])
def test_a_sum_is_rounded_once_when_it_is_added(device: torch.device, count: int) -> None:
    """Added to 1 one by one in bfloat16, none of these would count: its step at 1 is 2**-7."""
    tokens = torch.zeros(count, dtype=torch.int32, device=device)
    rows = torch.full((count, WIDTH), 2.0**-9, dtype=torch.bfloat16, device=device)
    grad = torch.ones(3, WIDTH, dtype=torch.bfloat16, device=device)
    add(grad, rows, tokens)
    assert (grad[0] == 1 + count * 2.0**-9).all()
    assert (grad[1:] == 1).all()


def test_a_gradient_in_float32_takes_rows_in_bfloat16(device: torch.device) -> None:
    tokens = SEQUENCES["runs about as long as pieces"].to(device)
    rows = torch.randn(len(tokens), WIDTH, device=device).bfloat16()
    grad = torch.zeros(VOCAB, WIDTH, device=device)
    add(grad, rows, tokens)
    expected = torch.zeros_like(grad).index_add_(0, tokens, rows.float())
    torch.testing.assert_close(grad, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_embedding_and_its_gradient_equal_autograd(
    device: torch.device, dtype: torch.dtype
) -> None:
    tokens = SEQUENCES["one frequent token"].to(device, dtype)
    table = torch.randn(VOCAB, WIDTH, dtype=torch.float64, device=device)
    leaf = table.clone().requires_grad_()
    expected = norm(leaf[tokens], NORM_EPS)
    normed, rstd = embedding.embed_norm(table, tokens, NORM_EPS)
    torch.testing.assert_close(normed, expected.detach())
    torch.testing.assert_close(normed, table[tokens] * rstd[:, None])

    d_normed = torch.randn_like(normed)
    expected.backward(d_normed)
    rows = embedding.embed_norm_backward(d_normed, normed, rstd)
    grad = torch.zeros_like(table)
    add(grad, rows, tokens)
    torch.testing.assert_close(grad, leaf.grad)


def test_bfloat16_rows_are_normalised_in_float32_and_rounded_once(device: torch.device) -> None:
    """Rounding errs by at most epsilon, where the interpreter cuts off, else by half of it."""
    tokens = torch.arange(9, device=device)
    table = torch.randn(9, WIDTH, device=device).bfloat16()
    normed, rstd = embedding.embed_norm(table, tokens, NORM_EPS)
    assert (normed.dtype, rstd.dtype) == (torch.bfloat16, torch.float32)
    epsilon = torch.finfo(torch.bfloat16).eps
    torch.testing.assert_close(
        normed.double(), norm(table.double(), NORM_EPS), rtol=epsilon, atol=0
    )


def test_rows_with_gaps_between_features_are_refused(device: torch.device) -> None:
    tokens = torch.arange(4, device=device)
    grad, rows = torch.zeros(VOCAB, WIDTH, device=device), torch.zeros(WIDTH, 4, device=device).mT
    with pytest.raises(ValueError, match=r"strides are \(1, 4\), the last must be 1"):
        add(grad, rows, tokens)


def full_sequence(kind: str, device: torch.device) -> Tensor:
    """65,536 tokens; Zipf's most frequent one of them holds 9 %."""
    if kind == "all equal":
        return torch.full((65_536,), 11, device=device)
    if kind == "few repeated":
        return torch.randperm(65_536, device=device) % 50_257
    weights = 1 / torch.arange(1, 50_258, device=device)
    return torch.multinomial(weights, 65_536, replacement=True)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["Zipf", "all equal", "few repeated"])
def test_gradients_of_a_full_sequence_on_the_card_are_right_and_repeat(
    cuda: torch.device, kind: str
) -> None:
    """One rounding of bfloat16, and float32 sums of up to 65,536 numbers of unit size."""
    torch.manual_seed(7)
    tokens = full_sequence(kind, cuda)
    rows = torch.randn(65_536, 768, device=cuda).bfloat16()
    before = torch.randn(50_257, 768, device=cuda).bfloat16()
    scale = torch.tensor(0.7, device=cuda)
    once, again = (add(before.clone(), rows, tokens, scale) for _ in range(2))
    assert torch.equal(once, again)
    expected = before.double().index_add_(0, tokens, rows.double() * scale.double())
    torch.testing.assert_close(once.double(), expected, rtol=2**-8, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_nothing_on_the_card_waits_for_the_host(cuda: torch.device) -> None:
    tokens = full_sequence("Zipf", cuda)
    rows = torch.randn(65_536, 768, device=cuda).bfloat16()
    grad = torch.zeros(50_257, 768, device=cuda, dtype=torch.bfloat16)
    add(grad, rows, tokens)
    torch.cuda.set_sync_debug_mode("error")
    try:
        add(grad, rows, tokens)
    finally:
        torch.cuda.set_sync_debug_mode("default")
