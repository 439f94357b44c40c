"""Code blocks: their lists, and the statistics that are printed under a list.

Nothing is executed. A statistic is of the one list above it that its code names, or that it can be
of; where several can be meant it is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from speedcheck.certificate import ClaimSubject
from speedcheck.claims.model import Figure, Passage, Reader
from speedcheck.claims.numbers import NUMBER, Printed, printed
from speedcheck.claims.text import read_nulls, read_sentence, read_text
from speedcheck.claims.vocabulary import kind_of, list_of, steps_in

# An author who lists more means something else.
_MOST_NUMBERS = 10_000

# Quotes, prompts and comment signs before a line; types around a number.
_WRAPPING = re.compile(
    r"(?m)^[ \t>]*(?:#|(?:In|Out) ?\[[0-9]+\]:(?: array\()?)[ \t]*"
    r"|(?:\b(?:np|numpy)\.)?\b(?:float|int)(?:32|64)?\(([^()\n]{1,40})\)"
)
_COMMAND = re.compile(r"(?m)^\$ .*")
_COMMENT = re.compile(r"#[^\n]*")
# What differs from run to run in front of a loss: the name of a log, a seed, a time.
_OF_A_RUN = re.compile(r"^.*\.(?:txt|log)\b|(?<![A-Za-z0-9.])[0-9.]+")
_NUMBERS = re.compile(r"(?:(\[|=[ \t]*\()\s*+)?(?<![\w.])([0-9][0-9.,;/eE+\-_\s]*+)")
_BETWEEN = re.compile(r"[\s,;/]+")
_NUMBER = re.compile(NUMBER)
_NAMED = re.compile(
    r"([A-Za-z_][\w ]{0,80}?) *(?:: *[\w\[\]., ]{1,40}?)?= *(?:[A-Za-z_][\w.]*\( *)*$"
    r"|([A-Za-z][^:\n]{0,80}?)[\"'*`]{0,3}[ \t]*:[ \t*\"'`]*(?:array\()?$"
)

# A call, but not one that only prints as one.
_CODE = re.compile(
    r"(?:(?<![\w.])(?!tensor|array)|(?<=[)\]])\.)[a-z_][\w.]{0,60}\(|^\s*(?:import|from) "
)
_CODE_OR_RESULT = re.compile(r"[=([$|]|^\s*(?:import|from) ")
_STRING = re.compile(r"[fFrR]?(?:\"[^\"\n]*\"|'[^'\n]*')")
_ARITHMETIC = re.compile(r"[\w)\]]\s*(?:[-+/<>]|\*\*?)\s*[\w(]|\w\[")
# A known function of a whole list by its name, and of nothing else.
_LIST = r"(?:[\w.]{0,40}(?:[Tt]ensor|array)\(\s*)?([A-Za-z_]\w{0,60})\s*(?:,[^()]*)?\)?"
_CALL = re.compile(
    rf"[\w.]{{0,40}}\b(mean|std|stdev|std_mean|bayes_mvs|ttest_1samp)\(\s*{_LIST}(?:,[^()]*)?\)"
    rf"|{_LIST}\.(mean|std)\([^()]*\)"
)
# What a number alone is, by the function that prints it.
_GIVES = {"mean": "mean", "std": "std", "stdev": "std", "ttest_1samp": "p"}
_OTHER_CALL = re.compile(r"(?<![\w.])(?!(?:print|round|float)\()[\w.]+\(")

_ALONE = re.compile(rf"(?:-> ?)?(?:tensor\()?({NUMBER})\)?\s*$")
_OF_TIMES: dict[ClaimSubject, ClaimSubject] = {"mean": "time_mean", "std": "time_std"}


@dataclass(frozen=True, slots=True)
class _List:
    """A list in a text: its name, "" where it has none, and the indices of its lines."""

    name: str
    figure: Figure
    first: int
    last: int


def read_lists(passage: Passage, reader: Reader) -> Iterator[Figure]:
    """Yield the lists of running text, which are at most a warning."""
    plain = replace(passage, text=passage.text.replace("`", " "))
    for found in _lists(plain, reader):
        yield replace(found.figure, is_data=False)


def read_code(passage: Passage, reader: Reader) -> Iterator[Figure]:
    """Yield the lists of a code block with the statistics under them; of others the text."""
    plain = replace(passage, text=_WRAPPING.sub(r"\1", passage.text))
    lists = list(_lists(plain, reader))
    yield from (found.figure for found in lists)
    yield from _logged(plain, reader)
    if lists:
        yield from _results(plain, lists, reader)
    else:
        commands = " ".join(_COMMAND.findall(passage.text))
        yield from read_text(replace(passage, context=f"{passage.context} {commands}"), reader)


def _logged(passage: Passage, reader: Reader) -> Iterator[Figure]:
    """Yield the losses of lines that logs print, one a run, such as a search through logs shows.

    Lines in a row that are alike are a list; those of several steps are a curve.
    """
    stated = re.compile(rf"(.*?)\b(?:{'|'.join(map(re.escape, reader.measure))})[:=] ?({NUMBER})")
    lists: dict[tuple[int, str], list[tuple[int, Printed | None]]] = {}
    above = -1
    for index, line in enumerate(passage.text.split("\n")[:_MOST_NUMBERS]):
        match = stated.match(line[:1_000])
        if match is None:
            above = index
        else:
            alike = f"{_OF_A_RUN.sub('', match[1])} {set(steps_in(match[1]))}"
            lists.setdefault((above, alike), []).append((index, printed(match[2])))
    for rows in lists.values():
        where = reader.where(passage.line + rows[0][0])
        numbers = tuple(number for _, number in rows if number)
        figure = list_of(reader.measure[0], numbers, passage, where, reader)
        if figure and len(numbers) > 2:
            # Which logs were searched is hard to tell.
            yield replace(figure, is_clear=False)


def _lists(passage: Passage, reader: Reader) -> Iterator[_List]:
    """Yield the lists of losses and times: in brackets, behind a label, or one number a line.

    Without a name or brackets a list has three fractions at least: two are an interval.
    """
    plain, first, counted = _COMMENT.sub("", passage.text), 0, 0
    lines, written = plain.split("\n"), passage.text.split("\n")
    for match in _NUMBERS.finditer(plain):
        start = match.start(1 if match[1] else 2)
        numbers = _parts(match[2], is_bracketed=bool(match[1]))
        if len(numbers) < (1 if match[1] else 3):
            continue
        name = _name(plain[max(0, start - 200) : start + (match[1] or "").count("=")])
        if name is None:
            continue
        first, counted = first + plain.count("\n", counted, start), start
        last = first + plain[start : match.end()].rstrip().count("\n")
        said = [x for x in lines[max(0, first - 2) : first] if not _CODE_OR_RESULT.search(x)]
        beside = [written[line][-1_000:].partition("#")[2] for line in (first, last)]
        of = replace(passage, context=" ".join((passage.context, *said, *beside)))
        figure = list_of(name, numbers, of, reader.where(passage.line + first), reader)
        if figure is None:
            continue
        if not (name or match[1]):
            figure = replace(figure, is_data=False)
        yield _List(name, figure, first, last)


def _name(before: str) -> str | None:
    """Return the name in front of a list, "" for none; None where it is not a list's."""
    before = before[before.rfind("\n") + 1 :]
    found = _NAMED.search(before)
    return (found[1] or found[2]).strip() if found else None if before.strip(" \t>") else ""


