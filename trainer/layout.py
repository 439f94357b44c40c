"""Which layer gets what: a formula in the depth that gives the record's layout at depth 12.

The network is a U-Net: the first half of the layers (the encoder) is mirrored by the second (the
decoder). "Mirror" below means layer `depth - 1 - i` for layer `i`.
"""

from __future__ import annotations

MIN_DEPTH = 6  # below it the first and the last-but-one encoder layer are the same


def inner_long_layer(depth: int) -> int:
    """The long layer inside the encoder: its last but one (4 of 12)."""
    return depth // 2 - 2


def long_layers(depth: int) -> frozenset[int]:
    """Layers with the long window: the encoder's first and last but one, and their mirrors.

    At depth 12 these are 0, 4, 7 and 11; 7 has no attention (`attention_free_layer`).
    """
    encoder = (0, inner_long_layer(depth))
    return frozenset(encoder) | frozenset(depth - 1 - layer for layer in encoder)


def attention_free_layer(depth: int) -> int:
    """The layer that keeps its skip and its MLP but has no attention (7 of 12)."""
    return depth - 1 - inner_long_layer(depth)


def attention_layers(depth: int) -> tuple[int, ...]:
    """The layers that attend, in order."""
    return tuple(layer for layer in range(depth) if layer != attention_free_layer(depth))


def value_tables(depth: int) -> int:
    """Number of value-embedding tables (3 at depth 12)."""
    return depth // 2 // 2


def value_table_of(layer: int, depth: int) -> int | None:
    """The value-embedding table that feeds a layer, if one does.

    With n tables, table t feeds layer t and again layer `depth - n + t`: not mirrored.
    """
    tables = value_tables(depth)
    if layer < tables:
        return layer
    first_of_last = depth - tables
    return layer - first_of_last if layer >= first_of_last else None
