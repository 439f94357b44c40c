"""Code blocks: their lists, and the results that are printed under a list. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from speedcheck.certificate import ClaimSubject
from speedcheck.claims import words
from speedcheck.claims.model import Figure, Grade, Kind, Nulls, Passage, Reader
from speedcheck.claims.numbers import NUMBER, Printed, printed
from speedcheck.claims.text import read_nulls, read_text

MAX_NUMBERS = 10_000
_MOST_LISTS = 100
_MOST_RESULTS = 100
# Results farther below a list, or below the code that prints them, are of something else.
_MOST_LINES = 6

_COMMENT = re.compile(r"#[^\n]*")
_MARGIN = re.compile(r"(?m)^[ \t>]*#")
_CALL = re.compile(r"(?:\b(?:np|numpy|torch)\.)?\b(?:float(?:32|64)?|tensor)\(([0-9.eE+-]{1,40})\)")
_UNIT = re.compile(r"(?<=[0-9])m?s\b")
_NUMBERS = re.compile(r"(\[|=[ \t]*\()?[ \t\n]*(?<![\w.])([0-9][0-9.,;/eE+\-_\s]*+)")
_BETWEEN = re.compile(r"[\s,;/]+")
_NUMBER = re.compile(NUMBER)
_ASSIGNED = re.compile(
    r"([A-Za-z_]\w*)[ \t]*(?::[ \t]*[\w\[\]., ]{1,40}?)?=[ \t]*(?:[A-Za-z_][\w.]*\([ \t]*)*$"
)
_LABELLED = re.compile(r"([A-Za-z][^:\n]{0,80}?)[\"'*`]{0,3}[ \t]*:[ \t*\"'`]*(?:array\()?$")
_PROMPT = re.compile(r"Out ?\[[0-9]+\]$|>>>$")
_PRINTED_NAME = re.compile(
    r"(?:In ?\[[0-9]+\]: |>>> )?(?:print\()?(?:np\.array\()?([A-Za-z_]\w*)\)?"
)

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
_P = re.compile(rf"\bp(?:-?val(?:ue)?)?\s?[=:]\s?({NUMBER})(?![\w.])", re.IGNORECASE)
_ALONE = re.compile(rf"[\s>]*(?:-> ?)?(?:Out ?\[[0-9]+\]: ?)?(?:tensor\()?({NUMBER})\)?\s*$")
_LABEL = re.compile(r"[^0-9:=(]{0,40}[:=(]")
_CALLS = {
    "p": re.compile(r"ttest_1samp\("),
    "mean": re.compile(r"\bmean\(|\bsum\("),
    "std": re.compile(r"\b(?:std|stdev)\("),
}
# What a statistic of losses, and the same one of times, is called.
_SUBJECTS: dict[str, dict[Kind, ClaimSubject]] = {
    "p": {"losses": "p"},
    "mean": {"losses": "mean", "times": "time_mean"},
    "std": {"losses": "std", "times": "time_std"},
}


@dataclass(frozen=True, slots=True)
class _List:
    """A list of numbers in a text, by the indices of its lines; `name` is "" where it has none."""

    name: str
    numbers: tuple[Printed, ...]
    first: int
    last: int
    is_bracketed: bool


def read_lists(passage: Passage, reader: Reader) -> list[Figure]:
    """Return the lists of running text, which are at most a warning."""
    text = passage.text.replace("`", " ")
    found = (_figure(one, [], passage, reader) for one in _lists(text))
    most = Grade.CONFIRM if words.is_baseline(passage.text) else Grade.WARN
    return [replace(figure, grade=min(figure.grade, most)) for figure in found if figure]


def read_code(passage: Passage, reader: Reader, known: dict[str, Figure]) -> list[Figure]:
    """Return the lists of a code block, and the results that are printed under them.

    Args:
        passage: the block.
        reader: what is known beforehand.
        known: lists of earlier blocks by their names; those of this one are added.
    """
    lines = passage.text.split("\n")
    starts: dict[int, tuple[_List, Figure]] = {}
    inside: set[int] = set()
    for one in _lists(passage.text):
        figure = _figure(one, lines, passage, reader)
        if figure:
            starts[one.first] = one, figure
            inside |= set(range(one.first, one.last + 1))
    results = _Results(passage, reader, known)
    for index, line in enumerate(lines):
        if index in starts:
            one, figure = starts[index]
            results.take_list(one.name, figure, lines[one.last], one.last)
        elif index not in inside and len(results.figures) <= _MOST_RESULTS:
            results.take_line(line, index)
    return [*(figure for _, figure in starts.values()), *results.figures]


def _lists(text: str) -> Iterator[_List]:
    """Yield the lists of a text: in brackets, behind a label, or one number a line.

    Without a name and brackets a list has three fractions at least: two are an interval.
    """
    plain = _UNIT.sub("", _CALL.sub(r"\1", _COMMENT.sub("", _MARGIN.sub(" ", text))))
    found = 0
    line, counted = 0, 0
    for match in _NUMBERS.finditer(plain):
        opening, start = match[1], match.start(1 if match[1] else 2)
        name = _name(plain[max(0, start - 200) : start + (opening or "")[:-1].count("=")])
        numbers = _parts(match[2], is_bracketed=bool(opening))
        if found >= _MOST_LISTS:
            return
        if name is None or len(numbers) < (1 if name and opening else 3):
            continue
        found += 1
        line, counted = line + plain.count("\n", counted, start), start
        last = line + plain[start : match.end()].rstrip().count("\n")
        yield _List(name, numbers, line, last, is_bracketed=bool(opening))


def _name(before: str) -> str | None:
    """Return the name in front of a list, "" for none; None where it is not a list's."""
    before = before[before.rfind("\n") + 1 :]
    if not before.strip(" \t>"):
        return ""
    found = _ASSIGNED.search(before) or _LABELLED.search(before)
    if found is None:
        return None
    name = found[1].strip()
    return "" if _PROMPT.search(name) else name


