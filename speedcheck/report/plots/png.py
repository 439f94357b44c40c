"""Pictures as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from speedcheck.errors import UsageError
from speedcheck.report.plots.draw import Picture

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
        with styled():
            return tuple(_write(picture, folder / f"{picture.name}.png") for picture in pictures)
    except OSError as error:
        raise UsageError(
            f"cannot write ({error.strerror})",
            where=str(error.filename or folder),
            remedy="free some space, or name another folder",
        ) from error


def _write(picture: Picture, path: Path) -> Path:
    # Without matplotlib's version in it, equal pictures are equal files.
    picture.figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})
    return path
