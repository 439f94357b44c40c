"""Can the evidence be trusted? Every log against the folder, the ledger and the other logs."""

from __future__ import annotations

from speedcheck.checks import codes
from speedcheck.checks.beside_baseline import Baseline
from speedcheck.checks.contradictions import check_times
from speedcheck.checks.counted_runs import check_sample
from speedcheck.checks.ledger_agreement import check_ledger
from speedcheck.checks.ledger_course import check_course
from speedcheck.checks.mixtures import check_mixtures
from speedcheck.checks.unread_files import check_files
from speedcheck.program import Sources
from speedcheck.records.line_ends import CONVERTED, RESTORE, are_converted
from speedcheck.records.record_toml import PLAN_NAME
from speedcheck.records.script_table import has_no_link, program_sha256
from speedcheck.rules.rule import Rule
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding


def check_provenance(
    sample: Sample, rule: Rule, sources: Sources, baseline: Baseline | None = None
) -> tuple[Finding, ...]:
    """Judge whether the runs are all there, are what they claim to be, and are of one program."""
    return (
        *check_files(sample),
        *check_ledger(sample),
        *check_course(sample),
        *check_sample(sample, rule, sources, baseline),
        *check_times(sample),
        *_sources(sample),
        *_script(sample),
        *check_mixtures(sample, sources),
        *_no_logs(sample),
    )


def _sources(sample: Sample) -> list[Finding]:
    """Compare the program in each log with the hash that the trainer wrote beside it."""
    findings = []
    for run, judged in sample.counted():
        header, where = run.header, judged.log or ""
        if header is None:
            continue
        if header.source_sha256 not in (None, run.source_sha256):
            message = "the program in the log is not the one that wrote it: source_sha256 differs"
            findings.append(Finding(codes.SOURCE_CHANGED, "fail", message, where=where))
        if header.git_clean is False:
            message = "the program had changes that no commit holds; the log embeds it as it ran"
            findings.append(Finding(codes.DIRTY_TREE, "warn", message, where=where))
    return findings


def _script(sample: Sample) -> list[Finding]:
    """Compare the program that `speedcheck run --script` ran with the hash of record.toml."""
    plan, root = sample.record.plan, sample.record.path
    if plan is None or plan.script is None:
        return []
    script = plan.script
    try:
        is_same = has_no_link(root, script.file) and (
            program_sha256(root / script.file) == script.sha256
        )
    except OSError:
        is_same = False
    if is_same:
        return []
    message = f"the program is gone, or not the one whose SHA-256 {PLAN_NAME} holds"
    if has_no_link(root, script.file) and are_converted(root / script.file, script.sha256):
        message = f"the program is not the one whose SHA-256 {PLAN_NAME} holds: {CONVERTED}"
        return [Finding(codes.SOURCE_CHANGED, "fail", message, script.file, RESTORE)]
    return [Finding(codes.SOURCE_CHANGED, "fail", message, where=script.file)]


def _no_logs(sample: Sample) -> list[Finding]:
    record = sample.record
    if sample.from_logs or (record.unread and not sample.judged):
        return []
    if not sample.judged and record.ledger is not None:
        return []  # the ledger says of each planned run what became of it
    message = "the folder holds no log"
    if sample.judged:
        message += (
            f": {len(sample.judged)} losses are in {PLAN_NAME} alone, and a figure without its log "
            "is not evidence"
        )
    return [Finding(codes.CLAIMED_WITHOUT_LOGS, "unknown", message, where=PLAN_NAME)]
