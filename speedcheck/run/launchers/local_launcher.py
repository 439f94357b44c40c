"""Runs as child processes of this one, each its own: `python -m trainer`, or under torchrun."""

from __future__ import annotations

import os
import weakref

from speedcheck.errors import LaunchError
from speedcheck.run.launchers.child import Child
from speedcheck.run.launchers.launcher import Job, Process
from speedcheck.run.launchers.trainer_launcher import TrainerLauncher
from speedcheck.run.launchers.trainer_process import environment_of, trainer_command


class LocalLauncher(TrainerLauncher):
    """Starts the installed trainer on this machine, a fresh process for each run."""

    def start(self, job: Job) -> Process:
        """Start the run as a process that ends when this one does."""
        command, environment = self._command(job), environment_of(job)
        read, write = os.pipe()
        try:
            child = Child(command, folder=job.folder, environment=environment, stdin=read)
        except LaunchError:
            os.close(write)
            raise
        finally:
            os.close(read)
        # Open as long as somebody follows the run: the system closes it when this process dies.
        weakref.finalize(child, os.close, write)
        return child

    def close(self) -> None:
        """Nothing outlives a run."""

    def _command(self, job: Job) -> tuple[str, ...]:
        return (
            *trainer_command(job, "train", self._data),
            *("--seed", str(job.seed)),
            *("--log-dir", str(job.log.parent)),
            *("--log-name", job.log.name),
        )
