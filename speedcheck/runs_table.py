"""The runs of records as a pandas table, one row a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from speedcheck.certificate import Certificate

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
    "exclusion": "string[python]",
    "group": "string[python]",
    "outside_clock_s": "Float64",
}


def runs_table(certificates: list[Certificate]) -> pd.DataFrame:
    """Return one row a run with the columns of `JudgedRun`, behind the record's name."""
    import pandas as pd  # noqa: PLC0415 - half a second that other commands need not wait

    rows = [{"record": c.record, **asdict(run)} for c in certificates for run in c.runs]
    # As objects first: pyarrow's strings cannot hold a file name that is not text.
    return pd.DataFrame(rows, columns=list(_DTYPES), dtype=object).astype(_DTYPES)
