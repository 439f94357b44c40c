"""Does the embedded program keep the rules? What was read of it, against track and baseline.

The rule that forbids settings of the compiler came after the first records, which have some: a
setting is a warning, and a failure only where the baseline's program does without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter

from speedcheck.checks import codes
from speedcheck.checks.beside_baseline import Baseline
from speedcheck.program import (
    Program,
    Setting,
    Source,
    Sources,
    TokenCount,
    UnreadableProgramError,
    data_loader_fingerprint,
    loader_definitions,
)
from speedcheck.rules.tracks import Track
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding, Severity
from speedcheck.words import join_some


def check_programs(
    sample: Sample, track: Track, sources: Sources, baseline: Baseline | None
) -> Iterator[Finding]:
    """Judge the programs of the counted runs.

    Args:
        sample: the record.
        track: its track.
        sources: the programs of its runs.
        baseline: the record whose programs they are compared with, if there is one.
    """
    if not sample.counted():
        yield _unread("no counted run has a log, so whether it keeps the rules is not known")
        return
    if not (forbids_settings(track) or track.val_tokens):
        return
    programs = _programs(sample, sources)
    theirs = _baseline_programs(baseline)
    yield from _not_there(sample)
    yield from _unreadable(programs)
    if track.val_tokens:
        yield from _val_tokens(sample, sources, track.val_tokens)
    if forbids_settings(track):
        yield from _settings(programs, theirs, codes.COMPILER_SETTING, attrgetter("settings"))
        yield from _settings(programs, theirs, codes.COMPILE_OPTION, attrgetter("compile_options"))
    yield from _data_loader(programs, theirs)


def _programs(sample: Sample, sources: Sources) -> list[Source]:
    """Return the different programs of the counted runs, in the order of the runs."""
    found = (sources.of(run) for run, _ in sample.counted())
    return list(dict.fromkeys(source for source in found if source))


def _baseline_programs(baseline: Baseline | None) -> list[Source]:
    """Return the baseline's programs; none where one of them cannot be read."""
    if baseline is None:
        return []
    record = baseline.sample.record
    programs = _programs(baseline.sample, Sources(record.path, record.logs))
    return [] if any(source.program.problem for source in programs) else programs


def forbids_settings(track: Track) -> bool:
    """Return whether the track is one of the competition's timed ones, whose rule it is."""
    return track.cost == "time" and track.n_gpus is not None and not track.source


def _not_there(sample: Sample) -> Iterator[Finding]:
    counted = sample.counted()
    without = [judged.log or "" for run, judged in counted if run.source_sha256 is None]
    if without:
        message = f"the logs of {len(without)} of {len(counted)} counted runs hold no program"
        yield _unread(message, without[0])


def _unreadable(programs: list[Source]) -> Iterator[Finding]:
    for source in programs:
        if source.program.problem:
            yield _unread(f"the program cannot be read: {source.program.problem}", source.where())


def _unread(message: str, where: str = "") -> Finding:
    return Finding(codes.SOURCE_NOT_READ, "unknown", message, where)


def _val_tokens(sample: Sample, sources: Sources, expected: int) -> Iterator[Finding]:
    """Judge the programs whose runs have no header, which says what the program did."""
    runs = [run for run, _ in sample.counted() if not run.header]
    for source in dict.fromkeys(source for run in runs if (source := sources.of(run))):
        counts, values = source.program.val_tokens, _values(source.program)
        if source.program.problem or values == {expected}:
            continue
        line = counts[0].line if counts else None
        if len(values) == 1 and None not in values:
            message = f"validated on {values.pop()} tokens, and the track asks for {expected}"
            yield Finding(codes.WRONG_VALIDATION, "fail", message, source.where(line))
        else:
            message = f"on how many tokens it validated is not clear: {_stated(counts)}"
            yield Finding(codes.VALIDATION_UNKNOWN, "unknown", message, source.where(line))


def _values(program: Program) -> set[int | None]:
    return {count.value for count in program.val_tokens}


def _stated(counts: tuple[TokenCount, ...]) -> str:
    if not counts:
        return "the program sets no val_tokens"
    places = [
        f"{'no constant' if count.value is None else count.value} at line {count.line}"
        for count in counts
    ]
    return f"val_tokens is {join_some(places)}"


def _settings(
    programs: list[Source],
    baseline: list[Source],
    code: str,
    settings_of: Callable[[Program], tuple[Setting, ...]],
) -> Iterator[Finding]:
    """Give one finding for each setting, whatever the number of programs and places."""
    known = {str(setting) for source in baseline for setting in settings_of(source.program)}
    reported: set[str] = set()
    for source in programs:
        for setting in settings_of(source.program):
            if str(setting) not in reported:
                reported.add(str(setting))
                is_new = bool(baseline) and str(setting) not in known
                yield _setting(code, setting, source.where(setting.line), is_new=is_new)


def _setting(code: str, setting: Setting, where: str, *, is_new: bool) -> Finding:
    what = f"torch.compile with {setting}" if code == codes.COMPILE_OPTION else str(setting)
    if not setting.certain:
        message = f"{what}: the program does not show whether this sets up the compiler"
        return Finding(codes.SETTING_UNCLEAR, "unknown", message, where)
    severity: Severity = "fail" if is_new else "warn"
    against = ", and the baseline's program does without it" if is_new else ""
    message = f"{what}: the track allows no setting of the compiler{against}"
    return Finding(code, severity, message, where)


def _data_loader(programs: list[Source], baseline: list[Source]) -> Iterator[Finding]:
    """Compare data loaders: only people can see whether a different one gives the same tokens."""
    try:
        others = {data_loader_fingerprint(source.program): source for source in baseline}
    except UnreadableProgramError:
        return
    if others and None not in others:
        for source in programs:
            if not source.program.problem:
                yield from _other_loader(source, others)


def _other_loader(source: Source, others: dict[str | None, Source]) -> Iterator[Finding]:
    try:
        fingerprint = data_loader_fingerprint(source.program)
    except UnreadableProgramError as error:
        yield _unread(f"the data loader cannot be compared: {error}", source.where())
        return
    if fingerprint is not None and fingerprint not in others:
        names = _differing(source.program, next(iter(others.values())).program)
        message = (
            f"the data loader differs from the baseline's in {names}: it must give the same "
            "tokens in the same order"
        )
        yield Finding(codes.DATA_LOADER_DIFFERS, "warn", message, source.where())


def _differing(a: Program, b: Program) -> str:
    in_a, in_b = loader_definitions(a), loader_definitions(b)
    names = in_a.keys() | in_b.keys()
    return join_some(sorted(name for name in names if in_a.get(name) != in_b.get(name)))
