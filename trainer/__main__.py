"""`python -m trainer`: prepare the data of a recipe, train seeds of it, or time its steps."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from typing import NoReturn

from trainer.config import Recipe
from trainer.errors import TrainerError
from trainer.options import parse, recipe_of

EXIT_COMPLETE = 0
EXIT_UNUSABLE = 2
EXIT_DIVERGED = 3

# A run that takes longer has hung: several times what the slowest machine takes for a step, and
# for everything around the steps.
STEP_LIMIT_S = {"cpu": 5, "cuda": 10}
AROUND_LIMIT_S = 900


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status of `docs/log-format.md`."""
    try:
        return _run(parse(arguments, __doc__))
    except TrainerError as error:
        print(f"trainer: {error}", file=sys.stderr)  # noqa: T201 - the command's own output
        return EXIT_UNUSABLE


def _run(options: argparse.Namespace) -> int:
    recipe = recipe_of(options)
    if options.tethered:
        from trainer.runtime.tether import tether  # noqa: PLC0415

        tether()
    if options.command == "survey":
        from trainer.survey import survey  # noqa: PLC0415

        print(json.dumps(survey(recipe, options.data_dir), sort_keys=True))  # noqa: T201 - the command's own output
        return EXIT_COMPLETE
    # numpy and torch are imported where they are needed: a signal in those seconds ends quietly,
    # and preparing a CPU recipe has no use for torch.
    if recipe.device == "cuda" and not options.elsewhere:
        from trainer.runtime.device import check_device  # noqa: PLC0415

        check_device(recipe, whole_machine=options.prepare)
    if options.command == "bench":
        return _bench(recipe, options)
    from trainer.data.sources import find_data  # noqa: PLC0415

    shards = find_data(recipe, options.data_dir)
    if options.prepare:
        print(json.dumps(plan(recipe, options.gpus), sort_keys=True))  # noqa: T201 - the command's own output
        return EXIT_COMPLETE
    if options.command == "worker":
        from trainer.worker import work  # noqa: PLC0415

        return work(recipe, shards, answers=options.answers, side_by_side=options.side_by_side)
    from trainer.run import run_seed  # noqa: PLC0415

    log_path = options.log_dir / (options.log_name or f"seed-{options.seed:03d}.txt")
    finite = run_seed(recipe, options.seed, shards, log_path, side_by_side=options.side_by_side)
    return EXIT_COMPLETE if finite else EXIT_DIVERGED


def _bench(recipe: Recipe, options: argparse.Namespace) -> int:
    from trainer.bench import run_bench  # noqa: PLC0415

    run_bench(
        recipe,
        options.data_dir,
        kernels=options.kernels,
        json_file=options.json,
        trace_file=options.trace,
    )
    return EXIT_COMPLETE


def plan(recipe: Recipe, gpus: int | None = None) -> dict[str, str | int]:
    """What a launcher needs to know of a recipe on this machine.

    Args:
        recipe: to be trained.
        gpus: of one run; None for as many as can share a step.

    Raises:
        TrainerError: the machine has fewer, or a step does not divide among so many.
    """
    steps = recipe.schedule.steps
    return {
        "recipe": recipe.name,
        "device": recipe.device,
        **_gpus(recipe, gpus),
        "threads": recipe.threads,
        "memory_mib": _memory_mib(recipe),
        "steps": steps,
        "timeout_s": AROUND_LIMIT_S + STEP_LIMIT_S[recipe.device] * steps,
    }


def _gpus(recipe: Recipe, asked: int | None) -> dict[str, int]:
    """The ranks of one run, and how many GPUs are here."""
    if recipe.device == "cpu":
        if asked is not None:
            raise TrainerError(
                f"recipe {recipe.name} trains on the CPU",
                where="--gpus-per-run",
                remedy="leave it out",
            )
        return {"ranks": 1, "gpus": 0}
    from trainer.runtime.device import gpus_here, ranks_here  # noqa: PLC0415

    return {"ranks": ranks_here(recipe, asked), "gpus": gpus_here()}


def _memory_mib(recipe: Recipe) -> int:
    if recipe.device == "cpu":
        return recipe.memory_mib
    from trainer.runtime.device import memory_mib  # noqa: PLC0415

    return memory_mib(recipe.data.sequence_length)


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
