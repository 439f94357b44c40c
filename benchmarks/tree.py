"""Sizes of a source tree: files, lines and functions of each package, file names used twice.

    python benchmarks/tree.py [TREE]

TREE is the checkout to measure, by default this one; a second checkout gives the figures before.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

PACKAGES = ("speedcheck", "trainer", "bench", "benchmarks", "tests")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def functions(path: Path) -> list[tuple[int, str]]:
    """Return the lines and the place of each function in a file, methods and nested ones too."""
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, _FUNCTIONS) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            found.append((lines, f"{path.name}:{node.name}"))
    return found


def room(path: Path, tree: Path) -> str:
    """Return the package's folder two levels deep: `speedcheck/logs`, or `speedcheck`."""
    return "/".join(path.relative_to(tree).parts[:-1][:2])


def main(tree: Path) -> None:
    """Print one line for each room, and one for each package."""
    rooms: dict[str, list[Path]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((tree / package).rglob("*.py")):
            rooms[room(path, tree)].append(path)
    for name, paths in sorted(rooms.items()):
        print(f"{name:30} {len(paths):4} files {sum(map(_lines, paths)):6} lines")
    for package in PACKAGES:
        paths = [p for paths in rooms.values() for p in paths if tree / package in p.parents]
        if paths:
            _print_package(package, paths)


def _print_package(package: str, paths: list[Path]) -> None:
    sizes = [(_lines(path), path.name) for path in paths]
    bodies = [body for path in paths for body in functions(path)]
    names = Counter(path.name for path in paths if not path.name.startswith("__"))
    print(
        f"{package}: {len(paths)} files, {sum(size for size, _ in sizes)} lines; "
        f"file median {median(size for size, _ in sizes):.0f}, largest {max(sizes)}; "
        f"{len(bodies)} functions, median {median(size for size, _ in bodies):.0f}, "
        f"largest {max(bodies)}; {sum(n > 1 for n in names.values())} file names used twice or more"
    )


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
