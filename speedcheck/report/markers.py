"""Text between two markers of a Markdown file, which a program keeps up to date."""

from __future__ import annotations

from pathlib import Path

from speedcheck.errors import InputError
from speedcheck.whole_file import write_whole

BEGIN = "<!-- speedcheck history: begin -->"
END = "<!-- speedcheck history: end -->"


def write_between(path: Path, text: str) -> bool:
    """Put `text` between the markers of a file; everything outside of them stays as it is.

    Args:
        path: the file; it holds each marker once, on a line of its own.
        text: what to put there; ends in a newline.

    Returns:
        Whether the file changed. One that holds the same text already is not touched.

    Raises:
        InputError: the file cannot be read, or does not hold the markers.
        UsageError: the file cannot be written; it is as it was.
    """
    try:
        old = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(
            f"cannot read ({why})", where=str(path), remedy="name a Markdown file"
        ) from None
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise InputError(
            "does not hold the two markers once each",
            where=str(path),
            remedy=f"add the lines {BEGIN} and {END} where the table belongs",
        )
    new = f"{before}{begin}\n{text}{end}{after}"
    if new == old:
        return False
    write_whole(path, new.encode())
    return True
