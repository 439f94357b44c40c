"""A ledger whose chain is whole, and whose lines tell what no campaign does."""

from __future__ import annotations

import hashlib
import json

import pytest

from speedcheck import verify

COURSE = "P043 ledger-course-impossible"


@pytest.fixture
def rewrite(ledger_bytes):
    """Chain a folder's ledger anew from what `change` makes of its entries."""

    def rewritten(folder, change):
        path = folder / "ledger.jsonl"
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_bytes(ledger_bytes(change(entries)))
        return folder

    return rewritten


def test_every_ending_of_an_attempt_before_the_last_is_a_possible_course(build, findings_of):
    events = ("started", "failed", "started", "abandoned", "started", "finished")
    folder = build.record(endings={3: events})
    assert COURSE not in findings_of(folder)
    assert verify(folder).certified


@pytest.mark.parametrize("rule", ["record", "sequential"])
@pytest.mark.parametrize(
    ("events", "what"),
    [
        (("started", "finished", "started", "finished"), "seed 3: started after it was finished"),
        (("started", "finished", "finished"), "seed 3: finished after it was finished"),
        (("finished",), "seed 3: finished after it was planned"),
        (("started", "started", "finished"), "seed 3: started after it was started"),
    ],
)
def test_an_impossible_course_of_a_seed_refuses_the_certificate(
    build, findings_of, rule, events, what
):
    folder = getattr(build, rule)(endings={3: events})
    messages = [(f.severity, f.message, f.where) for f in findings_of(folder)[COURSE]]
    assert ("fail", what, "ledger.jsonl") in messages
    assert not verify(folder).certified


@pytest.mark.parametrize("rule", ["record", "sequential"])
def test_runs_without_a_plan_in_the_ledger_refuse_the_certificate(
    build, findings_of, rewrite, rule
):
    folder = getattr(build, rule)()
    rewrite(folder, lambda entries: [e for e in entries if e["event"] != "planned"])
    (finding,) = findings_of(folder)[COURSE]
    assert finding.message == "seeds 0 to 7: started without a plan"
    assert not verify(folder).certified


def test_one_log_counts_for_one_seed(build, published_log_text, findings_of, ledger_bytes):
    texts = [published_log_text(val_loss=3.2779 - i / 1e4, time_ms=179_800 + i) for i in range(3)]
    entries = [{"event": "planned", "seed": seed} for seed in range(6)]
    for seed in range(6):
        log = {"seed": seed, "log": f"{seed % 3}.txt"}
        digest = hashlib.sha256(texts[seed % 3].encode()).hexdigest()
        entries.append({"event": "started", **log})
        entries.append({"event": "finished", "log_sha256": digest, **log})
    files = {f"logs/{index}.txt": text for index, text in enumerate(texts)}
    folder = build.folder({**files, "ledger.jsonl": ledger_bytes(entries)})
    messages = {finding.message for finding in findings_of(folder)[COURSE]}
    assert "0.txt is the log of 2 attempts (seeds: 0, 3)" in messages
    assert len(messages) == 3


def test_an_attempt_that_failed_keeps_a_log_of_its_own(build, findings_of, rewrite):
    def repeated(entries):
        first = next(i for i, entry in enumerate(entries) if entry["event"] == "started")
        failed = {**entries[first], "event": "failed"}
        return [*entries[:first], entries[first], failed, *entries[first:]]

    folder = rewrite(build.record(), repeated)
    assert [f.message for f in findings_of(folder)[COURSE]] == [
        "seed-000.txt is the log of 2 attempts (seeds: 0)"
    ]


def test_a_planned_run_is_one_run_of_its_log(build, log_text, losses, findings_of):
    two = "\n".join(
        log_text(seed=3, val_loss=x, time_ms=9800) for x in (losses[3], losses[3] - 0.01)
    )
    folder = build.sequential(logs={3: two})
    assert [f.message for f in findings_of(folder)[COURSE]] == [
        "seed 3 is one planned run, and 2 runs of its log count"
    ]


def test_the_log_of_a_failed_attempt_may_not_be_left_out(build, findings_of, rewrite):
    def with_attempt(entries):
        first = next(i for i, entry in enumerate(entries) if entry["event"] == "started")
        attempt = {**entries[first], "log": "seed-000.attempt-0.txt"}
        failed = {**attempt, "event": "failed", "log_sha256": "0" * 64}
        return [*entries[:first], attempt, failed, *entries[first:]]

    folder = rewrite(build.record(), with_attempt)
    (finding,) = findings_of(folder)["P002 run-missing"]
    assert (finding.severity, finding.where) == ("fail", "logs/seed-000.attempt-0.txt")
    # An attempt that died before its first line leaves an empty log, and that is enough.
    (folder / "logs" / "seed-000.attempt-0.txt").write_text("")
    assert "P002 run-missing" not in findings_of(folder)


def test_a_log_elsewhere_is_not_the_one_of_the_ledger(build, log_text, findings_of):
    folder = build.sequential()
    (folder / "more").mkdir()
    (folder / "more" / "seed-000.txt").write_text(log_text(seed=0, val_loss=1.0, time_ms=9000))
    (finding,) = findings_of(folder)["P012 log-not-in-ledger"]
    assert finding.where == "more/seed-000.txt"
