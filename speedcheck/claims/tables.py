"""Tables of runs, in Markdown, CSV and JSON; tables of labels and values."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import PurePath

from speedcheck.claims.model import Figure, Key, Passage, Reader, Rows
from speedcheck.claims.numbers import NUMBER, printed
from speedcheck.claims.text import read_text
from speedcheck.claims.vocabulary import is_known, list_of, step_of

_MOST_COLUMNS = 24
_MOST_ROWS = 10_000

_MARKUP = re.compile(r"[*`~$]|<[^<>\n]{0,80}>")
_NUMBER = re.compile(NUMBER)
_CELL = re.compile(rf"({NUMBER}) ?(ms|s|min|sec)?")
_RUN = re.compile(
    r"\b(?:runs?|names?|seeds?|logs?|files?|trials?|id|idx|index|rep|replicate)\b|#", re.IGNORECASE
)
# Columns of text that a table of runs may have.
_OF_A_RUN = re.compile(
    r"\b(?:log|logs|file|gpu|host|node|machine|status|note|notes|pass)\b", re.IGNORECASE
)
_NAME = re.compile(
    r"\b(?:run|seed|trial|log|rep)(?![a-z])|\S+\.(?:txt|log)\b|\b[0-9a-f]{4,}\b|\b[0-9]+\b|[#_-]",
    re.IGNORECASE,
)
# A label of other words, or of a statistic, is not a run's.
_PROSE = re.compile(r"[A-Za-z]{3,}")
_STATISTIC = re.compile(r"\b(?:p|n|sd|\u03c3|\u03bc)\b", re.IGNORECASE)
_SEED = re.compile(r"(?:seeds?[ _]?)?#?([0-9]{1,18})", re.IGNORECASE)


def read_table(passage: Passage, reader: Reader) -> Iterator[Figure]:
    """Yield the lists of a table of runs; as text its other rows, and labels with values.

    A table of runs has a run, a seed or a log in its first column, and numbers. In a table of
    labels and values each row is read like a line of text; other tables are not read.
    """
    width = len(passage.rows[0][1]) if passage.rows else 0
    rows = tuple(_plain_rows(passage.rows, width))
    if len(rows) < 2 or not 2 <= width <= _MOST_COLUMNS:
        return
    (_, head), own = rows[0], tuple(row for row in rows[1:] if _is_run(row[1][0]))
    if not own or not _are_runs(head, own):
        yield from _as_text(rows[1:], 1, passage, reader) if width == 2 else ()
        return
    others = [row for row in rows[1:] if row not in own]
    for column, heading in enumerate(head[1:], start=1):
        listed = _column(head, own, column, passage, reader)
        if listed and step_of(heading) is None:
            for figure in _as_text(others, column, passage, reader):
                yield replace(figure, is_clear=listed.is_clear)
        if listed:
            # Times in tables are often those of another machine.
            yield replace(listed, is_data=listed.kind == "losses")


def _plain_rows(rows: Rows, width: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield rows without markup, with as many cells as the header."""
    for line, cells in islice(rows, _MOST_ROWS + 1):
        plain = [_MARKUP.sub(" ", cell).strip() for cell in cells[:width]]
        yield line, (*plain, *[""] * (width - len(plain)))


def _is_run(label: str) -> bool:
    """Return whether a row is labelled as a run: by a number, a seed, a log's name or nothing."""
    return not (_PROSE.search(_NAME.sub(" ", label)) or _STATISTIC.search(label))


def _are_runs(head: tuple[str, ...], own: Rows) -> bool:
    """Return whether rows are runs: their first column is headed so, and none is of prose."""
    is_named = _RUN.search(head[0]) if head[0] else not any(cells[0] for _, cells in own)
    return bool(is_named) and not any(
        # A column without a heading holds remarks.
        heading and _is_prose(own, column) and not _OF_A_RUN.search(heading)
        for column, heading in enumerate(head[1:], start=1)
    )


def _is_prose(rows: Rows, column: int) -> bool:
    texts = [cells for _, cells in rows if _PROSE.search(_CELL.sub("", cells[column]))]
    return 2 * len(texts) > len(rows)


