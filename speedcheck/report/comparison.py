"""A comparison of two records for people, the verdict first and last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from speedcheck.comparison.model import Compared, RecordComparison
from speedcheck.report.comparison_words import headline, next_step, span
from speedcheck.report.text import ABSENT, number, p_value, printable, rounded
from speedcheck.stats.compare import EQUIVALENCE_MARGIN, Difference
from speedcheck.stats.moments import Moments
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
    lines = [
        verdict,
        f"track {found.track}: better means {rule}",
        "",
        *_indented([_side("A", found.a), _side("B", found.b)]),
        "",
        *_indented(_figures(found)),
        "",
        *_indented(_tests(found)),
        "",
        *_indented(_hosts(found)),
    ]
    step = next_step(found)
    if step:
        lines += [f"next: {step}", ""]
    return "\n".join(printable(line).rstrip() for line in [*lines, verdict]) + "\n"


def _side(name: str, side: Compared) -> tuple[str, ...]:
    excluded = f" ({side.excluded} excluded)" if side.excluded else ""
    hardware = f", {join_some(side.hardware)}" if side.hardware else ""
    return name, f"{side.folder}: {count(side.runs, 'run')}{excluded}{hardware}"


def _figures(found: RecordComparison) -> list[tuple[str, ...]]:
    times, losses = found.measured.times, found.measured.a_loss.difference
    rows: list[tuple[str, ...]] = [
        ("", "A", "B", "A - B", f"{times.level:.0%} interval, two-sided")
    ]
    if found.a.times.n or found.b.times.n:
        spec, sides = ".3f", (found.a.times, found.b.times)
        rows.append(("time (s)", *(_moments(s, spec) for s in sides), *_interval(times, spec)))
    sides = found.a.losses, found.b.losses
    rows.append(("loss", *(_moments(s, "") for s in sides), *_interval(losses, ".5f")))
    if found.basis == "steps" or found.a.steps != found.b.steps:
        rows.append(("steps", span(found.a.steps), span(found.b.steps)))
    return rows


def _moments(values: Moments, spec: str) -> str:
    mean = number(values.mean, spec) if spec else rounded(values.mean)
    return mean if values.std is None else f"{mean} (sd {values.std:#.2g})"


def _interval(difference: Difference, spec: str) -> tuple[str, str]:
    shown = number(difference.difference, f"+{spec}")
    if difference.low is None or difference.high is None:
        return shown, ABSENT
    return shown, f"{difference.low:+{spec}} to {difference.high:+{spec}}"


def _tests(found: RecordComparison) -> Iterator[tuple[str, ...]]:
    measured = found.measured
    if measured.times.difference is not None:
        test = (
            f"paired t-test, {count(measured.times.n_a, 'pair')}"
            if found.paired
            else f"Welch, with {measured.machine_spread:.2%} between machines"
        )
        p = f"two-sided p = {p_value(measured.time_p)}"
        yield "time", f"{test}: {p}, effect {number(measured.time_effect, '+.2f')} sd"
    if measured.loss_p is None:
        yield "loss", "no test: too few different losses, or one that is not finite"
        return
    p, effect = p_value(measured.loss_p), number(measured.loss_effect, "+.2f")
    yield "loss", f"Welch: two-sided p = {p}, effect {effect} sd"
    p = p_value(measured.equivalence_p)
    yield "", f"equivalent within {EQUIVALENCE_MARGIN:g} (two one-sided tests): p = {p}"
    for name, other, loss in (("A", "B", measured.a_loss), ("B", "A", measured.b_loss)):
        shown = "shown" if loss.shown else "not shown"
        limit = f"{1 - loss.alpha:.0%} limit {number(loss.limit, '+.5f')}"
        p = f"one-sided p = {p_value(loss.p_value)}"
        yield "", f"{name} not worse than {other} by {loss.margin:g}: {shown} ({limit}, {p})"
    if found.seeds.common:
        equal = f"{found.seeds.equal} of {count(found.seeds.common, 'common seed')}"
        yield "seeds", f"{equal} with equal losses at every validation"


def _hosts(found: RecordComparison) -> list[tuple[str, ...]]:
    """Return the times on each machine, where a side has several."""
    rows = [
        (f"{name} on", host.host or "an unnamed machine", _moments(host.times, ".3f"))
        for name, side in (("A", found.a), ("B", found.b))
        if len(side.hosts) > 1
        for host in side.hosts
    ]
    return [*rows, ("",)] if rows else []


def _indented(rows: Sequence[tuple[str, ...]] | Iterator[tuple[str, ...]]) -> list[str]:
    """Return rows with their columns aligned."""
    every = list(rows)
    # The last cell of a row may be a sentence, and widens no column.
    widths: dict[int, int] = {}
    for row in every:
        for column, cell in enumerate(row[:-1]):
            widths[column] = max(widths.get(column, 0), len(cell))
    return [
        " " + "  ".join(cell.ljust(widths.get(i, 0)) for i, cell in enumerate(row)).rstrip()
        for row in every
    ]
