"""What the commands share: exit codes, options, and lines for people on standard error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from speedcheck.report.wording import printable, without_commands

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate

CERTIFIED, NOT_CERTIFIED, UNUSABLE = 0, 1, 2
# Of `compare` and `race`.
EXIT_CODES = {"better": 0, "worse": 1, "undecided": 3}

# What Typer shows behind the name of an argument: "FOLDER... <list[Path]>".
_PYTHON_TYPE = re.compile(r" <[a-z]\w*(?:\[[\w, |]*\])?>")
# And around the name of a required argument: "{FOLDER}...".
_BRACES = re.compile(r"\{([A-Z.]+)\}")


class Command(TyperCommand):
    """A command whose help does not show the types of Python."""

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]  # Typer's own context
        """Return the help with blanks instead of types, so that the columns stay aligned."""
        text = super().get_help(ctx)
        text = _BRACES.sub(r"\1", text)
        return _PYTHON_TYPE.sub(lambda shown: " " * len(shown[0]), text)


def whole_number(text: str) -> int:
    """Read a whole number that was typed."""
    if not (text.isascii() and text.removeprefix("-").isdecimal()):
        raise typer.BadParameter(f"{text!r} is not a whole number")
    return int(text)


def number(text: str) -> float:
    """Read a number that was typed."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None


Folders = Annotated[
    list[Path], typer.Argument(help="Record folders.", metavar="FOLDER", show_default=False)
]
TrackOption = Annotated[
    str | None, typer.Option("--track", help="Judge by this track.", metavar="NAME")
]
TargetOption = Annotated[
    float | None,
    typer.Option(
        "--target",
        help="Loss that the mean must be below, nats per token.",
        parser=number,
        metavar="X",
    ),
]
AlphaOption = Annotated[
    float | None,
    typer.Option("--alpha", help="Significance level.", parser=number, metavar="A"),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option(help="Record folder to compare with.", metavar="FOLDER", show_default=False),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        help="Tracks of your own.  [default: speedcheck.toml at the repository's root]",
        metavar="FILE",
        show_default=False,
    ),
]

QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the verdict alone, in one line.")
]


def exit_code(certificates: list[Certificate]) -> int:
    """Return the exit code for what was judged."""
    return CERTIFIED if all(c.certified for c in certificates) else NOT_CERTIFIED


def print_verdict(text: str) -> None:
    """Print a verdict as one line, whatever the names in it hold."""
    typer.echo(without_commands(printable(text)))


def complain(message: str) -> None:
    """Write one error line for people."""
    say(f"error: {message}")


def say(message: str) -> None:
    """Write one line for people, whatever the names in it hold."""
    typer.echo(without_commands(f"speedcheck: {printable(' '.join(message.split()))}"), err=True)
