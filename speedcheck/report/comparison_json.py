"""A comparison of two records as JSON, by schema/comparison.schema.json."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from speedcheck.comparison.record_comparison import Compared, RecordComparison, StepRecord
from speedcheck.stats.moments import Moments
from speedcheck.stats.noninferiority import NonInferiority
from speedcheck.stats.step_rule import StepRule
from speedcheck.stats.welch import EQUIVALENCE_MARGIN, Difference

SCHEMA = "speedcheck.comparison/1"


def comparison_json(found: RecordComparison) -> str:
    """Return the comparison as JSON text that ends in a newline."""
    text = json.dumps(comparison_dict(found), indent=2, allow_nan=False) + "\n"
    # A GitHub runner obeys `##[name]` anywhere; this is the same string.
    return text.replace("##[", r"#\u0023[")


def comparison_dict(found: RecordComparison) -> dict[str, Any]:
    """Return the comparison as the JSON schema has it."""
    return {
        "schema": SCHEMA,
        "outcome": found.decision.outcome,
        "blocked_by": found.decision.blocked_by,
        "more_runs": found.decision.more_runs,
        "pairs": found.decision.pairs,
        "track": found.track,
        "direction": found.direction,
        "basis": found.basis,
        "alpha": found.measured.alpha,
        "hardware_problem": found.hardware,
        "race": found.race,
        "a": _side(found.a),
        "b": _side(found.b),
        "time": _time(found),
        "loss": _loss(found),
        "step_rule": None if found.steps is None else _step_rule(found.steps),
    }


def _step_rule(steps: StepRecord) -> dict[str, Any]:
    rule = steps.rule
    return {
        "new": steps.new,
        "rate": rule.rate,
        "margin": rule.margin,
        "n_old": rule.n_old,
        "n_new": rule.n_new,
        "steps_needed": rule.steps_needed,
        **_pair(rule),
        "earliest": steps.earliest,
        "choices": [
            {
                "step": choice.alone.step,
                "mean": choice.alone.mean,
                "p_alone": choice.alone.p_value,
                "passes_alone": choice.alone.passes,
                **_pair(choice.pair),
            }
            for choice in steps.choices
        ],
    }


def _pair(rule: StepRule) -> dict[str, Any]:
    return {
        "steps_saved": rule.steps_saved,
        "loss_gain": rule.loss_gain,
        "value": rule.value,
        "shown": rule.shown,
    }


def _time(found: RecordComparison) -> dict[str, Any]:
    measured = found.measured
    return {
        "test": "paired" if found.paired else "welch",
        "machine_spread": measured.machine_spread,
        **_difference(measured.times, known=not found.hardware),
        "p_two_sided": None if found.hardware else measured.time_p,
        "effect_size": measured.time_effect,
    }


def _loss(found: RecordComparison) -> dict[str, Any]:
    measured = found.measured
    return {
        **_difference(measured.a_loss.difference),
        "p_two_sided": measured.loss_p,
        "effect_size": measured.loss_effect,
        "equivalence": {"margin": EQUIVALENCE_MARGIN, "p": measured.equivalence_p},
        "a_not_worse": _non_inferiority(measured.a_loss),
        "b_not_worse": _non_inferiority(measured.b_loss),
        "equal_seeds": asdict(found.seeds),
    }


def _difference(difference: Difference, *, known: bool = True) -> dict[str, Any]:
    return {
        "difference": difference.difference,
        "low": difference.low if known else None,
        "high": difference.high if known else None,
        "level": difference.level,
    }


def _non_inferiority(loss: NonInferiority) -> dict[str, Any]:
    return {
        "margin": loss.margin,
        "alpha": loss.alpha,
        "min_runs": loss.min_runs,
        "limit": loss.limit,
        "p_one_sided": loss.p_value,
        "shown": loss.shown,
        "runs_needed": loss.runs_needed,
    }


def _side(side: Compared) -> dict[str, Any]:
    return {
        "folder": side.folder,
        "runs": side.runs,
        "excluded": side.excluded,
        "hardware": list(side.hardware),
        "hosts": [{"host": host.host, "time_s": _moments(host.times)} for host in side.hosts],
        "loss": _moments(side.losses),
        "time_s": _moments(side.times),
        "steps": None if side.steps is None else {"min": side.steps[0], "max": side.steps[1]},
    }


def _moments(values: Moments) -> dict[str, Any]:
    return {"n": values.n, "mean": values.mean, "std": values.std}
