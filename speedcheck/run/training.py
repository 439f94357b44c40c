"""The training of a record's planned seeds: what is announced, and which campaign runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.record_toml import Plan
from speedcheck.report.wording import printable
from speedcheck.run.campaign.campaign import Campaign
from speedcheck.run.campaign.known_logs import logs_of, refuse_cut, refuse_unknown_logs
from speedcheck.run.campaign.plans import enter_plan, planned_track
from speedcheck.run.campaign.stopping import UntilCertified
from speedcheck.run.launchers.launcher import Launcher, Setup
from speedcheck.run.launchers.processes import end_processes, mark_of
from speedcheck.run.progress.live_display import open_display
from speedcheck.run.slurm.batch_files import begun_by_tasks
from speedcheck.words import count


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
        known = logs_of(ledger.ledger)
        known |= begun_by_tasks(folder, known)
        refuse_unknown_logs(folder / LOGS_NAME, known, folder / LEDGER_NAME)
        refuse_cut(folder, ledger.ledger)
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