def _parts(body: str, *, is_bracketed: bool) -> tuple[Printed, ...]:
    """Return the numbers of a list; of one without brackets the fractions at its start."""
    numbers: list[Printed] = []
    for part in islice(filter(None, _BETWEEN.split(body)), _MOST_NUMBERS + 1):
        text = part.rstrip(".")
        number = printed(text) if _NUMBER.fullmatch(text) else None
        if number is None or (not is_bracketed and "." not in text):
            return () if is_bracketed else tuple(numbers)
        numbers.append(number)
        if part != text and not is_bracketed:
            # The end of a sentence.
            return tuple(numbers)
    return tuple(numbers) if len(numbers) <= _MOST_NUMBERS else ()


def _results(passage: Passage, lists: list[_List], reader: Reader) -> Iterator[Figure]:
    """Yield the statistics that are printed under lists, each with the list that it is of."""
    lines, (nulls, sigmas) = passage.text.split("\n"), read_nulls(passage.text, reader)
    ends = [*(found.first for found in lists[1:]), len(lines)]
    for i, (found, end) in enumerate(zip(lists, ends, strict=True)):
        below = [lines[found.last].partition("#")[2], *lines[found.last + 1 : end]]
        uses = [x[:1_000] for x in lines[: found.first] if found.name and found.name in x]
        is_used = any(_OTHER_CALL.search(_CALL.sub("", line)) for line in uses)
        for offset, text, code in _outputs(below):
            if is_used and not code:
                # It may be what the code above the list gives.
                continue
            where = reader.where(passage.line + found.last + offset)
            for figure in _printed(text, code, lists[: i + 1], reader):
                yield replace(figure, where=where, nulls=nulls, sigmas=sigmas)


def _outputs(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield each line of output, with the consecutive lines of code above that print it."""
    code, goes_on = "", False
    for index, line in enumerate(lines):
        if line.startswith("$ "):
            # What a shell prints is of files.
            return
        head, _, comment = _STRING.sub(_inserted, line[:1_000]).partition("#")
        is_code = bool(_CODE.search(head))
        if is_code:
            code = f"{code}\n{head}" if goes_on else head
        goes_on = is_code and not comment
        text = comment.lstrip() if is_code else line[:1_000]
        if text:
            yield index, text, code


def _inserted(string: re.Match[str]) -> str:
    """Return what an f-string inserts; nothing of another string."""
    parts = re.findall(r"\{([^{}:!]*)", string[0]) if string[0][0] in "fF" else []
    return "'" + ", ".join(parts) + "'"


def _printed(text: str, code: str, above: list[_List], reader: Reader) -> Iterator[Figure]:
    """Yield the statistics of a line, where they can be of one list alone.

    The code above is a known function of a list by its name, and the line says nothing else.
    """
    if _ARITHMETIC.search(code) or _OTHER_CALL.search(_CALL.sub("", code)):
        return
    calls = [(call[1] or call[4], call[2] or call[3]) for call in _CALL.finditer(code)]
    alone, label = _ALONE.match(text), kind_of(text, reader.measure)
    if alone and len(calls) == 1:
        text = f"{_GIVES.get(calls[0][0], '')}: {alone[1]}"
    owners = [
        one.figure
        for one in above
        if (not code or one.name in {name for _, name in calls})
        and label in (None, one.figure.kind)
    ]
    sizes = frozenset(len(one.numbers) for one in owners)
    for figure in read_sentence(text, "", replace(reader, sizes=sizes, is_under_list=True)):
        of = [one for one in owners if one.kind == "losses" or figure.what != "p"]
        if len(of) == 1 and figure.numbers and not figure.may_be_one_run:
            what = _OF_TIMES.get(figure.what, figure.what) if of[0].kind == "times" else figure.what
            yield replace(figure, what=what, is_data=True, of=of[0], is_exact=bool(code))
