"""What the runs of a challenge show beside the published ones."""

from __future__ import annotations

from dataclasses import dataclass

from speedcheck.certificate import Certificate, LossStatistics
from speedcheck.challenges.own_program import RecordProgram
from speedcheck.checks.loss import loss_statistics
from speedcheck.stats import Difference, welch


@dataclass(frozen=True, slots=True)
class ChallengeResult:
    """What a challenge has shown.

    Attributes:
        program: the program that was run.
        certificate: the judgement of the challenge's own runs, which decide.
        published: the statistics of the published runs.
        difference: mean loss of the challenge minus that of the published runs (Welch).
        pooled: the statistics of all runs together; for information.
    """

    program: RecordProgram
    certificate: Certificate
    published: LossStatistics
    difference: Difference
    pooled: LossStatistics


def conclude(program: RecordProgram, certificate: Certificate) -> ChallengeResult:
    """Put the challenge's runs beside the published ones."""
    rule = program.rule
    own = [run.val_loss for run in certificate.counted]
    published: list[float | None] = list(program.published)
    return ChallengeResult(
        program=program,
        certificate=certificate,
        published=loss_statistics(published, rule),
        difference=welch(_numbers(own), _numbers(published)),
        pooled=loss_statistics([*published, *own], rule),
    )


def _numbers(losses: list[float | None]) -> list[float]:
    return [float("nan") if loss is None else loss for loss in losses]
