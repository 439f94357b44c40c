"""Run the commands that the pages show, and write what they print into the pages.

    python docs/refresh.py [PAGE ...]

In a block marked `console`, a line that starts with "$ " is a command, and the lines below it are
what it prints on both streams. The blocks of a page run in order in one scratch folder, a git
repository that holds the records of this one. A line "..." stands for any lines; a block that has
one is checked by the tests and never rewritten.

In a block marked `bash`, every line is a command whose output the page does not show.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
ANY_LINES = "..."
PROMPT = "$ "

# What the scratch repository holds besides the records.
_FILES = ("speedcheck.toml", ".gitignore")
_COLUMNS = 80
_SECONDS = 120
_DATE = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page and what the page says that it prints.

    Attributes:
        line: line of the page on which it stands, from 1.
        words: the command, as a shell reads it.
        output: the lines below it; None where the page does not show what it prints.
    """

    line: int
    words: str
    output: tuple[str, ...] | None


def commands(text: str) -> list[list[Command]]:
    """Return the commands of a page's `console` and `bash` blocks, block by block."""
    found = []
    for token in MarkdownIt().parse(text):
        if token.type == "fence" and token.map and token.info in {"console", "bash"}:
            first, lines = token.map[0] + 2, token.content.splitlines()
            read = _console if token.info == "console" else _bash
            found.append(list(read(first, lines)))
    return found


def _bash(first: int, lines: list[str]) -> Iterator[Command]:
    for number, line in enumerate(lines, start=first):
        words = line.partition("  #")[0].strip()
        if words:
            yield Command(number, words, None)


def _console(first: int, lines: list[str]) -> Iterator[Command]:
    starts = [i for i, line in enumerate(lines) if line.startswith(PROMPT)]
    if not starts or starts[0]:
        raise ValueError(f"line {first}: a console block starts with a command")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        words = lines[start].removeprefix(PROMPT)
        yield Command(first + start, words, tuple(lines[start + 1 : end]))


@contextmanager
def scratch() -> Iterator[Path]:
    """Make the folder in which the commands of one page run: a repository with the records."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "repository"
        shutil.copytree(ROOT / "records", place / "records")
        for name in _FILES:
            if (ROOT / name).is_file():
                shutil.copy(ROOT / name, place)
        program = Path(folder) / "bin" / "speedcheck"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m speedcheck "$@"\n')
        program.chmod(0o755)
        run("git init -q -b main; git add .; git commit -q -m 'Add the records'", place)
        yield place


def run(words: str, place: Path, variables: Mapping[str, str] | None = None) -> list[str]:
    """Run a command in a scratch folder and return the lines that it prints on both streams.

    Args:
        words: the command, as a shell reads it.
        place: the scratch folder.
        variables: environment variables besides the usual ones.
    """
    home = place.parent
    environment = {
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "COLUMNS": str(_COLUMNS),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{f"GIT_{who}_NAME": "you" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "you@example.org" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_DATE": _DATE for who in ("AUTHOR", "COMMITTER")},
        **(variables or {}),
    }
    result = subprocess.run(
        ["bash", "-c", words],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_SECONDS,
        check=False,
        text=True,
    )
    return result.stdout.splitlines()


def refreshed(text: str) -> str:
    """Return a page with what its `console` blocks print now."""
    lines, replaced = text.splitlines(), []
    with scratch() as place:
        for block in commands(text):
            for command in block:
                if command.output is None:
                    continue
                printed = run(command.words, place)
                if ANY_LINES not in command.output:
                    replaced.append((command, printed))
    for command, printed in reversed(replaced):
        lines[command.line : command.line + len(command.output or ())] = printed
    return "\n".join(lines) + "\n"


def main() -> None:
    """Rewrite the pages that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE")
    for page in parser.parse_args().pages or PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(refreshed(text), encoding="utf-8")


if __name__ == "__main__":
    main()
