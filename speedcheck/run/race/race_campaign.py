"""`speedcheck race`: two trainers in turn on this machine, until it is decided which is faster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from speedcheck.errors import LaunchError, RecordError
from speedcheck.logs import read_log
from speedcheck.races.pairs import left_over
from speedcheck.races.race_plan import RESULT_NAME, SIDES, WARM_UP, RacePlan, SideName, order
from speedcheck.races.race_result import RaceResult
from speedcheck.races.read_race import read_race, time_and_loss
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.ledger_writer import RESTORE, LedgerWriter
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.shared_ledger import FolderLedger, folder_of
from speedcheck.report.wording import resume_race_command
from speedcheck.rules.tracks import Track
from speedcheck.run.campaign.campaign import Campaign
from speedcheck.run.campaign.known_logs import logs_of, refuse_unknown_logs
from speedcheck.run.launchers.launcher import Launcher, Setup
from speedcheck.run.launchers.processes import end_processes, mark_of
from speedcheck.run.race.race_display import RaceDisplay
from speedcheck.stats.sequential_pairs import PAIRS_OF_A_BLOCK

# Of the runs of a race.
_FOLDERS = (*SIDES, *(f"{WARM_UP}/{side}" for side in SIDES))


@dataclass(frozen=True, slots=True)
class Racer:
    """One side of a race, ready to run.

    Attributes:
        launcher: starts its runs.
        setup: what is known of a run.
    """

    launcher: Launcher
    setup: Setup


class RaceRunner:
    """Runs the pairs of a race that its ledger does not know as finished.

    Every session begins with one run of each side that does not count: a machine that has idled is
    faster than one that works.

    Args:
        folder: the race's folder; race.toml and the sides' record.toml are in it.
        plan: its plan.
        racers: the two sides.
        track: the track that says how logs are read.
        display: hears of everything.
    """

    def __init__(
        self,
        folder: Path,
        plan: RacePlan,
        racers: Mapping[SideName, Racer],
        *,
        track: Track,
        display: RaceDisplay,
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._racers = racers
        self._track = track
        self._display = display

    def run(self) -> RaceResult:
        """Run until the race is decided or all pairs are run; return what it comes to.

        Raises:
            Interrupted: a signal came; the ledger says how far the race is.
            LaunchError: a run failed, diverged, or has no time: the race cannot go on.
            RecordError: the ledger cannot be written, or the evidence so far is not intact.
        """
        with LedgerWriter(self._folder / LEDGER_NAME, logs=self._folder) as ledger:
            self._refuse_unknown_logs(ledger)
            self._end_orphans()
            self._plan_runs(ledger)
            self._drop_left_over(ledger)
            result = self._result()
            self._display.decided(result)
            if not result.is_over:
                self._warm_up(ledger)
            while not result.is_over:
                pair = len(result.pairs)
                self._run_pair(ledger, pair)
                result = self._result()
                if len(result.pairs) == pair:
                    where = str(self._folder / LEDGER_NAME)
                    raise LaunchError(f"pair {pair + 1} does not count by the ledger", where=where)
                if len(result.pairs) % PAIRS_OF_A_BLOCK == 0:
                    self._display.decided(result)
            return result

    def _refuse_unknown_logs(self, ledger: LedgerWriter) -> None:
        """Refuse logs and a result that the ledger cannot account for: it was cut or replaced."""
        is_open = False
        for folder in _FOLDERS:
            own = FolderLedger(ledger, folder).ledger
            is_open |= any(entry.event == "started" for entry in own.latest().values())
            known = logs_of(own)
            logs = self._folder / folder / LOGS_NAME
            refuse_unknown_logs(logs, known, self._folder / LEDGER_NAME)
        if is_open and (self._folder / RESULT_NAME).exists():
            what = f"{RESULT_NAME} was written after all runs had ended, which is not here"
            raise RecordError(what, where=str(self._folder / LEDGER_NAME), remedy=RESTORE)

    def _end_orphans(self) -> None:
        """End what a launcher that was killed has left behind: the lock says that it is gone."""
        for folder in _FOLDERS:
            end_processes(mark_of(self._folder / folder))

    def _plan_runs(self, ledger: LedgerWriter) -> None:
        """Enter the planned order, or the rest of it where a session ended before its first run."""
        entries = ledger.ledger.entries
        if all(entry.event == "planned" for entry in entries):
            for side, pair in order(self._plan.pairs)[len(entries) :]:
                FolderLedger(ledger, side).append("planned", pair)

    def _drop_left_over(self, ledger: LedgerWriter) -> None:
        """Note which runs of earlier sessions do not count; their pair is run again."""
        for entry, reason in left_over(ledger.ledger, self._plan):
            log = None if entry.log is None else self._folder / entry.log
            own = FolderLedger(ledger, folder_of(entry) or "")
            own.append("abandoned", entry.seed, log=log, reason=reason)

    def _result(self) -> RaceResult:
        """Return what the race has come to.

        Raises:
            RecordError: its evidence is not intact.
        """
        result = read_race(self._folder)
        if result.problems:
            remedy = "restore it, or start another race"
            raise RecordError(result.problems[0], where=str(self._folder), remedy=remedy)
        return result

    def _warm_up(self, ledger: LedgerWriter) -> None:
        for side in SIDES:
            folder = f"{WARM_UP}/{side}"
            sessions = [e for e in ledger.ledger.entries if folder_of(e) == folder]
            number = sum(entry.event == "planned" for entry in sessions)
            FolderLedger(ledger, folder).append("planned", number)
            self._display.warming_up(side)
            self._run_one(ledger, side, folder, number)

    def _run_pair(self, ledger: LedgerWriter, pair: int) -> None:
        for side, _ in order(self._plan.pairs)[2 * pair : 2 * pair + 2]:
            self._display.racing(side, pair)
            self._run_one(ledger, side, side, pair)

    def _run_one(self, ledger: LedgerWriter, side: SideName, folder: str, seed: int) -> None:
        racer, own = self._racers[side], FolderLedger(ledger, folder)
        (self._folder / folder / LOGS_NAME).mkdir(parents=True, exist_ok=True)
        campaign = Campaign(
            self._folder / folder,
            ledger=own,
            setup=racer.setup,
            launcher=racer.launcher,
            observer=self._display,
            slots=1,
            track=self._track,
        )
        campaign.run((seed,))
        last = own.ledger.latest()[seed]
        if last.event != "finished" or last.log is None:
            raise self._stopped(side, last.reason)
        logs = self._folder / folder / LOGS_NAME
        (run,) = read_log(logs / last.log, logs, self._track.parser()).runs
        found = time_and_loss(run, self._track)
        if isinstance(found, str):
            raise self._stopped(side, found)

    def _stopped(self, side: SideName, reason: str) -> LaunchError:
        return LaunchError(
            f"the race stops, because a run of {side.upper()} has no time ({reason})",
            where=str(self._folder),
            remedy="if the cause is outside of the planned scripts and options, "
            f"{resume_race_command(self._folder)} continues; "
            "otherwise start another race",
        )
