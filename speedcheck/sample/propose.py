"""A record.toml for a folder of logs: a proposal that its author checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.certificate import Exclusion
from speedcheck.program import Sources, compare
from speedcheck.records.record_folder import Record
from speedcheck.records.record_toml import Excluded, Plan, Role, SampleDeclaration
from speedcheck.sample.groups import describe
from speedcheck.sample.sample import Group, Sample
from speedcheck.sample.take import take_sample
from speedcheck.words import count


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed record.toml.

    Attributes:
        plan: what it says.
        reasons: why, a line each.
    """

    plan: Plan
    reasons: tuple[str, ...]


def propose(record: Record, track: str | None, budget_ms: float | None = None) -> Proposal | None:
    """Propose which runs of a folder are the sample; None where no run is complete.

    The group with the most runs is proposed as the sample. Other groups are proposed as a
    baseline where their code differs, otherwise as an ablation, and incomplete runs as crashed.
    Whether that is true only the author knows.

    Args:
        record: the folder, read whole.
        track: name of the track, if it is known.
        budget_ms: training time after which the track ends a run, in milliseconds.
    """
    sources = Sources(record.path, record.logs)
    sample = take_sample(record, None, sources, budget_ms=budget_ms)
    candidates = [group for group in sample.groups if group.usable]
    if not candidates:
        return None
    main, *others = sorted(candidates, key=lambda group: -len(group.usable))
    patterns = _Patterns(sample)
    logs = patterns.of(main.usable)
    label = describe(sample.runs, main.usable, None)
    reasons = [f"[sample] {', '.join(logs)}: {_why_sample(label, others)}"]
    excluded: list[Excluded] = []
    for group in others:
        role, why = _role(sample, main, group, sources)
        excluded.append(Excluded(patterns.of(group.usable), role, why))
        reasons.append(f"[[excluded]] {', '.join(excluded[-1].logs)}: {role}, {why}")
    crashed = [
        index
        for index, ruling in enumerate(sample.rulings)
        if ruling.exclusion is Exclusion.INCOMPLETE
    ]
    if crashed:
        names = tuple(dict.fromkeys(sample.runs[index].log for index in crashed))
        why = "did not reach the end"
        excluded.append(Excluded(names, "crashed", why))
        reasons.append(f"[[excluded]] {', '.join(names)}: crashed, {why}")
    plan = Plan(
        name=record.name,
        track=track,
        sample=SampleDeclaration(logs),
        excluded=tuple(excluded),
    )
    return Proposal(plan, tuple(reasons))


def _why_sample(label: str, others: Sequence[Group]) -> str:
    """Return why a group is the sample; its label counts the complete runs alone."""
    if not others:
        return f"the only group, {label}"
    return f"the largest of {len(others) + 1} groups, {label}"


def _role(sample: Sample, main: Group, group: Group, sources: Sources) -> tuple[Role, str]:
    first, other = (sources.of(sample.runs[g.members[0]]) for g in (main, group))
    difference = compare(first.program, other.program) if first and other else None
    if difference is not None and difference.kind != "code":
        steps = sample.runs[group.members[0]].total_steps
        return "ablation", f"{count(len(group.usable), 'run')} of {steps} steps, the same code"
    return "baseline", f"{count(len(group.usable), 'run')} of other code"


class _Patterns:
    """Turns runs into patterns: a whole folder where all its logs belong to the set."""

    def __init__(self, sample: Sample) -> None:
        self._runs = sample.runs
        self._in_folder: dict[tuple[str, str], set[str]] = defaultdict(set)
        for run in sample.runs:
            self._in_folder[_place(run.log)].add(run.log)

    def of(self, members: Iterable[int]) -> tuple[str, ...]:
        """Return patterns that match the logs of the runs in `members`, and no others."""
        by_place: dict[tuple[str, str], set[str]] = defaultdict(set)
        for index in members:
            log = self._runs[index].log
            by_place[_place(log)].add(log)
        patterns: list[str] = []
        for place, logs in sorted(by_place.items()):
            folder, ending = place
            is_whole = logs == self._in_folder[place] and len(logs) > 1 and folder != "."
            patterns += [f"{folder}/*{ending}"] if is_whole else sorted(logs)
        return tuple(patterns)


def _place(log: str) -> tuple[str, str]:
    path = PurePosixPath(log)
    return str(path.parent), path.suffix
