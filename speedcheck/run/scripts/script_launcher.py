"""Runs of a foreign trainer: a script as it is, by torchrun or plain Python, in a scratch folder.

Its log is what it writes into a file below its folder; without one, its standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speedcheck.errors import LaunchError
from speedcheck.machine import available_cpus
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.records.script_table import Script, program_of
from speedcheck.rules.tracks import Track
from speedcheck.run.launchers.child import Child
from speedcheck.run.launchers.conditions import conditions
from speedcheck.run.launchers.launcher import Job, Process, Setup
from speedcheck.run.scripts.foreign_program import check_machine
from speedcheck.run.scripts.scratch import Scratch
from speedcheck.run.scripts.script_run import ScriptRun


class ScriptLauncher:
    """Starts a record's own program, each run in a scratch folder of its own.

    Args:
        folder: the record folder.
        script: what its record.toml says of the program.
        track: the track, which says how logs are read.
    """

    def __init__(self, folder: Path, script: Script, track: Track) -> None:
        self._folder = folder
        self._script = script
        self._track = track
        self._beside = folder / script.beside

    def prepare(
        self,
        recipe: str,
        overrides: RecipeOverrides = NO_OVERRIDES,
        gpus_per_run: int | None = None,  # noqa: ARG002 - a recipe's
    ) -> Setup:
        """Check the program and the machine; what the program will do is not known beforehand.

        Raises:
            LaunchError: torchrun or a GPU is missing.
            RecordError: the program is gone or was changed.
        """
        script = self._script
        program_of(self._folder, script)
        if not self._beside.is_dir():
            remedy = "restore it, or start another record"
            raise LaunchError(
                "the program's folder is gone", where=str(self._beside), remedy=remedy
            )
        check_machine(script.gpus, script.ranks)
        ranks = max(1, script.ranks)
        return Setup(
            recipe=recipe,
            device="cuda" if script.gpus else "cpu",
            ranks=ranks,
            # A program of unknown needs has the machine for itself.
            threads=max(1, available_cpus() // ranks),
            steps=None,
            memory_mib=0,
            overrides=overrides,
        )

    def details(self, job: Job) -> Mapping[str, Any]:
        """Return the command, how it gets the seed, and the conditions on this machine."""
        script = self._script
        seed = (
            {"variable": script.seed_env, "option": script.seed_arg} if script.is_seeded else None
        )
        return {**conditions(self._command(job), self._environment(job)), "seed_by": seed}

    def _command(self, job: Job) -> tuple[str, ...]:
        script = self._script
        torchrun = (
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={script.ranks}",
        )
        seed = (script.seed_arg, str(job.seed)) if script.seed_arg else ()
        return (
            sys.executable,
            *(torchrun if script.ranks else ()),
            *(("-m",) if script.is_package else ()),
            script.name,
            *script.arguments,
            *seed,
        )

    def _environment(self, job: Job) -> Mapping[str, str]:
        """Return the variables that are set for a run beside those of this process."""
        seed = {self._script.seed_env: str(job.seed)} if self._script.seed_env else {}
        # Empty: on a machine with GPUs a run on the CPU must not see them.
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if not self._script.gpus else {}
        return {**seed, **hidden}

    def start(self, job: Job) -> Process:
        """Start the run; what it prints becomes its log until it has written one."""
        program = program_of(self._folder, self._script)
        scratch = Scratch(program, self._beside, self._track.parser())
        try:
            child = Child(
                self._command(job),
                folder=job.folder,
                environment=self._environment(job),
                cwd=scratch.folder,
                output=job.log.open("x+b"),
            )
        except (LaunchError, OSError) as error:
            scratch.remove()
            if isinstance(error, FileExistsError):
                what = "is there before its run has started"
                remedy = "add --resume for another attempt"
                raise LaunchError(what, where=str(job.log), remedy=remedy) from error
            what = (
                error.what if isinstance(error, LaunchError) else f"cannot start ({error.strerror})"
            )
            raise LaunchError(what, where=self._script.name) from error
        return ScriptRun(child, scratch, job.log, self._track)

    def close(self) -> None:
        """Nothing outlives a run."""

    def take_over(self, job: Job) -> Process | None:  # noqa: ARG002 - the seam's signature
        """Return None: what outlives its launcher is ended, not followed."""
        return None
