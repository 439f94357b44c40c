"""The base sets the rules and the records to compare with, whatever a branch brings."""

from __future__ import annotations

import pytest

from tests.speedcheck.gate.conftest import files_of

MINE = """
[gate]
track = "mine"
allow_unknown = ["rules"]
[tracks.mine]
target = {}
"""


FAST, SLOW = 87_000, 99_000


def test_a_track_of_the_rules_that_is_not_there_is_an_error_with_its_place(clone, gate):
    clone.commit("typo", {"speedcheck.toml": '[gate.paths."records/**"]\ntrack = "tinny"\n'})
    code, _, err = gate()
    assert code == 2
    assert "speedcheck.toml: [gate] track: no track is called 'tinny'" in err


def test_a_rule_that_the_branch_brings_is_not_obeyed(clone, gate, build):
    clone.branch("work")
    easy = "[tracks.easy]\ntarget = 100.0\nalpha = 0.9\n"
    record = build.record([2.0, 2.1, 2.2], plan={"track": "easy", "recipe": None})
    clone.commit("easy", files_of(record, "records/x") | {"speedcheck.toml": easy})
    code, out, _ = gate()
    assert code == 1
    assert "'easy'" in out


def test_the_rule_is_the_base_s_of_today_and_not_that_of_the_day_the_branch_left(
    clone, gate, build
):
    clone.commit("lax", {"speedcheck.toml": MINE.format(2.5)})
    clone.branch("work")
    record = build.record([2.0, 2.1, 2.2, 2.05], plan={"track": "mine"})
    clone.commit("record", files_of(record, "records/x"))
    assert gate()[0] == 0
    clone.git("checkout", "--quiet", "main")
    clone.commit("strict", {"speedcheck.toml": MINE.format(1.5)})
    clone.git("checkout", "--quiet", "work")
    code, out, _ = gate()
    assert code == 1
    assert "target 1.5" in out


def test_no_rule_beside_the_temporary_files_is_obeyed(clone, gate, build, monkeypatch):
    clone.branch("work")
    clone.commit("record", files_of(build.record(plan={"track": "easy"}), "records/x"))
    clone.write({"speedcheck.toml": "[tracks.easy]\ntarget = 100.0\n", "tmp/x": ""})
    monkeypatch.setattr("tempfile.tempdir", str(clone.root / "tmp"))
    code, out, _ = gate()
    assert code == 1
    assert "no track is called 'easy'" in out


def test_a_project_s_own_track_is_read_from_the_base(clone, gate, build):
    clone.commit("rule", {"speedcheck.toml": MINE.format(2.5)})
    clone.branch("work")
    record = build.record([2.0, 2.1, 2.2, 2.05], plan={"track": "mine"})
    clone.commit("record", files_of(record, "records/x") | {"speedcheck.toml": ""})
    assert gate()[0] == 0


def test_the_fastest_merged_record_of_the_track_is_the_one_to_compare_with(
    clone, gate, build, log_text, losses, tmp_path
):
    for name, time_ms in (("slow", SLOW), ("fast", FAST), ("middle", (SLOW + FAST) // 2)):
        logs = {
            seed: log_text(seed=seed, val_loss=loss, time_ms=time_ms + seed)
            for seed, loss in enumerate(losses)
        }
        record = build.record(losses, name=name, logs=logs)
        clone.commit(name, files_of(record, f"records/{name}"))
    clone.branch("work")
    clone.commit("record", files_of(build.record(name="new"), "records/new"))
    comment = tmp_path / "comment.md"
    assert gate("--comment", str(comment))[0] == 0
    assert "`records/fast`" in comment.read_text()


def test_a_named_baseline_comes_from_the_base(clone, gate, build, tmp_path):
    clone.commit("merged", files_of(build.record(name="old"), "records/old"))
    clone.branch("work")
    record = build.record(name="new", plan={"baseline": "../old"})
    clone.commit("record", files_of(record, "records/new"))
    comment = tmp_path / "comment.md"
    gate("--comment", str(comment))
    body = comment.read_text()
    assert "`records/old`" in body
    assert "L009 loss-against-baseline" in body
    assert "speedcheck-gate-" not in body, "a path of this machine tells a reader nothing"


@pytest.mark.parametrize(
    ("named", "complaint"),
    [
        ("../nowhere", "records/nowhere is not in the base"),
        ("../../../etc", "leaves the repository"),
        ("/etc", "leaves the repository"),
        ("../mine", "records/mine is not in the base"),
    ],
)
def test_a_baseline_that_the_base_does_not_hold_closes_the_gate(
    clone, gate, build, named, complaint
):
    clone.branch("work")
    record = build.record(name="new", plan={"baseline": named})
    own = files_of(build.record(name="mine"), "records/mine")
    clone.commit("record", files_of(record, "records/new") | own)
    code, out, _ = gate()
    assert code == 1
    assert complaint in out
