"""Can the evidence be trusted? Every log against the ledger, the plan and the other logs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable
from pathlib import PurePosixPath

from speedcheck.certificate import Claim, Finding, Severity
from speedcheck.checks import codes
from speedcheck.checks.counting import NOT_IN_LEDGER, Evidence
from speedcheck.logs import Run
from speedcheck.records.folder import LOGS_NAME
from speedcheck.records.ledger import LEDGER_NAME, Entry, Ledger, LedgerProblem
from speedcheck.records.plan import PLAN_NAME


def check_provenance(evidence: Evidence, claims: tuple[Claim, ...]) -> tuple[Finding, ...]:
    """Judge whether the runs are all there, are what they claim to be, and are of one kind."""
    return (
        *_ledger_chain(evidence),
        *_missing_runs(evidence),
        *_unplanned_runs(evidence),
        *_changed_logs(evidence),
        *_not_counted(evidence),
        *_unread_files(evidence),
        *_early_stop(evidence),
        *_repeated_seeds(evidence),
        *_changed_sources(evidence),
        *_changed_recipe(evidence),
        *_mixtures(evidence),
        *_no_logs(evidence),
        *_unread_claims(evidence),
        *_claims(claims),
    )


def _ledger_chain(evidence: Evidence) -> list[Finding]:
    ledger, plan = evidence.record.ledger, evidence.record.plan
    if ledger is None:
        # Only `speedcheck run` plans seeds, and it never leaves a record without its ledger.
        if plan is not None and plan.seeds is not None:
            message = f"{PLAN_NAME} plans seeds and there is no ledger of how their runs ended"
            return [Finding(codes.LEDGER_BROKEN, "fail", message, where=LEDGER_NAME)]
        if any(run.header for run in evidence.runs):
            message = (
                "the bundled trainer wrote these logs, and no ledger says which runs there were"
            )
            return [Finding(codes.NO_LEDGER, "unknown", message)]
        return []
    return [_ledger_problem(problem) for problem in ledger.problems]


def _ledger_problem(problem: LedgerProblem) -> Finding:
    where = f"{LEDGER_NAME}:{problem.line}"
    if problem.torn:
        message = f"the line {problem.message}: a crash cut it, and what it said is lost"
        return Finding(codes.LEDGER_BROKEN, "warn", message, where)
    message = f"the line {problem.message}: the ledger was changed or cut"
    return Finding(codes.LEDGER_BROKEN, "fail", message, where)


def _missing_runs(evidence: Evidence) -> list[Finding]:
    """Name every planned run without a counted log: nobody may leave out the bad ones."""
    record = evidence.record
    if record.ledger is None:
        return _fewer_than_planned(evidence)
    counted = {run.log for run in evidence.judged if run.counted}
    return [
        Finding(
            codes.RUN_MISSING,
            "fail",
            f"seed {seed} was planned and {_account(entry)}",
            where=LEDGER_NAME,
        )
        for seed, entry in record.ledger.latest().items()
        if f"{LOGS_NAME}/{entry.log}" not in counted or entry.event != "finished"
    ] + _unplanned_in_ledger(evidence, record.ledger)


def _unplanned_in_ledger(evidence: Evidence, ledger: Ledger) -> list[Finding]:
    plan = evidence.record.plan
    absent = sorted(set(plan.seeds or ()) - set(ledger.latest())) if plan else []
    return [
        Finding(
            codes.RUN_MISSING,
            "fail",
            f"seed {seed} is in {PLAN_NAME} and the ledger does not know it",
            where=LEDGER_NAME,
        )
        for seed in absent
    ]


def _fewer_than_planned(evidence: Evidence) -> list[Finding]:
    plan = evidence.record.plan
    counted = sum(run.counted for run in evidence.judged)
    if plan is None or plan.runs is None or counted >= plan.runs:
        return []
    message = f"{plan.runs} runs were planned and {counted} count"
    return [Finding(codes.RUN_MISSING, "fail", message, where=PLAN_NAME)]


def _unplanned_runs(evidence: Evidence) -> list[Finding]:
    """Refuse more runs than were planned: adding some until the test passes is no test."""
    plan = evidence.record.plan
    if plan is None:
        return []
    planned = plan.runs if plan.seeds is None else len(plan.seeds)
    counted = sum(run.counted for run in evidence.judged)
    if planned is None or counted <= planned:
        return []
    message = f"{counted} runs count and {planned} were planned: the number is fixed beforehand"
    return [Finding(codes.UNPLANNED_RUN, "fail", message, where=PLAN_NAME)]


def _account(entry: Entry) -> str:
    match entry.event:
        case "finished":
            return f"finished, but its log {entry.log} is not among the counted ones"
        case "planned":
            return "never started"
        case "started":
            return "started, and nothing is known of its end"
        case _:
            return f"{entry.event} ({entry.reason or 'no reason given'})"


def _changed_logs(evidence: Evidence) -> list[Finding]:
    """Compare each finished log's hash and seed with what the ledger saw."""
    ledger = evidence.record.ledger
    if ledger is None:
        return []
    logs = {log.name: log for log in evidence.record.logs}
    findings = []
    for seed, entry in ledger.latest().items():
        log = logs.get(f"{LOGS_NAME}/{entry.log}")
        if log is None or entry.event != "finished":
            continue
        if log.sha256 != entry.log_sha256:
            message = "the log is not the one that the ledger saw finish: it was changed since"
            findings.append(Finding(codes.LOG_CHANGED, "fail", message, where=log.name))
        seeds = {run.header.seed for run in log.runs if run.header}
        if seeds and seeds != {seed}:
            message = f"the log says seed {seeds.pop()}, the ledger says seed {seed}"
            findings.append(Finding(codes.SEED_CHANGED, "fail", message, where=log.name))
    return findings


