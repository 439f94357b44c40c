"""The two sides of one race: its ledger says which runs are pairs, and on which machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from speedcheck.checks.beside_baseline import host_name
from speedcheck.races.pairs import account
from speedcheck.races.race_plan import SIDES, is_race, read_race_plan
from speedcheck.records.ledger import LEDGER_NAME, Ledger, parse_ledger
from speedcheck.records.shared_ledger import folder_of


@dataclass(frozen=True, slots=True)
class RacedSide:
    """One side of a race whose pairs were made on one machine.

    Attributes:
        race: the race's folder, as the caller names it.
        host: the machine: its digest and its processor.
        logs: the logs of the pairs that count, in the order of the pairs, from the side's folder.
    """

    race: Path
    host: str
    logs: tuple[str, ...]


def raced_sides(a: Path, b: Path) -> tuple[RacedSide, RacedSide] | None:
    """Return what a race's ledger says of its two sides; None for any other two folders.

    None as well where no pair counts, where the ledger is broken or departs from its plan, and
    where it does not name one machine: the two are then compared by their logs alone.

    Raises:
        InputError: the race's plan cannot be read.
    """
    race = a.resolve().parent
    if race != b.resolve().parent or not is_race(race) or not (race / LEDGER_NAME).is_file():
        return None
    if {a.resolve().name, b.resolve().name} != set(SIDES):
        return None
    ledger = parse_ledger((race / LEDGER_NAME).read_bytes())
    found, hosts = account(ledger, read_race_plan(race)), _hosts(ledger)
    if found.problems or not found.pairs or len(hosts) != 1:
        return None
    sides = (
        RacedSide(
            race=folder.parent,
            host=hosts[0],
            logs=tuple(pair.logs[name].removeprefix(f"{name}/") for pair in found.pairs),
        )
        for folder in (a, b)
        for name in SIDES
        if name == folder.resolve().name
    )
    first, second = sides
    return first, second


def _hosts(ledger: Ledger) -> list[str]:
    """Return the machines of the runs of both sides; "" for a run without one."""
    started = (e for e in ledger.entries if e.event == "started" and folder_of(e) in SIDES)
    return sorted({host_name(entry.details.get("host")) or "" for entry in started})
