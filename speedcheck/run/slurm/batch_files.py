"""What the login node and the tasks tell each other, as files in the record folder.

A task and its launcher share nothing but the folder, and neither must wait for the other:

- `BATCH.json` is written before the array is submitted: which runs each task has.
- `BATCH_3.here` says that task 3 runs and sees the folder; it holds the name of its node.
- `LOG.started` is written before a run starts, with the job and its nodes. It is what an
  interrupted attempt leaves.
- `LOG.ended` holds the exit status and the last lines of a run whose trainer has ended by itself.

The log of an attempt that Slurm interrupts stays as it is: when the task runs again, its run goes
to the first attempt that has no `LOG.started`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from speedcheck.errors import RecordError
from speedcheck.records.ledger import LEDGER_NAME, Ledger, parse_ledger
from speedcheck.records.log_names import next_log
from speedcheck.records.overrides import RecipeOverrides
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.run.launchers.launcher import Job

FOLDER_NAME = ".slurm"
STARTED, ENDED = ".started", ".ended"
MAX_ATTEMPTS = 5
"""A run that Slurm has interrupted so often will not come to its end on this partition."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The runs of one job array.

    Attributes:
        folder: the record folder.
        name: the array's name in Slurm, which no other array has.
        tasks: the runs of each task, in the order in which it trains them.
        data_dir: where the trainer keeps its data; None for the trainer's own choice.
        isolate: whether each run gets a fresh process.
        max_attempts: attempts at a run that Slurm may interrupt; then the run has failed.
    """

    folder: Path
    name: str
    tasks: tuple[tuple[Job, ...], ...]
    data_dir: Path | None = None
    isolate: bool = False
    max_attempts: int = MAX_ATTEMPTS

    @property
    def path(self) -> Path:
        """Return the file that tells the tasks about their runs."""
        return self.folder / FOLDER_NAME / f"{self.name}.json"

    def here(self, task: int) -> Path:
        """Return the file by which a task shows that it sees the folder."""
        return self.path.with_name(f"{self.name}_{task}.here")

    def output(self, task: str) -> Path:
        """Return the file that takes what a task prints."""
        return self.path.with_name(f"{self.name}_{task}.out")

    def ended_before(self, task: int, log: Path) -> bool:
        """Return whether the task, which is over, began other runs and never that of `log`."""
        began = [job for job in self.tasks[task] if marker(job.log, STARTED).exists()]
        return bool(began) and not marker(log, STARTED).exists()

    def write(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            RecordError: it cannot be written.
        """
        raw = {
            "data_dir": str(self.data_dir) if self.data_dir else None,
            "isolate": self.isolate,
            "max_attempts": self.max_attempts,
            "tasks": [[_raw(job) for job in task] for task in self.tasks],
        }
        try:
            self.path.parent.mkdir(exist_ok=True)
            # The folder is scaffolding, not evidence.
            (self.path.parent / ".gitignore").write_text("*\n")
            write_whole(self.path, json.dumps(raw, indent=1))
        except OSError as error:
            raise RecordError(
                f"cannot write ({error.strerror})",
                where=str(self.path),
                remedy="free some space, then add --resume",
            ) from error


