"""Figures in one line of text: "n = 20, mean val_loss at step 3175: 3.27885, std 0.00111".

A line is read word by word. A number takes the words since the figure before it as its label;
a step, a number of runs and what a figure is compared with belong to the label and end it not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from speedcheck.certificate import ClaimSubject
from speedcheck.claims import words as vocabulary
from speedcheck.claims.model import Figure, Kind, Strength, Unit, loosened
from speedcheck.claims.numbers import NUMBER, Printed, printed

_TOKEN = re.compile(
    rf"(?P<number>(?<![\w.])(?:{NUMBER})(?!\.?[0-9]|x[A-Za-z]|[hkmKMBG]\b))"
    r"|(?P<word>[A-Za-zμσΔδ]+(?:[-_][A-Za-z]+)*)"  # noqa: RUF001 - Greek letters are meant
    r"|(?P<sign><=|>=|[=:<>~≈±→,;.()\[\]|%@-])"
)
_COMPOUNDS = vocabulary.OTHER_FIGURES | vocabulary.OTHER_TESTS
_STEP = frozenset({"step", "steps", "iteration", "iterations", "iters", "@"})
_COMPARED = frozenset({"vs", "versus", "against", "below", "under", "than", "target"})
_ENDS_LABEL = frozenset({",", ";", ".", "|"})
_Z_WORDS = frozenset({"z", "known", "assumed", "assuming"})
_STATISTICS = vocabulary.MEAN | vocabulary.STD | vocabulary.P
# Words of a line that states figures and tells no story.
_SHORT = 12
# More words than a label has; what stands farther back says nothing of a number.
_LABEL = 12

# The known standard deviation of the step-count track's z-tests.
PUBLISHED_SIGMA = 0.0013

# A validation loss of the tracks, in nats per token: for figures that say nothing else.
LIKELY_LOSS = (2.0, 5.0)
_LOSS_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of a line before it is read.

    Attributes:
        kind: what the figures before it are of.
        label: words that stand for a label where the line has none, such as a row's or code's.
        of: lists from which the text computes what it prints here.
        step: the step that the heading or the row names.
        strength: of figures that the line states plainly.
        target: the target of the t-test in the code above.
    """

    kind: Kind | None = None
    label: tuple[str, ...] = ()
    of: frozenset[str] = frozenset()
    step: int | None = None
    strength: Strength = "stated"
    target: float | None = None


@dataclass(frozen=True, slots=True)
class _Token:
    sort: str
    text: str


