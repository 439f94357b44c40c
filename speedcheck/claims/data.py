"""JSON and CSV beside the logs: figures and lists under the very name of the measure."""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import islice

from speedcheck.claims import words
from speedcheck.claims.model import Figure, Reader, Series, Statements
from speedcheck.claims.numbers import NUMBER, Printed, printed

_MOST_ROWS = 10_000
_NUMBER = re.compile(NUMBER)
_ONE_RUN = re.compile(r"(?:seed|run|log|file|id)s?", re.IGNORECASE)


class _Digits(str):
    """A number of a JSON document, kept as the digits that it is written with."""

    __slots__ = ()


def read_json(text: str, reader: Reader) -> Statements:
    """Return what a JSON document states under the measure, `seeds` and `seed_results`.

    Text that is not JSON, or nests too deep, states nothing.
    """
    try:
        document = json.loads(text, parse_float=_Digits, parse_int=_Digits, parse_constant=str)
    except (ValueError, RecursionError):
        return Statements()
    if not isinstance(document, dict):
        return Statements()
    found = Statements()
    for key, value in document.items():
        where = f"{reader.document} {key[:80]}"
        if key.lower() in reader.measure:
            _measure(value, where, found, reader)
        elif key == "seed_results":
            _seed_results(value, where, found, reader)
        elif key == "seeds":
            seeds = _seeds(value)
            found.seeds += [(where, seeds)] if seeds else []
    return found


def read_csv(text: str, reader: Reader) -> Statements:
    """Return the columns of a CSV table of runs that are headed with the measure."""
    try:
        rows = list(islice(csv.reader(io.StringIO(text)), _MOST_ROWS))
    except csv.Error:
        return Statements()
    found = Statements()
    if len(rows) < 2 or not _ONE_RUN.fullmatch(rows[0][0].strip() if rows[0] else ""):
        return found
    for column, heading in enumerate(rows[0][:64]):
        if heading.strip().lower() not in reader.measure:
            continue
        pairs = [(row[0], _printed(row[column])) for row in rows[1:] if column < len(row)]
        pairs = [(label, number) for label, number in pairs if number]
        labels = [label.strip() for label, _ in pairs]
        seeds = _seeds(labels) if words.is_seed(rows[0][0]) else ()
        numbers = tuple(number for _, number in pairs if number)
        where = f"{reader.document} {heading.strip()}"
        _add(numbers, seeds, where, found, reader, lists_all=False)
    return found


def _measure(value: object, where: str, found: Statements, reader: Reader) -> None:
    """Take one figure as the mean or any run's, and a list as one value a run."""
    number = _printed(value)
    if number and reader.is_near(number.value):
        found.figures.append(
            Figure("mean", number, where, basis="data", may_be_one_run=True, is_clear=True)
        )
    if isinstance(value, list):
        _add(tuple(n for v in value[:_MOST_ROWS] if (n := _printed(v))), (), where, found, reader)


def _seed_results(value: object, where: str, found: Statements, reader: Reader) -> None:
    """Read {"1337": {"val_bpb": 1.1192}}, {"1337": 1.1192} or [{"seed": 1337, "val_bpb": ...}]."""
    entries: list[tuple[object, object]] = []
    if isinstance(value, dict):
        entries = list(value.items())[:_MOST_ROWS]
    elif isinstance(value, list):
        entries = [(v.get("seed"), v) for v in value[:_MOST_ROWS] if isinstance(v, dict)]
    pairs = [(seed, _loss_of(entry, reader)) for seed, entry in entries]
    numbers = tuple(number for _, number in pairs if number)
    seeds = _seeds([re.sub(r"^seed[_ ]?", "", str(seed)) for seed, number in pairs if number])
    _add(numbers, seeds, where, found, reader)


def _loss_of(entry: object, reader: Reader) -> Printed | None:
    if not isinstance(entry, dict):
        return _printed(entry)
    return next((_printed(entry[word]) for word in reader.measure if word in entry), None)


def _add(
    numbers: tuple[Printed, ...],
    seeds: tuple[int, ...],
    where: str,
    found: Statements,
    reader: Reader,
    *,
    lists_all: bool = True,
) -> None:
    if numbers and all(reader.is_near(number.value) for number in numbers):
        keyed = seeds if len(seeds) == len(numbers) else ()
        name = where.rpartition(" ")[2]
        found.series.append(
            Series("losses", name, numbers, where, "data", seeds=keyed, lists_all=lists_all)
        )


def _printed(value: object) -> Printed | None:
    """Read a number as it is written; anything else is none."""
    return (
        printed(value.strip())
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip())
        else None
    )


def _seeds(values: object) -> tuple[int, ...]:
    """Return a list of seeds, or the keys of a dictionary of them; () unless all are integers."""
    listed = list(values)[:_MOST_ROWS] if isinstance(values, (list, tuple, dict)) else []
    texts = [str(value) for value in listed]
    if not all(re.fullmatch(r"[0-9]{1,18}", text) for text in texts):
        return ()
    return tuple(map(int, texts))
