"""What the pictures show, held to figures that are computed here from the logs' own lines."""

from __future__ import annotations

import statistics

import pytest

from speedcheck.api import judge_folder
from speedcheck.plot_data import plot_data_of
from speedcheck.rules.rule import Overrides


def figures(folder, **overrides):
    return plot_data_of(judge_folder(folder, Overrides(**overrides)))


def started(text, minute):
    return text.replace("2026-11-21T18:30:00Z", f"2026-11-21T18:{minute:02d}:00Z")


def with_steps(text, step_ms, *, steps=300, restart=None):
    """Give a log the step lines of a run whose step k takes step_ms(k) milliseconds."""
    lines, clock = ["step:0/300 val_loss:5.768321 train_time:0ms step_avg:0.00ms"], 0.0
    for step in range(1, steps + 1):
        clock = 0.0 if step == restart else clock + step_ms(step)
        loss = "val_loss:1.190000 " if step == steps else ""
        lines.append(f"step:{step}/{steps} {loss}train_time:{clock:.3f}ms step_avg:1.00ms")
    return text.partition("step:0/")[0] + "\n".join(lines) + "\n"


def test_losses_are_those_of_the_counted_runs(build, losses):
    found = figures(build.record()).losses
    assert found.values == losses
    assert found.diverged == 0
    assert found.mean == pytest.approx(statistics.fmean(losses))
    assert found.interval.low < found.mean < found.interval.high
    assert found.next_run.x[0] < min(losses)


def test_a_diverged_run_is_said_and_leaves_no_density(build, log_text):
    found = figures(build.record(logs={3: log_text(seed=3, diverges_at=120)}))
    assert found.losses.diverged == 1
    assert len(found.losses.values) == 7
    assert found.losses.mean is None
    assert found.losses.next_run is None
    assert found.posterior is None


def test_the_p_value_belongs_to_the_posterior_of_a_t_test_alone(build):
    folder = build.published()
    judged = judge_folder(folder, Overrides())
    assert plot_data_of(judged).posterior.p_value == judged.certificate.loss.p_value
    known_sigma = figures(folder, track="gpt2-small-steps")
    assert known_sigma.posterior.p_value is None


def test_there_is_one_curve_a_run_with_the_losses_of_the_log(build, losses):
    curves = figures(build.record()).curves
    assert [curve.x for curve in curves.losses] == [(0, 150, 300)] * 8
    assert [curve.y[-1] for curve in curves.losses] == list(losses)
    assert {curve.y[0] for curve in curves.losses} == {5.768321}


def test_curves_apart_are_the_losses_minus_their_mean(build, losses):
    curves = figures(build.record()).curves
    assert [curve.x for curve in curves.apart] == [(150, 300)] * 8
    mean = statistics.fmean(losses)
    ends = [curve.y[-1] for curve in curves.apart]
    assert ends == pytest.approx([loss - mean for loss in losses])


def test_a_run_that_does_not_count_has_a_curve_and_no_part_in_the_mean(build, losses, log_text):
    folder = build.record(logs={7: log_text(seed=7, val_loss=losses[7], last_step=200)})
    curves = figures(folder).curves
    assert [curve.counted for curve in curves.losses] == [True] * 7 + [False]
    assert len(curves.apart) == 7


def test_times_are_in_the_order_of_the_starts(build, log_text, losses):
    logs = {
        seed: started(log_text(seed=seed, val_loss=loss, time_ms=9000 + seed), 50 - seed)
        for seed, loss in enumerate(losses)
    }
    found = figures(build.record(logs=logs)).runtimes
    assert found.order == "start"
    assert found.seconds == tuple((9000 + seed) / 1000 for seed in reversed(range(8)))
    assert found.line.trend.slope == pytest.approx(-0.001)
    assert found.line.trend.shown
    assert (found.line.first, found.line.last) == pytest.approx((9.007, 9.0))


