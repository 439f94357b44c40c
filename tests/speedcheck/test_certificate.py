"""The certificate's JSON is that of schema speedcheck.certificate/2, for every kind of record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedcheck.api import verify

RECORDS = Path(__file__).parents[2] / "records"
NAN = float("nan")

# Keys of spec "certificate.json (schema speedcheck.certificate/2)", in its order.
KEYS = [
    "schema",
    "record",
    "track",
    "target",
    "alpha",
    "certified",
    "runs",
    "loss",
    "runtime",
    "claims",
    "verdicts",
    "groups",
    "selection",
]
RUN = [
    "log",
    "run",
    "seed",
    "val_loss",
    "train_time_ms",
    "final_step",
    "total_steps",
    "complete",
    "counted",
    "reason",
    "gpu",
    "n_gpus",
    "torch",
    "source_sha256",
    "exclusion",
    "group",
    "outside_clock_s",
]
LOSS = ["n", "mean", "std", "t", "df", "p_value", "bayes_mean", "bayes_std"]
LOSS += ["sequential", "frontier", "scan"]
ESTIMATE = ["estimate", "low", "high", "level"]
RUNTIME = ["n", "mean_s", "std_s", "median_s", "min_s", "max_s"]
CLAIM = ["what", "claimed", "recomputed", "status", "where", "basis"]
VERDICTS = ["loss", "speed", "rules", "provenance"]
FINDING = ["code", "severity", "message", "where"]

KINDS = {
    "certified": lambda b: b.record(),
    "published": lambda b: b.published(),
    "one run": lambda b: b.published([3.27]),
    "two runs": lambda b: b.published([3.27, 3.271]),
    "equal losses": lambda b: b.published([3.27] * 3),
    "diverged": lambda b: b.published([3.27, NAN, float("inf")]),
    "no complete run": lambda b: b.record(last_step=150),
    "without times": lambda b: b.folder({"a.log": "s:9 tel:3.2\n", "b.log": "s:9 tel:3.1\n"}),
    "without evidence": lambda b: b.folder({"record.toml": ""}),
    "sub-3": lambda b: RECORDS / "sub-3-minute-record",
    "long-short": lambda b: RECORDS / "long-short-swa",
}


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def parse(text):
    """Read JSON as the standard has it, without NaN and Infinity."""
    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_has_the_keys_and_nesting_of_the_schema_in_its_order(build, cli, kind):
    result = cli("verify", "--json", KINDS[kind](build))
    assert result.err == ""
    certificate = parse(result.out)
    assert list(certificate) == KEYS
    assert certificate["schema"] == "speedcheck.certificate/2"
    assert all(list(run) == RUN for run in certificate["runs"])
    assert list(certificate["loss"]) == LOSS
    for estimate in (certificate["loss"]["bayes_mean"], certificate["loss"]["bayes_std"]):
        assert estimate is None or list(estimate) == ESTIMATE
    assert certificate["runtime"] is None or list(certificate["runtime"]) == RUNTIME
    assert all(list(claim) == CLAIM for claim in certificate["claims"])
    assert list(certificate["verdicts"]) == VERDICTS
    for verdict in certificate["verdicts"].values():
        assert list(verdict) == ["status", "findings"]
        assert verdict["status"] in {"pass", "fail", "warn", "unknown"}
        assert all(list(finding) == FINDING for finding in verdict["findings"])
    assert result.code == (0 if certificate["certified"] is True else 1)


def test_impossible_figures_are_null(build, cli):
    loss = parse(cli("verify", "--json", build.published([3.27, NAN])).out)["loss"]
    assert loss == {"n": 2} | dict.fromkeys(LOSS[1:])
    runs = parse(cli("verify", "--json", build.published([3.27, NAN])).out)["runs"]
    assert [run["val_loss"] for run in runs] == [3.27, None]


def test_two_losses_have_an_interval_and_no_estimate_as_the_mean_does_not_exist(build, cli):
    loss = parse(cli("verify", "--json", build.published([3.27, 3.271])).out)["loss"]
    assert loss["bayes_mean"]["estimate"] is None
    assert loss["bayes_mean"]["low"] < 3.2705 < loss["bayes_mean"]["high"]


def test_one_record_is_an_object_and_several_are_a_list(build, cli):
    one, two = build.record(name="one"), build.published(name="two")
    assert isinstance(parse(cli("verify", "--json", one).out), dict)
    several = parse(cli("verify", "--json", one, two).out)
    assert [certificate["record"] for certificate in several] == ["one", "two"]
    below = parse(cli("verify", "--json", build.path).out)
    assert below == several


def test_the_numbers_are_the_certificates_to_the_last_bit(build):
    certificate = verify(build.record())
    read = json.loads(certificate.to_json())
    assert [run["val_loss"] for run in read["runs"]] == [r.val_loss for r in certificate.runs]
    assert read["loss"]["mean"] == certificate.loss.mean
    assert read["runtime"]["std_s"] == certificate.runtime.std_s
    assert read["loss"]["p_value"] == certificate.loss.p_value
