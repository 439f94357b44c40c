"""The texts of a line's figures to numbers. None always means that a text is not a number."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from speedcheck.logs.patterns import FIGURES, MEASURE, STEP, TIME_UNITS, check_times

Fields = dict[str, str]

# How W&B joins the name of a run and that of a column.
OF_RUN = " - "
# In such tables, whose columns are of one measure, the steps have this name.
_STEP_OF_EXPORT = "Step"
DELIMITERS = (",", "\t", ";")


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
        for delimiter in DELIMITERS:
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
        ending = OF_RUN + self.measure
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


_WHOLE = re.compile(r"([0-9]{1,12})(?:\.0{1,6})?")
_SEED = re.compile(r"(-?[0-9]{1,18})(?:\.0{1,6})?")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,99}(?:\.[0-9]{0,99})?|\.[0-9]{1,99})(?:[eE][+-]?[0-9]{1,3})?"
)
_NO_NUMBER = frozenset({"nan", "inf", "infinity"})


def whole(text: str) -> int | None:
    """Read a number of steps; a table may print it as "100.0"."""
    match = _WHOLE.fullmatch(text)
    return int(match[1]) if match else None


def seed_number(text: str) -> int | None:
    """Read a seed."""
    match = _SEED.fullmatch(text)
    return int(match[1]) if match else None


def measure(text: str) -> float | None:
    """Read the figure that the track is about: any number, nan or inf."""
    if text.lower().lstrip("+-") in _NO_NUMBER:
        return float(text)
    return number(text)


def number(text: str) -> float | None:
    """Read a finite number."""
    if not _NUMBER.fullmatch(text):
        return None
    # A decimal too large for a float is a forgery: a program would have printed "inf".
    return value if math.isfinite(value := float(text)) else None


def duration_ms(fields: Mapping[str, str], name: str) -> float | None:
    """Read a time, not negative, from the field with the unit that is there."""
    for unit, factor in TIME_UNITS.items():
        text = fields.get(f"{name}_{unit}")
        if text is not None:
            value = number(text)
            if value is None or value < 0:
                return None
            # Scaling by a decimal exponent keeps 1081.882 s at 1081882.0.
            scaled = value if unit == "ms" else _thousandfold(text) * (factor / 1e3)
            return scaled if math.isfinite(scaled) else None
    return None


def _thousandfold(text: str) -> float:
    mantissa, _, exponent = text.lower().partition("e")
    return float(f"{mantissa}e{int(exponent or 0) + 3}")
