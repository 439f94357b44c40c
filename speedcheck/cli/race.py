"""`speedcheck race`: two trainers on this machine, run in turn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speedcheck.cli.common import AlphaOption, TrackOption, complain, whole_number
from speedcheck.cli.compare import EXIT_CODES
from speedcheck.cli.trainers import GpusOption, RanksOption, SeedArgOption, SeedEnvOption
from speedcheck.report.text import without_commands

if TYPE_CHECKING:
    from speedcheck.races.model import RaceResult


def race(  # noqa: PLR0913 - one argument an option
    context: typer.Context,
    a: Annotated[
        str | None,
        typer.Argument(
            help="Recipe, or script with its arguments.", metavar="A", show_default=False
        ),
    ] = None,
    b: Annotated[
        str | None,
        typer.Argument(help="The trainer to race against.", metavar="B", show_default=False),
    ] = None,
    *,
    pairs: Annotated[
        int | None,
        typer.Option(
            help="Most pairs, an even number.  [default: 32]",
            parser=whole_number,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    aa: Annotated[
        bool, typer.Option("--aa", help="Race A against itself: what this machine shows of equals.")
    ] = False,
    alpha: AlphaOption = None,
    track: TrackOption = None,
    gpus: GpusOption = None,
    ranks: RanksOption = None,
    seed_env: SeedEnvOption = None,
    seed_arg: SeedArgOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the race.  [default: races/DATE_A_B]",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the race in --out.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Training data of recipes.  [default: $SPEEDCHECK_DATA, else the user's cache]",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run A and B in turn on this machine until it is decided which is faster.

    Exit codes: 0 better (A is faster), 1 worse, 3 undecided, 2 unusable; 0 with --aa.
    """
    from speedcheck.report.race import race_text
    from speedcheck.report.race_json import race_json
    from speedcheck.report.terminal import make_console
    from speedcheck.run.campaign import Interrupted
    from speedcheck.run.program import Start
    from speedcheck.run.race_command import RaceRequest, run_race

    request = RaceRequest(
        a=a,
        b=b,
        pairs=pairs,
        is_aa=aa,
        alpha=alpha,
        track=track,
        start=Start(gpus, ranks, seed_env, seed_arg),
        out=out,
        resume=resume,
        data_dir=data_dir,
    )
    try:
        result = run_race(request, make_console(to_stderr=json), context.obj)
    except Interrupted as interruption:
        complain(
            f"{interruption}: the race was stopped; to continue: "
            f"speedcheck race --resume --out {request.folder}"
        )
        raise typer.Exit(128 + interruption.signum) from None
    typer.echo(race_json(result) if json else without_commands(race_text(result)), nl=False)
    raise typer.Exit(race_exit_code(result))


def race_exit_code(result: RaceResult) -> int:
    """Return the exit code of a race; A against A is a report and never a threshold."""
    return EXIT_CODES["better" if result.plan.is_aa else result.test.outcome]
