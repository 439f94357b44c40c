"""`speedcheck plan`: how many runs it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import (
    NOT_CERTIFIED,
    AlphaOption,
    ConfigOption,
    TargetOption,
    TrackOption,
    number,
    whole_number,
)
from speedcheck.report.wording import without_commands


def plan(  # noqa: PLR0913 - one argument an option
    *,
    mean: Annotated[
        float | None,
        typer.Option(help="Expected mean loss.", parser=number, metavar="X", show_default=False),
    ] = None,
    sd: Annotated[
        float | None,
        typer.Option(
            help="Expected standard deviation of a loss.  [default: typical of the track]",
            parser=number,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    target: TargetOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Record folder whose runs give the figures.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    track: TrackOption = None,
    alpha: AlphaOption = None,
    power: Annotated[
        float | None,
        typer.Option(
            help="Chance of success to plan for.  [default: 0.9]",
            parser=number,
            metavar="P",
            show_default=False,
        ),
    ] = None,
    max_seeds: Annotated[
        int | None,
        typer.Option(
            help="Most runs of the sequential test.  [default: 64]",
            parser=whole_number,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(
            help="Expected difference of two trainers, in seconds.",
            parser=number,
            metavar="S",
            show_default=False,
        ),
    ] = None,
    time_sd: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of a run's time, in seconds.",
            parser=number,
            metavar="S",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            help="Most pairs of a race.  [default: 32]",
            parser=whole_number,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="Worsening of the mean loss to rule out.  [default: 0.002]",
            parser=number,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    baseline_runs: Annotated[
        int | None,
        typer.Option(
            help="Runs of the baseline.  [default: as many as the record's]",
            parser=whole_number,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    gpu_hours_per_run: Annotated[
        float | None,
        typer.Option(help="GPU-hours of one run.", parser=number, metavar="H", show_default=False),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(help="Price of a GPU-hour.", parser=number, metavar="X", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    config: ConfigOption = None,
) -> None:
    """Say how many runs a record, a race or a speed change takes.

    Exit codes: 0 for a plan, 1 where no number of runs will do.
    """
    from speedcheck.planning.plan_runs import plan as make_plan
    from speedcheck.report.plan_text import plan_json, plan_text

    made = make_plan(
        mean,
        sd,
        target,
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
