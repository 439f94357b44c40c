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
from speedcheck.claims.lists import FoundList, find_bare_lists, find_lists
from speedcheck.claims.merge import merged
from speedcheck.claims.model import ClaimSet, Figure, Kind, Role, Series, Strength
from speedcheck.claims.numbers import Printed, printed
from speedcheck.claims.prose import Context, read_figures
from speedcheck.claims.results import read_result
from speedcheck.claims.tables import Column, columns, is_table, read_table
from speedcheck.claims.text import Line, normalised, plain, read_lines

_CODE = re.compile(
    r"\s*(?:>>> |\.\.\. |\$ |import |from \S+ import|print\(|def |for |if |with |return |assert )"
    r"|\s*[A-Za-z_][\w., ]{0,80}\s*[-+*/]?=\s*[A-Za-z_][\w.]{0,80}[(\[.]"
)
_TARGET = re.compile(
    r"ttest_1samp\([^,()]{1,200},\s*(?:popmean\s*=\s*)?([0-9]{1,4}(?:\.[0-9]{1,8})?)"
)
_STEP = re.compile(r"(?:step|@)[ _:=]*([0-9]{2,6})\b|(?<![0-9])([0-9]{3,6})[ _]steps?\b")
_DIGIT = re.compile(r"[0-9]")
_NAME = re.compile(r"[A-Za-z_]\w*")
_ITEM = re.compile(
    r"\s*(?:[-*+] )?(?:run|seed|trial|rep) ?#?[0-9]{1,4}\s?[:=-]\s?(?:(?:val[ _])?loss\s?[:=]?\s?)?"
    r"([0-9]\.[0-9]{3,8})\b",
    re.IGNORECASE,
)
_HTML_CELL = re.compile(r"<t[dh]\b", re.IGNORECASE)
_LINE_OF_LOG = re.compile(r"step:([0-9]{1,7})/([0-9]{1,7}) val_loss:([0-9]{1,4}\.[0-9]{1,8})\b")

MAX_FIGURES = 1_000
MAX_SERIES = 200

# Runs of one program differ by less; the values of one run over its steps by more.
_MOST_SPREAD = 1.5
# A loss with fewer is a number of something else.
_FEWEST_DIGITS = 2

