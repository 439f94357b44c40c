"""Read the records below a folder into a series."""

from __future__ import annotations

import re
from pathlib import Path

from speedcheck import toml
from speedcheck.errors import InputError, SpeedcheckError, Unusable
from speedcheck.history.series import Entry, series
from speedcheck.many import verify_folders
from speedcheck.records.record_folder import find_records
from speedcheck.records.record_toml import PLAN_NAME, read_plan
from speedcheck.rules.config import load_config
from speedcheck.rules.rule import Overrides
from speedcheck.rules.tracks import track_judged_by

_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?!\d)")


def read_history(
    folder: Path, overrides: Overrides
) -> tuple[tuple[Entry, ...], tuple[Unusable, ...]]:
    """Judge every record below `folder`.

    Args:
        folder: the folder of the records.
        overrides: the track and the configuration that the caller names.

    Returns:
        The records by date with their gains, and the folders that cannot be judged.

    Raises:
        InputError: the folder does not exist, or holds no record.
    """
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "the folder does not exist"
        raise InputError(problem, where=str(folder), remedy="name a folder that holds records")
    folders = find_records(folder, overrides.parser_for)
    entries: list[Entry] = []
    unusable: list[Unusable] = []
    for path, result in zip(folders, verify_folders(folders, overrides), strict=True):
        if isinstance(result, SpeedcheckError):
            unusable.append(Unusable(path, result))
        else:
            track = track_judged_by(result.track, load_config(path, overrides.config).tracks)
            entries.append(Entry(_name(path, folder), date_of(path, folder), track, result))
    return series(entries), tuple(unusable)


def date_of(folder: Path, series_folder: Path) -> str | None:
    """Return the ISO date of a record: of its record.toml, else one that begins a folder name.

    Args:
        folder: the record folder.
        series_folder: the folder of the series, above which no name is read; its own name is
            where it is the record.
    """
    try:
        date = read_plan(folder / PLAN_NAME).date
    except InputError:
        date = None
    if date is not None:
        return date
    names = _name(folder, series_folder).parts
    return next((found for name in reversed(names) if (found := _date_in(name))), None)


def _name(folder: Path, series_folder: Path) -> Path:
    """Return a record's folder below that of the series; its own name where they are one."""
    below = folder.relative_to(series_folder)
    return below if below.parts else Path(folder.resolve().name)


def _date_in(name: str) -> str | None:
    match = _DATE.match(name)
    try:
        return toml.iso_date("-".join(match.groups())) if match else None
    except ValueError:
        return None
