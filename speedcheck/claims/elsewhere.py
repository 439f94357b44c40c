"""The losses that logs print beside the runs' own.

A README may state them: of the weights before quantization, or of averaged weights. The logs are
read once more only when a figure is about to be called false.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from speedcheck.claims.numbers import Printed
from speedcheck.records.folder import Record

_MOST_BYTES = 2**28
_DIGITS = re.compile(r"[0-9.]+")


class PrintedElsewhere:
    """The losses of a record's logs that are not a run's own, and the logs' means of them."""

    def __init__(self, record: Record, measure: tuple[str, ...]) -> None:
        self._record = record
        words = "|".join(re.escape(word) for word in {*measure, "loss"})
        pattern = rf"(?:{words})[a-z_]{{0,40}}[\"']?\s?[:=]\s?([0-9]{{1,6}}\.[0-9]{{1,17}})"
        self._pattern = re.compile(pattern, re.IGNORECASE)

    def __contains__(self, number: object) -> bool:
        """Return whether one of them, rounded or cut, is a printed number."""
        if not isinstance(number, Printed):
            return False
        unit = 10.0**-number.decimals
        at = bisect_left(self._losses, number.value - 0.5001 * unit)
        return at < len(self._losses) and self._losses[at] < number.value + 0.999 * unit

    @cached_property
    def _losses(self) -> list[float]:
        found: set[float] = set()
        last: dict[str, list[float]] = {}
        left = _MOST_BYTES
        for log in self._record.logs:
            left -= log.size
            if log.runs and left >= 0:
                by_label = dict(self._labelled(self._record.path / log.name, found))
                for label, loss in by_label.items():
                    last.setdefault(label, []).append(loss)
        # Whether a run's own loss is meant was seen before.
        own = {run.val_loss for log in self._record.logs for run in log.runs}
        others = (
            losses for losses in last.values() if len(losses) > 1 and not own.issuperset(losses)
        )
        means = (sum(losses) / len(losses) for losses in others)
        return sorted({*(found - own), *means})

    def _labelled(self, path: Path, found: set[float]) -> Iterator[tuple[str, float]]:
        """Add each loss that a log prints to `found`; yield it with the words before it."""
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:
            return
        for match in self._pattern.finditer(text):
            start = max(text.rfind("\n", 0, match.start()) + 1, match.start() - 100)
            found.add(float(match[1]))
            yield _DIGITS.sub("", text[start : match.start(1)]), float(match[1])
