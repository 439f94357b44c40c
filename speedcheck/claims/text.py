"""Figures in running text: what is attached to a word for the loss, a mean, a deviation or a p.

They can only warn, and only where a reader would be sure what they are of; otherwise they are
good for being confirmed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice

from speedcheck.certificate import ClaimSubject
from speedcheck.claims import words
from speedcheck.claims.model import SECONDS, Figure, Nulls, Reader, Series, Unit
from speedcheck.claims.numbers import NUMBER, Printed, printed

_MOST_CHARACTERS = 2_000
_MOST_NUMBERS = 60

_MARKUP = re.compile(r"[*`$|]|</?[A-Za-z][^<>\n]{0,80}>|(?<=[\])])\([^()\n]{0,200}\)|\\\w+")
_RUNS = re.compile(
    r"\b([0-9]{1,4})(?:[- ]|[- ](?:independent|full|complete|random) )?(?:seeds?|runs?|logs?)\b"
    r"|\b[nN] ?[=:] ?([0-9]{1,4})\b"
)
_STEPS = re.compile(r"(?:\bat )?\bsteps?[ =:]?[0-9]{1,7}|@[0-9]{1,7}|\b[0-9]{1,7} steps?\b", re.I)
_VALUE = re.compile(rf"(?<![\w.+\-−/])({NUMBER})(?![\w]*[.\w])(?!%)|(?<![\w.+\-−/])({NUMBER})(?=m?s\b|min)")
_UNIT = re.compile(r" ?(ms|s|secs?|seconds?|min|mins|minutes?)\b")
_LABEL = re.compile(
    r"(?P<mean>\b(?:mean|average|averages|avg|averaged)\b|μ|x̄)"
    r"|(?P<std>\b(?:std|stdev|stddev|sd|std_dev|deviation)(?:\b|_)|σ)"
    r"|(?P<p>\bp(?:[-_ ]?val(?:ue)?s?)?\b)"
    r"|(?P<other>\b(?:t|df|z|sem|se|median|min|max|minimum|maximum|best|worst|lowest|highest|range"
    r"|ci|interval|target|alpha|sigma|error)\b|±|\+/-|\+-)",
    re.IGNORECASE,
)
_AFTER_MEAN = re.compile(r"^[\s(,\[]{0,4}(?:\w+[- ]){0,2}(?:mean|average|avg)\b", re.IGNORECASE)
_CLOSE = re.compile(r"^[^\w<>≤≥]{0,6}(?:(?:of|is|was|equals)\b)?[^\w<>≤≥]{0,4}$")
_P_OF_NULL = re.compile(rf"\bp(?:[- _]?val(?:ue)?)? ?< ?({NUMBER}) ?[:=] ?({NUMBER})", re.IGNORECASE)
_NULL = re.compile(
    rf"(?:against|vs\.?|versus|target|popmean|below|under|than|<)[^\w.]{{0,4}}({NUMBER})"
    rf"|ttest_1samp\([^,()]{{1,80}},\s*(?:popmean\s*=\s*)?({NUMBER})",
    re.IGNORECASE,
)
_SIGMA = re.compile(rf"(?:\bsigma\b|σ|\\sigma)[^\w.]{{0,4}}({NUMBER})", re.IGNORECASE)
_SEED_LINE = re.compile(rf"\bseed[ _#=:]{{0,3}}([0-9]{{1,9}})\b[^0-9\n]{{1,40}}?({NUMBER})", re.I)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without markup, its counts and steps blanked out, and what it says as a whole."""

    text: str
    where: str
    step: int | None
    n: int | None
    is_clear: bool


def read_text(text: str, line: int, about: str, reader: Reader) -> list[Figure]:
    """Return the figures of a paragraph, a list item, a heading or output of a program.

    Args:
        text: the text as written.
        line: number of its first line.
        about: the headings that it is under.
        reader: what is known beforehand.
    """
    if not re.search(r"[0-9]\.[0-9]", text[:_MOST_CHARACTERS]):
        return []
    text = text[:_MOST_CHARACTERS]
    is_clear = not words.speaks_of_others(text) and not words.is_baseline(about)
    nulls = read_nulls(text)
    figures: list[Figure] = []
    for offset, written in enumerate(text.split("\n")):
        one = _line(written, reader.where(line + offset), is_clear=is_clear)
        figures += [replace(f, nulls=nulls) if f.what == "p" else f for f in _figures(one, reader)]
    return figures


