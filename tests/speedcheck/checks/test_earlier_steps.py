"""A claim at an earlier step of the step-count track: figures beside the verdict of the last."""

from __future__ import annotations

import math
from statistics import mean

import pytest

from speedcheck.api import verify

EARLIER = (3.2786, 3.278, 3.2774, 3.2789, 3.2783, 3.2778)
HIGH = tuple(round(loss + 0.003, 4) for loss in EARLIER)


@pytest.fixture
def judged(build, published_log_text):
    """Judge runs with these losses at step 125, and a README with these for it."""

    def judge(losses=EARLIER, claimed=None, track="gpt2-small-steps", title="Results"):
        logs = {
            f"{i}.txt": published_log_text(val_loss=3.275 + i / 1e4).replace("4.4043", f"{x:.4f}")
            for i, x in enumerate(losses)
        }
        rows = "".join(f"| {i} | {x} |\n" for i, x in enumerate(claimed or losses))
        readme = f"# A record\n\n## {title}\n\n| seed | step 125 |\n|---|---|\n{rows}"
        return verify(build.folder({**logs, "README.md": readme}), track=track)

    return judge


def told(certificate):
    findings = certificate.verdicts.loss.findings
    return [f.message for f in findings if f.code == "L012 loss-at-earlier-step"]


@pytest.mark.parametrize(("losses", "word"), [(EARLIER, "passes"), (HIGH, "does not pass")])
def test_the_rule_at_the_claimed_step_is_told_and_decides_nothing(judged, losses, word):
    certificate = judged(losses)
    (message,) = told(certificate)
    reached = (3.28 - mean(losses)) * math.sqrt(len(losses))
    assert (reached >= 0.004) == (word == "passes")
    assert f"at step 125, for which the documents give losses, it {word}: " in message
    assert f"(target - mean) * sqrt(n) = {reached:.4g}, at least 0.004" in message
    assert certificate.certified
    assert certificate.loss.mean == pytest.approx(3.27525)


def test_a_step_of_which_the_logs_say_something_else_is_not_told(judged):
    assert told(judged(claimed=HIGH)) == []


def test_a_step_of_the_baseline_is_not_told(judged):
    assert told(judged(title="Baseline")) == []


def test_a_track_of_times_has_no_earlier_step(judged):
    assert told(judged(track="gpt2-small")) == []


def test_the_last_step_is_no_earlier_one(build):
    folder = build.published()
    (folder / "README.md").write_text("mean val loss at step 1393: 3.27825, 6 runs\n")
    assert told(verify(folder, track="gpt2-small-steps")) == []
