"""From the folder of a race to its result: ledger and logs are read, and all is recomputed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from speedcheck.errors import InputError, not_read
from speedcheck.logs import LogFile, Parser, Run, read_log
from speedcheck.races.pairs import LoggedPair, account
from speedcheck.races.race_plan import RESULT_NAME, SIDES, RacePlan, SideName, read_race_plan
from speedcheck.races.race_result import Pair, RaceResult, RaceSide
from speedcheck.records.ledger import LEDGER_NAME, Ledger, parse_ledger
from speedcheck.records.line_ends import CONVERTED, are_converted
from speedcheck.records.record_toml import PLAN_NAME, Plan, read_plan
from speedcheck.records.shared_ledger import folder_of
from speedcheck.rules.config import load_config
from speedcheck.rules.tracks import Track, get_track
from speedcheck.stats.moments import moments
from speedcheck.stats.noninferiority import non_inferiority
from speedcheck.stats.sequential_pairs import race


def read_race(folder: str | Path, config: str | Path | None = None) -> RaceResult:
    """Recompute a race from its ledger and logs.

    Args:
        folder: the folder that `speedcheck race` wrote.
        config: the speedcheck.toml with the project's own tracks; the project's unless given.

    Raises:
        InputError: the folder holds no race, or a part of it cannot be read.
        UsageError: no track has the name that the race gives.
    """
    path = Path(folder)
    plan = read_race_plan(path)
    track = track_of(path, plan, None if config is None else Path(config))
    ledger = parse_ledger(_bytes(path / LEDGER_NAME))
    found = account(ledger, plan)
    reader = _PairReader(path, track)
    pairs = tuple(pair for logged in found.pairs if (pair := reader.pair(logged)))
    result = RaceResult(
        folder=str(folder),
        plan=plan,
        a=_side(path, "a", [p.a_s for p in pairs], [p.a_loss for p in pairs]),
        b=_side(path, "b", [p.b_s for p in pairs], [p.b_loss for p in pairs]),
        pairs=pairs,
        test=race([p.a_s for p in pairs], [p.b_s for p in pairs], plan.alpha),
        a_loss=non_inferiority(
            [p.a_loss for p in pairs], [p.b_loss for p in pairs], direction=track.direction
        ),
        begun_again=found.begun_again,
        hosts=_hosts(ledger),
        problems=(*found.problems, *reader.problems),
    )
    return replace(result, problems=(*result.problems, *_contradictions(result, path)))


def track_of(folder: Path, plan: RacePlan, config: Path | None = None) -> Track:
    """Return the track that says how the logs of a race are read.

    Raises:
        InputError: the configuration cannot be read.
        UsageError: no track has that name.
    """
    return get_track(plan.track, load_config(folder, config).tracks)


def time_and_loss(run: Run, track: Track) -> tuple[float, float] | str:
    """Return the training time in seconds and the final loss of a run, or why it has none."""
    if run.diverged or run.val_loss is None or not math.isfinite(run.val_loss):
        return "the run diverged"
    if track.reached_end(run) is False:
        return "the run did not come to its end"
    if run.train_time_ms is None:
        return "the log does not say how long the run trained"
    return run.train_time_ms / 1000, run.val_loss


class _PairReader:
    """Reads the logs of pairs; what is wrong with them is in `problems`."""

    def __init__(self, folder: Path, track: Track) -> None:
        self._folder = folder
        self._track = track
        self.problems: list[str] = []

    def pair(self, logged: LoggedPair) -> Pair | None:
        found = {side: self._run(logged, side, self._track.parser()) for side in SIDES}
        a, b = found["a"], found["b"]
        if a is None or b is None:
            return None
        return Pair(logged.number, logged.first, a[0], b[0], a[1], b[1])

    def _run(self, logged: LoggedPair, side: SideName, parse: Parser) -> tuple[float, float] | None:
        name = logged.logs[side]
        try:
            log = read_log(self._folder / name, self._folder, parse)
        except (InputError, ValueError):
            self.problems.append(f"{name}: the log is gone")
            return None
        if log.sha256 != logged.sha256[side]:
            is_converted = are_converted(self._folder / name, logged.sha256[side])
            why = f": {CONVERTED}" if is_converted else ""
            self.problems.append(f"{name}: the log is not the one that the ledger noted{why}")
        return self._values(log)

    def _values(self, log: LogFile) -> tuple[float, float] | None:
        found = (
            time_and_loss(log.runs[0], self._track)
            if len(log.runs) == 1
            else f"the log holds {len(log.runs)} runs"
        )
        if isinstance(found, str):
            self.problems.append(f"{log.name}: {found}")
            return None
        return found


def _side(folder: Path, side: SideName, times: list[float], losses: list[float]) -> RaceSide:
    plan = read_plan(folder / side / PLAN_NAME)
    return RaceSide(trainer_name(plan), moments(times), moments(losses))


def _contradictions(result: RaceResult, folder: Path) -> Iterator[str]:
    """Yield what does not go together: several machines, or another result in race.json."""
    if len(result.hosts) > 1:
        yield f"the runs come from {len(result.hosts)} machines"
    path = folder / RESULT_NAME
    if not path.is_file():
        return
    try:
        raw: Any = json.loads(_bytes(path))
        stated = [raw[key] for key in ("outcome", "decided_at", "pairs_counted")]
    except (ValueError, KeyError, TypeError, RecursionError):
        yield f"{RESULT_NAME} is not the result of a race"
        return
    computed = [result.test.outcome, result.test.decided_at, len(result.pairs)]
    if stated != computed:
        yield f"{RESULT_NAME} says {_in_words(stated)}, the logs give {_in_words(computed)}"


def _in_words(figures: list[Any]) -> str:
    outcome, decided_at, pairs = figures
    after = "" if decided_at is None else f" after {decided_at}"
    return f"{outcome}{after} of {pairs} pairs"


def _hosts(ledger: Ledger) -> tuple[str, ...]:
    """Return the machines that the ledger names for the runs of both sides."""
    found = [entry.details.get("host") for entry in ledger.entries if folder_of(entry) in SIDES]
    return tuple(
        sorted({str(host["id"]) for host in found if isinstance(host, dict) and "id" in host})
    )


def trainer_name(plan: Plan) -> str:
    """Return what a plan runs, in words."""
    if plan.script is None:
        return plan.recipe or "an unnamed trainer"
    return " ".join((plan.script.name, *plan.script.arguments))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise not_read(path, error) from error
