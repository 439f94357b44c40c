"""The verdict of a comparison in words, and what to do next."""

from __future__ import annotations

from speedcheck.comparison.record_comparison import RecordComparison, StepRecord, Undecided
from speedcheck.report.wording import ABSENT, small_p
from speedcheck.stats.noninferiority import NonInferiority
from speedcheck.words import count


def headline(found: RecordComparison) -> str:
    """Return the verdict in one sentence."""
    blocked = found.decision.blocked_by
    if blocked is not None:
        return f"UNDECIDED: {_why(found, blocked)}"
    lead, p = _lead(found), _p(found)
    if found.steps is not None:
        return f"{found.decision.outcome.upper()}: {lead}; {pairwise(found.steps)}"
    what = "" if found.basis == "loss" else f", and {_cheaper(found)}'s losses are not worse"
    return f"{found.decision.outcome.upper()}: {lead}{p}{what}"


def next_step(found: RecordComparison) -> str:
    """Return what would decide the comparison; "" where it is decided."""
    decision = found.decision
    if decision.blocked_by is None:
        return ""
    if decision.blocked_by in (Undecided.HARDWARE, Undecided.NO_TEST, Undecided.STEPS):
        return _REMEDIES[decision.blocked_by]
    parts = []
    if decision.more_runs is not None:
        what = "pair" if found.paired and found.basis == "time" else "run"
        each = "" if what == "pair" else " of each side"
        more = count(decision.more_runs, f"more {what}")
        parts.append(f"{more}{each} would decide it, if means and standard deviations stay")
    else:
        parts.append("no number of further runs would decide it, if the means stay")
    if decision.pairs is not None:
        pairs = count(decision.pairs, "pair")
        parts.append(
            f"{pairs} of runs made in turn on one machine (A B B A) would show this difference "
            "in 9 of 10 cases"
        )
    return "; ".join(parts)


_REMEDIES = {
    Undecided.HARDWARE: "run both in turn on one machine (A B B A)",
    Undecided.NO_TEST: "compare at least 2 runs of each side, whose logs have times and losses",
    Undecided.STEPS: "compare records whose numbers of steps differ",
}


def _why(found: RecordComparison, blocked: Undecided) -> str:
    if blocked is Undecided.HARDWARE:
        return f"the times do not compare: {found.hardware}"
    if blocked is Undecided.NO_TEST:
        return _no_test(found)
    if blocked is Undecided.STEPS:
        return _equal_steps(found)
    if found.steps is not None:
        return f"{_lead(found)}, but {pairwise(found.steps)}"
    if blocked is Undecided.LOSS and found.basis != "loss":
        return f"{_lead(found)}, but its losses are not shown to be no worse{_limit(found)}"
    explains = "chance explains"
    if blocked is Undecided.TIME and not found.paired:
        explains = "chance and the spread between machines explain"
    return f"{_lead(found)}, but {explains} that much{_p(found)}"


def pairwise(steps: StepRecord) -> str:
    """Return what the pairwise rule gives at the final steps, from the side that it favours."""
    value, other = steps.rule.value or 0.0, "B" if steps.new == "A" else "A"
    # Seen from the other side the value has the other sign.
    side = steps.new if value >= 0 else other
    needed = f"{steps.rule.margin:.4g} decides"
    return f"by the pairwise rule {side} reaches {abs(value):.4g}, and {needed}"


def _equal_steps(found: RecordComparison) -> str:
    if found.a.steps is None or found.b.steps is None:
        return "not all logs say how many steps their runs took"
    return f"A takes {span(found.a.steps)} steps, B {span(found.b.steps)}"


def _limit(found: RecordComparison) -> str:
    loss = _cheaper_loss(found)
    for name, side in (("A", found.a), ("B", found.b)):
        if side.losses.n and side.losses.mean is None:
            return f" (a run of {name} diverged)"
    if loss.limit is None:
        return " (no test: too few different losses)"
    if loss.difference.n_a < loss.min_runs:
        return f" ({count(loss.difference.n_a, 'run')}; at least {loss.min_runs} are needed)"
    return f" ({1 - loss.alpha:.0%} limit {loss.limit:+.5f}, margin {loss.margin:g})"


def _no_test(found: RecordComparison) -> str:
    if found.basis != "time":
        values, what = (found.a.losses, found.b.losses), "loss"
    else:
        values, what = (found.a.times, found.b.times), "time"
    for name, side in zip("AB", values, strict=True):
        if side.n == 0:
            return f"no counted run of {name} has a {what}"
        if side.n == 1:
            return f"{name} has one run with a {what}, which has no spread"
        if side.mean is None:
            return f"a run of {name} diverged"
    return "the values of each side are equal, so that there is no spread to measure by"


def _lead(found: RecordComparison) -> str:
    """Return by how much A is ahead or behind, from A's side or that of the cheaper one."""
    # "Its losses" follows: the sentence then starts with the side that they are of.
    starts_with_b = _cheaper(found) == "B" and found.decision.blocked_by is Undecided.LOSS
    if found.basis == "steps":
        sides = [("A", found.a), ("B", found.b)]
        (name, first), (other, second) = reversed(sides) if starts_with_b else sides
        return f"{name} takes {span(first.steps)} steps, {other} {span(second.steps)}"
    if found.basis == "loss":
        loss = found.measured.a_loss.difference.difference or 0.0
        return f"the mean loss of A is {abs(loss):.5f} {'lower' if loss < 0 else 'higher'}"
    difference = found.measured.times.difference or 0.0
    name = "B" if starts_with_b else "A"
    faster = (difference < 0) == (name == "A")
    return f"{name} is {abs(difference):.3f} s {'faster' if faster else 'slower'}"


def _p(found: RecordComparison) -> str:
    if found.basis == "steps":
        return ""
    p = found.measured.loss_p if found.basis == "loss" else found.measured.time_p
    return f" (two-sided p {small_p(p)})"


def _cheaper(found: RecordComparison) -> str:
    """Return which side takes less time, or fewer steps."""
    if found.basis == "steps" and found.a.steps and found.b.steps:
        return "A" if found.a.steps < found.b.steps else "B"
    return "A" if (found.measured.times.difference or 0.0) < 0 else "B"


def _cheaper_loss(found: RecordComparison) -> NonInferiority:
    return found.measured.a_loss if _cheaper(found) == "A" else found.measured.b_loss


def span(steps: tuple[int, int] | None) -> str:
    """Return numbers of steps from the smallest to the largest."""
    if steps is None:
        return ABSENT
    low, high = steps
    return f"{low}" if low == high else f"{low} to {high}"
