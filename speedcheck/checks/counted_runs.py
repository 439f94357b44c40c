"""Which runs are the evidence, and what that rests on: every run that does not count is named."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from speedcheck.certificate import Exclusion, JudgedRun
from speedcheck.checks import codes
from speedcheck.checks.beside_baseline import Baseline
from speedcheck.checks.loss import loss_statistics, passes_test
from speedcheck.logs import Run
from speedcheck.program import Difference, Sources, compare
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.record_toml import PLAN_NAME, Role
from speedcheck.rules.rule import Rule
from speedcheck.sample import Group, Sample
from speedcheck.sample.groups import may_be_of, named_groups
from speedcheck.sample.select import named
from speedcheck.verdicts import Finding
from speedcheck.words import count, join_some

# A run that crashed so late has shown its loss.
_LATE = 0.9

_CORRECT_SAMPLE = f"correct the patterns under [sample] in {PLAN_NAME}, or put the logs back"


def check_sample(
    sample: Sample, rule: Rule, sources: Sources, baseline: Baseline | None = None
) -> list[Finding]:
    """Point out which runs do not count and on what ground the others were chosen."""
    return [
        *_copies(sample),
        *_incomplete(sample),
        *_not_in_ledger(sample),
        *_selected(sample),
        *_groups(sample),
        *_declared(sample, sources),
        *_crashed(sample, rule, baseline),
        *_ends(sample),
        *_resumed(sample),
        *_seeds(sample),
    ]


def _copies(sample: Sample) -> Iterator[Finding]:
    for _, judged in sample.excluded(Exclusion.EXACT_COPY):
        yield Finding(codes.DUPLICATE_LOG, "warn", judged.reason, judged.log or "")
    for _, judged in sample.excluded(Exclusion.NEAR_COPY):
        yield Finding(codes.NEAR_COPY, "fail", judged.reason, judged.log or "")


def _incomplete(sample: Sample) -> Iterator[Finding]:
    for _, judged in sample.excluded(Exclusion.INCOMPLETE):
        yield Finding(codes.INCOMPLETE_LOG, "warn", judged.reason, judged.log or "")


def _not_in_ledger(sample: Sample) -> Iterator[Finding]:
    for _, judged in sample.excluded(Exclusion.NOT_IN_LEDGER):
        yield Finding(codes.LOG_NOT_IN_LEDGER, "fail", judged.reason, judged.log or "")


def _selected(sample: Sample) -> Iterator[Finding]:
    left_out = sample.excluded(Exclusion.NOT_SELECTED)
    if left_out:
        message = f"{count(len(left_out), 'run')} left out by --only or --exclude"
        yield Finding(codes.SELECTED_BY_CALLER, "info", message)


def _groups(sample: Sample) -> Iterator[Finding]:
    """Say which groups the folder holds and which one is judged."""
    candidates = [group for group in sample.groups if group.usable and group.role is None]
    if len(candidates) < 2 and sample.ground not in ("asked", "undecided"):
        return
    listed = "; ".join(f"{group.name}: {group.label}" for group in sample.groups)
    if sample.ground == "undecided":
        yield _undecided(candidates, listed, sample)
        return
    judged = " and ".join(group.name for group in sample.chosen) or "none"
    message = f"{len(candidates)} groups of runs, {judged} is judged ({listed})"
    is_asked = sample.ground == "asked"
    code = codes.SELECTED_BY_CALLER if is_asked else codes.SEVERAL_GROUPS
    yield Finding(code, "info", message)


def _undecided(candidates: list[Group], listed: str, sample: Sample) -> Finding:
    """Say why no group is judged, and what would decide it."""
    plan = sample.record.plan
    patterns = plan.sample.logs if plan and plan.sample else ()
    declared = named_groups(patterns, candidates, sample.runs)
    if patterns and not declared:
        message = f"no run that can count is in the declared sample, {_quoted(patterns)} ({listed})"
        return Finding(codes.UNDECIDED, "fail", message, PLAN_NAME, _CORRECT_SAMPLE)
    doubtful = may_be_of(declared, candidates, sample.runs)
    if doubtful:
        names = " and ".join(group.name for group in doubtful)
        message = (
            f"no program can be read in the logs of group {names}, so that they may be of the "
            f"declared sample ({listed}); name them in {PLAN_NAME} under [sample] too"
        )
        return Finding(codes.UNDECIDED, "fail", message)
    message = (
        f"the folder holds {len(candidates)} groups of runs and nothing says which one is the "
        f"record ({listed}); declare it in {PLAN_NAME}: {_declaration(candidates, sample)}"
    )
    remedy = "" if plan else "declare the sample: speedcheck init FOLDER"
    return Finding(codes.UNDECIDED, "fail", message, remedy=remedy)


def _quoted(patterns: Iterable[str]) -> str:
    return join_some(map(repr, patterns))


def _declaration(candidates: list[Group], sample: Sample) -> str:
    """Return the line of record.toml that would choose the largest group."""
    largest = max(candidates, key=lambda group: len(group.usable))
    logs = dict.fromkeys(sample.runs[index].log for index in largest.usable)
    names = ", ".join(f'"{log}"' for log in list(logs)[:2])
    more = ", ..." if len(logs) > 2 else ""
    return f"[sample] logs = [{names}{more}]"


def _declared(sample: Sample, sources: Sources) -> Iterator[Finding]:
    """List what record.toml declares, and name baselines that are the record itself."""
    for role in ("baseline", "retiming", "ablation", "crashed"):
        members = sample.declared(role)
        if not members:
            continue
        yield from _named_members(sample, role, members)
        if role in ("baseline", "ablation"):
            yield from _same_program(sample, sources, role, members)
    for curve in sample.record.curves:
        message = f"declared as another run's: {count(curve.validations, 'validation')}, the last "
        where = f"{curve.file}:{curve.line}"
        yield Finding(codes.DECLARED_EXCLUSION, "info", f"{message}{curve.last_loss:g}", where)
    if sample.absent and sample.ground != "undecided":
        message = f"no log matches {_quoted(sample.absent)} of the declared sample"
        yield Finding(codes.UNDECIDED, "fail", message, PLAN_NAME, _CORRECT_SAMPLE)
    for pattern in sample.unmatched:
        message = f"no log matches {pattern!r} of the declared exclusions"
        yield Finding(codes.DECLARED_EXCLUSION, "warn", message, PLAN_NAME)
    yield from _crashed_and_complete(sample)


def _named_members(sample: Sample, role: Role, members: tuple[int, ...]) -> Iterator[Finding]:
    """Name the runs of a role, each with the file that says what they are."""
    by_plan = [i for i in members if _is_declared(sample, sample.runs[i], role)]
    by_ledger = [i for i in members if i not in by_plan]
    for indices, said, where in (
        (by_plan, f"declared as {role}", PLAN_NAME),
        (by_ledger, "ended without a result", LEDGER_NAME),
    ):
        if indices:
            names = join_some(dict.fromkeys(sample.runs[index].log for index in indices))
            message = f"{count(len(indices), 'run')} {said}: {names}"
            yield Finding(codes.DECLARED_EXCLUSION, "info", message, where)


def _is_declared(sample: Sample, run: Run, role: Role) -> bool:
    plan = sample.record.plan
    entries = [entry for entry in (plan.excluded if plan else ()) if entry.role == role]
    return any(named(run, pattern) for entry in entries for pattern in entry.logs)


def _crashed_and_complete(sample: Sample) -> Iterator[Finding]:
    for run, judged in sample.counted():
        if _is_declared(sample, run, "crashed"):
            message = "declared as crashed, but the run reached its end: it counts"
            yield Finding(codes.DECLARED_EXCLUSION, "warn", message, judged.log or "")


def _same_program(
    sample: Sample, sources: Sources, role: Role, members: tuple[int, ...]
) -> Iterator[Finding]:
    """Compare declared runs with the judged ones: a baseline must differ in something that runs."""
    counted = sample.counted()
    if not counted:
        return
    reference = counted[0][0]
    by_program: dict[object, list[Run]] = defaultdict(list)
    for index in members:
        run = sample.runs[index]
        by_program[run.source_sha256, run.total_steps, _setup(run)].append(run)
    for runs in by_program.values():
        difference = _difference(reference, runs[0], sources)
        where = runs[0].log
        equal = difference is not None and difference.kind in ("same", "text", "names")
        if (equal or difference is None) and _is_set_up_alike(reference, runs[0]):
            what = (
                "program, constants, settings and planned steps equal those of the judged runs"
                if equal
                else "nothing in the logs tells them from the judged runs"
            )
            message = f"{count(len(runs), 'run')} declared as {role}, but {what}"
            yield Finding(codes.NOT_A_BASELINE, "warn", message, where)
        elif difference is not None and difference.kind != "code" and difference.details:
            message = f"the {role} differs from the record in {'; '.join(difference.details)}"
            yield Finding(codes.DECLARED_EXCLUSION, "info", message, where)


def _difference(a: Run, b: Run, sources: Sources) -> Difference | None:
    """Say how the programs of two runs differ; None where one is unknown."""
    if a.source_sha256 is not None and a.source_sha256 == b.source_sha256:
        return Difference("same")
    first, second = sources.of(a), sources.of(b)
    return None if first is None or second is None else compare(first.program, second.program)


def _setup(run: Run) -> str:
    config = run.header.config if run.header else None
    return repr(sorted(config.items())) if config else ""


def _is_set_up_alike(a: Run, b: Run) -> bool:
    """Whether two runs have the same planned steps, arguments and environment."""
    return (a.total_steps, _setup(a), a.environment) == (b.total_steps, _setup(b), b.environment)


def _crashed(sample: Sample, rule: Rule, baseline: Baseline | None) -> Iterator[Finding]:
    """Test whether the record would pass with each crashed run at the worst counted loss."""
    crashed = [sample.runs[index] for index in sample.declared("crashed")]
    end = max((judged.final_step or 0 for _, judged in sample.counted()), default=0)
    losses = [judged.val_loss for _, judged in sample.counted()]
    finite = [loss for loss in losses if loss is not None]
    if not crashed or not finite or len(finite) < len(losses):
        return
    late = [run.log for run in crashed if _progress(run, end) > _LATE]
    if late:
        message = f"crashed after {_LATE:.0%} of the steps: {join_some(late)}"
        yield Finding(codes.CRASHES_MATTER, "warn", message)
    track = rule.track
    worst = max(finite, key=lambda loss: track.sign * loss)
    padded = loss_statistics([*finite, *([worst] * len(crashed))], rule, baseline)
    if not passes_test(padded, rule):
        message = (
            f"with each of the {count(len(crashed), 'crashed run')} at the worst counted loss, "
            f"{worst:g}, the test does not pass"
        )
        yield Finding(codes.CRASHES_MATTER, "warn", message)


def _progress(run: Run, end: int) -> float:
    """Which share of its plan a run came to, or of the counted runs' steps if those are fewer."""
    steps = min(run.total_steps or end, end)
    return run.last_step / steps if steps else 0.0


