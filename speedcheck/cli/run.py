"""`speedcheck run`: run the seeds, write a record folder, and certify it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import complain, exit_code, whole_number


def run(  # noqa: PLR0913 - one argument an option
    context: typer.Context,
    *,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Recipe of the bundled trainer: sub3 or tiny.  [default: sub3]",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Number of runs: seeds 0 to N-1.  [default: 32]",
            show_default=False,
            parser=whole_number,
            metavar="N",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Record folder.  [default: records/DATE_RECIPE]",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an existing record folder.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Runs at one time.  [default: what the machine has room for]",
            show_default=False,
            parser=whole_number,
            metavar="N",
        ),
    ] = None,
    isolate: Annotated[
        bool,
        typer.Option(
            "--isolate",
            help="Start a fresh process for each seed.  [default: one after another in workers]",
        ),
    ] = False,
    gpus_per_run: Annotated[
        int | None,
        typer.Option(
            help="GPUs of each run, several of which train side by side; their times are no "
            "record's.  [default: one run on all]",
            show_default=False,
            parser=whole_number,
            metavar="K",
        ),
    ] = None,
    timeout_per_run: Annotated[
        int | None,
        typer.Option(
            help="Seconds after which a run is stopped as hung.  [default: the recipe's]",
            show_default=False,
            parser=whole_number,
            metavar="S",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Steps of a run.  [default: the recipe's]",
            show_default=False,
            parser=whole_number,
            metavar="N",
        ),
    ] = None,
    sequences_per_step: Annotated[
        int | None,
        typer.Option(
            help="Sequences in a step.  [default: the recipe's]",
            show_default=False,
            parser=whole_number,
            metavar="N",
        ),
    ] = None,
    sequence_length: Annotated[
        int | None,
        typer.Option(
            help="Tokens of a sequence; a step keeps its tokens.  [default: the recipe's]",
            show_default=False,
            parser=whole_number,
            metavar="N",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Training data.  [default: $SPEEDCHECK_DATA, else the user's cache]",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run N seeds, write a record folder, and certify it."""
    from speedcheck.records.overrides import RecipeOverrides
    from speedcheck.report.terminal import make_console, print_certificate
    from speedcheck.run.campaign import Interrupted
    from speedcheck.run.command import Request, run_record
    from speedcheck.run.local import LocalLauncher
    from speedcheck.run.worker import WorkerLauncher

    launcher = context.obj or (LocalLauncher if isolate else WorkerLauncher)(data_dir)
    request = Request(
        recipe=recipe,
        seeds=seeds,
        out=out,
        resume=resume,
        jobs=jobs,
        gpus_per_run=gpus_per_run,
        timeout_s=timeout_per_run,
        overrides=RecipeOverrides(steps, sequences_per_step, sequence_length),
    )
    console = make_console()
    try:
        certificate = run_record(request, launcher, console)
    except Interrupted as interruption:
        complain(
            f"{interruption}: the runs were stopped; to continue: "
            f"speedcheck run --resume --out {request.folder}"
        )
        raise typer.Exit(128 + interruption.signum) from None
    print_certificate(console, certificate, request.folder)
    raise typer.Exit(exit_code([certificate]))
