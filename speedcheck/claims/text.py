"""Figures in running text: what is attached to a word for the loss, a mean, a deviation or a p.

They can only warn, and only where a reader would be sure what they are of; otherwise they are
good for being confirmed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice

from speedcheck.claims import words
from speedcheck.claims.markdown import Block
from speedcheck.claims.model import Figure, Nulls, Reader, Series, Unit
from speedcheck.claims.numbers import NUMBER, Printed, printed

_MOST_CHARACTERS = 2_000
_MOST_NUMBERS = 60
# A loss of fewer digits is a target or a goal.
_FEWEST_DIGITS = 3

_MARKUP = re.compile(r"[*`$|]|</?[A-Za-z][^<>\n]{0,80}>|(?<=[\])])\([^()\n]{0,200}\)|\\\w+")
_LIST = re.compile(r"[\[(][0-9.,;\s]*+[\])]")
_RUNS = re.compile(
    r"\b([0-9]{1,4})(?:[- ]|[- ](?:independent|full|complete|random) )?(?:seeds?|runs?|logs?)\b"
    r"|\b[nN] ?[=:] ?([0-9]{1,4})\b"
)
_STEPS = re.compile(
    r"(?:\bat )?\bsteps?[ =:]?[0-9]{1,7}|@[0-9]{1,7}|\b[0-9]{1,7} steps?\b", re.IGNORECASE
)
_VALUE = re.compile(
    rf"(?<![\w.+\-\u2212/])(?:({NUMBER})(?!\w|\.[0-9]|%)|({NUMBER})(?=(?:ms|s|min)\b))"
)
_UNIT = re.compile(r" ?(ms|s|secs?|seconds?|min|mins|minutes?)\b(?! ?[=:(])")
_MINUTES = re.compile(r"[0-9] ?m(?:in)? ?$")
_LABEL = re.compile(
    r"(?P<mean>\b(?:mean|average|averages|avg|averaged)\b|\u03bc|x̄)"
    r"|(?P<std>\b(?:std|stdev|stddev|sd|std_dev|deviation)(?:\b|_)|\u03c3)"
    r"|(?P<p>\bp(?:[-_ ]?val(?:ue)?s?)?\b)"
    r"|(?P<other>\b(?:t|df|z|sem|se|median|min|max|minimum|maximum|best|worst|lowest|highest|range"
    r"|ci|interval|target|alpha|sigma|error)\b|±|\+/-|\+-)",
    re.IGNORECASE,
)
_AFTER_MEAN = re.compile(
    r"^ ?(?:\u00b1|\+/-|\+-)|^[\s(,\[]{0,4}(?:\w+[- ]){0,2}(?:mean|average|avg)\b", re.IGNORECASE
)
_CLOSE = re.compile(r"^[^\w<>≤≥]{0,6}(?:(?:of|is|was|equals)\b)?[^\w<>≤≥]{0,4}$")
_P_OF_NULL = re.compile(
    rf"\bp(?:[- _]?val(?:ue)?)? ?< ?({NUMBER}) ?[:=] ?({NUMBER})", re.IGNORECASE
)
_NULL = re.compile(
    rf"(?:\b(?:against|vs\.?|versus|target|popmean|below|under|than)|<)[^\w.]{{0,4}}({NUMBER})"
    rf"|ttest_1samp\([^,()]{{1,80}},\s*(?:popmean\s*=\s*)?({NUMBER})",
    re.IGNORECASE,
)
_SIGMA = re.compile(rf"(?:\bsigma\b|\u03c3|\\sigma)[^\w.]{{0,4}}({NUMBER})", re.IGNORECASE)
_SEED_LINE = re.compile(
    rf"\bseed[ _#=:]{{0,3}}([0-9]{{1,9}})\b[^0-9\n]{{1,40}}?({NUMBER})", re.IGNORECASE
)


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


def read_seed_lines(block: Block, reader: Reader) -> list[Series]:
    """Return the losses that a text names seed by seed, such as "seed 1337: 1.1192"."""
    found = islice(_SEED_LINE.finditer(block.text[:_MOST_CHARACTERS]), _MOST_NUMBERS)
    pairs = [(int(m[1]), number) for m in found if (number := printed(m[2]))]
    if not pairs or not all(reader.is_near(number.value) for _, number in pairs):
        return []
    is_other = words.speaks_of_others(block.text) or words.is_baseline(block.heading)
    seeds, numbers = zip(*pairs, strict=True)
    where = reader.where(block.line)
    return [Series("losses", "", numbers, where, "text", is_other, seeds=seeds)]


def _values(found: list[str]) -> list[float]:
    return [number.value for text in found if (number := printed(text)) and number.value > 0]


def _line(written: str, where: str, *, is_clear: bool) -> _Line:
    text = _LIST.sub(" ", _MARKUP.sub(" ", written))
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
        return [_figure(number, line, None, "")] if number else []
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
    """Return what a number is by the last label before it, or by what is behind it."""
    labels = list(_LABEL.finditer(before))
    kind = labels[-1].lastgroup if labels else None
    between = before[labels[-1].end() :] if labels else before
    figure = _figure(number, line, _unit(after), before)
    if kind in ("p", "std"):
        is_close = _CLOSE.match(between) is not None
        found = (_p if kind == "p" else _std)(figure, line, reader) if is_close else None
    elif kind == "other":
        found = None
    else:
        is_mean = kind == "mean" or _AFTER_MEAN.match(after) is not None
        found = _loss(figure, between if kind else before[-30:], after, reader, is_mean=is_mean)
        found = _time(figure, line, is_mean=is_mean) if figure.unit else found
    return [found] if found else []


def _p(figure: Figure, line: _Line, reader: Reader) -> Figure | None:  # noqa: ARG001 - as _std
    is_p = figure.number.value <= 1 and figure.unit is None
    return figure if is_p and not words.is_other_test(line.text) else None


def _std(figure: Figure, line: _Line, reader: Reader) -> Figure | None:
    is_time = figure.unit is not None or words.kind_of(line.text, reader.measure) == "times"
    if not is_time and figure.number.decimals < 2:
        return None
    is_own = figure.unit is not None and "step" not in line.text.lower()
    is_clear = figure.is_clear and (is_own or not is_time)
    return replace(figure, what="time_std" if is_time else "std", is_clear=is_clear)


def _time(figure: Figure, line: _Line, *, is_mean: bool) -> Figure | None:
    if not is_mean or figure.number.decimals < 1:
        return None
    is_clear = figure.is_clear and "step" not in line.text.lower()
    return replace(figure, what="time_mean", is_clear=is_clear)


def _loss(
    figure: Figure, named: str, after: str, reader: Reader, *, is_mean: bool
) -> Figure | None:
    """Return a mean, or the loss that a text names without calling it a mean."""
    if not reader.is_near(figure.number.value) or figure.number.decimals < _FEWEST_DIGITS:
        return None
    if not is_mean and not words.names_measure(f"{named[-30:]} {after[:10]}", reader.measure):
        return None
    is_own = not words.is_other_metric(named, "losses", reader.measure)
    is_clear = figure.is_clear and is_own and not words.is_qualified(named)
    return replace(figure, what="mean", is_clear=is_clear, may_be_one_run=not is_mean)


def _unit(after: str) -> Unit | None:
    found = _UNIT.match(after)
    return words.unit_of(found[1]) if found else None


def _figure(number: Printed, line: _Line, unit: Unit | None, before: str) -> Figure:
    """Return a figure as a p, to be made what it is; its label's line may make it unclear."""
    is_clear = line.is_clear and not words.states_no_result(before)
    # Of "2m 15.5s" the seconds alone say nothing.
    is_clear = is_clear and not _MINUTES.search(before)
    return Figure("p", number, line.where, is_clear=is_clear, unit=unit, step=line.step, n=line.n)
