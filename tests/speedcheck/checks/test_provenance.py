"""The provenance verdict: the logs against the ledger, the plan and each other."""

from __future__ import annotations

import hashlib
import json

import pytest

from speedcheck.api import verify


def test_a_whole_record_passes_without_a_finding(build):
    verdict = verify(build.record()).verdicts.provenance
    assert (verdict.status, verdict.findings) == ("pass", ())


@pytest.mark.parametrize(
    ("events", "account"),
    [
        ((), "was planned and never started"),
        (("started",), "started, and nothing is known of its end"),
        (("started", "failed"), "failed (no reason given)"),
        (("started", "abandoned"), "abandoned (no reason given)"),
    ],
)
def test_a_planned_seed_without_a_finished_run_refuses_the_certificate(
    build, findings_of, events, account
):
    folder = build.record(endings={3: events}, logs={3: None})
    (finding,) = findings_of(folder)["P002 run-missing"]
    assert (finding.severity, finding.where) == ("fail", "ledger.jsonl")
    assert finding.message.startswith("seed 3 ")
    assert finding.message.endswith(account)
    assert not verify(folder).certified


def test_a_finished_run_without_its_log_refuses_the_certificate(build, findings_of):
    folder = build.record()
    (folder / "logs" / "seed-005.txt").unlink()
    (finding,) = findings_of(folder)["P002 run-missing"]
    assert "seed 5 was planned and finished, but its log is not" in finding.message
    assert not verify(folder).certified


def test_a_seed_that_was_repeated_after_a_failure_certifies(build, log_text, losses):
    folder = build.record(
        endings={3: ("started", "failed", "started", "finished")},
        logs={3: log_text(seed=3, val_loss=losses[3])},
    )
    assert verify(folder).certified


def test_the_log_of_a_failed_attempt_is_said_and_does_not_count(
    build, log_text, findings_of, ledger_bytes
):
    folder = build.record()
    attempt = log_text(seed=3, last_step=150)
    (folder / "logs" / "seed-003.attempt-1.txt").write_text(attempt)
    (finding,) = findings_of(folder)["P012 log-not-in-ledger"]
    assert (finding.severity, finding.where) == ("fail", "logs/seed-003.attempt-1.txt")
    noted = {"event": "started", "seed": 3, "log": "seed-003.attempt-1.txt"}
    killed = {**noted, "event": "failed", "reason": "killed"}
    ledger = folder / "ledger.jsonl"
    events = [json.loads(line) for line in ledger.read_text().splitlines()]
    ledger.write_bytes(ledger_bytes([*events[:8], noted, killed, *events[8:]]))
    (finding,) = findings_of(folder)["P033 declared-exclusion"]
    assert finding.message == "1 run ended without a result: logs/seed-003.attempt-1.txt"
    assert verify(folder).certified
    assert verify(folder).selection.started == 9


def test_a_seed_of_the_plan_that_the_ledger_does_not_know_refuses_the_certificate(
    build, findings_of
):
    folder = build.record(plan={"seeds": list(range(9)), "runs": 9})
    (finding,) = findings_of(folder)["P002 run-missing"]
    assert finding.message == "seed 8 is in record.toml, but not in the ledger"
    assert not verify(folder).certified


def test_fewer_logs_than_planned_refuse_the_certificate_without_a_ledger_too(build, findings_of):
    folder = build.published()
    (folder / "record.toml").write_text("runs = 8")
    (finding,) = findings_of(folder)["P002 run-missing"]
    assert finding.message == "8 runs were planned and 6 count"
    assert not verify(folder).certified


def test_as_many_published_logs_as_planned_are_neither_too_few_nor_too_many(build):
    folder = build.published()
    (folder / "record.toml").write_text("runs = 6")
    verdict = verify(folder).verdicts.provenance
    assert (verdict.status, verdict.findings) == ("pass", ())


@pytest.mark.parametrize("plan", [{"seeds": [0, 1, 2]}, {"seeds": None, "runs": 3}])
def test_more_runs_than_planned_refuse_the_certificate(build, findings_of, plan):
    folder = build.record(plan=plan)
    (finding,) = findings_of(folder)["P020 unplanned-run"]
    assert (finding.severity, finding.where) == ("fail", "record.toml")
    assert finding.message.startswith("8 runs count and 3 were planned")
    assert not verify(folder).certified


