"""`speedcheck race`: two trainers on this machine, run in turn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from speedcheck.cli.common import CERTIFIED, EXIT_CODES, NOT_CERTIFIED, print_verdict, stoppable
from speedcheck.cli.options import (
    AlphaOption,
    DataOption,
    GpusOption,
    QuietOption,
    RanksOption,
    SeedArgOption,
    SeedEnvOption,
    TrackOption,
    argument,
    value_option,
    whole_option,
)
from speedcheck.errors import UsageError
from speedcheck.report.wording import command, resume_race_command, without_commands

if TYPE_CHECKING:
    from speedcheck.races.race_result import RaceResult


def race(  # noqa: PLR0913 - one argument an option
    context: typer.Context,
    a: Annotated[
        str | None,
        argument("Recipe, or script with its arguments.", "A"),
    ] = None,
    b: Annotated[
        str | None,
        argument("The trainer to race against.", "B"),
    ] = None,
    *,
    pairs: Annotated[
        int | None,
        whole_option("Largest number of pairs, which must be even.  [default: 32]"),
    ] = None,
    aa: Annotated[
        bool, typer.Option("--aa", help="Race A against itself, to see how equal trainers compare.")
    ] = False,
    alpha: AlphaOption = None,
    track: TrackOption = None,
    gpus: GpusOption = None,
    ranks: RanksOption = None,
    seed_env: SeedEnvOption = None,
    seed_arg: SeedArgOption = None,
    out: Annotated[
        Path | None,
        value_option("Folder of the race.  [default: races/DATE_A_B]", "FOLDER"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the race in --out.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    data_dir: DataOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run A and B in turn on this machine until it is decided which is faster.

    Exit codes: 0 better (A is faster), 1 worse, 3 undecided, 2 unusable; 0 with --aa.
    """
    from speedcheck.report.terminal import make_console
    from speedcheck.run.race.race_command import RaceRequest, run_race
    from speedcheck.run.scripts.foreign_program import Start

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
    with stoppable("the race was", resume_race_command(request.folder)):
        result = run_race(request, make_console(to_stderr=json, quiet=quiet), context.obj)
    _print([result], json=json, quiet=quiet)
    raise typer.Exit(_exit_code(result))


def compare_race(
    folder: Path, options: Mapping[str, object], config: Path | None, *, json: bool, quiet: bool
) -> NoReturn:
    """Print what a race has shown, and exit by its outcome.

    Raises:
        UsageError: the folder is not a race, an option is given that a race has planned, or the
            evidence is not intact.
    """
    from speedcheck.races.race_plan import is_race, refuse_options
    from speedcheck.races.read_race import read_race

    if not is_race(folder):
        what = "B is missing" if folder.is_dir() else "is not a folder"
        remedy = "name two record folders, or a folder of speedcheck race"
        raise UsageError(what, where=str(folder), remedy=remedy)
    refuse_options(folder, options)
    result = read_race(folder, config)
    if result.problems:
        remedy = f"see all of it: {command('verify', folder)}"
        raise UsageError(result.problems[0], where=str(folder), remedy=remedy)
    _print([result], json=json, quiet=quiet)
    raise typer.Exit(_exit_code(result))


def verify_races(
    folders: list[Path],
    options: Mapping[str, object],
    config: Path | None,
    *,
    json: bool,
    quiet: bool,
) -> NoReturn:
    """Recompute races from their ledgers and logs, and exit with 0 where the evidence is intact.

    Raises:
        UsageError: not all folders are races, or an option of records is given.
    """
    from speedcheck.races.race_plan import is_race, refuse_options
    from speedcheck.races.read_race import read_race
    from speedcheck.report.race_text import headline

    for folder in folders:
        if not is_race(folder):
            remedy = "verify races and records apart"
            raise UsageError("is not a race, as the others are", where=str(folder), remedy=remedy)
        refuse_options(folder, options)
    results = [read_race(folder, config) for folder in folders]
    if quiet and not json:
        for result in results:
            print_verdict(f"{result.plan.name}: {headline(result)}")
    else:
        _print(results, json=json)
    raise typer.Exit(NOT_CERTIFIED if any(result.problems for result in results) else CERTIFIED)


def _print(results: list[RaceResult], *, json: bool, quiet: bool = False) -> None:
    from speedcheck.report.race_json import races_json
    from speedcheck.report.race_text import headline, race_text

    if json:
        typer.echo(races_json(results), nl=False)
    elif quiet:
        for result in results:
            print_verdict(headline(result))
    else:
        typer.echo(without_commands("\n".join(map(race_text, results))), nl=False)


def _exit_code(result: RaceResult) -> int:
    """Return the exit code of a race; A against A is a report and never a threshold."""
    return EXIT_CODES["better" if result.plan.is_aa else result.test.outcome]
