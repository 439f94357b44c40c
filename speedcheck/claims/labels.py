"""What stands above a line: titles and remarks, the items of nested lists among them."""

from __future__ import annotations

import re

from speedcheck.claims.text import plain

_INDENT = re.compile(r"([ \t>]*)([-*+] |[0-9]{1,3}[.)] )?")
# A title or a remark that says what follows is of; longer text says other things too.
_MAX_WORDS = 10
_MOST_DEPTH = 8


class Labels:
    """The newest label and those that it stands below.

    An item stands below the paragraph before its list, and below the item with less indent.
    """

    def __init__(self) -> None:
        self._stack: list[tuple[int, str]] = []

    def add(self, line: str) -> None:
        """Go on with a line of text; a blank line and a rule say nothing."""
        shown = plain(line).strip()
        if not shown.strip("-=_ "):
            return
        indent = _INDENT.match(line)
        depth = (2 * len(indent[1].expandtabs(4)) + bool(indent[2])) if indent else 0
        self._stack = [known for known in self._stack if known[0] < depth][-_MOST_DEPTH:]
        if shown.endswith(":") or len(shown.split()) <= _MAX_WORDS:
            self._stack.append((depth, shown))

    def clear(self) -> None:
        """Forget all of them."""
        self._stack = []

    @property
    def texts(self) -> list[str]:
        """The labels, the outermost first."""
        return [text for _, text in self._stack]
