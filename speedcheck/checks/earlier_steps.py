"""What the losses show at an earlier validation, where the documents claim one.

On a track that counts steps a record may claim fewer than its runs made: it is judged by the last
validation, and claims the first at which the rule is met. Which one that is, a document says in
words; so the figures are given and decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from speedcheck.checks import codes
from speedcheck.checks.loss import judge_losses, loss_statistics
from speedcheck.logs import Run
from speedcheck.rules.rule import Rule
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding, Verdict


def check_earlier_steps(sample: Sample, steps: Iterable[int], rule: Rule) -> tuple[Finding, ...]:
    """Test the counted losses at each of `steps` that every counted run validated.

    Args:
        sample: the record with its runs judged.
        steps: the steps for which its documents give figures that the logs confirm.
        rule: its rule; only tracks that count steps have an answer.
    """
    if rule.track.cost != "steps":
        return ()
    runs = [run for run, _ in sample.counted()]
    findings = []
    for step in steps:
        losses = [_loss_at(run, step) for run in runs]
        is_earlier = all(run.final_step is not None and step < run.final_step for run in runs)
        if losses and is_earlier and None not in losses:
            findings.append(Finding(codes.EARLIER_STEP, "info", _message(step, losses, rule)))
    return tuple(findings)


def _loss_at(run: Run, step: int) -> float | None:
    return next((v.loss for v in run.validations if v.step == step), None)


def _message(step: int, losses: list[float | None], rule: Rule) -> str:
    loss = loss_statistics(losses, rule)
    findings = judge_losses(loss, rule)
    passes = "passes" if Verdict.of(findings).status == "pass" else "does not pass"
    figures = findings[0].message.split("; ")[0] if findings else f"p = {loss.p_value:.4g}"
    mean = "" if loss.mean is None else f"mean {loss.mean:.6g}, "
    return f"at step {step}, for which the documents give losses, it {passes}: {mean}{figures}"
