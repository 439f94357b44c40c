"""What a record declares of itself, held against what the base allows for its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from speedcheck.certificate import Certificate
from speedcheck.checks import codes
from speedcheck.gate.baselines import is_excused
from speedcheck.gate.objection import Objection
from speedcheck.logs import LogFile
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.record_files import CERTIFICATE_NAME, is_own_picture
from speedcheck.records.record_toml import PLAN_NAME, Plan, Role
from speedcheck.rules.gate_rules import PathRules
from speedcheck.rules.tracks import NO_TRACK
from speedcheck.stats import one_sample_t
from speedcheck.words import count, join_some, number_ranges

# The certificate of the largest public record has 1 MiB.
_MAX_BYTES = 4 << 20


def not_allowed(
    plan: Plan | None, certificate: Certificate, rules: PathRules, *, has_ledger: bool
) -> Iterator[Objection]:
    """Object to a track, a kind of record or a stopping rule that the base does not allow here."""
    if certificate.track not in rules.tracks:
        allowed = join_some(rules.tracks)
        entered = f"the track {certificate.track}"
        if certificate.track == NO_TRACK:
            entered = "a record of no track"
        yield Objection(f"{entered} is not allowed here, but {allowed}")
    if is_excused(certificate) and rules.systems is None:
        yield Objection("a systems record does not pass here without passing the loss test")
    if plan is None:
        return
    stopping: str = plan.stopping_rule
    if stopping not in rules.stopping:
        yield Objection(f"the stopping rule {stopping!r} is not allowed here", where=PLAN_NAME)
    if stopping == "sequential" and not has_ledger:
        yield Objection("a sequential record needs its ledger", where=LEDGER_NAME)


def remarks(
    plan: Plan | None, certificate: Certificate, folder: Path, logs: Sequence[LogFile]
) -> Iterator[str]:
    """Say what a maintainer should know of a record, and what closes nothing.

    Args:
        plan: its record.toml.
        certificate: its judgement.
        folder: where its files are.
        logs: its files that could be logs.
    """
    selection = certificate.selection
    if selection.at_step is not None:
        yield f"judged at step {selection.at_step}, which {PLAN_NAME} names"
    if plan is not None:
        if plan.baseline is not None:
            yield f"{PLAN_NAME} names the baseline: {plan.baseline}"
        yield from _excluded(plan, certificate)
    if without := [log for log in logs if not log.runs and not is_own_picture(log.name)]:
        without.sort(key=lambda log: -log.size)
        names = join_some(f"{log.name} ({max(log.size >> 10, 1)} KiB)" for log in without)
        yield f"{count(len(without), 'file')} in which no run was found: {names}"
    for finding in certificate.verdicts.rules.findings:
        if finding.code in (codes.ENVIRONMENT_UNKNOWN, codes.ENVIRONMENT_SETTING):
            yield finding.message
    seeds = sorted(run.seed for run in certificate.counted if run.seed is not None)
    if seeds and seeds != list(range(len(certificate.counted))):
        yield f"the seeds are {number_ranges(seeds)}, not 0 to {len(certificate.counted) - 1}"
    if (other := _other_certificate(certificate, folder / CERTIFICATE_NAME)) is not None:
        yield other


def _excluded(plan: Plan, certificate: Certificate) -> Iterator[str]:
    """Say what is declared not to count, and what it shows: nobody but a maintainer can judge it.

    A run of the same program that is said to be somebody else's could be one that its author would
    rather not count, so it is also shown what the record would be with it.
    """
    for role in get_args(Role):
        entries = [entry for entry in plan.excluded if entry.role == role]
        if not entries:
            continue
        logs = join_some(log for entry in entries for log in entry.logs)
        groups = {group.name for group in certificate.groups if group.role == role}
        runs = [run for run in certificate.runs if run.group in groups]
        losses = [run.val_loss for run in runs if run.val_loss is not None]
        text = f"declared as {role}: {logs} ({join_some(entry.reason for entry in entries)})"
        if losses:
            text += f"; {_figures(losses, certificate)}"
        if losses and role == "retiming":
            counted = [run.val_loss for run in certificate.counted if run.val_loss is not None]
            text += f"; with the counted runs {_figures([*counted, *losses], certificate)}"
        yield text


def _figures(losses: Sequence[float], certificate: Certificate) -> str:
    test = one_sample_t(losses, certificate.target, certificate.direction)
    text = f"{count(test.n, 'run')}, mean {test.mean:.6g}"
    return text if test.p_value is None else f"{text}, p = {test.p_value:.2g}"


def _other_certificate(certificate: Certificate, path: Path) -> str | None:
    """Return how the record's own certificate.json differs from the one that was computed."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size > _MAX_BYTES:
        return f"there is no {CERTIFICATE_NAME}; it was computed here"
    try:
        written = json.loads(path.read_bytes())
        same = written["certified"] == certificate.certified and all(
            written["loss"][key] == getattr(certificate.loss, key) for key in ("n", "mean")
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        same = False
    return None if same else f"{CERTIFICATE_NAME} differs from what the logs give; it is not used"
