"""Code blocks: their lists, and the statistics that are printed under a list.

Nothing is executed. A statistic is of the one list above it that its code names, or that it can be
of; where several can be meant it is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from speedcheck.certificate import ClaimSubject
from speedcheck.claims.model import Figure, Grade, Part, Passage, Reader
from speedcheck.claims.numbers import NUMBER, Printed, printed
from speedcheck.claims.text import kind_of, list_of, read_nulls, read_text

# Of a list; an author who lists more means something else.
_MOST_NUMBERS = 10_000

_COMMENT = re.compile(r"#[^\n]*")
# What stands before code or its output: quotes, prompts, comment signs.
_MARGIN = re.compile(r"(?m)^[ \t>]*(?:#|(?:In|Out) ?\[[0-9]+\]:(?: array\()?)")
_CALL = re.compile(r"(?:\b(?:np|numpy|torch)\.)?\b(?:float(?:32|64)?|tensor)\(([0-9.eE+-]{1,40})\)")
_NUMBERS = re.compile(r"(?:(\[|=[ \t]*\()\s*+)?(?<![\w.])([0-9][0-9.,;/eE+\-_\s]*+)")
_BETWEEN = re.compile(r"[\s,;/]+")
_NUMBER = re.compile(NUMBER)
_NAMED = re.compile(
    r"([A-Za-z_]\w*)[ \t]*(?::[ \t]*[\w\[\]., ]{1,40}?)?=[ \t]*(?:[A-Za-z_][\w.]*\([ \t]*)*$"
    r"|([A-Za-z][^:\n]{0,80}?)[\"'*`]{0,3}[ \t]*:[ \t*\"'`]*(?:array\()?$"
)

# A call, but not one that only prints as one.
_CODE = re.compile(r"(?<![\w.])(?!tensor|array|np\.float)[a-z_][\w.]{0,60}\(|^\s*(?:import|from) ")
_STRING = re.compile(r"[fFrR]?(?:\"[^\"\n]*\"|'[^'\n]*')")
_NAME = re.compile(r"[A-Za-z_]\w*")
_ARITHMETIC = re.compile(r"[\w)\]]\s*(?:[-+/]|\*\*?)\s*[\w(]|\w\[")
_P = re.compile(rf"\bp(?:[-_ ]?val(?:ue)?)?\b(?: ?[=:]| is) ?({NUMBER})", re.IGNORECASE)
_ESTIMATE = re.compile(
    rf"(?P<what>Mean|Std_dev)\(statistic=(?P<estimate>{NUMBER}|inf),\s?"
    rf"minmax=\((?P<low>{NUMBER}),\s?(?P<high>{NUMBER})\)\)"
)
_STD_MEAN = re.compile(rf"\(tensor\(({NUMBER})[^()]{{0,40}}\),\s?tensor\(({NUMBER})[^()]{{0,40}}\)")
_FLOAT = re.compile(r"np\.float64\(([^()\n]{1,40})\)")
_ALONE = re.compile(rf"(?:-> ?)?(?:tensor\()?({NUMBER})\)?\s*$")
_OTHER_TEST = re.compile(
    r"ttest_(?:ind|rel)|welch|paired|whitney|wilcoxon|bootstrap|permutation|shapiro|tost|anova",
    re.IGNORECASE,
)
_CALLS: dict[ClaimSubject, re.Pattern[str]] = {
    "mean": re.compile(r"\bmean\("),
    "std": re.compile(r"\b(?:std|stdev)\("),
    "p": re.compile(r"\bttest_1samp\("),
}
_PARTS: tuple[Part, ...] = ("estimate", "low", "high")
_OF_TIMES: dict[ClaimSubject, ClaimSubject] = {"mean": "time_mean", "std": "time_std"}


@dataclass(frozen=True, slots=True)
class _List:
    """A list in a text: its name, "" where it has none, and the indices of its lines."""

    name: str
    figure: Figure
    first: int
    last: int


def read_lists(passage: Passage, reader: Reader) -> Iterator[Figure]:
    """Yield the lists of running text, which are at most a warning."""
    about = f"{passage.about} {passage.text}"
    plain = replace(passage, text=passage.text.replace("`", " "), about=about)
    for found in _lists(plain, reader):
        yield replace(found.figure, grade=min(found.figure.grade, Grade.WARN))


def read_code(passage: Passage, reader: Reader) -> Iterator[Figure]:
    """Yield the lists of a code block with the statistics under them; of others the text."""
    lists = list(_lists(passage, reader))
    yield from (found.figure for found in lists)
    yield from _results(passage, lists, reader) if lists else read_text(passage, reader)


def _lists(passage: Passage, reader: Reader) -> Iterator[_List]:
    """Yield the lists of losses and times: in brackets, behind a label, or one number a line.

    Without a name or brackets a list has three fractions at least: two are an interval.
    """
    lines = passage.text.split("\n")
    plain = _CALL.sub(r"\1", _COMMENT.sub("", _MARGIN.sub(" ", passage.text)))
    first = counted = 0
    for match in _NUMBERS.finditer(plain):
        start = match.start(1 if match[1] else 2)
        numbers = _parts(match[2], is_bracketed=bool(match[1]))
        if len(numbers) < (1 if match[1] else 3):
            continue
        name = _name(plain[max(0, start - 200) : start + (match[1] or "").count("=")])
        if name is None or len(numbers) < (1 if name else 3):
            continue
        first, counted = first + plain.count("\n", counted, start), start
        about = " ".join((passage.about, *([] if name else lines[max(0, first - 2) : first])))
        figure = list_of(name, numbers, about, reader.where(passage.line + first), reader)
        if figure is None:
            continue
        if not (name or match[1]):
            figure = replace(figure, grade=min(figure.grade, Grade.WARN))
        last = first + plain[start : match.end()].rstrip().count("\n")
        yield _List(name, figure, first, last)


def _name(before: str) -> str | None:
    """Return the name in front of a list, "" for none; None where it is not a list's."""
    before = before[before.rfind("\n") + 1 :]
    found = _NAMED.search(before)
    return (found[1] or found[2]).strip() if found else None if before.strip(" \t>") else ""


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


