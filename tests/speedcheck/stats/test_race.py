"""Races: whole blocks only, a sequence of intervals, and how often they err."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speedcheck.errors import UsageError
from speedcheck.stats.crossing import first_crossing
from speedcheck.stats.eprocess import boundary, log_e
from speedcheck.stats.sequential_pairs import race

TIMES = st.lists(st.integers(178_000, 182_000).map(lambda ms: ms / 1000), max_size=40)
WHOLE_BLOCKS = np.array(boundary(64, 0.01, two_sided=True))
WHOLE_BLOCKS[1::2] = np.inf


def run(rng, pairs, faster=0.0, drift=0.0, noise=None):
    """Times of a and b in blocks A B B A, a standard deviation of 1 a run."""
    noise = noise or rng.standard_normal
    a, b = noise(pairs) - faster, noise(pairs).copy()
    for block in range(pairs // 2):
        first, second = 2 * block, 2 * block + 1
        for place, (side, pair) in enumerate([(a, first), (b, first), (b, second), (a, second)]):
            side[pair] += drift * (4 * block + place)
    return a, b


def test_a_trainer_that_is_faster_by_three_sd_is_better_and_its_rival_worse():
    a, b = run(np.random.default_rng(1), 16, faster=3.0)
    won, lost = race(a, b), race(b, a)
    assert (won.outcome, lost.outcome) == ("better", "worse")
    assert won.decided_at == lost.decided_at <= 16
    assert (lost.low, lost.high) == pytest.approx((-won.high, -won.low))
    assert won.high < 0
    assert race(a, b, direction="greater").outcome == "worse"


def test_equal_trainers_are_not_told_apart():
    found = race(*run(np.random.default_rng(2), 64))
    assert (found.outcome, found.decided_at) == ("undecided", None)
    assert found.low < 0 < found.high


@given(a=TIMES, b=TIMES)
def test_half_pairs_and_half_blocks_change_nothing(a, b):
    pairs = min(len(a), len(b))
    whole = pairs - pairs % 2
    found, cut = race(a, b), race(a[:whole], b[:whole])
    assert (found.pairs, found.looked_at) == (pairs, whole)
    assert dataclasses.replace(found, pairs=whole) == cut


@settings(max_examples=examples(40))
@given(a=st.lists(st.floats(-3, 3), min_size=4, max_size=24), seed=st.integers(0, 99))
def test_the_interval_holds_the_differences_that_no_look_has_rejected(a, seed):
    values = np.array(a) + np.random.default_rng(seed).normal(0, 0.3, len(a))
    found = race(values, np.zeros(len(a)), alpha=0.05)
    looks = range(2, len(a) + 1, 2)

    def rejected(m):
        return any(
            log_e([t_of(values[:n] - m)], [n], two_sided=True)[0] >= -math.log(0.05) for n in looks
        )

    middle = np.mean(values[: found.looked_at])
    for m in middle + np.linspace(-4, 4, 41):
        if found.low is None:
            continue
        edge = min(abs(m - found.low), abs(m - found.high))
        assert edge < 1e-6 or rejected(m) == (not found.low <= m <= found.high)
    outside = found.low is not None and not found.low <= 0 <= found.high
    assert (found.outcome == "undecided") != (outside or (found.low is None and rejected(0.0)))


def t_of(differences):
    return differences.mean() / (differences.std(ddof=1) / math.sqrt(differences.size))


def test_a_linear_drift_moves_neither_the_mean_nor_hides_in_it():
    a, b = run(np.random.default_rng(3), 32, faster=0.5)
    drifted = run(np.random.default_rng(3), 32, faster=0.5, drift=2.0)
    assert race(*drifted).mean == pytest.approx(race(a, b).mean)
    assert race(*drifted).drift == pytest.approx(race(a, b).drift + 2.0)
    assert abs(race(a, b).drift) < 0.03


def test_the_drift_is_the_slope_of_a_least_squares_fit_with_a_level_for_each_side():
    a, b = run(np.random.default_rng(4), 10, faster=1.0, drift=0.3)
    rows, times = [], []
    for block in range(5):
        order = [(0, 2 * block), (1, 2 * block), (1, 2 * block + 1), (0, 2 * block + 1)]
        for place, (side, pair) in enumerate(order):
            rows.append([side == 0, side == 1, 4 * block + place])
            times.append((a, b)[side][pair])
    expected = np.linalg.lstsq(np.array(rows, float), np.array(times), rcond=None)[0][2]
    assert race(a, b).drift == pytest.approx(expected)


OUTLIERS = {"normal": 0.0, "outliers": 0.05}


@pytest.mark.parametrize("noise", OUTLIERS)
@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_at_most_one_percent_of_races_between_equals_are_decided(noise, drift):
    rng = np.random.default_rng(20250116)
    shape = (10_000, 64)
    slow = (rng.random((2, *shape)) < OUTLIERS[noise]) * rng.exponential(5.0, (2, *shape))
    runs = rng.standard_normal((2, *shape)) + slow
    # Within a pair the second run is later by one place, and the sides take turns.
    differences = runs[0] - runs[1] + drift * np.where(np.arange(64) % 2 == 0, -1, 1)
    decided = np.mean(first_crossing(differences, WHOLE_BLOCKS, two_sided=True) > 0)
    print(f"{noise}, drift {drift}: {decided:.2%}")
    assert decided < 0.01


@pytest.mark.parametrize(
    ("effect", "pairs", "share"), [(0.7071, 29.8, 0.975), (1.0607, 16.6, 1.0), (2.1213, 9.3, 1.0)]
)
def test_pairs_until_a_difference_is_decided(effect, pairs, share):
    values = np.random.default_rng(5).normal(effect, 1, (5_000, 64))
    crossed = first_crossing(values, WHOLE_BLOCKS, two_sided=True)
    assert np.mean(crossed > 0) == pytest.approx(share, abs=0.012)
    assert np.where(crossed > 0, crossed, 64).mean() == pytest.approx(pairs, abs=0.8)


@settings(max_examples=examples(40))
@given(seed=st.integers(0, 10**6), effect=st.floats(-2, 2))
def test_simulated_bounds_decide_what_a_race_decides(seed, effect):
    values = np.random.default_rng(seed).normal(effect, 1, (1, 64))
    found = race(180 + values[0], np.full(64, 180.0))
    crossed = first_crossing(values, WHOLE_BLOCKS, two_sided=True)[0]
    assert (found.decided_at or 0) == crossed


@pytest.mark.parametrize(
    ("a", "b"),
    [([], []), ([1.0], [2.0]), ([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0]), ([math.nan], [1.0])],
    ids=["nothing", "one pair", "equal differences", "no time"],
)
def test_without_spread_nothing_is_decided_and_nothing_excluded(a, b):
    found = race(a, b)
    assert (found.outcome, found.log_e_value, found.p_value) == ("undecided", 0.0, 1.0)
    assert (found.low, found.high) == (None, None)


def test_a_race_ends_before_the_first_pair_without_a_time():
    a, b = run(np.random.default_rng(7), 20, faster=2.0)
    assert race([*a[:10], math.nan, *a], [*b[:11], *b]) == race(a[:10], b[:10])


def test_a_thousand_pairs_are_looked_at_and_no_more():
    rng = np.random.default_rng(9)
    a, b = rng.standard_normal(1200), rng.standard_normal(1200)
    found = race(a, b)
    assert (found.pairs, found.looked_at) == (1200, 1000)
    assert (found.low, found.high) == (race(a[:1000], b[:1000]).low, race(a[:1000], b[:1000]).high)


@given(
    pairs=st.lists(st.tuples(st.floats(), st.floats()), max_size=8),
    alpha=st.sampled_from([0.01, 0.5]),
)
@example(pairs=[(1e308, -1e308)] * 4, alpha=0.01)
@example(pairs=[(1e308, 0.0), (-1e308, 0.0)] * 3, alpha=0.01)
@example(pairs=[(1e-320, 0.0), (2e-320, 0.0)] * 3, alpha=0.5)
def test_no_input_gives_nan_infinity_or_a_warning(pairs, alpha):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    found = dataclasses.asdict(race(a, b, alpha))
    assert all(math.isfinite(x) for x in found.values() if isinstance(x, float))


@pytest.mark.parametrize("alpha", [0, 1, math.nan])
def test_an_impossible_alpha_is_refused_by_name(alpha):
    with pytest.raises(UsageError, match="alpha is"):
        race([1.0, 2.0], [2.0, 4.0], alpha)
