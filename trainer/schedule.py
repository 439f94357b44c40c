"""What changes from step to step, as pure functions of the step (0 is the first update)."""

from __future__ import annotations

from typing import NamedTuple

# The decayed learning rate ends at this fraction of its plateau.
FINAL_LR = 0.1

MOMENTUM_START = 0.85
MOMENTUM_END = 0.95


class Window(NamedTuple):
    """Reach of the two kinds of layers, in blocks; both count the query's own block."""

    long: int
    short: int


def window_at(step: int, steps: int, *, max_window: int, block_size: int) -> Window:
    """The attention windows of one step.

    The long window is the smallest multiple of `block_size` that is at least
    `max_window * step / steps` tokens and at least one block; the short one is half of it.
    Integers throughout: a float would round differently where the ratio is a whole number.
    """
    long = max(1, -(-max_window * step // (steps * block_size)))
    return Window(long, max(1, long // 2))


def lr_multiplier(step: int, steps: int, *, cooldown: float) -> float:
    """1 until the last `cooldown` fraction of the run, then linear down to `FINAL_LR`."""
    t = min(1.0, (1 - step / steps) / cooldown)
    return (1 - FINAL_LR) * t + FINAL_LR


def momentum_at(step: int, *, warmup: int) -> float:
    """Muon's momentum: from 0.85 linearly to 0.95 over the first `warmup` steps."""
    return MOMENTUM_START + (MOMENTUM_END - MOMENTUM_START) * min(step / warmup, 1.0)
