"""Merged records that are not where they were: moved to another folder, or removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from speedcheck.gate.merged_runs import Evidence, merged_evidence
from speedcheck.gate.tree import Tree
from speedcheck.gate.workplace import Workplace


class Moves:
    """Where the merged records of a branch's submissions went.

    Args:
        places: the new folder of each record that left its own; None where it is in none.
    """

    def __init__(self, places: Mapping[PurePosixPath, PurePosixPath | None]) -> None:
        self._places = dict(places)

    @classmethod
    def of(
        cls, workplace: Workplace, gone: Iterable[PurePosixPath], now: Iterable[PurePosixPath]
    ) -> Moves:
        """Find the new places of records.

        A record is where all logs that counted for it are, or all its files where none did.

        Args:
            workplace: the files.
            gone: records that are not in their folders any more.
            now: the records that the branch has now, in the order in which they are preferred.
        """
        head = workplace.trees["head"]
        objects = {folder: head.objects(folder) for folder in now}
        places: dict[PurePosixPath, PurePosixPath | None] = {}
        for folder in gone:
            wanted = _wanted(merged_evidence(workplace, folder), workplace.trees["left"])
            places[folder] = next((place for place in objects if wanted <= objects[place]), None)
        return cls(places)

    @property
    def removed(self) -> tuple[PurePosixPath, ...]:
        """Return the records that no folder of the branch holds whole."""
        return tuple(folder for folder, place in self._places.items() if place is None)

    @property
    def gone(self) -> frozenset[PurePosixPath]:
        """Return the records that left their folders."""
        return frozenset(self._places)

    def into(self, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        """Return the records that were moved into a folder."""
        return tuple(old for old, place in self._places.items() if place == folder)


def _wanted(merged: Evidence, left: Tree) -> frozenset[str]:
    counted = frozenset(object_id for object_id, _ in merged.counted)
    return counted or left.objects(merged.folder)
