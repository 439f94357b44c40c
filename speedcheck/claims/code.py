"""Code blocks: their lists, and the results that are printed under a list. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from statistics import median
from typing import Literal

from speedcheck.certificate import ClaimSubject
from speedcheck.claims import words
from speedcheck.claims.lists import FoundList, find_lists
from speedcheck.claims.markdown import Block
from speedcheck.claims.model import Figure, Kind, Nulls, Reader, Series
from speedcheck.claims.numbers import NUMBER, printed
from speedcheck.claims.text import read_nulls, read_text

# Results farther below a list or the code that prints them are of something else.
_MOST_LINES = 6
_MOST_LISTS = 100
_MOST_RESULTS = 100

_CODE = re.compile(
    r"\s*(?:>>> |\$ |In ?\[|import |from |print\(|def |for |if |with "
    r"|(?!Mean|Std_dev|tensor|array|np\.float|Ttest)[A-Za-z_][\w.]*\("
    r"|[A-Za-z_]\w*\s*=\s*[A-Za-z_(\[])"
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_STRING = re.compile(r"[fFrR]?(?:\"[^\"\n]*\"|'[^'\n]*')")
_ARITHMETIC = re.compile(r"[\w)\]]\s*(?:[-+]|\*\*?)\s*[\w(]|/\s*(?!len|1000|60|1e3)[A-Za-z_(]")
_ESTIMATE = re.compile(
    rf"(?P<what>Mean|Std_dev)\(statistic=(?P<value>{NUMBER}),\s?"
    rf"minmax=\((?P<low>{NUMBER}),\s?(?P<high>{NUMBER})\)\)"
)
_FLOAT = re.compile(r"np\.float64\(([^()\n]{1,40})\)")
_STD_MEAN = re.compile(
    rf"\(tensor\(({NUMBER})[^()]{{0,40}}\),\s?tensor\(({NUMBER})[^()]{{0,40}}\)\)"
)
_P = re.compile(rf"\bp(?:-?val(?:ue)?)?\s?[=:]\s?({NUMBER})(?![\w.])", re.IGNORECASE)
_LABEL = re.compile(r"[^0-9:=(]{0,40}[:=(]")
_PRINTED_NAME = re.compile(
    r"(?:In ?\[[0-9]+\]: |>>> )?(?:print\()?(?:np\.array\()?([A-Za-z_]\w*)\)?"
)
_ALONE = re.compile(rf"[\s>]*(?:-> ?)?(?:Out ?\[[0-9]+\]: ?)?(?:tensor\()?({NUMBER})\)?\s*$")


def read_code(
    block: Block, reader: Reader, known: dict[str, Series]
) -> tuple[list[Series], list[Figure]]:
    """Return the lists of a code block, and the results that are printed under them.

    Args:
        block: the block.
        reader: what is known beforehand.
        known: lists of earlier blocks by their names; those of this one are added.
    """
    found = list(islice(find_lists(block.text), _MOST_LISTS))
    lines = block.text.split("\n")
    placed = [(one, _series(one, block, lines, reader)) for one in found]
    starts = {one.first: (one, series) for one, series in placed if series}
    inside = {i for one, series in placed if series for i in range(one.first, one.last + 1)}
    results = _Results(block, reader, known)
    for index, line in enumerate(lines):
        if len(results.figures) > _MOST_RESULTS:
            break
        if index in starts:
            one, series = starts[index]
            results.lists(series)
            results.comment(lines[one.last], block.line + one.last)
        elif index not in inside:
            results.line(line, block.line + index)
    return [series for _, series in placed if series], results.figures


def read_inline(block: Block, reader: Reader) -> list[Series]:
    """Return the lists of running text, which are never data."""
    lists = islice(find_lists(block.text.replace("`", " ")), _MOST_LISTS)
    found = (_series(one, block, [], reader) for one in lists)
    is_other = words.is_baseline(block.text)
    return [replace(s, basis="text", is_other=s.is_other or is_other) for s in found if s]


def _series(found: FoundList, block: Block, lines: list[str], reader: Reader) -> Series | None:
    above = lines[max(0, found.first - 2) : found.first]
    printed_name = _PRINTED_NAME.fullmatch(above[-1].strip()) if above and not found.name else None
    name = found.name or (printed_name[1] if printed_name else "")
    said = block.lead if found.first < 2 and block.lead.rstrip().endswith(":") else ""
    about = " ".join([*above, said[-200:]]) if not name else ""
    kind = words.kind_of(name, reader.measure)
    middle = median(number.value for number in found.numbers)
    if kind is None and not name:
        is_time = words.kind_of(about, reader.measure) == "times"
        kind = "losses" if reader.is_near(middle) else "times" if is_time else None
    if kind is None or words.is_other_metric(name, kind, reader.measure):
        return None
    is_other = words.is_baseline(f"{name} {block.heading} {said[-200:]} {about}")
    is_plain = words.is_plain_name(name, reader.measure) and (bool(name) or found.is_bracketed)
    return Series(
        kind=kind,
        name=name,
        numbers=found.numbers,
        where=reader.where(block.line + found.first),
        basis="data" if is_plain and (kind == "times" or reader.is_near(middle)) else "text",
        is_other=is_other,
        step=words.step_of(name),
        unit=words.unit_of(name) if kind == "times" else None,
    )


class _Results:
    """The results of one code block, and the list and the code that each is printed under."""

    def __init__(self, block: Block, reader: Reader, known: dict[str, Series]) -> None:
        self.figures: list[Figure] = []
        self._block, self._reader, self._known = block, reader, known
        self._nulls = read_nulls(block.text[:20_000])
        self._above: dict[Kind, Series] = {}
        self._code, self._age = "", 0

    def lists(self, series: Series) -> None:
        """Go on with a list."""
        self._above.pop(series.kind, None)
        self._above[series.kind] = series
        if series.name:
            self._known[series.name] = series
        self._code, self._age = "", 0

    def comment(self, line: str, number: int) -> None:
        """Read the comment behind a list."""
        _, mark, comment = line.partition("#")
        if mark:
            self._read(comment, number)

    def line(self, line: str, number: int) -> None:
        """Go on with a line that is in no list."""
        stripped = line.strip().lstrip(">").strip()
        if not stripped:
            return
        self._age += 1
        if line.lstrip().startswith("$ "):
            # What a shell prints is of files.
            self._above, self._code = {}, ""
        elif stripped.startswith("#") or not _CODE.match(line):
            self._read(stripped.lstrip("#> "), number)
        else:
            self._code, _, comment = _outside_strings(line)
            self._age = 0
            if comment:
                self._read(comment, number)

    def _read(self, text: str, number: int) -> None:
        text, where = _FLOAT.sub(r"\1", text[:1_000]), self._reader.where(number)
        if self._age > _MOST_LINES or text.endswith(":"):
            self._above, self._code = {}, ""
        owner, is_exact = self._owner(text)
        if self._code and owner is None:
            return
        if owner is None:
            self._read_labelled(text, number)
            return
        found = _estimates(text, owner, where) or _std_mean(text, owner, where)
        if not found:
            found = self._p(text, where) if owner.kind == "losses" else []
        if not found and self._code:
            found = self._alone(text, where, owner)
        if found:
            self.figures += [replace(f, basis="data", of=owner, is_exact=is_exact) for f in found]
        else:
            self._read_labelled(text, number, owner if self._code else None)

    def _owner(self, text: str) -> tuple[Series | None, bool]:
        """Return the list that a result is of, and whether code computes it from that list."""
        if not self._code:
            label = _LABEL.match(text)
            kind = words.kind_of(label[0], self._reader.measure) if label else None
            if kind is None and _P.search(text):
                kind = "losses"
            newest = next(reversed(self._above.values()), None)
            is_sure = len(self._above) == 1 or _ESTIMATE.search(text)
            return (self._above.get(kind) if kind else newest if is_sure else None), False
        named = set(_NAME.findall(_without_text(self._code))) & self._known.keys()
        if len(named) != 1 or _ARITHMETIC.search(_without_text(self._code)):
            return None, False
        return self._known[named.pop()], True

    def _p(self, text: str, where: str) -> list[Figure]:
        found = _P.search(text)
        if not found or words.is_other_test(f"{self._code} {text[: found.end()]}"):
            return []
        if self._code and "ttest_1samp" not in self._code:
            return []
        number = printed(found[1])
        return [Figure("p", number, where, nulls=self._test())] if number else []

    def _test(self) -> Nulls:
        """Return the null value of the code that prints a p, else those of the block."""
        own = read_nulls(self._code) if self._code else Nulls()
        return own if own.targets else self._nulls

    def _alone(self, text: str, where: str, owner: Series) -> list[Figure]:
        """Read the one number that code prints of a list."""
        found = _ALONE.match(text)
        number = printed(found[1]) if found else None
        what = _computed(self._code, owner.kind)
        if not number or not what or words.is_other_test(self._code):
            return []
        is_torch = "tensor" in text or "torch" in self._code
        return [Figure(what, number, where, in_float32=is_torch, nulls=self._test())]

    def _read_labelled(self, text: str, number: int, owner: Series | None = None) -> None:
        """Read "mean 3.2785" and the like: text, unless code prints it of one list."""
        lead = self._block.lead if self._block.lead.rstrip().endswith(":") else ""
        found = read_text(text, number, f"{self._block.heading} {lead}", self._reader)
        is_other = any(series.is_other for series in self._above.values())
        if owner:
            of_list = [f for f in found if f.what != "p" and f.kind == owner.kind]
            self.figures += [replace(f, basis="data", of=owner) for f in of_list]
        else:
            self.figures += [replace(f, is_clear=f.is_clear and not is_other) for f in found]


def _outside_strings(line: str) -> tuple[str, str, str]:
    """Split a line of code at its comment; a "#" inside of a string begins none."""
    blanked = _STRING.sub(lambda match: "_" * len(match[0]), line)
    at = blanked.find("#")
    return (line, "", "") if at < 0 else (line[:at], "#", line[at + 1 :])


def _without_text(code: str) -> str:
    """Return code without its strings; of an f-string the parts in braces stay."""

    def inside(match: re.Match[str]) -> str:
        parts = re.findall(r"\{([^{}:!]*)", match[0]) if match[0][0] in "fF" else []
        return "(" + ", ".join(parts) + ")"

    return re.sub(r"\(tensor[^\n]*", "", _STRING.sub(inside, code))


def _computed(code: str, kind: Kind) -> ClaimSubject | None:
    """Return the one statistic that code computes."""
    calls: dict[str, tuple[ClaimSubject, ClaimSubject]] = {
        r"ttest_1samp\(": ("p", "p"),
        r"\bmean\(|\bsum\(": ("mean", "time_mean"),
        r"\b(?:std|stdev)\(": ("std", "time_std"),
    }
    found = {subjects for call, subjects in calls.items() if re.search(call, code)}
    if len(found) != 1:
        return None
    losses, times = found.pop()
    return losses if kind == "losses" else times if times != "p" else None


def _subjects(kind: Kind) -> tuple[ClaimSubject, ClaimSubject]:
    """Return the deviation and the mean of a kind of list."""
    return ("std", "mean") if kind == "losses" else ("time_std", "time_mean")


def _estimates(text: str, owner: Series, where: str) -> list[Figure]:
    found = _ESTIMATE.search(text)
    if not found:
        return []
    what = _subjects(owner.kind)[found["what"] == "Mean"]
    parts: Iterable[Literal["value", "low", "high"]] = ("value", "low", "high")
    return [
        Figure(what, number, where, bayes=part)
        for part in parts
        if (number := printed(found[part]))
    ]


def _std_mean(text: str, owner: Series, where: str) -> list[Figure]:
    found = _STD_MEAN.search(text)
    if not found:
        return []
    numbers = (printed(found[1]), printed(found[2]))
    return [
        Figure(what, number, where, in_float32="float64" not in found[0])
        for what, number in zip(_subjects(owner.kind), numbers, strict=True)
        if number
    ]