def _ends(sample: Sample) -> Iterator[Finding]:
    if sample.stops_at is not None:
        totals = {run.total_steps for run, _ in sample.counted() if run.total_steps}
        planned = join_some(str(total) for total in sorted(totals))
        message = f"all runs end at step {sample.stops_at} of {planned}: taken as intended"
        yield Finding(codes.EARLY_STOP, "info", message)
    if sample.ends_differ:
        ends = Counter(judged.final_step for _, judged in sample.counted())
        listed = join_some(f"{n} at step {step}" for step, n in sorted(ends.items()))
        message = f"the runs end at different steps without a plan or a budget: {listed}"
        yield Finding(codes.ENDS_DIFFER, "warn", message)


def _resumed(sample: Sample) -> Iterator[Finding]:
    for index in sorted(sample.resumed):
        judged = sample.judged[index]
        if judged.counted:
            message = (
                "a later part of the log continues the run: it counts once, its time is unknown"
            )
            yield Finding(codes.RESUMED_RUN, "warn", message, judged.log or "")


def _seeds(sample: Sample) -> Iterator[Finding]:
    by_seed: dict[int | None, list[JudgedRun]] = defaultdict(list)
    for _, judged in sample.counted():
        by_seed[judged.seed].append(judged)
    unknown = by_seed.pop(None, [])
    for seed, runs in by_seed.items():
        if len(runs) > 1:
            logs = join_some(run.log or "" for run in runs)
            message = f"{len(runs)} counted runs have seed {seed}: {logs}"
            yield Finding(codes.REPEATED_SEED, "warn", message)
    if unknown and by_seed:
        message = f"{len(unknown)} of {len(sample.counted())} logs print no seed"
        yield Finding(codes.SEEDS_UNKNOWN, "info", message)
