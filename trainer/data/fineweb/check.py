"""Every shard of a folder read through, and what a run could do with them."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from trainer.config import SUB3
from trainer.data.fineweb.find import fetch_command, stream_of
from trainer.data.fineweb.layout import VAL_NAME, VOCAB_SIZE, shards_in, train_name
from trainer.data.fineweb.origin import Known, read_known, require_unchanged
from trainer.data.shards import Shard, count_shards, describe_shard, map_shard, read_shard
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Checked:
    """A file of the folder.

    Attributes:
        file: its name.
        shard: its tokens and digest; None where it is broken.
        origin: where it comes from, as `manifest.json` says; None where that says nothing of it.
        broken: what is wrong with it and what to do; None where nothing is.
    """

    file: str
    shard: Shard | None
    origin: str | None
    broken: str | None


def check_folder(directory: Path) -> Iterator[Checked]:
    """Read every shard through: header, length, token range, and digest where one is known.

    Raises:
        TrainerError: there is none, or `manifest.json` cannot be read.
    """
    paths = shards_in(directory)
    if not paths:
        raise TrainerError(
            "no shard is here, such as " + train_name(1),
            where=str(directory),
            remedy=f"get some with: {fetch_command(directory)}",
        )
    known = read_known(directory)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(partial(_check, known=known), paths)


def _check(path: Path, known: dict[str, Known]) -> Checked:
    entry = known.get(path.name)
    origin = entry.origin if entry else None
    try:
        read_shard(path, vocab_size=VOCAB_SIZE)
        shard = describe_shard(path)
        require_unchanged(path, shard, entry)
    except TrainerError as error:
        return Checked(path.name, None, origin, str(error))
    return Checked(path.name, shard, origin, None)


@dataclass(frozen=True)
class Outlook:
    """How far a run of the recipe sub3 gets.

    Attributes:
        shards: training shards from number 1 on without a gap, all of them sound.
        steps: steps that they hold.
        step_tokens: tokens of a step.
        needed: steps of a run.
        val_tokens: tokens of the validation shard; 0 where it is missing or broken.
        val_needed: tokens that it must have.
    """

    shards: int
    steps: int
    step_tokens: int
    needed: int
    val_tokens: int
    val_needed: int

    @property
    def fits(self) -> bool:
        """Whether a whole run can be trained."""
        return self.steps >= self.needed and self.val_tokens >= self.val_needed

    def sentences(self) -> list[str]:
        """Return it in words."""
        suffices = "enough" if self.fits else "not enough"
        steps = f"{self.steps} steps of {self.step_tokens:,} tokens"
        return [
            f"training: {count_shards(self.shards)} hold {steps}",
            f"validation: {self.val_tokens:,} tokens of the {self.val_needed:,} needed",
            f"{suffices} for a run of sub3, which takes {self.needed} steps",
        ]


def outlook(directory: Path, checked: list[Checked]) -> Outlook:
    """Return how far a run gets with the sound shards among those checked."""
    sound = {entry.file: entry.shard for entry in checked if entry.shard}
    numbers = range(1, len(checked) + 1)
    in_order = list(takewhile(sound.__contains__, map(train_name, numbers)))
    stream = stream_of([map_shard(directory / name) for name in in_order], SUB3.data)
    val = sound.get(VAL_NAME)
    return Outlook(
        shards=len(in_order),
        steps=stream.steps_available,
        step_tokens=stream.span,
        needed=SUB3.schedule.steps,
        val_tokens=val.tokens if val else 0,
        # One more than are validated on, for the last target.
        val_needed=SUB3.data.val_tokens + 1,
    )


TABLE_HEAD = f"{'shard':<24} {'tokens':>13}  sha256 (first half)"


def table_row(checked: Checked) -> str:
    """Return a file's line of the printed table."""
    if checked.shard is None:
        return f"{checked.file:<24}  broken"
    return f"{checked.file:<24} {checked.shard.tokens:>13,}  {checked.shard.sha256[:32]}"


def origins(checked: list[Checked]) -> list[str]:
    """Return each origin with the number of shards that come from it, in words."""
    counts = Counter(entry.origin or "nobody wrote down where from" for entry in checked)
    return [f"{count_shards(count)}: {origin}" for origin, count in counts.items()]


def as_json(checked: list[Checked], future: Outlook) -> dict[str, Any]:
    """Return everything that the check found, for `json.dumps`."""
    rows = [
        {"file": entry.file, "origin": entry.origin, "broken": entry.broken}
        | ({"tokens": entry.shard.tokens, "sha256": entry.shard.sha256} if entry.shard else {})
        for entry in checked
    ]
    return {"shards": rows, "sub3": asdict(future) | {"fits": future.fits}}
