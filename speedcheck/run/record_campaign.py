"""`speedcheck run` from request to certificate: plan, train, judge, write the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from speedcheck.api import judge_folder, verify_folder
from speedcheck.certificate import Certificate
from speedcheck.errors import RecordError, UsageError
from speedcheck.records.ledger import LEDGER_NAME, LedgerWriter
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.records.record_files import CERTIFICATE_NAME, LOGS_NAME, README_NAME
from speedcheck.records.record_folder import read_record
from speedcheck.records.record_toml import PLAN_NAME, Plan, SampleDeclaration, read_plan, write_plan
from speedcheck.report.record_readme import readme
from speedcheck.report.report_files import keep_pictures
from speedcheck.report.wording import printable
from speedcheck.rules.rule import Overrides
from speedcheck.rules.tracks import DEFAULT_TRACK, TRACK_OF_RECIPE, get_track
from speedcheck.run.campaign.campaign import Campaign
from speedcheck.run.campaign.plans import enter_plan, extended_plan, planned_track
from speedcheck.run.campaign.slots import slots
from speedcheck.run.campaign.stopping import UntilCertified, check_sequential_track, stopping_rule
from speedcheck.run.launchers.launcher import Launcher, Setup
from speedcheck.run.launchers.processes import end_processes, mark_of
from speedcheck.run.progress.live_display import open_display
from speedcheck.stats.sequential import SEQUENTIAL_MAXIMUM, check_maximum
from speedcheck.words import count

DEFAULT_RECIPE = "sub3"
# What the record of January 2025 showed.
DEFAULT_SEEDS = 32
_MOST_JUDGEMENTS = 3


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


def run_record(request: Request, launcher: Launcher, console: Console) -> Certificate:
    """Train the runs of a record, judge it, and write its README and certificate.

    Raises:
        SpeedcheckError: the request cannot be met; what was finished before stays.
        Interrupted: a signal ended the runs; the ledger says how far they came.
    """
    folder = request.folder
    existing = _existing_plan(folder, request) if request.resume else None
    if existing is None:
        refuse_taken(folder)
    setup = _prepare(existing, request, launcher)
    if setup.queue and (existing.is_sequential if existing else request.until_certified):
        raise UsageError(
            f"{setup.queue} takes all runs at once, and --until-certified starts one after another",
            remedy="fix the number of runs with --seeds, or run on one node",
        )
    at_once = _at_once(request, setup)
    plan = existing or _create(folder, request)
    rule = stopping_rule(plan, planned_track(folder, plan), stop_if_futile=request.stop_if_futile)
    train(folder, plan, launcher, setup, console, at_once=at_once, stopping=rule)
    return write_evidence(folder, plan)


def _prepare(existing: Plan | None, request: Request, launcher: Launcher) -> Setup:
    """Let the launcher make ready for what is planned, be it now or by an existing folder."""
    recipe = existing.recipe if existing else request.recipe
    overrides = existing.overrides if existing else request.overrides
    gpus_per_run = existing.gpus_per_run if existing else request.gpus_per_run
    setup = launcher.prepare(recipe or DEFAULT_RECIPE, overrides, gpus_per_run)
    return setup if request.timeout_s is None else replace(setup, timeout_s=request.timeout_s)


def _at_once(request: Request, setup: Setup) -> int:
    """Return how many runs train side by side; those on GPUs never share one."""
    room = slots(setup)
    if request.jobs is None or setup.device == "cpu":
        return request.jobs or room
    if request.jobs > room:
        raise UsageError(
            f"--jobs is {request.jobs}, and the GPUs have room for {room} at a time",
            remedy="choose fewer, or give each run fewer GPUs with --gpus-per-run",
        )
    return request.jobs


def train(
    folder: Path,
    plan: Plan,
    launcher: Launcher,
    setup: Setup,
    console: Console,
    *,
    at_once: int,
    stopping: UntilCertified | None,
) -> None:
    """Train the planned seeds that have no result yet.

    Raises:
        SpeedcheckError: a run cannot be started, or the ledger not be written.
        Interrupted: a signal ended the runs; the ledger says how far they came.
    """
    seeds = plan.seeds or ()
    track = planned_track(folder, plan)
    for line in _announcement(folder, plan, setup, at_once):
        _say(console, line)
    with (
        LedgerWriter(folder / LEDGER_NAME) as ledger,
        open_display(
            console,
            runs=len(seeds),
            steps=setup.steps,
            target=track.target if plan.target is None else plan.target,
            logs=folder / LOGS_NAME,
            evidence=stopping.line if stopping else None,
        ) as display,
    ):
        if not setup.queue:  # whose runs are not orphans
            _end_orphans(folder, console)
        enter_plan(folder, plan, ledger)
        if ledger.ledger.looks() and not stopping:
            _say(console, "note: runs are added after one had finished: the gate rejects that")
        campaign = Campaign(
            folder,
            ledger=ledger,
            setup=setup,
            launcher=launcher,
            observer=display,
            slots=at_once,
            track=track,
            stopping=stopping,
        )
        campaign.run(seeds)
    if stopping:
        _say(console, f"stopped: {stopping.reason or f'all {len(seeds)} runs are made'}")


def _say(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)


def _announcement(folder: Path, plan: Plan, setup: Setup, at_once: int) -> Iterator[str]:
    runs = count(len(plan.seeds or ()), "run")
    runs = f"at most {runs}" if plan.is_sequential else runs
    steps = "" if setup.steps is None else f" of {setup.steps} steps"
    order = f"in {setup.queue}" if setup.queue else f"{at_once} at a time"
    yield f"{folder}: {runs}{steps}, {order}, on {setup.device}"
    if len(plan.seeds or ()) == 1:
        yield "note: one run never certifies: its losses have no standard deviation"
    if plan.script is not None and not plan.script.is_seeded:
        yield (
            f"note: {plan.script.name} gets no seed; the numbers of the seeds only name the runs "
            "(--seed-env or --seed-arg gives it one)"
        )


def _end_orphans(folder: Path, console: Console) -> None:
    """End what a launcher that was killed has left behind: the ledger's lock says it is gone."""
    for process in end_processes(mark_of(folder)):
        text = f"ended process {process.pid}, left by an earlier launcher: {process.command}"
        console.print(Text(printable(text)), soft_wrap=True)


