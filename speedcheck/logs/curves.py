"""Validations in tables that tools write: CSV and JSON with a column of steps and one of losses.

Such a file is nobody's log unless the track names its columns, and holds a run all the same.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping

from speedcheck.logs.line_figures import DELIMITERS, OF_RUN, measure, whole
from speedcheck.logs.log_file import MAX_UNREAD, UnreadValidation
from speedcheck.logs.log_text import NotTextError, normalise

_STEPS = frozenset({"step", "steps", "iter", "iteration", "iterations", "global_step"})
_LOSSES = frozenset({"val_loss", "valid_loss", "validation_loss", "eval_loss"})
# Whatever has no such word has no column of losses.
_LOSS_WORD = re.compile(rb"val(?:id|idation)?[^a-z0-9]{0,8}loss")
_JSON = re.compile(rb"\s*[{\[]")
# Of JSON, which takes twenty times as much memory when it is read.
MAX_JSON_BYTES = 8 << 20
_UNIT = re.compile(r"[(\[].{0,40}")
_NOT_OF_NAMES = re.compile(r"[^a-z0-9]+")

_Row = tuple[int, object, object]


def find_rows(data: bytes) -> list[UnreadValidation]:
    """Find the steps and validation losses in a table, or in any objects or arrays of JSON.

    Args:
        data: a file; one that is not text, or too large for JSON, has none.

    Returns:
        The validations, the first `MAX_UNREAD` of them; those of JSON on line 1.
    """
    try:
        shown = normalise(data).data[1:]
    except NotTextError:
        return []
    if not _speaks_of_losses(shown) or is_large_json(shown):
        return []
    text = shown.decode("utf-8", "replace")
    rows = _in_json(text) if _JSON.match(shown) else _in_table(text)
    found: list[UnreadValidation] = []
    for line, step, loss in rows:
        if len(found) == MAX_UNREAD:
            break
        if not (isinstance(step, str) and isinstance(loss, str)):
            continue
        count, value = whole(step.strip()), measure(loss.strip())
        if count is not None and value is not None:
            found.append(UnreadValidation(line, count, value, f"{step}, {loss}"[:200]))
    return found


def is_large_json(data: bytes) -> bool:
    """Return whether a file is JSON that speaks of losses and is too large to be read."""
    return len(data) > MAX_JSON_BYTES and bool(_JSON.match(data)) and _speaks_of_losses(data)


def _speaks_of_losses(data: bytes) -> bool:
    return bool(_LOSS_WORD.search(data.lower()))


def _name(column: str) -> str:
    """The name of a column, without its unit and that of the run before it, as W&B writes it."""
    name = _UNIT.sub("", column.rpartition(OF_RUN)[2].lower())
    return _NOT_OF_NAMES.sub("_", name).strip("_")


def _in_table(text: str) -> Iterator[_Row]:
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter)
        try:
            header = next((row for row in reader if any(row) and row[0][:1] != "#"), [])
            names = [_name(cell) for cell in header]
            step = next((place for place, name in enumerate(names) if name in _STEPS), None)
            losses = [place for place, name in enumerate(names) if name in _LOSSES]
            if step is None or not losses:
                continue
            for cells in reader:
                for place in losses:
                    if max(step, place) < len(cells):
                        loss = cells[place] if delimiter == "," else cells[place].replace(",", ".")
                        yield reader.line_num, cells[step], loss
        except csv.Error:
            continue


def _in_json(text: str) -> Iterator[_Row]:
    try:
        # Figures stay as they are printed.
        left = [json.loads(text, parse_int=str, parse_float=str, parse_constant=str)]
    except (ValueError, RecursionError):
        return
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield from ((1, step, loss) for step, loss in _in_object(value))
            left += reversed(value.values())
        elif isinstance(value, list):
            left += reversed(value)


def _in_object(value: Mapping[str, object]) -> Iterator[tuple[object, object]]:
    """The steps and losses of an object: one of each, an array of each, or losses by steps."""
    names = {_name(key): key for key in value}
    steps = next((value[names[name]] for name in names if name in _STEPS), None)
    for losses in (value[names[name]] for name in names if name in _LOSSES):
        if isinstance(losses, dict):
            yield from losses.items()
        elif isinstance(losses, list) and not isinstance(steps, list):
            pairs = (pair for pair in losses if isinstance(pair, list) and len(pair) == 2)
            yield from ((step, loss) for step, loss in pairs)
        else:
            yield from zip(_list(steps), _list(losses), strict=False)


def _list(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else [value]
