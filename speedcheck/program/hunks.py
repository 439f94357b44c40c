"""Where two lists of lines differ, in time that does not grow faster than n log n.

The lines that stand once in each list, and in the same order in both, are taken for the same lines
("patience": B. Cohen, 2005); between two of them whatever is equal at the edges is left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Hunk(NamedTuple):
    """Half-open ranges of indices that stand for each other: [a, a_end) and [b, b_end)."""

    a: int
    a_end: int
    b: int
    b_end: int


def hunks(a: Sequence[str], b: Sequence[str]) -> list[Hunk]:
    """Return the differing stretches of two lists of lines, in order."""
    found = []
    start = (0, 0)
    for i, j in [*_anchors(a, b), (len(a), len(b))]:
        hunk = _trimmed(a, b, Hunk(start[0], i, start[1], j))
        if hunk.a < hunk.a_end or hunk.b < hunk.b_end:
            found.append(hunk)
        start = (i + 1, j + 1)
    return found


def _anchors(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Indices of the lines that are unique in both, as many as stand in one order."""
    in_a, in_b = Counter(a), Counter(b)
    place = {line: j for j, line in enumerate(b)}
    pairs = [(i, place[line]) for i, line in enumerate(a) if in_a[line] == in_b[line] == 1]
    # The longest increasing subsequence: `tails[k]` ends one of length k + 1, at the least j.
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        k = bisect_left(tails, j)
        tails[k : k + 1] = [j]
        ends[k : k + 1] = [index]
        before.append(ends[k - 1] if k else -1)
    chain = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]


def _trimmed(a: Sequence[str], b: Sequence[str], hunk: Hunk) -> Hunk:
    i, i_end, j, j_end = hunk
    while i < i_end and j < j_end and a[i] == b[j]:
        i, j = i + 1, j + 1
    while i < i_end and j < j_end and a[i_end - 1] == b[j_end - 1]:
        i_end, j_end = i_end - 1, j_end - 1
    return Hunk(i, i_end, j, j_end)
