"""A document to the sets of runs that it speaks of.

A section of the document speaks of one set of runs, until a second list of the same kind or a word
such as "baseline" says that another set begins. Figures belong to the set of the list that the
text computes them from, else to the set that they stand with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from speedcheck.claims import words as vocabulary
from speedcheck.claims.code import Code, Computed, is_code, target_in
from speedcheck.claims.labels import Labels
from speedcheck.claims.lists import (
    FoundList,
    find_bare_lists,
    find_lists,
    find_rows,
    find_split_lists,
)
from speedcheck.claims.merge import merged
from speedcheck.claims.model import ClaimSet, Figure, Kind, Role, Series, Strength, loosened
from speedcheck.claims.numbers import Printed, printed
from speedcheck.claims.prose import Context, read_figures
from speedcheck.claims.results import read_result
from speedcheck.claims.tables import Column, columns, is_table, read_table
from speedcheck.claims.text import Line, normalised, plain, read_lines

_STEP = re.compile(r"(?:step|@)[ _:=]*([0-9]{2,6})\b|(?<![0-9])([0-9]{3,6})[ _]steps?\b")
_DIGIT = re.compile(r"[0-9]")
# Quotes, items and the like before a line's text; the sign of "# -3.2" belongs to its number.
_MARKS = re.compile(r"(?:[#>+→\s]|-(?![0-9.])|Out ?\[[0-9]{1,4}\]:)*")
# "seed 3: 3.2784" and "3: dict(loss=3.2784": of "1. 3.28 is reached" nothing says what it is.
_LOSS_OF_RUN = r"([0-9]\.[0-9]{2,8})\b(?!\s?(?:[%hsx]|ms|min|mins|minutes|hours)\b)"
_NAMED_LOSS = r"(?:final[ _])?(?:val(?:idation)?[ _])?loss\W{1,4}"
_ITEM = re.compile(
    rf"\W{{0,8}}(?:run|seed|trial|rep)\W{{0,4}}[0-9]{{1,4}}\s?\W{{1,3}}(?:{_NAMED_LOSS})?{_LOSS_OF_RUN}"
    rf"|\W{{0,8}}[0-9]{{1,4}}\W{{1,4}}(?:dict\()?{_NAMED_LOSS}{_LOSS_OF_RUN}",
    re.IGNORECASE,
)
_VISIBLE = re.compile(r"[^\n]")
_HTML_CELL = re.compile(r"<t[dh]\b", re.IGNORECASE)
_LINE_OF_LOG = re.compile(r"step:([0-9]{1,7})/([0-9]{1,7}) val_loss:([0-9]{1,4}\.[0-9]{1,8})\b")

MAX_FIGURES = 1_000
MAX_SERIES = 200

# Runs of one program differ by less; the values of one run over its steps by more.
_MOST_SPREAD = 1.5
# A loss with fewer is a number of something else.
_FEWEST_DIGITS = 2

# Lines between two quoted runs: the lines of a log from its training.
_MOST_BETWEEN = 3
# More runs than any record has; a list is copied as it grows.
_MOST_QUOTED = 2_000
# A longer line tells a story, in which a figure may be of anything.
_MAX_SURE_WORDS = 30
_SKIPPED_LANGUAGES = frozenset({"diff", "patch", "c", "cpp", "cuda", "yaml", "toml", "json"})


def read_claims(text: str) -> list[ClaimSet]:
    """Return the sets of runs that a document claims figures of, in its order.

    The first `MAX_FIGURES` figures and `MAX_SERIES` lists are read; what looks like no claim is
    left out.
    """
    reader = _Reader(normalised(text))
    reader.read()
    return merged(reader.sets)


class _Reader:
    """The state of reading one document."""

    def __init__(self, text: str) -> None:
        self.sets: list[ClaimSet] = []
        self.current: ClaimSet | None = None
        self.labels = Labels()
        self.code = Code()
        self.figures = 0
        self.series = 0
        self.items = 0
        self.fence = 0
        lists: list[FoundList] = []
        for find in (find_lists, find_split_lists, find_bare_lists, find_rows):
            found = [one for one in find(_without(text, lists)) if _kind(one)]
            lists = sorted([*lists, *found], key=lambda one: one.start)
        self.lists: dict[int, list[FoundList]] = {}
        for one in lists:
            self.lists.setdefault(text.count("\n", 0, one.start) + 1, []).append(one)
        self.lines = list(read_lines(_without(text, lists)))

    def read(self) -> None:
        index = 0
        while index < len(self.lines) and self.figures < MAX_FIGURES:
            line = self.lines[index]
            self._enter(line)
            if line.language in _SKIPPED_LANGUAGES:
                index += 1
            elif is_table(self.lines, index):
                table, index = read_table(self.lines, index)
                for column in columns(table):
                    self._column(line, column)
            else:
                self._line(line)
                index += 1

    def _enter(self, line: Line) -> None:
        """Forget what was said before where a section or a code block begins."""
        if self.current and self.current.section != line.section:
            self.current, self.items = None, 0
            self.labels.clear()
        if line.fence != self.fence:
            # What was said before a code block is not said of what follows it.
            if not line.fence:
                self.labels.clear()
            self.fence, self.code = line.fence, Code()

    def _line(self, line: Line) -> None:
        for found in self.lists.get(line.number, ()):
            self._list(line, found)
        text = line.text
        if is_code(text):
            self._code(line, text)
            return
        if _DIGIT.search(text) and not self._one_run(line):
            self._result(line, _MARKS.sub("", plain(text), count=1))
        if not line.fence and line.number not in self.lists:
            self.labels.add(text)

    def _code(self, line: Line, text: str) -> None:
        code, _, comment = text.partition("#")
        self.code.add(code)
        where = self._set_of(line, ())
        target = target_in(code)
        if target is not None and where:
            where.target = target
        if where and "less" in code:
            where.one_sided = True
        if comment:
            self._result(line, _MARKS.sub("", plain(comment), count=1))

    def _result(self, line: Line, text: str) -> None:
        known = (series.name for claims in self.sets for series in claims.series if series.name)
        names = frozenset(known) if self.code else frozenset()
        figures: list[Figure] = []
        for part, computed in self.code.results(text, names):
            context = self._context(line, computed)
            found = read_result(part, line.number, context) or read_figures(
                part, line.number, context
            )
            figures += found if computed.is_plain else map(loosened, found)
        # In a row of an HTML table nothing says which set of runs a column is of.
        is_sure = len(text.split()) <= _MAX_SURE_WORDS and not _HTML_CELL.search(line.text)
        foreign = vocabulary.OTHER_TESTS & self.code.words()
        figures = [
            loosened(figure) if not is_sure or (foreign and figure.what == "p") else figure
            for figure in figures
        ]
        if figures:
            self.code = Code()
        self._add(line, figures, owner=text)

    def _context(self, line: Line, computed: Computed) -> Context:
        named = computed.of
        strength: Strength = "tied" if named else "stated"
        return Context(
            kind=self._kind_spoken_of(),
            label=computed.label,
            of=named,
            step=_step_in(" ".join((*line.headings[-1:], *self.labels.texts)))
            if not named
            else None,
            strength=strength,
            target=computed.target,
        )

    def _kind_spoken_of(self) -> Kind | None:
        """Return what the labels say, what the last figure is of, or what the set's lists hold."""
        for label in reversed(self.labels.texts):
            if kind := vocabulary.only_kind_in(label):
                return kind
        if self.current is None:
            return None
        if self.current.figures:
            return self.current.figures[-1].kind
        kinds = {series.kind for series in self.current.series}
        return kinds.pop() if len(kinds) == 1 else None

    def _list(self, line: Line, found: FoundList) -> None:
        kind = _kind(found)
        if kind is None:
            return
        unit = vocabulary.unit_of(found.name) if kind == "times" else None
        series = Series(kind, found.name, found.numbers, line.number, _step_in(found.name), unit)
        self._place(line, series, owner=found.name)

    def _one_run(self, line: Line) -> bool:
        """Read a line of a log that the text quotes, or "seed 3: 3.2784", as one more of a list."""
        text = plain(line.text)
        log, item = _LINE_OF_LOG.search(text), _ITEM.match(text)
        if log and log[1] != log[2]:
            return True
        match = log[3] if log else (item[1] or item[2]) if item else ""
        loss = printed(match) if match else None
        if loss is None:
            return False
        if not self._extend(line, loss):
            self._place(line, Series("losses", "", (loss,), line.number), owner="")
            self.items = line.number
        return True

    def _extend(self, line: Line, loss: Printed) -> bool:
        """Add a loss to the list that the line above began or went on with."""
        if self.current is None or not self.items or line.number > self.items + _MOST_BETWEEN:
            return False
        known = self.current.of_kind("losses")[-1]
        if len(known.numbers) == _MOST_QUOTED:
            return False
        position = self.current.series.index(known)
        self.current.series[position] = replace(known, numbers=(*known.numbers, loss))
        self.items = line.number
        return True

    def _column(self, line: Line, column: Column) -> None:
        for series in column.series:
            self._place(line, series, owner=column.name)
        figures = [
            replace(f, of=frozenset({s.name for s in column.series})) for f in column.figures
        ]
        self._add(line, figures, owner=column.name)

    def _place(self, line: Line, series: Series, *, owner: str) -> None:
        """Add a list to the set that it belongs to, which may be a new one."""
        self.series += 1
        if self.series > MAX_SERIES:
            return
        role = self._role_of(line, owner)
        home = next(
            (
                claims
                for claims in reversed(self.sets)
                if claims.section == line.section
                and claims.role == role
                and not any((s.kind, s.step) == (series.kind, series.step) for s in claims.series)
            ),
            None,
        )
        if home is None:
            home = self._new_set(line, role, owner)
        home.series.append(series)
        self.current = home

    def _new_set(self, line: Line, role: Role, owner: str) -> ClaimSet:
        name = " / ".join(part for part in (*line.headings, *self.labels.texts, owner) if part)
        claims = ClaimSet(name=name, role=role, section=line.section)
        self.sets.append(claims)
        return claims

    def _set_of(
        self, line: Line, named: Iterable[str], kind: Kind | None = None
    ) -> ClaimSet | None:
        """Return the set of a named list, else the one spoken of if it may have such figures."""
        names = set(named)
        for claims in reversed(self.sets):
            if names & {series.name for series in claims.series}:
                return claims
        here = [claims for claims in self.sets if claims.section == line.section]
        current = self.current if self.current in here else None
        if current and kind and current.series and not current.of_kind(kind):
            return next((c for c in reversed(here) if c.of_kind(kind)), current)
        return current

    def _role_of(self, line: Line, owner: str) -> Role:
        """Return whose something is by its own name, else by what stands above it."""
        if vocabulary.is_own(owner):
            return "record"
        above = (vocabulary.role_of(*line.headings), vocabulary.role_of(*self.labels.texts))
        return "other" if "other" in (vocabulary.role_of(owner), *above) else "record"

    def _add(self, line: Line, figures: list[Figure], *, owner: str) -> None:
        """Add figures to the set of their list, else to the one whose they say that they are."""
        role = self._role_of(line, owner)
        is_said = role == "other" or vocabulary.is_own(owner)
        for figure in figures[: MAX_FIGURES - self.figures]:
            claims = self._set_of(line, figure.of, figure.kind)
            if claims is None or (is_said and not figure.of and claims.role != role):
                claims = self._other_set(line, role)
            claims.figures.append(figure)
            claims.one_sided |= "one-sided" in line.text.lower()
            self.figures += 1

    def _other_set(self, line: Line, role: Role) -> ClaimSet:
        for claims in reversed(self.sets):
            if claims.section == line.section and claims.role == role:
                return claims
        claims = self._new_set(line, role, "")
        if role == "record" or self.current is None:
            self.current = claims
        return claims


