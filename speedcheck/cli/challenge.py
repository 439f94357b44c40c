"""`speedcheck challenge`: run a record's own program again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speedcheck.cli.common import exit_code, print_verdict, stoppable
from speedcheck.cli.options import (
    ConfigOption,
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
from speedcheck.report.wording import resume_command, without_commands

if TYPE_CHECKING:
    from speedcheck.challenges.own_program import RecordProgram


def challenge(  # noqa: PLR0913 - one argument an option
    folder: Annotated[Path, argument("Record folder.", "FOLDER")],
    arguments: Annotated[
        list[str] | None,
        argument("Arguments of the program, after --.", "[-- ARGS...]"),
    ] = None,
    *,
    seeds: Annotated[
        int | None,
        whole_option("Number of runs.  [default: 8]"),
    ] = None,
    beside: Annotated[
        Path | None,
        value_option(
            "Folder whose files the program finds beside it, such as data/.  "
            "[default: the working folder]",
            "FOLDER",
        ),
    ] = None,
    gpus: GpusOption = None,
    ranks: RanksOption = None,
    seed_env: SeedEnvOption = None,
    seed_arg: SeedArgOption = None,
    out: Annotated[
        Path | None,
        value_option(
            "Record folder of the challenge.  [default: challenges/DATE_RECORD]", "FOLDER"
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the program and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Run the program without asking.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    track: TrackOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run a record's own program again on this machine; these runs decide.

    The program is a stranger's: it is shown first, and runs when you say so. Exit codes: 0
    certified, 1 not certified, 2 usage or input error.
    """
    from speedcheck.challenges.own_program import program_of_record
    from speedcheck.report.challenge_text import challenge_json, challenge_text, program_text
    from speedcheck.report.headline import headline
    from speedcheck.report.terminal import make_console, print_certificate
    from speedcheck.rules.rule import Overrides
    from speedcheck.run.record_evidence import EvidenceError
    from speedcheck.run.scripts.challenge_campaign import ChallengeRequest, run_challenge
    from speedcheck.run.scripts.foreign_program import Start

    request = ChallengeRequest(
        program=program_of_record(folder, Overrides(track=track, config=config)),
        arguments=tuple(arguments or ()),
        start=Start(gpus, ranks, seed_env, seed_arg),
        beside=beside or Path(),
        seeds=seeds,
        out=out,
    )
    if show:
        typer.echo(request.program.text, nl=False)
        raise typer.Exit
    request.check()
    if not (quiet and yes):
        shown = without_commands(program_text(request.program, request.beside))
        typer.echo(shown, nl=False, err=json or quiet)
    if not yes:
        _confirm(request.program)
    console = make_console(to_stderr=json, quiet=quiet)
    with stoppable("the runs were", resume_command(request.folder)):
        try:
            result = run_challenge(request, console)
        except EvidenceError as error:
            print_verdict(headline(error.certificate))
            raise
    if json:
        typer.echo(challenge_json(result), nl=False)
    elif quiet:
        print_verdict(headline(result.certificate))
    else:
        print_certificate(console, result.certificate, request.folder)
        typer.echo(without_commands(challenge_text(result)), nl=False)
    raise typer.Exit(exit_code([result.certificate]))


def _confirm(program: RecordProgram) -> None:
    if not sys.stdin.isatty():
        remedy = "read it with --show, then add --yes"
        raise UsageError("nobody is there to confirm that the program may run", remedy=remedy)
    typer.confirm(f"Run this program of {program.folder}?", abort=True, err=True)
