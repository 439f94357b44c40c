"""Markdown tables: of runs, one a row; of metrics, one a row; of anything else.

A table of runs gives one list for each of its columns of losses or times, and figures from rows
such as "mean". A table of metrics gives figures, a set of runs for each column of values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from speedcheck.claims import words as vocabulary
from speedcheck.claims.model import Figure, Series
from speedcheck.claims.numbers import NUMBER, Printed, printed
from speedcheck.claims.prose import Context, read_figures
from speedcheck.claims.text import Line, plain

_RULE = frozenset("|:- \t")
_RUN_COLUMN = frozenset(
    {"run", "runs", "seed", "seeds", "trial", "log", "logs", "id", "idx", "file"}
)
_RUN_LABEL = re.compile(
    r"(?:(?:run|seed|trial|no|rep|log)\.?[ _#:-]*)?#?[0-9]{1,4}"
    r"|[0-9a-f-]{6,40}(?:\.{2,3}|…)?|[\w .-]{1,100}\.(?:txt|log)",
    re.IGNORECASE,
)
_STEP_COLUMN = re.compile(
    r"(?:(?:val|loss|step|steps|at|final)[ _:@]*){0,4}([0-9]{2,6})(?: steps)?"
)
_CELL = re.compile(rf"({NUMBER})\s*([A-Za-z]+)?\.?")
_SKIPPED_ROW = re.compile(r"not counted|excluded|incomplete|discarded|crashed", re.IGNORECASE)
# One word such as "runs" may stand in the header of any table.
_FEWEST_STATISTICS = 2
# "on node 3" is a remark on a run.
_FEWEST_WORDS = 3
# A column of differences is no column of values.
_DIFFERENCE = frozenset({"δ", "diff", "difference", "delta", "change", "improvement", "speedup"})


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the cells of its header and of its rows, and the lines that they stand in."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """What one column of a table claims.

    Attributes:
        name: its header, which may name a set of runs.
        series: the values of its runs.
        figures: its figures.
    """

    name: str
    series: tuple[Series, ...]
    figures: tuple[Figure, ...]


def is_table(lines: list[Line], index: int) -> bool:
    """Return whether a table begins at a line: a header, and a rule below it."""
    if index + 1 >= len(lines) or "|" not in lines[index].text:
        return False
    rule = lines[index + 1].text.strip(" >")
    return "-" in rule and "|" in rule and set(rule) <= _RULE


def read_table(lines: list[Line], index: int) -> tuple[Table, int]:
    """Return the table that begins at a line, and the index of the first line behind it."""
    end = index + 2
    while end < len(lines) and "|" in lines[end].text and lines[end].text.strip():
        end += 1
    body = lines[index + 2 : end]
    rows = tuple(_cells(line.text) for line in body)
    return Table(_cells(lines[index].text), rows, tuple(line.number for line in body)), end


def columns(table: Table) -> list[Column]:
    """Return what the columns of a table claim; none where it is neither of runs nor of metrics."""
    kinds = {i: name for i, name in enumerate(table.header) if _holds_runs(name)}
    runs = [row for row, cells in enumerate(table.rows) if _is_run(table.header, cells, kinds)]
    if (
        kinds
        and runs
        and not _tells_stories(table, runs)
        and not _has_repeated_labels(table, runs, kinds)
    ):
        return [_of_runs(table, index, runs) for index in kinds]
    return _of_metrics(table) or _of_rows(table)


def _cells(text: str) -> tuple[str, ...]:
    cells = text.strip(" >\t").strip("|").split("|")
    return tuple(" ".join(plain(cell).split()) for cell in cells)


def _cell(cells: tuple[str, ...], index: int) -> str:
    return cells[index] if index < len(cells) else ""


def _step(name: str) -> int | None:
    match = _STEP_COLUMN.fullmatch(name.lower().replace("_", " "))
    return int(match[1]) if match else None


def _holds_runs(name: str) -> bool:
    found = set(vocabulary.words(name))
    if found & (vocabulary.MEAN | vocabulary.STD | vocabulary.P):
        return False
    return _step(name) is not None or vocabulary.kind_of(name) is not None


def _is_run(header: tuple[str, ...], cells: tuple[str, ...], kinds: dict[int, str]) -> bool:
    """Return whether a row is one run: its first cell numbers or names it, or it is all figures."""
    if _SKIPPED_ROW.search(" ".join(cells)) or not any(_value(_cell(cells, i)) for i in kinds):
        return False
    if 0 in kinds:
        return _value(cells[0]) is not None
    label = cells[0].strip(" .)")
    names_runs = bool(set(vocabulary.words(header[0])) & _RUN_COLUMN) or header[0] in ("", "#")
    is_step = "step" in header[0].lower()
    return (
        not is_step
        and (not label or bool(_RUN_LABEL.fullmatch(label)))
        and (names_runs or len(kinds) > 0)
    )


def _tells_stories(table: Table, runs: list[int]) -> bool:
    """Return whether most rows describe something, such as the records of a track's history."""
    told = [row for row in runs if any(_is_text(cell) for cell in table.rows[row])]
    return 2 * len(told) > len(runs)


