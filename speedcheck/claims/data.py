"""Tables of runs in Markdown and CSV, tables of labels and values, and JSON beside the logs."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice, zip_longest

from speedcheck.claims import words
from speedcheck.claims.model import Figure, Grade, Kind, Passage, Reader, Unit
from speedcheck.claims.numbers import NUMBER, Printed, printed
from speedcheck.claims.text import read_text

_MOST_COLUMNS = 24
_MOST_ROWS = 10_000
# Rows of a table of labels and values that are read.
_MOST_LABELS = 300

_NUMBER = re.compile(NUMBER)
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
_AT_STEP = re.compile(r"(?:at )?step[ _]?[0-9]{1,7}|@ ?[0-9]{1,7}", re.IGNORECASE)
_SEED = re.compile(r"(?:seeds?[ _]?)?#?([0-9]{1,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table: its cells without markup, and its line."""

    cells: tuple[str, ...]
    line: int

    def cell(self, column: int) -> str:
        return self.cells[column] if column < len(self.cells) else ""

    def number(self, column: int) -> Printed | None:
        found = _CELL.fullmatch(self.cell(column))
        return printed(found[1]) if found else None

    @property
    def is_run(self) -> bool:
        """Whether it is of one run of the record."""
        label = self.cell(0)
        return not _SUMMARY.search(label) and not words.is_baseline(label)


def read_table(passage: Passage, reader: Reader) -> list[Figure]:
    """Return the lists of a table of runs, with the means below them; else its figures.

    A table of runs has a run, a seed or a log in its first column, and numbers. In a table of
    labels and values each row is read like a line of text; other tables are not read.
    """
    # The header, the line below it, the body.
    lines = (passage.line, *range(passage.line + 2, passage.line + 2 + len(passage.rows)))
    rows = [
        _Row(tuple(_MARKUP.sub(" ", cell).strip() for cell in cells), line)
        for cells, line in zip(passage.rows[: _MOST_ROWS + 1], lines, strict=False)
    ]
    if len(rows) < 2 or len(rows[0].cells) > _MOST_COLUMNS:
        return []
    if _is_transposed(rows, reader):
        turned = zip_longest(*(row.cells for row in rows), fillvalue="")
        rows = [_Row(tuple(cells), passage.line) for cells in turned]
    if not _is_of_runs(rows):
        return _labelled(rows, passage, reader) if len(rows[0].cells) == 2 else []
    return _columns(rows, passage, reader)


def _is_transposed(rows: list[_Row], reader: Reader) -> bool:
    """Return whether the runs are the columns: "| seed | 42 | 1337 |" above "| val_bpb | ..."."""
    named = [cell for cell in rows[0].cells[1:] if re.search(r"[0-9]", cell)]
    is_head = len(named) > 1 and (named[0][0].isdigit() or bool(_RUN.search(named[0])))
    return is_head and any(words.names_measure(row.cell(0), reader.measure) for row in rows[1:9])


def _is_of_runs(rows: list[_Row]) -> bool:
    """Return whether each row is a run: named as one, with no column of prose."""
    head = rows[0].cells
    if not (_RUN.search(head[0]) or head[0].lower() in ("", "metric")):
        return False
    own = [row for row in rows[1:] if row.is_run]
    for row in own:
        # A number or a log's name, and no setting in words; without a heading nothing else.
        rest = _NAME.sub(" ", row.cell(0)).strip()
        if _PROSE.search(rest) or (rest and not head[0]):
            return False
    for column, heading in enumerate(head[1:], start=1):
        prose = [row for row in own if _PROSE.search(_CELL.sub("", row.cell(column)))]
        # A column without a heading holds remarks.
        if heading and 2 * len(prose) > len(own) and not _OF_A_RUN.search(heading):
            return False
    return bool(own)


def _columns(rows: list[_Row], passage: Passage, reader: Reader) -> list[Figure]:
    head = rows[0].cells
    figures: list[Figure] = []
    for column, heading in enumerate(head[1:], start=1):
        listed = _column(rows, column, heading, passage, reader)
        if listed is None:
            continue
        figures.append(listed)
        if listed.what == "losses" and listed.step is None:
            figures += _summaries(rows, column, listed, passage, reader)
    return figures


def _column(
    rows: list[_Row], column: int, heading: str, passage: Passage, reader: Reader
) -> Figure | None:
    """Return the losses or the times of a column; None where its heading says neither."""
    plain = _AT_STEP.sub("", heading)
    at_step = plain != heading and not words.words(plain)
    kind: Kind | None = "losses" if at_step else words.kind_of(plain, reader.measure)
    own = [row for row in rows[1:] if row.is_run and row.number(column)]
    numbers = tuple(number for row in own if (number := row.number(column)))
    if kind is None or not numbers or (kind == "losses" and not reader.is_near(*numbers)):
        return None
    grade = words.grade_of(plain, kind, reader.measure)
    if words.is_baseline(f"{heading} {passage.heading} {passage.said}"):
        grade = Grade.CONFIRM
    elif kind == "times":
        grade = min(grade, Grade.WARN)
    is_keyed = "seed" in rows[0].cell(0).lower()
    return Figure(
        kind,
        numbers,
        reader.where(own[0].line),
        grade,
        step=words.step_of(heading),
        unit=words.unit_of(heading) or _unit(own[0].cell(column)),
        seeds=seeds_of(row.cell(0) for row in own) if is_keyed else (),
    )


