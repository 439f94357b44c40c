"""`speedcheck run --script` from request to certificate: a record of a foreign trainer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from speedcheck.certificate import Certificate
from speedcheck.errors import RecordError
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.record_toml import (
    PLAN_NAME,
    Plan,
    SampleDeclaration,
    read_plan,
    replace_plan,
)
from speedcheck.report.wording import printable
from speedcheck.rules.config import load_config
from speedcheck.rules.tracks import DEFAULT_TRACK, get_track
from speedcheck.run.campaign.plans import planned_track
from speedcheck.run.campaign.slots import slots
from speedcheck.run.campaign.stopping import check_sequential_track, stopping_rule
from speedcheck.run.folder_files import make_folder, today
from speedcheck.run.new_folder import new_folder, refuse_begun
from speedcheck.run.record_evidence import write_evidence
from speedcheck.run.request import DEFAULT_SEEDS, Request
from speedcheck.run.resumption import grown_plan, plan_to_resume
from speedcheck.run.scripts.foreign_program import (
    Start,
    check_machine,
    check_script,
    is_changed,
    put_program,
)
from speedcheck.run.scripts.script_launcher import ScriptLauncher
from speedcheck.run.training import train
from speedcheck.stats.sequential import SEQUENTIAL_MAXIMUM


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
        until_certified: run one seed after another until the record is certified.
        max_seeds: largest number of these; None for the default.
        stop_if_futile: end before, where certification has become unlikely.

    Raises:
        UsageError: a number is below 1, or two options contradict each other.
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
    until_certified: bool = False
    max_seeds: int | None = None
    stop_if_futile: bool = False

    def __post_init__(self) -> None:
        # What it has in common with a campaign of a recipe is refused in the same words.
        self.as_request()

    def as_request(self) -> Request:
        """Return what it has in common with a campaign of a recipe."""
        return Request(
            seeds=self.seeds,
            out=self.folder,
            resume=self.resume,
            jobs=self.jobs,
            timeout_s=self.timeout_s,
            until_certified=self.until_certified,
            max_seeds=self.max_seeds,
            stop_if_futile=self.stop_if_futile,
        )

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
    plan = _existing(request) if request.resume else _create(folder, request)
    if plan.script is None:
        where = str(folder / PLAN_NAME)
        raise RecordError("names no script", where=where, remedy="resume a record of --script")
    track = planned_track(folder, plan)
    launcher = ScriptLauncher(folder, plan.script, track)
    setup = launcher.prepare(plan.script.name)
    if request.timeout_s is not None:
        setup = replace(setup, timeout_s=request.timeout_s)
    if request.resume and is_changed(folder, plan.script):
        text = (
            f"note: {plan.script.name} was changed since; the record runs its copy, "
            f"{folder / plan.script.file}, and another program needs another record"
        )
        console.print(Text(printable(text)), soft_wrap=True)
    rule = stopping_rule(plan, track, stop_if_futile=request.stop_if_futile)
    at_once = request.jobs or slots(setup)
    train(folder, plan, launcher, setup, console, at_once=at_once, stopping=rule)
    return write_evidence(folder, plan, console)


def _create(folder: Path, request: ScriptRequest) -> Plan:
    """Make the record folder with the program and the plan in it, before anything is run."""
    script = request.script or Path()
    if not script.is_dir() or request.beside is None:
        check_script(script)
    refuse_begun(folder, PLAN_NAME)
    check_machine(*request.start.processes())
    config = load_config(folder)
    track = get_track(request.track or config.default_track or DEFAULT_TRACK, config.tracks)
    if request.until_certified:
        check_sequential_track(track)
    runs = _planned_runs(request)
    with new_folder(folder, PLAN_NAME):
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
            stopping_rule="sequential" if request.until_certified else "fixed",
            sample=SampleDeclaration((f"{LOGS_NAME}/*.txt",)),
        )
        replace_plan(folder / PLAN_NAME, plan)
    return plan


def _planned_runs(request: ScriptRequest) -> int:
    """Return the number of runs that a new record plans."""
    if request.until_certified:
        return request.max_seeds or SEQUENTIAL_MAXIMUM
    return request.seeds or DEFAULT_SEEDS


def _existing(request: ScriptRequest) -> Plan:
    """Return the plan to continue; but for the number of runs it does not change."""
    plan = plan_to_resume(request.folder)
    planned = {
        "--script": request.script,
        "an argument": request.arguments or None,
        "--track": request.track,
        **request.start.by_option(),
    }
    given = [option for option, value in planned.items() if value is not None]
    if given:
        what = f"{given[0]} cannot change when a record is resumed"
        where = str(request.folder / PLAN_NAME)
        raise RecordError(what, where=where, remedy="leave it out, or start another record")
    return grown_plan(plan, request.as_request())
