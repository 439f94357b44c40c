"""The page: a template, one style sheet, one script, and a policy that admits nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING

from speedcheck.certificate import Certificate
from speedcheck.errors import UsageError
from speedcheck.history.series import Entry
from speedcheck.races.race_result import RaceResult
from speedcheck.report.html.history_content import history_content
from speedcheck.report.html.race_content import race_content
from speedcheck.report.html.record_content import content_of
from speedcheck.report.plots import Picture
from speedcheck.report.wording import printable

if TYPE_CHECKING:
    from markupsafe import Markup

# Dates, figures with their names, times with their unit, and numbers with an exponent; of at most
# so many digits that a narrow screen has room for them.
_DIGITS = r"\d{1,9}(?:\.\d{1,9})?"
_UNBROKEN = re.compile(
    rf"(\d{{4}}-\d\d-\d\d|\w{{1,8}} [=<>] [-+]?{_DIGITS}(?:e-\d{{1,3}})?"
    rf"|[-+]?{_DIGITS} m?s\b|{_DIGITS}e-\d{{1,3}})"
)


def require_jinja() -> None:
    """Refuse to make a page where Jinja is not installed.

    Raises:
        UsageError: it is not.
    """
    if find_spec("jinja2") is None:
        raise UsageError(
            "pages need jinja2, which is not installed",
            remedy="install it: pip install 'speedcheck[report]'",
        )


def record_page(certificate: Certificate, pictures: Sequence[Picture]) -> str:
    """Return the page of a record as HTML text; equal records give equal text.

    Args:
        certificate: what was judged.
        pictures: its pictures, in the order in which they are shown.
    """
    return _page("record", content_of(certificate), pictures)


def history_page(title: str, entries: Sequence[Entry], pictures: Sequence[Picture]) -> str:
    """Return the page of a series of records as HTML text; equal series give equal text.

    Args:
        title: what the series is called.
        entries: the records with their gains.
        pictures: a picture for each track.
    """
    return _page("history", history_content(title, entries), pictures)


def race_page(result: RaceResult, pictures: Sequence[Picture]) -> str:
    """Return the page of a race as HTML text; equal races give equal text.

    Args:
        result: what the race has shown.
        pictures: its pictures, in the order in which they are shown.
    """
    return _page("race", race_content(result), pictures)


def _page(name: str, content: object, pictures: Sequence[Picture]) -> str:
    # What only pages need.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    from speedcheck.report.html.svg import Sheet, inline_svg  # noqa: PLC0415

    sheet = Sheet()
    # Drawn here and free of foreign text, so that they need no escaping; all else is escaped.
    drawings = [(picture, Markup(inline_svg(picture, sheet))) for picture in pictures]  # noqa: S704
    style, script = _text("page.css") + sheet.css(), _text("table.js")
    environment = Environment(
        loader=PackageLoader("speedcheck.report.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_visible,
    )
    environment.filters["unbroken"] = _unbroken
    return environment.get_template(f"{name}.html.jinja").render(
        content=content,
        drawings=drawings,
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - the same
        policy=_policy(style, script),
    )


def _visible(value: object) -> object:
    """Make every character of a text visible; autoescaping then takes its meaning."""
    from markupsafe import Markup  # noqa: PLC0415 - what only pages need

    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _unbroken(text: str) -> Markup:
    """Escape a text, and keep a browser from breaking a line within a date or a number."""
    from markupsafe import Markup  # noqa: PLC0415 - what only pages need

    number = Markup('<span class="unbroken">{}</span>')
    pieces = _UNBROKEN.split(printable(text))
    shown = (number.format(piece) if place % 2 else piece for place, piece in enumerate(pieces))
    return Markup("").join(shown)


def _text(name: str) -> str:
    return files("speedcheck.report.html").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return the content security policy: this style sheet, this script, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
