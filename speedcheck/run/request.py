"""What was typed after `speedcheck run`, checked before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from speedcheck.errors import UsageError
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.records.record_files import MAX_FILES
from speedcheck.run.folder_files import today
from speedcheck.stats.sequential import check_maximum

DEFAULT_RECIPE = "sub3"
# What the record of January 2025 showed.
DEFAULT_SEEDS = 32
# With as many files a record is not read any more; a second attempt at each run must fit as well.
MOST_RUNS = MAX_FILES // 2


@dataclass(frozen=True, slots=True)
class Request:
    """What was typed after `speedcheck run`.

    Attributes:
        recipe: recipe of the bundled trainer; None for the default, or on resuming for the
            planned one.
        seeds: number of runs; None for the default, or on resuming for the planned number.
        out: record folder; None for records/DATE_RECIPE.
        resume: continue an existing folder.
        jobs: runs at one time; None for what the machine has room for.
        until_certified: start runs until the anytime-valid test certifies the record.
        max_seeds: largest number of such runs; None for the default, or on resuming for the
            planned one.
        stop_if_futile: stop such a campaign when certification is out of reach.
        gpus_per_run: GPUs of each of several runs side by side; None for one run on all.
        timeout_s: time after which a run is stopped, in seconds; None for the recipe's.
        overrides: what is changed in the recipe.

    Raises:
        UsageError: a number is below 1, or two options contradict each other.
    """

    recipe: str | None = None
    seeds: int | None = None
    out: Path | None = None
    resume: bool = False
    jobs: int | None = None
    until_certified: bool = False
    max_seeds: int | None = None
    stop_if_futile: bool = False
    gpus_per_run: int | None = None
    timeout_s: int | None = None
    overrides: RecipeOverrides = NO_OVERRIDES

    def __post_init__(self) -> None:
        options = {
            "--seeds": self.seeds,
            "--jobs": self.jobs,
            "--gpus-per-run": self.gpus_per_run,
            "--timeout-per-run": self.timeout_s,
            **self.overrides.by_option(),
        }
        for option, value in options.items():
            if value is not None and value < 1:
                raise UsageError(f"{option} is {value}", remedy="give a whole number from 1")
        if self.seeds is not None and self.seeds > MOST_RUNS:
            what = f"--seeds is {self.seeds}, more than a record folder can hold"
            raise UsageError(what, remedy=f"choose at most {MOST_RUNS}")
        if self.max_seeds is not None:
            check_maximum(self.max_seeds, name="--max-seeds")
        if self.is_sequential and self.seeds is not None and not self.resume:
            what = "--seeds fixes the number of runs, and --until-certified leaves it open"
            raise UsageError(what, remedy="give --max-seeds instead of --seeds")
        if self.is_sequential and not (self.until_certified or self.resume):
            raise UsageError(
                "--max-seeds and --stop-if-futile belong to a sequential campaign",
                remedy="add --until-certified",
            )

    @property
    def is_sequential(self) -> bool:
        """Return whether an option asks for a sequential campaign."""
        return self.until_certified or self.max_seeds is not None or self.stop_if_futile

    @property
    def folder(self) -> Path:
        """Return the record folder."""
        return self.out or Path("records") / f"{today()}_{self.recipe or DEFAULT_RECIPE}"
