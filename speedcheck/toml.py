"""TOML files that people write: every complaint names the file, the table and the key."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from speedcheck.errors import InputError

T = TypeVar("T")


class Table:
    """A TOML table that knows its place.

    Args:
        raw: the table as it was parsed.
        where: the file, and the table's name inside it.
    """

    def __init__(self, raw: Mapping[str, Any], where: str) -> None:
        self._raw = raw
        self.where = where

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
        return None if raw is None else Table(raw, f"{self.where} [{key}]")

    def tables(self) -> dict[str, Table]:
        """Return all tables inside this one by their names."""
        return {key: table for key in self._raw if (table := self.table(key)) is not None}

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Refuse a key that nobody reads: it is a mistyped one.

        Raises:
            InputError: a key is not among `known`.
        """
        names = tuple(known)
        for key in self._raw:
            if key not in names:
                remedy = f"the keys are {', '.join(names)}"
                raise InputError(
                    f"{key!r} is no key of this table", where=self.where, remedy=remedy
                )


def read_table(path: Path) -> Table:
    """Read a TOML file.

    Raises:
        InputError: the file cannot be read or is not TOML.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"is not TOML ({error})", where=str(path), remedy="correct the file"
        ) from error
    return Table(raw, str(path))


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


def one_of(names: tuple[T, ...]) -> Callable[[Any], T]:
    """Return a reader of one of `names`."""

    def read(value: Any) -> T:
        return names[names.index(value)]

    return read


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return value
