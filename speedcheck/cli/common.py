"""What the commands share: exit codes, options, and lines for people on standard error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand

from speedcheck.cli.lasting_output import lasting_output
from speedcheck.cli.wrong_call import refuse_empty
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
    """A command that takes no empty words, and whose help does not show the types of Python."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Refuse empty words, and read the others."""
        options = (name for p in self.params if not getattr(p, "is_flag", True) for name in p.opts)
        refuse_empty(args, frozenset(options))
        return super().parse_args(ctx, args)

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]  # Typer's own context
        """Return the help with blanks instead of types, so that the columns stay aligned."""
        text = super().get_help(ctx)
        text = _BRACES.sub(r"\1", text)
        return _PYTHON_TYPE.sub(lambda shown: " " * len(shown[0]), text)


def exit_code(certificates: list[Certificate]) -> int:
    """Return the exit code for what was judged."""
    return CERTIFIED if all(c.certified for c in certificates) else NOT_CERTIFIED


def print_verdict(text: str) -> None:
    """Print a verdict as one line, whatever the names in it hold."""
    typer.echo(without_commands(printable(text)))


@contextmanager
def stoppable(runs: str, again: str) -> Iterator[None]:
    """Let a signal end the command with one line, and with the exit code of the signal.

    Nothing else that concerns only people ends the runs: they go on without standard output.

    Args:
        runs: what the signal stops.
        again: the command that continues it.
    """
    from speedcheck.run.campaign.interruption import Interrupted

    try:
        with lasting_output(_say_that_runs_go_on):
            yield
    except Interrupted as signal:
        complain(f"{signal}: {runs} stopped; to continue: {again}")
        raise typer.Exit(128 + signal.signum) from None


def _say_that_runs_go_on(error: OSError) -> None:
    why = "was closed" if isinstance(error, BrokenPipeError) else f"fails ({error.strerror})"
    say(f"note: standard output {why}; the runs go on")


def complain(message: str) -> None:
    """Write one error line for people."""
    say(f"error: {message}")


def say(message: str) -> None:
    """Write one line for people, whatever the names in it hold."""
    typer.echo(without_commands(f"speedcheck: {printable(' '.join(message.split()))}"), err=True)
