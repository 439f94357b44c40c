"""Lines that tell of a validation and were not read.

A prefix (`[rank0]: step:...`), a progress bar before it, another spelling (`val_loss=`) or digits
of another script keep a line from being a step line. What it tells would be missing without a
word, so it is said; unless the same validation is on a line that was read, as where a summary
repeats it, or the line is a probe: an evaluation beside the run under parameters of its own.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from speedcheck.logs.log_file import MAX_UNREAD, LogFormat, UnreadValidation, Validation
from speedcheck.logs.log_text import MAX_LINE, MAX_SHOWN, Problems, quoted
from speedcheck.logs.readings import Told, decoded, readings, told_by
from speedcheck.logs.sections import Section
from speedcheck.logs.step_lines import is_candidate

# What to look at closely; a search for "_loss" would stop at the training line of every step. A
# line with other characters than ASCII may hold the words in other letters.
_WORDS = tuple(
    b + between + b"loss" for b in (b"al", b"ation") for between in (b"_", b" ", b"-", b"/", b"")
)
_WORD_OF_LLMC = b"tel:"
# An escape may stand for a letter or the sign within such a word; few logs hold its first byte.
_ESCAPES = {b"&": (b"&#", b"&lowbar;"), b"%": (b"%5f",), b"\\": (b"\\u00", b"\\x", b"\\'", b"\\_")}
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
# Enough to say that there are such lines, and how many of an honest log.
_MOST_LINES = 100_000

# "tailavg step:2720 tau:150 lambda:0.4 val_loss:3.27909": a name, the step, and fields.
_PROBE = re.compile(
    r"[A-Za-z][A-Za-z0-9_-]{0,30} step:([0-9]{1,12})((?: [A-Za-z_]\w{0,30}:\S+)+)\s*"
)
_KEY = re.compile(r" ([A-Za-z_]\w*):")
_OWN_KEYS = frozenset({"val_loss", "train_loss", "train_time", "step_avg"})

# A validation in one of the built-in formats, anywhere on a line and on indented ones below it. No
# two steps may be between its figures, so that no text is searched twice.
_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,18})?|nan|inf)\b"
_BUILT_IN = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"step ?: ?([0-9]{1,12})(?: ?/ ?[0-9]{1,12})?\b(?:(?!step)[^\n]|\n(?=[ \t])){0,200}?"
    r"\bval_loss ?: ?" + _NUMBER + r"|s:([0-9]{1,12}) tel: ?" + _NUMBER + r")"
)


class _Line(NamedTuple):
    start: int
    text: str
    told: tuple[Told, ...]


def note_unread(
    data: bytes,
    section: Section,
    log_format: LogFormat | None,
    read: Sequence[Validation],
    problems: Problems,
) -> None:
    """State the lines of a section that tell a validation which was not read.

    Args:
        data: the log.
        section: where its output stands.
        log_format: format of its step lines; None without any.
        read: the validations that were read.
        problems: takes each of the lines as unread, and one problem that shows the first.
    """
    known = losses_by_step(read)
    reach = max(known, default=-1)
    keys = _OWN_KEYS.union(*(validation.extra for validation in read))
    unread: list[_Line] = []
    probes: list[_Line] = []
    for line in _candidates(data, section, log_format, problems):
        new = tuple(told for told in line.told if not is_known(*told, known))
        if new:
            is_probe = len(new) == 1 and _is_probe(line, reach, keys)
            (probes if is_probe else unread).append(line._replace(told=new))
    for line in unread[:MAX_UNREAD]:
        for step, loss in line.told:
            problems.keep_unread(line.start, step, float(loss), line.text)
    if unread:
        lines = "1 line tells" if len(unread) == 1 else f"{len(unread)} lines tell"
        what = "of a validation, not as a step line does: not read"
        problems.add("unread", unread[0].start, f"{lines} {what}: {quoted(unread[0].text)}")
    if probes:
        lines = "1 line gives" if len(probes) == 1 else f"{len(probes)} lines give"
        what = "losses of evaluations beside the run: not read"
        problems.add("probe", probes[0].start, f"{lines} {what}: {quoted(probes[0].text)}")


def find_validations(data: bytes) -> list[UnreadValidation]:
    """Find what any bytes tell of validations in the built-in formats, whatever stands around it.

    The bytes may be a document or a binary file. They are searched for what a reader would see:
    NUL bytes are dropped, UTF-16 and the escapes of JSON and HTML are decoded, characters are
    folded to the ASCII that they look like, and capital letters are small ones. Takes time linear
    in the bytes.

    Args:
        data: the bytes.

    Returns:
        The validations by their lines, the first `MAX_UNREAD` of them.
    """
    found: dict[tuple[int, int | None, str], UnreadValidation] = {}
    for text in (shown.lower() for whole in decoded(data) for shown in readings(whole)):
        if "val_loss" not in text and " tel:" not in text:
            continue
        line, counted = 1, 0
        for match in _BUILT_IN.finditer(text):
            line += match.string.count("\n", counted, match.start())
            counted = match.start()
            step, loss = match[1] or match[3], match[2] or match[4]
            start = match.string.rfind("\n", max(0, match.start() - MAX_SHOWN), match.start()) + 1
            shown = match.string[start or match.start() : match.end()].strip()[:MAX_SHOWN]
            validation = UnreadValidation(line, int(step), float(loss), shown)
            found.setdefault((line, int(step), loss), validation)
            if len(found) >= MAX_UNREAD:
                break
    return sorted(found.values(), key=lambda validation: validation.line)[:MAX_UNREAD]


def _candidates(
    data: bytes, section: Section, log_format: LogFormat | None, problems: Problems
) -> Iterator[_Line]:
    """Lines that tell a step and a loss, but those that were read or are a problem already."""
    words = _WORDS if log_format == "modded" else (*_WORDS, _WORD_OF_LLMC)
    looked_at = 0
    for start in _starts(data, section, words):
        end = data.find(b"\n", start)
        if log_format is not None and is_candidate(data, start, end, log_format):
            continue
        looked_at += 1
        if looked_at > _MOST_LINES:
            message = f"more than {_MOST_LINES} lines may tell of validations: not read further"
            problems.add("flood", start, message)
            return
        text = data[start : min(end, start + MAX_LINE)].decode("utf-8", "replace")
        told = told_by(text)
        if not told and text[:1].isspace():
            # An indented line goes on with the one before it.
            above = data[max(section.start, start - MAX_SHOWN) : start - 1].rpartition(b"\n")[2]
            told = told_by(above.decode("utf-8", "replace") + text)
        if told:
            yield _Line(start, text, tuple(told))


def _starts(data: bytes, section: Section, words: Sequence[bytes]) -> Iterator[int]:
    """First position of each line of a section that holds a word, or is not ASCII."""
    start = section.start
    # A log may have many sections: each is searched in a copy of its own, not of the whole.
    text = data[start : section.end].lower()
    escapes = [escape for first, of in _ESCAPES.items() if first in text for escape in of]
    hits = [_positions(text, word) for word in (*words, *escapes)]
    if not text.isascii():
        hits.append(match.start() for match in _NOT_ASCII.finditer(text))
    line_end = start
    for offset in heapq.merge(*hits):
        hit = start + offset
        if hit >= line_end:
            yield data.rfind(b"\n", line_end, hit) + 1
            line_end = data.find(b"\n", hit)


def _positions(data: bytes, word: bytes) -> Iterator[int]:
    start = 0
    while (start := data.find(word, start)) >= 0:
        yield start
        start += len(word)


def losses_by_step(validations: Iterable[Validation]) -> dict[int, set[float]]:
    """Return the losses of validations at each step."""
    known: dict[int, set[float]] = {}
    for validation in validations:
        known.setdefault(validation.step, set()).add(validation.loss)
    return known


def is_known(step: int, printed: str, known: Mapping[int, Iterable[float]]) -> bool:
    """Return whether a loss, as printed, is one of those known at its step, rounded or not."""
    decimals = len(printed.partition(".")[2])
    return any(round(loss, decimals) == float(printed) for loss in known.get(step, ()))


def _is_probe(line: _Line, reach: int, keys: frozenset[str]) -> bool:
    """Whether a line evaluates a run that was read, under parameters that its own lines lack."""
    match = _PROBE.fullmatch(line.text)
    if match is None or line.told[0][0] > reach:
        return False
    return not keys.issuperset(_KEY.findall(match[2]))
