"""The words by which documents name lists and figures. All the vocabulary is here.

What is certain is named by words of the lists below and no other: a name or a sentence with a
word that is not here may be of something else, and is then only confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from speedcheck.claims.model import Grade, Kind, Unit


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LOSSES = _set("loss losses acc accs val vals")
_TIMES = _set("time times runtime runtimes wallclock timing timings")
_UNITS: dict[str, Unit] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
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
_RESULT = _PLAIN | _set(
    "mean means average avg averaged std stdev stddev sd dev deviation standard sample p pval "
    "pvalue value values t z df test ttest sided one two tailed sigma a an and are as for "
    "get gets give gives have in is my on our over was we i with against default independent "
    "validated logs samples h0 ci which submit branch full train training loss losses v vs after "
    "e np median max best worst lowest highest range sem se \u03bc \u03c3"
)
# What a record is compared with: a list, a heading or a paragraph with one of these words.
_BASELINE = _set(
    "baseline baselines base prior previous previously prev before old older original originally "
    "reference control master upstream earlier main merged retime retimed retiming remeasured "
    "rerun reran official reproduction reproduced replicated ablation ablations without sota "
    "leaderboard attempt attempts failed variant variants sweep history negative tried"
)
# A p-value with one of these is of another test than that of losses against a target.
_OTHER_TEST = _set(
    "welch paired ind rel mann whitney wilcoxon bootstrap permutation shapiro ks anova "
    "equivalence tost difference normality"
)

_WORD = re.compile(r"[A-Za-z\u0394\u03b4\u03bc\u03c3]+[0-9]*")
_NAME = re.compile(r"[a-z0-9_]+")
_STEP = re.compile(r"(?:\bstep|@)[\s_]{0,2}([0-9]{1,7})\b", re.IGNORECASE)


def words(text: str) -> set[str]:
    """Return the words of a name or a line, lower case; `val_bpb` gives its parts."""
    return {word.lower() for word in _WORD.findall(text[:1_000])}


def names_measure(text: str, measure: Iterable[str]) -> bool:
    """Return whether a heading or a name is the measure, as a word of its own."""
    found = {*_NAME.findall(text.lower()[:1_000]), *words(text)}
    return any(word in found or word + "s" in found for word in measure)


def kind_of(text: str, measure: tuple[str, ...]) -> Kind | None:
    """Return what a name says a list holds; None where it says nothing or too much."""
    if names_measure(text, measure):
        return "losses"
    found = words(text)
    if found & _TIMES:
        return "times"
    is_loss = measure[0].endswith("loss") and found & _LOSSES
    return "losses" if is_loss else None


def grade_of(name: str, kind: Kind, measure: tuple[str, ...]) -> Grade:
    """Return how certain it is that a name or a heading is of losses, or of times, and no other."""
    times = _TIMES | _UNITS.keys() | {"train", "training"}
    left = words(name) - _PLAIN - (times if kind == "times" else _of_losses(measure))
    if not left:
        return Grade.REFUTE
    return Grade.WARN if kind == "losses" and left <= _QUALIFIED else Grade.CONFIRM


def states_result(text: str, measure: tuple[str, ...]) -> bool:
    """Return whether a sentence states a result of the record's runs, and nothing else."""
    known = _RESULT | _TIMES | _UNITS.keys() | _of_losses(measure)
    return words(text) <= known and not any(sign in text for sign in ("~", "->", "→", "\u0394"))


def _of_losses(measure: tuple[str, ...]) -> set[str]:
    """Return the words for the track's loss; a loss that is called so is in nats."""
    own = {part for word in measure for part in (*words(word), word + "s")}
    return own | _LOSSES | {"nats", "nat"} if measure[0].endswith("loss") else own


def is_baseline(text: str) -> bool:
    """Return whether a text is of what the record is compared with."""
    return not words(text).isdisjoint(_BASELINE)


def is_other_test(text: str) -> bool:
    """Return whether a text names another test than the one of losses against a target."""
    return not words(text).isdisjoint(_OTHER_TEST)


def is_of_training(text: str) -> bool:
    """Return whether a text names the loss of the training data."""
    return not words(text).isdisjoint(("train", "training"))


def unit_of(text: str) -> Unit | None:
    """Return the unit of time that a name gives."""
    return next((_UNITS[w.lower()] for w in _WORD.findall(text) if w.lower() in _UNITS), None)


def step_of(text: str) -> int | None:
    """Return the validation step that a name gives: "step 2745" or "val_loss@2745"."""
    found = _STEP.search(text[:1_000])
    return int(found[1]) if found else None
