"""What the ledger says of the run of each log, beside how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from speedcheck.records.ledger import Entry, Ledger
from speedcheck.records.record_files import LOGS_NAME


@dataclass(frozen=True, slots=True)
class RunNote:
    """What the ledger says of one run; None where it does not.

    Attributes:
        seed: the seed that the launcher gave it.
        variables: the environment variables that can change a run.
        outside_clock_s: seconds outside of the run's own clock: start-up, compilation, validation.
        side_by_side: how many runs shared the machine's GPUs.
    """

    seed: int | None = None
    variables: Mapping[str, Any] | None = None
    outside_clock_s: float | None = None
    side_by_side: int = 1


def notes_by_log(ledger: Ledger | None) -> Mapping[str, RunNote]:
    """Return what the ledger says of each run, by the path of its log in the record folder."""
    found: dict[str, RunNote] = {}
    for entry in ledger.entries if ledger else ():
        if entry.log:
            log = f"{LOGS_NAME}/{entry.log}"
            found[log] = _with(entry, found.get(log, RunNote()))
    return found


def _with(entry: Entry, note: RunNote) -> RunNote:
    details = entry.details
    match entry.event:
        case "started":
            # A script may take no seed: the numbers of the plan then only name its runs.
            takes_seed = details.get("seed_by", True) is not None
            variables, shared = details.get("environment"), details.get("side_by_side")
            return RunNote(
                seed=entry.seed if takes_seed else None,
                variables=variables if isinstance(variables, Mapping) else None,
                side_by_side=shared if isinstance(shared, int) else 1,
            )
        case "finished":
            seconds = details.get("outside_clock_s")
            known = float(seconds) if isinstance(seconds, int | float) else None
            return replace(note, outside_clock_s=known)
    return note
