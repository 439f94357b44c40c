"""Running text: the statistics that its sentences state. They are at most a warning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from speedcheck.certificate import ClaimSubject
from speedcheck.claims.model import Figure, Passage, Reader, Unit
from speedcheck.claims.numbers import NUMBER, Printed, printed
from speedcheck.claims.vocabulary import (
    UNITS,
    is_known,
    kind_of,
    names_measure,
    step_of,
    without_steps,
    words,
)

_MOST_CHARACTERS = 2_000
_MOST_NUMBERS = 60
# A loss of fewer digits is a target or a goal.
_FEWEST_DIGITS = 3

# About, from one figure to another, a range and arithmetic.
_VAGUE = re.compile(r"~|->|\u2192|[0-9)] ?[-+\u2013] ?[0-9(]")
# What the name of a time may have, too.
_MARKUP = re.compile(
    r"[*`$]|</?[A-Za-z][^<>\n]{0,80}>|[\[(][0-9.,;\s]*+[\])]|\btrain(?:ing)?[ _-](?=time)"
    r"|\(statistic(?==)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.;!?])\s+|[|\n]")
_CLAUSE = re.compile(r"(?<=[.;!?,])\s+|[|\n()]|:\s(?![0-9])|\s[-\u2013\u2014]+\s")
_RUNS = re.compile(r"\b([0-9]{1,4})[- ](?:seeds?|runs?|logs?)\b|\b[nN] ?[=:] ?([0-9]{1,4})\b")
# In "p < 1.195: 0.0023" the first number is the null value.
_STATISTIC = re.compile(
    rf"(?:(?P<p>\bp(?:[-_ ]?val(?:ue)?)?)\b(?: ?(?:<|vs\.?|against|below) ?(?:{NUMBER}) ?[:=])?"
    r"|(?<![\w±/])(?P<name>[a-z_\u03bc\u03c3]{1,40}+))"
    r"[^\w<>≤≥±]{0,6}(?:(?:of|is|over|across|for|all|the|runs|seeds)\b[^\w<>≤≥±]{0,20}){0,4}"
    rf"(?<![\w.+\-\u2212/])(?P<number>{NUMBER})(?!\.[0-9]|%)"
    # The 2 of "2 min 32 s" is not a time.
    r"(?: ?(?P<unit>[a-z]{1,7})\b(?! ?[0-9])|(?!\w))",
    re.IGNORECASE,
)
_TENSOR = r"tensor\(([0-9]+\.?[0-9]*(?:e[-+]?[0-9]{1,3})?)[^()]{0,40}\)"
_PAIR = re.compile(rf"{_TENSOR},\s?{_TENSOR}")
_MEANS = frozenset({"mean", "average", "avg", "\u03bc"})
_DEVIATIONS = frozenset({"std", "stdev", "stddev", "sd", "std_dev", "deviation", "\u03c3"})
_NULL = re.compile(
    rf"(?:\b(?:against|vs\.?|versus|target|popmean|below|under|than)|<)[^\w.]{{0,4}}({NUMBER})"
    rf"|ttest_1samp\([^,()]{{1,80}},\s*(?:popmean\s*=\s*)?({NUMBER})",
    re.IGNORECASE,
)
_SIGMA = re.compile(rf"(?:\bsigma\b|\u03c3|\\sigma)[^\w.]{{0,4}}({NUMBER})", re.IGNORECASE)


def read_text(passage: Passage, reader: Reader) -> Iterator[Figure]:
    """Yield the statistics of a paragraph, a list item, a heading or output of a program.

    They are clear where the context of the passage is, and the sentence before theirs.
    """
    text = passage.text[:_MOST_CHARACTERS]
    if passage.kind == "title":
        text = _end_of_title(text, reader)
    nulls, sigmas = read_nulls(text, reader)
    context, start = passage.context, 0
    for end in (*(match.start() for match in _SENTENCE.finditer(text)), len(text)):
        where = reader.where(passage.line + text.count("\n", 0, start + 1))
        is_clear = is_known(context, reader.measure)
        for figure in read_sentence(text[start:end], where, reader):
            yield replace(figure, is_clear=is_clear, nulls=nulls, sigmas=sigmas)
        context, start = f"{passage.context} {text[start:end]}", end


def _end_of_title(title: str, reader: Reader) -> str:
    """Return what follows the words by which a title names the record, if all of it is known."""
    if "#" in title:
        # It names another submission.
        return ""
    starts = [0, *(match.end() for match in _CLAUSE.finditer(title))]
    return next((title[i:] for i in starts if is_known(title[i:], reader.measure)), "")


def read_nulls(text: str, reader: Reader) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the null values and the known deviations that a text names.

    A null value of a sentence is of the losses' size, and alpha is not; code may test any.
    """
    found = [(m[2], printed(m[1] or m[2])) for m in islice(_NULL.finditer(text), _MOST_NUMBERS)]
    targets = [n.value for code, n in found if n and (code or reader.is_near(n, by=0.5))]
    known = [printed(match[1]) for match in islice(_SIGMA.finditer(text), _MOST_NUMBERS)]
    sigmas = [sigma.value for sigma in known if sigma]
    return tuple(dict.fromkeys(targets)), tuple(dict.fromkeys(sigmas))


