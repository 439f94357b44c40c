"""The one writer of a ledger: its lock, and lines that last."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from speedcheck.errors import RecordError, advice_on
from speedcheck.records.ledger import (
    GENESIS,
    Entry,
    Event,
    Ledger,
    ledger_lines,
    line_hash,
    parse_ledger,
)

RESTORE = "restore it, or start anew in another folder"
"""What to do where a ledger does not fit the logs beside it."""
LOCK_TRIES = 5
LOCK_WAIT_SECONDS = 0.05


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

    The lock is advisory; the system lifts it when the process ends, however it ends. A ledger is
    made with its folder and never later: a new one would know nothing of the logs that are there.

    Args:
        path: the ledger, which exists.
        logs: the folder that the names of logs start from; `logs/` beside the ledger unless given.

    Raises:
        RecordError: the file is missing or cannot be opened or written, or another process holds
            the lock.
    """

    def __init__(self, path: Path, logs: Path | None = None) -> None:
        self._path = path
        self._logs = logs or path.parent / "logs"
        try:
            self._file = open(path, "a+b", buffering=0, opener=_existing)  # noqa: SIM115
        except FileNotFoundError as error:
            raise RecordError("the ledger is missing", where=str(path), remedy=RESTORE) from error
        except OSError as error:
            raise _cannot_write(path, error) from error
        if not take_lock(self._file):
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
        name = self._name_of(log) if log else None
        sha256 = file_sha256(log) if log and log.exists() else None
        fields = dict(details or {})
        return self._append(Entry(event, utc_now(), seed, name, sha256, reason, "", fields))[0]

    def append_planned(
        self, seeds: Iterable[int], details: Mapping[str, Any] | None = None
    ) -> None:
        """Append a `planned` line for each seed that has no line yet.

        Where seeds were planned before, a line `extended` comes first: a plan never grows unseen.

        Args:
            seeds: the planned seeds.
            details: what else the new lines say of the plan.
        """
        known, utc = self.ledger.latest(), utc_now()
        new = [seed for seed in seeds if seed not in known]
        entries = [
            Entry("planned", utc, seed, None, None, "", "", dict(details or {})) for seed in new
        ]
        if known and new:
            numbers = {"from": len(known), "to": len(known) + len(new)}
            reason = f"{numbers['from']} to {numbers['to']} runs"
            entries.insert(0, Entry("extended", utc, new[0], None, None, reason, "", numbers))
        self._append(*entries)

    def _append(self, *entries: Entry) -> list[Entry]:
        """Append lines, all of them or none; each gets the hash of the line before it."""
        chained: list[Entry] = []
        data, previous = b"", self._previous
        for entry in entries:
            chained.append(replace(entry, prev=previous))
            line = _line(chained[-1])
            data, previous = data + line + b"\n", line_hash(line)
        if data:
            self._write(data)
        self._previous = previous
        self.ledger = Ledger((*self.ledger.entries, *chained), self.ledger.problems)
        return chained

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


def take_lock(file: IO[bytes]) -> bool:
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
    lines = ledger_lines(data)
    return line_hash(lines[-1]) if lines else GENESIS


def file_sha256(path: Path) -> str:
    """Return the SHA-256 (hex) of a log as it is now.

    Raises:
        RecordError: it cannot be read.
    """
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
        remedy=f"{advice_on(error)}, then add --resume",
    )


def _existing(path: str, flags: int) -> int:
    """Open a file for appending that is there already."""
    return os.open(path, flags & ~os.O_CREAT)
