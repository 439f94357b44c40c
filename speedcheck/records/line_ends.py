"""Line ends: evidence is hashed byte for byte, and version control may convert its line ends."""

from __future__ import annotations

import hashlib
from pathlib import Path

from speedcheck.errors import RecordError
from speedcheck.whole_file import write_whole

ATTRIBUTES_NAME = ".gitattributes"
ATTRIBUTES = """\
# Logs are hashed byte for byte: git must not convert their line ends.
* -text
"""

CONVERTED = "only its line ends differ: an editor, or git with core.autocrlf, converted them"
RESTORE = (
    "put `* -text` into .gitattributes, or run `git config core.autocrlf false`; then check the "
    "folder out again"
)


def keep_line_ends(folder: Path) -> None:
    """Tell git not to convert the line ends of a record, unless its folder has attributes already.

    Raises:
        RecordError: the file cannot be written.
    """
    path = folder / ATTRIBUTES_NAME
    if not path.exists():
        write_whole(path, ATTRIBUTES.encode(), RecordError)


def with_line_feeds(data: bytes) -> bytes:
    """Return bytes with a line feed at the end of each line."""
    return data.replace(b"\r\n", b"\n")


def are_converted(file: Path, sha256: str | None) -> bool:
    """Return whether a file had this SHA-256 (hex) before its line ends were converted."""
    try:
        data = with_line_feeds(file.read_bytes())
    except OSError:
        return False
    forms = (data, data.replace(b"\n", b"\r\n"))
    return sha256 in [hashlib.sha256(form).hexdigest() for form in forms]
