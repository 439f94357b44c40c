"""Objects in a notebook: what they show, and that foreign text stays text."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hostile import TEXTS, with_text

import speedcheck
from speedcheck.report.headline import headline
from speedcheck.report.wording import printable
from speedcheck.verdicts import Verdict

ALLOWED = {"p", "strong", "table", "tr", "th", "td", "pre"}


class Shown(HTMLParser):
    """The tags and the text of a piece of HTML."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert dict(attrs) in ({}, {"style": "text-align: left"})

    def handle_data(self, data):
        self.text += data


def test_a_certificate_shows_its_verdict_and_figures(build):
    certificate = speedcheck.verify(build.record())
    shown = Shown(certificate._repr_html_())
    assert shown.tags <= ALLOWED
    assert headline(certificate) in shown.text
    assert "t-test" in shown.text
    assert "S002 no-baseline" in shown.text


def test_a_comparison_and_a_plan_show_their_reports(build):
    a, b = build.published(name="a"), build.published(name="b", losses=(3.2771, 3.2785, 3.2779))
    for found, word in (
        (speedcheck.compare(a, b), "UNDECIDED"),
        (speedcheck.plan(mean=3.278, sd=0.0018), "PLAN"),
    ):
        shown = Shown(found._repr_html_())
        assert shown.tags == {"p", "strong", "pre"}
        assert shown.text.startswith(word)


def test_bare_losses_show_their_verdict():
    shown = Shown(speedcheck.certify([3.2777, 3.2785, 3.2784, 3.2782])._repr_html_())
    assert shown.text.startswith("CERTIFIED")
    assert Shown(speedcheck.certify([3.29, 3.28])._repr_html_()).text.startswith("NOT CERTIFIED")


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_foreign_text_stays_text(text, build):
    certificate = with_text(speedcheck.verify(build.record()), text)
    shown = Shown(certificate._repr_html_())
    assert shown.tags <= ALLOWED
    assert printable(text) in shown.text
    bare = speedcheck.certify([3.29, 3.28])
    findings = tuple(dataclasses.replace(f, message=text) for f in bare.verdict.findings)
    bare = dataclasses.replace(bare, verdict=Verdict("fail", findings))
    assert Shown(bare._repr_html_()).tags <= ALLOWED


def test_the_table_of_the_runs_is_that_of_the_command(build, cli, tmp_path):
    pandas = pytest.importorskip("pandas")
    build.record(name="one")
    build.published(name="two")
    table = speedcheck.read(tmp_path)
    assert len(table) == 14
    (tmp_path / "table.csv").write_text(cli("table", "--csv", tmp_path).out)
    printed = pandas.read_csv(tmp_path / "table.csv")
    assert list(table.columns) == list(printed.columns)
    assert table.val_loss.tolist() == printed.val_loss.tolist()


def test_the_table_escapes_foreign_names(build, log_text):
    folder = build.folder({"logs/<b>x<_b>.txt": log_text(), "record.toml": 'track = "tiny"\n'})
    assert "<b>x" not in speedcheck.read(folder)._repr_html_()


def test_a_notebook_needs_only_the_public_names(build):
    code = "import speedcheck, sys; print(speedcheck.verify(sys.argv[1])._repr_html_()[:3])"
    done = subprocess.run(
        [sys.executable, "-c", code, build.record()], capture_output=True, text=True, check=True
    )
    assert done.stdout == "<p>\n"
