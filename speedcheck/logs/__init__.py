"""Log text to runs: what a training log says, read by a grammar and nothing guessed.

`parse_log` and `read_log` give a `LogFile`, whose `Run`s hold the validation losses, the training
time and the environment; what could not be read is in its `problems`. `docs/log-format.md`
is the format of the bundled trainer; `sections` states the grammar.
"""

from __future__ import annotations

from speedcheck.logs.lines import StepLine, parse_step_line
from speedcheck.logs.model import (
    Environment,
    Header,
    LogFile,
    Problem,
    Run,
    Validation,
)
from speedcheck.logs.parse import Parser, parse_log, program_text, read_log

__all__ = [
    "Environment",
    "Header",
    "LogFile",
    "Parser",
    "Problem",
    "Run",
    "StepLine",
    "Validation",
    "parse_log",
    "parse_step_line",
    "program_text",
    "read_log",
]