def _is_text(cell: str) -> bool:
    return sum(word.isalpha() for word in cell.split()) >= _FEWEST_WORDS


def _has_repeated_labels(table: Table, runs: list[int], kinds: dict[int, str]) -> bool:
    """Return whether the rows are settings: one number in the first column for several rows."""
    if 0 in kinds or set(vocabulary.words(table.header[0])) & _RUN_COLUMN:
        return False
    labels = [table.rows[row][0] for row in runs if table.rows[row][0]]
    return len(set(labels)) < len(labels)


def _value(cell: str) -> Printed | None:
    match = _CELL.fullmatch(cell)
    known = match and (not match[2] or match[2].lower() in vocabulary.UNITS)
    return printed(match[1]) if match and known else None


def _of_runs(table: Table, index: int, runs: list[int]) -> Column:
    name = table.header[index]
    kind = vocabulary.kind_of(name) or "losses"
    step = _step(name)
    cells = [(row, _cell(table.rows[row], index)) for row in runs]
    found = [(row, cell, number) for row, cell in cells if (number := _value(cell))]
    if not found:
        return Column(name, (), ())
    first, cell, _ = found[0]
    match = _CELL.fullmatch(cell)
    unit = vocabulary.UNITS.get((match[2] or "").lower()) if match else None
    series = Series(
        kind=kind,
        name=name,
        numbers=tuple(number for _, _, number in found),
        line=table.lines[first],
        step=step,
        unit=(unit or vocabulary.unit_of(name)) if kind == "times" else None,
    )
    label = ("time" if kind == "times" else "loss", *([series.unit] if series.unit else []))
    others = [row for row in range(len(table.rows)) if row not in set(runs)]
    figures = _row_figures(table, index, others, label, step)
    return Column(name, (series,), figures)


def _row_figures(
    table: Table, index: int, rows: list[int], label: tuple[str, ...], step: int | None
) -> tuple[Figure, ...]:
    """Read rows such as "mean" and "p" of one column; `label` says what the column holds."""
    found: list[Figure] = []
    for row in rows:
        names = tuple(vocabulary.words(table.rows[row][0]))
        name = table.rows[row][0] or "?"
        if _SKIPPED_ROW.search(name) or not set(names) & _STATISTICS:
            continue
        unit = label[1:] if len(label) > 1 else ()
        context = Context(label=(label[0], *names, *unit), step=step)
        found += read_figures(f": {_cell(table.rows[row], index)}", table.lines[row], context)
    return tuple(found)


_STATISTICS = vocabulary.MEAN | vocabulary.STD | vocabulary.P | vocabulary.COUNT


def _of_metrics(table: Table) -> list[Column]:
    """Read a table whose first column names a statistic in each row."""
    values = [
        index
        for index, name in enumerate(table.header)
        if index and not set(vocabulary.words(name)) & _DIFFERENCE
    ]
    found = []
    for index in values:
        figures = _metric_figures(table, index)
        if figures:
            name = table.header[index] if len(values) > 1 else ""
            found.append(Column(name, (), figures))
    return found


def _of_rows(table: Table) -> list[Column]:
    """Read a table whose header names the statistics, with a set of runs in each row."""
    named = [i for i, name in enumerate(table.header) if set(vocabulary.words(name)) & _STATISTICS]
    if len(named) < _FEWEST_STATISTICS:
        return []
    found = []
    for cells, line in zip(table.rows, table.lines, strict=True):
        figures: list[Figure] = []
        step = _step(cells[0]) if "step" in table.header[0].lower() else None
        for index in named:
            context = Context(kind=figures[-1].kind if figures else None, step=step)
            text = f"{table.header[index]} : {_cell(cells, index)}"
            figures += _in_cell(read_figures(text, line, context), cells, index)
        label = cells[0] if 0 not in named and len(table.rows) > 1 else ""
        found.append(Column(label, (), tuple(figures)))
    return found


def _metric_figures(table: Table, index: int) -> tuple[Figure, ...]:
    found: list[Figure] = []
    for cells, line in zip(table.rows, table.lines, strict=True):
        if set(vocabulary.words(cells[0])) & _STATISTICS:
            kind = found[-1].kind if found else None
            text = f"{cells[0]} : {_cell(cells, index)}"
            found += _in_cell(read_figures(text, line, Context(kind=kind)), cells, index)
    return tuple(found)


def _in_cell(figures: list[Figure], cells: tuple[str, ...], index: int) -> list[Figure]:
    """Return the figures whose number stands in the cell, and not in its label."""
    found = re.findall(rf"(?:{NUMBER})", _cell(cells, index))
    texts = {number.text for text in found if (number := printed(text))}
    return [figure for figure in figures if figure.number.text in texts]
