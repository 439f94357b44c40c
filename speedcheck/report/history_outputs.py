"""Write a series in the forms that were asked for: what `speedcheck history` does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speedcheck.errors import Unusable, UsageError
from speedcheck.history.points import points_of
from speedcheck.history.read_history import read_history
from speedcheck.history.series import Entry
from speedcheck.report.history_text import history_csv, history_markdown, history_text
from speedcheck.report.html import history_page, require_jinja
from speedcheck.report.markdown_text import code
from speedcheck.report.markers import write_between
from speedcheck.report.outputs import check_writable
from speedcheck.report.plots import Picture, draw_history, require_matplotlib, write_pngs
from speedcheck.rules.rule import Overrides
from speedcheck.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class HistoryOutputs:
    """What was asked for.

    Attributes:
        csv: print CSV instead of the table for terminals.
        markdown: print Markdown instead of it.
        write: put the Markdown between the markers of this file, and print nothing.
        html: write a page to this file.
        png: write the pictures into this folder, and show them in what `write` names.

    Raises:
        UsageError: more than one form is asked for.
    """

    csv: bool = False
    markdown: bool = False
    write: Path | None = None
    html: Path | None = None
    png: Path | None = None

    def __post_init__(self) -> None:
        if self.csv + self.markdown + (self.write is not None) > 1:
            raise UsageError(
                "more than one of --csv, --markdown and --write", remedy="choose one of them"
            )

    @property
    def is_data(self) -> bool:
        """Return whether standard output holds data alone, for another program."""
        return self.csv or self.markdown


def write_history(
    folder: Path, overrides: Overrides, outputs: HistoryOutputs
) -> tuple[str, list[str], tuple[Unusable, ...]]:
    """Judge every record below `folder` and write the series.

    Returns:
        What to print, "" where no record can be judged or the table goes into a file; a line for
        each file; and the folders that cannot be judged.

    Raises:
        InputError: there is no record, or the file to write into does not hold the markers.
        UsageError: a package is missing, or a file cannot be written.
    """
    _check(outputs)
    entries, unusable = read_history(folder, overrides)
    draws = outputs.html is not None or outputs.png is not None
    if not entries:
        return "", [], unusable
    pictures = draw_history(points_of(entries)) if draws else ()
    written = []
    if outputs.html is not None:
        title = f"Records in {folder.resolve().name}"
        write_whole(outputs.html, history_page(title, entries, pictures).encode())
        written.append(f"wrote {outputs.html}")
    files = write_pngs(pictures, outputs.png) if pictures and outputs.png is not None else ()
    written += [f"wrote {file}" for file in files]
    if draws and not pictures:
        written.append("no picture: no track has two records with a date and a value")
    if outputs.write is not None:
        text = history_markdown(entries) + _links(outputs.write, pictures, files)
        changed = write_between(outputs.write, text)
        written.append(f"{outputs.write}: {'updated' if changed else 'unchanged'}")
    return _printed(entries, outputs), written, unusable


def _check(outputs: HistoryOutputs) -> None:
    """Refuse what cannot be written before anything is judged."""
    if outputs.html is not None:
        require_jinja()
        check_writable(outputs.html)
    if outputs.html is not None or outputs.png is not None:
        require_matplotlib()


def _printed(entries: Sequence[Entry], outputs: HistoryOutputs) -> str:
    if outputs.write is not None:
        return ""
    if outputs.csv:
        return history_csv(entries)
    return history_markdown(entries) if outputs.markdown else history_text(entries)


def _links(page: Path, pictures: Sequence[Picture], files: Sequence[Path]) -> str:
    """Return the pictures as Markdown, with paths relative to the page that shows them."""
    links = (
        f"\n![{code(picture.title)}](<{Path(os.path.relpath(file, page.parent)).as_posix()}>)\n"
        for picture, file in zip(pictures, files, strict=False)
    )
    return "".join(links)
