"""Measure how often the tests err and how many runs they take; print the tables of the docs.

    python benchmarks/calibration.py --losses losses.json

`--losses` names a JSON list of final losses of one program. They are resampled, shifted so that
their mean is the target, beside normal losses. Each table has its own fixed seed.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from speedcheck.stats.crossing import first_crossing
from speedcheck.stats.eprocess import boundary
from speedcheck.stats.sequential import futility, sequential_t
from speedcheck.stats.welch import welch_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Draw = Callable[[tuple[int, ...]], Floats]
    Test = Callable[[Draw, int], NDArray[np.bool_]]

SEED = 20250116
ALPHA = 0.01
MAXIMUM = 64

# Series that are simulated at once: an array of 64 values for each takes 10 MB.
BLOCK = 20_000

# The fixed test, looked at after every run: what people do, from the first n that could pass.
PEEKING = range(3, 33)
FIXED = (3, 8, 32)

EFFECTS = (0.33, 0.5, 0.742, 1.0, 1.5)
RUN_SD = 0.1
DIFFERENCES = (0.1, 0.15, 0.3)


@dataclass(frozen=True)
class Study:
    """How much is simulated.

    Attributes:
        records: records at the boundary of a test.
        races: races at no difference.
        campaigns: records and races at a true effect.
        advised: campaigns whose futility is looked at after each run, which is slow.
    """

    records: int
    races: int
    campaigns: int
    advised: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--losses", type=Path, help="JSON list of final losses to resample")
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--races", type=int, default=100_000)
    parser.add_argument("--campaigns", type=int, default=200_000)
    parser.add_argument("--advised", type=int, default=500)
    options = parser.parse_args(arguments)
    study = Study(options.records, options.races, options.campaigns, options.advised)
    losses = json.loads(options.losses.read_text()) if options.losses else None
    for title, rows in tables(study, losses):
        started = time.perf_counter()
        print(f"\n### {title}\n")
        for row in rows:
            print(f"| {' | '.join(row)} |", flush=True)
        print(f"\n({time.perf_counter() - started:.0f} s)")


def tables(study: Study, losses: list[float] | None) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """Give each table's title and rows; a row is simulated when it is asked for.

    Args:
        study: how much is simulated.
        losses: published losses to resample beside normal ones.
    """
    yield "At the boundary", boundaries(study, populations(losses, source(0)))
    yield "Runs until a record is certified", certifications(study, populations(losses, source(1)))
    yield "Futility", advice(study, source(2))
    yield "Races between equals", equal_races(study, source(3))
    yield "Pairs until a difference is decided", decided_races(study, source(4))


def source(table: int) -> Generator:
    """Return the randomness of one table, so that each can be measured again by itself."""
    return np.random.default_rng((SEED, table))


def populations(losses: list[float] | None, rng: Generator) -> dict[str, Draw]:
    """Return sources of losses with mean 0 and standard deviation 1."""
    normal: dict[str, Draw] = {"normal": rng.standard_normal}
    return normal if losses is None else normal | {"published": resampler(losses, rng)}


def resampler(losses: list[float], rng: Generator) -> Draw:
    """Return a source of published losses in standard deviations from their mean."""
    scores = (np.array(losses) - np.mean(losses)) / np.std(losses)
    return lambda shape: rng.choice(scores, shape)


def boundaries(study: Study, draws: dict[str, Draw]) -> Iterator[list[str]]:
    """Give the share of records that pass although they only reach the boundary."""
    yield ["at the boundary", "records", *draws]
    yield ["---"] * (2 + len(draws))
    for name, test in boundary_tests().items():
        shares = [share(test, draw, study.records) for draw in draws.values()]
        yield [name, f"{study.records:,}", *(f"{found:.2%}" for found in shares)]


def boundary_tests() -> dict[str, Test]:
    """Return the tests of records that reach their boundary and no more, by what they are."""
    bounds, peeking = boundary(MAXIMUM, ALPHA), fixed_bounds(PEEKING)
    once: dict[str, Test] = {
        f"fixed test, {n} runs, looked at once": partial(crosses, fixed_bounds([n])) for n in FIXED
    }
    return once | {
        "fixed test, looked at after each run from the 3rd to the 32nd": partial(crosses, peeking),
        "sequential, a look after each of 64 runs": partial(crosses, bounds),
        "frontier, 8 runs against 16, improvement 0": lambda draw, k: passes_welch(
            draw((k, 8)), draw((k, 16)), room=0.0, alpha=ALPHA
        ),
        "frontier, 4 runs against 4, improvement 0.5 sd": lambda draw, k: passes_welch(
            draw((k, 4)) - 0.5, draw((k, 4)), room=-0.5, alpha=ALPHA
        ),
        "non-inferiority, 8 against 32, worse by the margin (alpha 0.05)": lambda draw, k: (
            passes_welch(draw((k, 8)) + 1.1, draw((k, 32)), room=1.1, alpha=0.05)
        ),
        "the same, 4 against 32": lambda draw, k: passes_welch(
            draw((k, 4)) + 1.1, draw((k, 32)), room=1.1, alpha=0.05
        ),
        "the same, 8 against 32, not worse: power": lambda draw, k: passes_welch(
            draw((k, 8)), draw((k, 32)), room=0.002 / 0.0018, alpha=0.05
        ),
        "the same, 4 against 32, not worse: power": lambda draw, k: passes_welch(
            draw((k, 4)), draw((k, 32)), room=0.002 / 0.0018, alpha=0.05
        ),
    }


def certifications(study: Study, draws: dict[str, Draw]) -> Iterator[list[str]]:
    """Give the chance and the cost of the sequential test at true effects."""
    yield ["true effect", "losses", "certified within 64", "within 48", "mean runs", "median"]
    yield ["---"] * 6
    bounds = boundary(MAXIMUM, ALPHA)
    for effect in EFFECTS:
        for name, draw in draws.items():
            crossed = np.concatenate(
                [
                    first_crossing(effect - draw((k, MAXIMUM)), bounds)
                    for k in blocks(study.campaigns)
                ]
            )
            yield [f"-{effect:g}", name, *costs(crossed, 48)]


def advice(study: Study, rng: Generator) -> Iterator[list[str]]:
    """Give what stopping on futility costs at a good record and saves at a hopeless one."""
    yield [
        "true effect",
        "campaigns",
        "certified",
        "the same with stops",
        "mean runs",
        "with stops",
    ]
    yield ["---"] * 6
    for effect in (0.742, 0.5, 0.0, -0.5):
        runs, stopped = zip(
            *(campaign(rng.normal(-effect, 1, MAXIMUM)) for _ in range(study.advised)),
            strict=True,
        )
        plain, advised = np.array(runs), np.array(stopped)
        certified = [f"{np.mean(found > 0):.1%}" for found in (plain, advised)]
        used = [f"{np.abs(found).mean():.1f}" for found in (plain, advised)]
        yield [f"{0 - effect:g}", f"{study.advised:,}", *certified, *used]


def campaign(losses: Floats) -> tuple[int, int]:
    """Return the runs that a campaign takes, without and with stops; negative: not certified."""
    certified_at = sequential_t(losses, 0.0, ALPHA).certified_at
    plain = certified_at or -losses.size
    for n in range(16, certified_at or losses.size):
        found = futility(losses[:n], 0.0, ALPHA, losses.size)
        if found is not None and found.futile:
            return plain, -n
    return plain, plain


def equal_races(study: Study, rng: Generator) -> Iterator[list[str]]:
    """Give the share of races that are decided although both sides are equal."""
    yield ["no difference", "races", "decided within 64 pairs", "within 32"]
    yield ["---"] * 4
    times: dict[str, Callable[[int], Floats]] = {
        "normal": lambda k: rng.standard_normal((k, MAXIMUM, 2)),
        "normal, each run slower than the last by one sd": lambda k: drifting(
            rng.standard_normal((k, MAXIMUM, 2))
        ),
        "5 % of runs slower by 5 sd on average": lambda k: with_outliers(rng, k),
        "both": lambda k: drifting(with_outliers(rng, k)),
    }
    bounds = whole_blocks()
    for name, draw in times.items():
        crossed = np.concatenate(
            [
                first_crossing(runs[..., 0] - runs[..., 1], bounds, two_sided=True)
                for runs in map(draw, blocks(study.races))
            ]
        )
        within = (crossed > 0) & (crossed <= 32)
        yield [name, f"{study.races:,}", f"{np.mean(crossed > 0):.2%}", f"{np.mean(within):.2%}"]


def decided_races(study: Study, rng: Generator) -> Iterator[list[str]]:
    """Give the pairs that races with a true difference take, at 0.1 s a run."""
    yield ["difference", "drift a run", "within 64", "within 32", "mean pairs", "median", "wrong"]
    yield ["---"] * 7
    bounds = whole_blocks()
    for drift in (0.0, RUN_SD):
        for difference in DIFFERENCES:
            found, wrong = [], 0
            for k in blocks(study.campaigns):
                values = gains(difference, drift, k, rng)
                crossed = first_crossing(values, bounds, two_sided=True)
                means = np.cumsum(values, axis=1)[np.arange(k), crossed - 1]
                wrong += int(np.sum((crossed > 0) & (means < 0)))
                found.append(crossed)
            cells = costs(np.concatenate(found), 32)
            yield [f"{difference:g} s", f"{drift:g} s", *cells, str(wrong)]


def gains(difference: float, drift: float, races: int, rng: Generator) -> Floats:
    """Draw how much slower b is than a in each pair, in standard deviations of a run."""
    noise = RUN_SD * np.sqrt(2) * rng.standard_normal((races, MAXIMUM))
    # The second run of a pair is later by one place: b's in pairs 0, 2, ..., a's in the others.
    later = np.where(np.arange(MAXIMUM) % 2 == 0, drift, -drift)
    drawn: Floats = (difference + noise + later) / RUN_SD
    return drawn


def crosses(bounds: Floats, draw: Draw, records: int) -> NDArray[np.bool_]:
    """Return for each of so many records whether its t statistic reaches a bound."""
    return first_crossing(-draw((records, bounds.size - 1)), bounds) > 0


def fixed_bounds(looks: Sequence[int]) -> Floats:
    """Return the t statistics at which the fixed test passes, for the numbers of runs looked at."""
    bounds = np.full(max(looks) + 1, np.inf)
    for n in looks:
        bounds[n] = -stdtrit(n - 1, ALPHA)
    return bounds


def whole_blocks() -> Floats:
    """Return the bounds of a race, which is looked at after whole blocks of two pairs."""
    bounds = np.array(boundary(MAXIMUM, ALPHA, two_sided=True))
    bounds[1::2] = np.inf
    return bounds


def passes_welch(a: Floats, b: Floats, room: float, alpha: float) -> NDArray[np.bool_]:
    """Return for each row whether the upper limit of mean(a) - mean(b) is below `room`."""
    error, df = welch_error(a.std(1, ddof=1), a.shape[1], b.std(1, ddof=1), b.shape[1])
    reached: NDArray[np.bool_] = a.mean(1) - b.mean(1) - stdtrit(df, alpha) * error < room
    return reached


def drifting(runs: Floats) -> Floats:
    """Slow each run of blocks A B B A down by one standard deviation against the one before."""
    pair = np.arange(runs.shape[1])
    places = np.stack([2 * pair + pair % 2, 2 * pair + 1 - pair % 2], axis=-1)
    drifted: Floats = runs + places
    return drifted


def with_outliers(rng: Generator, races: int) -> Floats:
    """Draw times; one in twenty is slower, by five standard deviations on average."""
    shape = (races, MAXIMUM, 2)
    slow: Floats = (rng.random(shape) < 0.05) * rng.exponential(5.0, shape)
    return rng.standard_normal(shape) + slow


def share(test: Test, draw: Draw, records: int) -> float:
    """Return the share of simulated records that pass."""
    return float(sum(int(test(draw, k).sum()) for k in blocks(records)) / records)


def costs(crossed: NDArray[np.int64], earlier: int) -> list[str]:
    """Return the chance within the maximum and within `earlier`, the mean and median number."""
    used = np.where(crossed > 0, crossed, MAXIMUM)
    within = (crossed > 0) & (crossed <= earlier)
    return [
        f"{np.mean(crossed > 0):.2%}",
        f"{np.mean(within):.2%}",
        f"{used.mean():.2f}",
        f"{np.median(used):g}",
    ]


def blocks(total: int) -> Iterator[int]:
    """Cut a number of simulations into parts that fit into memory."""
    for start in range(0, total, BLOCK):
        yield min(BLOCK, total - start)


if __name__ == "__main__":
    main()
