"""Print docs/commands.md: what each command says of itself.

python docs/help.py > docs/commands.md
"""

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ["COLUMNS"] = "80"

import typer.main
from typer.core import TyperGroup

from speedcheck.cli.entry import app

HEAD = """\
# Commands

Every command with its options, as `speedcheck COMMAND --help` prints them. `make docs` writes this
page.

`speedcheck --install-completion` lets your shell complete commands and options.
"""


def commands(group: TyperGroup, name: str) -> Iterator[tuple[str, str]]:
    """Return the full name and the help of each command, those of groups below it too."""
    context = typer.Context(group, info_name=name)
    for part in group.list_commands(context):
        command = group.get_command(context, part)
        full = f"{name} {part}"
        if isinstance(command, TyperGroup):
            yield from commands(command, full)
        elif command is not None:
            yield full, command.get_help(typer.Context(command, info_name=full))


def page() -> str:
    """Return the page."""
    group = typer.main.get_command(app)
    if not isinstance(group, TyperGroup):
        raise TypeError
    parts = (
        f"\n## {name}\n\n```text\n{text.rstrip()}\n```\n"
        for name, text in commands(group, "speedcheck")
    )
    return HEAD + "".join(parts)


if __name__ == "__main__":
    print(page(), end="")
