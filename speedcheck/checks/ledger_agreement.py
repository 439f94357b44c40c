"""Do the ledger and record.toml agree with the logs? What was planned, and what became of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from speedcheck.certificate import Exclusion
from speedcheck.checks import codes
from speedcheck.logs import LogFile
from speedcheck.records.ledger import LEDGER_NAME, Entry, Ledger, LedgerProblem
from speedcheck.records.line_ends import CONVERTED, RESTORE, are_converted
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.record_toml import PLAN_NAME
from speedcheck.sample import Sample
from speedcheck.sample.order import started
from speedcheck.verdicts import Finding
from speedcheck.words import join_some, number_ranges

# The clock of a node is not that of another, and a run is noted before its trainer starts.
_TOLERANCE = timedelta(minutes=10)

_FINISH = "finish the planned runs: speedcheck run --resume --out FOLDER"
# The record keeps its program: a mended one is another.
_FINISH_SCRIPT = f"start another record if the script is at fault; if not, {_FINISH}"
RESTORE_LOG = "put the log back as its run wrote it; if it is lost, run the record again"


def check_ledger(sample: Sample) -> list[Finding]:
    """Compare the ledger and record.toml with the logs."""
    return [
        *_chain(sample),
        *_missing_runs(sample),
        *_unplanned_runs(sample),
        *_changed_logs(sample),
        *_start_times(sample),
        *_changed_recipe(sample),
        *_changed_stopping_rule(sample),
        *_extended(sample),
    ]


def _chain(sample: Sample) -> list[Finding]:
    ledger, plan = sample.record.ledger, sample.record.plan
    if ledger is not None:
        return [_problem(problem) for problem in ledger.problems]
    # Only `speedcheck run` plans seeds, and it never leaves a record without its ledger.
    if plan is not None and plan.seeds is not None:
        message = f"{PLAN_NAME} plans seeds, but no ledger says how their runs ended"
        return [Finding(codes.LEDGER_BROKEN, "fail", message, where=LEDGER_NAME)]
    if any(run.header for run in sample.runs):
        message = "the bundled trainer wrote these logs, but no ledger says which runs there were"
        return [Finding(codes.NO_LEDGER, "unknown", message)]
    return []


def _problem(problem: LedgerProblem) -> Finding:
    where = f"{LEDGER_NAME}:{problem.line}"
    if problem.torn:
        message = f"the line {problem.message}: a crash cut it, and what it said is lost"
        return Finding(codes.LEDGER_BROKEN, "warn", message, where)
    if problem.converted:
        return Finding(codes.LEDGER_BROKEN, "fail", problem.message, LEDGER_NAME, RESTORE)
    message = f"the line {problem.message}: the ledger was changed or cut"
    return Finding(codes.LEDGER_BROKEN, "fail", message, where)


def _missing_runs(sample: Sample) -> list[Finding]:
    """Name every planned run without a counted log: nobody may leave out the bad ones."""
    ledger = sample.record.ledger
    if ledger is None:
        return _fewer_than_planned(sample)
    counted = {run.log for run in sample.judged if run.counted}
    missing: dict[tuple[str, str], list[int]] = defaultdict(list)
    for seed, entry in _due(sample, ledger).items():
        if f"{LOGS_NAME}/{entry.log}" not in counted or entry.event != "finished":
            missing[_account(entry), _remedy(sample, entry)].append(seed)
    for seed in _not_in_ledger(sample, ledger):
        missing[f"is in {PLAN_NAME}, but not in the ledger", _FINISH].append(seed)
    return [
        Finding(codes.RUN_MISSING, "fail", _who(seeds, account), LEDGER_NAME, remedy)
        for (account, remedy), seeds in missing.items()
    ]


def _due(sample: Sample, ledger: Ledger) -> dict[int, Entry]:
    """Return the last entries of the seeds that must have been run.

    That is all of them, or with a sequential stopping rule those up to the last one that was
    started.
    """
    latest = ledger.latest()
    if not sample.record.is_sequential:
        return latest
    begun = [n for n, entry in enumerate(latest.values(), start=1) if entry.event != "planned"]
    return dict(list(latest.items())[: max(begun, default=0)])


def _who(seeds: list[int], account: str) -> str:
    if len(seeds) == 1:
        return f"seed {seeds[0]} {account}"
    return f"{len(seeds)} seeds ({number_ranges(seeds)}): each {account}"


def _account(entry: Entry) -> str:
    match entry.event:
        case "finished":
            return "was planned and finished, but its log is not among the counted ones"
        case "planned":
            return "was planned and never started"
        case "started":
            return "was started, and nothing is known of its end"
        case _:
            return f"was planned and {entry.event} ({entry.reason or 'no reason given'})"


def _remedy(sample: Sample, entry: Entry) -> str:
    """Say what brings a planned run into the sample: --resume repeats no run that finished."""
    plan = sample.record.plan
    if entry.event == "failed" and plan is not None and plan.script is not None:
        return _FINISH_SCRIPT
    if entry.event != "finished":
        return _FINISH
    ruling = next((run for run in sample.judged if run.log == f"{LOGS_NAME}/{entry.log}"), None)
    if ruling is None:
        return RESTORE_LOG
    if ruling.exclusion is Exclusion.NOT_SELECTED:
        return "judge all runs: leave --only and --exclude out"
    return "put the log back as its run wrote it; why it does not count: speedcheck table FOLDER"


def _not_in_ledger(sample: Sample, ledger: Ledger) -> list[int]:
    plan = sample.record.plan
    return sorted(set(plan.seeds or ()) - set(ledger.latest())) if plan else []


def _fewer_than_planned(sample: Sample) -> list[Finding]:
    plan = sample.record.plan
    counted = sum(run.counted for run in sample.judged)
    if plan is None or plan.runs is None or counted >= plan.runs or not sample.chosen:
        return []
    message = f"{plan.runs} runs were planned and {counted} count"
    return [Finding(codes.RUN_MISSING, "fail", message, where=PLAN_NAME)]


def _unplanned_runs(sample: Sample) -> list[Finding]:
    """Refuse more runs than were planned: adding some until the test passes is not a test."""
    plan = sample.record.plan
    if plan is None:
        return []
    planned = plan.runs if plan.seeds is None else len(plan.seeds)
    counted = sum(run.counted for run in sample.judged)
    if planned is None or counted <= planned:
        return []
    message = f"{counted} runs count and {planned} were planned: the number is fixed beforehand"
    return [Finding(codes.UNPLANNED_RUN, "fail", message, where=PLAN_NAME)]


def _changed_logs(sample: Sample) -> list[Finding]:
    """Compare each finished log's hash and seed with what the ledger noted."""
    ledger = sample.record.ledger
    if ledger is None:
        return []
    logs = {log.name: log for log in sample.record.logs}
    findings = []
    for seed, entry in ledger.latest().items():
        log = logs.get(f"{LOGS_NAME}/{entry.log}")
        if log is None or entry.event != "finished":
            continue
        if log.sha256 != entry.log_sha256:
            findings.append(_changed(sample, log, entry))
        seeds = {run.header.seed for run in log.runs if run.header}
        if seeds and seeds != {seed}:
            message = f"the log says seed {seeds.pop()}, the ledger says seed {seed}"
            findings.append(Finding(codes.SEED_CHANGED, "fail", message, where=log.name))
    return findings


