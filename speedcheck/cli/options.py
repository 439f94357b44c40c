"""The options of the commands: how a value is read, and each option that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

# Nothing that is counted here, seconds too, comes near it; sums with it stay exact everywhere.
MOST_DIGITS = 9


def whole_number(text: str) -> int:
    """Read a whole number that was typed."""
    if not (text.isascii() and text.removeprefix("-").isdecimal()):
        raise typer.BadParameter(f"{text!r} is not a whole number")
    if len(text) > MOST_DIGITS:
        raise typer.BadParameter(f"{text[:MOST_DIGITS]}... is too large; give at most 9 digits")
    return int(text)


def number(text: str) -> float:
    """Read a number that was typed."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None


# Each returns Any, as typer.Option does: the default follows the parameter.
def whole_option(text: str, metavar: str = "N", *names: str) -> Any:
    """Return an option that takes a whole number; `text` is its help and names the default."""
    return typer.Option(*names, help=text, metavar=metavar, parser=whole_number, show_default=False)


def number_option(text: str, metavar: str, *names: str) -> Any:
    """Return an option that takes a number; `text` is its help and names the default."""
    return typer.Option(*names, help=text, metavar=metavar, parser=number, show_default=False)


def value_option(text: str, metavar: str, *names: str) -> Any:
    """Return an option that takes a name or a path; `text` is its help and names the default."""
    return typer.Option(*names, help=text, metavar=metavar, show_default=False, readable=False)


def argument(text: str, metavar: str) -> Any:
    """Return an argument that takes a name or a path."""
    return typer.Argument(help=text, metavar=metavar, show_default=False, readable=False)


Folders = Annotated[list[Path], argument("Record folders.", "FOLDER")]
TrackOption = Annotated[str | None, value_option("Judge by this track.", "NAME")]
TargetOption = Annotated[
    float | None, number_option("Loss that the mean must be below, nats per token.", "X")
]
AlphaOption = Annotated[float | None, number_option("Significance level.", "A")]
BaselineOption = Annotated[Path | None, value_option("Record folder to compare with.", "FOLDER")]
ConfigOption = Annotated[
    Path | None,
    value_option(
        "Tracks of your own.  [default: speedcheck.toml at the repository's root]", "FILE"
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the verdict alone, in one line.")
]
DataOption = Annotated[
    Path | None,
    value_option(
        "Training data of recipes.  [default: $SPEEDCHECK_DATA, else the user's cache]", "FOLDER"
    ),
]

# How a script is started: of the commands that start one.
GpusOption = Annotated[
    int | None,
    whole_option(
        "GPUs of a script's run, a process of torchrun each; 0 for plain Python on the CPU.  "
        "[default: all GPUs]"
    ),
]
RanksOption = Annotated[int | None, whole_option("Processes of torchrun on the CPU, for a script.")]
SeedEnvOption = Annotated[
    str | None, value_option("Environment variable that gives a script its seed.", "NAME")
]
SeedArgOption = Annotated[
    str | None, value_option("Option that gives a script its seed, such as --seed.", "FLAG")
]
