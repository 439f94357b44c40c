"""Tracks that ask for a better mean than the best certified record's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from speedcheck.api import verify
from speedcheck.checks import codes
from speedcheck.errors import InputError

TRACK = """
[tracks.best]
target = 1.30
test = "welch"
frontier = "best"
improvement = {}
alpha = {}
"""
FRONTIER = [1.2221, 1.2254, 1.2238]
RECORD = [1.2001, 1.2032, 1.2017, 1.2005]


@pytest.fixture
def config(tmp_path):
    def write(improvement=0.0, alpha=0.01):
        path = tmp_path / "own.toml"
        path.write_text(TRACK.format(improvement, alpha))
        return path

    return write


@pytest.fixture
def best(build):
    """Write a record of the track, and beside it the frontier."""

    def write(losses=RECORD, frontier=FRONTIER, **plan):
        build.record(frontier, name="frontier", plan={"track": "best"})
        named = {"track": "best", "baseline": "../frontier"} | plan
        return build.record(losses, name="mine", plan=named)

    return write


def severities(certificate):
    return {finding.code: finding.severity for finding in certificate.verdicts.findings()}


@pytest.mark.parametrize("improvement", [0.0, 0.015])
def test_the_record_is_held_against_the_baseline_by_scipys_welch_test(best, config, improvement):
    certificate = verify(best(), config=config(improvement))
    p = scipy.stats.ttest_ind(
        np.add(RECORD, improvement), FRONTIER, equal_var=False, alternative="less"
    ).pvalue
    figures = certificate.loss.frontier
    assert certificate.loss.p_value == figures.p_value == pytest.approx(p, rel=1e-6)
    assert certificate.certified == (p < 0.01)
    assert severities(certificate)[codes.FRONTIER_BEATEN] == "info"
    assert (certificate.loss.t, figures.improvement) == (None, improvement)
    own = scipy.stats.ttest_1samp(FRONTIER, 0).confidence_interval(0.95)
    assert (figures.low, figures.high) == pytest.approx(tuple(own))
    between = scipy.stats.ttest_ind(RECORD, FRONTIER, equal_var=False).confidence_interval(0.95)
    assert (figures.difference_low, figures.difference_high) == pytest.approx(tuple(between))


def test_the_report_shows_the_frontier_with_its_own_interval(best, config, cli):
    out = cli("verify", best(), "--config", config(0.01)).out
    figures = verify(best(), config=config(0.01)).loss.frontier
    assert out.startswith("CERTIFIED: mean loss 1.2014 beats the frontier's 1.2238 by more than ")
    assert f"95% interval {figures.low:.5g} to {figures.high:.5g}" in " ".join(out.split())
    assert "one-sided Welch p = " in " ".join(out.split())


def test_a_difference_that_chance_explains_fails_and_says_how_many_runs_would_do(best, config):
    certificate = verify(best([1.2225, 1.2236, 1.2229]), config=config())
    assert not certificate.certified
    assert severities(certificate)[codes.FRONTIER_NOT_BEATEN] == "fail"
    (said,) = [f for f in certificate.verdicts.findings() if f.code == codes.FRONTIER_NOT_BEATEN]
    assert "p = " in said.message
    worse = verify(best([1.2325, 1.2336, 1.2329]), config=config())
    assert worse.loss.frontier.runs_needed is None


def test_the_track_has_an_alpha_of_its_own(best, config):
    close = [1.2188, 1.2215, 1.2201]
    p = verify(best(close), config=config()).loss.p_value
    assert 0.01 < p < 0.1
    assert not verify(best(close), config=config()).certified
    assert verify(best(close), config=config(alpha=0.1)).certified


@pytest.mark.parametrize("frontier", [None, [1.2221]])
def test_without_a_frontier_of_two_runs_the_loss_is_unknown(best, config, frontier):
    folder = best(frontier=frontier or FRONTIER, **({} if frontier else {"baseline": None}))
    certificate = verify(folder, config=config())
    assert not certificate.certified
    assert certificate.verdicts.loss.status == "unknown"
    assert severities(certificate)[codes.FRONTIER_UNKNOWN] == "unknown"
    assert certificate.loss.frontier is None


def test_without_a_frontier_a_mean_above_the_target_fails(build, config):
    folder = build.record([1.31, 1.32, 1.33], plan={"track": "best"})
    found = severities(verify(folder, config=config()))
    assert found[codes.NOT_SIGNIFICANT] == "fail"
    assert found[codes.FRONTIER_UNKNOWN] == "unknown"


def test_equal_losses_on_both_sides_are_no_test(best, config):
    certificate = verify(best([1.2] * 3, [1.22] * 3), config=config())
    assert certificate.loss.p_value is None
    assert severities(certificate)[codes.FRONTIER_NOT_BEATEN] == "fail"


def test_times_are_not_compared_where_losses_decide(best, config):
    verdict = verify(best(), config=config()).verdicts.speed
    assert verdict.status == "unknown"
    assert not any(finding.code == codes.SLOWER for finding in verdict.findings)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("improvement = 0.1", "test is 't', and improvement is given"),
        ('frontier = "best"', "test is 't', and frontier is given"),
        ('test = "welch"\nfrontier = "last"', "frontier"),
        ('test = "welch"\nimprovement = -1', "improvement"),
        ('test = "welch"\nsigma = 0.1', "sigma"),
        ("exchange_rate = { loss = 0.0045 }", "loss or steps is missing"),
        ("exchange_rate = { loss = 0.0045, steps = 100 }", "exchange_rate is given"),
        ("exchange_rate = { loss = 0, steps = 100 }", "loss"),
    ],
)
def test_keys_that_do_not_fit_are_refused_by_name(build, tmp_path, lines, message):
    path = tmp_path / "own.toml"
    path.write_text(f"[tracks.x]\ntarget = 1.3\n{lines}\n")
    with pytest.raises(InputError, match=message):
        verify(build.record(), config=path, track="x")
