"""What runs may use, and on which data: budgets, limits and fingerprints of a track."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from speedcheck.checks import codes
from speedcheck.checks.budget import check_budget
from speedcheck.checks.training_data import check_data
from speedcheck.logs import ForeignFormat, ForeignParser, LogPattern
from speedcheck.rules.tracks import Limits, Track

PATTERNS = (
    r"^step:(?P<step>\d+)/(?P<total>\d+)",
    r"bpb:(?P<val_loss>\S+)",
    r"time:(?P<train_time_s>\S+)",
    r"eval:(?P<eval_time_s>\S+)",
    r"size:(?P<artifact_bytes>\S+)",
)
NONE = Limits()
FINAL = r"^(?P<final>final) "


def run_of(text, *more):
    log_format = ForeignFormat(tuple(map(LogPattern, (*PATTERNS, *more))))
    (run,) = ForeignParser(log_format)(text.encode(), "a.log").runs
    return run


class Sample:
    """A record of which the given runs count."""

    def __init__(self, *runs):
        self._runs = runs

    def counted(self):
        return tuple((run, SimpleNamespace(log=run.log)) for run in self._runs)


def track(budget=NONE, limits=NONE, **fingerprints):
    return Track("t", 1.2, 0.01, None, budget=budget, limits=limits, **fingerprints)


def found(text, of):
    return [(f.code, f.severity) for f in check_budget(Sample(run_of(text)), of)]


OVER, UNKNOWN = (codes.OVER_BUDGET, "fail"), (codes.BUDGET_UNKNOWN, "unknown")
LOG = "step:0/90 bpb:4 time:0\nstep:10/90 time:590\nstep:11/90 bpb:1.1 time:{}\neval:{}\nsize:{}\n"


@pytest.mark.parametrize(
    ("used", "findings"), [("599", []), ("605", []), ("609.9", []), ("625", []), ("1200", [])]
)
def test_the_budget_may_be_passed_by_one_logged_step(used, findings):
    # Each step is as long as the last one took, so that none of these goes beyond it.
    assert found(LOG.format(used, 1, 1), track(Limits(train_ms=600_000))) == findings


@pytest.mark.parametrize(("steps", "findings"), [((600, 612), []), ((613, 625), [OVER])])
def test_a_run_that_goes_on_behind_the_step_that_used_up_the_budget_is_over_it(steps, findings):
    text = "step:0/90 bpb:4 time:0\nstep:10/90 time:{}\nstep:11/90 bpb:1.1 time:{}\n"
    assert found(text.format(*steps), track(Limits(train_ms=600_000))) == findings


def test_training_behind_the_last_validation_counts_as_used():
    text = "step:9/90 bpb:1.1 time:590\nstep:10/90 time:612\nstep:11/90 time:640\n"
    assert found(text, track(Limits(train_ms=600_000))) == [OVER]


@pytest.mark.parametrize("table", ["budget", "limits"])
@pytest.mark.parametrize(
    ("values", "limit", "findings"),
    [
        ((1, 600, 1), Limits(eval_ms=600_000), []),
        ((1, 601, 1), Limits(eval_ms=600_000), [OVER]),
        ((1, 1, 16_000_000), Limits(artifact_bytes=16_000_000), []),
        ((1, 1, 16_000_001), Limits(artifact_bytes=16_000_000), [OVER]),
        ((1, 601, 16_000_001), Limits(eval_ms=600_000, artifact_bytes=16_000_000), [OVER, OVER]),
    ],
)
def test_evaluation_and_artifact_keep_to_their_limits(table, values, limit, findings):
    assert found(LOG.format(*values), track(**{table: limit})) == findings


def test_a_limit_of_the_training_has_no_tolerance():
    assert found(LOG.format(601, 1, 1), track(limits=Limits(train_ms=600_000))) == [OVER]


def test_what_the_log_does_not_say_is_unknown_and_never_a_pass():
    every = Limits(train_ms=1, eval_ms=1, artifact_bytes=1)
    assert found("bpb:1.1\n", track(limits=every)) == [UNKNOWN] * 3
    assert found("bpb:1.1\n", track()) == []


def test_the_time_of_the_evaluation_that_decides_is_judged():
    text = "step:1/9 bpb:4\nfinal bpb:1.2 eval:700\nfinal bpb:1.1 eval:500\neval:900\n"
    run = run_of(text, FINAL)
    assert check_budget(Sample(run), track(limits=Limits(eval_ms=600_000))) == ()


def test_the_finding_has_both_figures_and_its_log():
    over = LOG.format(1, 601.5, 1)
    (finding,) = check_budget(Sample(run_of(over)), track(limits=Limits(eval_ms=600_000)))
    assert finding.message == "the evaluation used 601.5 s, and the track allows 600 s"
    assert finding.where == "a.log"


@pytest.mark.parametrize(
    ("last", "more", "reached"),
    [
        ("step:90/90 bpb:1.1 time:100", "", True),  # the plan
        ("step:50/90 bpb:1.1 time:600", "", True),  # the budget
        ("step:50/90 bpb:1.1 time:595", "", True),  # within one logged step of 10 s
        ("step:50/90 bpb:1.1 time:580", "", False),
        ("step:50/90 bpb:1.1 time:580", "final bpb:1.1\n", True),
    ],
)
def test_a_run_ends_at_its_plan_its_budget_or_the_line_that_decides(last, more, reached):
    previous = float(last.rpartition(":")[2]) - 10
    text = f"step:0/90 bpb:4 time:0\nstep:49/90 time:{previous}\n{last}\n{more}"
    of = track(Limits(train_ms=600_000))
    assert of.reached_end(run_of(text, *([FINAL] if more else []))) is reached
    assert of.budget_train_ms == 600_000


def test_neither_plan_nor_budget_leaves_the_end_unknown():
    assert track().reached_end(run_of("bpb:1.1\n")) is None
    assert track(Limits(train_ms=600_000)).reached_end(run_of("bpb:1.1\n")) is None


def test_logs_that_print_other_data_than_the_track_asks_for_fail():
    run = run_of("train_shards: 1499\nval_tokens: 36562944\nbpb:1.101\n")
    (tokens, shards) = check_data(Sample(run), track(val_tokens=47_851_520, train_shards=80))
    assert (tokens.code, tokens.severity) == (codes.WRONG_VALIDATION, "fail")
    assert "validated on 36562944 tokens, and the track asks for 47851520" in tokens.message
    assert (shards.code, shards.severity) == (codes.WRONG_DATA, "fail")
    assert check_data(Sample(run), track(val_tokens=36_562_944, train_shards=1499)) == ()
    assert check_data(Sample(run), track()) == ()


def test_a_log_that_prints_no_fingerprint_is_not_judged_by_them():
    of = track(val_tokens=47_851_520, train_shards=80)
    assert check_data(Sample(run_of("bpb:1.101\n")), of) == ()
