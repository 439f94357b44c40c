"""Pictures as PNG files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from speedcheck.report.plots.draw import Picture
from speedcheck.whole_file import not_written, write_whole

# 559 pixels wide, 20 to 80 kB: small enough to be kept beside the logs.
_DPI = 130


def write_pngs(pictures: Sequence[Picture], folder: Path) -> tuple[Path, ...]:
    """Write each picture as NAME.png into `folder`, which is made if it is missing.

    Returns:
        The files, in the order of the pictures.

    Raises:
        UsageError: the folder cannot be made, or a file cannot be written.
    """
    from speedcheck.report.plots.style import styled  # noqa: PLC0415 - needs matplotlib

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(folder, error) from error
    with styled():
        return tuple(_write(picture, folder / f"{picture.name}.png") for picture in pictures)


def _write(picture: Picture, path: Path) -> Path:
    data = io.BytesIO()
    # Without matplotlib's version in it, equal pictures are equal files.
    picture.figure.savefig(data, format="png", dpi=_DPI, metadata={"Software": None})
    write_whole(path, data.getvalue())
    return path
