"""The rules verdict: what the logs say of hardware, validation data and program."""

from __future__ import annotations

import pytest

from speedcheck.api import verify

H100 = "NVIDIA H100 80GB HBM3"


@pytest.fixture(autouse=True)
def _environment_known(monkeypatch):
    """The environment of runs is the subject of test_environment.py."""
    monkeypatch.setattr("speedcheck.checks.rules.check_environment", lambda sample: ())


@pytest.fixture
def sub3(build, small_losses):
    """Write a record of the bundled trainer on the track gpt2-small."""

    def write(**options):
        usual = {"recipe": "sub3", "gpus": (H100,) * 8, "val_tokens": 10_485_760, "steps": 1393}
        plan = {"track": "gpt2-small", "recipe": "sub3"}
        return build.record(small_losses, plan=plan, **(usual | options))

    return write


def test_the_bundled_trainer_on_the_tracks_hardware_passes_the_rules(sub3):
    certificate = verify(sub3())
    assert (certificate.verdicts.rules.status, certificate.verdicts.rules.findings) == ("pass", ())
    assert {(run.gpu, run.n_gpus) for run in certificate.runs} == {(H100, 8)}
    assert certificate.certified


@pytest.mark.parametrize("gpus", [(H100,), (H100,) * 4, ("NVIDIA H200",) * 8])
def test_other_hardware_is_a_warning_for_each_run(sub3, findings_of, gpus):
    folder = sub3(gpus=gpus)
    found = findings_of(folder)["R001 wrong-hardware"]
    assert len(found) == 6
    assert found[0].message == (
        f"ran on {len(gpus)} x {gpus[0]}, the track asks for 8 x H100: its time does not count"
    )
    assert verify(folder).verdicts.rules.status == "warn"


def test_hardware_that_no_log_names_is_unknown_and_not_passed(build, findings_of):
    logs = {f"{i}.log": f"s:0 tel:11.0\ns:9536 tel:3.{27 + i}60\n" for i in range(2)}
    folder = build.folder(logs)
    found = findings_of(folder)["R003 hardware-unknown"]
    assert [(f.severity, f.where) for f in found] == [("unknown", "0.log"), ("unknown", "1.log")]
    assert verify(folder).verdicts.rules.status == "unknown"


def test_a_run_on_cpu_is_known_to_be_no_run_on_the_tracks_hardware(sub3, findings_of):
    found = findings_of(sub3(gpus=()))["R001 wrong-hardware"]
    assert found[0].message.startswith("ran on no GPU, the track asks for 8 x H100")


def test_validation_on_another_number_of_tokens_refuses_the_certificate(sub3, findings_of):
    folder = sub3(val_tokens=1_048_576)
    found = findings_of(folder)["R002 wrong-validation"]
    assert found[0].message == "validated on 1048576 tokens, and the track asks for 10485760"
    assert {f.severity for f in found} == {"fail"}
    assert not verify(folder).certified


def test_a_tiny_record_cannot_enter_the_track_of_the_large_model(build, findings_of):
    folder = build.record(plan={"track": "gpt2-small"})
    assert "R002 wrong-validation" in findings_of(folder)
    assert not verify(folder).certified


def test_the_tiny_track_asks_for_no_hardware(build):
    assert verify(build.record()).verdicts.rules.status == "pass"