# A title or a remark before a list that says what it is of; longer text says other things too.
_MAX_LABEL_WORDS = 10
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
        self.label = ""
        self.code: list[str] = []
        self.figures = 0
        self.series = 0
        self.items = 0
        self.fence = 0
        bracketed = [found for found in find_lists(text) if _kind(found)]
        bare = [found for found in find_bare_lists(_without(text, bracketed)) if _kind(found)]
        lists = sorted([*bracketed, *bare], key=lambda found: found.start)
        self.lists: dict[int, list[FoundList]] = {}
        for found in lists:
            self.lists.setdefault(text.count("\n", 0, found.start) + 1, []).append(found)
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
            self.current, self.label, self.items = None, "", 0
        if line.fence != self.fence:
            # What was said before a code block is not said of what follows it.
            self.label = self.label if line.fence else ""
            self.fence, self.code = line.fence, []

    def _line(self, line: Line) -> None:
        for found in self.lists.get(line.number, ()):
            self._list(line, found)
        text = line.text
        if _CODE.match(text):
            self._code(line, text)
            return
        if _DIGIT.search(text) and not self._one_run(line):
            self._result(line, plain(text).strip().lstrip("#>-+ "))
        if not line.fence and line.number not in self.lists:
            self._remember_label(text)

    def _code(self, line: Line, text: str) -> None:
        code, _, comment = text.partition("#")
        self.code = [*self.code[-4:], code]
        where = self._set_of(line, ())
        target = _TARGET.search(code)
        if target and where and (number := printed(target[1])):
            where.target = number.value
        if where and "less" in code:
            where.one_sided = True
        if comment:
            self._result(line, plain(comment).strip())

    def _result(self, line: Line, text: str) -> None:
        context = self._context(line)
        figures = read_result(text, line.number, context) or read_figures(
            text, line.number, context
        )
        # In a row of an HTML table nothing says which set of runs a column is of.
        is_sure = len(text.split()) <= _MAX_SURE_WORDS and not _HTML_CELL.search(line.text)
        foreign = vocabulary.OTHER_TESTS & set(vocabulary.words(" ".join(self.code)))
        figures = [
            replace(figure, strength="loose")
            if not is_sure or (foreign and figure.what == "p")
            else figure
            for figure in figures
        ]
        if figures:
            self.code = []
        self._add(line, figures, role=vocabulary.role_of(text))

    def _context(self, line: Line) -> Context:
        named = self._named()
        computed = self.code[-1] if self.code else ""
        strength: Strength = "tied" if named else "stated"
        return Context(
            kind=self._kind_spoken_of(),
            label=tuple(vocabulary.words(computed)[-6:]),
            of=named,
            step=_step_in(" ".join((*line.headings[-1:], self.label))) if not named else None,
            strength=strength,
        )

    def _kind_spoken_of(self) -> Kind | None:
        """Return what the last figure is of, else what the set's lists hold, if that is one."""
        if self.current is None:
            return None
        if self.current.figures:
            return self.current.figures[-1].kind
        kinds = {series.kind for series in self.current.series}
        return kinds.pop() if len(kinds) == 1 else None

    def _named(self) -> frozenset[str]:
        """Return the lists that the newest line of code which names one computes from."""
        known = {series.name for claims in self.sets for series in claims.series if series.name}
        for line in reversed(self.code):
            if found := known & set(_NAME.findall(line)):
                return frozenset(found)
        return frozenset()

    def _list(self, line: Line, found: FoundList) -> None:
        kind = _kind(found)
        if kind is None:
            return
        unit = vocabulary.unit_of(found.name) if kind == "times" else None
        series = Series(kind, found.name, found.numbers, line.number, _step_in(found.name), unit)
        self._place(line, series, role=vocabulary.role_of(found.name), owner=found.name)

    def _one_run(self, line: Line) -> bool:
        """Read a line of a log that the text quotes, or "seed 3: 3.2784", as one more of a list."""
        text = plain(line.text)
        log, item = _LINE_OF_LOG.search(text), _ITEM.match(text)
        if log and log[1] != log[2]:
            return True
        match = log[3] if log else item[1] if item else ""
        loss = printed(match) if match else None
        if loss is None:
            return False
        if not self._extend(line, loss):
            self._place(line, Series("losses", "", (loss,), line.number), role="record", owner="")
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
        role = vocabulary.role_of(column.name)
        for series in column.series:
            self._place(line, series, role=role, owner=column.name)
        figures = [
            replace(f, of=frozenset({s.name for s in column.series})) for f in column.figures
        ]
        self._add(line, figures, role=role)

    def _place(self, line: Line, series: Series, *, role: Role, owner: str) -> None:
        """Add a list to the set that it belongs to, which may be a new one."""
        self.series += 1
        if self.series > MAX_SERIES:
            return
        if not vocabulary.is_own(owner):
            role = _worse(role, vocabulary.role_of(*line.headings), vocabulary.role_of(self.label))
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
        name = " / ".join(part for part in (*line.headings, self.label, owner) if part)
        claims = ClaimSet(name=name, role=role, section=line.section)
        self.sets.append(claims)
        return claims

    def _set_of(self, line: Line, named: Iterable[str]) -> ClaimSet | None:
        names = set(named)
        for claims in reversed(self.sets):
            if names & {series.name for series in claims.series}:
                return claims
        return self.current if self.current and self.current.section == line.section else None

    def _add(self, line: Line, figures: list[Figure], *, role: Role) -> None:
        for figure in figures[: MAX_FIGURES - self.figures]:
            claims = self._set_of(line, figure.of)
            own = _worse(role, vocabulary.role_of(*line.headings), vocabulary.role_of(self.label))
            if claims is None or (not figure.of and claims.role != own and role == "other"):
                claims = self._other_set(line, own)
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

    def _remember_label(self, text: str) -> None:
        shown = plain(text).strip()
        if shown.strip("-=_ "):
            is_label = shown.endswith(":") or len(shown.split()) <= _MAX_LABEL_WORDS
            self.label = shown if is_label else ""


def _kind(found: FoundList) -> Kind | None:
    """Return what a list holds; None where it is neither losses nor times."""
    if not found.name:
        return "losses" if all(_is_likely_loss(number) for number in found.numbers) else None
    values = [number.value for number in found.numbers]
    if min(values) <= 0 or max(values) > _MOST_SPREAD * min(values):
        return None
    kind = vocabulary.kind_of(found.name)
    digits = max(number.decimals for number in found.numbers)
    return kind if kind == "times" or digits >= _FEWEST_DIGITS else None


def _without(text: str, lists: list[FoundList]) -> str:
    """Return the text without its lists, each line where it was."""
    parts, position = [], 0
    for found in lists:
        lines = text.count("\n", found.start, found.end)
        parts += [text[position : found.start], "\n" * lines or " "]
        position = found.end
    return "".join([*parts, text[position:]])


def _step_in(text: str) -> int | None:
    match = _STEP.search(text.lower()[:500])
    return int(match[1] or match[2]) if match else None


def _is_likely_loss(number: Printed) -> bool:
    # 4-decimal logs print 3.28 for 3.2800, so a value may have fewer decimals.
    return 2 < number.value < 5 and number.decimals >= 1


def _worse(*roles: Role) -> Role:
    return "other" if "other" in roles else "record"
