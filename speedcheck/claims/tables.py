"""Tables: columns that are headed with the measure or with times, and tables of two columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import zip_longest

from speedcheck.certificate import ClaimBasis
from speedcheck.claims import words
from speedcheck.claims.markdown import Block
from speedcheck.claims.model import Figure, Kind, Reader, Series, Unit
from speedcheck.claims.numbers import NUMBER, Printed, printed
from speedcheck.claims.text import read_text

_MOST_COLUMNS = 24
_MOST_ROWS = 10_000

_MARKUP = re.compile(r"[*`~$]|<[^<>\n]{0,80}>")
_CELL = re.compile(rf"({NUMBER}) ?(ms|s|min|sec)?")
_SUMMARY = re.compile(
    r"\b(?:mean|average|avg|std|sd|stdev|stddev|median|min|max|total|sum|delta|p|n|best|worst"
    r"|\u03c3|\u03bc)\b",
    re.IGNORECASE,
)
_RUN = re.compile(
    r"\b(?:runs?|seeds?|logs?|files?|trials?|id|idx|index|rep|replicate)\b|#", re.IGNORECASE
)
# Columns of text that a table of runs may have.
_OF_A_RUN = re.compile(
    r"\b(?:log|logs|file|gpu|host|node|machine|status|note|notes|pass)\b", re.IGNORECASE
)
_NAME = re.compile(
    r"\b(?:run|seed|trial|log|rep)\b|\S+\.(?:txt|log)\b|\b[0-9a-f]{4,}\b|[0-9#_-]+", re.IGNORECASE
)
_PROSE = re.compile(r"[A-Za-z]{3,}")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table: its cells without markup, and its line."""

    cells: tuple[str, ...]
    line: int


def read_table(block: Block, reader: Reader) -> tuple[list[Series], list[Figure]]:
    """Return the lists of a table of runs, with the means below them; else its figures.

    A table of runs has a run, a seed or a log in its first column, and numbers. In a table of
    labels and values each row is read like a line of text; other tables are not read.
    """
    rows = _cleaned(block)
    if len(rows) < 2 or len(rows[0].cells) > _MOST_COLUMNS:
        return [], []
    header, body = rows[0].cells, rows[1:]
    if _is_transposed(header, body, reader):
        columns = zip_longest(*(row.cells for row in rows), fillvalue="")
        turned = [_Row(tuple(cells), rows[0].line) for cells in columns]
        header, body = turned[0].cells, turned[1:]
    if not _is_of_runs(header, body):
        is_labels = len(header) == 2
        return [], _labelled(header, body, block, reader) if is_labels else []
    return _columns(header, body, block, reader)


def _cleaned(block: Block) -> list[_Row]:
    # The header, the line below it, the body.
    lines = [block.line, *range(block.line + 2, block.line + 2 + len(block.rows))]
    return [
        _Row(tuple(_clean(cell) for cell in cells), line)
        for cells, line in zip(block.rows[: _MOST_ROWS + 1], lines, strict=False)
    ]


def _clean(cell: str) -> str:
    return _MARKUP.sub(" ", cell).strip()


def _is_transposed(header: tuple[str, ...], body: list[_Row], reader: Reader) -> bool:
    """Return whether the runs are the columns: "| seed | 42 | 1337 |" above "| val_bpb | ..."."""
    if len(header) < 3 or len(body) > 8 or not all(c[:1].isdigit() or c == "" for c in header[1:3]):
        named = [cell for cell in header[1:] if _RUN.search(cell) and re.search(r"[0-9]", cell)]
        if len(named) < 2:
            return False
    labels = [row.cells[0] for row in body if row.cells]
    return any(words.names_measure(label, reader.measure) for label in labels)


def _is_of_runs(header: tuple[str, ...], body: list[_Row]) -> bool:
    """Return whether each row is a run: named as one, with no column of prose."""
    if not (_RUN.search(header[0]) or header[0].lower() in ("", "metric")):
        return False
    own = [row for row in body if row.cells and not _SUMMARY.search(row.cells[0])]
    if not all(_is_name(row.cells[0], header[0]) for row in own):
        return False
    for column, heading in enumerate(header[1:], start=1):
        cells = [row.cells[column] for row in own if column < len(row.cells)]
        prose = [cell for cell in cells if _PROSE.search(_CELL.sub("", cell))]
        # A column without a heading holds remarks.
        if heading and 2 * len(prose) > len(cells) and not _OF_A_RUN.search(heading):
            return False
    return bool(own)


