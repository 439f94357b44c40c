"""The tables of step-count tracks: the rules at every validation step."""

from __future__ import annotations

from collections.abc import Iterator

from speedcheck.comparison.record_comparison import StepChoice, StepRecord
from speedcheck.report.wording import aligned, number, rounded, small_p, two_digits
from speedcheck.stats.step_rule import StepScan
from speedcheck.words import count

SCAN_HEADER = ("step", "mean", "sd", "p", "")


def step_table(steps: StepRecord) -> Iterator[str]:
    """Yield the pairwise rule at each validation step of the record with fewer steps."""
    rule, old = steps.rule, "B" if steps.new == "A" else "A"
    yield (
        f" {steps.new} at each validation against {old} at its end: a step is worth "
        f"{rule.rate:.4g} nats"
    )
    header = ("step", "mean", "alone", "d_loss", "d_steps", "value", f"{rule.margin:.4g} decides")
    yield from aligned([header, *map(_choice, steps.choices)])
    if steps.earliest is not None:
        looks = count(len(steps.choices), "look")
        yield f" {steps.earliest} is the earliest step that passes both, chosen among {looks}"
    yield ""


def scan_rows(scan: StepScan) -> Iterator[tuple[str, ...]]:
    """Yield the cells below `SCAN_HEADER`, a row a validation step."""
    for row in scan.rows:
        p = small_p(row.p_value).removeprefix("= ")
        yield (
            str(row.step),
            rounded(row.mean),
            two_digits(row.std),
            p,
            "passes" if row.passes else "",
        )


def scan_summary(scan: StepScan) -> str:
    """Return the earliest step that passes, and among how many it was chosen."""
    looks = count(len(scan.rows), "look")
    if scan.earliest is None:
        return f"no step passes, in {looks}"
    return f"{scan.earliest} is the earliest step that passes, chosen among {looks}"


def _choice(choice: StepChoice) -> tuple[str, ...]:
    pair = choice.pair
    return (
        str(choice.alone.step),
        rounded(choice.alone.mean),
        "passes" if choice.alone.passes else "",
        number(pair.loss_gain, "+.5f"),
        str(pair.steps_saved),
        number(pair.value, ".5f"),
        "passes" if pair.shown else "",
    )
