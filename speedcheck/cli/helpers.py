"""`speedcheck init`, `parse` and `explain`: help for submitters and reviewers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import NOT_CERTIFIED
from speedcheck.cli.options import ConfigOption, TrackOption, argument
from speedcheck.errors import UsageError
from speedcheck.report.wording import printable, without_commands


def init(
    folder: Annotated[Path, argument("Folder of logs.", "FOLDER")],
    track: TrackOption = None,
    config: ConfigOption = None,
) -> None:
    """Propose a record.toml that declares which runs are the sample."""
    from speedcheck.races.race_plan import is_race
    from speedcheck.rules.rule import Overrides
    from speedcheck.sample.init import init_record

    if is_race(folder):
        remedy = "a race needs no record.toml: speedcheck verify judges it"
        raise UsageError("is a race", where=str(folder), remedy=remedy)
    proposal = init_record(folder, Overrides(track=track, config=config))
    typer.echo(without_commands(printable(f"wrote {folder / 'record.toml'}:")))
    for reason in proposal.reasons:
        typer.echo(without_commands(printable(f"  {reason}")))
    typer.echo(
        without_commands(printable(f"Check that it is true, then: speedcheck verify {folder}"))
    )


def parse(
    log: Annotated[Path, argument("Log file.", "LOG")],
    track: Annotated[
        str | None,
        typer.Option("--track", help="Read it as a log of this track.", metavar="NAME"),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print each line of a log that was read, and what came of it.

    Exit codes: 0 a run was found, 1 none was, 2 usage or input error.
    """
    from speedcheck.report.log_lines import explain_log

    lines, found = explain_log(log, track, config)
    for line in lines:
        typer.echo(without_commands("\n".join(map(printable, line.split("\n")))))
    raise typer.Exit(0 if found else NOT_CERTIFIED)


def explain(
    codes: Annotated[
        list[str] | None,
        argument("Code or name of a finding.", "CODE..."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page of all findings as Markdown.")
    ] = False,
) -> None:
    """Say what a finding means and what to do about it; without a code, list all."""
    from speedcheck.checks.explain import find_codes
    from speedcheck.report.findings import findings_list, findings_page, findings_text

    if markdown:
        typer.echo(findings_page(), nl=False)
    elif codes:
        typer.echo(findings_text(find_codes(codes)), nl=False)
    else:
        typer.echo(findings_list(), nl=False)
