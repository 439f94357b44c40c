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
_SENTENCE = re.compile(r"(?<=[.;!?])\s+|\|")
_RUNS = re.compile(
    r"\b([0-9]{1,4})(?:[- ]|[- ](?:independent|full|complete|random) )?(?:seeds?|runs?|logs?)\b"
    r"|\b[nN] ?[=:] ?([0-9]{1,4})\b"
)
_STEPS = re.compile(
    r"(?:\bat )?\bsteps?[ =:]?[0-9]{1,7}|@[0-9]{1,7}|\b[0-9]{1,7} steps?\b", re.IGNORECASE
)
_IS = r"[^\w<>≤≥±]{0,6}(?:(?:of|is|was|equals)\b)?[^\w<>≤≥±]{0,4}"
# In "p < 1.195: 0.0023" the number behind the sign is the null value.
_STATISTIC = re.compile(
    r"(?:(?P<mean>\b(?:mean|averages?|avg|averaged)\b|\u03bc|x̄)[^0-9±,;]{0,60}?"
    rf"|(?P<std>\b(?:std|stdev|stddev|sd|std_dev|deviation)(?:\b|_[a-z]+)|\u03c3){_IS}"
    rf"|(?P<p>\bp(?:[-_ ]?val(?:ue)?s?)?)\b(?: ?< ?(?:{NUMBER}) ?[:=])?{_IS}"
    rf"|(?P<loss>\b[a-z_]{{2,40}}+){_IS})"
    rf"(?<![\w.+\-\u2212/])(?P<number>{NUMBER})(?!\.[0-9]|%)"
    r"(?: ?(?P<unit>ms|s|secs?|seconds?|min|mins|minutes?)\b(?! ?[=:(])|(?!\w))",
    re.IGNORECASE,
)
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
    return [
        figure
        for offset, line in enumerate(text.split("\n"))
        for sentence in _SENTENCE.split(line)
        for figure in _statistics(
            sentence, reader.where(passage.line + offset), nulls, reader, is_own=is_own
        )
    ]


def read_nulls(text: str, reader: Reader) -> Nulls:
    """Return the null values and the known deviations that a text names.

    A null value of a sentence is of the losses' size, and alpha is not; code may test any.
    """
    found = [(m[2], printed(m[1] or m[2])) for m in islice(_NULL.finditer(text), _MOST_NUMBERS)]
    targets = [null.value for code, null in found if null and (code or _may_be_null(null, reader))]
    known = [printed(match[1]) for match in islice(_SIGMA.finditer(text), _MOST_NUMBERS)]
    sigmas = [sigma.value for sigma in known if sigma]
    return Nulls(tuple(dict.fromkeys(targets)), tuple(dict.fromkeys(sigmas)))


def _may_be_null(number: Printed, reader: Reader) -> bool:
    return reader.level is not None and 0.5 < number.value / reader.level < 2


def _statistics(
    sentence: str, where: str, nulls: Nulls, reader: Reader, *, is_own: bool
) -> Iterator[Figure]:
    plain = _LIST.sub(" ", _MARKUP.sub(" ", sentence))
    runs = _RUNS.search(plain)
    n, step = int(runs[1] or runs[2]) if runs else None, words.step_of(plain)
    plain = _STEPS.sub(_blank, _RUNS.sub(_blank, plain))
    is_clear = is_own and words.states_result(plain, reader.measure)
    for match in islice(_STATISTIC.finditer(plain), _MOST_NUMBERS):
        number = printed(match["number"])
        what = _subject(match, number, plain, reader) if number else None
        if what is None or number is None:
            continue
        # A step's time is not a run's, and a loss of training is not one of validation.
        unit, is_loss = words.unit_of(match["unit"] or ""), bool(match["loss"])
        is_other = words.is_of_training(match[0])
        if what in ("time_mean", "time_std"):
            is_other = unit is None or "step" in plain.lower()
        grade = Grade.WARN if is_clear and not is_other else Grade.CONFIRM
        yield Figure(
            *(what, (number,), where, grade, step, unit), n=n, may_be_one_run=is_loss, nulls=nulls
        )


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _subject(
    match: re.Match[str], number: Printed, sentence: str, reader: Reader
) -> ClaimSubject | None:
    """Return what a number is by the word before it, its unit and its size."""
    is_time = match["unit"] is not None
    if match["p"]:
        is_p = number.value <= 1 and not is_time
        return "p" if is_p and not words.is_other_test(sentence) else None
    if match["std"]:
        is_time |= words.kind_of(sentence, reader.measure) == "times"
        return "time_std" if is_time else "std" if number.decimals >= 2 else None
    if match["mean"] and is_time:
        return "time_mean" if number.decimals >= 1 else None
    is_loss = reader.is_near(number) and number.decimals >= _FEWEST_DIGITS and not is_time
    is_named = match["mean"] or words.names_measure(match["loss"], reader.measure)
    return "mean" if is_loss and is_named else None