def test_a_ledger_that_was_taken_away_refuses_the_certificate(build, findings_of):
    folder = build.record()
    (folder / "ledger.jsonl").unlink()
    (finding,) = findings_of(folder)["P001 ledger-broken"]
    assert (finding.severity, finding.where) == ("fail", "ledger.jsonl")
    assert not verify(folder).certified


@pytest.mark.parametrize("line", range(24))
def test_any_ledger_line_left_out_refuses_the_certificate(build, line):
    folder = build.record()
    path = folder / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 24
    path.write_bytes(b"".join(lines[:line] + lines[line + 1 :]))
    certificate = verify(folder)
    assert certificate.verdicts.provenance.status == "fail"
    assert not certificate.certified


def test_a_broken_chain_names_the_line(build, findings_of):
    folder = build.record()
    path = folder / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b"18:30:00Z", b"18:30:01Z", 1))
    (finding,) = findings_of(folder)["P001 ledger-broken"]
    assert (finding.severity, finding.where) == ("fail", "ledger.jsonl:2")
    assert not verify(folder).certified


def test_a_log_that_was_changed_after_its_run_refuses_the_certificate(build, findings_of):
    folder = build.record()
    path = folder / "logs" / "seed-002.txt"
    path.write_text(
        path.read_text().replace("peak memory allocated: 212", "peak memory allocated: 213")
    )
    (finding,) = findings_of(folder)["P010 log-changed"]
    assert (finding.severity, finding.where) == ("fail", "logs/seed-002.txt")
    assert not verify(folder).certified


@pytest.mark.parametrize("form", ["trainer", "published", "llm.c"])
def test_a_complete_log_that_the_ledger_does_not_know_refuses_the_certificate(
    build, log_text, published_log_text, findings_of, form
):
    texts = {
        "trainer": log_text(seed=8, val_loss=1.4, time_ms=9000),
        "published": published_log_text(val_loss=1.4),
        "llm.c": "s:0 tel:11.0\ns:300 tel:1.4000\n",
    }
    folder = build.record()
    (folder / "logs" / "more.txt").write_text(texts[form])
    (finding,) = findings_of(folder)["P012 log-not-in-ledger"]
    assert (finding.severity, finding.where) == ("fail", "logs/more.txt")
    certificate = verify(folder)
    assert certificate.loss.n == 8
    assert not certificate.certified


def test_a_log_of_another_seed_than_the_ledgers_refuses_the_certificate(
    build, log_text, losses, findings_of
):
    folder = build.record(logs={2: log_text(seed=12, val_loss=losses[2])})
    (finding,) = findings_of(folder)["P015 seed-changed"]
    assert finding.message == "the log says seed 12, the ledger says seed 2"
    assert not verify(folder).certified


def test_one_seed_twice_among_the_counted_runs_is_a_warning(build, log_text, findings_of):
    texts = {f"{i}.txt": log_text(seed=4, val_loss=1.5 + i / 100, time_ms=i) for i in range(3)}
    folder = build.folder(texts)
    (finding,) = findings_of(folder)["P006 repeated-seed"]
    assert finding.severity == "warn"
    assert finding.message == "3 counted runs have seed 4: 0.txt, 1.txt, 2.txt"


def test_a_copy_of_a_log_is_a_warning(build, findings_of):
    folder = build.published()
    (folder / "99.txt").write_bytes((folder / "00.txt").read_bytes())
    (finding,) = findings_of(folder)["P005 duplicate-log"]
    assert (finding.severity, finding.where) == ("warn", "99.txt")
    assert finding.message == "a copy of 00.txt"
    assert verify(folder).certified


def test_a_program_that_is_not_the_one_that_ran_refuses_the_certificate(
    build, log_text, losses, findings_of
):
    forged = log_text(seed=1, val_loss=losses[1], stated_sha256="ab" * 32)
    folder = build.record(logs={1: forged})
    (finding,) = findings_of(folder)["P013 source-changed"]
    assert (finding.severity, finding.where) == ("fail", "logs/seed-001.txt")
    assert not verify(folder).certified


def test_a_program_with_uncommitted_changes_is_a_warning(build, log_text, losses, findings_of):
    folder = build.record(logs={1: log_text(seed=1, val_loss=losses[1], clean=False)})
    (finding,) = findings_of(folder)["P017 modified-source"]
    assert finding.severity == "warn"
    assert verify(folder).certified


