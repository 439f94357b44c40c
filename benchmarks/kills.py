"""Kills launchers, workers and ranks at random moments, resumes, and counts what is lost.

    python -m benchmarks.kills [--kills 200] [--seed 0] [--data-dir D]

Campaigns of short tiny runs, one rank or two, by workers or isolated, are killed with SIGKILL and
resumed until all of their runs have finished; then another starts. At the end of each, every seed
has exactly one result, whose log is the one that the ledger saw, with the losses of a run that
nobody disturbed, and no process is left. Exits with 1 where something is not so.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from speedcheck.records.ledger import LEDGER_NAME, Ledger, parse_ledger
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.run.launchers.launcher import Setup
from speedcheck.run.launchers.local_launcher import LocalLauncher
from speedcheck.run.launchers.processes import find_processes, mark_of
from speedcheck.run.launchers.worker_launcher import WorkerLauncher
from speedcheck.run.record_campaign import run_record
from speedcheck.run.request import Request

SEEDS = 6
STEPS = 8
# Between two moments of killing; a process needs some seconds to start, a run some more.
LONGEST_WAITS = (2.0, 8.0)
# Share of the moments that wait until a trainer is there.
WITH_TRAINER = 0.8
TRAINER_SECONDS = 20.0
# After so many kills a campaign may finish.
KILLS_OF_ONE = 25
# Of how many processes one moment may rob a campaign.
MOST_AT_ONCE = 3
# Exit status of a Python program that raises.
RAISED = 1
# Share of the kills that go to workers and ranks, where there are any.
OTHERS = 0.7
# What a tethered process may take to notice that its launcher is gone, on a busy machine.
TETHER_SECONDS = 5.0
LOSS = re.compile(r"^(step:\S+ \w+_loss:\S+)", re.MULTILINE)


class Ranked:
    """A launcher with as many ranks as it is given; the trainer would take one on a CPU."""

    ranks = 1

    def prepare(
        self,
        recipe: str,
        overrides: RecipeOverrides = NO_OVERRIDES,
        gpus_per_run: int | None = None,
    ) -> Setup:
        """Ask the trainer, and change its answer."""
        said: Setup = super().prepare(recipe, overrides, gpus_per_run)  # type: ignore[misc]
        return replace(said, ranks=self.ranks)


class Workers(Ranked, WorkerLauncher):
    """Workers of several ranks."""


class Isolated(Ranked, LocalLauncher):
    """Fresh processes of several ranks."""


def launch(folder: Path, data_dir: Path, ranks: int, *, isolate: bool) -> None:
    """Be the launcher: start or resume the campaign of a folder."""
    launcher = (Isolated if isolate else Workers)(data_dir)
    launcher.ranks = ranks
    resume = (folder / "record.toml").exists()
    request = Request(
        recipe=None if resume else "tiny",
        seeds=None if resume else SEEDS,
        out=folder,
        resume=resume,
        jobs=2,
        overrides=NO_OVERRIDES if resume else RecipeOverrides(steps=STEPS),
    )
    run_record(request, launcher, Console(no_color=True))


@dataclass
class Campaign:
    """A folder, and what has been done to it."""

    folder: Path
    data_dir: Path
    ranks: int
    isolate: bool
    launcher: subprocess.Popen[bytes] | None = None
    sessions: int = 0

    def start(self) -> None:
        """Start or resume it."""
        options = ["--launch", str(self.folder), "--ranks", str(self.ranks)]
        options += ["--data-dir", str(self.data_dir), *(["--isolate"] if self.isolate else [])]
        with self.output.open("ab") as output:
            self.launcher = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.kills", *options],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.sessions += 1

    @property
    def output(self) -> Path:
        """Return the file of what its launchers print."""
        return self.folder.with_suffix(".out")

    @property
    def ledger(self) -> Ledger:
        """Return what the ledger says now."""
        path = self.folder / LEDGER_NAME
        return parse_ledger(path.read_bytes() if path.exists() else b"")

    @property
    def is_finished(self) -> bool:
        """Return whether every seed has a result."""
        latest = self.ledger.latest().values()
        return len(latest) == SEEDS and all(entry.event == "finished" for entry in latest)

    def victims(self) -> dict[str, list[int]]:
        """Return process ids by what they are: launcher, worker, rank."""
        if self.launcher is None or self.launcher.poll() is not None:
            return {}
        found: dict[str, list[int]] = {"launcher": [self.launcher.pid]}
        for process in find_processes(mark_of(self.folder)):
            is_rank = parent_of(process.pid) != self.launcher.pid
            found.setdefault("rank" if is_rank else "worker", []).append(process.pid)
        return found


def parent_of(pid: int) -> int | None:
    """Return the parent's process id; None where the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