def _not_counted(evidence: Evidence) -> list[Finding]:
    findings = []
    for run in evidence.judged:
        if run.counted:
            continue
        if run.reason.startswith("a copy of"):
            finding = Finding(codes.DUPLICATE_LOG, "warn", run.reason, where=run.log or "")
        elif run.reason == NOT_IN_LEDGER:
            finding = Finding(codes.LOG_NOT_IN_LEDGER, "fail", run.reason, where=run.log or "")
        else:
            finding = Finding(codes.INCOMPLETE_LOG, "warn", run.reason, where=run.log or "")
        findings.append(finding)
    return findings


def _unread_files(evidence: Evidence) -> list[Finding]:
    record = evidence.record
    refused = [(file.name, file.reason) for file in record.refused]
    without_run = [
        (log.name, "; ".join(problem.message for problem in log.problems))
        for log in record.logs
        if not log.runs
    ]
    partly = [
        (f"{log.name}:{problem.line}" if problem.line else log.name, problem.message)
        for log in record.logs
        if log.runs
        for problem in log.problems
    ]
    return [
        Finding(codes.NOT_A_RUN, "warn", message, where=where)
        for where, message in refused + without_run + partly
    ]


def _early_stop(evidence: Evidence) -> list[Finding]:
    if evidence.early_stop is None:
        return []
    total = evidence.runs[0].total_steps
    message = f"every run ends at step {evidence.early_stop} of {total}: taken as meant"
    return [Finding(codes.EARLY_STOP, "info", message)]


def _repeated_seeds(evidence: Evidence) -> list[Finding]:
    by_seed = _grouped(evidence, lambda run: run.header.seed if run.header else None)
    return [
        Finding(
            codes.REPEATED_SEED,
            "fail",
            f"{len(logs)} counted runs have seed {seed}: {_listed(logs)}",
        )
        for seed, logs in by_seed.items()
        if len(logs) > 1
    ]


def _changed_sources(evidence: Evidence) -> list[Finding]:
    """Compare the program in each log with the hash that the trainer wrote beside it."""
    findings = []
    for run, judged in evidence.counted():
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