def _column(
    head: tuple[str, ...], own: Rows, column: int, passage: Passage, reader: Reader
) -> Figure | None:
    """Return the losses or the times of a column; None where its heading says neither."""
    found = [(row, _CELL.fullmatch(row[1][column])) for row in own]
    read = [(row, number) for row, cell in found if cell and (number := printed(cell[1]))]
    if not read:
        return None
    rows, numbers = zip(*read, strict=True)
    where = reader.where(rows[0][0])
    listed = list_of(head[column] or "-", numbers, passage, where, reader)
    return listed and replace(listed, keys=_keys(head, rows))


def _keys(head: tuple[str, ...], rows: Rows) -> tuple[Key, ...]:
    """Return the seeds of rows, by the first column that is headed so; else their first cells."""
    seeds = next((i for i, heading in enumerate(head) if "seed" in heading.lower()), None)
    if seeds is not None:
        return seeds_of(cells[seeds] for _, cells in rows)
    names = tuple(PurePath(cells[0].lower()).name for _, cells in rows)
    # A number counts the rows.
    return () if any(name.isdigit() for name in names) else names


def seeds_of(labels: Iterable[object]) -> tuple[int, ...]:
    """Return seeds by their labels, such as "42" or "seed 42"; () unless all are seeds."""
    found = [_SEED.fullmatch(str(label).strip()) for label in islice(labels, _MOST_ROWS)]
    seeds = tuple(int(match[1]) for match in found if match)
    return seeds if len(seeds) == len(found) else ()


def _as_text(
    rows: Iterable[tuple[int, tuple[str, ...]]], column: int, passage: Passage, reader: Reader
) -> Iterator[Figure]:
    """Read each row as a line of text: its label, and its value in a column."""
    for line, cells in rows:
        text = f"{cells[0]}: {cells[column]}"
        yield from read_text(replace(passage, text=text, line=line), reader)


def read_csv(text: str, reader: Reader) -> Iterator[Figure]:
    """Yield the columns of a CSV table of runs.

    One with more rows than there are runs is of many trials, and no claim.
    """
    most = 1 + max(reader.sizes, default=0)
    try:
        rows = list(islice(csv.reader(io.StringIO(text)), most + 1))
    except csv.Error:
        return
    if len(rows) <= most:
        numbered = tuple(enumerate(map(tuple, rows), start=1))
        yield from read_table(Passage("table", 1, rows=numbered, context=reader.document), reader)


def read_json(text: str, reader: Reader) -> Iterator[Figure]:
    """Yield what a JSON document states under the measure, `seeds` and `seed_results`.

    Text that is not JSON, or nests too deep, states nothing. Numbers keep their printed digits.
    """
    try:
        document = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return
    is_clear = is_known(reader.document, reader.measure)
    if isinstance(document, dict) and "seed" in document:
        yield from _results([document], "seed", reader.document, reader)
        return
    for key, value in document.items() if isinstance(document, dict) else ():
        where, is_measure = f"{reader.document} {key[:80]}", key.lower() in reader.measure
        if is_measure and isinstance(value, str) and _NUMBER.fullmatch(value):
            number = printed(value)
            if number and is_clear and reader.is_near(number):
                yield Figure("mean", (number,), where, is_data=True, may_be_one_run=True)
        elif isinstance(value, (dict, list)) and (is_measure or key == "seed_results"):
            yield from _results(value, "run" if is_measure else "seed", where, reader)
        elif isinstance(value, (dict, list)) and key == "seeds" and is_clear:
            yield Figure("losses", (), where, keys=seeds_of(value))


def _results(
    value: dict[str, object] | list[object], key: str, where: str, reader: Reader
) -> Iterator[Figure]:
    """Yield the losses of JSON as the table of runs that they are.

    That is {"1337": 1.1192}, {"1337": {"val_bpb": 1.1192}}, [{"seed": 1337, "val_bpb": 1.1192}]
    or, without seeds, [1.1192].
    """
    rows = [(0, (key, reader.measure[0]))]
    entries = value.items() if isinstance(value, dict) else (("", entry) for entry in value)
    for label, entry in islice(entries, _MOST_ROWS):
        own = entry if isinstance(entry, dict) else {reader.measure[0]: entry}
        loss = next((own[word] for word in reader.measure if word in own), "")
        rows.append((0, (str(own.get("seed", label))[:80], str(loss)[:80])))
    table = Passage("table", 1, rows=tuple(rows), context=reader.document)
    for figure in read_table(table, reader):
        yield replace(figure, where=where)
