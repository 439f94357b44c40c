"""Does the ledger tell a course that a campaign can take? Each seed has one result, and one log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from speedcheck.checks import codes
from speedcheck.checks.ledger_agreement import RESTORE_LOG
from speedcheck.records.ledger import LEDGER_NAME, Entry, Event, Ledger
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.record_toml import PLAN_NAME
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding
from speedcheck.words import number_ranges

_BEFORE: dict[Event, frozenset[Event]] = {
    "started": frozenset({"planned", "failed", "abandoned"}),
    "finished": frozenset({"started"}),
    "failed": frozenset({"started"}),
    "abandoned": frozenset({"started"}),
}
"""Which events of a seed an event may follow; "planned" follows none."""


def check_course(sample: Sample) -> list[Finding]:
    """Name what no campaign does: a run made again after its result, or a log of two seeds.

    The chain of hashes tells that no line was changed afterwards. These findings tell that the
    lines do not account for one result a seed, so that the better of two may have been taken.
    """
    ledger = sample.record.ledger
    if ledger is None:
        return []
    found = (
        *_breaks(ledger),
        *_shared_logs(ledger),
        *_double_logs(sample, ledger),
        *_other_order(sample, ledger),
    )
    return [
        *(Finding(codes.LEDGER_COURSE, "fail", message, where=LEDGER_NAME) for message in found),
        *_lost_attempts(sample, ledger),
    ]


def _breaks(ledger: Ledger) -> Iterator[str]:
    """Describe each pair of events of one seed that cannot follow one another."""
    courses: dict[int, list[Event]] = defaultdict(list)
    for entry in ledger.entries:
        if entry.event != "extended":
            courses[entry.seed].append(entry.event)
    seeds: dict[str, list[int]] = defaultdict(list)
    for seed, events in courses.items():
        if events[0] != "planned":
            seeds[f"{events[0]} without a plan"].append(seed)
        for before, event in pairwise(events):
            if before not in _BEFORE.get(event, frozenset()):
                seeds[f"{event} after it was {before}"].append(seed)
    for what, which in seeds.items():
        numbers = list(dict.fromkeys(which))
        noun = "seed" if len(numbers) == 1 else "seeds"
        yield f"{noun} {number_ranges(numbers)}: {what}"


def _shared_logs(ledger: Ledger) -> Iterator[str]:
    """Name the logs of several attempts: one of them was overwritten, or counts twice."""
    starts: Counter[int] = Counter()
    attempts: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for entry in ledger.entries:
        starts[entry.seed] += entry.event == "started"
        if entry.log is not None:
            attempts[entry.log].add((entry.seed, starts[entry.seed]))
    for log, which in attempts.items():
        seeds = number_ranges(sorted({seed for seed, _ in which}))
        if len(which) > 1:
            yield f"{log} is the log of {len(which)} attempts (seeds: {seeds})"


def _double_logs(sample: Sample, ledger: Ledger) -> Iterator[str]:
    """Name logs of one planned run that hold several: the plan has no place for the others."""
    runs = Counter(run.log for run in sample.judged if run.counted)
    for entry in ledger.latest().values():
        if (number := runs[f"{LOGS_NAME}/{entry.log}"]) > 1:
            yield f"seed {entry.seed} is one planned run, and {number} runs of its log count"


def _other_order(sample: Sample, ledger: Ledger) -> Iterator[str]:
    """Compare the orders of the seeds: the sequential test takes the losses in the planned one."""
    if not sample.record.is_sequential:
        return
    planned, plan = list(ledger.latest()), sample.record.plan
    begun = dict.fromkeys(entry.seed for entry in ledger.entries if entry.event == "started")
    if not _is_same_order(begun, planned):
        yield "the seeds were started in another order than they were planned in"
    if plan and plan.seeds and not _is_same_order(plan.seeds, planned):
        yield f"{PLAN_NAME} has the seeds in another order than the ledger"


def _is_same_order(seeds: Iterable[int], others: Iterable[int]) -> bool:
    """Return whether the seeds of both have one order."""
    place = {seed: index for index, seed in enumerate(others)}
    places = [place[seed] for seed in seeds if seed in place]
    return places == sorted(places)


def _lost_attempts(sample: Sample, ledger: Ledger) -> Iterator[Finding]:
    """Name attempts without a result whose log was there when they ended and is gone."""
    there = {log.name for log in sample.record.logs}
    for entry in ledger.entries:
        if _left_a_log(entry) and f"{LOGS_NAME}/{entry.log}" not in there:
            message = f"an attempt at seed {entry.seed} {entry.event}, and its log is gone"
            where = f"{LOGS_NAME}/{entry.log}"
            yield Finding(codes.RUN_MISSING, "fail", message, where, RESTORE_LOG)


def _left_a_log(entry: Entry) -> bool:
    return entry.event in ("failed", "abandoned") and entry.log_sha256 is not None
