"""Validations in tables that tools write: CSV and JSON with a column of steps and one of losses.

Such a file is nobody's log unless the track names its columns, and holds a run all the same.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence

from speedcheck.logs.line_figures import DELIMITERS, OF_RUN, measure, whole
from speedcheck.logs.log_file import MAX_UNREAD, UnreadValidation

_STEPS = frozenset({"step", "steps", "iter", "iteration", "iterations", "global_step"})
_LOSSES = frozenset({"val_loss", "valid_loss", "validation_loss", "eval_loss"})
_NOT_OF_NAMES = re.compile(r"[^a-z0-9]+")


def find_rows(text: str) -> list[UnreadValidation]:
    """Find the steps and validation losses in a table, or in any objects or arrays of JSON.

    Args:
        text: a file.

    Returns:
        The validations, the first `MAX_UNREAD` of them; those of JSON on line 1.
    """
    rows = _in_json(text) if text.lstrip()[:1] in ("{", "[") else _in_table(text)
    found: list[UnreadValidation] = []
    for line, step, loss in rows:
        if len(found) == MAX_UNREAD:
            break
        count, value = whole(step.strip()), measure(loss.strip())
        if count is not None and value is not None:
            found.append(UnreadValidation(line, count, value, f"{step}, {loss}"[:200]))
    return found


def _name(column: str) -> str:
    """The name of a column without that of the run before it, as W&B writes it."""
    return _NOT_OF_NAMES.sub("_", column.rpartition(OF_RUN)[2].lower()).strip("_")


def _in_table(text: str) -> Iterator[tuple[int, str, str]]:
    lines = text.splitlines()
    header = next((n for n, line in enumerate(lines) if line.strip()), 0)
    for delimiter in DELIMITERS:
        reader = csv.reader(lines[header:], delimiter=delimiter)
        try:
            names = [_name(cell) for cell in next(reader, [])]
            step = next((place for place, name in enumerate(names) if name in _STEPS), None)
            losses = [place for place, name in enumerate(names) if name in _LOSSES]
            if step is None or not losses:
                continue
            for cells in reader:
                for place in losses:
                    if max(step, place) < len(cells):
                        yield header + reader.line_num, cells[step], cells[place]
        except csv.Error:
            continue


def _in_json(text: str) -> Iterator[tuple[int, str, str]]:
    try:
        # Figures stay as they are printed.
        whole_text = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return
    left = [whole_text]
    while left:
        value = left.pop()
        children = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(children, list):
            continue
        left += reversed(children)
        if isinstance(value, dict):
            names = {_name(key): key for key in value}
            steps = [_list(value[names[name]]) for name in names.keys() & _STEPS]
            losses = [_list(value[names[name]]) for name in names.keys() & _LOSSES]
            for step in steps[:1]:
                yield from ((1, s, v) for loss in losses for s, v in zip(step, loss, strict=False))


def _list(value: object) -> Sequence[str]:
    """What may be figures: a text, or those in an array."""
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]