def _parts(body: str, *, is_bracketed: bool) -> tuple[Printed, ...]:
    """Return the numbers of a list; of one without brackets the fractions at its start."""
    numbers: list[Printed] = []
    for part in islice(filter(None, _BETWEEN.split(body)), MAX_NUMBERS + 1):
        text = part.rstrip(".")
        number = printed(text) if _NUMBER.fullmatch(text) else None
        if number is None or (not is_bracketed and "." not in text):
            return () if is_bracketed else tuple(numbers)
        numbers.append(number)
    return tuple(numbers) if len(numbers) <= MAX_NUMBERS else ()


def _figure(found: _List, lines: list[str], passage: Passage, reader: Reader) -> Figure | None:
    """Return a list as a figure; None where it is of neither losses nor times."""
    above = lines[max(0, found.first - 2) : found.first]
    shown = _PRINTED_NAME.fullmatch(above[-1].strip()) if above and not found.name else None
    name = found.name or (shown[1] if shown else "")
    said = passage.said if found.first < 2 else ""
    about = " ".join([*above, said]) if not name else ""
    is_near = reader.is_near(_middle(found.numbers))
    kind = words.kind_of(name, reader.measure)
    if kind is None and not name:
        is_time = words.kind_of(about, reader.measure) == "times"
        kind = "losses" if is_near else "times" if is_time else None
    if kind is None:
        return None
    grade = words.grade_of(name, kind, reader.measure)
    if not (name or found.is_bracketed) or (kind == "losses" and not is_near):
        grade = min(grade, Grade.WARN)
    if words.is_baseline(f"{name} {passage.heading} {said} {about}"):
        grade = Grade.CONFIRM
    unit = words.unit_of(name) if kind == "times" else None
    where = reader.where(passage.line + found.first)
    return Figure(kind, found.numbers, where, grade, step=words.step_of(name), unit=unit)


