"""The data loader of a program: what reads the shards, found by its name, and what that uses."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from speedcheck.program.names import Names
from speedcheck.program.normal import Atom, normal_form, numbered, printed, sha256
from speedcheck.program.syntax import Program, names_of

# Of a name in lower case without underscores: DistributedDataLoader, distributed_data_generator,
# _load_data_shard, TokenStream, BOSFinder.
_LOADER = re.compile(
    r"data(?:generator|iterator|loader|preloader|reader|set|shard|stream)"
    r"|(?:load|open|peek|read)\w{0,40}shard|shard(?:loader|reader|s?$)"
    r"|batch(?:generator|iterator|loader)|tokenstream|bosfinder"
)

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def data_loader_fingerprint(program: Program) -> str | None:
    """Return a digest of the data loader's code; None where none is found.

    Comments, layout, docstrings and the names of local variables do not change it.

    Raises:
        UnreadableProgramError: the program cannot be parsed.
    """
    definitions = loader_definitions(program)
    if not definitions:
        return None
    return sha256(f"{name} {digest}" for name, digest in sorted(definitions.items()))


def loader_definitions(program: Program) -> Mapping[str, str]:
    """Return digests of the functions and classes that load data, by their names.

    Those are the top-level ones with a name such as DistributedDataLoader, and the top-level ones
    that they use, wherever these are named again.

    Raises:
        UnreadableProgramError: the program cannot be parsed.
    """
    names = names_of(program.text)
    return {node.name: _digest(node, names) for node in _loader(names)}


def _loader(names: Names) -> list[_Definition]:
    known = {node.name: node for node in names.tree.body if isinstance(node, _Definition)}
    found: dict[str, _Definition] = {}
    waiting = [name for name in known if _LOADER.search(name.lower().replace("_", ""))]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = known[name]
            waiting.extend(_used(known[name], names) & known.keys())
    return list(found.values())


def _used(definition: _Definition, names: Names) -> set[str]:
    """The names of the module that occur in a definition; not its own variables of such a name."""
    found = (node for node in ast.walk(definition) if isinstance(node, ast.Name))
    module = names.scopes[0]
    return {node.id for node in found if names.scope_of[node].owner(node.id) is module}


def _digest(node: _Definition, names: Names) -> str:
    numbers: dict[object, int] = {}

    def text(atom: Atom) -> str:
        is_local = atom.kind == "name" and isinstance(atom.value, tuple) and atom.value[0] > 0
        return numbered(atom, numbers) if is_local else printed(atom)

    return sha256(map(text, normal_form(node, names)))