def _changed_recipe(evidence: Evidence) -> list[Finding]:
    plan = evidence.record.plan
    if plan is None or plan.recipe is None:
        return []
    return [
        Finding(
            codes.RECIPE_CHANGED,
            "fail",
            f"ran the recipe {run.header.recipe!r}; {PLAN_NAME} plans {plan.recipe!r}",
            where=judged.log or "",
        )
        for run, judged in evidence.counted()
        if run.header and run.header.recipe != plan.recipe
    ]


def _mixtures(evidence: Evidence) -> list[Finding]:
    """Point out what differs among runs that should be alike."""
    bundled = any(run.header for run, _ in evidence.counted())
    hardware = _grouped(evidence, lambda run: (run.environment.n_gpus, run.environment.gpu))
    torch = _grouped(evidence, lambda run: run.environment.torch)
    program = _grouped(evidence, _program)
    findings = []
    if len(program) > 1:
        # Two versions of the bundled trainer are two records; a published script may differ in
        # no more than a comment.
        severity: Severity = "fail" if bundled else "warn"
        message = f"the runs come from {len(program)} programs: {_sizes(program)}"
        findings.append(Finding(codes.MIXED_SOURCE, severity, message))
    if len(hardware) > 1:
        message = f"the runs come from {len(hardware)} kinds of hardware: {_sizes(hardware)}"
        findings.append(Finding(codes.MIXED_HARDWARE, "warn", message))
    if len(torch) > 1:
        message = f"the runs come from {len(torch)} versions of PyTorch: {_sizes(torch)}"
        findings.append(Finding(codes.MIXED_TORCH, "warn", message))
    return findings


def _program(run: Run) -> Hashable:
    configuration = json.dumps(run.header.config, sort_keys=True) if run.header else ""
    return (run.source_sha256, configuration) if run.source_sha256 else None


def _no_logs(evidence: Evidence) -> list[Finding]:
    if evidence.from_logs:
        return []
    message = (
        f"the folder holds no log: {len(evidence.judged)} losses stand in {PLAN_NAME} alone, and a "
        "figure without its log is no evidence"
    )
    return [Finding(codes.CLAIMED_WITHOUT_LOGS, "unknown", message, where=PLAN_NAME)]


def _unread_claims(evidence: Evidence) -> list[Finding]:
    """Say that nobody compared a stranger's README with the logs; our own is written from them."""
    record = evidence.record
    if record.ledger is not None or not record.documents:
        return []
    message = "the figures that it claims are not compared with the logs by this version"
    return [
        Finding(codes.CLAIMS_NOT_READ, "unknown", message, where=name) for name in record.documents
    ]


def _claims(claims: tuple[Claim, ...]) -> list[Finding]:
    return [
        Finding(
            codes.CLAIM_NOT_CONFIRMED,
            "fail",
            f"{claim.what} is claimed as {claim.claimed}; the evidence gives {claim.recomputed}",
            where=claim.where,
        )
        for claim in claims
        if claim.status == "not_confirmed"
    ]


def _grouped(
    evidence: Evidence, key: Callable[[Run], Hashable | None]
) -> dict[Hashable, list[str]]:
    """Return the counted runs' logs by `key`, leaving out runs whose key is not known."""
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for run, judged in evidence.counted():
        value = key(run)
        if value is not None and value != (None, None):
            groups[value].append(judged.log or "")
    return groups


def _sizes(groups: dict[Hashable, list[str]]) -> str:
    """Say how large each group is, and name the logs of all but the largest."""
    ordered = sorted(groups.values(), key=len, reverse=True)
    others = [log for logs in ordered[1:] for log in logs]
    return f"{' + '.join(str(len(logs)) for logs in ordered)} runs; others: {_listed(others)}"


def _listed(logs: list[str], most: int = 4) -> str:
    names = [PurePosixPath(log).name for log in logs[:most]]
    return ", ".join(names) + (f" and {len(logs) - most} more" if len(logs) > most else "")