@dataclass
class Account:
    """What was killed, and what was found wrong."""

    killed: Counter[str] = field(default_factory=Counter)
    campaigns: int = 0
    sessions: int = 0
    wrong: list[str] = field(default_factory=list)
    losses: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    def check(self, campaign: Campaign) -> None:
        """Look for everything that must not have happened to a finished campaign."""
        self.campaigns += 1
        self.sessions += campaign.sessions
        left = find_processes(mark_of(campaign.folder))
        self.wrong += [f"process {process.pid} is left: {process.command}" for process in left]
        ledger = campaign.ledger
        self.wrong += [f"ledger: {each.message}" for each in ledger.problems if not each.torn]
        for seed in range(SEEDS):
            own = [entry for entry in ledger.entries if entry.seed == seed]
            events = [entry.event for entry in own]
            if events.count("finished") != 1 or events[-1] != "finished":
                self.wrong.append(f"{campaign.folder.name}: seed {seed}: {' '.join(events)}")
                continue
            log = (campaign.folder / "logs" / (own[-1].log or "")).read_bytes()
            if hashlib.sha256(log).hexdigest() != own[-1].log_sha256:
                self.wrong.append(f"{campaign.folder.name}: the log of seed {seed} has changed")
            losses = LOSS.findall(log.decode())
            if self.losses.setdefault((campaign.ranks, seed), losses) != losses:
                self.wrong.append(f"{campaign.folder.name}: seed {seed} has other losses")


def torment(campaign: Campaign, account: Account, limit: int, dice: random.Random) -> None:
    """Kill and resume until the campaign is finished; beyond `limit` kills only resume."""
    while not campaign.is_finished:
        campaign.start()
        assert campaign.launcher is not None
        kills = account.killed.total()
        while campaign.launcher.poll() is None:
            if dice.random() < WITH_TRAINER:
                wait_for_trainer(campaign)
            time.sleep(dice.uniform(0, dice.choice(LONGEST_WAITS)))
            for _ in range(dice.randint(1, MOST_AT_ONCE)):
                if account.killed.total() < limit:
                    kill_one(campaign, account, dice)
        if campaign.launcher.returncode == RAISED and account.killed.total() == kills:
            sys.exit(f"a session failed undisturbed: see {campaign.output}")
        after_launcher(campaign, account, dice)


def kill_one(campaign: Campaign, account: Account, dice: random.Random) -> None:
    """Kill a process of the campaign, if one is there."""
    victims = campaign.victims()
    if campaign.launcher is None or not victims:
        return
    others = sorted(victims.keys() - {"launcher"})
    kind = dice.choice(others) if others and dice.random() < OTHERS else "launcher"
    try:
        os.kill(dice.choice(victims[kind]), signal.SIGKILL)
    except ProcessLookupError:
        return
    account.killed[kind] += 1
    if kind == "launcher":
        campaign.launcher.wait()


def wait_for_trainer(campaign: Campaign) -> None:
    """Wait until the campaign has a process besides its launcher, for a while at most."""
    end = time.monotonic() + TRAINER_SECONDS
    while len(campaign.victims()) == 1 and time.monotonic() < end:
        time.sleep(0.1)


def after_launcher(campaign: Campaign, account: Account, dice: random.Random) -> None:
    """Resume at once in half of the cases; in the others nothing may be left a moment later."""
    if dice.random() < 0.5:
        return
    end = time.monotonic() + TETHER_SECONDS
    while (left := find_processes(mark_of(campaign.folder))) and time.monotonic() < end:
        time.sleep(0.05)
    account.wrong += [f"orphan {process.pid} lives on: {process.command}" for process in left]


def main() -> None:
    """Torment campaigns one after another, and print the account."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path, default=Path(tempfile.gettempdir()) / "kills-data")
    parser.add_argument("--launch", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ranks", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--isolate", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.launch:
        launch(options.launch, options.data_dir, options.ranks, isolate=options.isolate)
        return
    dice, account = random.Random(options.seed), Account()
    with tempfile.TemporaryDirectory() as place:
        while account.killed.total() < options.kills:
            number = account.campaigns
            folder = Path(place) / f"campaign-{number}"
            # Of four campaigns one is isolated, and two have two ranks.
            campaign = Campaign(folder, options.data_dir, 1 + number % 2, number % 4 == 2)
            limit = min(options.kills, account.killed.total() + KILLS_OF_ONE)
            torment(campaign, account, limit, dice)
            account.check(campaign)
            kills, wrong = account.killed.total(), len(account.wrong)
            print(f"{kills} kills, {account.campaigns} campaigns, {wrong} wrong", flush=True)
    print(
        f"{account.killed.total()} kills ({dict(account.killed)}) in {account.sessions} sessions "
        f"of {account.campaigns} campaigns of {SEEDS} runs"
    )
    print("\n".join(account.wrong) or "nothing lost, nothing repeated, no process left")
    sys.exit(1 if account.wrong else 0)


if __name__ == "__main__":
    main()