def _is_name(label: str, heading: str) -> bool:
    """Return whether a label is of a run: a number, a log's name, and no setting in words.

    Without a heading it must be a number or say that it is a run.
    """
    if words.is_baseline(label):
        return True
    rest = _NAME.sub(" ", label)
    return not _PROSE.search(rest) and (heading != "" or rest.strip() == "")


def _columns(
    header: tuple[str, ...], body: list[_Row], block: Block, reader: Reader
) -> tuple[list[Series], list[Figure]]:
    own = [
        row
        for row in body
        if row.cells and not _SUMMARY.search(row.cells[0]) and not words.is_baseline(row.cells[0])
    ]
    series: list[Series] = []
    figures: list[Figure] = []
    for column, heading in enumerate(header):
        kind = _kind(heading, reader)
        if kind is None or column == 0:
            continue
        step = words.step_of(heading)
        found = [(row, number) for row in own if (number := _number(row, column))]
        is_losses = kind == "losses" and all(reader.is_near(n.value) for _, n in found)
        if not found or (kind == "losses" and not is_losses):
            continue
        is_data = is_losses and not words.is_qualified(heading)
        basis: ClaimBasis = "data" if is_data else "text"
        lead = block.lead[-200:] if block.lead.rstrip().endswith(":") else ""
        seeds = [_seed(row.cells[0]) for row, _ in found] if words.is_seed(header[0]) else [None]
        series.append(
            Series(
                kind=kind,
                name=heading,
                numbers=tuple(number for _, number in found),
                where=reader.where(found[0][0].line),
                basis=basis,
                is_other=words.is_baseline(f"{heading} {block.heading} {lead}"),
                step=step,
                unit=words.unit_of(heading) or _unit(found[0][0], column),
                seeds=tuple(s for s in seeds if s is not None) if None not in seeds else (),
            )
        )
        if kind == "losses":
            figures += _summaries(body, column, series[-1], block, reader)
    return series, figures


def _kind(heading: str, reader: Reader) -> Kind | None:
    """Return what a column lists, where its heading is of the measure, a step or times alone."""
    is_step = re.fullmatch(r"step[ _]?[0-9]{1,7}|[^@]{0,20}@ ?[0-9]{1,7}", heading, re.IGNORECASE)
    plain = re.sub(r"(?:at )?step[ _]?[0-9]+|@ ?[0-9]+", "", heading, flags=re.IGNORECASE)
    kind = "losses" if is_step else words.kind_of(plain, reader.measure)
    return None if kind is None or words.is_other_metric(plain, kind, reader.measure) else kind


def _number(row: _Row, column: int) -> Printed | None:
    cell = row.cells[column] if column < len(row.cells) else ""
    found = _CELL.fullmatch(cell)
    return printed(found[1]) if found else None


def _unit(row: _Row, column: int) -> Unit | None:
    found = _CELL.fullmatch(row.cells[column])
    return words.unit_of(found[2]) if found and found[2] else None


def _seed(label: str) -> int | None:
    found = re.fullmatch(r"(?:seed ?)?#?([0-9]{1,12})", label, re.IGNORECASE)
    return int(found[1]) if found else None


def _summaries(
    body: list[_Row], column: int, series: Series, block: Block, reader: Reader
) -> list[Figure]:
    """Read the mean and the deviation below a column: text, of the list above them."""
    figures: list[Figure] = []
    for row in body:
        number = _number(row, column)
        if number and row.cells and _SUMMARY.search(row.cells[0]) and series.step is None:
            text = f"{row.cells[0].lower()}: {number.text}"
            found = read_text(text, row.line, block.heading, reader)
            figures += [replace(figure, of=series) for figure in found if figure.what != "p"]
    return figures


def _labelled(
    header: tuple[str, ...], body: list[_Row], block: Block, reader: Reader
) -> list[Figure]:
    """Read a table of labels and values, line by line."""
    about = f"{block.heading} {header[1]}"
    return [
        figure
        for row in body
        if len(row.cells) == 2
        for figure in read_text(f"{row.cells[0]}: {row.cells[1]}", row.line, about, reader)
    ]
