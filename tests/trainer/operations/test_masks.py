from __future__ import annotations

import torch
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.operations.masks import attention_bias, block_mask, dense_mask, intervals, token_rule
from trainer.schedule import Window

CASES = st.tuples(
    st.sampled_from([1, 2, 4, 8, 16]),  # block size
    st.integers(1, 12),  # blocks in a sequence
    st.integers(1, 15),  # window
    st.integers(0, 2**32),  # seed of the separators
    st.sampled_from([0.0, 0.02, 0.2, 0.9]),  # density of separators
)


def documents_of(block_size: int, blocks: int, seed: int, density: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    separators = torch.rand(2, block_size * blocks, generator=generator) < density
    return separators.cumsum(-1)


def oracle(documents: list[int], block_size: int, window: int) -> list[list[bool]]:
    """The sentence of the specification, token by token."""
    length = len(documents)
    return [
        [
            k <= q and documents[k] == documents[q] and q // block_size - k // block_size < window
            for k in range(length)
        ]
        for q in range(length)
    ]


@settings(max_examples=examples(150))
@given(CASES)
def test_the_block_mask_spelled_out_is_the_dense_mask(
    case: tuple[int, int, int, int, float],
) -> None:
    block_size, blocks, window, seed, density = case
    documents = documents_of(block_size, blocks, seed, density)
    dense = dense_mask(block_mask(documents, block_size, window), token_rule(documents))
    expected = [oracle(row, block_size, window) for row in documents.tolist()]
    assert dense.tolist() == expected


@given(CASES)
def test_full_blocks_are_full_partial_ones_are_neither_and_the_rest_is_empty(
    case: tuple[int, int, int, int, float],
) -> None:
    block_size, blocks, window, seed, density = case
    documents = documents_of(block_size, blocks, seed, density)
    mask = block_mask(documents, block_size, window)
    dense = torch.tensor([oracle(row, block_size, window) for row in documents.tolist()])
    tiles = dense.view(2, blocks, block_size, blocks, block_size).transpose(2, 3).flatten(3)
    diagonal = torch.eye(blocks, dtype=torch.bool)  # of one token each, they may be full
    assert torch.equal(mask.full & ~diagonal, tiles.all(-1) & ~diagonal)
    assert torch.equal(mask.full | mask.partial, tiles.any(-1))
    assert not (mask.full & mask.partial).any()


@given(CASES)
def test_the_short_mask_taken_from_the_long_one_equals_one_built_for_its_window(
    case: tuple[int, int, int, int, float],
) -> None:
    block_size, blocks, window, seed, density = case
    documents = documents_of(block_size, blocks, seed, density)
    long = block_mask(documents, block_size, window)
    for short in range(1, window + 1):
        derived, built = long.within(short), block_mask(documents, block_size, short)
        assert torch.equal(derived.full, built.full)
        assert torch.equal(derived.partial, built.partial)


def test_the_attention_bias_is_zero_where_seen_and_minus_infinity_elsewhere() -> None:
    documents = documents_of(4, 6, seed=1, density=0.05)
    bias = attention_bias(documents, 4, Window(long=4, short=2), torch.float32)
    for matrix, window in ((bias.long, 4), (bias.short, 2)):
        seen = torch.tensor([oracle(row, 4, window) for row in documents.tolist()])
        expected = torch.where(seen, 0.0, float("-inf"))
        assert torch.equal(matrix, expected.unsqueeze(1))


@settings(max_examples=examples(100))
@given(CASES)
def test_the_intervals_hold_what_the_rule_lets_see(
    case: tuple[int, int, int, int, float],
) -> None:
    block_size, blocks, window, seed, density = case
    documents = documents_of(block_size, blocks, seed, density)[0]
    visible = torch.tensor(oracle(documents.tolist(), block_size, window))
    (interval,) = intervals(documents, block_size, [window])
    for query, low in enumerate(interval.low.tolist()):
        assert visible[query].nonzero()[:, 0].tolist() == list(range(low, query + 1))
    for key, high in enumerate(interval.high.tolist()):
        assert visible[:, key].nonzero()[:, 0].tolist() == list(range(key, high + 1))
