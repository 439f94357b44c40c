"""The runs of records as a pandas table, one row a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from speedcheck.certificate import Certificate
from speedcheck.report.text import ABSENT, inert, printable

if TYPE_CHECKING:
    import pandas as pd

_DTYPES = {
    "record": "string[python]",
    "log": "string[python]",
    "run": "Int64",
    "seed": "Int64",
    "val_loss": "Float64",
    "train_time_ms": "Float64",
    "final_step": "Int64",
    "total_steps": "Int64",
    "complete": "boolean",
    "counted": "boolean",
    "reason": "string[python]",
    "gpu": "string[python]",
    "n_gpus": "Int64",
    "torch": "string[python]",
    "source_sha256": "string[python]",
}
# What fits on a terminal.
_SHORT = ["log", "run", "seed", "val_loss", "train_time_ms", "final_step", "total_steps", "counted"]


def runs_table(certificates: list[Certificate]) -> pd.DataFrame:
    """Return one row a run with the columns of `JudgedRun`, behind the record's name."""
    import pandas as pd  # noqa: PLC0415 - half a second that other commands need not wait

    rows = [{"record": c.record, **asdict(run)} for c in certificates for run in c.runs]
    # As objects first: a file name that is no text is no string of pyarrow's.
    return pd.DataFrame(rows, columns=list(_DTYPES), dtype=object).astype(_DTYPES)


def format_csv(certificates: list[Certificate]) -> str:
    """Return the whole table as CSV; what a log does not say is an empty field."""
    text = runs_table(certificates).to_csv(index=False)
    # A file name need not be text, and a strict stream would refuse it.
    return inert(text.encode("utf-8", "backslashreplace").decode())


def format_table(certificates: list[Certificate]) -> str:
    """Return the columns that fit on a terminal as aligned text."""
    table = runs_table(certificates)[_SHORT]
    if table.empty:
        return "no runs\n"
    text = table.astype(object).where(table.notna(), ABSENT).to_string(index=False)
    return inert("\n".join(printable(line) for line in text.splitlines()) + "\n")
