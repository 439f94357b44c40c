"""What the gate says beside its decision: what nobody but a maintainer can judge."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import PurePosixPath as P

import pytest
from scipy.stats import ttest_1samp

from speedcheck.api import verify
from speedcheck.gate.decide import decide
from speedcheck.gate.decision import Decision
from speedcheck.gate.declared import remarks
from speedcheck.gate.gate_command import run_gate
from speedcheck.gate.objection import Objection
from speedcheck.gate.workplace import Commits
from speedcheck.records.record_toml import read_plan
from speedcheck.report.gate_text import gate_lines
from tests.speedcheck.gate.conftest import Clone
from tests.speedcheck.gate.submissions import Options, make_log, make_logs, with_plan

FOLDER = "records/new"
GOOD = make_logs(random.Random(3), 6, 3.2765, Options())
BAD = make_log(random.Random(4), 3.36)


@pytest.fixture
def clone(tmp_path):
    repository = Clone(tmp_path / "clone")
    repository.commit("base", {"speedcheck.toml": '[gate]\ntrack = "gpt2-small"\n'})
    repository.branch("work")
    return repository


def decided(clone, files):
    clone.commit("work", {f"{FOLDER}/{name}": content for name, content in files.items()})
    commits = [clone.repository.commit(ref) for ref in ("main", "main", "work")]
    (decision,) = decide(clone.repository, Commits(*commits), [P("records")])
    assert decision.passed, decision.objections
    return decision


def with_a_retiming():
    excluded = [{"logs": ["again.txt"], "role": "retiming", "reason": "another node"}]
    return with_plan(GOOD | {"again.txt": BAD}, excluded=excluded)


def test_a_retiming_is_shown_with_what_the_record_would_be_with_it(clone):
    decision = decided(clone, with_a_retiming())
    (said,) = [remark for remark in decision.remarks if "retiming" in remark]
    assert said.startswith("declared as retiming: again.txt (another node); 1 run, mean 3.36; ")
    losses = [float(log.rpartition(b"val_loss:")[2].split()[0]) for log in (*GOOD.values(), BAD)]
    p = ttest_1samp(losses, 3.28, alternative="less").pvalue
    assert said.endswith(f"with the counted runs 7 runs, mean 3.28843, p = {p:.2g}")


def test_a_retiming_is_tested_on_the_side_of_the_track(clone):
    certificate = decided(clone, with_a_retiming()).certificate
    folder = clone.root / FOLDER
    plan = read_plan(folder / "record.toml")
    below, above = (
        float(said.rpartition("p = ")[2])
        for side in ("less", "greater")
        for said in remarks(plan, replace(certificate, direction=side), folder, ())
        if "retiming" in said
    )
    assert below + above == pytest.approx(1, abs=0.01)


def test_files_in_which_no_run_was_found_are_named_the_largest_first(clone):
    picture = {"images/losses.png": b"\x89PNG\r\n\x1a\n"}
    files = GOOD | {"LICENSE": b"MIT\n", "notes": b"QkFTRTY0" * 1000} | picture
    said = decided(clone, files).remarks
    assert "2 files in which no run was found: notes (7 KiB), LICENSE (1 KiB)" in said


def test_changes_outside_of_the_records_are_named(clone, capsys):
    files = {f"{FOLDER}/{name}": content for name, content in GOOD.items()}
    clone.commit("work", files | {"logs/bad.txt": BAD})
    assert run_gate([], base="main", head="work", repository=clone.root, comment=None)
    note = "note: 1 file changed outside of the records, not judged: logs/bad.txt"
    assert note in capsys.readouterr().out.splitlines()


def test_a_mistyped_key_of_a_record_closes_the_gate(clone):
    files = GOOD | {"record.toml": b'track = "gpt2-small"\n[sampel]\nlogs = ["*"]\n'}
    clone.commit("work", {f"{FOLDER}/{name}": content for name, content in files.items()})
    commits = [clone.repository.commit(ref) for ref in ("main", "main", "work")]
    (decision,) = decide(clone.repository, Commits(*commits), [P("records")])
    assert not decision.passed
    (objection,) = decision.objections
    assert "'sampel' is not a key of this table" in objection.message


def test_a_record_of_the_base_that_cannot_be_judged_is_named(tmp_path):
    clone = Clone(tmp_path / "clone")
    broken = {"records/old/a.txt": next(iter(GOOD.values())), "records/old/record.toml": b"[x]\n"}
    clone.commit("base", {"speedcheck.toml": '[gate]\ntrack = "gpt2-small"\n'} | broken)
    clone.branch("work")
    said = "not compared with what cannot be judged, 1 record of the base: records/old"
    assert said in decided(clone, GOOD).remarks


def test_seeds_with_a_gap_are_shown_as_ranges_around_it(build):
    folder = build.record()
    certificate = verify(folder)
    runs = tuple(replace(run, seed=run.seed + (run.seed > 3)) for run in certificate.runs)
    said = list(remarks(None, replace(certificate, runs=runs), folder, ()))
    assert "the seeds are 0 to 3, 5 to 8, not 0 to 7" in said


def test_reasons_of_one_code_are_the_first_with_their_number():
    found = [Objection(f"reason {n}", "P027 near-copy") for n in range(10)]
    line = gate_lines([Decision(P("records/x"), None, tuple(found))], [])
    assert "P027 near-copy: reason 0 (the first of 10)" in line
