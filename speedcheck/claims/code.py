"""Code blocks: their lists, and the results that are printed under a list. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from speedcheck.certificate import ClaimSubject
from speedcheck.claims import words
from speedcheck.claims.model import Figure, Grade, Kind, Nulls, Passage, Reader
from speedcheck.claims.numbers import NUMBER, Printed, printed
from speedcheck.claims.text import read_nulls, read_text

_MOST_NUMBERS = 10_000
_MOST_LISTS = 100
_MOST_RESULTS = 100
# Results farther below a list, or below the code that prints them, are of something else.
_MOST_LINES = 6

_COMMENT = re.compile(r"#[^\n]*")
_MARGIN = re.compile(r"(?m)^[ \t>]*#")
_CALL = re.compile(r"(?:\b(?:np|numpy|torch)\.)?\b(?:float(?:32|64)?|tensor)\(([0-9.eE+-]{1,40})\)")
_UNIT = re.compile(r"(?<=[0-9])m?s\b")
_NUMBERS = re.compile(r"(?:(\[|=[ \t]*\()\s*+)?(?<![\w.])([0-9][0-9.,;/eE+\-_\s]*+)")
_BETWEEN = re.compile(r"[\s,;/]+")
_NUMBER = re.compile(NUMBER)
_NAMED = re.compile(
    r"([A-Za-z_]\w*)[ \t]*(?::[ \t]*[\w\[\]., ]{1,40}?)?=[ \t]*(?:[A-Za-z_][\w.]*\([ \t]*)*$"
    r"|([A-Za-z][^:\n]{0,80}?)[\"'*`]{0,3}[ \t]*:[ \t*\"'`]*(?:array\()?$"
)
_PROMPT = re.compile(r"Out ?\[[0-9]+\]$|>>>$")

_CODE = re.compile(
    r"\s*(?:>>> |In ?\[|import |from |print\(|def |for |if |with "
    r"|(?!Mean|Std_dev|tensor|array|np\.float|Ttest)[A-Za-z_][\w.]*\("
    r"|[A-Za-z_]\w*\s*=\s*[A-Za-z_(\[])"
)
_STRING = re.compile(r"[fFrR]?(?:\"[^\"\n]*\"|'[^'\n]*')")
_NAME = re.compile(r"[A-Za-z_]\w*")
_ARITHMETIC = re.compile(r"[\w)\]]\s*(?:[-+]|\*\*?)\s*[\w(]|/\s*(?!len|1000|60|1e3)[A-Za-z_(]")
_ESTIMATE = re.compile(
    rf"(?P<what>Mean|Std_dev)\(statistic=(?P<value>{NUMBER}),\s?"
    rf"minmax=\((?P<low>{NUMBER}),\s?(?P<high>{NUMBER})\)\)"
)
_STD_MEAN = re.compile(
    rf"\(tensor\(({NUMBER})[^()]{{0,40}}\),\s?tensor\(({NUMBER})[^()]{{0,40}}\)\)"
)
_FLOAT = re.compile(r"np\.float64\(([^()\n]{1,40})\)")
_ALONE = re.compile(rf"[\s>]*(?:-> ?)?(?:Out ?\[[0-9]+\]: ?)?(?:tensor\()?({NUMBER})\)?\s*$")
_LABEL = re.compile(r"[^0-9:=(]{0,40}[:=(]")
_PARTS: tuple[Literal["value", "low", "high"], ...] = ("value", "low", "high")
# What computes a statistic, and what one of losses and one of times is called.
_STATISTICS: tuple[tuple[re.Pattern[str], dict[Kind, ClaimSubject]], ...] = (
    (re.compile(r"\bmean\(|\bsum\("), {"losses": "mean", "times": "time_mean"}),
    (re.compile(r"\b(?:std|stdev)\("), {"losses": "std", "times": "time_std"}),
    (re.compile(r"\bttest_1samp\("), {"losses": "p"}),
)


@dataclass(frozen=True, slots=True)
class _List:
    """A list in a text: its name, "" where it has none, and the indices of its lines."""

    name: str
    figure: Figure
    first: int
    last: int


def read_lists(passage: Passage, reader: Reader) -> list[Figure]:
    """Return the lists of running text, which are at most a warning."""
    most = Grade.CONFIRM if words.is_baseline(passage.text) else Grade.WARN
    plain = replace(passage, text=passage.text.replace("`", " "))
    figures = (found.figure for found in _lists(plain, reader))
    return [replace(figure, grade=min(figure.grade, most)) for figure in figures]


def read_code(passage: Passage, reader: Reader, known: dict[str, Figure]) -> list[Figure]:
    """Return the lists of a code block, and the results that are printed under them.

    Args:
        passage: the block.
        reader: what is known beforehand.
        known: lists of earlier blocks by their names; those of this one are added.
    """
    lists = list(_lists(passage, reader))
    starts = {found.first: found for found in lists}
    inside = {index for found in lists for index in range(found.first, found.last + 1)}
    results = _Results(passage, reader, known)
    lines = passage.text.split("\n")
    for index, line in enumerate(lines):
        if index in starts:
            results.take_list(starts[index], lines[starts[index].last])
        elif index not in inside and len(results.figures) <= _MOST_RESULTS:
            results.take_line(line, index)
    return [*(found.figure for found in lists), *results.figures]


def _lists(passage: Passage, reader: Reader) -> Iterator[_List]:
    """Yield the lists of losses and times: in brackets, behind a label, or one number a line.

    Without a name and brackets a list has three fractions at least: two are an interval.
    """
    lines = passage.text.split("\n")
    plain = _UNIT.sub("", _CALL.sub(r"\1", _COMMENT.sub("", _MARGIN.sub(" ", passage.text))))
    first, counted, left = 0, 0, _MOST_LISTS
    for match in _NUMBERS.finditer(plain):
        start = match.start(1 if match[1] else 2)
        numbers = _parts(match[2], is_bracketed=bool(match[1]))
        if len(numbers) < (1 if match[1] else 3):
            continue
        name = _name(plain[max(0, start - 200) : start + (match[1] or "").count("=")])
        if name is None or len(numbers) < (1 if name else 3):
            continue
        first, counted, left = first + plain.count("\n", counted, start), start, left - 1
        if left < 0:
            return
        about = "" if name else " ".join(lines[max(0, first - 2) : first])
        said = passage.said if first < 2 else ""
        where = reader.where(passage.line + first)
        figure = _figure(name, numbers, f"{about} {said}", where, reader)
        if figure is None:
            continue
        if words.is_baseline(f"{passage.heading} {said} {name} {about}"):
            figure = replace(figure, grade=Grade.CONFIRM)
        elif not (name or match[1]):
            figure = replace(figure, grade=min(figure.grade, Grade.WARN))
        last = first + plain[start : match.end()].rstrip().count("\n")
        yield _List(name, figure, first, last)


def _name(before: str) -> str | None:
    """Return the name in front of a list, "" for none; None where it is not a list's."""
    before = before[before.rfind("\n") + 1 :]
    found = _NAMED.search(before)
    name = (found[1] or found[2]).strip() if found else "" if not before.strip(" \t>") else None
    return "" if name and _PROMPT.search(name) else name


