"""`speedcheck data`: options for `python -m trainer.data.fineweb`, which does the work.

It is started as a process, since this package imports nothing of the trainer. Checking what was
typed is its business too, so that each limit and default is written once.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from speedcheck.cli.common import Command
from speedcheck.cli.options import argument, value_option

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# -P: a folder that happens to be called `trainer` where the user stands is not the trainer.
_COMMAND = (sys.executable, "-P", "-m", "trainer.data.fineweb")

app = typer.Typer(rich_markup_mode=None)

Folder = Annotated[
    Path | None,
    value_option(
        "Folder of the shards.  [default: $SPEEDCHECK_DATA, else the user's cache]",
        "FOLDER",
        "--data-dir",
    ),
]


def _number(text: str) -> typer.models.OptionInfo:
    """Return an option that takes a whole number, which the process checks."""
    option: typer.models.OptionInfo = value_option(text, "N")
    return option


@app.callback(invoke_without_command=True)
def data(context: typer.Context) -> None:
    """Fetch, make and check token shards."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(cls=Command)
def fetch(
    shards: Annotated[str | None, _number("Training shards, 1 to 103.  [default: 8]")] = None,
    data_dir: Folder = None,
) -> None:
    """Download FineWeb's shards; verify those that are there.

    An interrupted download continues where it stopped. Every file is compared with the SHA-256 that
    the Hugging Face hub states; HF_ENDPOINT may name a mirror.
    """
    _run("fetch", *_given(shards=shards, data_dir=data_dir))


@app.command(cls=Command)
def tokenize(
    files: Annotated[
        list[Path],
        typer.Argument(
            help=".txt (a file is a document), .jsonl (a line is one), .parquet (a row is one).",
            metavar="FILE",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(help="Folder for the shards, made if missing.", metavar="FOLDER"),
    ],
    field: Annotated[
        str | None,
        value_option("Field or column that holds the text.  [default: text]", "NAME"),
    ] = None,
    val_tokens: Annotated[
        str | None,
        _number("The first N tokens are for validation.  [default: 10485762]"),
    ] = None,
    shard_tokens: Annotated[
        str | None, _number("Tokens of a training shard.  [default: 100000000]")
    ] = None,
    processes: Annotated[
        str | None, _number("Processes that share the work.  [default: all cores]")
    ] = None,
    ranks: Annotated[
        Path | None,
        value_option(
            "File of GPT-2's ranks, for a machine without a network: r50k_base.tiktoken, or "
            "vocab.bpe with encoder.json beside it.",
            "FILE",
        ),
    ] = None,
) -> None:
    """Make shards from text of your own, in GPT-2's tokens."""
    options = _given(
        out=out,
        field=field,
        val_tokens=val_tokens,
        shard_tokens=shard_tokens,
        processes=processes,
        ranks=ranks,
    )
    _run("tokenize", *options, *map(str, files))


@app.command(cls=Command)
def check(
    folder: Annotated[
        Path | None,
        argument(
            "Folder of the shards.  [default: $SPEEDCHECK_DATA, else the user's cache]", "FOLDER"
        ),
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every shard, and whether they are enough for a run of sub3 (exit 1 if not)."""
    _run("check", *(["--json"] if json else []), *([str(folder)] if folder else []))


@app.command(cls=Command)
def synth(
    shards: Annotated[str | None, _number("Training shards, 1 to 103.  [default: 8]")] = None,
    tokens: Annotated[str | None, _number("Tokens of each.  [default: 100000000]")] = None,
    val_tokens: Annotated[
        str | None, _number("Tokens of the validation shard.  [default: 100000000]")
    ] = None,
    seed: Annotated[str | None, _number("Decides the tokens.  [default: 0]")] = None,
    data_dir: Folder = None,
) -> None:
    """Make synthetic shards in FineWeb's format, for measuring speed."""
    options = _given(
        shards=shards, tokens=tokens, val_tokens=val_tokens, seed=seed, data_dir=data_dir
    )
    _run("synth", *options)


def _given(**options: str | Path | None) -> list[str]:
    """Return the options that were typed; the process knows the defaults of the others."""
    names = {name: name.replace("_", "-") for name in options}
    return [f"--{names[name]}={value}" for name, value in options.items() if value is not None]


def _run(*arguments: str) -> NoReturn:
    """Run the command in a process that shares this one's terminal; exit as it does."""
    child = subprocess.Popen([*_COMMAND, *arguments])
    with _passing_on(child):
        status = child.wait()
    raise typer.Exit(status if status >= 0 else 128 - status)


@contextmanager
def _passing_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave it to the process to end on a signal: it has files to close.

    Ctrl-C reaches it by itself too, and it heeds the first one only.
    """

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
