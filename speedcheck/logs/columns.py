"""Tables to the figures of their rows: CSV, and JSON with one object a line.

The first line of a file that is not empty may be the header of a CSV table, with commas, tabs or
semicolons between its columns; of a table with one column a run, such as W&B exports, the columns
are called "NAME - val/loss". A line that is a JSON object with the measure among its keys is a row
in any file.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from speedcheck.logs.pattern import FIGURES, MEASURE, STEP, check_times

Fields = dict[str, str]

# How W&B joins the name of a run and that of a column.
_OF_RUN = " - "
# In such tables, whose columns are of one measure, the steps have this name.
_STEP_OF_EXPORT = "Step"
_DELIMITERS = (",", "\t", ";")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a table holds which figure.

    Args:
        names: the columns' names by figures, which are `FIGURES`; `val_loss` is needed.

    Raises:
        ValueError: the names cannot be used; the message says why.
    """

    names: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        figures = {figure for figure, _ in self.names}
        unknown = sorted(figures - set(FIGURES))
        if unknown:
            raise ValueError(f"has a key {unknown[0]!r}; the keys are {', '.join(FIGURES)}")
        if MEASURE not in figures:
            raise ValueError(f"has no {MEASURE}")
        check_times(figures)

    @property
    def figures(self) -> frozenset[str]:
        """Return the figures that have a column."""
        return frozenset(figure for figure, _ in self.names)

    @property
    def measure(self) -> str:
        """Return the name of the column with the measure."""
        return dict(self.names)[MEASURE]

    def table(self, header: str) -> Table | None:
        """Return the table that a line begins; None where it is not the header of one."""
        for delimiter in _DELIMITERS:
            cells = _cells(header, delimiter)
            if cells and (runs := self._runs(cells)):
                return Table(delimiter, len(cells), runs)
        return None

    def json_row(self, line: str) -> Fields | None:
        """Return the figures of a JSON object; None where the line is not one with the measure."""
        if not line.startswith("{") or not line.rstrip().endswith("}"):
            return None
        try:
            # Figures stay as they are printed.
            row = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            return None
        found = {
            figure: row[name].strip()
            for figure, name in self.names
            if isinstance(row.get(name), str) and row[name].strip()
        }
        return found or None

    def _runs(self, cells: list[str]) -> tuple[tuple[str | None, Mapping[str, int]], ...]:
        places = {name: place for place, name in reversed(list(enumerate(cells)))}
        shared = {figure: places[name] for figure, name in self.names if name in places}
        if MEASURE in shared:
            return ((None, shared),)
        if _STEP_OF_EXPORT in places:
            shared.setdefault(STEP, places[_STEP_OF_EXPORT])
        ending = _OF_RUN + self.measure
        return tuple(
            (name.removesuffix(ending), {**shared, MEASURE: place})
            for place, name in enumerate(cells)
            if name.endswith(ending)
        )


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV table whose header has been read.

    Attributes:
        delimiter: what stands between two columns.
        width: number of columns.
        runs: the name of each run that has a column of its own, or None, and the places of its
            figures.
    """

    delimiter: str
    width: int
    runs: tuple[tuple[str | None, Mapping[str, int]], ...]

    def may_be_cut(self, line: str) -> bool:
        """Return whether the last line of a file may have lost digits of a measure."""
        cells = _cells(line, self.delimiter)
        last = self.width - 1
        return len(cells) < self.width or any(places[MEASURE] == last for _, places in self.runs)

    def rows(self, line: str) -> Iterator[Fields]:
        """Yield the figures of a line, once for each run; cells that are empty give none."""
        cells = _cells(line, self.delimiter)
        for name, places in self.runs:
            found = {
                figure: cells[place].strip()
                for figure, place in places.items()
                if place < len(cells) and cells[place].strip()
            }
            if found:
                yield found if name is None else {"run": name, **found}


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
