"""Statistical record validation for training speedruns.

    import speedcheck

    speedcheck.verify("records/x/").certified
    speedcheck.certify([3.2777, 3.2795, 3.2784], target=3.28).loss.p_value
    speedcheck.read("records/x/").val_loss.mean()

Names are loaded when they are first used, so that `speedcheck --help` need not wait for scipy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speedcheck.api import LossCertificate, certify, certify_sequentially, read, verify
    from speedcheck.certificate import Certificate, Claim, JudgedRun
    from speedcheck.comparison.compare_folders import compare
    from speedcheck.comparison.record_comparison import RecordComparison
    from speedcheck.errors import (
        InputError,
        LaunchError,
        RecordError,
        SpeedcheckError,
        UsageError,
    )
    from speedcheck.planning.plan_runs import plan
    from speedcheck.planning.planned import Plan
    from speedcheck.races.race_result import RaceResult
    from speedcheck.races.read_race import read_race
    from speedcheck.verdicts import Finding, Verdict, Verdicts

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "Claim",
    "Finding",
    "InputError",
    "JudgedRun",
    "LaunchError",
    "LossCertificate",
    "Plan",
    "RaceResult",
    "RecordComparison",
    "RecordError",
    "SpeedcheckError",
    "UsageError",
    "Verdict",
    "Verdicts",
    "__version__",
    "certify",
    "certify_sequentially",
    "compare",
    "plan",
    "read",
    "read_race",
    "verify",
]

_MODULES = {
    "speedcheck.api": ("LossCertificate", "certify", "certify_sequentially", "read", "verify"),
    "speedcheck.certificate": ("Certificate", "Claim", "JudgedRun"),
    "speedcheck.comparison.compare_folders": ("compare",),
    "speedcheck.comparison.record_comparison": ("RecordComparison",),
    "speedcheck.errors": (
        "InputError",
        "LaunchError",
        "RecordError",
        "SpeedcheckError",
        "UsageError",
    ),
    "speedcheck.planning.planned": ("Plan",),
    "speedcheck.planning.plan_runs": ("plan",),
    "speedcheck.races.race_result": ("RaceResult",),
    "speedcheck.races.read_race": ("read_race",),
    "speedcheck.verdicts": ("Finding", "Verdict", "Verdicts"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Its objects then show themselves in notebooks.
    import_module("speedcheck.report.notebook_tables")
    return getattr(import_module(_HOME[name]), name)
