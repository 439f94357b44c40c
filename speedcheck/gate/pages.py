"""A page of each record that a branch adds or changes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from speedcheck.gate.decision import Decision
from speedcheck.gate.workplace import Workplace
from speedcheck.plot_data import plot_data_of
from speedcheck.report.html import record_page, require_jinja
from speedcheck.report.plots import draw_pictures, require_matplotlib
from speedcheck.whole_file import not_written, write_whole


def check_pages(folder: Path) -> None:
    """Refuse to write pages that cannot be written, before anything is judged.

    Raises:
        UsageError: a package is missing, or the folder cannot be made.
    """
    require_matplotlib()
    require_jinja()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(folder, error) from error


def write_pages(workplace: Workplace, decisions: Iterable[Decision], folder: Path) -> None:
    """Write a page of every judged record into `folder`, numbered in the order of the decisions.

    No name of the branch becomes the name of a file.

    Raises:
        UsageError: a file cannot be written.
    """
    judged = (decision for decision in decisions if decision.certificate is not None)
    for number, decision in enumerate(judged, start=1):
        judgement = workplace.judgement("head", decision.folder, decision.baseline)
        page = record_page(judgement.certificate, draw_pictures(plot_data_of(judgement)))
        write_whole(folder / f"record-{number}.html", page.encode())
