"""Plan the runs of a record, of a race and of a change of speed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from speedcheck.errors import UsageError
from speedcheck.planning.check_asked import (
    check_figures,
    check_numbers,
    check_probabilities,
    refuse_unused,
)
from speedcheck.planning.frontier_plan import read_frontier
from speedcheck.planning.measured import Measured, measure
from speedcheck.planning.planned import (
    Campaign,
    Cost,
    Expected,
    Frontier,
    NonInferiorityPlan,
    Plan,
    SdSource,
    SoFar,
)
from speedcheck.planning.problems import problems
from speedcheck.rules.config import load_config
from speedcheck.rules.rule import Overrides
from speedcheck.rules.tracks import DEFAULT_TRACK, Track, get_track
from speedcheck.stats.arguments import sign_of
from speedcheck.stats.frontier_power import plan_frontier
from speedcheck.stats.moments import Moments
from speedcheck.stats.needed import runs_to_show
from speedcheck.stats.noninferiority import NON_INFERIORITY_MARGIN
from speedcheck.stats.power import runs_needed
from speedcheck.stats.sample_size import (
    RacePlan,
    RunPlan,
    plan_known_sigma,
    plan_non_inferiority,
    plan_race,
    plan_runs,
    standardise,
)
from speedcheck.stats.sequential import SEQUENTIAL_MAXIMUM, sequential_t
from speedcheck.stats.sequential_pairs import RACE_PAIRS
from speedcheck.stats.ztest import margin_for, runs_needed_z

# The probability of success that a campaign is planned for.
POWER = 0.9


@dataclass(frozen=True, slots=True)
class _Question:
    """A plan's rule and figures, each from the caller, the folder or the track."""

    expected: Expected
    alpha: float
    track: Track
    measured: Measured | None
    frontier: Frontier | None


