"""Merged records in a branch: removed, moved, changed, or left alone."""

from __future__ import annotations

import pytest

from speedcheck import cli
from tests.speedcheck.gate.conftest import files_of


def test_a_log_taken_out_of_a_merged_record_closes_the_gate(clone, gate, build):
    clone.commit("merged", files_of(build.record(), "records/old"))
    clone.branch("work")
    clone.git("rm", "--quiet", "records/old/logs/seed-003.txt")
    clone.commit("drop the worst run")
    code, out, _ = gate()
    assert code == 1
    assert "fail records/old" in out
    assert "seed 3 was planned" in out


def test_a_removed_record_closes_the_gate(clone, gate, build):
    clone.commit("merged", files_of(build.record(), "records/old"))
    clone.branch("work")
    clone.git("rm", "-r", "--quiet", "records/old")
    clone.commit("remove")
    code, out, _ = gate()
    assert (code, out.splitlines()[0]) == (1, "fail records/old: the branch removes this record")


@pytest.mark.parametrize("kept", [False, True])
def test_a_record_removed_beside_another_change_closes_the_gate(
    clone, gate, build, small_losses, kept
):
    other = [loss - 0.0001 for loss in small_losses]
    clone.commit("merged", files_of(build.published(name="a"), "records/x/a"))
    clone.commit("merged", files_of(build.published(other, name="b"), "records/x/b"))
    clone.branch("work")
    if not kept:
        clone.git("rm", "-r", "--quiet", "records/x/a")
    clone.commit("tidy", {"records/x/README.md": "# Two records\n"})
    code, out, _ = gate()
    assert "pass records/x/b: " in out
    assert ("fail records/x/a: the branch removes this record" in out) == (not kept)
    assert code == (0 if kept else 1)


def test_a_moved_record_is_judged_where_it_is_and_is_not_removed(clone, gate, build):
    clone.commit("merged", files_of(build.record(), "records/old"))
    clone.branch("work")
    clone.write({"records/2026/README.md": "# 2026\n"})
    clone.git("mv", "records/old", "records/2026/old")
    clone.commit("move")
    code, out, _ = gate()
    assert code == 0
    assert out.startswith("pass records/2026/old: tiny, 8 runs")
    assert "records/old" not in out


@pytest.mark.parametrize("change", ["remove", "edit", "move away"])
def test_a_merged_record_keeps_the_logs_that_counted(clone, gate, build, change):
    clone.commit("merged", files_of(build.published(), "records/old"))
    clone.branch("work")
    log = clone.root / "records/old/01.txt"
    if change == "edit":
        log.write_text(log.read_text().replace("3.2795", "3.2780"))
    elif change == "remove":
        log.unlink()
    else:
        log.rename(clone.root / "worst.txt")
    clone.commit("make it look better")
    assert cli.main(["verify", str(clone.root / "records/old")]) == 0
    code, out, _ = gate()
    assert code == 1
    assert "fail records/old: gpt2-small, " in out
    assert "the branch changes or removes logs that counted: 01.txt" in out


def test_a_log_of_a_merged_record_may_get_another_name(clone, gate, build, published_log_text):
    cut = published_log_text(val_loss=3.3, last_step=1000)
    files = files_of(build.published(), "records/old") | {"records/old/cut.txt": cut}
    clone.commit("merged", files)
    clone.branch("work")
    clone.git("mv", "records/old/01.txt", "records/old/seed-1.txt")
    clone.git("rm", "--quiet", "records/old/cut.txt")
    clone.commit("tidy")
    assert gate()[0] == 0


def test_merged_records_that_the_branch_leaves_alone_are_not_judged(clone, gate, build, losses):
    worse = build.record([loss + 0.5 for loss in losses], name="worse")
    clone.commit("merged", files_of(worse, "records/old"))
    clone.branch("work")
    clone.commit("record", files_of(build.record(), "records/new") | {"records/README.md": "x"})
    code, out, _ = gate()
    assert code == 0
    assert "records/old" not in out
