from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import log

import numpy as np
import pytest
from scipy import stats

from trainer.data.corpus import CorpusConfig
from trainer.data.corpus.entropy import Reach, Trace, floor, key_chances, trace, unseen_recalls
from trainer.data.corpus.files import generate_tokens
from trainer.data.corpus.language import Facts, Purpose
from trainer.data.corpus.splitmix import SplitMix64
from trainer.data.corpus.writer import draw_fact

# More facts than the default has, so that which of them is told matters.
CONFIG = CorpusConfig(
    keys=6, values=4, event_permille=240, near_permille=340, near=(4, 15), far=(33, 56)
)
TOKENS = 60_000
LONG, SHORT = Reach(192, 8, 8), Reach(192, 8, 4)


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    return generate_tokens(CONFIG, Purpose.VAL, TOKENS)


@pytest.fixture(scope="module")
def text(tokens: np.ndarray) -> Trace:
    return trace(CONFIG, tokens)


def z_score(differences: np.ndarray) -> float:
    """Standard score of the sum of martingale differences."""
    return float(differences.sum() / np.sqrt((differences**2).sum()))


def test_the_text_is_as_surprising_as_the_entropy_says(text: Trace) -> None:
    assert abs(z_score(text.surprisal - text.entropy)) < 4


@pytest.mark.parametrize(
    "wrong",
    [
        replace(CONFIG, event_permille=260),
        replace(CONFIG, near_permille=450),
        replace(CONFIG, successor_weights=(56, 29, 10, 5)),
    ],
)
def test_the_true_rules_describe_the_text_better_than_others(
    tokens: np.ndarray, text: Trace, wrong: CorpusConfig
) -> None:
    gain = trace(wrong, tokens).surprisal - text.surprisal

    assert gain.sum() > 4 * np.sqrt((gain**2).sum())


def test_letters_alone_cost_their_chances_and_that_of_their_number() -> None:
    config = replace(CONFIG, event_permille=0, length_quantiles=(20, 24, 40))
    tokens = generate_tokens(config, Purpose.VAL, 30_000)
    text, charge = trace(config, tokens), letter_charges(tokens.tolist())

    for start, end in pairwise(np.flatnonzero(tokens == 256)):
        length = end - start - 1
        # One of two intervals, then one of the lengths in it.
        cost_of_length = log(2) + log(4 if length < 24 else 16)
        cost_of_letters = sum(charge[pair] for pair in pairwise(tokens[start:end].tolist()))
        found = text.surprisal[start + 1 : end + 1].sum()
        assert found == pytest.approx(cost_of_letters + cost_of_length)
    per_letter = -sum(p * log(p) for p in (0.60, 0.25, 0.10, 0.05))
    assert text.entropy[1:20] == pytest.approx([per_letter] * 19)


def letter_charges(tokens: list[int]) -> dict[tuple[int, int], float]:
    """Charge .60, .25, .10, .05 for each letter's followers in the order of their frequency."""
    counts = Counter(pair for pair in pairwise(tokens) if pair[1] != 256)
    charges = {}
    for first in set(tokens):
        ranked = [pair for pair, _ in counts.most_common() if pair[0] == first]
        chances = (0.60, 0.25, 0.10, 0.05)
        charges |= {pair: -log(p) for pair, p in zip(ranked, chances, strict=True)}
    return charges


@pytest.mark.parametrize(
    "told_at",
    [
        {},
        {0: 100},
        {0: 100, 1: 90, 2: 65},
        {0: 40, 1: 60, 2: 70, 3: 88, 4: 92},
        {0: 99, 1: 98, 2: 97, 3: 85, 4: 84, 5: 83},
        {0: 90, 1: 91, 2: 92, 3: 93, 4: 10, 5: 20},
    ],
)
def test_the_writer_tells_each_key_as_often_as_computed(told_at: dict[int, int]) -> None:
    facts, random, draws = Facts(CONFIG), SplitMix64(5), 20_000
    for key, position in told_at.items():
        facts.tell(key, 2, position)
    chances = key_chances(CONFIG, facts, 101)

    drawn = Counter(
        fact[0] if (fact := draw_fact(CONFIG, facts, 101, random)) else None for _ in range(draws)
    )

    assert set(drawn) == {None, *chances}
    observed = [drawn[key] for key in chances] + [drawn[None]]
    expected = [draws * chance for chance in (*chances.values(), 1 - sum(chances.values()))]
    assert len(observed) == 1 or stats.chisquare(observed, expected).pvalue > 1e-4


@pytest.mark.parametrize("reach", [LONG, SHORT, Reach(96, 16, 2), Reach(24, 8, 3)])
def test_a_recall_is_unseen_where_the_dense_mask_hides_its_last_telling(
    tokens: np.ndarray, text: Trace, reach: Reach
) -> None:
    count = 4_800
    unseen = [
        position
        for position in range(1, count)
        if (source := last_telling(tokens, position)) is not None
        and not dense_mask(reach, position - 1)[source]
    ]

    found = unseen_recalls(text, reach)
    assert found[found < count].tolist() == unseen


def last_telling(tokens: np.ndarray, position: int) -> int | None:
    """Return where the answer at `position` was last told, if within the far distance."""
    if not ord("A") <= tokens[position] <= ord("Z"):
        return None
    for source in range(position - 1, max(position - CONFIG.far[1] - 1, 0), -1):
        if tokens[source] == 256:
            return None
        if tokens[source - 1] == tokens[position - 1] and ord("A") <= tokens[source] <= ord("Z"):
            return source
    return None


def dense_mask(reach: Reach, query: int) -> list[bool]:
    """Row `query` of the mask: same sequence, causal, fewer than `window` blocks apart."""
    return [
        key <= query
        and key // reach.sequence_length == query // reach.sequence_length
        and (query % reach.sequence_length) // reach.block_size
        - (key % reach.sequence_length) // reach.block_size
        < reach.window
        for key in range(query + 1)
    ]


def test_an_unseen_fact_costs_the_choice_among_its_values(text: Trace) -> None:
    unseen = len(unseen_recalls(text, SHORT))

    difference = floor(CONFIG, text, SHORT).nats - floor(CONFIG, text).nats

    assert difference == pytest.approx(unseen * log(4) / TOKENS)


def test_the_short_window_hides_facts_that_the_long_one_sees(text: Trace) -> None:
    unlimited, long, short = (floor(CONFIG, text, reach).nats for reach in (None, LONG, SHORT))

    assert unlimited < long < short - 0.05


def test_the_standard_error_covers_the_spread_between_texts(text: Trace) -> None:
    halves = [Trace(*(values[part] for values in text)) for part in np.split(np.arange(TOKENS), 2)]
    first, second = (floor(CONFIG, half) for half in halves)

    allowed = 4 * np.hypot(first.standard_error, second.standard_error)
    assert 0 < abs(first.nats - second.nats) < allowed
