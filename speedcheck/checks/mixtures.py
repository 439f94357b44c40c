"""Do the counted runs belong together? Programs, hardware and PyTorch versions that differ."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable
from pathlib import PurePosixPath

from speedcheck.checks import codes
from speedcheck.logs import Run
from speedcheck.program import KINDS, Difference, Kind, Source, Sources
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding, Severity
from speedcheck.words import join_some

_IN_WORDS: dict[Kind, str] = {
    "same": "nothing",
    "text": "comments, layout or seeds",
    "names": "the names of variables",
}
# So many sizes of groups are shown.
_SIZES = 8
_ORDER: tuple[Severity, ...] = ("info", "warn", "fail")


def check_mixtures(sample: Sample, sources: Sources) -> list[Finding]:
    """Point out what differs among runs that should be alike."""
    hardware = grouped(sample, lambda run: (run.environment.n_gpus, run.environment.gpu))
    torch = grouped(sample, lambda run: run.environment.torch)
    findings = _programs(sample, sources)
    if len(hardware) > 1:
        message = f"the runs come from {len(hardware)} kinds of hardware: {_sizes(hardware)}"
        findings.append(Finding(codes.MIXED_HARDWARE, "warn", message))
    if len(torch) > 1:
        message = f"the runs come from {len(torch)} versions of PyTorch: {_sizes(torch)}"
        findings.append(Finding(codes.MIXED_TORCH, "warn", message))
    return findings


def _programs(sample: Sample, sources: Sources) -> list[Finding]:
    groups = grouped(sample, _program)
    if len(groups) < 2:
        return []
    message = f"the runs come from {len(groups)} programs"
    if any(run.header for run, _ in sample.counted()):
        # Two versions of the bundled trainer, or two configurations, are two records.
        return [Finding(codes.MIXED_SOURCE, "fail", f"{message}: {_sizes(groups)}")]
    source, difference = _gravest(sample, sources, groups)
    if difference is None:
        problem = f", which cannot be compared: {_sizes(groups)}"
        return [Finding(codes.MIXED_SOURCE, "warn", message + problem)]
    kind = _IN_WORDS.get(difference.kind, difference.kind)
    parts = (f"{message} that differ in {kind}: {_sizes(groups)}", *difference.details)
    where = source.where(difference.line) if source else ""
    return [Finding(codes.MIXED_SOURCE, _severity(difference), "; ".join(parts), where)]


def _severity(difference: Difference) -> Severity:
    """Say what a difference does to the verdict.

    Comments, seeds and names change nothing that is compared. Runs with other numbers (a learning
    rate of 0.0375 and of 0.04) or with other code are not a sample of one program. Another string
    may be a path or the name of a schedule: a reader must look.
    """
    if KINDS.index(difference.kind) <= KINDS.index("names"):
        return "info"
    return "fail" if difference.numbers else "warn"


def _gravest(
    sample: Sample, sources: Sources, groups: dict[Hashable, list[str]]
) -> tuple[Source | None, Difference | None]:
    """The program of the most runs, and the gravest difference of another from it.

    None for a difference that cannot be known, unless another program's code surely differs.
    """
    run_of = {_program(run): run for run, _ in sample.counted()}
    first, *others = sorted(groups, key=lambda key: len(groups[key]), reverse=True)
    main = sources.of(run_of[first])
    programs = [source for key in others if (source := sources.of(run_of[key]))]
    found = sources.differences(main, programs) if main else []
    known = [difference for difference in found if difference]
    gravest = max(
        known,
        key=lambda difference: (_ORDER.index(_severity(difference)), KINDS.index(difference.kind)),
        default=None,
    )
    is_reported = gravest is not None and (_severity(gravest) == "fail" or None not in found)
    return main, gravest if is_reported else None


def _program(run: Run) -> Hashable:
    configuration = json.dumps(run.header.config, sort_keys=True) if run.header else ""
    return (run.source_sha256, configuration) if run.source_sha256 else None


def grouped(sample: Sample, key: Callable[[Run], Hashable | None]) -> dict[Hashable, list[str]]:
    """Return the counted runs' logs by `key`, leaving out runs whose key is not known."""
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for run, judged in sample.counted():
        value = key(run)
        if value is not None and value != (None, None):
            groups[value].append(judged.log or "")
    return groups


def _sizes(groups: dict[Hashable, list[str]]) -> str:
    """Say how large each group is, and name the logs of all but the largest."""
    ordered = sorted(groups.values(), key=len, reverse=True)
    others = [PurePosixPath(log).name for logs in ordered[1:] for log in logs]
    sizes = " + ".join(str(len(logs)) for logs in ordered[:_SIZES])
    more = " + ..." if len(ordered) > _SIZES else ""
    return f"{sizes}{more} runs; others: {join_some(others)}"
