"""`speedcheck run`: run the seeds, write a record folder, and certify it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from speedcheck.cli.common import exit_code, print_verdict, stoppable
from speedcheck.cli.options import (
    DataOption,
    GpusOption,
    QuietOption,
    RanksOption,
    SeedArgOption,
    SeedEnvOption,
    TrackOption,
    argument,
    value_option,
    whole_option,
)
from speedcheck.cli.slurm import (
    LOCAL,
    LauncherOption,
    MaxAttemptsOption,
    NodesOption,
    PartitionOption,
    SeedsPerTaskOption,
    TimeOption,
    slurm_launcher,
    typed,
)
from speedcheck.errors import UsageError
from speedcheck.report.wording import resume_command

if TYPE_CHECKING:
    from rich.console import Console

    from speedcheck.certificate import Certificate


def run(  # noqa: PLR0913 - one argument an option
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        argument("Arguments of the script, after --.", "[-- ARGS...]"),
    ] = None,
    *,
    script: Annotated[
        Path | None,
        value_option("Run this script as it is, instead of a recipe.", "FILE"),
    ] = None,
    gpus: GpusOption = None,
    ranks: RanksOption = None,
    seed_env: SeedEnvOption = None,
    seed_arg: SeedArgOption = None,
    track: TrackOption = None,
    recipe: Annotated[
        str | None,
        value_option("Recipe of the bundled trainer: sub3 or tiny.  [default: sub3]", "NAME"),
    ] = None,
    seeds: Annotated[
        int | None,
        whole_option("Number of runs: seeds 0 to N-1.  [default: 32]"),
    ] = None,
    out: Annotated[
        Path | None,
        value_option("Record folder.  [default: records/DATE_RECIPE]", "FOLDER"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an existing record folder.")
    ] = False,
    until_certified: Annotated[
        bool,
        typer.Option(
            "--until-certified",
            help="Start runs until the sequential test certifies the record.",
        ),
    ] = False,
    max_seeds: Annotated[
        int | None,
        whole_option("Largest number of runs until certified.  [default: 64]"),
    ] = None,
    stop_if_futile: Annotated[
        bool,
        typer.Option("--stop-if-futile", help="Stop early when certification is out of reach."),
    ] = False,
    jobs: Annotated[
        int | None,
        whole_option("Runs at one time.  [default: what the machine has room for]"),
    ] = None,
    isolate: Annotated[
        bool,
        typer.Option(
            "--isolate",
            help="Start a fresh process for each seed.  [default: one after another in workers]",
        ),
    ] = False,
    gpus_per_run: Annotated[
        int | None,
        whole_option(
            "GPUs of each run; several then train side by side, and their times do not "
            "count.  [default: one run on all]",
            "K",
        ),
    ] = None,
    timeout_per_run: Annotated[
        int | None,
        whole_option("Seconds after which a run is stopped as hung.  [default: the recipe's]", "S"),
    ] = None,
    steps: Annotated[
        int | None,
        whole_option("Steps of a run.  [default: the recipe's]"),
    ] = None,
    sequences_per_step: Annotated[
        int | None,
        whole_option("Sequences in a step.  [default: the recipe's]"),
    ] = None,
    sequence_length: Annotated[
        int | None,
        whole_option("Tokens of a sequence; a step keeps its tokens.  [default: the recipe's]"),
    ] = None,
    launcher: LauncherOption = LOCAL,
    partition: PartitionOption = None,
    nodes: NodesOption = None,
    seeds_per_task: SeedsPerTaskOption = None,
    time: TimeOption = None,
    max_attempts: MaxAttemptsOption = None,
    data_dir: DataOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run N seeds, write a record folder, and certify it."""
    from speedcheck.records.overrides import RecipeOverrides
    from speedcheck.run.launchers.local_launcher import LocalLauncher
    from speedcheck.run.launchers.worker_launcher import WorkerLauncher
    from speedcheck.run.record_campaign import run_record
    from speedcheck.run.request import Request
    from speedcheck.run.scripts.foreign_program import Start
    from speedcheck.run.scripts.script_command import ScriptRequest, is_script_record, run_script

    overrides = RecipeOverrides(steps, sequences_per_step, sequence_length)
    start = Start(gpus, ranks, seed_env, seed_arg)
    slurm = {
        "--partition": partition,
        "--nodes": nodes,
        "--seeds-per-task": seeds_per_task,
        "--time": time,
        "--max-attempts": max_attempts,
    }
    if script is not None or (resume and out is not None and is_script_record(out)):
        of_recipes = {
            "--recipe": recipe,
            "--isolate": isolate or None,
            "--gpus-per-run": gpus_per_run,
            "--data-dir": data_dir,
            "--launcher": None if launcher == LOCAL else launcher,
            **overrides.by_option(),
            **slurm,
        }
        _refuse(of_recipes, "belongs to recipes", "leave it out with --script")
        of_script = ScriptRequest(
            script=script,
            arguments=tuple(arguments or ()),
            start=start,
            track=track,
            seeds=seeds,
            out=out,
            resume=resume,
            jobs=jobs,
            timeout_s=timeout_per_run,
            until_certified=until_certified,
            max_seeds=max_seeds,
            stop_if_futile=stop_if_futile,
        )
        _certify(of_script.folder, partial(run_script, of_script), quiet=quiet)
    of_scripts = {
        "an argument": arguments[0] if arguments else None,
        "--gpus": gpus,
        "--ranks": ranks,
        "--seed-env": seed_env,
        "--seed-arg": seed_arg,
        "--track": track,
    }
    _refuse(of_scripts, "belongs to a script", "name the script with --script, or leave it out")
    request = Request(
        recipe=recipe,
        seeds=seeds,
        out=out,
        resume=resume,
        jobs=jobs,
        until_certified=until_certified,
        max_seeds=max_seeds,
        stop_if_futile=stop_if_futile,
        gpus_per_run=gpus_per_run,
        timeout_s=timeout_per_run,
        overrides=overrides,
    )
    cluster = slurm_launcher(
        launcher,
        slurm,
        local={
            "--jobs": jobs,
            "--gpus-per-run": gpus_per_run,
            "--timeout-per-run": timeout_per_run,
        },
        folder=request.folder,
        data_dir=data_dir,
        isolate=isolate,
    )
    starter = context.obj or cluster or (LocalLauncher if isolate else WorkerLauncher)(data_dir)
    make = partial(run_record, request, starter)
    _certify(request.folder, make, typed(launcher, slurm), quiet=quiet)


def _refuse(options: Mapping[str, object], why: str, remedy: str) -> None:
    for option, value in options.items():
        if value is not None:
            shown = option if value is True else f"{option} ({value})"
            raise UsageError(f"{shown} {why}", remedy=remedy)


def _certify(
    folder: Path, make: Callable[[Console], Certificate], options: str = "", *, quiet: bool
) -> NoReturn:
    """Make a record, print its certificate, and exit with its code."""
    from speedcheck.report.headline import headline
    from speedcheck.report.terminal import make_console, print_certificate
    from speedcheck.run.record_evidence import EvidenceError

    console, unwritten = make_console(quiet=quiet), None
    with stoppable("the runs were", resume_command(folder) + options):
        try:
            certificate = make(console)
        except EvidenceError as error:
            certificate, unwritten = error.certificate, error
        if quiet:
            print_verdict(headline(certificate))
        else:
            print_certificate(console, certificate, folder)
    if unwritten:
        raise unwritten
    raise typer.Exit(exit_code([certificate]))
