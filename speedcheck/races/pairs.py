"""Which pairs of a race count, by its ledger: both runs finished, one directly after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from speedcheck.races.race_plan import SIDES, RacePlan, SideName, order
from speedcheck.records.ledger import Entry, Ledger
from speedcheck.records.shared_ledger import folder_of

Key = tuple[str, int]
"""The folder of a run, and its pair."""


@dataclass(frozen=True, slots=True)
class LoggedPair:
    """A pair that counts.

    Attributes:
        number: place of the pair, from 0; both runs have it as their seed.
        first: the side that ran first.
        logs: the logs from the race's folder, by side.
        sha256: their digests as the ledger noted them.
    """

    number: int
    first: SideName
    logs: dict[SideName, str]
    sha256: dict[SideName, str | None]


@dataclass(frozen=True, slots=True)
class Account:
    """What the ledger says of a race.

    Attributes:
        pairs: the pairs that count, in order, up to the first that does not.
        begun_again: number of pairs that were started more than once.
        problems: what does not agree with the plan.
    """

    pairs: tuple[LoggedPair, ...]
    begun_again: int
    problems: tuple[str, ...]


def account(ledger: Ledger, plan: RacePlan) -> Account:
    """Read what became of each planned pair.

    A pair counts when both of its runs have finished, the one that was planned first first, and
    no other run of the race was started between them: what happens to the machine in between would
    not hit both. A half pair therefore does not count, and neither does what follows a gap.
    """
    planned = order(plan.pairs)
    starts = [_key(entry) for entry in ledger.entries if entry.event == "started"]
    pairs = []
    for number in range(plan.pairs):
        pair = _pair(ledger, starts, planned[2 * number : 2 * number + 2])
        if pair is None:
            break
        pairs.append(pair)
    times_started = Counter(starts)
    again = {n for n in range(plan.pairs) if max(times_started[s, n] for s in SIDES) > 1}
    return Account(tuple(pairs), len(again), tuple(_problems(ledger, planned)))


def left_over(ledger: Ledger, plan: RacePlan) -> list[tuple[Entry, str]]:
    """Return the last entry of each run that a session has left behind, and why it does not count.

    A run that nobody saw end does not count, whatever its log says by now; nor does the finished
    half of a pair.
    """
    counted = {pair.number for pair in account(ledger, plan).pairs}
    found = []
    for (folder, number), entry in _last(ledger).items():
        if entry.event == "started":
            found.append((entry, "the launcher was gone"))
        elif entry.event == "finished" and folder in SIDES and number not in counted:
            found.append((entry, "the other run of the pair is missing: the pair is run again"))
    return found


def _pair(
    ledger: Ledger, starts: Sequence[Key], planned: Sequence[tuple[SideName, int]]
) -> LoggedPair | None:
    last = _last(ledger)
    entries = {side: last.get((side, number)) for side, number in planned}
    if any(entry is None or entry.event != "finished" for entry in entries.values()):
        return None
    places = [_last_place(starts, key) for key in planned]
    if None in places or places[1] != (places[0] or 0) + 1:
        return None
    (first, number), _ = planned
    found = {side: entry for side, entry in entries.items() if entry is not None}
    return LoggedPair(
        number=number,
        first=first,
        logs={side: entry.log or "" for side, entry in found.items()},
        sha256={side: entry.log_sha256 for side, entry in found.items()},
    )


def _problems(ledger: Ledger, planned: Sequence[Key]) -> Iterator[str]:
    for problem in ledger.problems:
        # Half a line is what a crash leaves; the chain goes on from it.
        if problem.converted:
            yield f"the ledger: {problem.message}"
        elif not problem.torn:
            yield f"line {problem.line} of the ledger {problem.message}"
    of_sides = [entry for entry in ledger.entries if folder_of(entry) in SIDES]
    beforehand = of_sides[: len(planned)]
    if [(entry.event, _key(entry)) for entry in beforehand] != [("planned", k) for k in planned]:
        yield "the ledger does not begin with all runs in the planned order, A B B A"


def _last(ledger: Ledger) -> dict[Key, Entry]:
    return {_key(entry): entry for entry in ledger.entries}


def _key(entry: Entry) -> Key:
    return folder_of(entry) or "", entry.seed


def _last_place(starts: Sequence[Key], key: Key) -> int | None:
    places = [place for place, started in enumerate(starts) if started == key]
    return places[-1] if places else None