def _changed(sample: Sample, log: LogFile, entry: Entry) -> Finding:
    message = "the log is not the one that the ledger noted at its end: "
    if are_converted(sample.record.path / log.name, entry.log_sha256):
        return Finding(codes.LOG_CHANGED, "fail", message + CONVERTED, log.name, RESTORE)
    return Finding(codes.LOG_CHANGED, "fail", f"{message}it was changed", log.name)


def _start_times(sample: Sample) -> list[Finding]:
    """Compare when a run started by its log with when it did by the ledger."""
    ledger = sample.record.ledger
    if ledger is None:
        return []
    starts = ledger.starts()
    noted = {
        f"{LOGS_NAME}/{finished.log}": starts[seed].utc
        for seed, finished in ledger.latest().items()
        if seed in starts and finished.log is not None
    }
    apart = [
        run.log
        for run, _ in sample.counted()
        if run.log in noted and _is_apart(started(run), _time(noted[run.log]))
    ]
    if not apart:
        return []
    minutes = int(_TOLERANCE.total_seconds() // 60)
    message = (
        f"the ledger and {join_some(apart)} disagree by more than {minutes} minutes on the start"
    )
    return [Finding(codes.LEDGER_TIMES, "warn", message, where=LEDGER_NAME)]


def _is_apart(log: datetime | None, ledger: datetime | None) -> bool:
    return log is not None and ledger is not None and abs(log - ledger) > _TOLERANCE


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def _changed_recipe(sample: Sample) -> list[Finding]:
    plan = sample.record.plan
    if plan is None or plan.recipe is None:
        return []
    return [
        Finding(
            codes.RECIPE_CHANGED,
            "fail",
            f"ran the recipe {run.header.recipe!r}; {PLAN_NAME} plans {plan.recipe!r}",
            where=judged.log or "",
        )
        for run, judged in sample.counted()
        if run.header and run.header.recipe != plan.recipe
    ]


def _changed_stopping_rule(sample: Sample) -> list[Finding]:
    """Compare the stopping rule of record.toml with the one that the ledger noted."""
    ledger, plan = sample.record.ledger, sample.record.plan
    noted = ledger.stopping_rules() if ledger else set()
    if plan is None or noted <= {plan.stopping_rule}:
        return []
    other = min(noted - {plan.stopping_rule})
    message = f"the stopping rule is {plan.stopping_rule!r}, and the ledger planned {other!r}"
    return [Finding(codes.STOPPING_CHANGED, "fail", message, where=PLAN_NAME)]


def _extended(sample: Sample) -> list[Finding]:
    """Say where runs were added after a look: only the sequential test allows that."""
    ledger = sample.record.ledger
    if ledger is None or sample.record.is_sequential:
        return []
    looks = ledger.looks()
    if not looks:
        return []
    numbers = ", ".join(dict.fromkeys(entry.reason for entry in looks if entry.reason))
    which = f" ({numbers})" if numbers else ""
    message = (
        f"runs were added to the plan after one had finished{which}: the fixed test allows no look"
    )
    return [Finding(codes.EXTENDED, "warn", message, where=LEDGER_NAME)]
