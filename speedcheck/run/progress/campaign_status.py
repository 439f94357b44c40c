"""How far the campaign of a record folder has come, read from its files alone."""

from __future__ import annotations

import fcntl
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from speedcheck.errors import RecordError
from speedcheck.logs import Run, StepLine, read_log
from speedcheck.records.ledger import LEDGER_NAME, Entry, Event, Ledger, parse_ledger
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.record_toml import PLAN_NAME, Plan, read_plan
from speedcheck.rules.config import load_config
from speedcheck.rules.rule import Overrides, named_track
from speedcheck.rules.tracks import DEFAULT_TRACK, Track, get_track
from speedcheck.run.campaign.follow import LogFollower
from speedcheck.run.campaign.stopping import UntilCertified, stopping_rule
from speedcheck.run.progress.outlook import Curve, loss_of, seconds_left, step_ms
from speedcheck.stats import one_sample_t

Launcher = Literal["running", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A run that has started and not ended.

    Attributes:
        seed: of the run.
        log: name of its log.
        step: updates done; None while the log has no step line.
        steps: updates of the whole run.
        step_ms: timed milliseconds a step so far.
        loss: the newest, nats per token.
        difference: `loss` minus the mean of the finished runs at the same step.
        seconds: since it started.
    """

    seed: int
    log: str
    step: int | None = None
    steps: int | None = None
    step_ms: float | None = None
    loss: float | None = None
    difference: float | None = None
    seconds: float = 0.0

    @property
    def fraction(self) -> float:
        """Return how much of its steps it has done, from 0 to 1."""
        return min(1.0, self.step / self.steps) if self.step and self.steps else 0.0


@dataclass(frozen=True, slots=True)
class Status:
    """What the folder says.

    Attributes:
        folder: the record folder.
        recipe: name of the recipe; None for a trainer of its own.
        planned: number of runs in the ledger.
        finished: runs with a result.
        failed: runs that ended without one.
        abandoned: runs that were stopped with their campaign.
        waiting: runs that have not started; none where the stopping rule is met.
        under_way: runs that have started and not ended.
        launcher: whether a process holds the folder; "unknown" where its file system does not say.
        mean: mean loss of the finished runs, nats per token; None where one has diverged.
        sd: its standard deviation over runs.
        target: loss that the mean must be below; None where neither plan nor track says.
        seconds_left: until all have ended, as long as nothing fails.
        evidence: what a sequential campaign has shown, and why it starts no further run; "" where
            the number of runs is fixed.
        missing: names of the logs of finished runs that are gone; their losses are in no figure.
    """

    folder: str
    recipe: str | None
    planned: int
    finished: int
    failed: int
    abandoned: int
    waiting: int
    under_way: tuple[UnderWay, ...]
    launcher: Launcher
    mean: float | None
    sd: float | None
    target: float | None
    seconds_left: float | None
    evidence: str = ""
    missing: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Return whether nothing goes on and nothing will."""
        return self.launcher == "gone" or not (self.under_way or self.waiting)


def read_status(folder: Path, now: datetime | None = None) -> Status:
    """Read a record folder; nothing in it changes.

    Args:
        folder: of the record.
        now: the time to reckon with; that of this machine unless given.

    Raises:
        RecordError: it is not the folder of a campaign.
        InputError: record.toml cannot be read.
    """
    ledger_path, plan_path = folder / LEDGER_NAME, folder / PLAN_NAME
    if not ledger_path.is_file() or not plan_path.is_file():
        raise RecordError(
            "there is no campaign here",
            where=str(folder),
            remedy="name the record folder of a `speedcheck run`",
        )
    entries = parse_ledger(ledger_path.read_bytes()).entries
    return _status(
        folder, read_plan(plan_path), entries, _launcher(ledger_path), now or datetime.now(UTC)
    )


def _status(
    folder: Path, plan: Plan, entries: tuple[Entry, ...], launcher: Launcher, now: datetime
) -> Status:
    latest = Ledger(entries, ()).latest()
    ended = _with(latest.values(), "finished")
    logs = _Logs(folder / LOGS_NAME, plan, _track(folder, plan))
    curve, losses = Curve(), []
    for entry in ended:
        curve.add(logs.lines(entry))
        losses += [_loss(run) for run in logs.runs(entry) if run.val_loss is not None]
    under_way = tuple(
        _under_way(entry, logs.lines(entry), curve, now)
        for entry in _with(latest.values(), "started")
    )
    rule = _stopping(plan, logs, ended)
    waiting = 0 if rule and rule.is_met else len(_with(latest.values(), "planned"))
    test = one_sample_t(losses, 0.0)
    return Status(
        folder=str(folder),
        recipe=plan.recipe,
        planned=len(latest),
        finished=len(ended),
        failed=len(_with(latest.values(), "failed")),
        abandoned=len(_with(latest.values(), "abandoned")),
        waiting=waiting,
        under_way=under_way,
        launcher=launcher,
        mean=_finite(test.mean),
        sd=_finite(test.std),
        target=_target(folder, plan),
        missing=tuple(entry.log or "" for entry in ended if not logs.path(entry).is_file()),
        seconds_left=_seconds_left(_run_seconds(entries, under_way), under_way, waiting),
        evidence="" if rule is None else ": ".join(filter(None, (rule.reason, rule.line()))),
    )


class _Logs:
    """The logs of a campaign, read as its trainer writes them.

    Args:
        folder: that holds them.
        plan: of the campaign.
        track: says how they are read.
    """

    def __init__(self, folder: Path, plan: Plan, track: Track) -> None:
        self._folder = folder
        self._has_program = plan.script is None
        self.track = track

    def path(self, entry: Entry) -> Path:
        """Return the log of an entry."""
        return self._folder / (entry.log or "")

    def lines(self, entry: Entry) -> list[StepLine]:
        """Return the step lines that the log has so far."""
        return LogFollower(self.path(entry), has_program=self._has_program).new()

    def runs(self, entry: Entry) -> tuple[Run, ...]:
        """Return the runs of a log that has ended."""
        path = self.path(entry)
        return read_log(path, path.parent, self.track.parser()).runs if path.is_file() else ()


def _track(folder: Path, plan: Plan) -> Track:
    named = named_track(folder, plan, Overrides(), load_config(folder, None))
    return named or get_track(DEFAULT_TRACK)


def _stopping(plan: Plan, logs: _Logs, ended: Iterable[Entry]) -> UntilCertified | None:
    """Return the stopping rule of a sequential campaign with its finished runs."""
    rule = stopping_rule(plan, logs.track)
    if rule is not None:
        for entry in ended:
            for run in logs.runs(entry):
                rule.finished(entry.seed, run)
    return rule


def _loss(run: Run) -> float:
    return math.nan if run.diverged or run.val_loss is None else run.val_loss


def _finite(value: float | None) -> float | None:
    """Return a figure that JSON can hold; a diverged run leaves none."""
    return value if value is not None and math.isfinite(value) else None


def _with(entries: Iterable[Entry], event: Event) -> list[Entry]:
    return [entry for entry in entries if entry.event == event]


def _under_way(entry: Entry, lines: list[StepLine], curve: Curve, now: datetime) -> UnderWay:
    run = UnderWay(entry.seed, entry.log or "", seconds=_seconds_between(entry.utc, now))
    return _with_line(run, lines[-1], curve) if lines else run


def _with_line(run: UnderWay, line: StepLine, curve: Curve) -> UnderWay:
    return UnderWay(
        seed=run.seed,
        log=run.log,
        step=line.step,
        steps=line.total,
        step_ms=step_ms(line),
        loss=_finite(loss_of(line)),
        difference=_finite(curve.difference(line)),
        seconds=run.seconds,
    )


def _run_seconds(entries: tuple[Entry, ...], under_way: tuple[UnderWay, ...]) -> float | None:
    """Return what a run takes: what finished ones took, else what those under way will."""
    started: dict[int, str] = {}
    taken = []
    for entry in entries:
        if entry.event == "started":
            started[entry.seed] = entry.utc
        elif entry.event == "finished" and entry.seed in started:
            taken.append(_seconds_between(started[entry.seed], _moment(entry.utc)))
    if taken:
        return sum(taken) / len(taken)
    return max((run.seconds / run.fraction for run in under_way if run.fraction), default=None)


def _seconds_left(
    run_seconds: float | None, under_way: tuple[UnderWay, ...], waiting: int
) -> float | None:
    if run_seconds is None or not (under_way or waiting):
        return None
    fractions = [run.fraction for run in under_way]
    return seconds_left(run_seconds, fractions, waiting=waiting, slots=max(1, len(under_way)))


def _seconds_between(begin: str, end: datetime | None) -> float:
    """Return the time since a moment of the ledger; 0 where it is not known.

    Never below 0: the clock of a machine may be set back.
    """
    first = _moment(begin)
    return 0.0 if first is None or end is None else max(0.0, (end - first).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _target(folder: Path, plan: Plan) -> float | None:
    if plan.target is not None:
        return plan.target
    track = named_track(folder, plan, Overrides(), load_config(folder, None))
    return track.target if track else None


def _launcher(ledger: Path) -> Launcher:
    """Return whether some process holds the ledger's lock."""
    try:
        with ledger.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return "running"
    except OSError:
        return "unknown"
    return "gone"
