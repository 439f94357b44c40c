"""A random stream of integers alone, so that the corpus has the same bytes everywhere."""

from __future__ import annotations

MASK = (1 << 64) - 1


class SplitMix64:
    """SplitMix64 of Steele, Lea & Flood, "Fast splittable pseudorandom number generators" (2014).

    numpy's own draws may change between versions, and logarithms between machines; this cannot.

    Args:
        seed: any integer; the lowest 64 bits count.
    """

    def __init__(self, seed: int) -> None:
        self._state = seed & MASK

    def next(self) -> int:
        """Return the next 64-bit output."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)

    def below(self, bound: int) -> int:
        """Return an integer in [0, bound), uniform up to bound / 2**64."""
        return (self.next() * bound) >> 64