def _parts(body: str, *, is_bracketed: bool) -> tuple[Printed, ...]:
    """Return the numbers of a list; of one without brackets the fractions at its start."""
    numbers: list[Printed] = []
    for part in islice(filter(None, _BETWEEN.split(body)), _MOST_NUMBERS + 1):
        text = part.rstrip(".")
        number = printed(text) if _NUMBER.fullmatch(text) else None
        if number is None or (not is_bracketed and "." not in text):
            return () if is_bracketed else tuple(numbers)
        numbers.append(number)
    return tuple(numbers) if len(numbers) <= _MOST_NUMBERS else ()


def _figure(
    name: str, numbers: tuple[Printed, ...], about: str, where: str, reader: Reader
) -> Figure | None:
    """Return a list as a figure; None where it is of neither losses nor times."""
    middle = sorted(numbers, key=lambda number: number.value)[len(numbers) // 2]
    kind = words.kind_of(name, reader.measure)
    if kind is None and not name:
        is_times = words.kind_of(about, reader.measure) == "times"
        kind = "losses" if reader.is_near(middle) else "times" if is_times else None
    if kind is None:
        return None
    grade = words.grade_of(name, kind, reader.measure)
    if kind == "losses" and not reader.is_near(middle):
        grade = min(grade, Grade.WARN)
    unit = words.unit_of(name) if kind == "times" else None
    return Figure(kind, numbers, where, grade, words.step_of(name), unit)


class _Results:
    """The results of one code block, and the list and the code that each is printed under."""

    def __init__(self, passage: Passage, reader: Reader, known: dict[str, Figure]) -> None:
        self.figures: list[Figure] = []
        self._passage, self._reader, self._known = passage, reader, known
        self._nulls = read_nulls(passage.text[:20_000], reader)
        self._above: dict[Kind, Figure] = {}
        self._code, self._age = "", 0

    def take_list(self, found: _List, last_line: str) -> None:
        """Go on with a list, and read the comment behind it."""
        self._above[found.figure.kind] = found.figure
        if found.name:
            self._known[found.name] = found.figure
        self._code, self._age = "", 0
        self._read(last_line.partition("#")[2], found.last)

    def take_line(self, line: str, index: int) -> None:
        """Go on with a line that is in no list."""
        stripped = line.strip().lstrip(">").strip()
        if not stripped:
            return
        self._age += 1
        if stripped.startswith("$ "):
            # What a shell prints is of files.
            self._above, self._code = {}, ""
        elif stripped.startswith("#") or not _CODE.match(line):
            self._read(stripped.lstrip("#> "), index)
        else:
            # A "#" inside of a string begins no comment.
            at = (_STRING.sub(lambda match: "_" * len(match[0]), line) + "#").find("#")
            self._code, self._age = line[:at], 0
            self._read(line[at + 1 :], index)

    def _read(self, text: str, index: int) -> None:
        """Read what code prints of the one list that it names, or what is under a list."""
        text = _FLOAT.sub(r"\1", text[:1_000])
        if self._age > _MOST_LINES or text.endswith(":"):
            self._above, self._code = {}, ""
        line = replace(self._passage, text=text, line=self._passage.line + index)
        said = read_text(line, self._reader)
        owner = self._named() if self._code else self._list_above(text, said)
        if owner is None:
            self.figures += [] if self._code else self._of_text(said)
            return
        found = _shapes(text, owner.kind)
        said = [] if found else said
        found += [figure for figure in said if self._is_test_of(figure, owner)]
        if self._code and not found:
            found = _alone(text, self._code, owner.kind)
        self.figures += [self._result(figure, owner, line.line) for figure in found]
        rest = [figure for figure in said if figure not in found]
        if not self._code:
            self.figures += self._of_text(rest)
        elif not found:
            own = (f for f in rest if f.what != "p" and f.kind == owner.kind)
            self.figures += [replace(f, grade=Grade.REFUTE, of=owner) for f in own]

    def _of_text(self, said: Iterable[Figure]) -> list[Figure]:
        """Return figures as those of a text; they may be of times or of other runs listed above."""
        is_other = any(listed.grade is Grade.CONFIRM for listed in self._above.values())
        is_other |= self._above.keys() == {"times"}
        return [replace(figure, grade=Grade.CONFIRM) if is_other else figure for figure in said]

    def _result(self, figure: Figure, owner: Figure, line: int) -> Figure:
        """Return a statistic of a list, with the null value of its code or else of its block."""
        own = read_nulls(self._code, self._reader) if self._code else Nulls()
        nulls = own if own.targets else self._nulls
        where, is_exact = self._reader.where(line), bool(self._code)
        return replace(
            figure, where=where, grade=Grade.REFUTE, of=owner, is_exact=is_exact, nulls=nulls
        )

    def _named(self) -> Figure | None:
        """Return the one known list that the code computes with, and nothing else."""
        code = re.sub(r"\(tensor[^\n]*", "", _STRING.sub(_inserted, self._code))
        named = set(_NAME.findall(code)) & self._known.keys()
        is_plain = len(named) == 1 and not _ARITHMETIC.search(code)
        return self._known[named.pop()] if is_plain else None

    def _list_above(self, text: str, said: list[Figure]) -> Figure | None:
        """Return the list above that a label means; without a label the only one."""
        label = _LABEL.match(text)
        kind = words.kind_of(label[0], self._reader.measure) if label else None
        if kind is None and any(figure.what == "p" for figure in said):
            kind = "losses"
        if kind is None and len(self._above) == 1:
            return next(iter(self._above.values()))
        return self._above.get(kind) if kind else None

    def _is_test_of(self, figure: Figure, owner: Figure) -> bool:
        """Return whether a p is of the losses above, and of a test that the code names."""
        is_of_code = not self._code or "ttest_1samp(" in self._code
        is_p = figure.what == "p" and owner.kind == "losses"
        return is_p and is_of_code and not words.is_other_test(self._code)


def _inserted(string: re.Match[str]) -> str:
    """Return what an f-string inserts; nothing of another string."""
    parts = re.findall(r"\{([^{}:!]*)", string[0]) if string[0][0] in "fF" else []
    return "(" + ", ".join(parts) + ")"


def _alone(text: str, code: str, kind: Kind) -> list[Figure]:
    """Read the one number that code prints, if it computes one statistic."""
    found = _ALONE.match(text)
    number = printed(found[1]) if found else None
    computed = [subjects.get(kind) for call, subjects in _STATISTICS if call.search(code)]
    what = computed[0] if len(computed) == 1 else None
    if number is None or what is None or words.is_other_test(code):
        return []
    return [Figure(what, (number,), "", in_float32="tensor" in text or "torch" in code)]


def _shapes(text: str, kind: Kind) -> list[Figure]:
    """Read what scipy.stats.bayes_mvs and torch.std_mean print."""
    mean, std = (subjects[kind] for _, subjects in _STATISTICS[:2])
    estimate, pair = _ESTIMATE.search(text), _STD_MEAN.search(text)
    if estimate:
        found = Figure(mean if estimate["what"] == "Mean" else std, (), "")
        ends = ((part, printed(estimate[part])) for part in _PARTS)
        return [replace(found, numbers=(end,), bayes=part) for part, end in ends if end]
    if pair:
        found = Figure(std, (), "", in_float32="float64" not in pair[0])
        numbers = ((std, printed(pair[1])), (mean, printed(pair[2])))
        return [replace(found, what=what, numbers=(n,)) for what, n in numbers if n]
    return []
