"""One ledger for several folders of runs, whose order it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from speedcheck.records.ledger import Entry, Event, Ledger
from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.records.record_files import LOGS_NAME

FOLDER_KEY = "folder"
"""The detail that says which folder an entry is about."""


def folder_of(entry: Entry) -> str | None:
    """Return the folder that an entry is about, with "/"; None where it names none."""
    folder = entry.details.get(FOLDER_KEY)
    return folder if isinstance(folder, str) else None


class FolderLedger:
    """The entries of one folder in a ledger that it shares with others.

    It is to the folder what `LedgerWriter` is to a record: logs are named from its `logs/`.

    Args:
        writer: the ledger; it names logs from the folder that holds all the others.
        folder: the folder, from there, with "/".
    """

    def __init__(self, writer: LedgerWriter, folder: str) -> None:
        self._writer = writer
        self._folder = folder

    @property
    def ledger(self) -> Ledger:
        """Return the entries of the folder."""
        prefix = f"{self._folder}/{LOGS_NAME}/"
        ours = (entry for entry in self._writer.ledger.entries if folder_of(entry) == self._folder)
        return Ledger(tuple(_inside(entry, prefix) for entry in ours), ())

    def append(
        self,
        event: Event,
        seed: int,
        *,
        log: Path | None = None,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Append one line, as `LedgerWriter.append` does."""
        with_folder = {**(details or {}), FOLDER_KEY: self._folder}
        return self._writer.append(event, seed, log=log, reason=reason, details=with_folder)


def _inside(entry: Entry, prefix: str) -> Entry:
    return replace(entry, log=entry.log.removeprefix(prefix)) if entry.log else entry
