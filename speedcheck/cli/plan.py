"""`speedcheck plan`: how many runs it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import NOT_CERTIFIED
from speedcheck.cli.options import (
    AlphaOption,
    ConfigOption,
    TargetOption,
    TrackOption,
    number_option,
    value_option,
    whole_option,
)
from speedcheck.report.wording import without_commands


def plan(  # noqa: PLR0913 - one argument an option
    *,
    mean: Annotated[
        float | None,
        number_option("Expected mean loss.", "X"),
    ] = None,
    sd: Annotated[
        float | None,
        number_option(
            "Expected standard deviation of a loss.  [default: typical of the track]", "X"
        ),
    ] = None,
    target: TargetOption = None,
    folder: Annotated[
        Path | None,
        value_option("Record folder whose runs give the figures.", "FOLDER", "--from"),
    ] = None,
    baseline: Annotated[
        Path | None,
        value_option("Record to beat, on a track that tests against a frontier.", "FOLDER"),
    ] = None,
    track: TrackOption = None,
    alpha: AlphaOption = None,
    power: Annotated[
        float | None,
        number_option("Chance of success to plan for.  [default: 0.9]", "P"),
    ] = None,
    max_seeds: Annotated[
        int | None,
        whole_option("Largest number of runs of the sequential test.  [default: 64]"),
    ] = None,
    difference: Annotated[
        float | None,
        number_option("Expected difference of two trainers, in seconds.", "S"),
    ] = None,
    time_sd: Annotated[
        float | None,
        number_option("Standard deviation of a run's time, in seconds.", "S"),
    ] = None,
    pairs: Annotated[
        int | None,
        whole_option("Largest number of pairs of a race.  [default: 32]"),
    ] = None,
    margin: Annotated[
        float | None,
        number_option("Worsening of the mean loss to rule out.  [default: 0.002]", "X"),
    ] = None,
    baseline_runs: Annotated[
        int | None,
        whole_option("Runs of the baseline.  [default: as many as the record's]"),
    ] = None,
    gpu_hours_per_run: Annotated[
        float | None,
        number_option("GPU-hours of one run.", "H"),
    ] = None,
    price: Annotated[
        float | None,
        number_option("Price of a GPU-hour.", "X"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    config: ConfigOption = None,
) -> None:
    """Say how many runs a record, a race or a speed change takes.

    Exit codes: 0 for a plan, 1 if no number of runs will do.
    """
    from speedcheck.planning.plan_runs import plan as make_plan
    from speedcheck.report.plan_text import plan_json, plan_text

    made = make_plan(
        mean,
        sd,
        target,
        baseline=baseline,
        folder=folder,
        track=track,
        alpha=alpha,
        power=power,
        max_runs=max_seeds,
        difference=difference,
        time_sd=time_sd,
        max_pairs=pairs,
        margin=margin,
        baseline_runs=baseline_runs,
        gpu_hours_per_run=gpu_hours_per_run,
        price=price,
        config=config,
    )
    typer.echo(plan_json(made) if json else without_commands(plan_text(made)), nl=False)
    raise typer.Exit(NOT_CERTIFIED if made.problems else 0)