def _kind(found: FoundList) -> Kind | None:
    """Return what a list holds; None where it is neither losses nor times."""
    if not found.name:
        return _nameless_kind(found)
    values = [number.value for number in found.numbers]
    if min(values) <= 0 or max(values) > _MOST_SPREAD * min(values):
        return None
    kind = vocabulary.kind_of(found.name)
    if kind is None and vocabulary.names_a_set(found.name):
        return _nameless_kind(found)
    digits = max(number.decimals for number in found.numbers)
    return kind if kind == "times" or digits >= _FEWEST_DIGITS else None


def _nameless_kind(found: FoundList) -> Kind | None:
    return "losses" if all(_is_likely_loss(number) for number in found.numbers) else None


def _without(text: str, lists: list[FoundList]) -> str:
    """Return the text with blanks for its lists: everything else stays where it was."""
    parts, position = [], 0
    for found in lists:
        blank = _VISIBLE.sub(" ", text[found.start : found.end])
        parts += [text[position : found.start], blank]
        position = found.end
    return "".join([*parts, text[position:]])


def _step_in(text: str) -> int | None:
    match = _STEP.search(text.lower()[:500])
    return int(match[1] or match[2]) if match else None


def _is_likely_loss(number: Printed) -> bool:
    # 4-decimal logs print 3.28 for 3.2800, so a value may have fewer decimals.
    return 2 < number.value < 5 and number.decimals >= 1
