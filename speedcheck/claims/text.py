"""Statistics in running text: a number after a word for a mean, a deviation, a p or the loss.

They can only warn, and only where their sentence has no word that could make them something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from speedcheck.certificate import ClaimSubject
from speedcheck.claims import words
from speedcheck.claims.model import Figure, Grade, Nulls, Passage, Reader
from speedcheck.claims.numbers import NUMBER, Printed, printed

_MOST_CHARACTERS = 2_000
_MOST_NUMBERS = 60
# A loss of fewer digits is a target or a goal.
_FEWEST_DIGITS = 3

_MARKUP = re.compile(r"[*`$]|</?[A-Za-z][^<>\n]{0,80}>|(?<=[\])])\([^()\n]{0,200}\)|\\\w+")
_LIST = re.compile(r"[\[(][0-9.,;\s]*+[\])]")
_SENTENCE = re.compile(r"(?<=[.;!?])\s+|\n|\|")
_RUNS = re.compile(
    r"\b([0-9]{1,4})(?:[- ]|[- ](?:independent|full|complete|random) )?(?:seeds?|runs?|logs?)\b"
    r"|\b[nN] ?[=:] ?([0-9]{1,4})\b"
)
_STEPS = re.compile(
    r"(?:\bat )?\bsteps?[ =:]?[0-9]{1,7}|@[0-9]{1,7}|\b[0-9]{1,7} steps?\b", re.IGNORECASE
)
_VALUE = re.compile(
    rf"(?<![\w.+\-\u2212/])({NUMBER})(?!\.[0-9]|%)"
    r"(?: ?(ms|s|secs?|seconds?|min|mins|minutes?)\b(?! ?[=:(])|(?!\w))"
)
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
_P_OF_NULL = re.compile(rf"\bp(?:[- _]?val(?:ue)?)? ?< ?(?:{NUMBER}) ?[:=] ?({NUMBER})", re.IGNORECASE)
_NULL = re.compile(
    rf"(?:\b(?:against|vs\.?|versus|target|popmean|below|under|than)|<)[^\w.]{{0,4}}({NUMBER})"
    rf"|ttest_1samp\([^,()]{{1,80}},\s*(?:popmean\s*=\s*)?({NUMBER})",
    re.IGNORECASE,
)
_SIGMA = re.compile(rf"(?:\bsigma\b|\u03c3|\\sigma)[^\w.]{{0,4}}({NUMBER})", re.IGNORECASE)


def read_text(passage: Passage, reader: Reader) -> list[Figure]:
    """Return the statistics of a paragraph, a list item, a heading or output of a program."""
    text = passage.text[:_MOST_CHARACTERS]
    is_own = not words.is_baseline(f"{text} {passage.heading} {passage.said}")
    nulls = read_nulls(text, reader)
    figures: list[Figure] = []
    for offset, line in enumerate(text.split("\n")):
        where = reader.where(passage.line + offset)
        for sentence in _SENTENCE.split(line):
            figures += _statistics(sentence, where, nulls, reader, is_own=is_own)
    return figures


def read_nulls(text: str, reader: Reader) -> Nulls:
    """Return the null values and the known deviations that a text names.

    A null value of a sentence is near the losses; code may test against any.
    """
    found = [(m[2], printed(m[1] or m[2])) for m in islice(_NULL.finditer(text), _MOST_NUMBERS)]
    targets = [null.value for code, null in found if null and (code or reader.is_near(null))]
    known = [printed(match[1]) for match in islice(_SIGMA.finditer(text), _MOST_NUMBERS)]
    sigmas = [sigma.value for sigma in known if sigma]
    return Nulls(tuple(dict.fromkeys(targets)), tuple(dict.fromkeys(sigmas)))


def _statistics(
    sentence: str, where: str, nulls: Nulls, reader: Reader, *, is_own: bool
) -> Iterator[Figure]:
    plain = _LIST.sub(" ", _MARKUP.sub(" ", sentence))
    runs = _RUNS.search(plain)
    n, step = int(runs[1] or runs[2]) if runs else None, words.step_of(plain)
    plain = _STEPS.sub(_blank, _RUNS.sub(_blank, plain))
    is_clear = is_own and words.states_result(plain, reader.measure)
    for number, unit, before, after in _numbers(plain):
        what = _subject(number, unit, before, after, plain, reader)
        if what is None:
            continue
        is_time = what in ("time_mean", "time_std")
        is_sure = is_clear and not (words.is_of_training(before[-30:]) and not is_time)
        is_sure = is_sure and not (is_time and (unit is None or "step" in words.words(plain)))
        yield Figure(
            what,
            (number,),
            where,
            Grade.WARN if is_sure else Grade.CONFIRM,
            step=step,
            unit=words.unit_of(unit or ""),
            n=n,
            may_be_one_run=what == "mean" and not _is_mean(before, after),
            nulls=nulls,
        )


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _numbers(text: str) -> Iterator[tuple[Printed, str | None, str, str]]:
    """Yield the numbers of a sentence, each with its unit and what is before and behind it."""
    null = _P_OF_NULL.search(text)
    if null:
        # The number behind "p <" is the null value, and the one behind that the p.
        text = text[: null.start()] + "p=" + null[1] + text[null.end() :]
    end = 0
    for match in islice(_VALUE.finditer(text), _MOST_NUMBERS):
        number = printed(match[1])
        if number:
            yield (
                number,
                match[2],
                text[max(end, match.start() - 80) : match.start()],
                text[match.end() :][:30],
            )
        end = match.end()


def _label(before: str) -> re.Match[str] | None:
    """Return the last label before a number."""
    return next(iter(list(_LABEL.finditer(before))[-1:]), None)


def _is_mean(before: str, after: str) -> bool:
    label = _label(before)
    return (label is not None and label.lastgroup == "mean") or bool(_AFTER_MEAN.match(after))


def _subject(
    number: Printed, unit: str | None, before: str, after: str, sentence: str, reader: Reader
) -> ClaimSubject | None:
    """Return what a number is by the last label before it, or by what is behind it."""
    label = _label(before)
    kind = label.lastgroup if label else None
    is_close = label is not None and _CLOSE.match(before[label.end() :]) is not None
    if kind == "other":
        return None
    if kind == "p":
        is_p = is_close and number.value <= 1 and unit is None
        return "p" if is_p and not words.is_other_test(sentence) else None
    if kind == "std":
        is_time = unit is not None or words.kind_of(sentence, reader.measure) == "times"
        is_std = is_close and (is_time or number.decimals >= 2)
        return ("time_std" if is_time else "std") if is_std else None
    if unit is not None:
        return "time_mean" if _is_mean(before, after) and number.decimals >= 1 else None
    if not reader.is_near(number) or number.decimals < _FEWEST_DIGITS:
        return None
    is_named = words.names_measure(f"{before[-30:]} {after[:10]}", reader.measure)
    return "mean" if is_named or _is_mean(before, after) else None