def read_batch(path: Path) -> Batch:
    """Read the file of a batch.

    Raises:
        RecordError: it cannot be read.
    """
    folder = path.absolute().parent.parent
    try:
        raw = json.loads(path.read_text())
        tasks = tuple(tuple(_job(folder, job) for job in task) for task in raw["tasks"])
        data_dir = None if raw["data_dir"] is None else Path(raw["data_dir"])
        return Batch(
            folder,
            path.stem,
            tasks,
            data_dir,
            isolate=bool(raw["isolate"]),
            max_attempts=int(raw.get("max_attempts", MAX_ATTEMPTS)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"cannot be read ({error})", where=str(path), remedy="resume the record"
        ) from error


def read_batches(folder: Path) -> Iterator[Batch]:
    """Yield the batches of a record folder."""
    for path in sorted((folder / FOLDER_NAME).glob("*.json")):
        yield read_batch(path)


def refuse_unsettled(folder: Path) -> None:
    """Refuse to train a record on this machine whose ledger left runs in Slurm's hands.

    Raises:
        RecordError: a run was handed to Slurm, and the ledger does not know how it ended.
    """
    planned = {job.log for batch in read_batches(folder) for task in batch.tasks for job in task}
    if not planned:
        return
    for seed, entry in _ledger(folder).latest().items():
        log = folder.absolute() / "logs" / (entry.log or "")
        if entry.event == "started" and (log in planned or marker(log, STARTED).exists()):
            raise RecordError(
                f"seed {seed} was handed to Slurm and may still train there",
                where=str(folder),
                remedy="add --launcher slurm, which takes it over or starts it again",
            )


@dataclass(frozen=True, slots=True)
class End:
    """How a run's trainer ended.

    Attributes:
        status: its exit status.
        last_lines: the last lines that it printed.
        wrote_log: whether it made its log itself.
    """

    status: int
    last_lines: str
    wrote_log: bool = True


def marker(log: Path, kind: str) -> Path:
    """Return the file that says of a log's run that it has started or ended."""
    return log.parent.parent / FOLDER_NAME / f"{log.name}{kind}"


def read_end(log: Path) -> End | None:
    """Return how the run of `log` ended; None while that is not known."""
    try:
        raw = json.loads(marker(log, ENDED).read_text())
        status, last_lines = int(raw["status"]), str(raw["last_lines"])
        return End(status, last_lines, bool(raw.get("wrote_log", True)))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_end(log: Path, end: End) -> None:
    """Write down how the run of `log` ended.

    Raises:
        OSError: the file cannot be written.
    """
    write_whole(marker(log, ENDED), json.dumps(asdict(end)))


def write_start(log: Path, facts: Mapping[str, str]) -> None:
    """Write down that the run of `log` starts.

    Args:
        log: its log.
        facts: what the ledger is to say of the place.

    Raises:
        OSError: the file cannot be written.
    """
    write_whole(marker(log, STARTED), json.dumps(dict(facts)))


def read_start(log: Path) -> dict[str, str]:
    """Return what was written down when the run of `log` started; empty where it was not."""
    try:
        raw = json.loads(marker(log, STARTED).read_text())
        return {str(name): str(fact) for name, fact in raw.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def begun_by_tasks(folder: Path, known: Iterable[str]) -> set[str]:
    """Return the logs that tasks began by themselves, after attempts that the ledger knows.

    Args:
        folder: the record folder.
        known: names of the logs that its ledger knows.
    """
    found = set()
    for name in known:
        log = next_log(folder / LOGS_NAME / name)
        while marker(log, STARTED).exists():
            found.add(log.name)
            log = next_log(log)
    return found


@dataclass(frozen=True, slots=True)
class Attempt:
    """The next attempt at a run.

    Attributes:
        log: its log.
        interrupted: number of the earlier attempts, none of which came to its end.
    """

    log: Path
    interrupted: int


def attempt_to_make(log: Path) -> Attempt | None:
    """Return the next attempt at a run; None where an attempt came to its end."""
    interrupted = 0
    while marker(log, STARTED).exists():
        if marker(log, ENDED).exists():
            return None
        log, interrupted = next_log(log), interrupted + 1
    return Attempt(log, interrupted)


def write_whole(path: Path, text: str) -> None:
    """Write a file that nobody sees half written.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(text)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _ledger(folder: Path) -> Ledger:
    try:
        return parse_ledger((folder / LEDGER_NAME).read_bytes())
    except OSError:  # which the launcher is going to complain of
        return Ledger((), ())


def _raw(job: Job) -> dict[str, Any]:
    changes = job.overrides.given()
    return {"recipe": job.recipe, "overrides": changes, "seed": job.seed, "log": job.log.name}


def _job(folder: Path, raw: dict[str, Any]) -> Job:
    return Job(
        recipe=str(raw["recipe"]),
        seed=int(raw["seed"]),
        log=folder / "logs" / str(raw["log"]),
        ranks=0,  # which the node knows
        threads=0,
        overrides=RecipeOverrides(**raw["overrides"]),
    )
