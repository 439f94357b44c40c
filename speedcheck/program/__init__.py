"""The program that a log embeds: parsed with `ast`, never executed.

`read_program` gives what the rules ask of it, `compare` how two programs differ, and
`data_loader_fingerprint` tells one data loader from another. docs/rules.md says what is read, how,
and what cannot be seen.
"""

from __future__ import annotations

from speedcheck.program.compare import KINDS, Difference, compare
from speedcheck.program.loader import data_loader_fingerprint, loader_definitions
from speedcheck.program.model import Program, Setting, TokenCount
from speedcheck.program.read import read_program

__all__ = [
    "KINDS",
    "Difference",
    "Program",
    "Setting",
    "TokenCount",
    "compare",
    "data_loader_fingerprint",
    "loader_definitions",
    "read_program",
]
