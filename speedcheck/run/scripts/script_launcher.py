"""Runs of a foreign trainer: a script as it is, by torchrun or plain Python, in a scratch folder.

Its log is what it writes into a file below its folder; without one, its standard output.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speedcheck.errors import LaunchError
from speedcheck.logs import read_log
from speedcheck.machine import available_cpus
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.records.script_table import Script, program_of
from speedcheck.rules.tracks import Track
from speedcheck.run.campaign.run_result import result_of
from speedcheck.run.launchers.child import Child
from speedcheck.run.launchers.conditions import conditions
from speedcheck.run.launchers.launcher import Job, Process, Setup
from speedcheck.run.scripts.foreign_program import check_machine
from speedcheck.run.scripts.scratch import Scratch
from speedcheck.words import count

_ASKED = "EOFError"


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
        return _ScriptRun(child, scratch, job.log, self._track)

    def close(self) -> None:
        """Nothing outlives a run."""

    def take_over(self, job: Job) -> Process | None:  # noqa: ARG002 - the seam's signature
        """Return None: what outlives its launcher is ended, not followed."""
        return None


class _ScriptRun:
    """A run of a foreign trainer, whose log is fetched when it has ended."""

    def __init__(self, child: Child, scratch: Scratch, log: Path, track: Track) -> None:
        self._child = child
        self._scratch = scratch
        self._log = log
        self._track = track
        # Which file the run writes, whatever is put in the place of its name.
        self._file = _file_of(log)
        self._is_fetched = False
        self._problem: LaunchError | None = None
        self.terminate = child.terminate

    def poll(self) -> int | None:
        """Return the exit status, or None while the run goes on.

        Raises:
            LaunchError: the run has ended, and what it has written is not the log of a new run.
        """
        status = self._child.poll()
        if status is None:
            return None
        self._fetch()
        if status == 0 and self._problem is None:
            self._problem = self._not_one_run()
        if self._problem is not None:
            raise self._problem
        return status

    def stop(self) -> None:
        """End the run, and keep the log that it has written so far."""
        self._child.stop()
        self._fetch()

    def wrote(self, log: Path) -> bool:
        """Return whether the log is the file that this run began or fetched."""
        return self._file is not None and _file_of(log) == self._file

    def last_lines(self) -> str:
        """Return the end of what was printed, and say so where the program asked for input."""
        # Every run has another scratch folder, and two that fail alike are to say the same.
        lines = self._child.last_lines().replace(f"{self._scratch.folder}{os.sep}", "")
        if _ASKED not in lines:
            return lines
        return f"{lines}\nthe program asked for input, and its standard input is empty"

    def details(self) -> Mapping[str, Any]:
        """Return nothing: all was known when the run started."""
        return {}

    def _fetch(self) -> None:
        if self._is_fetched:
            return
        self._is_fetched = True
        try:
            written = self._scratch.log()
            # Another file in the place of the log is not ours to overwrite.
            if written is not None and _file_of(self._log) in (self._file, None):
                _replace(self._log, written)
                self._file = _file_of(self._log)
            if result_of(self._log, self._track) is not None:
                _refuse_copy(self._log)
        except LaunchError as error:
            self._problem = error
        finally:
            self._scratch.remove()

    def _not_one_run(self) -> LaunchError | None:
        runs = len(read_log(self._log, self._log.parent, self._track.parser()).runs)
        if runs == 1:
            return None
        if runs > 1:
            what = f"its output holds {count(runs, 'run')}"
            remedy = "let the program train once and end"
            return LaunchError(what, where=str(self._log), remedy=remedy)
        return LaunchError(
            "the program wrote no log: no file below its folder and no line of its output has a "
            "validation loss",
            where=str(self._log),
            remedy="read what it printed there; a track's log_patterns (--track) say how "
            "other logs are read",
        )


def _file_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from others, whatever its name; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _refuse_copy(log: Path) -> None:
    """Refuse the log of an earlier run: a run that writes it again has not trained.

    Raises:
        LaunchError: another log beside it has the same bytes.
    """
    ours = log.read_bytes()
    for other in sorted(log.parent.iterdir()):
        # Another attempt at this run has its seed, and may well come to the same.
        if _run_of(other) == _run_of(log) or not other.is_file():
            continue
        if other.stat().st_size == len(ours) and other.read_bytes() == ours:
            raise LaunchError(
                f"the program wrote the log of an earlier run again ({other.name})",
                where=str(log),
                remedy="let every run train, and write a log of its own",
            )


def _run_of(log: Path) -> str:
    """Return the name that all attempts at one run have in common."""
    return log.name.partition(".")[0]


def _replace(log: Path, written: Path) -> None:
    """Put the log that was written in the place of the output, whole or not at all."""
    partial = log.with_name(f".{log.name}.partial")
    try:
        shutil.copyfile(written, partial)
        os.replace(partial, log)  # noqa: PTH105 - as shutil
    except OSError as error:
        partial.unlink(missing_ok=True)
        what = f"the run's log cannot be kept ({error.strerror or error})"
        raise LaunchError(what, where=str(log), remedy="free some space") from error
