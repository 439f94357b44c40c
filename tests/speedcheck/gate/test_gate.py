"""The gate on real branches, good and bad."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from markdown_it import MarkdownIt

from speedcheck import cli, verify
from speedcheck.gate.decision import Decision
from speedcheck.gate.objection import Objection
from speedcheck.report.certificate_markdown import MAX_CHARACTERS
from speedcheck.report.gate_text import gate_markdown

MINE = """
[gate]
track = "mine"
allow_unknown = ["rules"]
[tracks.mine]
target = {}
"""
FAST, SLOW = 87_000, 99_000

# The logs of these tests hold no whole program; what is asked of one is test_submissions.py's.
LAX = """
[gate]
track = ["gpt2-small", "tiny"]
allow_unknown = ["rules", "hardware"]
"""


@pytest.fixture
def gate(clone, capsys, monkeypatch):
    """Run `speedcheck gate` in the clone and return (exit code, output, errors)."""
    monkeypatch.chdir(clone.root)
    clone.commit("rules", {"speedcheck.toml": LAX})
    for name in ("GITHUB_BASE_REF", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["gate", *arguments])
        return (code, *capsys.readouterr())

    return run


def files_of(folder: Path, below: str) -> dict[str, str | bytes]:
    return {
        f"{below}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_branch_without_a_record_passes(clone, gate):
    clone.branch("work")
    clone.commit("no record", {"src/main.py": "", "records/README.md": "# Records\n"})
    assert gate() == (0, "gate: pass (no record is added, changed or removed)\n", "")


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


def test_a_track_of_the_rules_that_is_not_there_is_an_error_with_its_place(clone, gate):
    clone.commit("typo", {"speedcheck.toml": '[gate.paths."records/**"]\ntrack = "tinny"\n'})
    code, _, err = gate()
    assert code == 2
    assert "speedcheck.toml: [gate] track: no track is called 'tinny'" in err


def test_seeds_declarations_and_certificates_are_said_and_close_nothing(clone, gate, build):
    clone.branch("work")
    record = build.record(name="new")
    (record / "certificate.json").write_text('{"certified": false}')
    clone.commit("record", files_of(record, "records/new"))
    code, out, _ = gate()
    assert code == 0
    assert "     certificate.json differs from what the logs give; it is not used\n" in out


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


@pytest.mark.parametrize("count", [1, 40, 500, 5_000])
@pytest.mark.parametrize("name", ["record", "|" * 3_000])
def test_the_comment_has_room_for_any_number_of_records(build, count, name):
    certificate = verify(build.published())
    no = Objection("not so")
    decisions = [
        Decision(PurePosixPath(f"{index}-{name}"), certificate, () if index % 10 else (no,))
        for index in range(count)
    ]
    decisions.append(Decision(PurePosixPath("unreadable"), None, (Objection("why" * 1_000),)))
    for chosen in (decisions, decisions[-1:] * count):
        body = gate_markdown(chosen)
        assert len(body) <= MAX_CHARACTERS
        table = body.partition("\n\n|")[2].partition("\n\n")[0].splitlines()[2:]
        words = [row.partition(" | ")[2].partition(" | ")[0] for row in table]
        shown = [word for word in words if word in ("pass", "**fail**")]
        left = table[-1].removeprefix("| ").partition(" more, left out")[0]
        assert len(shown) + (int(left) if len(shown) < len(table) else 0) == len(chosen)
        assert shown == sorted(shown)


def test_the_summary_of_the_job_and_the_comment_say_the_same(
    clone, gate, build, tmp_path, monkeypatch
):
    page, comment = tmp_path / "summary.md", tmp_path / "comment.md"
    page.write_text("from an earlier step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    clone.branch("work")
    clone.commit("record", files_of(build.record(), "records/new"))
    assert gate("--comment", str(comment))[0] == 0
    assert page.read_text() == "from an earlier step\n" + comment.read_text()
    assert "## speedcheck gate: pass (1 record)" in comment.read_text()


def test_hostile_names_stand_as_text_in_every_output(clone, gate, build, tmp_path):
    name = "records/::error::x|<b>@someone"
    clone.branch("work")
    clone.commit("record", files_of(build.record(), name))
    comment = tmp_path / "comment.md"
    code, out, _ = gate("--comment", str(comment))
    assert code == 0
    assert not any(line.startswith("::") for line in out.splitlines())
    html = MarkdownIt("commonmark").enable("table").render(comment.read_text())
    assert "<b>" not in html
    assert "&lt;b&gt;@someone" in html


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--base", "nowhere"], "git knows no commit 'nowhere'"),
        (["--head", "--all"], "git knows no commit '--all'"),
        (["/etc"], "is not a folder inside the repository"),
        (["../x"], "is not a folder inside the repository"),
        (["recrods"], "'recrods' is in neither base nor head"),
        (["README.md"], "'README.md' is in neither base nor head"),
        (["--comment", "/proc/none/x"], "cannot write"),
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
    assert "is in no git repository" in capsys.readouterr().err


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
