"""Log text to runs: what a training log says, read by a grammar and nothing guessed.

`parse_log` and `read_log` give a `LogFile`, whose `Run`s hold the validation losses, the training
time and the environment; what could not be read is in its `problems`. A `ForeignParser` does the
same for the logs of a track with patterns of its own. `docs/log-format.md` is the format of the
bundled trainer; `sections` states the grammar.
"""

from __future__ import annotations

from speedcheck.logs.curves import find_rows, is_large_json
from speedcheck.logs.foreign import ForeignFormat, ForeignParser, TakenLine
from speedcheck.logs.gather import HELD
from speedcheck.logs.line_figures import Columns
from speedcheck.logs.log_file import (
    Environment,
    Header,
    LogFile,
    Problem,
    Run,
    UnreadValidation,
    Validation,
)
from speedcheck.logs.log_text import NotTextError
from speedcheck.logs.parse import (
    MAX_BYTES,
    Parser,
    embedded_program,
    output_lines,
    parse_log,
    program_text,
    read_log,
)
from speedcheck.logs.patterns import FINAL, MEASURE, TIME_UNITS, Expression, LogPattern
from speedcheck.logs.readings import fold
from speedcheck.logs.step_lines import StepLine, parse_step_line
from speedcheck.logs.unread import find_validations, is_known, losses_by_step

__all__ = [
    "FINAL",
    "HELD",
    "MAX_BYTES",
    "MEASURE",
    "TIME_UNITS",
    "Columns",
    "Environment",
    "Expression",
    "ForeignFormat",
    "ForeignParser",
    "Header",
    "LogFile",
    "LogPattern",
    "NotTextError",
    "Parser",
    "Problem",
    "Run",
    "StepLine",
    "TakenLine",
    "UnreadValidation",
    "Validation",
    "embedded_program",
    "find_rows",
    "find_validations",
    "fold",
    "is_known",
    "is_large_json",
    "losses_by_step",
    "output_lines",
    "parse_log",
    "parse_step_line",
    "program_text",
    "read_log",
]
