"""What words say of figures: which of them a name, a sentence or a context may have.

A name, a sentence or a context is clear where each of its words is listed here; one with any other
word may be of something else. Each of the three may have more words than the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from speedcheck.claims.model import Figure, Kind, Passage, Reader, Unit
from speedcheck.claims.numbers import Printed


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LOSSES = _set("loss losses acc accs val vals")
_TIMES = _set("time times runtime runtimes wallclock timing timings")
UNITS: dict[str, Unit] = {
    **dict.fromkeys(("s", "sec", "secs", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "milliseconds"), "ms"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
}
# With these and the words for losses, times and units, all that is said may be of the runs.
_KNOWN = _set(
    "final validation wall clock new this ours pr all list results result n runs run seeds seed "
    "sorted per the of over is are record total at sliding window mean average avg std stdev "
    "stddev sd dev deviation standard sample p pvalue value t z df test ttest sided one two "
    "sigma below above under less than certified a an and with against gives in on for our we "
    "statistic minmax ttestresult sampresult tensor statistically significant vs null so thus "
    "hence therefore takes take was were had i my you these those following here below found got "
    "get gives give gave have see table block from by with each every across individual data "
    "number numbers figure figures log logs file files output script command python scipy "
    "statistics statistical summary evidence verification verify significance proof performance "
    "reported consecutive independent order json stats check checked reproducibility details "
    "detailed raw xh100 gpu gpus h100 h100s submission proposed metrics measured printed "
    "obtained csv click expand show three four five six seven eight nine ten twelve sixteen "
    "twenty digits median max variance "
    "\u03bc \u03c3"
)
# A list of a value for each run is not called one of these.
_STATISTICS = _set(
    "mean average avg median max std stdev stddev sd dev deviation variance sigma p pvalue value "
    "t z"
)
# Which of the losses that a log prints is meant.
_OF_LOSSES = _set("ttt post legal quant quantized int8 int6 roundtrip exact ema eval")
# The e of 9.3e-19 is not a word; the number of another submission is one.
_WORD = re.compile(
    r"(?:#|\b[Pp][Rr] )[0-9]{2,}|\.\./"
    r"|(?!(?<=[0-9])[eE][-+]?[0-9])[A-Za-z\u0394\u03b4\u03bc\u03c3]+[0-9]*"
)
# In a name, a number of steps, tokens or whatever else sets its list apart.
_SETTING = re.compile(r"(?<![A-Za-z0-9.])[0-9]{3,}(?![A-Za-z0-9.])")
_STEP = re.compile(
    r"(?:(?:\bat )?\bstep|\bat|@)[\s_:]{0,2}([0-9]{1,7})\b(?!\.[0-9])|\b([0-9]{1,7})[ -]steps?\b",
    re.IGNORECASE,
)


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


def steps_in(text: str) -> Iterator[int]:
    """Yield the steps that a text names: "step 2745", "val_loss@2745", "at 2745", "2745 steps"."""
    return (int(match[1] or match[2]) for match in _STEP.finditer(text))


def step_of(name: str) -> int | None:
    """Return the validation step that a name or a sentence gives; None where it gives several."""
    steps = set(steps_in(name[:1_000]))
    return steps.pop() if len(steps) == 1 else None


def without_steps(text: str) -> str:
    """Return a text without the steps that it names."""
    return _STEP.sub(" ", text)


def is_known(text: str, measure: tuple[str, ...]) -> bool:
    """Return whether a sentence or a context says no more than that it is of the runs."""
    return words(without_steps(text)) <= _KNOWN | _TIMES | UNITS.keys() | _of_losses(measure)


def _is_clear_name(name: str, kind: Kind, measure: tuple[str, ...]) -> bool:
    of_times, of_losses = _TIMES | UNITS.keys() | {"train", "training"}, _of_losses(measure)
    own = of_times if kind == "times" else of_losses | _OF_LOSSES
    plain = without_steps(name)
    return words(plain) <= (_KNOWN - _STATISTICS) | own and not _SETTING.search(plain)


def _of_losses(measure: tuple[str, ...]) -> set[str]:
    """Return the words for the track's loss; a loss that is called so is in nats."""
    own = {part for word in measure for part in (*words(word), word + "s")}
    return own | _LOSSES | {"nats", "nat"} if measure[0].endswith("loss") else own


def list_of(
    name: str, numbers: tuple[Printed, ...], passage: Passage, where: str, reader: Reader
) -> Figure | None:
    """Return a list as data; None where it is of neither losses nor times.

    One near the losses of the runs is of losses. It is clear where its name, if it has one, says
    so, where its context is, and where losses are near those of the runs.
    """
    is_near = reader.is_near(sorted(numbers, key=lambda number: number.value)[len(numbers) // 2])
    # Two numbers are an interval.
    is_list = is_near and len(numbers) > 2
    named = kind_of(name, reader.measure)
    kind = named or ("losses" if is_list else None)
    if kind is None:
        return None
    clear = bool(named or not words(without_steps(name))) and (is_near or kind == "times")
    clear = clear and _is_clear_name(name, kind, reader.measure)
    clear = clear and is_known(passage.context, reader.measure)
    return Figure(kind, numbers, where, is_data=True, is_clear=clear, step=step_of(name))
