"""The words by which documents name figures, lists and sets of runs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from speedcheck.claims.model import Kind, Role, Unit

MEAN = frozenset({"mean", "means", "avg", "average", "averages", "averaged", "μ", "mu"})
STD = frozenset({"std", "stdev", "stddev", "sd", "σ", "deviation", "dev", "stds"})  # noqa: RUF001
P = frozenset({"p", "pvalue", "pval"})
COUNT = frozenset({"n", "runs", "seeds", "samples", "trials", "logs"})
LOSS = frozenset({"loss", "losses", "acc", "accs", "val", "vals", "validation", "ce", "entropy"})
TIME = frozenset(
    {"time", "times", "runtime", "runtimes", "wallclock", "wall", "duration", "durations"}
    | {"timing", "timings", "elapsed", "walltime", "secs"}
)
UNITS: dict[str, Unit] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds", "millis"), "ms"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
}

# A figure with one of these is of something else: a difference, another statistic, a setting.
OTHER_FIGURES = frozenset(
    {"by", "faster", "slower", "lower", "higher", "more", "fewer", "improvement", "improves"}
    | {"improved", "reduction", "reduces", "reduced", "saves", "saved", "saving", "savings"}
    | {"speedup", "delta", "δ", "diff", "difference", "gain", "gains", "increase", "increases"}
    | {"decrease", "decreases", "change", "margin", "tolerance", "lr", "rate", "init", "norm"}
    | {"error", "sem", "se", "median", "min", "minimum", "max", "maximum", "best", "worst"}
    | {"range", "ci", "interval", "lower", "upper", "quantile", "train_loss", "t", "df", "z"}
    | {"statistic", "stat", "step_avg", "step_time", "per", "alpha", "threshold", "require"}
    | {"requires", "required", "requirement", "need", "needs", "must", "should", "rule", "seed"}
    | {"criterion", "criteria", "memory", "tokens", "batch", "weight", "gradient", "ratio"}
    | {"decay", "effect", "power", "sum", "variance", "var", "skew", "kurtosis", "shapiro"}
    | {"overhead", "extra", "additional", "cost", "compile", "warmup", "equivalent", "target"}
    | {"bootstrap", "bootstrapped", "resampled", "trimmed", "geometric", "most", "least"}
)
# A p-value with one of these is not that of the track's test.
OTHER_TESTS = frozenset(
    {"welch", "paired", "two-sample", "mann", "whitney", "wilcoxon", "bootstrap", "permutation"}
    | {"baseline", "compared", "comparison", "equal", "equivalence", "tost"}
    | {"ind", "rel", "difference", "diff", "shapiro", "ks", "anova", "bayes", "bayesian"}
)
HEDGES = frozenset({"~", "≈", "about", "around", "roughly", "approximately", "circa", "approx"})

# A sentence with one of these may speak of runs that nobody submitted.
OTHER_RUNS = frozenset(
    {"tried", "try", "trying", "instead", "if", "would", "could", "another", "different", "varying"}
    | {"variant", "variants", "alternatively", "elsewhere", "experiment", "experiments", "sweep"}
    | {"estimate", "estimated", "expected", "expect", "likely", "official", "remeasured", "local"}
    | {"should", "might", "may", "predicted", "predicts", "projected", "attempt", "attempts"}
    | {"failed", "fails", "asks", "needed", "combined", "together", "somebody", "someone", "else"}
    | {"reproduced", "reproduces", "replicated", "replicates", "independently"}
)
# A list or a column with one of these has no values of runs: differences, intervals, settings.
_OF_NO_RUNS = frozenset(
    {"δ", "diff", "diffs", "difference", "differences", "delta", "deltas", "change", "changes"}
    | {"improvement", "improvements", "speedup", "speedups", "saved", "saving", "savings", "gain"}
    | {"gains", "reduction", "ci", "cis", "interval", "intervals", "range", "bounds", "lr", "lrs"}
    | {"sweep", "grid", "expected", "predicted", "projected", "median", "medians"}
    | {"percentile", "percentiles", "quantile", "quantiles", "bootstrap", "bootstrapped"}
)
_REMARK = re.compile(r"\([^()]*\)")

_COMPARED_WITH = frozenset(
    {"baseline", "baselines", "old", "prev", "previous", "previously", "prior", "before", "control"}
    | {"original", "reference", "retimed", "retiming", "unmodified", "ablation", "ablations"}
    | {"without", "upstream", "existing", "master", "sota", "wr", "historical", "earlier"}
)
_OWN = frozenset({"new", "this", "ours", "our", "after", "proposed", "candidate", "pr", "these"})

# What authors call a list that they call nothing.
_ANYTHING = frozenset({"results", "result", "data", "values", "vals", "final", "all", "x", "xs"})

# A heading made of these alone names no other set of runs than the record's.
_NEUTRAL = (
    MEAN
    | STD
    | P
    | COUNT
    | LOSS
    | TIME
    | _OWN
    | frozenset(
        {
            "statistics",
            "stats",
            "statistical",
            "statistic",
            "results",
            "result",
            "evidence",
            "summary",
        }
        | {"significance", "value", "values", "and", "the", "of", "for", "final", "test", "ttest"}
        | {
            "hypothesis",
            "reproducibility",
            "record",
            "run",
            "data",
            "details",
            "analysis",
            "measurements",
        }
        | {
            "training",
            "train",
            "a",
            "in",
            "on",
            "standard",
            "metrics",
            "all",
            "raw",
            "numbers",
            "t",
        }
    )
)

_WORD = re.compile(r"[a-z]+|[μσδ]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words(text: str) -> list[str]:
    """Return the words of a name or a phrase: "valLosses_new" gives val, losses, new."""
    return _WORD.findall(_CAMEL.sub(" ", text[:500]).lower())


def role_of(*texts: str) -> Role:
    """Return whether headings, labels or a variable's name speak of the record."""
    found = {word for text in texts for word in words(text)}
    return "other" if found & _COMPARED_WITH and not found & _OWN else "record"


