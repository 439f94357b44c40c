from __future__ import annotations

import pytest

from trainer import layout


def test_depth_12_is_the_records_layout() -> None:
    assert layout.long_layers(12) == {0, 4, 7, 11}
    assert layout.attention_free_layer(12) == 7
    assert [layout.value_table_of(layer, 12) for layer in range(12)] == (
        [0, 1, 2] + [None] * 6 + [0, 1, 2]
    )


def test_depth_6_has_both_kinds_of_layers_and_one_value_table() -> None:
    assert layout.long_layers(6) == {0, 1, 4, 5}
    assert layout.attention_layers(6) == (0, 1, 2, 3, 5)
    assert [layout.value_table_of(layer, 6) for layer in range(6)] == [0] + [None] * 4 + [0]


@pytest.mark.parametrize("depth", range(6, 40, 2))
def test_every_depth_is_symmetric_and_keeps_attention_at_both_ends(depth: int) -> None:
    long = layout.long_layers(depth)
    assert {depth - 1 - layer for layer in long} == long
    assert len(long) == 4
    assert {0, depth - 1} <= set(layout.attention_layers(depth))
    assert len(layout.attention_layers(depth)) == depth - 1
