"""The command line: which commands there are, and what becomes of their errors.

What a command needs is imported inside it, so that `--help` need not wait for scipy.

Exit codes: 0 certified, 1 not certified, 2 usage or input error; of `compare` and `race`: 0 better,
1 worse, 3 undecided. A run that a signal ends exits with 128 plus the signal's number.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli import (
    challenge,
    compare,
    data,
    doctor,
    gate,
    helpers,
    history,
    plan,
    race,
    report,
    run,
    status,
    verify,
)
from speedcheck.cli.common import NOT_CERTIFIED, UNUSABLE, Command, complain
from speedcheck.cli.version import version_line
from speedcheck.cli.wrong_call import describe
from speedcheck.errors import SpeedcheckError, advice_on, not_read

DEBUG_VARIABLE = "SPEEDCHECK_DEBUG"

# Typer brings its own copy of click or uses the installed one, by version; either way this is the
# base of every complaint about what was typed.
_TypedWrong: type[Exception] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)

app = typer.Typer(
    name="speedcheck",
    help="Statistical record validation for training speedruns.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    run.run,
    status.status,
    doctor.doctor,
    verify.verify,
    verify.table,
    report.report,
    compare.compare,
    race.race,
    challenge.challenge,
    plan.plan,
    history.history,
    gate.gate,
    helpers.init,
    helpers.parse,
    helpers.explain,
):
    app.command(cls=Command)(command)
app.add_typer(data.app, name="data")


@app.callback(invoke_without_command=True)
def speedcheck(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the versions and exit.")
    ] = False,
) -> None:
    """Statistical record validation for training speedruns."""
    if version:
        typer.echo(version_line())
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: list[str] | None = None, *, launcher: object = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: the words after `speedcheck`; those of this process unless given.
        launcher: starts the runs of `speedcheck run`; child processes unless given.
    """
    if sys.stdout is None:
        # Closed by `>&-`: only the exit code is wanted.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - till the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name may hold what a terminal's encoding does not.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = NOT_CERTIFIED
    try:
        code = int(app(arguments, standalone_mode=False, obj=launcher) or 0)
        # Here and not at exit, where nobody could catch what a closed pipe raises.
        sys.stdout.flush()
        return code
    except _TypedWrong as error:
        complain(describe(error))
    except SpeedcheckError as error:
        complain(str(error))
    except BrokenPipeError:
        # The reader of our output has seen enough; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code
    except OSError as error:
        complain(_what_failed(error))
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return 130
    except Exception as error:
        if DEBUG_VARIABLE in os.environ:
            raise
        complain(
            f"internal error ({type(error).__name__}: {error}); please report it with the output "
            f"of the same command under {DEBUG_VARIABLE}=1"
        )
    return UNUSABLE


def _what_failed(error: OSError) -> str:
    """Return what the system refused; only the working folder and standard output have no name."""
    if error.filename:
        return str(not_read(Path(str(error.filename)), error))
    if isinstance(error, FileNotFoundError):
        return "the working folder is gone; change into one that exists"
    remedy = f"{advice_on(error)}, or send it elsewhere"
    return f"standard output: cannot write ({error.strerror or error}); {remedy}"