def is_own(name: str) -> bool:
    """Return whether a name says that it is of the record, whatever stands around it."""
    return bool(set(words(name)) & _OWN)


def is_neutral(heading: str) -> bool:
    """Return whether a heading names no set of runs."""
    return set(words(heading)) <= _NEUTRAL


def kind_of(name: str) -> Kind | None:
    """Return what a list or a column holds by its name; None where the name does not say."""
    found = words(name)
    if _is_of_steps(found) or _OF_NO_RUNS & set(words(_REMARK.sub("", name[:500]))):
        return None
    if set(found) & TIME or found[-1:] == ["ms"]:
        return "times"
    return "losses" if set(found) & LOSS and "train" not in found else None


def names_a_set(name: str) -> bool:
    """Return whether a list's name says only whose it is: "ours", "baseline", "results"."""
    return set(words(name)) <= _OWN | _COMPARED_WITH | COUNT | _ANYTHING


def only_kind_in(text: str) -> Kind | None:
    """Return what a text speaks of, losses or times; None for both and for neither."""
    found = set(words(text))
    is_time, is_loss = bool(found & TIME), bool(found & LOSS)
    return None if is_time == is_loss else "times" if is_time else "losses"


def unit_of(name: str) -> Unit | None:
    """Return the unit that a name ends with, such as "times_ms" and "time (s)"."""
    last = words(name)[-1:]
    return UNITS.get(last[0]) if last else None


def _is_of_steps(found: Iterable[str]) -> bool:
    """Return whether a time is that of one step, such as "step_avg" and "ms/step"."""
    found = list(found)
    pairs = set(itertools.pairwise(found))
    return bool(pairs & {("step", "avg"), ("step", "time"), ("ms", "step"), ("step", "times")})