@dataclass(slots=True)
class _Reader:
    """The state of reading one line."""

    tokens: list[_Token]
    line: int
    context: Context
    words: set[str]
    label: list[str]
    is_short: bool = False
    kind: Kind | None = None
    step: int | None = None
    sigma: float | None = None
    figures: list[Figure] = field(default_factory=list)

    def read(self) -> list[Figure]:
        for index, token in enumerate(self.tokens):
            if token.sort == "word":
                self._word(_canonical(token.text))
            elif token.sort == "number":
                number = printed(token.text)
                if number and not self._absorbed(index, number):
                    self._figure(index, number)
                    self.label = []
            elif token.text in _ENDS_LABEL and not self._abbreviates(index):
                self.label = []
        return [self._with_sigma(f) if f.what == "p" else f for f in self.figures]

    def _with_sigma(self, p: Figure) -> Figure:
        """Return a p-value with the known deviation of its test, a guess where none is named."""
        if self.sigma is None and "z" in self.words:
            return replace(p, sigma=PUBLISHED_SIGMA, strength="loose")
        return replace(p, sigma=self.sigma)

    def _word(self, found: list[str]) -> None:
        """Go on with the label; a line that names its statistics needs none from the code."""
        if not self.figures and self.label == list(self.context.label) and _STATISTICS & set(found):
            self.label = []
        self.label = [*self.label, *found][-_LABEL:]

    def _abbreviates(self, index: int) -> bool:
        return self.tokens[index].text == "." and self.tokens[index - 1].text.lower() == "vs"

    def _before(self, index: int) -> str:
        while index > 1 and self._abbreviates(index - 1):
            index -= 1
        return self.tokens[index - 1].text.lower() if index else ""

    def _after(self, index: int) -> str:
        return self.tokens[index + 1].text.lower() if index + 1 < len(self.tokens) else ""

    def _absorbed(self, index: int, number: Printed) -> bool:
        """Take a number that says something about the figures of the line and is none itself."""
        before, after = self._before(index), self._after(index)
        if after == "%" or before == "seed":
            return True
        if before in _STEP or after in _STEP:
            self.step = int(number.value) if number.value.is_integer() else self.step
            return True
        if before in _COMPARED or (before in "<>=" and self._is_bound(before)):
            return True
        if self._is_count(before, after) and number.value.is_integer() and number.decimals == 0:
            counts = self.label[-1:] == ["n"] and before in ("=", ":")
            self._add("n", number, None, "stated" if counts else "loose")
            self.label = [word for word in self.label if word not in vocabulary.COUNT]
            return True
        if self.label[-1:] in (["sigma"], ["σ"]) and self._is_known(number):  # noqa: RUF001
            self.sigma = number.value
            self.label.pop()
            return True
        return False

    def _unit(self, index: int) -> Unit | None:
        """Return the unit behind a number; in "3.281 min=3.276" no unit is meant."""
        is_label = self._after(index + 1) in ("=", ":")
        return None if is_label else vocabulary.UNITS.get(self._after(index))

    def _is_bound(self, sign: str) -> bool:
        return sign in ("<", ">", "<=", ">=") and not _is_p(self.label)

    def _is_known(self, number: Printed) -> bool:
        """Return whether a sigma is that of a z-test and not the sample's."""
        return bool(self.words & _Z_WORDS) or number.value == PUBLISHED_SIGMA

    def _is_count(self, before: str, after: str) -> bool:
        return after in vocabulary.COUNT - {"n"} or (
            self.label[-1:] != [] and self.label[-1] in vocabulary.COUNT and before in ("=", ":")
        )

    def _figure(self, index: int, number: Printed) -> None:
        label = self.label
        unit = self._unit(index) or _unit_in(label)
        what = _statistic(label)
        sign = self._before(index)
        if what == "p":
            self._p(number, sign)
        elif sign == "±" and self.figures and self.figures[-1].what in ("mean", "time_mean"):
            of_time = self.figures[-1].kind == "times"
            self._add("time_std" if of_time else "std", number, unit, "loose")
        elif not _is_other(label, unit) and not self._is_change(index):
            self._moment(what, number, unit, label, index)

    def _is_change(self, index: int) -> bool:
        """Return whether a number is an end of "3.2790 → 3.2785", or is subtracted."""
        return self._before(index) in ("-", "→") or self._after(index) == "→"

    def _p(self, number: Printed, sign: str) -> None:
        relation = sign[0] if sign[:1] in ("<", ">") else "="
        foreign = self.words & vocabulary.OTHER_TESTS
        vague = foreign or relation != "="
        if relation == "=" and "e" not in number.text and number.decimals < 1:
            return
        self._add("p", number, None, "loose" if vague else self._strength(sign), relation)

    def _moment(
        self, what: str | None, number: Printed, unit: Unit | None, label: list[str], index: int
    ) -> None:
        sign = self._before(index)
        kind = self._kind_of(what, number, unit, label)
        if kind is None:
            return
        self.kind = kind
        if what is None:
            # "val loss: 3.2741", "train time: 152.8 s": of a run or of their mean.
            plain = sign in (":", "=", "of", "is") or self._after(index) == "±"
            exact = unit is not None if kind == "times" else number.decimals >= _LOSS_DECIMALS
            if plain and exact:
                self._add("time_mean" if kind == "times" else "mean", number, unit, "loose")
            return
        times: dict[str, ClaimSubject] = {"mean": "time_mean", "std": "time_std"}
        losses: dict[str, ClaimSubject] = {"mean": "mean", "std": "std"}
        strength = self._strength(sign)
        self._add((times if kind == "times" else losses)[what], number, unit, strength)

    def _strength(self, sign: str) -> Strength:
        """Return how sure a figure is: "mean: 3.2785" is, what a sentence tells may be not."""
        is_plain = sign in ("=", ":") or self.is_short
        return self.context.strength if is_plain else "loose"

    def _kind_of(
        self, what: str | None, number: Printed, unit: Unit | None, label: list[str]
    ) -> Kind | None:
        for word in reversed(label):
            if word in vocabulary.TIME:
                return "times"
            if word in vocabulary.LOSS:
                return "losses"
        if unit:
            return "times"
        if what is None:
            return None
        low, high = LIKELY_LOSS
        is_likely_loss = low < number.value < high and number.decimals >= _LOSS_DECIMALS
        known = self.kind or self.context.kind
        return known or ("losses" if what == "mean" and is_likely_loss else None)

    def _add(
        self,
        what: ClaimSubject,
        number: Printed,
        unit: Unit | None,
        strength: Strength,
        relation: str = "=",
    ) -> None:
        self.figures.append(
            Figure(
                what=what,
                number=number,
                line=self.line,
                strength=strength,
                relation=relation,
                unit=unit,
                step=self.step if self.step is not None else self.context.step,
                of=self.context.of,
                target=self.context.target if what == "p" else None,
            )
        )


