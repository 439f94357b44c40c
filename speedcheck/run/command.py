"""`speedcheck run` from request to certificate: plan, train, judge, write the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from speedcheck.api import judge_folder, verify_folder
from speedcheck.certificate import Certificate
from speedcheck.errors import RecordError, UsageError
from speedcheck.records.files import CERTIFICATE_NAME, LOGS_NAME, README_NAME
from speedcheck.records.folder import read_record
from speedcheck.records.ledger import LEDGER_NAME, LedgerWriter
from speedcheck.records.plan import PLAN_NAME, Plan, SampleDeclaration, read_plan, write_plan
from speedcheck.report.evidence import readme
from speedcheck.report.record import keep_pictures
from speedcheck.rules.rule import Overrides
from speedcheck.rules.tracks import DEFAULT_TRACK, TRACK_OF_RECIPE, get_track
from speedcheck.run.campaign import Campaign
from speedcheck.run.launcher import Launcher, Setup
from speedcheck.run.progress import open_display
from speedcheck.run.slots import slots

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

    Raises:
        UsageError: a number is below 1.
    """

    recipe: str | None = None
    seeds: int | None = None
    out: Path | None = None
    resume: bool = False
    jobs: int | None = None

    def __post_init__(self) -> None:
        for option, value in (("--seeds", self.seeds), ("--jobs", self.jobs)):
            if value is not None and value < 1:
                raise UsageError(f"{option} is {value}", remedy="give a whole number from 1")

    @property
    def folder(self) -> Path:
        """Return the record folder."""
        return self.out or Path("records") / f"{_today()}_{self.recipe or DEFAULT_RECIPE}"


def run_record(request: Request, launcher: Launcher, console: Console) -> Certificate:
    """Train the runs of a record, judge it, and write its README and certificate.

    Raises:
        SpeedcheckError: the request cannot be met; what was finished before stays.
        Interrupted: a signal ended the runs; the ledger says how far they came.
    """
    folder = request.folder
    existing = _existing_plan(folder, request) if request.resume else None
    if existing is None and _is_taken(folder):
        is_folder = folder.is_dir()
        what = "the record folder exists" if is_folder else "is a file"
        remedy = "add --resume or another --out" if is_folder else "choose another --out"
        raise RecordError(what, where=str(folder), remedy=remedy)
    planned_recipe = existing.recipe if existing else request.recipe
    setup = launcher.prepare(planned_recipe or DEFAULT_RECIPE)
    plan = existing or _create(folder, request)
    _train(folder, plan, launcher, setup, console, at_once=request.jobs or slots(setup))
    return _judge(folder, plan)


def _train(
    folder: Path,
    plan: Plan,
    launcher: Launcher,
    setup: Setup,
    console: Console,
    *,
    at_once: int,
) -> None:
    seeds = plan.seeds or ()
    announcement = (
        f"{folder}: {len(seeds)} runs of {setup.steps} steps, {at_once} at a time, "
        f"on {setup.device}"
    )
    console.print(Text(announcement), soft_wrap=True)
    if len(seeds) == 1:
        note = "note: one run never certifies: its losses have no standard deviation"
        console.print(Text(note), soft_wrap=True)
    with (
        LedgerWriter(folder / LEDGER_NAME) as ledger,
        open_display(console, runs=len(seeds), steps=setup.steps, target=_target(plan)) as display,
    ):
        ledger.append_planned(seeds)
        campaign = Campaign(
            folder,
            ledger=ledger,
            setup=setup,
            launcher=launcher,
            observer=display,
            slots=at_once,
        )
        campaign.run(seeds)


def _judge(folder: Path, plan: Plan) -> Certificate:
    """Judge the record and write its README and certificate.

    The README is judged like every other document and so comes first: out of the logs alone, since
    the existing one may be of an earlier state. It is written once more where another
    document makes the judgement a different one.
    """
    command = f"speedcheck run --recipe {plan.recipe} --seeds {plan.runs}"
    record = read_record(folder)
    judgement = judge_folder(folder, Overrides(), with_documents=False)
    pictures = keep_pictures(judgement, folder)
    text, certificate = "", judgement.certificate
    for _ in range(_MOST_JUDGEMENTS):
        new = readme(certificate, record, command, pictures)
        if new == text:
            break
        text = new
        _write(folder / README_NAME, text)
        certificate = verify_folder(folder, Overrides())
    _write(folder / CERTIFICATE_NAME, certificate.to_json())
    return certificate


def _existing_plan(folder: Path, request: Request) -> Plan:
    """Return the plan to continue; a plan does not change once runs have started."""
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
    if request.seeds is not None and request.seeds != len(plan.seeds):
        raise RecordError(
            f"{len(plan.seeds)} runs were planned, not {request.seeds}",
            where=str(path),
            remedy="leave --seeds out, or start another record",
        )
    return plan


def _create(folder: Path, request: Request) -> Plan:
    """Make the record folder and write the plan into it, before anything is run."""
    recipe = request.recipe or DEFAULT_RECIPE
    track = get_track(TRACK_OF_RECIPE.get(recipe, DEFAULT_TRACK))
    runs = request.seeds or DEFAULT_SEEDS
    plan = Plan(
        name=folder.resolve().name,
        date=_today(),
        track=track.name,
        target=track.target,
        alpha=track.alpha,
        runs=runs,
        seeds=tuple(range(runs)),
        recipe=recipe,
        sample=SampleDeclaration((f"{LOGS_NAME}/*.txt",)),
    )
    try:
        (folder / LOGS_NAME).mkdir(parents=True)
    except OSError as error:
        raise RecordError(
            f"cannot be made ({error.strerror})", where=str(folder), remedy="choose another --out"
        ) from error
    write_plan(folder / PLAN_NAME, plan)
    return plan


def _is_taken(folder: Path) -> bool:
    """Return whether something is there; an empty folder is not a record."""
    return folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))


def _target(plan: Plan) -> float:
    return plan.target if plan.target is not None else get_track(plan.track or DEFAULT_TRACK).target


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _write(path: Path, text: str) -> None:
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
