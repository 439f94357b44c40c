"""A comparison of two records for people, the verdict first and last."""

from __future__ import annotations

from collections.abc import Iterator

from speedcheck.comparison.record_comparison import Compared, RecordComparison
from speedcheck.report.comparison_words import headline, next_step, span
from speedcheck.report.step_table import step_table
from speedcheck.report.wording import (
    ABSENT,
    aligned,
    command,
    number,
    printable,
    rounded,
    small_p,
    two_digits,
)
from speedcheck.rules.tracks import track_in_words
from speedcheck.stats.moments import Moments
from speedcheck.stats.welch import EQUIVALENCE_MARGIN, Difference
from speedcheck.words import count, join_some

_RULES = {
    "time": "faster at two-sided p < {alpha:g}, with losses not worse by {margin:g}",
    "steps": "fewer steps, with losses not worse by {margin:g}",
    "loss": "a better loss at two-sided p < {alpha:g}",
}


def comparison_text(found: RecordComparison) -> str:
    """Return the report; it ends in a newline."""
    verdict = headline(found)
    measured = found.measured
    rule = _RULES[found.basis].format(alpha=measured.alpha, margin=measured.a_loss.margin)
    if found.steps is not None:
        rule = "(d_loss + rate * d_steps) / sqrt(1/n_old + 1/n_new) reaches the margin"
    lines = [
        verdict,
        track_in_words(found.track),
        f"better: {rule}",
        "",
        *aligned([_side("A", found.a), _side("B", found.b)]),
        "",
        *aligned(_figures(found)),
        "",
        *aligned(_tests(found)),
        "",
        *aligned(_hosts(found)),
        *(step_table(found.steps) if found.steps else ()),
        *_race(found),
    ]
    step = next_step(found)
    if step:
        lines += [f"next: {step}", ""]
    return "\n".join(printable(line).rstrip() for line in [*lines, verdict]) + "\n"


def _race(found: RecordComparison) -> list[str]:
    if found.race is None:
        return []
    return [
        "note: A and B are the sides of a race, which may have stopped when it was decided.",
        f"      Its own test allows for that: {command('compare', found.race)}",
        "",
    ]


def _side(name: str, side: Compared) -> tuple[str, ...]:
    excluded = f" ({side.excluded} excluded)" if side.excluded else ""
    hardware = f", {join_some(side.hardware)}" if side.hardware else ""
    return name, f"{side.folder}: {count(side.runs, 'run')}{excluded}{hardware}"


def _figures(found: RecordComparison) -> list[tuple[str, ...]]:
    times, losses = found.measured.times, found.measured.a_loss.difference
    rows: list[tuple[str, ...]] = [
        ("", "A mean (sd)", "B mean (sd)", "A - B", f"two-sided {times.level:.0%}")
    ]
    if found.a.times.n or found.b.times.n:
        spec, sides = ".3f", (found.a.times, found.b.times)
        rows.append(
            (
                "time (s)",
                *(_moments(s, spec) for s in sides),
                *_interval(times, spec, known=not found.hardware),
            )
        )
    sides = found.a.losses, found.b.losses
    rows.append(("loss", *(_moments(s, "") for s in sides), *_interval(losses, ".5f")))
    if found.basis == "steps" or found.a.steps != found.b.steps:
        rows.append(("steps", span(found.a.steps), span(found.b.steps)))
    return rows


def _moments(values: Moments, spec: str) -> str:
    mean = number(values.mean, spec) if spec else rounded(values.mean)
    return mean if values.std is None else f"{mean} ({two_digits(values.std)})"


def _interval(difference: Difference, spec: str, *, known: bool = True) -> tuple[str, str]:
    shown = number(difference.difference, f"+{spec}")
    if not known or difference.low is None or difference.high is None:
        return shown, ABSENT
    return shown, f"{difference.low:+{spec}} to {difference.high:+{spec}}"


def _tests(found: RecordComparison) -> Iterator[tuple[str, ...]]:
    measured = found.measured
    if found.hardware and measured.times.difference is not None:
        yield "time", f"not compared: {found.hardware}"
    elif measured.times.difference is not None:
        test = (
            f"paired t-test, {count(measured.times.n_a, 'pair')}"
            if found.paired
            else f"Welch, {measured.machine_spread:.2%} between machines"
        )
        p = f"two-sided p {small_p(measured.time_p)}"
        yield "time", f"{test}: {p}, effect {number(measured.time_effect, '+.2f')} sd"
    if measured.loss_p is None:
        yield "loss", "no test: too few different losses, or one that is not finite"
        return
    p, effect = small_p(measured.loss_p), number(measured.loss_effect, "+.2f")
    yield "loss", f"Welch: two-sided p {p}, effect {effect} sd"
    p = small_p(measured.equivalence_p)
    yield "", f"equivalent within {EQUIVALENCE_MARGIN:g} (two one-sided tests): p {p}"
    for name, loss in (("A", measured.a_loss), ("B", measured.b_loss)):
        shown = "shown" if loss.shown else "not shown"
        limit = f"{1 - loss.alpha:.0%} limit {number(loss.limit, '+.5f')}"
        p = f"one-sided p {small_p(loss.p_value)}"
        yield "", f"{name} not worse by {loss.margin:g}: {shown} ({limit}, {p})"
    if found.seeds.common:
        equal = f"{found.seeds.equal} of {count(found.seeds.common, 'common seed')}"
        yield "seeds", f"{equal} with equal losses at every validation"


def _hosts(found: RecordComparison) -> list[tuple[str, ...]]:
    """Return the times on each machine, where a side has several."""
    rows = [
        (f"{name} on", host.host or "an unnamed machine", f"{_moments(host.times, '.3f')} s")
        for name, side in (("A", found.a), ("B", found.b))
        if len(side.hosts) > 1
        for host in side.hosts
    ]
    return [*rows, ("",)] if rows else []
