"""The command line of `python -m trainer`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from trainer.config import RECIPES, WINDOWS, Recipe
from trainer.data.place import DATA_VARIABLE, default_data_dir
from trainer.errors import TrainerError

COMMANDS = ("train", "worker", "survey", "bench")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise TrainerError(message, remedy="see python -m trainer --help")


def parse(arguments: list[str] | None, description: str | None) -> argparse.Namespace:
    """Read the command line; None for that of this process.

    Raises:
        TrainerError: an option is unknown, missing or malformed.
    """
    parser = _Parser(prog="python -m trainer", description=description)
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="train")
    parser.add_argument("--recipe", choices=sorted(RECIPES), help="bench: sub3 unless told")
    parser.add_argument(
        "--data-dir",
        type=Path,
        help=f"folder of the token shards (default: ${DATA_VARIABLE}, else the user's cache)",
    )
    parser.add_argument(
        "--prepare", action="store_true", help="only make or check the data and print the plan"
    )
    parser.add_argument(
        "--elsewhere",
        action="store_true",
        help="with --prepare: another machine will train, so look for no GPU here",
    )
    parser.add_argument("--gpus", type=int, metavar="K", help="with --prepare: GPUs of one run")
    _add_run(parser)
    _add_overrides(parser)
    _add_bench(parser)
    options = parser.parse_args(arguments)
    options.data_dir = options.data_dir or default_data_dir()
    if options.command == "bench":
        options.recipe = options.recipe or "sub3"
    if options.recipe is None:
        parser.error("a run needs --recipe")
    is_run = options.command == "train" and not options.prepare
    if is_run and (options.seed is None or options.log_dir is None):
        parser.error("a run needs --seed and --log-dir")
    return options


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The recipe with what the command line changes in it.

    Raises:
        TrainerError: the changed recipe cannot be trained.
    """
    recipe = RECIPES[options.recipe]
    changes = (
        ("--windows", options.windows, Recipe.with_windows),
        ("--sequence-length", options.sequence_length, Recipe.with_sequence_length),
        ("--sequences-per-step", options.sequences_per_step, Recipe.with_sequences_per_step),
        ("--steps", options.steps, Recipe.with_steps),
    )
    for option, value, change in changes:
        if value is None:
            continue
        try:
            recipe = change(recipe, value)
        except TrainerError as error:
            remedy = "choose another value, or leave it out"
            raise TrainerError(error.what, where=option, remedy=remedy) from error
    return recipe


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=_seed, help="decides the initial weights; 0 or more")
    parser.add_argument("--log-dir", type=Path, help="folder of the log, made if missing")
    parser.add_argument("--log-name", help="file name of the log (default: seed-003.txt for 3)")
    parser.add_argument(
        "--tethered",
        action="store_true",
        help="end at once when standard input is closed, as it is when the launcher dies",
    )
    parser.add_argument(
        "--side-by-side",
        type=int,
        default=1,
        metavar="N",
        help="runs that share this machine's GPUs, for the log",
    )
    parser.add_argument(
        "--answers",
        type=int,
        default=1,
        metavar="FD",
        help="worker: descriptor that takes the answers (default: standard output)",
    )


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("recipe", "changes, which the log shows")
    group.add_argument(
        "--windows", choices=WINDOWS, help="attention windows (default: the recipe's)"
    )
    group.add_argument(
        "--sequence-length",
        type=int,
        help="tokens that pass at once, for GPUs with less memory; the step stays as long",
    )
    group.add_argument(
        "--sequences-per-step",
        type=int,
        help="sequences in a step, for shorter experiments (default: the recipe's)",
    )
    group.add_argument("--steps", type=int, help="steps of the run, to which the schedules stretch")


def _add_bench(parser: argparse.ArgumentParser) -> None:
    bench = parser.add_argument_group("bench", "measures the step and prints a table")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    bench.add_argument(
        "--trace", type=Path, metavar="FILE", help="write a trace of a step (.json or .json.gz)"
    )
    bench.add_argument("--kernels", type=int, default=25, help="lines of the kernel table")


def _seed(text: str) -> int:
    # Beyond 64 bits torch has no such seed.
    if not (text.isascii() and text.isdecimal()) or int(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)