def plan(  # noqa: PLR0913 - one argument an option of the command
    mean: float | None = None,
    sd: float | None = None,
    target: float | None = None,
    *,
    baseline: str | Path | None = None,
    folder: str | Path | None = None,
    track: str | None = None,
    alpha: float | None = None,
    power: float | None = None,
    max_runs: int | None = None,
    difference: float | None = None,
    time_sd: float | None = None,
    max_pairs: int | None = None,
    margin: float | None = None,
    baseline_runs: int | None = None,
    gpu_hours_per_run: float | None = None,
    price: float | None = None,
    config: str | Path | None = None,
) -> Plan:
    """Tell how many runs will do.

    Args:
        mean: expected mean loss; that of the folder unless given.
        sd: expected standard deviation of a loss; that of the folder, else the track's typical
            one unless given.
        target: the loss that the mean must be below; the track's unless given.
        baseline: folder of the record to beat, on a track that tests against a frontier; the one
            that the folder's record.toml names unless given.
        folder: a record folder with the runs so far.
        track: name of the track; the folder's, else gpt2-small unless given.
        alpha: significance level; the track's unless given.
        power: probability of success to plan for; 0.9 unless given.
        max_runs: largest number of runs of the sequential test; 64 unless given.
        difference: expected difference of two trainers' times, in seconds, to plan a race for.
        time_sd: standard deviation of one run's time in seconds; the folder's unless given.
        max_pairs: largest number of pairs of the race; 32 unless given.
        margin: worsening of the mean loss that a change of speed must rule out; 0.002 unless
            given.
        baseline_runs: the runs of its baseline; as many as the record's unless given.
        gpu_hours_per_run: what one run takes; the folder's training time unless given.
        price: price of a GPU-hour.
        config: the speedcheck.toml with the project's own tracks.

    Returns:
        The plan; `problems` says where no number of runs will do.

    Raises:
        UsageError: a figure is missing or out of range, or the frontier is.
        InputError: a folder cannot be read, or holds no run with a loss.
    """
    check_figures({"mean": mean, "sd": sd, "target": target, "difference": difference})
    check_figures({"time_sd": time_sd, "margin": margin, "price": price})
    check_figures({"gpu_hours_per_run": gpu_hours_per_run})
    check_probabilities(alpha=alpha, power=power)
    check_numbers(max_runs=max_runs, max_pairs=max_pairs, baseline_runs=baseline_runs)
    if difference is None:
        refuse_unused("--difference", {"time_sd": time_sd, "pairs": max_pairs})
    overrides = Overrides(
        track=track,
        target=target,
        alpha=alpha,
        baseline=None if baseline is None else Path(baseline),
        config=None if config is None else Path(config),
    )
    power = POWER if power is None else power
    asked = _question(mean, sd, None if folder is None else Path(folder), overrides)
    measured = asked.measured
    if asked.expected.mean is None:
        refuse_unused("--mean or --from", {"target": target, "max_runs": max_runs})
        if difference is None and sd is None:
            raise UsageError(
                "nothing to plan", remedy="give --mean and --sd, --from FOLDER, or --difference"
            )
    is_change = margin is not None or baseline_runs is not None
    is_change = is_change or (asked.expected.mean is None and difference is None)
    record = _record(asked, power, SEQUENTIAL_MAXIMUM if max_runs is None else max_runs)
    if difference is not None:
        time_sd = _time_sd(time_sd, measured)
    expected = replace(asked.expected, difference=difference, time_sd=time_sd)
    race = _race(expected, asked.alpha, power, RACE_PAIRS if max_pairs is None else max_pairs)
    change = _change(expected.sd, margin, baseline_runs, power) if is_change else None
    hours = gpu_hours_per_run or (measured.gpu_hours_per_run if measured else None)
    if hours is None:
        refuse_unused("--gpu-hours-per-run", {"price": price})
    return Plan(
        expected=expected,
        alpha=asked.alpha,
        power=power,
        frontier=asked.frontier,
        record=record,
        race=race,
        non_inferiority=change,
        so_far=_so_far(folder, asked, record) if measured else None,
        costs=tuple(
            Cost(campaign, runs, _product(runs, hours), _product(runs, hours, price))
            for campaign, runs in _campaigns(record, race, change)
        ),
        gpu_hours_per_run=hours,
        hours_are_training=hours is not None and gpu_hours_per_run is None,
        problems=tuple(problems(expected, record, race, change, asked.frontier)),
    )


def _product(*factors: float | None) -> float | None:
    """Return the product; None where a factor is not known, or it is too large for a number."""
    known = [factor for factor in factors if factor is not None]
    product = math.prod(known)
    return product if len(known) == len(factors) and math.isfinite(product) else None


def _question(
    mean: float | None, sd: float | None, folder: Path | None, overrides: Overrides
) -> _Question:
    if folder is not None:
        measured = measure(folder, overrides)
        rule = measured.rule
        track, target, alpha = rule.track, rule.target, rule.alpha
    else:
        measured = None
        # The configuration is looked for above a folder: above one in the working directory.
        settings = load_config(Path.cwd() / "record", overrides.config)
        name = overrides.track or settings.default_track or DEFAULT_TRACK
        track = get_track(name, settings.tracks)
        target = track.target if overrides.target is None else overrides.target
        alpha = track.alpha if overrides.alpha is None else overrides.alpha
    mean = measured.loss.mean if mean is None and measured else mean
    frontier = read_frontier(track, measured, overrides, is_needed=mean is not None)
    if frontier is not None:
        target = frontier.mean - sign_of(track.direction) * frontier.improvement
    source: SdSource = "given"
    if sd is None and track.sigma is not None:
        # What the test takes as known is what a plan goes by.
        sd, source = track.sigma, "track"
    if sd is None and measured and measured.loss.std is not None:
        sd, source = measured.loss.std, "folder"
    elif sd is None:
        sd, source = track.typical_sd, "track"
    if mean is not None and sd is None:
        raise UsageError(f"track {track.name} has no typical sd", remedy="give --sd")
    expected = Expected(mean, sd, source, target, track.direction, track.name)
    return _Question(expected, alpha, track, measured, frontier)


