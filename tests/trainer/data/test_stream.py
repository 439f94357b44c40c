from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.stream import TokenStream, ValidationSet, document_ids
from trainer.errors import TrainerError


def numbered_shards(lengths: list[int]) -> list[np.ndarray]:
    """Make shards in which each token tells its place in the whole stream."""
    ends = np.cumsum(lengths)
    return [np.arange(end - n, end, dtype=np.uint16) for n, end in zip(lengths, ends, strict=True)]


def walk(
    shards: list[np.ndarray], sequences: int, length: int
) -> list[list[tuple[list[int], list[int]]]]:
    """Read all steps with plain lists and a cursor; one (inputs, targets) pair a sequence."""
    span = sequences * length
    steps = []
    for shard in shards:
        rest = shard.tolist()
        while len(rest) >= span + 2:
            steps.append(
                [
                    (
                        rest[r * length : (r + 1) * length],
                        rest[r * length + 1 : (r + 1) * length + 1],
                    )
                    for r in range(sequences)
                ]
            )
            rest = rest[span:]
    return steps


@given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    length=st.integers(1, 5),
    per_rank=st.integers(1, 3),
    ranks=st.sampled_from([1, 2, 4]),
)
def test_every_rank_reads_what_a_cursor_over_the_shards_reads(
    lengths: list[int], length: int, per_rank: int, ranks: int
) -> None:
    shards = numbered_shards(lengths)
    stream = TokenStream(shards, sequences_per_step=per_rank * ranks, sequence_length=length)
    expected = walk(shards, per_rank * ranks, length)

    assert stream.steps_available == len(expected)
    for step, sequences in enumerate(expected):
        for rank in range(ranks):
            batch = stream.sequences(step, first=rank * per_rank, count=per_rank)
            own = sequences[rank * per_rank : (rank + 1) * per_rank]
            assert batch.inputs.tolist() == [inputs for inputs, _ in own]
            assert batch.targets.tolist() == [targets for _, targets in own]


def test_without_a_count_a_step_gives_all_its_sequences() -> None:
    stream = TokenStream(numbered_shards([20]), sequences_per_step=3, sequence_length=4)

    inputs, targets = stream.sequences(0)

    assert inputs.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert targets.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert inputs.dtype == targets.dtype == np.int64
    assert stream.sequences(0, first=2).inputs.tolist() == [[8, 9, 10, 11]]


@pytest.mark.parametrize(("remaining", "starts_in"), [(8 + 2, 0), (8 + 1, 1)])
def test_a_step_needs_two_tokens_more_than_its_span(remaining: int, starts_in: int) -> None:
    shards = numbered_shards([8 + remaining, 20])
    stream = TokenStream(shards, sequences_per_step=2, sequence_length=4)

    shard, start = stream.locate(1)

    assert (shard, start) == (starts_in, 8 if starts_in == 0 else 0)


def test_the_published_run_reads_eight_shards_of_fineweb() -> None:
    shard = np.broadcast_to(np.uint16(0), 100_000_000)
    geometry = {"sequences_per_step": 8, "sequence_length": 65_536}

    TokenStream([shard] * 8, **geometry).require(1393)
    with pytest.raises(TrainerError, match=r"in 7 shards hold 1330 steps"):
        TokenStream([shard] * 7, **geometry).require(1393)


def test_too_few_tokens_are_counted_before_training() -> None:
    stream = TokenStream(numbered_shards([30, 17]), sequences_per_step=2, sequence_length=4)
    stream.require(4)

    with pytest.raises(TrainerError) as caught:
        stream.require(7)

    assert str(caught.value) == (
        "training data: 47 tokens in 2 shards hold 4 steps of 8 tokens, "
        "the run needs 7; add at least 26 tokens in further shards"
    )
    longer = [*stream.shards, np.zeros(26, dtype=np.uint16)]
    TokenStream(longer, sequences_per_step=2, sequence_length=4).require(7)


@pytest.mark.parametrize("step", [-1, 4])
def test_a_step_beyond_the_shards_is_refused(step: int) -> None:
    stream = TokenStream(numbered_shards([30, 17]), sequences_per_step=2, sequence_length=4)

    with pytest.raises(TrainerError, match=f"step {step} is not among the 4"):
        stream.sequences(step)


def test_validation_takes_the_first_tokens_in_sequences() -> None:
    validation = ValidationSet(np.arange(20, dtype=np.uint16), val_tokens=12, sequence_length=4)

    assert validation.count == 3
    assert validation.sequences().inputs.tolist() == np.arange(12).reshape(3, 4).tolist()
    assert validation.sequences().targets.tolist() == np.arange(1, 13).reshape(3, 4).tolist()
    assert validation.sequences(1, 1).inputs.tolist() == [[4, 5, 6, 7]]


def test_validation_needs_one_token_for_the_last_target() -> None:
    ValidationSet(np.zeros(13, dtype=np.uint16), val_tokens=12, sequence_length=4)

    with pytest.raises(TrainerError, match="has 12 tokens, 13 are needed"):
        ValidationSet(np.zeros(12, dtype=np.uint16), val_tokens=12, sequence_length=4)


def test_validation_refuses_a_part_of_a_sequence() -> None:
    with pytest.raises(TrainerError, match="10 tokens are no multiple of the sequence length 4"):
        ValidationSet(np.zeros(50, dtype=np.uint16), val_tokens=10, sequence_length=4)


@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=4))
def test_documents_are_counted_within_each_sequence(rows: list[list[int]]) -> None:
    expected = []
    for row in rows:
        documents, current = [], 0
        for token in row:
            current += token == 3
            documents.append(current)
        expected.append(documents)

    assert document_ids(np.array(rows), separator=3).tolist() == expected
