"""How objects show themselves in a notebook: the seam that the reports fill.

Jupyter asks an object for `_repr_html_`. What a certificate looks like is the reports' business,
which are floors above it, so that they register here.
"""

from __future__ import annotations

from functools import singledispatch


@singledispatch
def html_of(shown: object) -> str | None:  # noqa: ARG001 - the fallback
    """Return an object as HTML; None, so that Jupyter shows its repr, where no report knows it."""
    return None


class ShownInNotebooks:
    """An object that shows itself as HTML in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        return html_of(self)
