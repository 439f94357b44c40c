"""What words say: names of lists and figures, and statistics in running text.

All the vocabulary is here. A name or a sentence is certain where each of its words is listed; one
with any other word may be of something else. Text can only warn, so that no other sentence is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from speedcheck.certificate import ClaimSubject
from speedcheck.claims.model import Figure, Grade, Kind, Passage, Reader, Unit
from speedcheck.claims.numbers import NUMBER, Printed, printed


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LOSSES = _set("loss losses acc accs val vals")
_TIMES = _set("time times runtime runtimes wallclock timing timings")
_UNITS: dict[str, Unit] = {
    **dict.fromkeys(("s", "sec", "secs", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "milliseconds"), "ms"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
}
# Beside the measure or a word for times, these leave a name what it is.
_PLAIN = _set(
    "final validation val wall clock new this ours pr all list results result n runs run seeds "
    "seed sorted per the of over is are record total last at step sliding window"
)
# With these it is at most a warning: logs print such losses beside the run's own.
_QUALIFIED = _set("ttt post legal quant quantized int8 int6 roundtrip exact raw ema eval")
# A sentence of these, words for losses and times, and numbers states a result of the record.
_RESULT = _PLAIN - {"step"} | _set(
    "mean average avg std stdev stddev sd dev deviation standard sample p pvalue value t z df test "
    "ttest sided one two sigma below above under less than target certified a an and with against "
    "gives in on for our we nats \u03bc \u03c3"
)
# And these are in what programs print of it.
_PRINTED = _LOSSES | _set(
    "statistic minmax pvalue ttestresult sampresult tensor statistically significant vs null"
)
# And these introduce figures.
_INTRODUCES = _set(
    "i my you it its they their these those following here below found got get gives give gave "
    "was were have had see table block from by with each every across individual final data "
    "number numbers figure figures log logs file files output script command python scipy "
    "statistics statistical summary evidence validation verification verify significance proof "
    "performance reported consecutive independent order json timing stats check checked "
    "reproducibility details detailed raw xh100 gpu gpus h100 h100s value submission proposed "
    "metrics measured printed obtained csv click expand show three four five six seven eight "
    "nine ten twelve sixteen twenty"
)
# What a record is compared with: a list, a heading or a paragraph with one of these words.
_BASELINE = _set(
    "baseline baselines base prior previous previously prev before old older original originally "
    "reference control master upstream earlier main merged retime retimed retiming remeasured "
    "rerun reran official reproduction reproduced replicated ablation ablations without sota "
    "leaderboard attempt attempts failed variant variants sweep history negative tried vanilla "
    "paper pilot preliminary discarded excluded dropped crashed competitor competitors theirs "
    "checkpoint checkpoints curve trajectory records rank ranking standings"
)
# Another record, a file of another folder, and another submission.
_OTHER = re.compile(r"\b(?:last|current|standing|latest) (?:world )?record\b|\.\./", re.IGNORECASE)
_SUBMISSION = re.compile(r"#[0-9]{2}|\bPR ?[0-9]")

# The e of 9.3e-19 is not a word.
_WORD = re.compile(r"(?!(?<=[0-9])[eE][-+]?[0-9])[A-Za-z\u0394\u03b4\u03bc\u03c3]+[0-9]*")
# About, and from one figure to another.
_VAGUE = re.compile("~|->|\u2192")
_STEP = re.compile(r"(?:\bstep|@)[\s_]{0,2}([0-9]{1,7})\b", re.IGNORECASE)
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
    rf"(?<![\w.+\-\u2212/])(?P<number>{NUMBER})(?!\.[0-9]|%)"
    # The 2 of "2 min 32 s" is not a time.
    r"(?: ?(?P<unit>[a-z]{1,7})\b(?! ?[0-9])|(?!\w))",
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


def words(text: str) -> set[str]:
    """Return the words of a name or a line, lower case; `val_bpb` gives its parts."""
    return {word.lower() for word in _WORD.findall(text[:1_000])}


def names_measure(text: str, measure: tuple[str, ...]) -> bool:
    """Return whether a heading or a name is the measure, as words of its own."""
    found = words(text) | {word.removesuffix("s") for word in words(text)}
    return any(words(word) and words(word) <= found for word in measure)


def kind_of(text: str, measure: tuple[str, ...]) -> Kind | None:
    """Return what a name says that a list holds; None where it says nothing."""
    if names_measure(text, measure):
        return "losses"
    if words(text) & _TIMES:
        return "times"
    return "losses" if measure[0].endswith("loss") and words(text) & _LOSSES else None


def list_of(
    name: str, numbers: tuple[Printed, ...], passage: Passage, where: str, reader: Reader
) -> Figure | None:
    """Return a list as a figure; None where its name is for neither losses nor times.

    One without a name is of losses if it can be. What the passage is about may say that it is of
    other runs; what is directly above it may make it unclear.
    """
    is_near = reader.is_near(sorted(numbers, key=lambda number: number.value)[len(numbers) // 2])
    step, kind = step_of(name), kind_of(name, reader.measure)
    if kind is None and is_near and words(name) <= {"step"} and (step or not name):
        kind = "losses"
    if kind is None:
        return None
    is_of_others = is_baseline(f"{passage.title} {passage.about} {name}")
    is_other = is_of_others or (kind == "losses" and not is_near)
    grade = Grade.CONFIRM if is_other else _grade(name, kind, reader.measure)
    unclear = is_unclear(f"{passage.about} {passage.above}", reader.measure)
    return Figure(kind, numbers, where, grade, step, is_unclear=unclear)


def is_unclear(above: str, measure: tuple[str, ...]) -> bool:
    """Return whether what is above figures may say more than that they are of the record's runs."""
    is_named = _SUBMISSION.search(above) or _OTHER.search(above)
    return bool(is_named or _unknown(above, measure) - _PRINTED - _INTRODUCES)