def _record(asked: _Question, power: float, max_runs: int) -> RunPlan | None:
    expected = asked.expected
    if expected.mean is None or expected.sd is None:
        return None
    gap = sign_of(expected.direction) * (expected.target - expected.mean)
    if asked.frontier is not None:
        best = _moments(asked.frontier)
        return plan_frontier(
            gap, expected.sd, best, alpha=asked.alpha, wanted=power, maximum=max_runs
        )
    if asked.track.sigma is not None and expected.sd > 0:
        return plan_known_sigma(
            gap, asked.track.sigma, asked.alpha, sd=expected.sd, wanted=power, maximum=max_runs
        )
    effect = standardise(expected.mean, expected.sd, expected.target, expected.direction)
    return plan_runs(effect, asked.alpha, wanted=power, maximum=max_runs)


def _moments(frontier: Frontier) -> Moments:
    return Moments(n=frontier.runs, mean=frontier.mean, std=frontier.sd)


def _time_sd(time_sd: float | None, measured: Measured | None) -> float:
    """Return the standard deviation of a run's time that was given, else that of the folder."""
    sd = measured.time_sd if time_sd is None and measured else time_sd
    if not sd:
        raise UsageError("a race needs the sd of a run's time", remedy="give --time-sd above 0")
    return sd


def _race(expected: Expected, alpha: float, power: float, max_pairs: int) -> RacePlan | None:
    difference, sd = expected.difference, expected.time_sd
    if difference is None or sd is None:
        return None
    return plan_race(difference, sd, alpha, wanted=power, maximum=max_pairs)


def _change(
    sd: float | None, margin: float | None, baseline_runs: int | None, power: float
) -> NonInferiorityPlan:
    if not sd:
        raise UsageError("a change of speed needs the sd of a loss", remedy="give --sd above 0")
    margin = NON_INFERIORITY_MARGIN if margin is None else margin
    runs = plan_non_inferiority(sd, baseline_runs, margin=margin, wanted=power)
    return NonInferiorityPlan(margin, baseline_runs, runs)


def _so_far(folder: str | Path | None, asked: _Question, record: RunPlan | None) -> SoFar | None:
    measured, expected = asked.measured, asked.expected
    if measured is None:
        return None
    n, sigma = measured.loss.n, asked.track.sigma
    sign = sign_of(expected.direction)
    mean, std, target = measured.loss.mean, measured.loss.std, sign * expected.target
    needed = None
    if asked.frontier is not None:
        room = 0.0 if mean is None else target - sign * mean
        needed = runs_to_show(measured.loss, _moments(asked.frontier), room, asked.alpha, least=2)
    elif mean is not None and sigma is not None:
        needed = runs_needed_z(sign * mean, target, margin_for(sigma, asked.alpha))
    elif mean is not None and std is not None:
        needed = runs_needed(sign * mean, std, target, asked.alpha)
    more = None if record is None or record.runs is None else max(0, record.runs - n)
    e_value = None
    if sigma is None and asked.frontier is None:
        test = sequential_t(measured.losses, expected.target, asked.alpha, expected.direction)
        e_value = test.e_value
    return SoFar(str(folder), n, e_value, more, needed)


def _campaigns(
    record: RunPlan | None, race: RacePlan | None, change: NonInferiorityPlan | None
) -> Iterator[tuple[Campaign, float]]:
    if record and record.runs is not None:
        yield "fixed", record.runs
    if record and record.sequential:
        yield "sequential", record.sequential.mean
    if race and race.pairs is not None:
        yield "race", 2 * race.pairs
    if race and race.sequential:
        yield "sequential race", 2 * race.sequential.mean
    if change and change.runs is not None:
        yield "non-inferiority", change.runs
