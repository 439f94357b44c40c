"""Runs as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from speedcheck.logs.model import Run

DTYPES = {
    "log": "string",
    "run": "Int64",
    "format": "string",
    "seed": "Int64",
    "val_loss": "float64",
    "train_time_ms": "float64",
    "final_step": "Int64",
    "total_steps": "Int64",
    "last_step": "Int64",
    "complete": "boolean",
    "diverged": "boolean",
    "gpu": "string",
    "n_gpus": "Int64",
    "torch": "string",
    "python": "string",
    "step_avg_ms": "float64",
    "n_validations": "Int64",
    "peak_memory_mib": "Int64",
    "source_sha256": "string",
}
"""Columns in their order. Missing integers and truth values stay missing (pandas' own types)."""


def runs_table(runs: Iterable[Run]) -> pd.DataFrame:
    """One row a run, with the columns and types of `DTYPES`.

    A loss or a time that a log does not give is nan, and so is the loss of a run that diverged to
    nan: `diverged` tells them apart.
    """
    import pandas as pd  # noqa: PLC0415  (0.5 s, which `speedcheck --help` need not wait for)

    table = pd.DataFrame([_row(run) for run in runs], columns=list(DTYPES))
    return table.astype(DTYPES)


def _row(run: Run) -> dict[str, Any]:
    environment = run.environment
    return {
        "log": run.log,
        "run": run.index,
        "format": run.format,
        "seed": run.header.seed if run.header else None,
        "val_loss": run.val_loss,
        "train_time_ms": run.train_time_ms,
        "final_step": run.final_step,
        "total_steps": run.total_steps,
        "last_step": run.last_step,
        "complete": run.complete,
        "diverged": run.diverged,
        "gpu": environment.gpu,
        "n_gpus": environment.n_gpus,
        "torch": environment.torch,
        "python": environment.python,
        "step_avg_ms": run.final.step_avg_ms if run.final else None,
        "n_validations": len(run.validations),
        "peak_memory_mib": run.peak_memory_mib,
        "source_sha256": run.source_sha256,
    }
