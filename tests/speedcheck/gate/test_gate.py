"""The gate on real branches, good and bad."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from speedcheck import cli
from tests.speedcheck.gate.conftest import files_of


def test_a_branch_without_a_record_passes(clone, gate):
    clone.branch("work")
    clone.commit("no record", {"src/main.py": "", "records/README.md": "# Records\n"})
    code, output, _ = gate()
    assert code == 0
    assert output.splitlines() == [
        "note: 1 file changed outside of the records, not judged: src/main.py",
        "gate: pass (no record is added, changed or removed)",
    ]


def test_a_good_record_passes(clone, gate, build):
    clone.branch("work")
    clone.commit("record", files_of(build.record(), "records/new"))
    code, out, err = gate()
    assert (code, err) == (0, "")
    assert out.startswith("pass records/new: tiny, 8 runs, mean 1.")
    assert out.endswith("\ngate: pass (1 record)\n")


def test_quiet_prints_the_decision_alone(clone, gate, build):
    clone.branch("work")
    clone.commit("record", files_of(build.record(), "records/new"))
    assert gate("--quiet") == (0, "gate: pass (1 record)\n", "")


def test_a_record_that_misses_its_target_closes_the_gate(clone, gate, build, losses):
    clone.branch("work")
    worse = [loss + 0.5 for loss in losses]
    clone.commit("records", files_of(build.record(worse), "records/bad"))
    code, out, _ = gate()
    assert code == 1
    assert out.startswith("fail records/bad: tiny, 8 runs, mean 1.")
    assert "L005 not-significant: p = " in out
    assert out.endswith("\ngate: fail (1 of 1 record rejected)\n")


def test_a_record_of_unknown_provenance_closes_the_gate(clone, gate, build, log_text, losses):
    clone.branch("work")
    logs = {f"{s}.txt": log_text(seed=s, val_loss=x, time_ms=s) for s, x in enumerate(losses)}
    clone.commit("logs alone", files_of(build.folder(logs), "records/x"))
    assert cli.main(["verify", str(clone.root / "records/x")]) == 0
    code, out, _ = gate()
    assert code == 1
    assert "P021 no-ledger" in out


def test_the_committed_files_are_judged_and_not_the_checkout(clone, gate, build):
    clone.branch("work")
    clone.commit("record", files_of(build.record(), "records/new"))
    (clone.root / "records/new/logs/seed-000.txt").write_text("changed after the commit")
    assert gate()[0] == 0


def test_files_that_are_not_committed_are_said_not_to_be_judged(clone, gate, build, tmp_path):
    clone.write(files_of(build.published(), "records/x|<b>"))
    comment = tmp_path / "comment.md"
    code, out, _ = gate("--comment", str(comment))
    assert code == 0
    first, last = out.splitlines()
    assert first.startswith("note: 6 files not committed and so not judged: records/x|<b>/00.txt")
    assert last == "gate: pass (no record is added, changed or removed)"
    assert "<b>" not in MarkdownIt("commonmark").render(comment.read_text())
    assert "note" not in gate("--head", "main~1")[1], "the checkout is of another commit"


def test_seeds_declarations_and_certificates_are_said_and_close_nothing(clone, gate, build):
    clone.branch("work")
    record = build.record(name="new")
    (record / "certificate.json").write_text('{"certified": false}')
    clone.commit("record", files_of(record, "records/new"))
    code, out, _ = gate()
    assert code == 0
    assert "     certificate.json differs from what the logs give; it is not used\n" in out


def test_a_link_in_a_record_is_never_followed(clone, gate, build, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("step:9/9 val_loss:0.0001 train_time:1ms step_avg:1ms\n")
    clone.branch("work")
    clone.write(files_of(build.record(), "records/x"))
    (clone.root / "records/x/logs/more.txt").symlink_to(secret)
    clone.commit("link")
    code, out, _ = gate()
    assert "0.0001" not in out
    assert code == 1
    assert "links are not followed: logs/more.txt" in out


@pytest.mark.parametrize("outside", [False, True])
def test_a_record_folder_made_a_link_is_not_what_the_link_leads_to(
    clone, gate, build, tmp_path, outside
):
    clone.commit("merged", files_of(build.published(name="old"), "records/old"))
    clone.branch("work")
    clone.git("rm", "-r", "--quiet", "records/old")
    better = build.published([3.1, 3.11, 3.12], name="better")
    (clone.root / "records").mkdir(exist_ok=True)
    (clone.root / "records/old").symlink_to(better if outside else "../elsewhere")
    clone.commit("link", {} if outside else files_of(better, "elsewhere"))
    code, out, _ = gate()
    assert code == 1
    assert "fail records: links are not followed: old\n" in out
    assert "fail records/old: the branch removes this record\n" in out


def test_a_linked_plan_names_no_baseline(clone, gate, build, tmp_path):
    (tmp_path / "secret.toml").write_text('baseline = "../secret-name"')
    clone.branch("work")
    clone.write(files_of(build.published(), "records/x"))
    (clone.root / "records/x/record.toml").symlink_to(tmp_path / "secret.toml")
    clone.commit("link")
    code, out, _ = gate()
    assert code == 1
    assert "is a link: links are not followed (record.toml)" in out
    assert "secret-name" not in out


@pytest.mark.parametrize(
    ("limit", "value", "complaint"),
    [
        ("MAX_SUBMISSION_BYTES", 3 << 20, "6 MiB of files, more than 3; split"),
        ("MAX_LEVELS", 3, "a file stands more than 3 folders deep; put"),
    ],
)
def test_a_submission_that_would_fill_the_machine_is_refused(
    clone, gate, monkeypatch, limit, value, complaint
):
    monkeypatch.setattr(f"speedcheck.gate.workplace.{limit}", value)
    clone.branch("work")
    # git stores one object for all.
    clone.commit("large", {f"records/x/y/{index}": bytes(1 << 20) for index in range(6)})
    code, out, _ = gate()
    assert code == 1
    assert out.startswith(f"fail records/x: {complaint}")


def test_a_name_too_long_for_the_machine_closes_the_gate_for_its_record_alone(clone, gate, build):
    clone.branch("work")
    clone.commit("good", files_of(build.published(), "records/good"))
    blob = clone.git("hash-object", "-w", "README.md")
    entry = f"100644,{blob},records/long/{'x' * 300}.txt"
    clone.git("update-index", "--add", "--cacheinfo", entry)
    clone.git("commit", "--quiet", "--message", "long")
    code, out, err = gate()
    assert (code, err) == (1, "")
    assert "pass records/good" in out
    assert "cannot be written here (File name too long)" in out


def test_a_submission_of_too_many_files_is_refused_with_its_code(
    clone, gate, build, tmp_path, monkeypatch, small_losses
):
    monkeypatch.setattr("speedcheck.gate.workplace.MAX_FILES", 8)
    for name, better in (("a", 0.0), ("b", 0.0003)):
        losses = [loss - better for loss in small_losses]
        clone.commit("merged", files_of(build.published(losses, name), f"records/{name}"))
    clone.branch("work")
    losses = [loss - 0.0005 for loss in small_losses]
    clone.commit("small", files_of(build.published(losses, "c"), "records/c"))
    assert gate()[0] == 0, "what was merged before counts for nobody"
    clone.commit("large", files_of(build.published([3.27] * 9, name="d"), "records/d"))
    comment = tmp_path / "comment.md"
    code, out, _ = gate("--comment", str(comment))
    assert code == 1
    for text in (out, comment.read_text()):
        assert "P025 too-many-files: 9 files, more than 8; split the submission" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--base", "nowhere"], "git knows no commit 'nowhere'"),
        (["--head", "--all"], "git knows no commit '--all'"),
        (["/etc"], "is not a folder inside the repository"),
        (["../x"], "is not a folder inside the repository"),
        (["recrods"], "'recrods' is in neither base nor head"),
        (["README.md"], "'README.md' is in neither base nor head"),
        (["--comment", "/proc/none/x"], "its folder does not exist; name another file"),
    ],
)
def test_a_call_that_cannot_be_used_is_one_line(gate, arguments, complaint):
    code, _, err = gate(*arguments)
    assert code == 2
    assert err.startswith("speedcheck: error: ")
    assert complaint in err
    assert err.count("\n") == 1


def test_outside_a_repository_the_gate_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gate"]) == 2
    assert "is not in a git repository" in capsys.readouterr().err


def test_on_github_the_base_is_that_of_the_pull_request(clone, gate, build, monkeypatch, losses):
    clone.branch("release")
    older = [loss + 0.001 for loss in losses]
    clone.commit("merged there", files_of(build.record(older, name="old"), "records/old"))
    clone.git("update-ref", "refs/remotes/origin/release", "HEAD")
    clone.branch("work")
    clone.commit("record", files_of(build.record(name="new"), "records/new"))
    monkeypatch.setenv("GITHUB_BASE_REF", "release")
    out = gate()[1]
    assert "pass records/new" in out
    assert "fail" not in out
    assert "pass records/old" not in out


def test_no_process_of_the_gate_runs_what_the_branch_brings(clone, gate, build, tmp_path):
    proof = tmp_path / "ran"
    clone.branch("work")
    files = files_of(build.record(), "records/x")
    hostile = f"import pathlib\npathlib.Path({str(proof)!r}).touch()\n"
    for name in ("sitecustomize.py", "speedcheck.py", "numpy.py", "records/x/conftest.py"):
        files[name] = hostile
    clone.commit("record", files)
    here = str(Path(__file__).parents[3])
    call = "from speedcheck import cli; sys.exit(cli.main(['gate']))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {here!r}); {call}"],
        cwd=clone.root,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("GITHUB")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not proof.exists()
