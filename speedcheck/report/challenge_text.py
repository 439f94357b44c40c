"""A challenge for people, and as JSON by schema/challenge.schema.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from speedcheck.certificate import LossStatistics
from speedcheck.challenges.challenge_result import ChallengeResult
from speedcheck.challenges.own_program import RecordProgram
from speedcheck.report.wording import (
    ABSENT,
    aligned,
    number,
    printable,
    rounded,
    small_p,
    two_digits,
)
from speedcheck.words import count

SCHEMA = "speedcheck.challenge/1"


def program_text(program: RecordProgram, beside: Path) -> str:
    """Return what somebody should know before the program of a record runs."""
    where = f"{program.log}, line {program.first_line}"
    runs = f"{program.runs} of {count(program.counted, 'counted run')}"
    lines = [
        f"The program of {runs} of {program.folder}:",
        *aligned(
            [
                ("taken from", where),
                ("size", f"{program.lines} lines, {len(program.text)} characters"),
                ("sha256", program.sha256),
                ("beside it", f"the files of {beside.resolve()}"),
            ]
        ),
        "It is its author's, and it can do whatever you can do on this machine. --show prints it.",
    ]
    return "\n".join(printable(line) for line in lines) + "\n"


def challenge_text(result: ChallengeResult) -> str:
    """Return the challenge's runs beside the published ones; it ends in a newline."""
    own, difference = result.certificate.loss, result.difference
    interval = (
        ABSENT
        if difference.low is None or difference.high is None
        else f"{difference.low:+.5f} to {difference.high:+.5f}"
    )
    shown = number(difference.difference, "+.5f")
    rows = [
        ("this challenge", _statistics(own)),
        ("published", _statistics(result.published)),
        ("difference", f"{shown}, {difference.level:.0%} interval {interval} (Welch)"),
        ("all together", f"{_statistics(result.pooled)}; for information, it does not decide"),
    ]
    return "\n".join(["", *(printable(line) for line in aligned(rows))]) + "\n"


def challenge_json(result: ChallengeResult) -> str:
    """Return the challenge as JSON text that ends in a newline."""
    program, difference = result.program, result.difference
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "record": str(program.folder),
        "program": {
            "sha256": program.sha256,
            "lines": program.lines,
            "log": program.log,
            "runs": program.runs,
        },
        "certified": result.certificate.certified,
        "published": _figures(result.published),
        "difference": {
            "mean": difference.difference,
            "low": difference.low,
            "high": difference.high,
            "level": difference.level,
        },
        "pooled": _figures(result.pooled),
        "certificate": result.certificate.to_dict(),
    }
    text = json.dumps(fields, indent=2, allow_nan=False) + "\n"
    # A GitHub runner obeys `##[name]` anywhere; this is the same string.
    return text.replace("##[", r"#\u0023[")


def _statistics(loss: LossStatistics) -> str:
    if loss.mean is None:
        return count(loss.n, "run")
    sd = "" if loss.std is None else f", sd {two_digits(loss.std)}"
    return f"n = {loss.n}, mean {rounded(loss.mean)}{sd}, one-sided p {small_p(loss.p_value)}"


def _figures(loss: LossStatistics) -> dict[str, Any]:
    return {"n": loss.n, "mean": loss.mean, "std": loss.std, "p_one_sided": loss.p_value}
