"""How were the times measured: by runs of their own, by a worker, on GPUs that they shared?"""

from __future__ import annotations

from speedcheck.checks import codes
from speedcheck.sample import Sample
from speedcheck.sample.ledger_notes import RunNote, notes_by_log
from speedcheck.stats.trend import trend
from speedcheck.verdicts import Finding


def check_measured(sample: Sample) -> list[Finding]:
    """Mark the times of counted runs that were not measured as a record's are."""
    return [*_by_worker(sample), *_side_by_side(sample)]


def shared_gpus(sample: Sample) -> str:
    """Return how counted runs shared the GPUs of their machine; "" where none did."""
    notes = notes_by_log(sample.record.ledger)
    shares = [
        max(
            run.header.side_by_side if run.header else 1,
            notes.get(run.log, RunNote()).side_by_side,
        )
        for run, _ in sample.counted()
    ]
    most = max(shares, default=1)
    if most < 2:
        return ""
    sharing, runs = sum(share > 1 for share in shares), len(sample.counted())
    return f"{sharing} of {runs} runs shared their machine's GPUs, up to {most} at a time"


def _side_by_side(sample: Sample) -> list[Finding]:
    shared = shared_gpus(sample)
    if not shared:
        return []
    message = f"{shared}: their losses count, their times are not those of a record"
    return [Finding(codes.SIDE_BY_SIDE, "unknown", message)]


def _by_worker(sample: Sample) -> list[Finding]:
    """Show the times against the order; a worker of one run is a process like any other."""
    headers = [(run.header, judged) for run, judged in sample.counted() if run.header]
    workers = [header.worker for header, _ in headers if header.worker]
    longest = max((header.worker_order or 1 for header, _ in headers), default=1)
    if longest < 2:
        return []
    count = len(set(workers))
    by = "one worker" if count == 1 else f"{count} workers"
    message = (
        f"{len(workers)} of {len(sample.counted())} times were measured by {by}, which trained up "
        f"to {longest} runs in one process"
    )
    return [Finding(codes.WORKER_TIMES, "info", message + _against_order(sample))]


def _against_order(sample: Sample) -> str:
    points = [
        (run.header.worker_order, judged.train_time_ms / 1000, run.header.worker)
        for run, judged in sample.counted()
        if run.header and run.header.worker_order and judged.train_time_ms is not None
    ]
    if not points:
        return ""
    line = trend(*zip(*points, strict=True))
    if line is None:
        return ""
    return (
        f"; a run takes {line.slope:+.3g} s for each run before it in its worker "
        f"(95 % interval {line.low:+.3g} to {line.high:+.3g} s)"
    )