def read_figures(text: str, line: int, context: Context) -> list[Figure]:
    """Return the figures that one line of plain text states.

    Args:
        text: the line without markup.
        line: its number in the document.
        context: what is known of it before it is read.
    """
    tokens = [_Token(m.lastgroup or "", m[0]) for m in _TOKEN.finditer(text)]
    if not any(token.sort == "number" for token in tokens):
        return []
    words = {word for token in tokens for word in _canonical(token.text)} | set(context.label)
    is_short = sum(token.sort == "word" for token in tokens) <= _SHORT
    figures = _Reader(tokens, line, context, words, list(context.label), is_short).read()
    vague = bool(vocabulary.OTHER_RUNS & words) or _hedged(tokens)
    return [loosened(f) for f in figures] if vague else figures


def _hedged(tokens: list[_Token]) -> bool:
    """Return whether the line estimates or compares, so that a figure may be of anything."""
    following = [token for token in tokens if token.text != "."][1:]
    compares = any(
        token.text.lower() in ("vs", "versus", "than") and after.sort != "number"
        for token, after in zip((t for t in tokens if t.text != "."), following, strict=False)
    )
    texts = {token.text.lower() for token in tokens}
    return compares or "→" in texts or bool(vocabulary.HEDGES & texts)


def _canonical(word: str) -> list[str]:
    lowered = word.lower()
    if lowered in _COMPOUNDS:
        return [lowered]
    return vocabulary.words(word)


def _is_p(label: list[str]) -> bool:
    return _statistic(label) == "p"


def _statistic(label: list[str]) -> str | None:
    """Return "mean", "std" or "p" where a label names exactly one; p wins, since it stands last."""
    tests: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("mean", vocabulary.MEAN.__contains__),
        ("std", vocabulary.STD.__contains__),
    )
    if any(word in vocabulary.P for word in label[-6:]):
        return "p"
    found = [name for name, is_named in tests if any(map(is_named, label))]
    return found[0] if len(found) == 1 else None


def _is_other(label: list[str], unit: Unit | None) -> bool:
    is_both = bool(vocabulary.MEAN & set(label) and vocabulary.STD & set(label))
    others = vocabulary.OTHER_FIGURES - ({"min"} if unit else set())
    is_step_time = any(pair in _STEP_TIMES for pair in itertools.pairwise(label))
    return is_both or is_step_time or bool(others & set(label)) or _is_of_training(label)


_STEP_TIMES = frozenset({("step", "time"), ("step", "avg"), ("step", "times"), ("per", "step")})


def _is_of_training(label: list[str]) -> bool:
    pairs = set(itertools.pairwise(label))
    return bool(pairs & {("train", "loss"), ("training", "loss")})


def _unit_in(label: list[str]) -> Unit | None:
    """Return the unit at the end of a label, such as "mean time (s)"."""
    return vocabulary.UNITS.get(label[-1]) if vocabulary.TIME & set(label) else None
