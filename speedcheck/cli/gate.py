"""`speedcheck gate`: judge the records that a branch changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import CERTIFIED, NOT_CERTIFIED, QuietOption


def gate(  # noqa: PLR0913 - one argument an option
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders that hold records.  [default: records]",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    *,
    base: Annotated[
        str | None,
        typer.Option(
            help="Branch to merge into.  [default: origin/$GITHUB_BASE_REF, else main]",
            metavar="REF",
            show_default=False,
        ),
    ] = None,
    head: Annotated[str, typer.Option(help="Branch to judge.", metavar="REF")] = "HEAD",
    repository: Annotated[
        Path | None,
        typer.Option(
            help="The clone.  [default: the working directory]",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    comment: Annotated[
        Path | None,
        typer.Option(
            help="Write the body of a comment to this file.", metavar="FILE", show_default=False
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(
            help="Write decisions and certificates to this file.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page of each judged record into this folder.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Judge the records that a branch adds, changes or removes, strictly."""
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
