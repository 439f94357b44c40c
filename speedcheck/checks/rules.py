"""Was it run by the rules of its track? What the logs say of hardware, validation and program."""

from __future__ import annotations

from speedcheck.checks import codes
from speedcheck.checks.beside_baseline import Baseline
from speedcheck.checks.budget import check_budget
from speedcheck.checks.program_rules import check_programs, forbids_settings
from speedcheck.checks.run_environment import check_environment
from speedcheck.checks.training_data import check_data
from speedcheck.program import Sources
from speedcheck.rules.tracks import Track
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding


def check_rules(
    sample: Sample,
    track: Track,
    sources: Sources,
    baseline: Baseline | None = None,
) -> tuple[Finding, ...]:
    """Judge the counted runs by the rules of `track`.

    Args:
        sample: the record with its runs judged.
        track: its track.
        sources: the programs of its runs.
        baseline: the record whose program it is compared with, if there is one.
    """
    return (
        *_hardware(sample, track),
        *_validation_tokens(sample, track),
        *check_data(sample, track),
        *check_budget(sample, track),
        *check_programs(sample, track, sources, baseline),
        *(check_environment(sample) if forbids_settings(track) else ()),
    )


def _hardware(sample: Sample, track: Track) -> list[Finding]:
    if track.n_gpus is None:
        return []
    expected = f"{track.n_gpus} x {track.gpu}"
    findings = []
    for run, judged in sample.counted():
        environment = run.environment
        gpu, n_gpus = environment.gpu, environment.n_gpus
        if n_gpus is None or (n_gpus > 0 and gpu is None):
            message = f"the log does not say what it ran on; the track asks for {expected}"
            findings.append(
                Finding(codes.HARDWARE_UNKNOWN, "unknown", message, where=judged.log or "")
            )
        elif n_gpus != track.n_gpus or (track.gpu or "") not in (gpu or ""):
            found = f"{n_gpus} x {gpu}" if gpu else "no GPU"
            message = f"ran on {found}, the track asks for {expected}: its time does not count"
            findings.append(Finding(codes.WRONG_HARDWARE, "warn", message, where=judged.log or ""))
    return findings


def _validation_tokens(sample: Sample, track: Track) -> list[Finding]:
    if track.val_tokens is None:
        return []
    found = [
        (run.header.data.get("val_tokens"), judged.log or "")
        for run, judged in sample.counted()
        if run.header and run.header.data
    ]
    return [
        Finding(
            codes.WRONG_VALIDATION,
            "fail",
            f"validated on {tokens} tokens, and the track asks for {track.val_tokens}",
            where=log,
        )
        for tokens, log in found
        if tokens != track.val_tokens
    ]
