"""`python -m trainer.data.fineweb`: fetch, make or check shards; `speedcheck data` starts it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from trainer.config import SUB3
from trainer.data.fineweb import layout
from trainer.data.fineweb.check import (
    TABLE_HEAD,
    Checked,
    as_json,
    check_folder,
    origins,
    outlook,
    table_row,
)
from trainer.data.fineweb.encode import gpt2_encoding
from trainer.data.fineweb.fetch import fetch_shards
from trainer.data.fineweb.ranks import encoding_from
from trainer.data.fineweb.synth import SynthConfig, make_shards
from trainer.data.fineweb.tokenize import TokenizeConfig, Totals, tokenize_files
from trainer.data.place import default_data_dir
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainer.data.shards import Shard

EXIT_DONE = 0
EXIT_SHORT = 1
EXIT_UNUSABLE = 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # Behind "argument " comes the option, or the name of the argument.
        raise TrainerError(message.removeprefix("argument "), remedy=f"see {self.prog} --help")


class _Ended(BaseException):
    """A signal has come; what is open is to be closed."""

    def __init__(self, number: int) -> None:
        self.number = number


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status.

    It is 0, or 1 where sound shards are not enough for a run, or 2 for a usage or input error.
    """
    try:
        options = _parse(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        status = command(options)
        # Here and not at exit, where nobody could catch what a closed pipe raises.
        sys.stdout.flush()
        return status
    except TrainerError as error:
        return _complain(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        return _complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except _Ended as ended:
        _complain("interrupted")
        return 128 + ended.number


def _fetch(options: argparse.Namespace) -> int:
    for path, is_new in fetch_shards(options.dir, options.shards):
        _say(f"{path.name}: {'fetched' if is_new else 'was here'}, SHA-256 as on the hub")
    return EXIT_DONE


def _synth(options: argparse.Namespace) -> int:
    config = SynthConfig(options.shards, options.tokens, options.val_tokens, options.seed)
    step = SUB3.data.sequence_length * SUB3.data.sequences_per_step
    if config.tokens < step:
        _show(f"note: shards of {config.tokens:,} tokens hold no step of sub3 ({step:,} tokens)\n")
    for shard in make_shards(options.dir, config):
        _say(_made(shard))
    _say(f"{options.dir}: {config.origin}")
    return EXIT_DONE


def _tokenize(options: argparse.Namespace) -> int:
    config = TokenizeConfig(
        options.field, options.val_tokens, options.shard_tokens, options.processes
    )
    totals = Totals()

    def show(now: Totals) -> None:
        nonlocal totals
        totals = now
        _show(f"{now.tokens:,} tokens")

    load = gpt2_encoding if options.ranks is None else partial(encoding_from, options.ranks)
    for shard in tokenize_files(options.files, options.out, load, config, show):
        _show("")
        _say(_made(shard))
    documents = "document" if totals.documents == 1 else "documents"
    _say(f"{options.out}: {totals.tokens:,} tokens of {totals.documents:,} {documents}")
    return EXIT_DONE


def _check(options: argparse.Namespace) -> int:
    checked: list[Checked] = []
    for entry in check_folder(options.dir):
        if not options.json:
            _say(table_row(entry) if checked else f"{TABLE_HEAD}\n{table_row(entry)}")
        checked.append(entry)
    future = outlook(options.dir, checked)
    if options.json:
        _say(json.dumps(as_json(checked, future), indent=2))
    else:
        _say("\n".join(["", *origins(checked), *future.sentences()]))
    broken = [entry.broken for entry in checked if entry.broken]
    for reason in broken:
        _complain(reason)
    if broken:
        return EXIT_UNUSABLE
    return EXIT_DONE if future.fits else EXIT_SHORT


def _made(shard: Shard) -> str:
    return f"{shard.file}: {shard.tokens:,} tokens, SHA-256 {shard.sha256[:16]}..."


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the command's own output


def _show(text: str) -> None:
    """Put a line in the place of the one shown before, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)  # noqa: T201 - progress


def _complain(message: str) -> int:
    _show("")
    line = " ".join(message.split())
    print(f"speedcheck: error: {line}", file=sys.stderr)  # noqa: T201 - the command's own output
    return EXIT_UNUSABLE


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="speedcheck data", description="Fetch, make and check token shards.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fetch = commands.add_parser("fetch", help="download FineWeb's shards")
    fetch.set_defaults(command=_fetch)
    _add_shards(fetch)
    _add_folder(fetch, "--data-dir")

    tokenize = commands.add_parser("tokenize", help="make shards from text")
    tokenize.set_defaults(command=_tokenize)
    tokenize.add_argument("files", nargs="+", type=Path, metavar="FILE")
    tokenize.add_argument("--out", type=_folder, required=True, metavar="FOLDER")
    tokenize.add_argument("--field", default=TokenizeConfig.field)
    tokenize.add_argument("--ranks", type=Path, metavar="FILE")
    tokenize.add_argument("--val-tokens", type=_positive, default=TokenizeConfig.val_tokens)
    tokenize.add_argument("--shard-tokens", type=_positive, default=TokenizeConfig.shard_tokens)
    tokenize.add_argument("--processes", type=_positive, default=os.cpu_count() or 1)

    check = commands.add_parser("check", help="read shards through")
    check.set_defaults(command=_check)
    _add_folder(check, "dir")
    check.add_argument("--json", action="store_true")

    synth = commands.add_parser("synth", help="make synthetic shards for measuring speed")
    synth.set_defaults(command=_synth)
    _add_shards(synth)
    synth.add_argument("--tokens", type=_positive, default=SynthConfig.tokens)
    synth.add_argument("--val-tokens", type=_positive, default=SynthConfig.val_tokens)
    synth.add_argument("--seed", type=_natural, default=SynthConfig.seed)
    _add_folder(synth, "--data-dir")
    return parser.parse_args(arguments)


def _add_shards(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shards", type=_shards, default=layout.DEFAULT_SHARDS, metavar="N")


def _add_folder(parser: argparse.ArgumentParser, name: str) -> None:
    default = default_data_dir()
    if name.startswith("-"):
        parser.add_argument(name, dest="dir", type=_folder, default=default, metavar="FOLDER")
    else:
        parser.add_argument(name, type=_folder, default=default, nargs="?", metavar="FOLDER")


def _folder(text: str) -> Path:
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return path


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _positive(text: str) -> int:
    # A header has 31 bits for the number of tokens.
    if not 1 <= _natural(text) < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 2,147,483,647")
    return int(text)


def _shards(text: str) -> int:
    if not 1 <= _natural(text) <= layout.MAX_SHARDS:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {layout.MAX_SHARDS}")
    return int(text)


def _end(number: int, _frame: object) -> NoReturn:
    """Unwind once: a second signal must not cut the cleaning up short."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise _Ended(number)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    sys.exit(main())
