"""Statistics in running text: a figure directly behind the name of a statistic or of the loss.

They can only warn, so a sentence is read only if each of its words states a result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from speedcheck.certificate import ClaimSubject
from speedcheck.claims import words
from speedcheck.claims.model import Figure, Grade, Passage, Reader
from speedcheck.claims.numbers import NUMBER, Printed, printed

_MOST_CHARACTERS = 2_000
_MOST_NUMBERS = 60
# A loss of fewer digits is a target or a goal.
_FEWEST_DIGITS = 3

_MARKUP = re.compile(r"[*`$]|</?[A-Za-z][^<>\n]{0,80}>|[\[(][0-9.,;\s]*+[\])]")
_SENTENCE = re.compile(r"(?<=[.;!?])\s+|[|\n]")
_RUNS = re.compile(r"\b([0-9]{1,4})[- ](?:seeds?|runs?|logs?)\b|\b[nN] ?[=:] ?([0-9]{1,4})\b")
# In "p < 1.195: 0.0023" the number behind the sign is the null value.
_STATISTIC = re.compile(
    rf"(?:(?P<p>\bp(?:[-_ ]?val(?:ue)?)?)\b(?: ?< ?(?:{NUMBER}) ?[:=])?"
    r"|(?<!\w)(?P<name>[a-z_\u03bc\u03c3]{1,40}+))"
    r"[^\w<>≤≥±]{0,6}(?:(?:of|is)\b[^\w<>≤≥±]{0,20}){0,2}"
    rf"(?<![\w.+\-\u2212/])(?P<number>{NUMBER})(?!\.[0-9]|%)(?: ?(?P<unit>[a-z]{{1,7}})\b|(?!\w))",
    re.IGNORECASE,
)
_MEANS = frozenset({"mean", "average", "avg", "\u03bc"})
_DEVIATIONS = frozenset({"std", "stdev", "stddev", "sd", "std_dev", "deviation", "\u03c3"})
_NULL = re.compile(
    rf"(?:\b(?:against|vs\.?|versus|target|popmean|below|under|than)|<)[^\w.]{{0,4}}({NUMBER})"
    rf"|ttest_1samp\([^,()]{{1,80}},\s*(?:popmean\s*=\s*)?({NUMBER})",
    re.IGNORECASE,
)
_SIGMA = re.compile(rf"(?:\bsigma\b|\u03c3|\\sigma)[^\w.]{{0,4}}({NUMBER})", re.IGNORECASE)


def read_text(passage: Passage, reader: Reader) -> Iterator[Figure]:
    """Yield the statistics of a paragraph, a list item, a heading or output of a program."""
    text = passage.text[:_MOST_CHARACTERS]
    if words.is_baseline(f"{text} {passage.heading} {passage.said}"):
        return
    nulls, sigmas = read_nulls(text, reader)
    start = 0
    for end in (*(match.start() for match in _SENTENCE.finditer(text)), len(text)):
        where = reader.where(passage.line + text.count("\n", 0, start + 1))
        for figure in _statistics(text[start:end], where, reader):
            yield replace(figure, nulls=nulls, sigmas=sigmas)
        start = end


def read_nulls(text: str, reader: Reader) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the null values and the known deviations that a text names.

    A null value of a sentence is of the losses' size, and alpha is not; code may test any.
    """
    found = [(m[2], printed(m[1] or m[2])) for m in islice(_NULL.finditer(text), _MOST_NUMBERS)]
    targets = [n.value for code, n in found if n and (code or reader.is_near(n, by=0.5))]
    known = [printed(match[1]) for match in islice(_SIGMA.finditer(text), _MOST_NUMBERS)]
    sigmas = [sigma.value for sigma in known if sigma]
    return tuple(dict.fromkeys(targets)), tuple(dict.fromkeys(sigmas))


def _statistics(sentence: str, where: str, reader: Reader) -> Iterator[Figure]:
    plain = _MARKUP.sub(" ", sentence)
    runs = {int(match[1] or match[2]) for match in _RUNS.finditer(plain)}
    plain = _RUNS.sub(" ", plain)
    is_clear = runs <= reader.sizes and words.states_result(plain, reader.measure)
    is_mean = not words.words(plain).isdisjoint(_MEANS)
    for match in islice(_STATISTIC.finditer(plain), _MOST_NUMBERS if is_clear else 0):
        number, unit = printed(match["number"]), words.unit_of(match["unit"] or "")
        name = match["name"].lower() if match["name"] else "p"
        what = _time(name, is_mean=is_mean) if unit else number and _subject(name, number, reader)
        if number and what:
            is_one = what == "mean" and not is_mean
            yield Figure(what, (number,), where, Grade.WARN, unit=unit, may_be_one_run=is_one)


def _subject(name: str, number: Printed, reader: Reader) -> ClaimSubject | None:
    """Return what a number without a unit is by the name before it and by its size."""
    if name == "p":
        return "p" if number.value <= 1 else None
    if number.decimals < _FEWEST_DIGITS:
        return None
    if name in _DEVIATIONS:
        return "std"
    is_mean = name in _MEANS or words.names_measure(name, reader.measure)
    return "mean" if is_mean and reader.is_near(number) else None


def _time(name: str, *, is_mean: bool) -> ClaimSubject | None:
    """Return what a time is by the name before it; one run's own is not a statistic."""
    if name in _DEVIATIONS:
        return "time_std"
    is_of_runs = is_mean and words.kind_of(name, ("",)) == "times"
    return "time_mean" if name in _MEANS or is_of_runs else None
