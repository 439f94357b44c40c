"""Which runs are copies of one another: captured output beside a log, or a log under two names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import fields

from speedcheck.logs import Environment, Run, Validation

# The loss at step 0 is everyone's; each of the others agrees by chance in about 1 of 40 pairs, at
# the four decimals that logs print.
_VALIDATIONS_THAT_TELL = 6


def originals(runs: Sequence[Run], members: Iterable[int]) -> dict[int, int]:
    """Return for each run at the positions `members` the run that it is a copy of, or itself.

    Runs with equal losses at every validation are copies: over many validations no two runs of a
    GPU agree so; over few, which can, the times decide too. A log that repeats lines of another
    one, times included, and ends as that does, is a copy as well. The original is the log that
    tells the most of what ran; of logs that tell the same, the first.

    Runs that diverge early have no more than the loss before the first step in common, which no
    seed changes: they are nobody's copies.
    """
    original_of = {index: index for index in members}
    sound = [index for index in original_of if not runs[index].diverged]
    runs_in = Counter(run.log for run in runs)
    for divide in (_by_losses, _by_lines):
        firsts = [index for index in sound if original_of[index] == index]
        for copies in divide(runs, firsts):
            best = max(copies, key=lambda index: (_told(runs[index]), -runs_in[runs[index].log]))
            original_of.update(dict.fromkeys(copies, best))
    return {index: original_of[original] for index, original in original_of.items()}


def _by_losses(runs: Sequence[Run], members: Sequence[int]) -> Iterator[list[int]]:
    """Sets of runs with equal losses."""
    by_losses: dict[Hashable, list[int]] = defaultdict(list)
    for index in members:
        validations = runs[index].validations
        enough = len(validations) >= _VALIDATIONS_THAT_TELL
        by_losses[tuple((v.step, v.loss) if enough else _line(v) for v in validations)].append(
            index
        )
    yield from by_losses.values()


def _by_lines(runs: Sequence[Run], members: Sequence[int]) -> Iterator[list[int]]:
    """Sets of a run and those that hold nothing but lines of it, its last one among them."""
    by_last: dict[Hashable, list[int]] = defaultdict(list)
    for index in members:
        final = runs[index].final
        if final is not None and final.train_time_ms:
            by_last[_line(final)].append(index)
    for alike in by_last.values():
        longest = max(alike, key=lambda index: len(runs[index].validations))
        lines = set(map(_line, runs[longest].validations))
        yield [i for i in alike if lines.issuperset(map(_line, runs[i].validations))]


def _line(validation: Validation) -> tuple[int, float, float | None]:
    return validation.step, validation.loss, validation.train_time_ms


def _told(run: Run) -> tuple[bool, bool, int]:
    """How much a log tells of what ran: it may hold a header, a program, and an environment."""
    known = sum(getattr(run.environment, f.name) not in (None, ()) for f in fields(Environment))
    return run.header is not None, run.source_span is not None, known