def write_evidence(folder: Path, plan: Plan) -> Certificate:
    """Judge the record and write its README and certificate.

    The README is judged like every other document and so comes first: out of the logs alone, since
    the existing one may be of an earlier state. It is written once more where another
    document makes the judgement a different one.
    """
    command = command_of(plan)
    record = read_record(folder, Overrides().parser_for)
    judgement = judge_folder(folder, Overrides(), with_documents=False)
    pictures = keep_pictures(judgement, folder)
    text, certificate = "", judgement.certificate
    for _ in range(_MOST_JUDGEMENTS):
        new = readme(certificate, record, command, pictures)
        if new == text:
            break
        text = new
        write_whole(folder / README_NAME, text)
        certificate = verify_folder(folder, Overrides())
    write_whole(folder / CERTIFICATE_NAME, certificate.to_json())
    return certificate


def _existing_plan(folder: Path, request: Request) -> Plan:
    """Return the plan to continue, with more seeds where they are asked for."""
    path = folder / PLAN_NAME
    if not path.is_file():
        raise RecordError(
            f"there is no {PLAN_NAME} to resume",
            where=str(folder),
            remedy="leave --resume out, or name the record with --out",
        )
    plan = read_plan(path)
    if plan.recipe is None or not plan.seeds:
        raise RecordError(
            "names no recipe and seeds", where=str(path), remedy="resume a folder of speedcheck run"
        )
    if request.recipe not in (None, plan.recipe):
        raise RecordError(
            f"the recipe {plan.recipe} was planned, not {request.recipe}",
            where=str(path),
            remedy="leave --recipe out, or start another record",
        )
    if request.overrides not in (NO_OVERRIDES, plan.overrides):
        raise RecordError(
            f"the plan has {_shown(plan.overrides)}, not {_shown(request.overrides)}",
            where=str(path),
            remedy="leave the recipe's options out, or start another record",
        )
    if request.gpus_per_run not in (None, plan.gpus_per_run):
        raise RecordError(
            f"{plan.gpus_per_run or 'all'} GPUs a run were planned, not {request.gpus_per_run}",
            where=str(path),
            remedy="leave --gpus-per-run out, or start another record",
        )
    if request.is_sequential and not plan.is_sequential:
        raise RecordError(
            f"{len(plan.seeds)} runs were planned, whatever their losses are",
            where=str(path),
            remedy="leave the options of --until-certified out, or start another record",
        )
    if plan.is_sequential and request.seeds is not None:
        raise RecordError(
            f"at most {len(plan.seeds)} runs were planned, until the record is certified",
            where=str(path),
            remedy="give --max-seeds instead of --seeds",
        )
    return extended_plan(path, plan, request.max_seeds or request.seeds)


