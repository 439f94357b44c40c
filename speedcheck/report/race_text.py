"""A race for people, the verdict first and last."""

from __future__ import annotations

from collections.abc import Iterator

from speedcheck.races.race_result import Pair, RaceResult, RaceSide
from speedcheck.report.wording import (
    ABSENT,
    aligned,
    number,
    printable,
    resume_race_command,
    rounded,
    small_p,
    two_digits,
)
from speedcheck.stats.moments import Moments
from speedcheck.stats.sequential_pairs import PAIRS_OF_A_BLOCK
from speedcheck.words import count, join_some

# A race of many pairs is shown by its last ones; the JSON has all.
_SHOWN_PAIRS = 8

PAIR_HEADS = ("pair", "order", "A [s]", "B [s]", "A - B [s]")


def race_text(result: RaceResult) -> str:
    """Return the report; it ends in a newline."""
    verdict = headline(result)
    lines = [
        verdict,
        f"{result.plan.name}: {extent(result)}",
        "",
        *aligned(sides(result)),
        "",
        *([*aligned(statistics(result)), "", *aligned(_table(result)), ""] if result.pairs else ()),
        *(f"problem: {problem}" for problem in result.problems),
        *([""] if result.problems else []),
        *([f"next: {step}", ""] if (step := next_step(result)) else []),
        verdict,
    ]
    return "\n".join(printable(line).rstrip() for line in lines) + "\n"


def next_step(result: RaceResult) -> str:
    """Return how to finish a race that is not over; "" for one that is."""
    if result.is_over:
        return ""
    return f"finish the race with `{resume_race_command(result.folder)}`"


def extent(result: RaceResult) -> str:
    """Return how many of the planned pairs count, and how they were run."""
    return f"{_pairs(result)} on one machine, in blocks A B B A"


def headline(result: RaceResult) -> str:
    """Return the verdict in one sentence."""
    if result.problems:
        return f"UNUSABLE: {count(len(result.problems), 'problem')} with the evidence of this race"
    test = result.test
    if test.mean is None:
        return f"UNDECIDED: {_pairs(result)} so far, and the first look is after {PAIRS_OF_A_BLOCK}"
    faster = f"A is {abs(test.mean):.3f} s {'faster' if test.mean < 0 else 'slower'}"
    p = f"anytime-valid p {small_p(test.p_value)}"
    if result.plan.is_aa:
        return f"A AGAINST A: {faster} than itself ({p}, {_pairs(result)})"
    if test.outcome == "undecided":
        return f"UNDECIDED: {faster}, but chance explains that much ({p}, {_pairs(result)})"
    return f"{test.outcome.upper()}: {faster} ({p}, decided after {test.decided_at} pairs)"


def standing(result: RaceResult) -> str:
    """Return what is decided so far, in one line."""
    test = result.test
    return (
        f"after {count(test.looked_at, 'pair')}: A - B {number(test.mean, '+.3f')} s, "
        f"{confidence_sequence(1 - test.alpha, test.low, test.high)}, {test.outcome}"
    )


def _pairs(result: RaceResult) -> str:
    return f"{len(result.pairs)} of {count(result.plan.pairs, 'pair')}"


def confidence_sequence(level: float, low: float | None, high: float | None) -> str:
    """Return the interval of the true difference, which holds at every look."""
    name = f"{100 * level:g}% confidence sequence"
    if low is None or high is None:
        return f"{name} not bounded yet"
    return f"{name} {low:+.3f} to {high:+.3f} s"


def sides(result: RaceResult) -> tuple[tuple[str, ...], ...]:
    """Return letter, trainer, times and losses of both sides."""
    return _side("A", result.a), _side("B", result.b)


def _side(name: str, side: RaceSide) -> tuple[str, ...]:
    times = f"{_moments(side.times, '.3f')} s" if side.times.n else ABSENT
    return name, side.trainer, times, f"loss {_moments(side.losses, '')}"


def _moments(values: Moments, spec: str) -> str:
    mean = number(values.mean, spec) if spec else rounded(values.mean)
    return mean if values.std is None else f"{mean} ({two_digits(values.std)})"


def statistics(result: RaceResult) -> Iterator[tuple[str, str]]:
    """Yield name and value of each figure of a race that has pairs."""
    test, loss = result.test, result.a_loss
    mean, sd = number(test.mean, "+.3f"), number(test.std, ".3f")
    interval = confidence_sequence(1 - test.alpha, test.low, test.high)
    yield "A - B", f"mean {mean} s, sd {sd} s a pair; {interval}"
    if test.drift is not None:
        yield "drift", f"{test.drift:+.4f} s from each run to the next"
    if loss.limit is not None:
        shown = "shown" if loss.shown else "not shown"
        limit = f"{1 - loss.alpha:.0%} limit {loss.limit:+.5f}"
        yield "loss", f"A not worse by {loss.margin:g}: {shown} ({limit}); does not decide"
    if result.begun_again:
        yield "again", f"{count(result.begun_again, 'pair')} had to be started again"
    if result.hosts:
        yield "host", join_some(result.hosts)


def _table(result: RaceResult) -> Iterator[tuple[str, ...]]:
    yield PAIR_HEADS
    for pair in result.pairs[-_SHOWN_PAIRS:]:
        yield pair_row(pair)
    if len(result.pairs) > _SHOWN_PAIRS:
        yield (f"the last {_SHOWN_PAIRS} of {len(result.pairs)} pairs; --json lists all",)


def pair_row(pair: Pair) -> tuple[str, ...]:
    """Return the cells of a pair, below `PAIR_HEADS`."""
    order = "A B" if pair.first == "a" else "B A"
    times = f"{pair.a_s:.3f}", f"{pair.b_s:.3f}", f"{pair.difference_s:+.3f}"
    return f"{pair.number + 1}", order, *times