def test_times_are_in_the_order_of_the_logs_where_these_do_not_say_when_they_started(build):
    found = figures(build.published()).runtimes
    assert found.order == "log"
    assert found.seconds == tuple((179_800 + index) / 1000 for index in range(6))
    assert found.mean == pytest.approx(179.8025)


def test_one_run_has_no_picture_of_times(build):
    found = figures(build.published(losses=(3.27,)))
    assert found.runtimes is None
    assert found.losses.values == (3.27,)


def test_step_times_are_those_of_the_step_lines(build, log_text):
    logs = {
        f"{seed}.txt": with_steps(log_text(seed=seed), lambda step, ms=10 + seed: ms)
        for seed in range(3)
    }
    found = figures(build.folder(logs), track="tiny").step_times
    assert found.runs == 3
    assert found.steps == tuple(range(5, 301, 5))
    assert found.low == pytest.approx([10] * 60)
    assert found.median == pytest.approx([11] * 60)
    assert found.high == pytest.approx([12] * 60)


def test_a_step_that_gets_slower_does_so_where_it_does(build, log_text):
    text = with_steps(log_text(), lambda step: 10 if step <= 150 else 20)
    found = figures(build.folder({"a.txt": text}), track="tiny").step_times
    assert found.median == pytest.approx([10] * 30 + [20] * 30)


def test_a_clock_that_restarts_after_the_warm_up_counts_from_there(build, log_text):
    text = with_steps(log_text(), lambda step: 900 if step < 10 else 10, restart=10)
    found = figures(build.folder({"a.txt": text}), track="tiny").step_times
    assert found.median == pytest.approx([10] * len(found.steps))
    assert found.steps[0] == 15


def test_step_times_fall_back_on_the_validations(build):
    found = figures(build.published()).step_times
    assert [step for step in found.steps if step <= 150] == [139]
    assert found.steps[-1] == 1393
    assert found.median[-1] == pytest.approx(179_802.5 / 1393, rel=1e-4)


def test_a_sequential_record_shows_its_evidence_run_by_run(build):
    judged = judge_folder(build.sequential(), Overrides())
    test, found = judged.certificate.loss.sequential, plot_data_of(judged).evidence
    assert [10**e for e in found.log10_e] == pytest.approx(list(test.e_values))
    assert 10**found.needed == pytest.approx(1 / judged.certificate.alpha)
    assert found.certified_at == test.certified_at is not None
    assert max(found.log10_e) >= found.needed


def test_a_fixed_number_of_runs_has_no_evidence_run_by_run(build):
    assert figures(build.record()).evidence is None


def test_a_comparison_holds_both_sides_and_record_minus_baseline(build):
    ours = build.published(name="ours", losses=(3.2771, 3.2772, 3.2773))
    theirs = build.published(name="theirs", losses=(3.2781, 3.2783, 3.2782, 3.2788))
    found = figures(ours, baseline=theirs).comparison
    assert found.losses.record == (3.2771, 3.2772, 3.2773)
    assert found.losses.baseline == (3.2781, 3.2783, 3.2782, 3.2788)
    expected = 3.2772 - statistics.fmean(found.losses.baseline)
    assert found.losses.difference.difference == pytest.approx(expected)
    assert found.times.record == (179.8, 179.801, 179.802)


def test_times_of_different_hardware_are_not_compared(build):
    ours = build.published(name="ours")
    theirs = build.published(name="theirs", losses=(3.2781, 3.2783), gpu="NVIDIA H200")
    found = figures(ours, baseline=theirs).comparison
    assert found.losses is not None
    assert found.times is None


def test_a_record_without_logs_shows_its_published_losses_alone(build):
    toml = 'track = "gpt2-small"\n[published]\nlosses = [3.2771, 3.2781, 3.2775]\n'
    found = figures(build.folder({"record.toml": toml}))
    assert found.losses.values == (3.2771, 3.2781, 3.2775)
    assert found.posterior is not None
    assert (found.curves, found.runtimes, found.step_times) == (None, None, None)
