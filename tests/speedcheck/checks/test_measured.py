"""Times by a worker and times of runs side by side are marked."""

from __future__ import annotations

import re

from speedcheck.api import verify


def record(build, log_text, header, *, times=(9000, 9200, 9400, 9600)):
    """A record whose logs have further header lines, by their place."""
    logs = {
        seed: log_text(seed=seed, val_loss=1.1 + seed / 100, time_ms=time, header=header(seed))
        for seed, time in enumerate(times)
    }
    return build.record([1.1, 1.11, 1.12, 1.13], logs=logs)


def speed(folder):
    verdict = verify(folder).verdicts.speed
    return verdict.status, {finding.code.split()[0]: finding for finding in verdict.findings}


def test_times_by_a_worker_are_marked_with_their_slope(build, log_text):
    folder = record(build, log_text, lambda seed: {"worker": {"id": "w", "order": seed + 1}})
    _, findings = speed(folder)
    assert findings["S008"].severity == "info"
    message = findings["S008"].message
    assert message.startswith("4 of 4 times were measured by one worker, which trained up to 4")
    slope, low, high = map(float, re.findall(r"[+-][\d.e-]+", message))
    assert slope == low == high == 0.2  # 0.2 s more from each run to the next, without noise


def test_workers_of_one_run_each_are_separate_processes(build, log_text):
    folder = record(build, log_text, lambda seed: {"worker": {"id": f"w{seed}", "order": 1}})
    assert "S008" not in speed(folder)[1]


def test_the_number_of_workers_is_told(build, log_text):
    def header(seed):
        return {"worker": {"id": "ab"[seed % 2], "order": seed // 2 + 1}} if seed else {}

    _, findings = speed(record(build, log_text, header))
    assert findings["S008"].message.startswith("3 of 4 times were measured by 2 workers, which")


def test_times_of_runs_side_by_side_leave_the_speed_unknown(build, log_text):
    folder = record(build, log_text, lambda seed: {"side_by_side": 4} if seed else {})
    status, findings = speed(folder)
    assert (status, findings["S009"].severity) == ("unknown", "unknown")
    assert "3 of 4 runs shared their machine's GPUs, up to 4 at a time" in findings["S009"].message
    assert verify(folder).verdicts.loss.status == "pass"


def test_times_of_runs_side_by_side_are_not_compared(build, log_text):
    record(build, log_text, lambda seed: {}).rename(build.path / "baseline")
    folder = record(build, log_text, lambda seed: {"side_by_side": 2})
    plan = folder / "record.toml"
    plan.write_text(plan.read_text() + '\nbaseline = "../baseline"\n')
    _, findings = speed(folder)
    assert "shared their machine's GPUs" in findings["S006"].message


def test_a_run_of_its_own_is_not_marked(build, log_text):
    assert not {"S008", "S009"} & set(speed(record(build, log_text, lambda seed: {}))[1])
