"""`speedcheck gate`: judge the records that a branch changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import CERTIFIED, NOT_CERTIFIED
from speedcheck.cli.options import QuietOption, argument, value_option


def gate(  # noqa: PLR0913 - one argument an option
    paths: Annotated[
        list[str] | None,
        argument("Folders that hold records.  [default: records]", "FOLDER"),
    ] = None,
    *,
    base: Annotated[
        str | None,
        value_option("Branch to merge into.  [default: origin/$GITHUB_BASE_REF, else main]", "REF"),
    ] = None,
    head: Annotated[str, typer.Option(help="Branch to judge.", metavar="REF")] = "HEAD",
    repository: Annotated[
        Path | None,
        value_option("The clone.  [default: the working directory]", "FOLDER"),
    ] = None,
    comment: Annotated[
        Path | None,
        value_option("Write the body of a comment to this file.", "FILE"),
    ] = None,
    json: Annotated[
        Path | None,
        value_option("Write decisions and certificates to this file.", "FILE"),
    ] = None,
    report: Annotated[
        Path | None,
        value_option("Write a page of each judged record into this folder.", "FOLDER"),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Judge the records that a branch adds, changes or removes, strictly.

    Exit codes: 0 all pass, 1 one is rejected, 2 usage or input error.
    """
    from speedcheck.gate.gate_command import run_gate

    passed = run_gate(
        paths or (),
        base=base,
        head=head,
        repository=repository,
        comment=comment,
        json=json,
        report=report,
        quiet=quiet,
    )
    raise typer.Exit(CERTIFIED if passed else NOT_CERTIFIED)