def _middle(numbers: tuple[Printed, ...]) -> Printed:
    return sorted(numbers, key=lambda number: number.value)[len(numbers) // 2]


class _Results:
    """The results of one code block, and the list and the code that each is printed under."""

    def __init__(self, passage: Passage, reader: Reader, known: dict[str, Figure]) -> None:
        self.figures: list[Figure] = []
        self._passage, self._reader, self._known = passage, reader, known
        self._nulls = read_nulls(passage.text[:20_000], reader)
        self._above: dict[Kind, Figure] = {}
        self._code, self._age = "", 0

    def take_list(self, name: str, figure: Figure, last_line: str, index: int) -> None:
        """Go on with a list, and read the comment behind it."""
        self._above.pop(figure.kind, None)
        self._above[figure.kind] = figure
        if name:
            self._known[name] = figure
        self._code, self._age = "", 0
        self._read(last_line.partition("#")[2], index)

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
            at = _STRING.sub(lambda match: "_" * len(match[0]), line).find("#")
            self._code, self._age = line if at < 0 else line[:at], 0
            self._read(line[at + 1 :] if at >= 0 else "", index)

    def _read(self, text: str, index: int) -> None:
        """Read what code prints of the one list that it names, or what is under a list."""
        text = _FLOAT.sub(r"\1", text[:1_000])
        if self._age > _MOST_LINES or text.endswith(":"):
            self._above, self._code = {}, ""
        owner = self._named() if self._code else self._list_above(text)
        if not text.strip() or (self._code and owner is None):
            return
        found = _shapes(text, owner.kind) if owner else []
        if owner and not found:
            found = self._p_of(text, owner) or (self._alone(text, owner) if self._code else [])
        if owner and found:
            where = self._reader.where(self._passage.line + index)
            grade, exact = Grade.REFUTE, bool(self._code)
            self.figures += [
                replace(f, where=where, grade=grade, of=owner, is_exact=exact) for f in found
            ]
        else:
            self._read_labelled(text, index, owner if self._code else None)

    def _named(self) -> Figure | None:
        """Return the one known list that the code computes with, and nothing else."""
        code = re.sub(r"\(tensor[^\n]*", "", _STRING.sub(_inserted, self._code))
        named = set(_NAME.findall(code)) & self._known.keys()
        return (
            self._known[named.pop()] if len(named) == 1 and not _ARITHMETIC.search(code) else None
        )

    def _list_above(self, text: str) -> Figure | None:
        """Return the list above that a label means; without a label the newest."""
        label = _LABEL.match(text)
        kind = words.kind_of(label[0], self._reader.measure) if label else None
        if kind is None and _P.search(text):
            kind = "losses"
        newest = next(reversed(self._above.values()), None)
        is_sure = len(self._above) == 1 or _ESTIMATE.search(text)
        return self._above.get(kind) if kind else newest if is_sure else None

    def _p_of(self, text: str, owner: Figure) -> list[Figure]:
        found = _P.search(text) if owner.kind == "losses" else None
        number = printed(found[1]) if found else None
        if not found or number is None or words.is_other_test(self._code + text[: found.end()]):
            return []
        if self._code and not _CALLS["p"].search(self._code):
            return []
        return [Figure("p", (number,), "", nulls=self._test())]

    def _alone(self, text: str, owner: Figure) -> list[Figure]:
        """Read the one number that code prints of a list, if it computes one statistic."""
        found = _ALONE.match(text)
        number = printed(found[1]) if found else None
        computed = [name for name, call in _CALLS.items() if call.search(self._code)]
        what = _SUBJECTS[computed[0]].get(owner.kind) if len(computed) == 1 else None
        if number is None or what is None or words.is_other_test(self._code):
            return []
        is_torch = "tensor" in text or "torch" in self._code
        return [Figure(what, (number,), "", in_float32=is_torch, nulls=self._test())]

    def _test(self) -> Nulls:
        """Return the null value of the code that prints a p, else those of the block."""
        own = read_nulls(self._code, self._reader) if self._code else Nulls()
        return own if own.targets else self._nulls

    def _read_labelled(self, text: str, index: int, owner: Figure | None) -> None:
        """Read "mean 3.2785" and the like: text, unless code prints it of one list."""
        line = replace(self._passage, text=text, line=self._passage.line + index)
        found = read_text(line, self._reader)
        if owner:
            own = [f for f in found if f.what != "p" and f.kind == owner.kind]
            self.figures += [replace(f, grade=Grade.REFUTE, of=owner) for f in own]
        elif any(figure.grade is Grade.CONFIRM for figure in self._above.values()):
            self.figures += [replace(f, grade=Grade.CONFIRM) for f in found]
        else:
            self.figures += found


def _inserted(string: re.Match[str]) -> str:
    """Return what an f-string inserts; nothing of another string."""
    parts = re.findall(r"\{([^{}:!]*)", string[0]) if string[0][0] in "fF" else []
    return "(" + ", ".join(parts) + ")"


def _shapes(text: str, kind: Kind) -> list[Figure]:
    """Read what scipy.stats.bayes_mvs and torch.std_mean print."""
    mean, std = _SUBJECTS["mean"][kind], _SUBJECTS["std"][kind]
    estimate, pair = _ESTIMATE.search(text), _STD_MEAN.search(text)
    if estimate:
        what = mean if estimate["what"] == "Mean" else std
        parts = (
            Figure(what, (number,), "", bayes=part)
            for part in ("value", "low", "high")
            if (number := printed(estimate[part]))
        )
        return list(parts)
    if pair:
        in_float32 = "float64" not in pair[0]
        return [
            Figure(what, (number,), "", in_float32=in_float32)
            for what, text in ((std, pair[1]), (mean, pair[2]))
            if (number := printed(text))
        ]
    return []
