"""Which module imports which: downward only, as docs/architecture.md says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("speedcheck", "trainer")
NEUTRAL = {"speedcheck.__version__"}


def floors(package: str) -> dict[str, int]:
    """Read the table of one package: the floor of each of its rooms."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition(f"| floor | {package} |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (-?\d+) \| (.+) \|$", table, re.MULTILINE)
    return {room: int(floor) for floor, rooms in rows for room in re.findall(r"`([^`]+)`", rooms)}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(package: str) -> dict[str, Path]:
    return {module_name(path): path for path in sorted((ROOT / package).rglob("*.py"))}


def imported(module: str, path: Path) -> Iterator[str]:
    """Return the full names that a module imports, those for type checkers included."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def room(name: str, rooms: dict[str, int]) -> str | None:
    """Return the longest room that a module is in; None for the package's own names."""
    inside = name.partition(".")[2]
    found = [r for r in rooms if inside == r or inside.startswith(f"{r}.")]
    return max(found, key=len, default=None)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_has_a_floor_and_every_room_a_module(package):
    rooms = floors(package)
    found = {name: room(name, rooms) for name in sources(package) if name != package}
    assert [name for name, where in found.items() if where is None] == []
    assert set(found.values()) == set(rooms)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_downward(package):
    rooms = floors(package)
    upward = []
    for module, path in sources(package).items():
        here = room(module, rooms)
        for name in imported(module, path):
            if here is None or name.split(".")[0] != package or name in NEUTRAL:
                continue
            there = room(name, rooms)
            # What a package offers to its users comes from above all of its rooms.
            if there is None or (here != there and rooms[there] >= rooms[here]):
                upward.append(f"{module} imports {name}: {here} is not above {there or package}")
    assert upward == []


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("speedcheck", {"torch", "trainer", "triton"}), ("trainer", {"speedcheck"})],
)
def test_the_packages_are_tied_by_the_log_format_alone(package, forbidden):
    tied = [
        f"{module} imports {name}"
        for module, path in sources(package).items()
        for name in imported(module, path)
        if name.split(".")[0] in forbidden
    ]
    assert tied == []
