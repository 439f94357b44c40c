"""The test at every validation step, where the track counts steps."""

from __future__ import annotations

import numpy as np
import pytest

from speedcheck.api import verify
from speedcheck.checks import codes
from speedcheck.rules.tracks import GPT2_SMALL_STEPS
from speedcheck.stats import one_sample_z

LAST = (3.2701, 3.2712, 3.2696)
EARLIER = (3.2751, 3.2760, 3.2748)


@pytest.fixture
def stepped(build, published_log_text):
    """Write a record of the step-count track whose runs validate at 125 and at the end."""

    def write(earlier=EARLIER, last=LAST):
        logs = {
            f"{i}.txt": published_log_text(val_loss=end).replace("4.4043", f"{loss:.4f}")
            for i, (loss, end) in enumerate(zip(earlier, last, strict=True))
        }
        return build.folder({**logs, "record.toml": 'track = "gpt2-small-steps"'})

    return write


def test_the_scan_has_each_common_step_with_its_own_test(stepped):
    loss = verify(stepped()).loss
    assert [row.step for row in loss.scan.rows] == [125, 1393]
    for row, losses in zip(loss.scan.rows, (EARLIER, LAST), strict=True):
        assert row.mean == pytest.approx(np.mean(losses))
        test = one_sample_z(losses, 3.28, GPT2_SMALL_STEPS.sigma)
        assert (row.n, row.p_value) == (3, pytest.approx(test.p_value))
    assert loss.scan.rows[-1].p_value == loss.p_value


def test_the_earliest_step_that_passes_is_named_as_a_choice(stepped, cli):
    folder = stepped()
    (said,) = [f for f in verify(folder).verdicts.findings() if f.code == codes.STEP_SCAN]
    assert said.severity == "info"
    assert "125, chosen among 2 looks" in said.message
    for words in ((), ("--markdown",)):
        assert "125 is the earliest step that passes" in cli("verify", *words, folder).out


def test_where_only_the_last_step_passes_there_is_nothing_to_choose(stepped):
    certificate = verify(stepped(earlier=(3.4, 3.41, 3.42)))
    assert certificate.loss.scan.earliest == 1393
    assert codes.STEP_SCAN not in {f.code for f in certificate.verdicts.findings()}


def test_a_step_that_one_run_did_not_validate_is_left_out(stepped):
    folder = stepped()
    path = folder / "0.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("step:125/")))
    assert [row.step for row in verify(folder).loss.scan.rows] == [1393]


def test_a_track_that_counts_time_has_no_scan(build, cli):
    folder = build.published()
    assert verify(folder).loss.scan is None
    assert "earliest step" not in cli("verify", folder).out
