"""Source text of an expression, short enough for a message."""

from __future__ import annotations

import ast

MAX_SHOWN = 60


class Snippets:
    """Cuts expressions out of a program's text."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")

    def of(self, node: ast.expr | None) -> str:
        """Return the text of `node` as it stands; its first line where it has several."""
        if node is None or node.end_lineno is None:
            return ""
        # Columns count bytes of UTF-8, and the rest of a long line is not needed.
        line = self._lines[node.lineno - 1].encode("utf-8", "replace")
        is_one_line = node.lineno == node.end_lineno
        piece = line[node.col_offset : node.end_col_offset if is_one_line else None]
        text = piece[: 4 * MAX_SHOWN].decode("utf-8", "replace")
        return shortened(text if is_one_line else text.rstrip() + " ...")


def shortened(text: str) -> str:
    """Return the beginning of `text`."""
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
