"""`speedcheck run --script` from request to certificate: a record of a foreign trainer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from speedcheck.certificate import Certificate
from speedcheck.errors import RecordError, UsageError
from speedcheck.records.files import LOGS_NAME
from speedcheck.records.plan import PLAN_NAME, Plan, SampleDeclaration, read_plan, write_plan
from speedcheck.rules.config import load_config
from speedcheck.rules.tracks import DEFAULT_TRACK, get_track
from speedcheck.run.command import (
    DEFAULT_SEEDS,
    make_folder,
    refuse_taken,
    today,
    track_of,
    train,
    write_evidence,
)
from speedcheck.run.program import Start, check_machine, check_script, put_program
from speedcheck.run.script import ScriptLauncher
from speedcheck.run.slots import slots


@dataclass(frozen=True, slots=True)
class ScriptRequest:
    """What was typed after `speedcheck run --script`.

    Attributes:
        script: the script, or the folder of a package; None on resuming.
        arguments: the words that are typed after it.
        start: how it is started.
        beside: the folder whose files it finds beside it; its own unless given.
        track: name of the track; None for the project's default.
        target: loss that the mean must be below; None for the track's.
        alpha: significance level; None for the track's.
        seeds: number of runs; None for the default, or on resuming for the planned number.
        first_seed: the seed of the first run.
        out: record folder; None for records/DATE_SCRIPT.
        resume: continue an existing folder.
        jobs: runs at one time; None for one.
        timeout_s: time after which a run is stopped, in seconds; None for no limit.

    Raises:
        UsageError: a number is below 1.
    """

    script: Path | None = None
    arguments: tuple[str, ...] = ()
    start: Start = field(default_factory=Start)
    beside: Path | None = None
    track: str | None = None
    target: float | None = None
    alpha: float | None = None
    seeds: int | None = None
    first_seed: int = 0
    out: Path | None = None
    resume: bool = False
    jobs: int | None = None
    timeout_s: int | None = None

    def __post_init__(self) -> None:
        numbers = {
            "--seeds": self.seeds,
            "--jobs": self.jobs,
            "--timeout-per-run": self.timeout_s,
        }
        for option, value in numbers.items():
            if value is not None and value < 1:
                raise UsageError(f"{option} is {value}", remedy="give a whole number from 1")

    @property
    def folder(self) -> Path:
        """Return the record folder."""
        return self.out or Path("records") / f"{today()}_{Path(self.script or '').stem}"


def is_script_record(folder: Path) -> bool:
    """Return whether a folder is a record of `speedcheck run --script`.

    Raises:
        InputError: its record.toml cannot be read.
    """
    path = folder / PLAN_NAME
    return path.is_file() and read_plan(path).script is not None


def run_script(request: ScriptRequest, console: Console) -> Certificate:
    """Train the runs of a foreign trainer, judge them, and write README and certificate.

    Raises:
        SpeedcheckError: the request cannot be met; what was finished before stays.
        Interrupted: a signal ended the runs; the ledger says how far they came.
    """
    folder = request.folder
    plan = _existing(folder, request) if request.resume else _create(folder, request)
    if plan.script is None:
        where = str(folder / PLAN_NAME)
        raise RecordError("names no script", where=where, remedy="resume a record of --script")
    launcher = ScriptLauncher(folder, plan.script, track_of(folder, plan))
    setup = launcher.prepare(plan.script.name)
    if request.timeout_s is not None:
        setup = replace(setup, timeout_s=request.timeout_s)
    train(folder, plan, launcher, setup, console, at_once=request.jobs or slots(setup))
    return write_evidence(folder, plan)


def _create(folder: Path, request: ScriptRequest) -> Plan:
    """Make the record folder with the program and the plan in it, before anything is run."""
    script = request.script or Path()
    if not script.is_dir() or request.beside is None:
        check_script(script)
    refuse_taken(folder)
    check_machine(*request.start.processes())
    config = load_config(folder)
    track = get_track(request.track or config.default_track or DEFAULT_TRACK, config.tracks)
    runs = request.seeds or DEFAULT_SEEDS
    make_folder(folder)
    program = put_program(
        script, folder, request.start, arguments=request.arguments, beside=request.beside
    )
    plan = Plan(
        name=folder.resolve().name,
        date=today(),
        track=track.name,
        target=track.target if request.target is None else request.target,
        alpha=track.alpha if request.alpha is None else request.alpha,
        runs=runs,
        seeds=tuple(range(request.first_seed, request.first_seed + runs)),
        script=program,
        sample=SampleDeclaration((f"{LOGS_NAME}/*.txt",)),
    )
    write_plan(folder / PLAN_NAME, plan)
    return plan


def _existing(folder: Path, request: ScriptRequest) -> Plan:
    """Return the plan to continue; a plan does not change once runs have started."""
    plan = read_plan(folder / PLAN_NAME)
    where, remedy = str(folder / PLAN_NAME), "type --resume and --out alone"
    given = (request.script, request.track)
    if any(v is not None for v in given) or request.arguments or request.start != Start():
        raise RecordError("the script and its start were planned", where=where, remedy=remedy)
    planned = len(plan.seeds or ())
    if request.seeds not in (None, planned):
        what = f"{planned} runs were planned, not {request.seeds}"
        raise RecordError(what, where=where, remedy="leave --seeds out, or start another record")
    return plan
