"""What the page of a series says, as text: the template escapes all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speedcheck import __version__
from speedcheck.history.series import Entry
from speedcheck.report.history_text import HEADS, NOTE, row
from speedcheck.report.html.record_content import Cell, Table
from speedcheck.rules.tracks import NO_TRACK

# The page gives the first column the room that names need.
_HEADS = ("record", *(name for name in HEADS if name != "record"))
_NUMBERS = ("time [s]", "loss", "n", "p", "gain")


@dataclass(frozen=True, slots=True)
class HistoryContent:
    """Everything that the page of a series says.

    Attributes:
        title: what the series is called.
        note: what its columns mean.
        tables: the records, a table for each track.
        version: of speedcheck.
    """

    title: str
    note: str
    tables: tuple[Table, ...]
    version: str = __version__


def history_content(title: str, entries: Sequence[Entry]) -> HistoryContent:
    """Return what the page of a series says."""
    heads = tuple(Cell(name, is_number=name in _NUMBERS) for name in _HEADS)
    tracks = dict.fromkeys(entry.track.name for entry in entries)
    tables = tuple(
        Table(
            "No track" if track == NO_TRACK else f"Track {track}",
            heads,
            tuple(_cells(entry) for entry in entries if entry.track.name == track),
        )
        for track in tracks
    )
    return HistoryContent(title, NOTE, tables)


def _cells(entry: Entry) -> tuple[Cell, ...]:
    loss, gain = entry.certificate.loss, entry.gain
    orders = {
        "loss": loss.mean,
        "p": loss.p_value,
        "gain": None if gain is None else gain.amount,
    }
    texts = dict(zip(HEADS, row(entry, str), strict=True))
    keys = {name: "" if order is None else repr(order) for name, order in orders.items()}
    return tuple(Cell(texts[name], keys.get(name, ""), name in _NUMBERS) for name in _HEADS)
