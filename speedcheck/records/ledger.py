"""The ledger: what was planned and started and how it ended, one line each, chained by hashes.

A line is a JSON object whose `prev` is the SHA-256 of the line before it (64 zeros on the first).
Lines are only ever appended, so a run that went badly cannot be forgotten without a trace.
An entry may carry `details`, an object about that event, which the chain covers like the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from speedcheck.records.line_ends import CONVERTED, with_line_feeds

Event = Literal["planned", "started", "finished", "failed", "abandoned", "extended"]
EVENTS: tuple[Event, ...] = get_args(Event)
LEDGER_NAME = "ledger.jsonl"
STOPPING_RULE = "stopping_rule"
"""The detail of a planned line that names the stopping rule."""
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger.

    Attributes:
        event: what happened. "extended" is about the plan and no run: more seeds were added to it.
        utc: when, as `2026-11-21T18:30:00Z`.
        seed: the run's seed; the first of the seeds that were added.
        log: the log's name inside the folder `logs/`; None while there is none.
        log_sha256: SHA-256 of the log at that moment; None while there is none.
        reason: why the run failed or was abandoned, or a remark; "" where nothing is to be said.
        prev: SHA-256 of the line before.
        details: what else is known of the event, as JSON values by their names; a line without it
            has none.
    """

    event: Event
    utc: str
    seed: int
    log: str | None
    log_sha256: str | None
    reason: str
    prev: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LedgerProblem:
    """A line that cannot be trusted.

    Attributes:
        line: its number, from 1.
        message: why.
        torn: whether it is what a crash leaves: half a line, from which the chain goes on.
        converted: whether nothing but the line ends of the ledger breaks its chain.
    """

    line: int
    message: str
    torn: bool = False
    converted: bool = False


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a ledger file says, and what is wrong with it."""

    entries: tuple[Entry, ...]
    problems: tuple[LedgerProblem, ...]

    def latest(self) -> dict[int, Entry]:
        """Return each seed's last entry, in the order in which the seeds were planned."""
        return {entry.seed: entry for entry in self.entries if entry.event != "extended"}

    def starts(self) -> dict[int, Entry]:
        """Return the entry of each seed's last start."""
        return {entry.seed: entry for entry in self.entries if entry.event == "started"}

    def looks(self) -> tuple[Entry, ...]:
        """Return the lines that add to the plan after a run had finished.

        Somebody who adds runs then may have seen a result: a test with a fixed number of runs does
        not allow that.
        """
        events = [entry.event for entry in self.entries]
        first = events.index("finished") if "finished" in events else len(events)
        return tuple(e for e in self.entries[first:] if e.event in ("extended", "planned"))

    def stopping_rules(self) -> set[str]:
        """Return the stopping rules under which seeds were planned; "fixed" where none is named."""
        planned = (entry for entry in self.entries if entry.event == "planned")
        return {str(entry.details.get(STOPPING_RULE, "fixed")) for entry in planned}

    def attempts(self, seed: int) -> int:
        """Return how often the run of `seed` was started."""
        return sum(entry.seed == seed and entry.event == "started" for entry in self.entries)


def line_hash(line: bytes) -> str:
    """Return the SHA-256 (hex) of a ledger line without its newline."""
    return hashlib.sha256(line).hexdigest()


def parse_ledger(data: bytes) -> Ledger:
    """Read a ledger and follow its chain of hashes.

    A line that cannot be read, or whose `prev` is not the hash of the line before it, is a
    problem; the lines after it are still read. Where only the line ends break the chain, that is
    the one problem.
    """
    ledger = _parse(data)
    if ledger.problems and b"\r\n" in data and not _parse(with_line_feeds(data)).problems:
        return replace(ledger, problems=(LedgerProblem(1, CONVERTED, converted=True),))
    return ledger


def _parse(data: bytes) -> Ledger:
    entries: list[Entry] = []
    problems: list[LedgerProblem] = []
    previous = GENESIS
    for number, line in enumerate(ledger_lines(data), start=1):
        try:
            entry = _entry(json.loads(line))
        except (ValueError, RecursionError) as error:
            torn = isinstance(error, json.JSONDecodeError)
            why = "it is not JSON" if torn else str(error)
            problems.append(LedgerProblem(number, f"is not a ledger entry ({why})", torn))
        else:
            entries.append(entry)
            if entry.prev != previous:
                problems.append(LedgerProblem(number, "does not follow from the line before it"))
        previous = line_hash(line)
    return Ledger(tuple(entries), tuple(problems))


def _entry(raw: Any) -> Entry:
    if not isinstance(raw, Mapping):
        raise ValueError("not an object")
    missing = [key for key in ("event", "utc", "seed", "prev") if key not in raw]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    if raw["event"] not in EVENTS:
        raise ValueError(f"unknown event {raw['event']!r}")
    if not isinstance(raw["seed"], int) or isinstance(raw["seed"], bool):
        raise ValueError("seed is not a whole number")
    texts = {key: raw.get(key) for key in ("utc", "prev", "log", "log_sha256", "reason")}
    wrong = [key for key, value in texts.items() if not isinstance(value, str | None)]
    if wrong:
        raise ValueError(f"{wrong[0]} is not text")
    details = raw.get("details", {})
    if not isinstance(details, Mapping):
        raise ValueError("details is not an object")
    return Entry(
        event=raw["event"],
        utc=texts["utc"] or "",
        seed=raw["seed"],
        log=texts["log"],
        log_sha256=texts["log_sha256"],
        reason=texts["reason"] or "",
        prev=texts["prev"] or "",
        details=details,
    )


def ledger_lines(data: bytes) -> list[bytes]:
    """Return the lines of a ledger without their newlines."""
    return data.removesuffix(b"\n").split(b"\n") if data else []