def _grade(name: str, kind: Kind, measure: tuple[str, ...]) -> Grade:
    """Return how certain it is that a name is for losses, or for times, and for no other."""
    times = _TIMES | _UNITS.keys() | {"train", "training"}
    left = words(name) - _PLAIN - (times if kind == "times" else _of_losses(measure))
    if not left:
        return Grade.REFUTE
    return Grade.WARN if kind == "losses" and left <= _QUALIFIED else Grade.CONFIRM


def _unknown(text: str, measure: tuple[str, ...]) -> set[str]:
    """Return the words of a text by which it may state anything but a result of the runs."""
    return words(text) - _RESULT - _TIMES - _UNITS.keys() - _of_losses(measure)


def prints_result(text: str, measure: tuple[str, ...]) -> bool:
    """Return whether a line of output is a result of the runs, and nothing else."""
    return _unknown(text, measure) <= _PRINTED


def _of_losses(measure: tuple[str, ...]) -> set[str]:
    """Return the words for the track's loss; a loss that is called so is in nats."""
    own = {part for word in measure for part in (*words(word), word + "s")}
    return own | _LOSSES | {"nats", "nat"} if measure[0].endswith("loss") else own


def is_baseline(text: str) -> bool:
    """Return whether a text is of what the record is compared with."""
    found = words(text) | words(text.replace("-", ""))
    return not found.isdisjoint(_BASELINE) or bool(_OTHER.search(text[:1_000]))


def step_of(text: str) -> int | None:
    """Return the validation step that a name gives: "step 2745" or "val_loss@2745"."""
    found = _STEP.search(text[:1_000])
    return int(found[1]) if found else None


def read_text(passage: Passage, reader: Reader) -> Iterator[Figure]:
    """Yield the statistics of a paragraph, a list item, a heading or output of a program."""
    text = passage.text[:_MOST_CHARACTERS]
    if is_baseline(f"{text} {passage.title}"):
        return
    # Paragraphs follow one another, so that the sentence above is seldom of this one.
    grade = Grade.CONFIRM if is_unclear(passage.about, reader.measure) else Grade.WARN
    nulls, sigmas = read_nulls(text, reader)
    start = 0
    for end in (*(match.start() for match in _SENTENCE.finditer(text)), len(text)):
        where = reader.where(passage.line + text.count("\n", 0, start + 1))
        for figure in _statistics(text[start:end], where, reader):
            yield replace(figure, grade=grade, nulls=nulls, sigmas=sigmas)
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
    if not runs <= reader.sizes or _unknown(plain, reader.measure) or _VAGUE.search(plain):
        return
    is_mean = not words(plain).isdisjoint(_MEANS)
    for match in _STATISTIC.finditer(plain):
        name, unit = (match["name"] or "p").lower(), _UNITS.get((match["unit"] or "").lower())
        number = printed(match["number"])
        what = _subject(name, number, unit, reader, is_mean=is_mean) if number else None
        if number and what:
            is_one = what == "mean" and not is_mean
            yield Figure(what, (number,), where, unit=unit, may_be_one_run=is_one)


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
    if number.decimals < _FEWEST_DIGITS:
        return None
    if name in _DEVIATIONS:
        return "std"
    is_loss = name in _MEANS or names_measure(name, reader.measure)
    return "mean" if is_loss and reader.is_near(number) else None
