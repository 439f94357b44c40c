"""The figures under [published] in record.toml against the statistics of the record."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from speedcheck.api import verify

RECORDS = Path(__file__).parents[3] / "records"


def claims_of(folder):
    return [(c.what, c.claimed, c.recomputed, c.status) for c in verify(folder).claims]


SUB_3_MINUTES = [
    ("losses", "32 losses", None, "not_checkable"),
    ("p", "0.0001", "7.922565663330479e-05", "confirmed"),
    ("mean", "3.27869375", "3.27869375", "confirmed"),
    ("mean", "3.2781784751445135", "3.2781784751445135", "confirmed"),
    ("mean", "3.2792090248554864", "3.2792090248554864", "confirmed"),
    ("std", "0.0017621789337662857", "0.0017621789337662857", "confirmed"),
    ("std", "0.0014271074116428265", "0.0014271074116428265", "confirmed"),
    ("std", "0.002179878373699496", "0.002179878373699496", "confirmed"),
    ("time_mean", "179.8 s", None, "not_checkable"),
    ("time_std", "0.101 s", None, "not_checkable"),
]


def test_what_follows_from_the_published_losses_is_confirmed_and_nothing_else_is():
    assert claims_of(RECORDS / "sub-3-minute-record") == SUB_3_MINUTES


def test_every_published_digit_comes_out_and_no_record_is_certified_without_its_logs(cli):
    for record in ("sub-3-minute-record", "long-short-swa"):
        result = cli("verify", RECORDS / record)
        assert (result.code, result.err) == (1, "")
        assert result.out.startswith("NOT CERTIFIED: the folder holds no log")
    loss = json.loads(cli("verify", "--json", RECORDS / "sub-3-minute-record").out)["loss"]
    assert (loss["n"], loss["mean"]) == (32, 3.27869375)
    assert f"{loss['p_value']:.5g} {loss['p_value']:.4f}" == "7.9226e-05 0.0001"
    mean, std = loss["bayes_mean"], loss["bayes_std"]
    assert [mean["low"], mean["high"]] == [3.2781784751445135, 3.2792090248554864]
    assert [std["estimate"], std["low"], std["high"]] == [
        0.0017621789337662857,
        0.0014271074116428265,
        0.002179878373699496,
    ]
    p = json.loads(cli("verify", "--json", RECORDS / "long-short-swa").out)["loss"]["p_value"]
    assert f"{p:.5g} {p:.4f}" == "0.00069527 0.0007"


PUBLISHED = {
    "losses": [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779],
    "p": "0.0007",
    "time_mean_s": "179.803",
    "time_std_s": "0.002",
    "time_mean_min": "3.00",
}


@pytest.fixture
def with_logs(build):
    """Write published logs beside a record.toml that claims figures for them."""

    def write(**claims):
        folder = build.published()
        figures = PUBLISHED | claims
        lines = [f"{key} = {value!r}".replace("'", '"') for key, value in figures.items()]
        (folder / "record.toml").write_text("[published]\n" + "\n".join(lines))
        return folder

    return write


def test_claims_that_the_logs_bear_out_are_confirmed(with_logs):
    # scipy.stats.ttest_1samp of the losses gives p = 0.000717; the times are 179.800 to 179.805 s.
    certificate = verify(with_logs())
    assert {claim.what: claim.status for claim in certificate.claims} == {
        "losses": "confirmed",
        "p": "confirmed",
        "time_mean": "confirmed",
        "time_std": "confirmed",
    }
    assert certificate.certified


@pytest.mark.parametrize("key", PUBLISHED)
def test_a_figure_that_is_not_published_is_not_claimed(build, key):
    folder = build.published()
    (folder / "record.toml").write_text(f"[published]\n{key} = {PUBLISHED[key]!r}\n")
    certificate = verify(folder)
    assert [claim.status for claim in certificate.claims] == ["confirmed"]
    assert certificate.certified


@pytest.mark.parametrize("deviation", [statistics.stdev, statistics.pstdev])
def test_a_published_deviation_may_be_the_samples_or_numpys(with_logs, deviation):
    folder = with_logs(std=f"{deviation(PUBLISHED['losses']):.6f}")
    (claim,) = [claim for claim in verify(folder).claims if claim.what == "std"]
    assert claim.status == "confirmed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"losses": [3.2772, *PUBLISHED["losses"][1:]]},
        {"losses": PUBLISHED["losses"][1:]},
        {"losses": [*PUBLISHED["losses"], 3.2781]},
        {"p": "0.0006"},
        {"time_mean_s": "179.9"},
        {"time_std_s": "0.101"},
        {"std": "0.000401"},
        {"time_mean_min": "2.99"},
    ],
)
def test_one_figure_that_the_logs_do_not_bear_out_refuses_the_certificate(
    with_logs, findings_of, wrong
):
    folder = with_logs(**wrong)
    (finding,) = findings_of(folder)["P014 claim-not-confirmed"]
    assert finding.severity == "fail"
    assert finding.where == f"record.toml [published] {next(iter(wrong))}"
    assert not verify(folder).certified
