"""Write a record or a race as a page and as pictures: what `speedcheck report` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedcheck.api import judge_folder
from speedcheck.baseline import one_record, refuse_itself
from speedcheck.errors import UsageError
from speedcheck.judge import Judgement
from speedcheck.plot_data import plot_data_of
from speedcheck.plot_data.race_data import race_data_of
from speedcheck.races.race_plan import is_race, refuse_options
from speedcheck.races.read_race import read_race
from speedcheck.records.record_files import PICTURES, PICTURES_NAME
from speedcheck.report import race_text
from speedcheck.report.headline import headline
from speedcheck.report.html import race_page, record_page, require_jinja
from speedcheck.report.outputs import check_writable
from speedcheck.report.plots import (
    Picture,
    can_draw,
    draw_pictures,
    draw_race,
    require_matplotlib,
    write_pngs,
)
from speedcheck.rules.rule import Overrides
from speedcheck.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write.

    Attributes:
        html: file of the page; None for none, if there are to be pictures.
        png: folder of the pictures; None for none.
    """

    html: Path | None = None
    png: Path | None = None


def write_report(folder: Path, overrides: Overrides, wanted: Wanted) -> list[str]:
    """Judge the one record in a folder, or its race, write what is wanted, and say what it is.

    Returns:
        The verdict, and a line for each file that was written.

    Raises:
        UsageError: a package is missing, a number is out of its range, a file cannot be written, or
            an option is given that a race has planned.
        InputError: no record is there, more than one is, or it cannot be read.
    """
    require_matplotlib()
    return (_report_race if is_race(folder) else _report_record)(folder, overrides, wanted)


def _report_record(folder: Path, overrides: Overrides, wanted: Wanted) -> list[str]:
    record = one_record(folder, overrides.parser_for)
    refuse_itself(record, overrides.baseline)
    page = _page(record, wanted)
    judgement = judge_folder(record, overrides)
    certificate, pictures = judgement.certificate, draw_pictures(plot_data_of(judgement))
    text = record_page(certificate, pictures) if page else ""
    return [headline(certificate), *_write(page, text, pictures, wanted.png)]


def _report_race(folder: Path, overrides: Overrides, wanted: Wanted) -> list[str]:
    options = {
        "--track": overrides.track,
        "--target": overrides.target,
        "--alpha": overrides.alpha,
        "--baseline": overrides.baseline,
    }
    refuse_options(folder, options)
    page = _page(folder, wanted)
    result = read_race(folder, overrides.config)
    pictures = draw_race(race_data_of(result))
    text = race_page(result, pictures) if page else ""
    return [race_text.headline(result), *_write(page, text, pictures, wanted.png)]


def _write(
    page: Path | None, text: str, pictures: Sequence[Picture], png: Path | None
) -> Iterator[str]:
    """Write the page and the pictures, and yield a line for each file."""
    if page is not None:
        write_whole(page, text.encode())
        yield f"wrote {page}"
    if png is not None:
        yield from (f"wrote {file}" for file in write_pngs(pictures, png))


def keep_pictures(judgement: Judgement, folder: Path) -> list[tuple[str, str]]:
    """Write the pictures that a record keeps into its folder, if matplotlib is installed.

    Returns:
        Title and file of each, for its README; none without matplotlib.

    Raises:
        UsageError: a file cannot be written.
    """
    if not can_draw():
        return []
    pictures = [one for one in draw_pictures(plot_data_of(judgement)) if one.name in PICTURES]
    files = write_pngs(pictures, folder / PICTURES_NAME)
    return [
        (one.title, f"{PICTURES_NAME}/{file.name}")
        for one, file in zip(pictures, files, strict=True)
    ]


def _page(folder: Path, wanted: Wanted) -> Path | None:
    """Return where the page goes, and refuse what cannot be written before anything is judged."""
    if wanted.png is not None and wanted.png.exists() and not wanted.png.is_dir():
        raise UsageError("is a file", where=str(wanted.png), remedy="name a folder")
    if wanted.html is None and wanted.png is not None:
        return None
    require_jinja()
    page = wanted.html or Path(f"{folder.resolve().name}.html")
    check_writable(page)
    return page
