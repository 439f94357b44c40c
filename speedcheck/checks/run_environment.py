"""Under which environment were the counted runs made? The ledger says it, a log never does.

A variable such as TORCHINDUCTOR_COORDINATE_DESCENT_TUNING sets up the compiler from outside of the
program, so that a program without any setting shows nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from speedcheck.checks import codes
from speedcheck.program.variables import is_variable
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding
from speedcheck.words import count, join_some

_MOST_SHOWN = 60


def check_environment(sample: Sample) -> Iterator[Finding]:
    """Judge the environment variables of the counted runs on a track that forbids settings."""
    logged = _logged(sample)
    counted = [judged.log or "" for _, judged in sample.counted()]
    unknown = [log for log in counted if log not in logged]
    if unknown:
        message = (
            f"the environment variables of {len(unknown)} of {count(len(counted), 'counted run')} "
            "were not logged: they can set up the compiler"
        )
        yield Finding(codes.ENVIRONMENT_UNKNOWN, "unknown", message, unknown[0])
    runs_with: dict[str, list[str]] = defaultdict(list)
    for log in counted:
        for name, value in logged.get(log, {}).items():
            if is_variable(name):
                runs_with[f"{name}={str(value)[:_MOST_SHOWN]}"].append(log)
    for setting, logs in runs_with.items():
        message = f"{setting} in the environment of {join_some(logs)}: the track allows no setting"
        yield Finding(codes.COMPILER_SETTING, "warn", message, LEDGER_NAME)


def _logged(sample: Sample) -> dict[str, Mapping[str, object]]:
    """Return the environment of each log's run, as the ledger noted it at the start."""
    ledger = sample.record.ledger
    found: dict[str, Mapping[str, object]] = {}
    for entry in ledger.entries if ledger else ():
        environment = entry.details.get("environment")
        if entry.event == "started" and entry.log and isinstance(environment, Mapping):
            found[f"{LOGS_NAME}/{entry.log}"] = environment
    return found
