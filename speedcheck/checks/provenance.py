"""Can the evidence be trusted? Every log against the ledger, the plan and the other logs."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from speedcheck.certificate import Finding, Severity
from speedcheck.checks import codes
from speedcheck.checks.counting import IN_ANOTHER_GROUP, LEFT_OUT, NOT_IN_LEDGER, Evidence
from speedcheck.checks.mixtures import check_mixtures, grouped, listed
from speedcheck.program.sources import Sources
from speedcheck.records.folder import LOGS_NAME
from speedcheck.records.ledger import LEDGER_NAME, Entry, Ledger, LedgerProblem
from speedcheck.records.plan import PLAN_NAME


def check_provenance(evidence: Evidence, sources: Sources) -> tuple[Finding, ...]:
    """Judge whether the runs are all there, are what they claim to be, and are of one kind."""
    return (
        *_unread_parts(evidence),
        *_ledger_chain(evidence),
        *_missing_runs(evidence),
        *_unplanned_runs(evidence),
        *_changed_logs(evidence),
        *_not_counted(evidence),
        *_selected(evidence),
        *_other_groups(evidence),
        *_unread_files(evidence),
        *_early_stop(evidence),
        *_repeated_seeds(evidence),
        *_changed_sources(evidence),
        *_changed_recipe(evidence),
        *check_mixtures(evidence, sources),
        *_no_logs(evidence),
    )


def _unread_parts(evidence: Evidence) -> list[Finding]:
    return [
        Finding(
            codes.FILE_REFUSED if part.name else codes.TOO_MANY_FILES,
            "fail",
            part.reason,
            part.name,
        )
        for part in evidence.record.unread
    ]


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
        if run.counted or run.reason.startswith((LEFT_OUT, IN_ANOTHER_GROUP)):
            continue
        if run.reason.startswith("a copy of"):
            finding = Finding(codes.DUPLICATE_LOG, "warn", run.reason, where=run.log or "")
        elif run.reason == NOT_IN_LEDGER:
            finding = Finding(codes.LOG_NOT_IN_LEDGER, "fail", run.reason, where=run.log or "")
        else:
            finding = Finding(codes.INCOMPLETE_LOG, "warn", run.reason, where=run.log or "")
        findings.append(finding)
    return findings


def _selected(evidence: Evidence) -> list[Finding]:
    left_out = [run for run in evidence.judged if run.reason.startswith(LEFT_OUT)]
    if not left_out:
        return []
    message = f"{len(left_out)} runs were left out by --only or --exclude"
    return [Finding(codes.SELECTED_BY_CALLER, "info", message)]


def _other_groups(evidence: Evidence) -> list[Finding]:
    """Say which kinds of runs the folder holds, which one is judged, and why."""
    choice, groups = evidence.choice, evidence.groups
    if choice is None:
        return []
    kinds = "; ".join(f"{group.name}: {group.label}" for group in groups)
    judged = "all" if choice.group is None else choice.group.name
    message = f"runs of {len(groups)} kinds, judged is {judged} since {choice.why} ({kinds})"
    if choice.ground == "asked":
        return [Finding(codes.SELECTED_BY_CALLER, "info", message)]
    severity: Severity = "warn" if choice.ground in ("majority", "claims alone") else "info"
    return [Finding(codes.SEVERAL_GROUPS, severity, message)]


def _unread_files(evidence: Evidence) -> list[Finding]:
    record = evidence.record
    refused = [Finding(codes.NOT_A_RUN, "warn", file.reason, file.name) for file in record.refused]
    of_logs = {PurePosixPath(log.name).suffix for log in record.logs if log.runs}
    without_run = [
        Finding(
            codes.NOT_A_RUN,
            # A script or a table beside the logs is what it is; a text file may be a log cut short.
            "warn" if PurePosixPath(log.name).suffix in of_logs else "info",
            "; ".join(problem.message for problem in log.problems),
            where=log.name,
        )
        for log in record.logs
        if not log.runs
    ]
    partly = [
        Finding(
            codes.NOT_A_RUN,
            "warn",
            problem.message,
            where=f"{log.name}:{problem.line}" if problem.line else log.name,
        )
        for log in record.logs
        if log.runs
        for problem in log.problems
    ]
    return refused + without_run + partly


def _early_stop(evidence: Evidence) -> list[Finding]:
    ends = Counter(
        (run.final_step, run.total_steps)
        for run in evidence.judged
        if run.counted and run.complete is False and run.val_loss is not None
    )
    return [
        Finding(codes.EARLY_STOP, "info", f"{n} runs end at step {step} of {total}: taken as meant")
        for (step, total), n in ends.items()
    ]


def _repeated_seeds(evidence: Evidence) -> list[Finding]:
    by_seed = grouped(evidence, lambda run: run.seed)
    return [
        Finding(
            codes.REPEATED_SEED,
            "fail",
            f"{len(logs)} counted runs have seed {seed}: {listed(logs)}",
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


def _no_logs(evidence: Evidence) -> list[Finding]:
    record = evidence.record
    if evidence.from_logs or (record.unread and not evidence.judged):
        return []
    message = (
        f"the folder holds no log: {len(evidence.judged)} losses stand in {PLAN_NAME} alone, and a "
        "figure without its log is no evidence"
    )
    return [Finding(codes.CLAIMED_WITHOUT_LOGS, "unknown", message, where=PLAN_NAME)]
