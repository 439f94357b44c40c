"""The losses that the logs of a record print and that are not a run's own.

A README may state them: those of the weights before quantization, or of averaged weights.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from speedcheck.records.record_folder import Record

_MOST_BYTES = 2**28
_DIGITS = re.compile(r"[0-9.]+")


class OtherLosses:
    """Losses beside those of the runs, and the logs' means of those with one label.

    The logs are read once more, when the first figure is looked for.
    """

    def __init__(self, record: Record, measure: tuple[str, ...]) -> None:
        self._record = record
        words = "|".join(re.escape(word) for word in {*measure, "loss"})
        pattern = rf"(?:{words})[a-z_]{{0,40}}[\"']?\s?[:=]\s?([0-9]{{1,6}}\.[0-9]{{1,17}})"
        self._pattern = re.compile(pattern, re.IGNORECASE)

    def has_loss(self, span: tuple[float, float]) -> bool:
        """Return whether one of them is within a range."""
        return _has(self._found[0], *span)

    def has_mean(self, span: tuple[float, float]) -> bool:
        """Return whether the logs' mean of those with one label is within a range."""
        return _has(self._found[1], *span)

    @cached_property
    def _found(self) -> tuple[list[float], list[float]]:
        """The losses and the means, in order."""
        logs = [log for log in self._record.logs if log.runs]
        found: set[float] = set()
        by_label: dict[str, list[float]] = defaultdict(list)
        for log in logs if sum(log.size for log in logs) <= _MOST_BYTES else ():
            printed = list(self._labelled(self._record.path / log.name))
            found.update(loss for _, loss in printed)
            for label, loss in dict(printed).items():
                by_label[label].append(loss)
        # Whether a run's own loss is meant was seen before.
        own = {run.val_loss for log in logs for run in log.runs}
        others = (x for x in by_label.values() if len(x) > 1 and not own.issuperset(x))
        return sorted(found - own), sorted(sum(losses) / len(losses) for losses in others)

    def _labelled(self, path: Path) -> Iterator[tuple[str, float]]:
        """Yield each loss that a log prints, with the words before it."""
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:
            return
        for match in self._pattern.finditer(text):
            start = max(text.rfind("\n", 0, match.start()) + 1, match.start() - 100)
            yield _DIGITS.sub("", text[start : match.start(1)]), float(match[1])


def _has(values: list[float], low: float, high: float) -> bool:
    at = bisect_left(values, low)
    return at < len(values) and values[at] <= high
