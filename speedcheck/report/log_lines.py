"""`speedcheck parse`: what each line of a log was taken for, for people who write patterns."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from speedcheck.logs import (
    FINAL,
    HELD,
    MEASURE,
    ForeignParser,
    LogFile,
    Parser,
    Run,
    TakenLine,
    fold,
    output_lines,
    read_log,
)
from speedcheck.rules.config import load_config
from speedcheck.rules.tracks import DEFAULT_TRACK, Track, get_track

# So many lines that look like results and were not taken are shown.
MAX_SHOWN = 20
_MAX_WIDTH = 120


def explain_log(
    path: Path, track: str | None = None, config: Path | None = None
) -> tuple[list[str], bool]:
    """Tell what was read of a log, line by line, and whether it holds a run.

    Args:
        path: the log.
        track: name of the track whose patterns read it; the project's default unless given.
        config: the speedcheck.toml; that of the project unless given.

    Returns:
        Lines of text, in which nothing of the log is escaped, and whether a run was found.

    Raises:
        InputError: the log or the configuration cannot be read.
        UsageError: no track has that name.
    """
    settings = load_config(path, config)
    chosen = get_track(track or settings.default_track or DEFAULT_TRACK, settings.tracks)
    parser = ForeignParser(chosen.log_format, keep_lines=True) if chosen.log_format else None
    held: list[bytes] = []
    log = read_log(path, path.parent, _keeping(held, parser or chosen.parser()))
    texts = [line for data in held for line in output_lines(data)]
    taken = _taken(parser.taken, log) if parser else _validations(log, texts)
    lines = [f"{path}: read by track {chosen.name}, {_means(chosen)}", *taken, *_problems(log)]
    known = {line.line for line in parser.taken} if parser else set[int]()
    lines += _not_taken(texts, known, chosen) if parser else _unread(log)
    lines += [_run(run) for run in log.runs] or ["no run was found"]
    return lines, bool(log.runs)


def _keeping(held: list[bytes], parse: Parser) -> Parser:
    """Return a parser that keeps the bytes that it reads."""

    def keep(data: bytes, name: str) -> LogFile:
        held.append(data)
        return parse(data, name)

    return keep


def _means(track: Track) -> str:
    if track.log_format is None:
        return "whose logs have a built-in format (lines of training steps are not listed)"
    patterns = [f"pattern {n}: {p.text}" for n, p in enumerate(track.log_format.patterns, 1)]
    columns = track.log_format.columns
    named = ", ".join(f"{figure} in {name!r}" for figure, name in columns.names) if columns else ""
    return "\n  ".join(["by", *patterns, *([f"columns: {named}"] if named else [])])


def _taken(lines: Sequence[TakenLine], log: LogFile) -> Iterator[str]:
    outcomes = _outcomes(log)
    for line in lines:
        by = f"pattern {', '.join(map(str, line.by))}" if line.by else "columns or data"
        figures = " ".join(f"{name}={text}" for name, text in line.figures.items())
        yield f"line {line.line}, {by}: {figures}{_outcome(line, outcomes)}"


def _outcome(line: TakenLine, outcomes: dict[int, list[str]]) -> str:
    if line.is_skipped and not HELD.issuperset(line.figures):
        return " -> skipped: outside of skip_before and skip_after"
    if line.problem:
        return f" -> not read: {line.problem}"
    if MEASURE not in line.figures and FINAL not in line.figures:
        return ""
    found = outcomes[line.line]
    if found:
        return f" -> {found.pop(0)}"
    if FINAL not in line.figures:
        return " -> not counted: printed before, or at the step of another validation"
    return " -> a later final line decides" if MEASURE in line.figures else " -> end of a run"


def _outcomes(log: LogFile) -> dict[int, list[str]]:
    """Return what came of the lines with a measure, by their numbers."""
    found: dict[int, list[str]] = defaultdict(list)
    for number, run in enumerate(log.runs, 1):
        seed = "" if run.seed is None else f", seed {run.seed}"
        result_line = run.result.line if run.result else None
        for validation in run.validations:
            if validation.line != result_line:
                what = f"validation of run {number} at step {validation.step}{seed}"
                found[validation.line].append(what)
        if run.result:
            what = f"result of run {number} at step {run.result.step}{seed}"
            found[run.result.line].append(what)
    return found


def _validations(log: LogFile, texts: Sequence[tuple[int, str]]) -> Iterator[str]:
    by_number = dict(texts)
    for number, outcomes in sorted(_outcomes(log).items()):
        text = _cut(by_number.get(number, ""))
        yield f"line {number}, built-in format: {text} -> {', '.join(outcomes)}"


def _problems(log: LogFile) -> Iterator[str]:
    for problem in log.problems:
        where = "" if problem.line is None else f"line {problem.line}: "
        yield f"problem: {where}{problem.message}"


def _unread(log: LogFile) -> Iterator[str]:
    for unread in log.unread[:MAX_SHOWN]:
        yield f"line {unread.line}, not taken: {_cut(unread.text)}"


def _not_taken(texts: Sequence[tuple[int, str]], taken: set[int], track: Track) -> Iterator[str]:
    """Say which lines look like results, and no pattern matches them."""
    words = "|".join(map(re.escape, dict.fromkeys((*track.measure, "val_loss", "val_bpb"))))
    result = re.compile(
        rf"(?<![A-Za-z0-9])(?:{words})[\"']?[ \t]{{0,3}}[:=| ][ \t]{{0,3}}[-+]?\.?[0-9]"
    )
    found = [
        (number, text)
        for number, text in texts
        if number not in taken and result.search(fold(text[:4096]))
    ]
    for number, text in found[:MAX_SHOWN]:
        yield f"line {number}, not taken, looks like a result: {_cut(text)}"
    if len(found) > MAX_SHOWN:
        yield f"{len(found) - MAX_SHOWN} more lines look like results and were not taken"


def _run(run: Run) -> str:
    seed = "seed unknown" if run.seed is None else f"seed {run.seed}"
    total = "" if run.total_steps is None else f" of {run.total_steps}"
    time = "" if run.train_time_ms is None else f", {run.train_time_ms / 1e3:.6g} s"
    end = {True: "complete", False: "not complete", None: "end unknown"}[run.complete]
    figure = "no validation" if run.val_loss is None else f"{run.val_loss:.10g}"
    more = (
        ("evaluation {:.6g} s", None if run.eval_time_ms is None else run.eval_time_ms / 1e3),
        ("artifact {} bytes", run.artifact_bytes),
        ("val_tokens {}", run.printed_val_tokens),
        ("train_shards {}", run.printed_train_shards),
    )
    known = "".join(f", {shown.format(value)}" for shown, value in more if value is not None)
    return (
        f"run {run.index + 1}: {seed}, {figure} at step {run.final_step}{total}{time}, {end}{known}"
    )


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_WIDTH else text[:_MAX_WIDTH] + "..."
