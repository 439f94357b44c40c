"""The words by which documents name lists and figures. All the vocabulary is here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from speedcheck.claims.model import Kind, Unit

_LOSSES = frozenset({"loss", "losses", "acc", "accs", "val", "vals"})
_TIMES = frozenset({"time", "times", "runtime", "runtimes", "wallclock", "timing", "timings"})
_UNITS: dict[str, Unit] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "milliseconds"), "ms"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
}

# Words that leave a name of losses or times what it is.
_NEUTRAL = frozenset(
    {"final", "validation", "train", "training", "wall", "clock", "new", "this", "ours", "pr"}
    | {"all", "list", "results", "n", "runs", "run", "seeds", "seed", "sorted", "per", "the", "of"}
    | {"record", "total", "last", "at", "step"}
)

# A column or a figure with one of these words is of another metric or in another unit.
_OTHER_METRIC = frozenset(
    {"delta", "diff", "difference", "gap", "gain", "improvement", "change", "vs", "std", "sd"}
    | {"saved", "saving", "savings", "reduction", "ratio", "rate", "lr", "init", "decay", "margin"}
    | {"steps", "tokens", "bytes", "mb", "kb", "gb", "size", "params", "memory", "mfu", "gpu"}
    | {"pre", "avg", "average", "mean", "min", "max", "best", "worst", "median", "p", "sem"}
    | {"compile", "compilation", "warmup", "load", "artifact", "ppl"}
    | {"perplexity", "accuracy", "hellaswag", "owt", "error", "ci", "without", "half"}
    | {"penalty", "lower", "upper", "range", "expected", "estimate", "estimated", "predicted"}
    | {"extension", "averaged", "improves", "worth", "faster", "slower", "speedup", "percentile"}
)
# A loss with one of these is printed by the logs elsewhere, or is the measure itself: at most a
# warning.
_QUALIFIED = frozenset(
    {"quant", "quantized", "int8", "int6", "fp32", "fp16", "bf16", "fp8", "ema", "swa", "raw"}
    | {"eval", "evaluation", "ttt", "test"}
)
# Of the units that a loss can have, those that are not the measure's own make another metric.
_LOSS_UNITS = frozenset({"nats", "nat", "bits", "bit", "bpb", "bpt"})

# What a record is compared with: a list, a heading or a column with one of these words.
_BASELINE = frozenset(
    {"baseline", "baselines", "base", "prior", "previous", "previously", "prev", "before", "old"}
    | {"older", "original", "originally", "reference", "control", "master", "upstream", "earlier"}
    | {"retime", "retimed", "retiming", "remeasured", "rerun", "reran", "official", "reproduction"}
    | {"reproduced", "replicated", "ablation", "ablations", "without", "sota", "leaderboard"}
    | {"attempt", "attempts", "failed", "variant", "variants", "sweep", "history", "negative"}
)
# A text with one of these words may speak of other runs than the record's.
_OTHER_RUNS = _BASELINE | frozenset(
    {"no", "first", "main", "merged", "current", "compared", "comparison", "than", "vs", "versus"}
    | {"tried", "experiment", "experiments", "if", "would", "could", "should", "might", "may"}
    | {"instead", "combined", "another", "other", "someone", "somebody", "removing", "removed"}
    | {"small", "medium", "node", "machine", "example", "typical", "lr", "hyperparameters"}
)
# Words of a line that states a rule or a guess, and no result.
_NO_RESULT = frozenset(
    {"about", "approx", "approximately", "around", "roughly", "circa", "usual", "usually"}
    | {"expected", "estimate", "estimated", "predicted", "target", "threshold", "requirement"}
    | {"requires", "required", "require", "need", "needs", "must", "rule", "criterion", "below"}
    | {"under", "improvement", "improves", "improved", "reduction", "saves", "saved", "delta"}
    | {"difference", "from", "to", "gain", "gap", "by", "lower", "higher", "pooled", "bootstrap"}
    | {"single", "margin", "noise", "known", "per", "budget", "limit", "cap", "using", "step"}
)
# A p-value with one of these is of another test than that of the losses against a target.
_OTHER_TEST = frozenset(
    {"welch", "paired", "ind", "rel", "mann", "whitney", "wilcoxon", "bootstrap", "permutation"}
    | {"shapiro", "ks", "anova", "two-sample", "equivalence", "tost", "difference", "normality"}
)

_WORD = re.compile(r"[A-Za-z\u0394\u03b4\u03bc\u03c3]+[0-9]*")
_SEED = re.compile(r"seeds?", re.IGNORECASE)
_STEP = re.compile(r"(?:\bstep|@)[\s_]{0,2}([0-9]{1,7})\b", re.IGNORECASE)

_MOST_WORDS = 40


def words(text: str) -> list[str]:
    """Return the words of a name or a line, lower case; `val_bpb` gives its parts."""
    return [word.lower() for word in _WORD.findall(text[:1_000])]


def names_measure(text: str, measure: Iterable[str]) -> bool:
    """Return whether a heading or a name is the measure, as a word of its own."""
    found = set(re.findall(r"[a-z0-9_]+", text.lower()[:1_000]))
    found |= set(words(text))
    return any(word in found or word + "s" in found for word in measure)


def kind_of(text: str, measure: tuple[str, ...]) -> Kind | None:
    """Return what a name says a list holds; None where it says nothing or too much."""
    if names_measure(text, measure):
        return "losses"
    found = set(words(text))
    if found & _TIMES:
        return "times"
    is_loss = measure[0].endswith("loss") and found & _LOSSES
    return "losses" if is_loss else None


def is_other_metric(text: str, kind: Kind, measure: tuple[str, ...]) -> bool:
    """Return whether a name says that it is of another metric, or in another unit."""
    own = {part for word in measure for part in words(word)}
    own |= {"nats", "nat"} if measure[0].endswith("loss") else {"bit", "bits"} & own
    found = set(words(text)) - own
    if kind == "times":
        return bool(found & ((_OTHER_METRIC | _QUALIFIED) - set(_UNITS)))
    others = _OTHER_METRIC | _LOSS_UNITS | set(_UNITS) | {"train"}
    return bool(found & others) or "\u0394" in text or "±" in text


def is_qualified(text: str) -> bool:
    """Return whether a name says at which point of an evaluation its losses were taken."""
    return bool(set(words(text)) & _QUALIFIED)


def is_plain_name(text: str, measure: tuple[str, ...]) -> bool:
    """Return whether a variable's name says "losses" or "times" and nothing that qualifies it."""
    own = {part for word in measure for part in words(word)} | {word + "s" for word in measure}
    known = _NEUTRAL | _LOSSES | _TIMES | set(_UNITS) | own
    return all(word in known for word in words(text))


def is_baseline(text: str) -> bool:
    """Return whether a name or a heading is of what the record is compared with."""
    return bool(set(words(text)) & _BASELINE)


def speaks_of_others(text: str) -> bool:
    """Return whether a text may speak of other runs than the record's."""
    return bool(set(words(text)) & _OTHER_RUNS)


def states_no_result(text: str) -> bool:
    """Return whether a line states a rule, a guess or a difference."""
    return bool(set(words(text)) & _NO_RESULT) or "~" in text or "->" in text or "→" in text


def is_other_test(text: str) -> bool:
    """Return whether a text names another test than the one of losses against a target."""
    return bool(set(words(text)) & _OTHER_TEST)


def unit_of(text: str) -> Unit | None:
    """Return the unit of time that a name gives."""
    return next((_UNITS[word] for word in words(text) if word in _UNITS), None)


def step_of(text: str) -> int | None:
    """Return the validation step that a name gives: "step 2745" or "val_loss@2745"."""
    found = _STEP.search(text[:1_000])
    return int(found[1]) if found else None


def is_seed(text: str) -> bool:
    """Return whether a heading is that of seeds."""
    return _SEED.search(text) is not None