def _results(passage: Passage, lists: list[_List], reader: Reader) -> Iterator[Figure]:
    """Yield the statistics that are printed under lists, each with the list that it is of."""
    lines = passage.text.split("\n")
    block = read_nulls(passage.text, reader)
    ends = [*(found.first for found in lists[1:]), len(lines)]
    for i, (found, end) in enumerate(zip(lists, ends, strict=True)):
        below = ["#" + lines[found.last].partition("#")[2], *lines[found.last + 1 : end]]
        for offset, text, code in _outputs(below):
            nulls, sigmas = read_nulls(code, reader)
            where = reader.where(passage.line + found.last + offset)
            for figure in _printed(text, code, lists[: i + 1], reader):
                known = (nulls, sigmas) if nulls else block
                yield replace(figure, where=where, nulls=known[0], sigmas=known[1])


def _outputs(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield each line of output, with the consecutive lines of code above that print it."""
    code, goes_on = "", False
    for index, line in enumerate(lines):
        if line.startswith("$ "):
            # What a shell prints is of files.
            return
        head, _, comment = _STRING.sub(_inserted, line[:1_000]).partition("#")
        is_code = bool(_CODE.search(head))
        if is_code:
            code = f"{code}\n{head}" if goes_on else head
        goes_on = is_code and not comment
        text = comment if is_code else line[:1_000]
        yield index, _FLOAT.sub(r"\1", _MARGIN.sub("", text).lstrip("#> ")), code


def _inserted(string: re.Match[str]) -> str:
    """Return what an f-string inserts; nothing of another string."""
    parts = re.findall(r"\{([^{}:!]*)", string[0]) if string[0][0] in "fF" else []
    return "(" + ", ".join(parts) + ")"


def _printed(text: str, code: str, above: list[_List], reader: Reader) -> Iterator[Figure]:
    """Yield the statistics of a line, where one list alone can be meant."""
    named = set(_NAME.findall(code))
    lists = [found.figure for found in above if not code or found.name in named]
    if not lists or _ARITHMETIC.search(code) or _OTHER_TEST.search(f"{code} {text}"):
        return
    label = kind_of(text, reader.measure)
    for figure in _shapes(text, code):
        kind = "losses" if figure.what == "p" else label
        owners = [listed for listed in lists if kind in (None, listed.kind)]
        if len(owners) == 1:
            (of,) = owners
            what = _OF_TIMES[figure.what] if of.kind == "times" else figure.what
            yield replace(figure, what=what, grade=Grade.REFUTE, of=of, is_exact=bool(code))


def _shapes(text: str, code: str) -> Iterator[Figure]:
    """Yield what scipy, numpy and PyTorch print, as statistics of losses."""
    p, estimate, pair = _P.search(text), _ESTIMATE.search(text), _STD_MEAN.search(text)
    found: list[tuple[ClaimSubject, str, Part | None]] = []
    calls = {subject for subject, call in _CALLS.items() if call.search(code)}
    is_p = calls == {"p"} and "pvalue" in code
    alone = _ALONE.match(text) if is_p or calls in ({"mean"}, {"std"}) else None
    if p and (not code or "p" in calls):
        found.append(("p", p[1], None))
    elif estimate:
        what: ClaimSubject = "mean" if estimate["what"] == "Mean" else "std"
        found += [(what, estimate[part], part) for part in _PARTS]
    elif pair:
        found += [("mean", pair[2], None), ("std", pair[1], None)]
    elif alone:
        found.append((calls.pop(), alone[1], None))
    for what, digits, part in found:
        number = printed(digits)
        if number:
            yield Figure(what, (number,), "", part=part)