def _unit(cell: str) -> Unit | None:
    found = _CELL.fullmatch(cell)
    return words.unit_of(found[2] or "") if found else None


def seeds_of(labels: Iterable[object]) -> tuple[int, ...]:
    """Return seeds by their labels, such as "42" or "seed 42"; () unless all are seeds."""
    found = [_SEED.fullmatch(str(label).strip()) for label in islice(labels, _MOST_ROWS)]
    seeds = tuple(int(match[1]) for match in found if match)
    return seeds if len(seeds) == len(found) else ()


def _summaries(
    rows: list[_Row], column: int, listed: Figure, passage: Passage, reader: Reader
) -> list[Figure]:
    """Read the mean and the deviation below a column: text, of the list above them."""
    own = (row for row in rows[1:] if _SUMMARY.search(row.cell(0)) and row.number(column))
    found = [f for row in own for f in _line(row, row.cell(column), passage, reader)]
    return [replace(figure, of=listed) for figure in found if figure.what != "p"]


def _labelled(rows: list[_Row], passage: Passage, reader: Reader) -> list[Figure]:
    """Read a table of labels and values, line by line."""
    about = replace(passage, heading=f"{passage.heading} {rows[0].cell(1)}")
    return [f for row in rows[1:_MOST_LABELS] for f in _line(row, row.cell(1), about, reader)]


def _line(row: _Row, value: str, passage: Passage, reader: Reader) -> list[Figure]:
    text = f"{row.cell(0)}: {value}"
    return read_text(replace(passage, text=text, line=row.line), reader)


def read_csv(text: str, reader: Reader) -> list[Figure]:
    """Return the columns of a CSV table of runs that are headed with the measure.

    One with more rows than there are runs is of many trials, and no claim.
    """
    try:
        rows = list(islice(csv.reader(io.StringIO(text)), reader.n_runs + 2))
    except csv.Error:
        return []
    found: list[Figure] = []
    if len(rows) < 2 or len(rows) > reader.n_runs + 1 or not rows[0]:
        return found
    key = rows[0][0].strip()
    if not _RUN.fullmatch(key):
        return found
    for column, heading in enumerate(rows[0][:64]):
        if heading.strip().lower() in reader.measure:
            cells = [(row[0], row[column]) for row in rows[1:] if column < len(row)]
            seeds = seeds_of(label for label, _ in cells) if "seed" in key.lower() else ()
            where = f"{reader.document} {heading.strip()}"
            found += _listed([cell for _, cell in cells], seeds, where, reader)
    return found


class _Digits(str):
    """A number of a JSON document, kept as the digits that it is written with."""

    __slots__ = ()


def read_json(text: str, reader: Reader) -> list[Figure]:
    """Return what a JSON document states under the measure, `seeds` and `seed_results`.

    Text that is not JSON, or nests too deep, states nothing.
    """
    try:
        document = json.loads(text, parse_float=_Digits, parse_int=_Digits, parse_constant=str)
    except (ValueError, RecursionError):
        return []
    found: list[Figure] = []
    for key, value in document.items() if isinstance(document, dict) else ():
        where = f"{reader.document} {key[:80]}"
        if key.lower() in reader.measure and isinstance(value, list):
            found += _listed(value, (), where, reader)
        elif key.lower() in reader.measure:
            number = _printed(value)
            if number and reader.is_near(number):
                found.append(Figure("mean", (number,), where, Grade.REFUTE, may_be_one_run=True))
        elif key == "seed_results":
            found += _by_seed(value, where, reader)
        elif key == "seeds" and isinstance(value, (list, dict)):
            seeds = seeds_of(value)
            found += [Figure("losses", (), where, seeds=seeds)] if seeds else []
    return found


def _by_seed(value: object, where: str, reader: Reader) -> list[Figure]:
    """Read {"1337": {"val_bpb": 1.1192}}, {"1337": 1.1192} or [{"seed": 1337, "val_bpb": ...}]."""
    entries: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = ((entry.get("seed"), entry) for entry in value if isinstance(entry, dict))
    pairs = [(seed, _loss_of(entry, reader)) for seed, entry in entries]
    known = [(seed, loss) for seed, loss in pairs if loss is not None]
    return _listed([loss for _, loss in known], seeds_of(s for s, _ in known), where, reader)


def _loss_of(entry: object, reader: Reader) -> object:
    if not isinstance(entry, dict):
        return entry
    return next((entry[word] for word in reader.measure if word in entry), None)


def _listed(
    values: list[object] | list[str], seeds: tuple[int, ...], where: str, reader: Reader
) -> list[Figure]:
    """Return values as a list of losses; none unless all of them can be."""
    found = [_printed(value) for value in values[:_MOST_ROWS]]
    numbers = tuple(number for number in found if number)
    if not numbers or not reader.is_near(*numbers):
        return []
    keyed = seeds if len(seeds) == len(numbers) else ()
    return [Figure("losses", numbers, where, Grade.REFUTE, seeds=keyed)]


def _printed(value: object) -> Printed | None:
    """Read a number as it is written; anything else is none."""
    is_number = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
    return printed(str(value).strip()) if is_number else None
