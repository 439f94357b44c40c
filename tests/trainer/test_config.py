from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from trainer.config import RECIPES, WINDOWS, Recipe
from trainer.errors import TrainerError


def test_sub3_consumes_what_the_record_consumed() -> None:
    data, steps = RECIPES["sub3"].data, RECIPES["sub3"].schedule.steps
    assert data.sequence_length * data.sequences_per_step == 524_288
    assert 730e6 < 524_288 * steps < 731e6
    assert data.val_tokens // data.sequence_length == 160


def test_a_recipe_knows_its_own_name() -> None:
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {
        "sub3": "sub3",
        "tiny": "tiny",
    }


@pytest.mark.parametrize("windows", WINDOWS)
def test_choosing_windows_changes_nothing_else(windows: str) -> None:
    before, after = asdict(RECIPES["tiny"]), asdict(RECIPES["tiny"].with_windows(windows))
    assert after["model"].pop("windows") == windows
    before["model"].pop("windows")
    assert after == before


@pytest.mark.parametrize(
    ("group", "change", "message"),
    [
        ("model", {"depth": 7}, "depth 7 is not an even number of at least 6"),
        ("model", {"depth": 4}, "depth 4 is not an even number of at least 6"),
        ("model", {"heads": 3}, "width 64 does not divide into 3 heads"),
        ("model", {"head_rows": 256}, "head_rows 256 is below vocab_size 257"),
        ("model", {"windows": "long"}, "'long' is none of long-short, all-short, all-long"),
        ("model", {"block_size": 24}, "no multiple of block_size 24"),
        ("data", {"val_tokens": 1000}, "val_tokens 1000 is no multiple of"),
        ("schedule", {"steps": 0}, "steps 0 is not positive"),
        ("schedule", {"val_every": 0}, "val_every 0 is not positive"),
    ],
)
def test_a_recipe_that_cannot_run_is_refused(
    group: str, change: dict[str, object], message: str
) -> None:
    tiny: Recipe = replace(RECIPES["tiny"], model=replace(RECIPES["tiny"].model, width=64))
    with pytest.raises(TrainerError, match=message):
        replace(tiny, **{group: replace(getattr(tiny, group), **change)})
