"""`speedcheck doctor`: whether this machine can train a recipe, and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import NOT_CERTIFIED
from speedcheck.cli.options import DataOption
from speedcheck.errors import UsageError
from speedcheck.report.wording import printable, without_commands


def doctor(
    recipe: Annotated[
        str, typer.Option(help="Recipe to train: sub3 or tiny.", metavar="NAME")
    ] = "sub3",
    data_dir: DataOption = None,
) -> None:
    """Say what this machine has for training a recipe, and what is missing.

    Exit codes: 0 if nothing is missing, 1 if the recipe needs something.
    """
    from speedcheck.rules.tracks import TRACK_OF_RECIPE
    from speedcheck.run.launchers.trainer_process import data_options
    from speedcheck.run.machine_check import doctor_text, examine

    if recipe not in TRACK_OF_RECIPE:
        known = ", ".join(TRACK_OF_RECIPE)
        raise UsageError(f"there is no recipe {recipe!r}", remedy=f"choose one of {known}")
    checks = examine(recipe, Path(), data_options(data_dir))
    text = doctor_text(recipe, checks)
    typer.echo(without_commands("\n".join(map(printable, text.split("\n")))), nl=False)
    is_missing = any(check.state == "missing" for check in checks)
    raise typer.Exit(NOT_CERTIFIED if is_missing else 0)
