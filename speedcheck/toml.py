"""TOML files that people write: every complaint names the file, the table and the key."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from speedcheck.errors import InputError, not_read

T = TypeVar("T")

MAX_BYTES = 1 << 20

# For a dotted key the parser takes time and memory with the square of its parts: one of 256 KiB
# takes half a minute and 3 GB.
MAX_DOTS = 100
# From this likeness on, of 1, one key is another mistyped: basline, losss, seed.
_LIKE = 0.8
_BETWEEN_KEYS = re.compile(r"[,=\[\]{}\r\n]")


class Table:
    """A TOML table that knows its place.

    Args:
        raw: the table as it was parsed.
        file: the file that it is in.
        names: the names that lead to it inside the file.
    """

    def __init__(self, raw: Mapping[str, Any], file: str, names: tuple[str, ...] = ()) -> None:
        self._raw = raw
        self._file = file
        self._names = names

    @property
    def where(self) -> str:
        """Return the file, and the table's name inside it."""
        return f"{self._file} [{'.'.join(self._names)}]" if self._names else self._file

    def get(self, key: str, read: Callable[[Any], T], expected: str) -> T | None:
        """Return `read(value)`, or None where the key is absent.

        Raises:
            InputError: `read` refuses the value with a TypeError, ValueError or OverflowError.
        """
        if key not in self._raw:
            return None
        try:
            return read(self._raw[key])
        except (TypeError, ValueError, OverflowError):
            shown = repr(self._raw[key])[:60]
            raise InputError(
                f"{key} is {shown}", where=self.where, remedy=f"it must be {expected}"
            ) from None

    def table(self, key: str) -> Table | None:
        """Return the table called `key`, or None where it is absent."""
        raw = self.get(key, _mapping, "a table")
        return None if raw is None else Table(raw, self._file, (*self._names, key))

    def array(self, key: str) -> tuple[Table, ...]:
        """Return the tables of the array called `key`; none where it is absent."""
        raw = self.get(key, tuple_of(_mapping), f"tables, each under [[{key}]]") or ()
        return tuple(Table(item, self._file, (*self._names, key)) for item in raw)

    def tables(self) -> dict[str, Table]:
        """Return all tables inside this one by their names."""
        return {key: table for key in self._raw if (table := self.table(key)) is not None}

    def values(self, read: Callable[[Any], T], expected: str) -> dict[str, T]:
        """Return all values of this table by their keys.

        Raises:
            InputError: `read` refuses a value.
        """
        found = {key: self.get(key, read, expected) for key in self._raw}
        return {key: value for key, value in found.items() if value is not None}

    def completed_by(self, other: Table) -> Table:
        """Return this table with the keys of another one that it lacks."""
        return Table({**other._raw, **self._raw}, self._file, self._names)

    def refuse_unknown(self, known: Iterable[str], *, notes: bool = False) -> None:
        """Refuse a key that nobody reads: it is a mistyped one, and the nearest known one is named.

        Args:
            known: the keys that are read.
            notes: whether the writer may add others, which are like none of these and no tables.

        Raises:
            InputError: such a key is there.
        """
        names = tuple(known)
        for key, value in self._raw.items():
            near = get_close_matches(key[:60], names, 1, cutoff=_LIKE)
            is_note = notes and not near and not isinstance(value, (dict, list))
            if key not in names and not is_note:
                remedy = f"write {near[0]!r}; " if near else ""
                remedy += f"the keys are {', '.join(names)}"
                shown = f"{key[:60]!r} is not a key of this table"
                raise InputError(shown, where=self.where, remedy=remedy)


def read_table(path: Path) -> Table:
    """Read a TOML file.

    Raises:
        InputError: the file cannot be read, is not TOML, or is made to exhaust the parser.
    """
    try:
        if path.exists() and not path.is_file():
            # A pipe or a terminal would be waited for.
            raise InputError("is not a regular file", where=str(path), remedy="name a TOML file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1).decode()
        _check_size(content)
        raw = tomllib.loads(content)
    except OSError as error:
        raise not_read(path, error) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"is not TOML ({error})", where=str(path), remedy="correct the file"
        ) from error
    return Table(raw, str(path))


def _check_size(content: str) -> None:
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES >> 10} KiB")
    words = _BETWEEN_KEYS.split(content.replace(" ", "").replace("\t", ""))
    if any(word.count(".") > MAX_DOTS for word in words):
        raise ValueError(f"a key has more than {MAX_DOTS} dots")


def text(value: Any) -> str:
    """Read text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def iso_date(value: Any) -> str:
    """Read a date of TOML, or its text."""
    if not isinstance(value, str | date):
        raise TypeError
    return date.fromisoformat(str(value)).isoformat()


def truth(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise TypeError
    return value


def number(value: Any) -> float:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def positive(value: Any) -> float:
    """Read a finite number above 0."""
    if number(value) <= 0:
        raise ValueError
    return number(value)


def not_negative(value: Any) -> float:
    """Read a finite number from 0."""
    if number(value) < 0:
        raise ValueError
    return number(value)


def probability(value: Any) -> float:
    """Read a number strictly between 0 and 1."""
    if not 0 < number(value) < 1:
        raise ValueError
    return number(value)


def whole(value: Any) -> int:
    """Read a whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def tuple_of(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Return a reader of lists whose items `read` accepts."""

    def read_all(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise TypeError
        return tuple(read(item) for item in value)

    return read_all


def one_or_more(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Return a reader of one value, or of a list that is not empty, that `read` accepts."""

    def read_all(value: Any) -> tuple[T, ...]:
        values = value if isinstance(value, list) else [value]
        if not values:
            raise ValueError
        return tuple(read(item) for item in values)

    return read_all


def one_of(names: tuple[T, ...]) -> Callable[[Any], T]:
    """Return a reader of one of `names`."""

    def read(value: Any) -> T:
        return names[names.index(value)]

    return read


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return value
