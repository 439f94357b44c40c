"""The shards of a recipe, from whichever source it names."""

from __future__ import annotations

from pathlib import Path

from trainer.config import Recipe
from trainer.data.corpus import ensure_corpus
from trainer.data.fineweb import ShardPaths, find_shards
from trainer.data.fineweb.origin import run_manifest
from trainer.data.shards import Manifest, manifest


def find_data(recipe: Recipe, directory: Path) -> ShardPaths:
    """Find the shards that a run reads; make them where the trainer can.

    Raises:
        TrainerError: a shard is missing, broken or too short, or cannot be made; says what to do.
    """
    if recipe.source == "fineweb":
        return find_shards(directory, recipe.data, recipe.schedule.steps)
    made = ensure_corpus(directory)
    return ShardPaths((made.train,), made.val)


def describe_data(recipe: Recipe, shards: ShardPaths) -> Manifest:
    """What the log says of the shards; reads every byte of them.

    Raises:
        TrainerError: a file cannot be read, or is not what is written down of it.
    """
    if recipe.source == "fineweb":
        return run_manifest(shards, recipe.data.val_tokens)
    return manifest(shards.train, [shards.val], recipe.data.val_tokens)
