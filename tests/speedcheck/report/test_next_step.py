"""`next:` of a report names what helps: a command in it works, for this record in this folder."""

from __future__ import annotations

import shlex

import pytest

from speedcheck.api import verify
from speedcheck.checks.explanations import EXPLANATIONS
from speedcheck.report.headline import next_step


def command_in(out):
    """Give the words of the command below "next:"; None where there is none."""
    lines = out.splitlines()
    line = lines[next(n for n, line in enumerate(lines) if line.startswith("next: ")) + 1]
    return shlex.split(line) if line.startswith("      speedcheck ") else None


@pytest.mark.parametrize("events", [(), ("started",), ("started", "failed")])
def test_a_run_that_did_not_finish_is_resumed_by_the_command_of_the_report(build, cli, events):
    folder = build.record(name=f"a 'b' {'c' * 90}", endings={3: events}, logs={3: None})
    words = command_in(cli("verify", folder).out)
    assert words == ["speedcheck", "run", "--resume", "--out", str(folder)]


def test_a_finished_run_without_its_log_is_not_sent_to_resume_which_refuses_it(build, cli):
    folder = build.record(endings={3: ()}, logs={3: None})
    (folder / "logs" / "seed-005.txt").unlink()
    assert next_step(verify(folder)).startswith("put the log back")
    result = cli("run", "--resume", "--out", folder, "-q")
    assert (result.code, "seed 5" in result.err) == (2, True)


def test_an_attempt_whose_log_is_gone_is_not_sent_to_resume(build, log_text, losses, ledger_bytes):
    ended = {3: ("started", "failed", "started", "finished")}
    folder = build.record(endings=ended, logs={3: log_text(seed=3, val_loss=losses[3])})
    ledger = folder / "ledger.jsonl"
    text = ledger.read_text().replace('"log_sha256": null', f'"log_sha256": "{"0" * 64}"')
    ledger.write_text(text)
    (finding,) = (f for f in verify(folder).verdicts.findings() if "attempt" in f.message)
    assert finding.remedy.startswith("put the log back")


def test_runs_that_the_caller_left_out_are_not_sent_to_resume(build, cli):
    out = cli("verify", build.record(), "--only", "seed-000.txt").out
    assert "next: judge all runs: leave --only and --exclude out" in out


def test_init_is_named_only_where_there_is_no_record_toml(build, cli, published_log_text):
    folder = build.published()
    for index, loss in enumerate((3.2771, 3.2772)):
        text = published_log_text(val_loss=loss, script="import os\n")
        (folder / f"other-{index}.txt").write_text(text)
    words = command_in(cli("verify", folder).out)
    assert words == ["speedcheck", "init", str(folder)]
    (folder / "record.toml").write_text('name = "x"\n')
    assert command_in(cli("verify", folder).out) is None


def test_a_mean_above_the_target_is_not_told_a_number_of_runs(build):
    assert next_step(verify(build.record([9.1, 9.2, 9.3]))).startswith("Train longer")
    near = next_step(verify(build.record([1.299, 1.2985, 1.302])))
    assert "number of runs that the message names" in near


@pytest.mark.parametrize(
    ("maximum", "more"), [(64, []), (8, ["--max-seeds", "16"])], ids=["below", "at the maximum"]
)
def test_a_sequential_record_continues_past_its_maximum_only_with_a_larger_one(
    build, cli, maximum, more
):
    losses = [1.299, 1.301, 1.3005, 1.2995, 1.3002, 1.2998, 1.3001, 1.2999]
    folder = build.sequential(losses, maximum=maximum)
    words = command_in(cli("verify", folder).out)
    assert words == ["speedcheck", "run", "--resume", *more, "--out", str(folder)]


def test_remedies_are_for_reports_and_not_in_the_json(build):
    folder = build.record(endings={3: ()}, logs={3: None})
    assert "remedy" not in verify(folder).to_json()


def test_a_word_for_a_folder_in_what_a_finding_explains_is_the_folder_of_the_record():
    """FOLDER becomes the record's own folder; it cannot be its own baseline."""
    remedies = [explanation.remedy for explanation in EXPLANATIONS.values()]
    named = [remedy for remedy in remedies if "FOLDER" in remedy]
    assert named
    assert not any("--baseline FOLDER" in remedy for remedy in named)
