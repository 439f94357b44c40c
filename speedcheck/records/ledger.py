"""The ledger: what was planned and started and how it ended, one line each, chained by hashes.

A line is a JSON object whose `prev` is the SHA-256 of the line before it (64 zeros on the first).
Lines are only ever appended, so a run that went badly cannot be forgotten without a trace.
An entry may carry `details`, an object about that event, which the chain covers like the rest.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self, get_args

from speedcheck.errors import RecordError

Event = Literal["planned", "started", "finished", "failed", "abandoned", "extended"]
EVENTS: tuple[Event, ...] = get_args(Event)

LEDGER_NAME = "ledger.jsonl"
STOPPING_RULE = "stopping_rule"
"""The detail of a planned line that names the stopping rule."""
GENESIS = "0" * 64
LOCK_TRIES = 5
LOCK_WAIT_SECONDS = 0.05


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
    """

    line: int
    message: str
    torn: bool = False


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
    problem; the lines after it are still read.
    """
    entries: list[Entry] = []
    problems: list[LedgerProblem] = []
    previous = GENESIS
    for number, line in enumerate(_lines(data), start=1):
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


def _line(entry: Entry) -> bytes:
    fields = asdict(entry)
    if not entry.details:
        del fields["details"]
    return json.dumps(fields, sort_keys=True).encode()


def utc_now() -> str:
    """Return the time now as the ledger writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class LedgerWriter:
    """The one writer of a ledger: holds its lock, appends, and makes each line durable.

    The lock is advisory; the system lifts it when the process ends, however it ends.

    Args:
        path: the ledger.
        logs: the folder that the names of logs start from; `logs/` beside the ledger unless given.

    Raises:
        RecordError: the file cannot be opened or written, or another process holds the lock.
    """

    def __init__(self, path: Path, logs: Path | None = None) -> None:
        self._path = path
        self._logs = logs or path.parent / "logs"
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise _cannot_write(path, error) from error
        if not _locked(self._file):
            self._file.close()
            raise RecordError(
                "another process is running this record",
                where=str(path.parent),
                remedy="wait until it ends, or choose another --out",
            )
        self._file.seek(0)
        data = self._file.read()
        self.ledger = parse_ledger(data)
        self._previous = _last_hash(data)
        if data and not data.endswith(b"\n"):
            # A line cut by a crash stays as it is, and the chain goes on from it.
            self._write(b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(
        self,
        event: Event,
        seed: int,
        *,
        log: Path | None = None,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Append one line; `log` is hashed as it is now.

        Args:
            event: what happened.
            seed: the run's seed.
            log: its log; it need not exist yet.
            reason: why it failed or was abandoned, or a remark.
            details: what else is known of the event, as JSON values.

        Raises:
            RecordError: the line cannot be written (a full disk, for one) or the log not read.
        """
        entry = Entry(
            event=event,
            utc=utc_now(),
            seed=seed,
            log=self._name_of(log) if log else None,
            log_sha256=_file_hash(log) if log and log.exists() else None,
            reason=reason,
            prev=self._previous,
            details=dict(details or {}),
        )
        line = _line(entry)
        self._write(line + b"\n")
        self._previous = line_hash(line)
        self.ledger = Ledger((*self.ledger.entries, entry), self.ledger.problems)
        return entry

    def append_planned(
        self, seeds: Iterable[int], details: Mapping[str, Any] | None = None
    ) -> None:
        """Append a `planned` line for each seed that has no line yet.

        Where seeds were planned before, a line `extended` comes first: a plan never grows unseen.

        Args:
            seeds: the planned seeds.
            details: what else the new lines say of the plan.
        """
        known = self.ledger.latest()
        new = [seed for seed in seeds if seed not in known]
        if known and new:
            numbers = {"from": len(known), "to": len(known) + len(new)}
            reason = f"{numbers['from']} to {numbers['to']} runs"
            self.append("extended", new[0], reason=reason, details=numbers)
        for seed in new:
            self.append("planned", seed, details=details)

    def _name_of(self, log: Path) -> str:
        inside = log.is_relative_to(self._logs)
        return log.relative_to(self._logs).as_posix() if inside else log.name

    def _write(self, data: bytes) -> None:
        size = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file)
        except OSError as error:
            # Half a line is not a line, nor is one that may not last: take it back, so that the
            # next one starts clean.
            with contextlib.suppress(OSError):
                self._file.truncate(size)
            raise _cannot_write(self._path, error) from error


def _locked(file: IO[bytes]) -> bool:
    """Take the lock; somebody who only looks whether it is taken holds it for an instant."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LOCK_WAIT_SECONDS)
        else:
            return True
    return False


def _last_hash(data: bytes) -> str:
    lines = _lines(data)
    return line_hash(lines[-1]) if lines else GENESIS


def _lines(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n") if data else []


def _file_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RecordError(
            f"cannot read the log ({error.strerror})", where=str(path), remedy="check its rights"
        ) from error


def _cannot_write(path: Path, error: OSError) -> RecordError:
    return RecordError(
        f"cannot write ({error.strerror or error})",
        where=str(path),
        remedy="free some space or choose another --out",
    )
