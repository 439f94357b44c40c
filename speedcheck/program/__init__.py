"""The program that a log embeds: parsed with `ast`, never executed.

`read_program` gives what the rules ask of it, `compare` how two programs differ, `code_digest` and
`data_loader_fingerprint` tell one program, or one data loader, from another. docs/rules.md says
what is read, how, and what cannot be seen.
"""

from __future__ import annotations

from speedcheck.program.diff import KINDS, Difference, Kind, compare, differences
from speedcheck.program.loader import data_loader_fingerprint, loader_definitions
from speedcheck.program.normal import code_digest, digests
from speedcheck.program.program_sources import Source, Sources, read_program
from speedcheck.program.syntax import Program, Setting, TokenCount, UnreadableProgramError

__all__ = [
    "KINDS",
    "Difference",
    "Kind",
    "Program",
    "Setting",
    "Source",
    "Sources",
    "TokenCount",
    "UnreadableProgramError",
    "code_digest",
    "compare",
    "data_loader_fingerprint",
    "differences",
    "digests",
    "loader_definitions",
    "read_program",
]
