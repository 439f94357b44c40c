"""A race as JSON, by schema/race.schema.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from speedcheck.races.race_result import RaceResult, RaceSide
from speedcheck.stats.moments import Moments

SCHEMA = "speedcheck.race/1"


def races_json(results: Sequence[RaceResult]) -> str:
    """Return one race as an object, several as a list: JSON text that ends in a newline."""
    races = [race_dict(result) for result in results]
    text = json.dumps(races[0] if len(races) == 1 else races, indent=2, allow_nan=False) + "\n"
    # A GitHub runner obeys `##[name]` anywhere; this is the same string.
    return text.replace("##[", r"#\u0023[")


def race_dict(result: RaceResult) -> dict[str, Any]:
    """Return the race as the JSON schema has it."""
    test, loss = result.test, result.a_loss
    return {
        "schema": SCHEMA,
        "outcome": test.outcome,
        "aa": result.plan.is_aa,
        "name": result.plan.name,
        "date": result.plan.date,
        "track": result.plan.track,
        "alpha": test.alpha,
        "pairs_planned": result.plan.pairs,
        "pairs_counted": len(result.pairs),
        "looked_at": test.looked_at,
        "decided_at": test.decided_at,
        "a": _side(result.a),
        "b": _side(result.b),
        "difference_s": {
            "mean": test.mean,
            "std": test.std,
            "low": test.low,
            "high": test.high,
            "level": 1 - test.alpha,
        },
        "log_e_value": test.log_e_value,
        "p_anytime": test.p_value,
        "drift_s": test.drift,
        "loss": {"margin": loss.margin, "limit": loss.limit, "a_not_worse": loss.shown},
        "begun_again": result.begun_again,
        "hosts": list(result.hosts),
        "problems": list(result.problems),
        "pairs": [
            {
                "pair": pair.number,
                "first": pair.first,
                "a_s": pair.a_s,
                "b_s": pair.b_s,
                "a_loss": pair.a_loss,
                "b_loss": pair.b_loss,
            }
            for pair in result.pairs
        ],
    }


def _side(side: RaceSide) -> dict[str, Any]:
    return {
        "trainer": side.trainer,
        "time_s": _moments(side.times),
        "loss": _moments(side.losses),
    }


def _moments(values: Moments) -> dict[str, Any]:
    return {"n": values.n, "mean": values.mean, "std": values.std}
