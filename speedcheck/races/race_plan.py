"""race.toml: which trainers race, over how many pairs, and in which order.

race.toml        the plan
ledger.jsonl     every run of both sides in the order in which they were planned and made
a/ and b/        record.toml with the trainer, and logs/ with a log for each pair
warm-up/         the runs that do not count, one of each side before every session
race.json        the result
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import tomli_w

from speedcheck import toml
from speedcheck.errors import InputError, UsageError
from speedcheck.stats.eprocess import LARGEST_N
from speedcheck.stats.sequential_pairs import PAIRS_OF_A_BLOCK

RACE_NAME = "race.toml"
RESULT_NAME = "race.json"
WARM_UP = "warm-up"

SideName = Literal["a", "b"]
SIDES: tuple[SideName, ...] = get_args(SideName)


@dataclass(frozen=True, slots=True)
class RacePlan:
    """What race.toml says.

    Attributes:
        name: the race's name.
        date: ISO date of its start.
        track: the track that says how logs are read.
        pairs: the largest number of pairs.
        alpha: size of the two-sided test.
        is_aa: whether A races against itself.
    """

    name: str
    date: str
    track: str
    pairs: int
    alpha: float
    is_aa: bool


def order(pairs: int) -> tuple[tuple[SideName, int], ...]:
    """Return the planned order: blocks A B B A, each run as its side and its pair, from 0."""
    return tuple(
        (side, pair) for pair in range(pairs) for side in (SIDES if pair % 2 == 0 else SIDES[::-1])
    )


def check_pairs(pairs: int) -> None:
    """Refuse a largest number of pairs that a race cannot have.

    Raises:
        UsageError: it is not a number of whole blocks, or above 1,000, as far as the test goes.
    """
    if not 2 <= pairs <= LARGEST_N or pairs % PAIRS_OF_A_BLOCK:
        remedy = f"give an even number from 2 to {LARGEST_N}: a block A B B A holds two pairs"
        raise UsageError(f"--pairs is {pairs}", remedy=remedy)


def is_race(folder: Path) -> bool:
    """Return whether a folder holds a race."""
    try:
        return (folder / RACE_NAME).is_file()
    except OSError:
        return False


def refuse_options(folder: Path, options: Mapping[str, object]) -> None:
    """Refuse options of records where a race is given: its plan has fixed what decides it.

    Args:
        folder: the race's folder.
        options: values by option; None, False and () for options that are not given.

    Raises:
        UsageError: an option is given.
    """
    for option, value in options.items():
        if value is not None and value is not False and value != ():
            what = f"{option} does not apply to a race, which its plan decides"
            raise UsageError(what, where=str(folder), remedy="leave it out")


def read_race_plan(folder: Path) -> RacePlan:
    """Read the race.toml of a folder.

    Raises:
        InputError: it is missing or cannot be used.
    """
    path = folder / RACE_NAME
    if not path.is_file():
        remedy = "name a folder that speedcheck race has written"
        raise InputError(f"holds no {RACE_NAME}", where=str(folder), remedy=remedy)
    table = toml.read_table(path)
    table.refuse_unknown(("name", "date", "track", "pairs", "alpha", "aa"))
    pairs = table.get("pairs", toml.whole, "a whole number from 2")
    track = table.get("track", toml.text, "the name of a track")
    alpha = table.get("alpha", toml.probability, "a number between 0 and 1")
    if not pairs or track is None or alpha is None:
        raise InputError("pairs, track or alpha is missing", where=str(path), remedy="restore it")
    return RacePlan(
        name=table.get("name", toml.text, "text") or folder.resolve().name,
        date=table.get("date", toml.iso_date, "a date such as 2026-11-30") or "",
        track=track,
        pairs=pairs,
        alpha=alpha,
        is_aa=table.get("aa", toml.truth, "true or false") or False,
    )


def race_toml(plan: RacePlan) -> str:
    """Return the text of race.toml."""
    fields = {
        "name": plan.name,
        "date": plan.date,
        "track": plan.track,
        "pairs": plan.pairs,
        "alpha": plan.alpha,
        "aa": plan.is_aa,
    }
    return tomli_w.dumps(fields)