def test_another_recipe_than_the_planned_one_refuses_the_certificate(
    build, log_text, losses, findings_of
):
    folder = build.record(logs={1: log_text(seed=1, val_loss=losses[1], recipe="tiny-long")})
    (finding,) = findings_of(folder)["P018 recipe-changed"]
    assert finding.message == "ran the recipe 'tiny-long'; record.toml plans 'tiny'"
    assert (finding.severity, finding.where) == ("fail", "logs/seed-001.txt")
    assert not verify(folder).certified


def test_two_versions_of_the_bundled_trainer_leave_the_record_undecided(
    build, log_text, losses, findings_of
):
    program = "# file: trainer/train.py\nimport os\n"
    folder = build.record(logs={6: log_text(seed=6, val_loss=losses[6], program=program)})
    (finding,) = findings_of(folder)["P029 undecided-sample"]
    assert finding.severity == "fail"
    assert not verify(folder).certified


def test_two_configurations_of_the_bundled_trainer_are_not_one_record(
    build, log_text, losses, findings_of
):
    config = {"depth": 12, "steps": 300}
    folder = build.record(logs={6: log_text(seed=6, val_loss=losses[6], config=config)})
    (finding,) = findings_of(folder)["P007 mixed-source"]
    assert finding.severity == "fail"
    assert finding.message == "the runs come from 2 programs: 7 + 1 runs; others: seed-006.txt"
    assert not verify(folder).certified


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"n_gpus": 1}, "P008 mixed-hardware"),
        ({"gpu": "NVIDIA H200"}, "P008 mixed-hardware"),
        ({"torch": "2.6.0+cu124"}, "P009 mixed-torch"),
    ],
)
def test_published_runs_that_differ_are_a_warning_that_names_them(
    build, published_log_text, findings_of, other, code
):
    folder = build.published()
    (folder / "07.txt").write_text(published_log_text(val_loss=3.2775, time_ms=1, **other))
    (finding,) = findings_of(folder)[code]
    assert finding.severity == "warn"
    assert finding.message.endswith(": 6 + 1 runs; others: 07.txt")


def test_a_long_list_of_odd_logs_is_cut_short(build, published_log_text, findings_of):
    folder = build.published()
    for index in range(6):
        (folder / f"9{index}.txt").write_text(
            published_log_text(val_loss=3.27, time_ms=index, torch="2.6.0")
        )
    (finding,) = findings_of(folder)["P009 mixed-torch"]
    assert finding.message.endswith("others: 90.txt, 91.txt, 92.txt, 93.txt and 2 more")


def test_losses_without_logs_leave_provenance_unknown(build, findings_of):
    folder = build.folder({"record.toml": "[published]\nlosses = [3.27, 3.28]"})
    (finding,) = findings_of(folder)["P003 claimed-losses-without-logs"]
    assert finding.severity == "unknown"
    assert "2 losses are in record.toml alone" in finding.message


def test_a_line_that_cannot_be_read_is_named_by_its_number(build, published_log_text, findings_of):
    folder = build.published()
    text = published_log_text(val_loss=3.2775, time_ms=1)
    (folder / "07.txt").write_text(text.replace("val_loss:4.4043", "val_loss:4,4043"))
    (finding,) = findings_of(folder)["P011 not-a-run"]
    assert finding.where == f"07.txt:{text[: text.index('val_loss:4.4043')].count(chr(10)) + 1}"
    assert "4,4043" in finding.message


@pytest.fixture
def by_script(build):
    """Write a record of a foreign program, with the hash of another where one is given."""

    def write(program="print(1)\n", stated=None):
        sha256 = hashlib.sha256((stated or program).encode()).hexdigest()
        table = {"file": "program/train.py", "sha256": sha256}
        folder = build.record(plan={"script": table, "recipe": None})
        return build.folder({"program/train.py": program}, folder.name)

    return write


def test_the_program_of_a_script_record_is_the_one_of_its_hash(by_script, findings_of):
    assert "P013 source-changed" not in findings_of(by_script())


@pytest.mark.parametrize("how", ["edited", "gone", "a link"])
def test_another_program_than_the_one_of_the_hash_refuses_the_certificate(
    by_script, findings_of, tmp_path, how
):
    folder = by_script(stated="print(2)\n" if how == "edited" else None)
    program = folder / "program" / "train.py"
    if how != "edited":
        program.rename(tmp_path / "train.py")
    if how == "a link":
        program.symlink_to(tmp_path / "train.py")
    (finding,) = findings_of(folder)["P013 source-changed"]
    assert (finding.severity, finding.where) == ("fail", "program/train.py")
    assert not verify(folder).certified
