"""README.md of a record folder: the evidence in the form in which the competition posts it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from speedcheck.certificate import Certificate
from speedcheck.records.record_folder import Record
from speedcheck.report.certificate_figures import steps
from speedcheck.report.headline import headline
from speedcheck.report.wording import number
from speedcheck.stats import Estimate

# Prints the lines below it from the logs alone, with nothing of speedcheck. The quotes inside the
# f-string are of the other kind, so that Python 3.11 runs it too.
_SHELL_LINE = (
    'grep -h "{last} val" logs/* | python -c "import sys; ss = list(sys.stdin); '
    "accs = [float(s.split()[1].split(':')[1]) for s in ss]; print(accs); import scipy.stats; "
    "mvs = scipy.stats.bayes_mvs(accs); print(mvs[0]); print(mvs[2]); "
    "p = scipy.stats.ttest_1samp(accs, {target!r}, alternative='less').pvalue; "
    "print(f'p={{p:.4f}}')\""
)


_FILES = (
    "`speedcheck verify` on this folder repeats the judgement from the logs; `certificate.json` "
    "holds it in full, `ledger.jsonl` what was planned and how each run ended."
)


def readme(
    certificate: Certificate,
    record: Record,
    command: str,
    pictures: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the README of a record that `speedcheck run` made.

    Args:
        certificate: the judgement of the record.
        record: the record as it was read.
        command: the command that made it.
        pictures: title and file of each picture that it shows.
    """
    parts = [
        f"# {certificate.record}",
        f"**{headline(certificate)}**",
        f"## Evidence for < {certificate.target:g} mean loss",
        *(_loss_evidence(certificate) if _has_step_lines(record) else ()),
        *_runtime_evidence(certificate),
        *(f"![{title}]({file})" for title, file in pictures),
        "## Runs",
        _run_table(certificate),
        "## How it was made",
        _fence(f"$ {command}", "bash"),
        *_environment(record),
        _FILES,
    ]
    return "\n\n".join(parts) + "\n"


def shell_line(certificate: Certificate) -> str | None:
    """Return the shell line that recomputes the loss evidence in the record's folder.

    None where no such line can be: the counted runs end at different steps, the test is not
    defined for their losses, or the track's test is another one.
    """
    last = {steps(run) for run in certificate.counted if run.complete}
    if len(last) != 1 or certificate.loss.t is None or certificate.direction != "less":
        return None
    return _SHELL_LINE.format(last=last.pop(), target=certificate.target)


def _loss_evidence(certificate: Certificate) -> list[str]:
    loss, line = certificate.loss, shell_line(certificate)
    if line is None or loss.p_value is None:
        return []
    lines = [f"$ {line}", str([run.val_loss for run in certificate.counted])]
    if loss.bayes_mean and loss.bayes_std:
        lines.append(f"Mean({_estimate(loss.bayes_mean)})")
        lines.append(f"Std_dev({_estimate(loss.bayes_std)})")
    lines.append(f"p={loss.p_value:.4f}")
    return [_fence("\n".join(lines), "bash"), f"In five digits p is {loss.p_value:.5g}."]


def _has_step_lines(record: Record) -> bool:
    """Return whether the shell line can read the logs: all are of the competition's format."""
    return all(run.format == "modded" for log in record.logs for run in log.runs)


def _estimate(estimate: Estimate) -> str:
    # Of two losses scipy prints the posterior's mean, which does not exist, as infinite.
    mean = math.inf if estimate.estimate is None else estimate.estimate
    shown, low, high = (f"np.float64({x!r})" for x in (mean, estimate.low, estimate.high))
    return f"statistic={shown}, minmax=({low}, {high})"


def _runtime_evidence(certificate: Certificate) -> list[str]:
    runtime = certificate.runtime
    if runtime is None:
        return []
    lines = [f"Mean runtime: {runtime.mean_s:.4g} seconds"]
    if runtime.std_s is not None:
        lines.append(f"Stddev: {runtime.std_s * 1000:.0f}ms")
    return [_fence("\n".join(lines))]


def _run_table(certificate: Certificate) -> str:
    rows = ["| seed | val_loss | time [s] | step | log | |", "|---:|---:|---:|---:|---|---|"]
    for run in certificate.runs:
        seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
        note = run.reason if run.counted else f"not counted: {run.reason}"
        seed = "" if run.seed is None else run.seed
        loss = "not finite" if run.val_loss is None and run.counted else run.val_loss
        rows.append(
            f"| {seed} | {loss} | {number(seconds, '.3f')} | {steps(run)} | {run.log} | {note} |"
        )
    return "\n".join(rows)


def _environment(record: Record) -> list[str]:
    """Return what ran, from the first log that says it."""
    run = next((run for log in record.logs for run in log.runs if run.header), None)
    if run is None or run.header is None:
        return []
    header, environment = run.header, run.environment
    gpus = f"{environment.n_gpus} x {environment.gpu}" if environment.gpu else "no GPU"
    commit = header.git_commit or "none"
    line = (
        f"Recipe {header.recipe}; PyTorch {environment.torch}; {gpus}; commit {commit}; "
        f"source sha256 {header.source_sha256}."
    )
    return [line]


def _fence(text: str, language: str = "") -> str:
    return f"```{language}\n{text}\n```"
