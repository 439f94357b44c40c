"""Names and numbers of FineWeb's GPT-2 shards, as `kjj0/fineweb10B-gpt2` publishes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.data.shards import count_shards
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "kjj0/fineweb10B-gpt2"
# Training shards there are: 1 to 103.
MAX_SHARDS = 103
# What 1393 steps of 524,288 tokens read.
DEFAULT_SHARDS = 8
SHARD_TOKENS = 100_000_000
# What a run validates on, one more for the last target, and one that the published programs'
# loaders want to see behind it.
VAL_TOKENS = 10_485_760 + 2

# GPT-2's <|endoftext|>, which begins every document; the largest token id.
SEPARATOR = 50_256
VOCAB_SIZE = 50_257

VAL_NAME = "fineweb_val_000000.bin"


def train_name(number: int) -> str:
    """Return the file name of training shard `number`, counted from 1."""
    return f"fineweb_train_{number:06d}.bin"


def shards_in(directory: Path) -> list[Path]:
    """Return every file of the folder that is named like a shard, in the order of the names."""
    return sorted(directory.glob("fineweb_*.bin"))


def require_no_shards(directory: Path) -> None:
    """Check that new shards would not be mixed with others.

    Raises:
        TrainerError: the folder holds shards.
    """
    present = shards_in(directory)
    if present:
        raise TrainerError(
            f"the folder holds {count_shards(len(present))} already, such as {present[0].name}",
            where=str(directory),
            remedy="choose another folder, or delete them",
        )
