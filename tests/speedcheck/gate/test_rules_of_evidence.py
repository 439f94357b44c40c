"""The gate on sequential records, on looks, and on tracks that ask for a better mean."""

from __future__ import annotations

import hashlib
import json
import random

import pytest

from speedcheck import cli
from tests.speedcheck.gate.submissions import make_logs

RULES = """
[gate]
track = "tiny"
allow_unknown = ["rules", "hardware"]
stopping = {}
"""
FRONTIER = """
[gate]
track = "best"
allow_unknown = ["rules", "hardware"]
[tracks.best]
target = 1.30
test = "welch"
frontier = "best"
"""
GOOD, BETTER, BEST = [1.25, 1.253, 1.247], [1.22, 1.223, 1.217], [1.19, 1.193, 1.187]


@pytest.fixture
def submit(clone, capsys, monkeypatch):
    """Merge records, submit another in a branch, and give the gate's exit code and output."""
    monkeypatch.chdir(clone.root)
    for name in ("GITHUB_BASE_REF", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)

    def run(rules, new, merged=()):
        clone.commit("rules", {"speedcheck.toml": rules})
        for folder in merged:
            clone.commit(folder.name, files_of(folder))
        clone.branch("work")
        clone.commit("record", files_of(new))
        code = cli.main(["gate"])
        return code, capsys.readouterr().out

    return run


def files_of(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        f"records/{folder.name}/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in paths
    }


def test_a_sequential_record_passes_where_the_base_allows_it(submit, build):
    assert submit(RULES.format('["fixed", "sequential"]'), build.sequential())[0] == 0


def test_a_sequential_record_is_rejected_where_the_base_does_not(submit, build):
    code, out = submit(RULES.format('["fixed"]'), build.sequential())
    assert code == 1
    assert "the stopping rule 'sequential' is not allowed here" in out


def test_a_sequential_record_without_its_ledger_is_rejected(submit, build):
    folder = build.sequential(plan={"seeds": None})
    (folder / "ledger.jsonl").unlink()
    code, out = submit(RULES.format('["sequential"]'), folder)
    assert code == 1
    assert "the sequential test needs the ledger" in out


def test_a_fixed_test_on_a_ledger_with_looks_is_rejected(submit, build, ledger_bytes):
    folder = build.record()
    path = folder / "ledger.jsonl"
    entries = [*map(json.loads, path.read_text().splitlines())]
    first = next(i for i, e in enumerate(entries) if e["event"] == "finished") + 1
    entries.insert(first, {"event": "extended", "seed": 7, "reason": "7 to 8 runs"})
    path.write_bytes(ledger_bytes(entries))
    code, out = submit(RULES.format('["fixed"]'), folder)
    assert code == 1
    assert "P042 plan-extended" in out


def test_a_fixed_record_that_ended_before_its_plan_is_rejected(submit, build):
    folder = build.record(endings={7: ()}, logs={7: None})
    code, out = submit(RULES.format('["fixed"]'), folder)
    assert code == 1
    assert "seed 7 was planned and never started" in out


def test_a_compiler_setting_in_the_environment_is_said(submit, build, ledger_bytes):
    logs = make_logs(random.Random(3), 8, 3.2775)
    details = {"environment": {"TORCHINDUCTOR_MAX_AUTOTUNE": "1"}}
    entries = [{"event": "planned", "seed": seed} for seed in range(8)]
    for seed, (name, log) in enumerate(logs.items()):
        digest = hashlib.sha256(log).hexdigest()
        start = {"event": "started", "seed": seed, "log": name, "details": details}
        entries += [start, {**start, "event": "finished", "log_sha256": digest, "details": {}}]
    files = {f"logs/{name}": log for name, log in logs.items()}
    folder = build.folder({**files, "ledger.jsonl": ledger_bytes(entries)})
    code, out = submit('[gate]\ntrack = "gpt2-small"\n', folder)
    assert code == 0
    assert "TORCHINDUCTOR_MAX_AUTOTUNE=1 in the environment of logs/00.txt" in out


def of_track(build, name, losses, date="2026-11-20", **plan):
    return build.record(losses, name=name, plan={"track": "best", "date": date} | plan)


def test_a_record_that_beats_the_best_one_of_the_base_passes(submit, build):
    merged = [of_track(build, "a", GOOD, "2026-11-01"), of_track(build, "b", BETTER, "2026-11-02")]
    code, out = submit(FRONTIER, of_track(build, "new", BEST), merged)
    assert (code, "gate: pass" in out) == (0, True)


def test_a_record_that_beats_only_an_earlier_one_is_rejected(submit, build):
    """Neither the baseline that it names nor the date that it claims changes its frontier."""
    merged = [of_track(build, "a", GOOD, "2026-11-01"), of_track(build, "b", BETTER, "2026-11-02")]
    middle = [loss + 0.004 for loss in BETTER]
    new = of_track(build, "new", middle, "2026-11-01", baseline="../a")
    code, out = submit(FRONTIER, new, merged)
    assert code == 1
    assert "L020 frontier-not-beaten" in out
    assert "(records/b)" in out


@pytest.mark.parametrize("merged", [[], [[1.25]], [[1.32, 1.33, 1.31]]], ids=str)
def test_without_a_certified_record_of_two_runs_in_the_base_it_is_rejected(submit, build, merged):
    records = [of_track(build, f"m{i}", losses) for i, losses in enumerate(merged)]
    code, out = submit(FRONTIER, of_track(build, "new", BETTER), records)
    assert code == 1
    assert "L019 frontier-unknown" in out


def test_a_merged_record_that_did_not_beat_its_frontier_is_none(submit, build):
    """It has a lower mean by chance, and would be a frontier that nobody certified."""
    lucky = [1.2485, 1.2515, 1.2455]
    merged = [of_track(build, "a", GOOD, "2026-11-01"), of_track(build, "b", lucky, "2026-11-02")]
    code, out = submit(FRONTIER, of_track(build, "new", [1.23, 1.26, 1.22]), merged)
    assert code == 1
    assert "(records/a)" in out


def test_a_merged_record_is_not_held_against_itself_or_a_later_one(submit, build, clone, capsys):
    first = of_track(build, "a", GOOD, "2026-11-01")
    later = of_track(build, "c", BEST, "2026-11-03")
    merged = of_track(build, "b", BETTER, "2026-11-02")
    clone.commit("merged", files_of(merged))
    (merged / "record.toml").write_text((merged / "record.toml").read_text() + 'kind = "model"\n')
    assert submit(FRONTIER, merged, [first, later])[0] == 0


def test_a_merged_folder_without_a_run_gives_no_date_to_the_record_that_fills_it(
    submit, build, clone
):
    """Its date would choose a frontier that has been beaten since."""
    merged = [of_track(build, "a", GOOD, "2026-11-01"), of_track(build, "b", BEST, "2026-11-03")]
    plan = 'name = "new"\ntrack = "best"\ndate = "2026-11-02"\n'
    clone.commit("to come", {"records/new/record.toml": plan})
    code, out = submit(FRONTIER, of_track(build, "new", BETTER, "2026-11-02"), merged)
    assert code == 1
    assert "L020 frontier-not-beaten" in out
    assert "(records/b)" in out
