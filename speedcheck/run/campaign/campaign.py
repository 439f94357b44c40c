"""A campaign: all planned seeds of one record, several at a time, each step in the ledger."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from speedcheck.errors import LaunchError, RecordError
from speedcheck.logs import Run
from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.records.log_names import log_name
from speedcheck.records.shared_ledger import FolderLedger
from speedcheck.rules.tracks import Track
from speedcheck.run.campaign.follow import LogFollower
from speedcheck.run.campaign.interruption import Interrupted, signals_noted
from speedcheck.run.campaign.known_logs import refuse_changed
from speedcheck.run.campaign.observer import Observer
from speedcheck.run.campaign.run_result import (
    End,
    clock_details,
    remark_on,
    result_of,
    why_no_result,
)
from speedcheck.run.campaign.stopping import FixedNumber, Stopping
from speedcheck.run.launchers.launcher import Ended, Job, Launcher, Process, Setup

# Often enough for a live display, seldom enough to cost nothing.
POLL_SECONDS = 0.1


@dataclass(slots=True)
class _Active:
    process: Process
    job: Job
    follower: LogFollower
    since: float
    end: End = field(default_factory=End)
    is_announced: bool = False


class Campaign:
    """Runs the seeds that the ledger does not know as finished.

    Args:
        folder: the record folder; its `logs/` exists.
        ledger: the ledger, open and locked; or the folder's part of one that it shares.
        setup: what the trainer said of the recipe.
        launcher: starts the runs; closed at the end.
        observer: hears of everything.
        slots: how many runs train side by side.
        track: the track, which says how logs are read.
        stopping: says when no further seed is started; never unless given.
    """

    def __init__(  # noqa: PLR0913 - the parts of a campaign
        self,
        folder: Path,
        *,
        ledger: LedgerWriter | FolderLedger,
        setup: Setup,
        launcher: Launcher,
        observer: Observer,
        slots: int,
        track: Track,
        stopping: Stopping | None = None,
    ) -> None:
        self._stopping = stopping or FixedNumber()
        self._logs = folder / "logs"
        self._ledger = ledger
        self._setup = setup
        self._launcher = launcher
        self._observer = observer
        self._slots = slots
        self._track = track
        self._active: list[_Active] = []
        self._waiting: deque[int] = deque()

    def run(self, seeds: tuple[int, ...]) -> None:
        """Train every seed that has no result yet; return when all have ended.

        Raises:
            Interrupted: SIGINT, SIGTERM or SIGHUP came; the runs under way are abandoned.
            RecordError: the ledger cannot be written, or a log is where a run is to write its own,
                and the runs under way are stopped; or a finished log is gone or was changed.
            LaunchError: the trainer cannot be started, or what it writes is not the log of a run.
        """
        self._settle_left_open(seeds)
        finished = self._finished_before(seeds)
        for seed, run in finished.items():
            self._stopping.finished(seed, run)
        if finished:
            self._observer.kept(finished)
        known = {*finished, *self._waiting, *(active.job.seed for active in self._active)}
        self._waiting.extend(seed for seed in seeds if seed not in known)
        with signals_noted() as noted:
            try:
                while (self._waiting or self._active) and not noted:
                    if self._stopping.is_met:
                        # What was begun is brought to its end, even in a later session.
                        self._waiting = deque(filter(self._ledger.ledger.attempts, self._waiting))
                    while self._waiting and len(self._active) < self._slots:
                        self._start(self._waiting.popleft())
                    self._watch()
                    if self._active:
                        time.sleep(POLL_SECONDS)
            finally:
                self._abandon_active()
                self._launcher.close()
            if noted:
                raise Interrupted(noted[0])

    def _finished_before(self, seeds: tuple[int, ...]) -> dict[int, Run]:
        """Return the runs that need not be repeated, by seed.

        Raises:
            RecordError: a log that the ledger saw finish is gone, was changed, or has no result.
        """
        latest = self._ledger.ledger.latest()
        finished = {}
        for seed in seeds:
            entry = latest[seed]
            if entry.event != "finished" or entry.log is None:
                continue
            log = self._logs / entry.log
            refuse_changed(log, seed, entry.log_sha256)
            # A log that does not state its number of steps was complete by the exit status.
            run = result_of(log, self._track, End(0))
            if run is None:
                raise RecordError(
                    f"the ledger says that seed {seed} finished, and its log holds no result",
                    where=str(log),
                    remedy="restore the log, or start another record",
                )
            finished[seed] = run
        return finished

    def _settle_left_open(self, seeds: tuple[int, ...]) -> None:
        """Close the ledger's account of runs whose launcher died without a word."""
        latest = self._ledger.ledger.latest()
        for seed in seeds:
            entry = latest.get(seed)
            if entry is None or entry.event != "started" or entry.log is None:
                continue
            log = self._logs / entry.log
            run = result_of(log, self._track)
            if run is not None:
                reason = remark_on(run, End()) or "found finished on --resume"
                self._ledger.append("finished", seed, log=log, reason=reason)
            elif not self._take_over(self._job(seed, log)):
                self._ledger.append("abandoned", seed, log=log, reason="the launcher was gone")
        # What has ended without a result in the meantime is tried again, like what failed before.
        self._watch()

    def _take_over(self, job: Job) -> bool:
        """Follow a run of an earlier session; return whether there is one to follow."""
        process = self._launcher.take_over(job)
        if process is None:
            return False
        self._follow(process, job)
        return True

    def _start(self, seed: int) -> None:
        log = self._logs / log_name(seed, self._ledger.ledger.attempts(seed))
        # What a queue trains, its tasks may have begun before this session.
        if log.exists() and not self._setup.queue:
            what, remedy = "is there before its run has started", "move it away, then add --resume"
            raise RecordError(what, where=str(log), remedy=remedy)
        job = self._job(seed, log)
        details = {**self._launcher.details(job), **_shared(job)}
        self._ledger.append("started", seed, log=job.log, details=details)
        try:
            process = self._launcher.start(job)
        except LaunchError as error:
            self._ledger.append("failed", seed, log=job.log, reason=str(error))
            raise
        self._follow(process, job)

    def _follow(self, process: Process, job: Job) -> None:
        follower = LogFollower(job.log, has_program=self._setup.steps is not None)
        active = _Active(process, job, follower, time.monotonic())
        self._active.append(active)
        if not self._setup.queue:
            self._announce(active)

    def _announce(self, active: _Active) -> None:
        if not active.is_announced:
            active.is_announced = True
            self._observer.started(active.job.seed, active.job.log)

    def _job(self, seed: int, log: Path) -> Job:
        """Return the seed's run in the first free slot, on the GPUs of that slot."""
        setup, taken = self._setup, {active.job.slot for active in self._active}
        slot = next(slot for slot in range(self._slots) if slot not in taken)
        share = setup.gpus_per_run or 0
        return Job(
            recipe=setup.recipe,
            seed=seed,
            log=log,
            ranks=setup.ranks,
            threads=setup.threads,
            overrides=setup.overrides,
            slot=slot,
            gpus=tuple(range(slot * share, (slot + 1) * share)),
            side_by_side=self._slots if share else 1,
        )

    def _watch(self) -> None:
        for active in tuple(self._active):
            status = self._poll(active)
            # A queue starts runs when it likes.
            if status is not None or active.job.log.exists():
                self._announce(active)
            for line in active.follower.new():
                self._observer.progressed(active.job.seed, line)
            if isinstance(status, Ended) and status.again:
                self._put_back(active, status.reason)
            elif isinstance(status, Ended):
                self._close(active, status.reason)
            elif status is not None:
                # The time in a queue is not the run's.
                wall_s = None if self._setup.queue else time.monotonic() - active.since
                active.end = End(status, wall_s)
                self._close(active)
            elif time.monotonic() - active.since > self._setup.timeout_s:
                active.process.terminate()
                limit = f"{self._setup.timeout_s:g} s"
                self._close(active, f"stopped after {limit} without a result (--timeout-per-run)")

    def _poll(self, active: _Active) -> int | Ended | None:
        try:
            return active.process.poll()
        except LaunchError as error:
            self._active.remove(active)
            self._fail(active, error.what)
            raise

    def _close(self, active: _Active, why: str = "") -> None:
        """Enter how a run has ended, when nothing of it can write any more."""
        active.process.stop()
        self._active.remove(active)
        if not self._is_finished(active):
            self._fail(active, why)

    def _fail(self, active: _Active, why: str) -> None:
        seed, log, last_lines = active.job.seed, active.job.log, active.process.last_lines()
        if not why and log.exists() and not active.process.wrote(log):
            why = f"{active.end}, and {log.name} was not written by this run"
        why = why or why_no_result(log, self._track, active.end, last_lines)
        details = active.process.details()
        self._ledger.append("failed", seed, log=log, reason=why, details=details)
        self._stopping.failed(seed)
        self._observer.failed(seed, why, last_lines)

    def _put_back(self, active: _Active, reason: str) -> None:
        """Let the run of an interrupted attempt start again, unless the attempt has a result."""
        self._active.remove(active)
        if self._is_finished(active):
            return
        seed, log, details = active.job.seed, active.job.log, active.process.details()
        self._ledger.append("abandoned", seed, log=log, reason=reason, details=details)
        self._observer.interrupted(seed, reason)
        self._waiting.append(seed)

    def _abandon_active(self) -> None:
        for active in self._active:
            active.process.terminate()
        for active in self._active:
            active.process.stop()
        while self._active:
            active = self._active.pop(0)
            if not self._is_finished(active):
                seed, log, details = active.job.seed, active.job.log, active.process.details()
                reason = "the campaign was stopped"
                self._ledger.append("abandoned", seed, log=log, reason=reason, details=details)
                self._observer.abandoned(seed)

    def _is_finished(self, active: _Active) -> bool:
        """Enter the run as finished if its own log has a result, however its process ended."""
        seed, log = active.job.seed, active.job.log
        run = result_of(log, self._track, active.end) if active.process.wrote(log) else None
        if run is None:
            return False
        details = {**clock_details(run, active.end), **active.process.details()}
        reason = remark_on(run, active.end)
        self._ledger.append("finished", seed, log=log, reason=reason, details=details)
        self._stopping.finished(seed, run)
        self._observer.finished(seed, run)
        return True


def _shared(job: Job) -> dict[str, int]:
    """Return how many runs share the machine's GPUs, and which of their places this one has."""
    if job.side_by_side < 2:
        return {}
    return {"side_by_side": job.side_by_side, "place": job.slot + 1}
