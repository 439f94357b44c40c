"""Names and numbers of FineWeb's GPT-2 shards, as `kjj0/fineweb10B-gpt2` publishes them."""

from __future__ import annotations

REPOSITORY = "kjj0/fineweb10B-gpt2"
# Training shards there are: 1 to 103.
MAX_SHARDS = 103
# What 1393 steps of 524,288 tokens read.
DEFAULT_SHARDS = 8
SHARD_TOKENS = 100_000_000

# GPT-2's <|endoftext|>, which begins every document; the largest token id.
SEPARATOR = 50_256
VOCAB_SIZE = 50_257

VAL_NAME = "fineweb_val_000000.bin"


def train_name(number: int) -> str:
    """Return the file name of training shard `number`, counted from 1."""
    return f"fineweb_train_{number:06d}.bin"