def read_nulls(text: str) -> Nulls:
    """Return the null values and the known deviations that a text names."""
    found = [match[1] or match[2] for match in islice(_NULL.finditer(text), _MOST_NUMBERS)]
    sigmas = [match[1] for match in islice(_SIGMA.finditer(text), _MOST_NUMBERS)]
    return Nulls(tuple(dict.fromkeys(_values(found))), tuple(dict.fromkeys(_values(sigmas))))


def read_seed_lines(text: str, line: int, about: str, reader: Reader) -> list[Series]:
    """Return the losses that a list names seed by seed, such as "seed 1337: 1.1192"."""
    found = islice(_SEED_LINE.finditer(text[:_MOST_CHARACTERS]), _MOST_NUMBERS)
    pairs = [(int(m[1]), number) for m in found if (number := printed(m[2]))]
    if not pairs or not all(reader.is_near(number.value) for _, number in pairs):
        return []
    is_other = words.speaks_of_others(text) or words.is_baseline(about)
    seeds, numbers = zip(*pairs, strict=True)
    return [Series("losses", "", numbers, reader.where(line), "text", is_other, seeds=seeds)]


def _values(found: list[str]) -> list[float]:
    return [number.value for text in found if (number := printed(text)) and number.value > 0]


def _line(written: str, where: str, *, is_clear: bool) -> _Line:
    text = _MARKUP.sub(" ", written)
    runs = _RUNS.search(text)
    blanked = _STEPS.sub(_blank, _RUNS.sub(_blank, text))
    n = int(runs[1] or runs[2]) if runs else None
    return _Line(blanked, where, words.step_of(text), n, is_clear)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _figures(line: _Line, reader: Reader) -> list[Figure]:
    null = _P_OF_NULL.search(line.text)
    if null:
        number = printed(null[2])
        figure = _figure("p", number, line, is_clear=line.is_clear) if number else None
        return [figure] if figure else []
    found, end = [], 0
    for match in islice(_VALUE.finditer(line.text), _MOST_NUMBERS):
        number = printed(match[1] or match[2])
        before = line.text[max(end, match.start() - 80) : match.start()]
        after = line.text[match.end() : match.end() + 30]
        end = match.end()
        if number:
            found += _classified(number, before, after, line, reader)
    return found


def _classified(
    number: Printed, before: str, after: str, line: _Line, reader: Reader
) -> list[Figure]:
    label = None
    for label in _LABEL.finditer(before):
        pass
    kind = label.lastgroup if label else None
    between = before[label.end() :] if label else before
    is_clear = line.is_clear and not words.states_no_result(before)
    unit = _unit(after)
    if kind == "p" and _CLOSE.match(between) and number.value <= 1 and not unit:
        is_test = not words.is_other_test(line.text)
        return [_figure("p", number, line, is_clear=is_clear)] if is_test else []
    if kind == "std" and _CLOSE.match(between) and number.decimals > 1:
        is_time = unit is not None or words.kind_of(line.text, reader.measure) == "times"
        is_own = not words.is_other_metric(between, "losses", reader.measure)
        what: ClaimSubject = "time_std" if is_time else "std"
        return [_figure(what, number, line, is_clear=is_clear and is_own, unit=unit)]
    is_mean = kind == "mean" or (kind is None and _AFTER_MEAN.match(after) is not None)
    if unit:
        is_time = is_mean and number.decimals > 0
        return [_figure("time_mean", number, line, is_clear=is_clear, unit=unit)] if is_time else []
    if not reader.is_near(number.value) or number.decimals < 3:
        return []
    named = between if is_mean else before[-30:]
    is_own = not words.is_other_metric(named, "losses", reader.measure)
    is_named = words.names_measure(before[-30:] + " " + after[:10], reader.measure)
    if is_mean or (is_named and kind is None):
        figure = _figure("mean", number, line, is_clear=is_clear and is_own)
        return [replace(figure, may_be_one_run=not is_mean)]
    return []


def _unit(after: str) -> Unit | None:
    found = _UNIT.match(after)
    return words.unit_of(found[1]) if found else None


def _figure(
    what: ClaimSubject, number: Printed, line: _Line, *, is_clear: bool, unit: Unit | None = None
) -> Figure:
    known = unit if unit in SECONDS else None
    return Figure(
        what, number, line.where, is_clear=is_clear, unit=known, step=line.step, n=line.n
    )
