"""The speed verdict: the times of the counted runs."""

from __future__ import annotations

import numpy as np
import pytest

from speedcheck.api import verify


def test_runtime_statistics_are_numpys_on_the_counted_runs_in_seconds(build, published_log_text):
    folder = build.published()
    (folder / "cut.txt").write_text(published_log_text(time_ms=1, last_step=1000))
    runtime = verify(folder).runtime
    seconds = np.array([179_800, 179_801, 179_802, 179_803, 179_804, 179_805]) / 1000
    assert runtime.n == 6
    assert [runtime.mean_s, runtime.std_s, runtime.median_s] == pytest.approx(
        [seconds.mean(), seconds.std(ddof=1), np.median(seconds)], rel=1e-12
    )
    assert (runtime.min_s, runtime.max_s) == (179.8, 179.805)


def test_speed_without_a_baseline_is_unknown_and_never_passed(build, findings_of):
    folder = build.published()
    (finding,) = findings_of(folder)["S002 no-baseline"]
    assert finding.severity == "unknown"
    assert verify(folder).verdicts.speed.status == "unknown"


def test_logs_without_times_leave_the_speed_unknown(build, findings_of):
    folder = build.folder({"main.log": "s:0 tel:11.0\ns:9536 tel:3.2760\n"})
    assert findings_of(folder)["S001 no-times"][0].severity == "unknown"
    assert verify(folder).runtime is None
