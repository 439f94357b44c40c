"""`python -m trainer`: prepare the data of a recipe, train one seed of it, or time its steps."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from trainer.config import RECIPES, WINDOWS, Recipe
from trainer.data.place import DATA_VARIABLE, default_data_dir
from trainer.errors import TrainerError

EXIT_COMPLETE = 0
EXIT_UNUSABLE = 2
EXIT_DIVERGED = 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise TrainerError(message, remedy="see python -m trainer --help")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status of `docs/log-format.md`."""
    try:
        return _run(_parse(arguments))
    except TrainerError as error:
        print(f"trainer: {error}", file=sys.stderr)  # noqa: T201 - the command's own output
        return EXIT_UNUSABLE


def _run(options: argparse.Namespace) -> int:
    recipe = _recipe(options)
    # numpy and torch are imported where they are needed: a signal in those seconds ends quietly,
    # and preparing a CPU recipe has no use for torch.
    if recipe.device == "cuda":
        from trainer.runtime.device import check_device  # noqa: PLC0415

        check_device(recipe, whole_machine=options.prepare)
    from trainer.data.sources import find_data  # noqa: PLC0415

    if options.command == "bench":
        from trainer.bench import run_bench  # noqa: PLC0415

        run_bench(
            recipe,
            options.data_dir,
            kernels=options.kernels,
            json_file=options.json,
            trace_file=options.trace,
        )
        return EXIT_COMPLETE
    shards = find_data(recipe, options.data_dir)
    if options.prepare:
        print(json.dumps(plan(recipe), sort_keys=True))  # noqa: T201 - the command's own output
        return EXIT_COMPLETE
    log_path = options.log_dir / (options.log_name or f"seed-{options.seed:03d}.txt")
    from trainer.run import run_seed  # noqa: PLC0415

    finite = run_seed(recipe, options.seed, shards, log_path)
    return EXIT_COMPLETE if finite else EXIT_DIVERGED


def _recipe(options: argparse.Namespace) -> Recipe:
    recipe = RECIPES[options.recipe]
    if options.windows is not None:
        recipe = recipe.with_windows(options.windows)
    if options.sequence_length is not None:
        recipe = recipe.with_sequence_length(options.sequence_length)
    if options.sequences_per_step is not None:
        recipe = recipe.with_sequences_per_step(options.sequences_per_step)
    if options.steps is not None:
        recipe = recipe.with_steps(options.steps)
    return recipe


def plan(recipe: Recipe) -> dict[str, str | int]:
    """What a launcher needs to know of a recipe on this machine."""
    return {
        "recipe": recipe.name,
        "device": recipe.device,
        "ranks": _ranks(recipe),
        "threads": recipe.threads,
        "memory_mib": _memory_mib(recipe),
        "steps": recipe.schedule.steps,
    }


def _ranks(recipe: Recipe) -> int:
    if recipe.device == "cpu":
        return 1
    from trainer.runtime.device import ranks_here  # noqa: PLC0415

    return ranks_here(recipe)


def _memory_mib(recipe: Recipe) -> int:
    if recipe.device == "cpu":
        return recipe.memory_mib
    from trainer.runtime.device import memory_mib  # noqa: PLC0415

    return memory_mib(recipe.data.sequence_length)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m trainer", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("train", "bench"), default="train")
    parser.add_argument("--recipe", choices=sorted(RECIPES), help="bench: sub3 unless told")
    parser.add_argument("--seed", type=_seed, help="decides the initial weights; 0 or more")
    parser.add_argument("--log-dir", type=Path, help="folder of the log, made if missing")
    parser.add_argument("--log-name", help="file name of the log (default: seed-003.txt for 3)")
    parser.add_argument(
        "--data-dir",
        type=Path,
        help=f"folder of the token shards (default: ${DATA_VARIABLE}, else the user's cache)",
    )
    parser.add_argument(
        "--windows", choices=WINDOWS, help="attention windows (default: the recipe's)"
    )
    parser.add_argument(
        "--sequence-length",
        type=int,
        help="tokens that pass at once, for GPUs with less memory; the step stays as long",
    )
    parser.add_argument(
        "--sequences-per-step",
        type=int,
        help="sequences in a step, for shorter experiments (default: the recipe's)",
    )
    parser.add_argument(
        "--steps", type=int, help="steps of the run, to which the schedules stretch"
    )
    parser.add_argument(
        "--prepare", action="store_true", help="only make or check the data and print the plan"
    )
    bench = parser.add_argument_group("bench", "measures the step and prints a table")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    bench.add_argument(
        "--trace", type=Path, metavar="FILE", help="write a trace of a step (.json or .json.gz)"
    )
    bench.add_argument("--kernels", type=int, default=25, help="lines of the kernel table")
    options = parser.parse_args(arguments)
    options.data_dir = options.data_dir or default_data_dir()
    if options.command == "bench":
        options.recipe = options.recipe or "sub3"
        return options
    if options.recipe is None:
        parser.error("a run needs --recipe")
    if not options.prepare and (options.seed is None or options.log_dir is None):
        parser.error("a run needs --seed and --log-dir")
    return options


def _seed(text: str) -> int:
    # Beyond 64 bits torch has no such seed.
    if not (text.isascii() and text.isdecimal()) or int(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _is_alone() -> bool:
    """Whether this is the only rank.

    Python calls a handler between two of its instructions: not while the main thread waits within
    an exchange of the ranks, which then would outlast torchrun's patience.
    """
    return os.environ.get("WORLD_SIZE", "1") == "1"


def _end_quietly(number: int, _frame: object) -> NoReturn:
    """End at once with the shell's status for a signal: the log has every line already."""
    os._exit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_quietly if _is_alone() else signal.SIG_DFL)
    sys.exit(main())