def read_sentence(sentence: str, where: str, reader: Reader) -> Iterator[Figure]:
    """Yield the statistics of a sentence, or of a line that a program prints.

    They are none where a word is not known, and where the number of runs is another.
    """
    plain = _MARKUP.sub(" ", _PAIR.sub(_named, sentence))
    runs = {int(match[1] or match[2]) for match in _RUNS.finditer(plain)}
    plain, step = without_steps(_RUNS.sub(" ", plain)), step_of(plain)
    if not is_known(plain, reader.measure) or _VAGUE.search(plain):
        return
    found = list(_of_sentence(plain, step, bool(runs), where, reader))
    if runs <= reader.sizes:
        yield from found
    elif found and min(runs) > max(reader.sizes, default=0):
        yield Figure("losses", (), where, runs=min(runs))


def _named(pair: re.Match[str]) -> str:
    """Name what torch.std_mean prints: a mean is larger than a deviation, in whatever order."""
    std, mean = sorted(pair.groups(), key=float)
    return f"mean {mean}, std {std}"


def _of_sentence(
    plain: str, step: int | None, has_runs: bool, where: str, reader: Reader
) -> Iterator[Figure]:
    is_mean = has_runs or not words(plain).isdisjoint(_MEANS)
    is_of_time = False
    for match in _STATISTIC.finditer(plain):
        name, unit = (match["name"] or "p").lower(), UNITS.get((match["unit"] or "").lower())
        number = printed(match["number"])
        what = _subject(name, number, unit, reader, is_mean=is_mean) if number else None
        # A deviation behind a time is the time's, in its unit.
        if number and what and not (what == "std" and is_of_time):
            is_one = what == "mean" and not is_mean
            yield Figure(what, (number,), where, step=step, unit=unit, may_be_one_run=is_one)
        is_of_time = bool(unit)


def _subject(
    name: str, number: Printed, unit: Unit | None, reader: Reader, *, is_mean: bool
) -> ClaimSubject | None:
    """Return what a number is by the name before it, its unit and its size."""
    if unit:
        # One run's own time is not a statistic.
        is_time = is_mean and kind_of(name, reader.measure) == "times"
        is_deviation = name in _DEVIATIONS
        return "time_std" if is_deviation else "time_mean" if is_time or name in _MEANS else None
    if name == "p":
        return "p" if number.value <= 1 else None
    if number.decimals < _FEWEST_DIGITS and not reader.is_under_list:
        return None
    if name in _DEVIATIONS:
        return "std"
    is_loss = name in _MEANS or names_measure(name, reader.measure)
    return "mean" if is_loss and (reader.is_under_list or reader.is_near(number)) else None
