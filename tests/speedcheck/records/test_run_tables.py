"""A CSV file that repeats the results of logs is a claim about them, and not a log."""

from __future__ import annotations

import pytest

from speedcheck.api import verify

LOSSES = (0.8051, 0.8047, 0.8062, 0.8055)


@pytest.fixture
def folder(build):
    def with_table(losses=LOSSES):
        logs = {
            f"run{i}.log": f"Step 00000 | Validation bpb: 3.2{i}\n"
            f"Step 21400 | Validation bpb: {loss}\nTotal training time: 99.{i}m\n"
            for i, loss in enumerate(LOSSES)
        }
        rows = "".join(f"{i},{loss}\n" for i, loss in enumerate(losses))
        return build.folder({**logs, "results.csv": f"run,val_bpb\n{rows}"})

    return with_table


@pytest.mark.parametrize("digits", [4, 3])
def test_a_table_of_the_final_losses_is_no_run(folder, digits):
    certificate = verify(folder([round(loss, digits) for loss in LOSSES]), track="nanochat")
    assert sorted(run.val_loss for run in certificate.runs) == sorted(LOSSES)
    assert ("losses", "confirmed") in {(c.what, c.status) for c in certificate.claims}


def test_a_table_with_another_loss_stays_evidence(folder):
    certificate = verify(folder([*LOSSES[1:], 0.8011]), track="nanochat")
    assert "results.csv" in {run.log for run in certificate.runs}
