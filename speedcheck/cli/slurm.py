"""The options of `speedcheck run` that send the runs to a Slurm cluster."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speedcheck.cli.common import say
from speedcheck.cli.options import value_option, whole_option
from speedcheck.errors import UsageError

if TYPE_CHECKING:
    from speedcheck.run.slurm.slurm_launcher import SlurmLauncher

LOCAL, SLURM = "local", "slurm"

LauncherOption = Annotated[
    str,
    typer.Option(
        "--launcher",
        help="Where the runs train: local (this machine) or slurm (a job array).",
        metavar="NAME",
    ),
]
PartitionOption = Annotated[
    str | None,
    value_option("Slurm: partition of the array.  [default: the cluster's]", "NAME"),
]
NodesOption = Annotated[
    int | None,
    whole_option("Slurm: tasks at one time.  [default: as many as the cluster allows]"),
]
SeedsPerTaskOption = Annotated[
    int | None,
    whole_option("Slurm: seeds that one task trains in turn.  [default: 1]", "K"),
]
TimeOption = Annotated[
    int | None,
    whole_option(
        "Slurm: time limit of a task, in minutes.  [default: the partition's]", "M", "--time"
    ),
]
MaxAttemptsOption = Annotated[
    int | None,
    whole_option("Slurm: attempts at a seed that Slurm may interrupt.  [default: 5]"),
]


def slurm_launcher(
    name: str,
    options: dict[str, str | int | None],
    *,
    local: dict[str, int | None],
    folder: Path,
    data_dir: Path | None,
    isolate: bool,
) -> SlurmLauncher | None:
    """Return the launcher for Slurm; None where the runs are to train on this machine.

    Args:
        name: what `--launcher` was given.
        options: the options of Slurm by their names, None where they were not typed.
        local: the options of runs on this machine alone, likewise.
        folder: the record folder.
        data_dir: the training data.
        isolate: whether each seed of a task gets a fresh process.

    Raises:
        UsageError: there is no such launcher, or an option does not go with it.
        RecordError: this machine is to train what Slurm may still train.
    """
    from speedcheck.run.slurm.batch_files import refuse_unsettled
    from speedcheck.run.slurm.slurm_launcher import SlurmLauncher, SlurmOptions

    if name not in {LOCAL, SLURM}:
        raise UsageError(f"there is no launcher {name!r}", remedy=f"choose {LOCAL} or {SLURM}")
    wrong = local if name == SLURM else options
    for option, value in wrong.items():
        if value is not None:
            remedy = "leave it out" if name == SLURM else f"add --launcher {SLURM}"
            raise UsageError(f"{option} does not go with --launcher {name}", remedy=remedy)
    if name == LOCAL:
        refuse_unsettled(folder)
        return None
    asked = SlurmOptions(
        partition=str(options["--partition"] or ""),
        nodes=_number(options["--nodes"]),
        seeds_per_task=_number(options["--seeds-per-task"]),
        minutes=_number(options["--time"]),
        max_attempts=_number(options["--max-attempts"]),
    )
    return SlurmLauncher(asked, data_dir, say, isolate=isolate)


def typed(name: str, options: dict[str, str | int | None]) -> str:
    """Return the options as they can be typed again; "" for the local launcher."""
    words = [
        word
        for option, value in options.items()
        if value is not None
        for word in (option, str(value))
    ]
    return f" --launcher {SLURM} {shlex.join(words)}".rstrip() if name == SLURM else ""


def _number(value: str | int | None) -> int | None:
    return value if isinstance(value, int) else None