def _create(folder: Path, request: Request) -> Plan:
    """Make the record folder and write the plan into it, before anything is run."""
    recipe = request.recipe or DEFAULT_RECIPE
    track = get_track(TRACK_OF_RECIPE.get(recipe, DEFAULT_TRACK))
    if request.until_certified:
        check_sequential_track(track)
        runs = request.max_seeds or SEQUENTIAL_MAXIMUM
    else:
        runs = request.seeds or DEFAULT_SEEDS
    # A changed recipe enters no track, unless somebody writes one into the plan.
    is_changed = request.overrides != NO_OVERRIDES
    plan = Plan(
        name=folder.resolve().name,
        date=today(),
        track=None if is_changed else track.name,
        target=track.target,
        alpha=track.alpha,
        runs=runs,
        seeds=tuple(range(runs)),
        recipe=recipe,
        overrides=request.overrides,
        gpus_per_run=request.gpus_per_run,
        stopping_rule="sequential" if request.until_certified else "fixed",
        sample=SampleDeclaration((f"{LOGS_NAME}/*.txt",)),
    )
    make_folder(folder)
    write_plan(folder / PLAN_NAME, plan)
    return plan


def make_folder(folder: Path) -> None:
    """Make a record folder and its folder of logs.

    Raises:
        RecordError: it cannot be made.
    """
    try:
        (folder / LOGS_NAME).mkdir(parents=True)
    except OSError as error:
        raise RecordError(
            f"cannot be made ({error.strerror})", where=str(folder), remedy="choose another --out"
        ) from error


def command_of(plan: Plan) -> str:
    """Return the command line that makes the same record."""
    option = ("--until-certified", "--max-seeds") if plan.is_sequential else ("--seeds",)
    runs = (*option, str(plan.runs))
    if plan.script is not None:
        return plan.script.command(runs)
    gpus = () if plan.gpus_per_run is None else ("--gpus-per-run", str(plan.gpus_per_run))
    words = ("--recipe", str(plan.recipe), *runs)
    return " ".join(("speedcheck run", *words, *plan.overrides.options(), *gpus))


def _shown(overrides: RecipeOverrides) -> str:
    return " ".join(overrides.options()) or "no change"


def refuse_taken(folder: Path) -> None:
    """Refuse a folder that holds anything; an empty one is not a record.

    Raises:
        RecordError: something is there.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    is_folder = folder.is_dir()
    what = "the folder exists" if is_folder else "is a file"
    remedy = "add --resume or another --out" if is_folder else "choose another --out"
    raise RecordError(what, where=str(folder), remedy=remedy)


def today() -> str:
    """Return the date as record.toml has it."""
    return datetime.now(UTC).date().isoformat()


def write_whole(path: Path, text: str) -> None:
    """Write a whole file or none: the old content stays if the disk is full."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RecordError(
            f"cannot write ({error.strerror}); the logs and the ledger are kept",
            where=str(path),
            remedy="free some space, then add --resume",
        ) from error
