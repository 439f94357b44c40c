"""The README of a record with a ledger: its own is never refuted, an edited one is."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from speedcheck.api import verify
from speedcheck.records.record_folder import read_record
from speedcheck.report.record_readme import readme

COMMAND = "speedcheck run --recipe tiny --seeds 8"
# What may become of a run: its end in the ledger, and its log.
FATES = ("finished",) * 8 + ("failed", "abandoned", "planned", "diverged", "cut")


def with_own_readme(folder: Path) -> None:
    """Write the README that `speedcheck run` writes."""
    (folder / "README.md").write_text(readme(verify(folder), read_record(folder), COMMAND))


@pytest.fixture
def record(build):
    """Give a record that certifies, with its own README."""
    folder = build.record()
    with_own_readme(folder)
    return folder


@st.composite
def campaigns(draw):
    """Final losses, a time in milliseconds and a fate for each of some seeds."""
    n = draw(st.integers(1, 12))
    target = draw(st.sampled_from([1.3, 3.28, 2.92]))
    spread = draw(st.sampled_from([100, 3_000, 60_000]))
    off = draw(st.integers(-30_000, 5_000))
    losses = [round(target + (off + draw(st.integers(-spread, spread))) / 1e6, 6) for _ in range(n)]
    scale = draw(st.sampled_from([30, 9_712, 179_800, 1_234_567, 99_999_999]))
    times = [scale + scale * draw(st.integers(0, 30)) // 1_000 for _ in range(n)]
    fates = [draw(st.sampled_from(FATES)) for _ in range(n)]
    return target, losses, times, fates


TRACKS = {1.3: "tiny", 3.28: "gpt2-small", 2.92: "gpt2-medium"}
ENDINGS = {"planned": (), "failed": ("started", "failed"), "abandoned": ("started", "abandoned")}


def files_of(campaign, log_text):
    """Return the logs by their seeds, and how the seeds ended that did not finish."""
    logs = {}
    _, losses, times, fates = campaign
    for seed, (loss, ms, fate) in enumerate(zip(losses, times, fates, strict=True)):
        last = 150 if fate in ("failed", "abandoned", "cut") else None
        stop = 150 if fate == "diverged" else None
        text = log_text(seed=seed, val_loss=loss, time_ms=ms, last_step=last, diverges_at=stop)
        logs[seed] = None if fate == "planned" else text
    return logs, {seed: ENDINGS[fate] for seed, fate in enumerate(fates) if fate in ENDINGS}


@settings(max_examples=examples(60))
@given(campaign=campaigns())
def test_the_readme_of_a_run_is_never_refuted_whatever_became_of_it(campaign, builder_at, log_text):
    target, losses, *_ = campaign
    logs, endings = files_of(campaign, log_text)
    with tempfile.TemporaryDirectory() as temporary:
        plan = {"track": TRACKS[target]}
        folder = builder_at(Path(temporary)).record(losses, logs=logs, endings=endings, plan=plan)
        before = verify(folder)
        with_own_readme(folder)
        after = verify(folder)
        assert [claim for claim in after.claims if claim.status == "not_confirmed"] == []
        assert after.verdicts.findings() == before.verdicts.findings()
        assert (after.certified, after.loss) == (before.certified, before.loss)
        text = (folder / "README.md").read_text()
        assert readme(after, read_record(folder), COMMAND) == text


def test_all_plot_data_of_the_readme_are_claims(record):
    claims = verify(record).claims
    assert {claim.what for claim in claims} == {
        *("losses", "times", "mean", "std", "p", "time_mean", "time_std")
    }
    assert {claim.where.partition(":")[0] for claim in claims} == {"README.md"}


@pytest.mark.parametrize(
    ("subject", "old", "new"),
    [
        ("mean", r"Mean\(statistic=np\.float64\(1\.2", "Mean(statistic=np.float64(1.1"),
        ("std", r"Std_dev\(statistic=np\.float64\(0\.02", "Std_dev(statistic=np.float64(0.01"),
        ("p", r"\bp ?(?:=|is) ?[0-9][0-9.e-]*[0-9]", "p = 0.02"),
    ],
)
def test_a_figure_of_its_code_that_was_changed_refuses_the_certificate(record, subject, old, new):
    path = record / "README.md"
    text, changes = re.subn(old, new, path.read_text())
    assert changes == (3 if subject == "p" else 1)
    path.write_text(text)
    certificate = verify(record)
    assert subject in {c.what for c in certificate.claims if c.status == "not_confirmed"}
    assert not certificate.certified


@pytest.mark.parametrize(
    ("subject", "old", "new"),
    [
        ("time_mean", "Mean runtime: 9", "Mean runtime: 8"),
        ("time_std", "Stddev: 2ms", "Stddev: 4ms"),
    ],
)
def test_a_figure_of_its_text_that_was_changed_is_a_warning(record, subject, old, new):
    path = record / "README.md"
    path.write_text(path.read_text().replace(old, new, 1))
    certificate = verify(record)
    assert subject in {c.what for c in certificate.claims if c.status == "not_confirmed"}
    codes = [finding.code for finding in certificate.verdicts.provenance.findings]
    assert "P038 text-differs" in codes
    assert certificate.certified


def test_a_seed_left_out_of_its_lists_is_said(record):
    path = record / "README.md"
    text = path.read_text().replace("1.23, ", "", 1)
    path.write_text(re.sub(r"\n\| 3 \|[^\n]*", "", text))
    codes = [finding.code for finding in verify(record).verdicts.provenance.findings]
    assert "P022 unlisted-log" in codes


def test_the_readme_of_another_campaign_is_refused(build, record, losses):
    other = build.record([round(loss - 0.02, 6) for loss in losses], name="other")
    (other / "README.md").write_bytes((record / "README.md").read_bytes())
    certificate = verify(other)
    assert not certificate.certified
    (refuted,) = [c for c in certificate.claims if c.what == "losses" and c.basis == "data"][:1]
    assert refuted.status == "not_confirmed"
