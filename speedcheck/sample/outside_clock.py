"""How much of a run lay outside of its own clock, by the ledger."""

from __future__ import annotations

from speedcheck.records.ledger import Ledger
from speedcheck.records.record_files import LOGS_NAME


def outside_clock(ledger: Ledger | None) -> dict[str, float]:
    """Return the seconds outside of the clock, by log: start-up, compilation, validation."""
    found: dict[str, float] = {}
    for entry in ledger.entries if ledger else ():
        seconds = entry.details.get("outside_clock_s")
        if entry.event == "finished" and entry.log and isinstance(seconds, int | float):
            found[f"{LOGS_NAME}/{entry.log}"] = float(seconds)
    return found
