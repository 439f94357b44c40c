"""Documents that nobody would write in good faith are read quickly or not at all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from speedcheck.claims.reader import read_claims

from speedcheck.api import verify
from speedcheck.claims.documents import MAX_BYTES


def test_a_document_that_is_too_large_or_a_link_is_not_read_and_leaves_provenance_unknown(
    build, tmp_path
):
    large = build.published(name="large")
    (large / "README.md").write_text("p=0.5\n" * (MAX_BYTES // 6 + 1))
    linked = build.published(name="linked")
    (tmp_path / "elsewhere.md").write_text("p=0.5")
    (linked / "README.md").symlink_to(tmp_path / "elsewhere.md")
    for folder in (large, linked):
        certificate = verify(folder)
        findings = certificate.verdicts.provenance.findings
        (finding,) = [f for f in findings if f.code == "P019 claims-not-read"]
        assert (finding.severity, finding.where) == ("unknown", "README.md")
        assert certificate.claims == ()


def test_a_folder_above_that_may_not_be_listed_is_no_hindrance(build, monkeypatch):
    folder = build.published(name="above/record")
    list_folder = Path.iterdir

    def refusing(path):
        if path.name == "above":
            raise PermissionError(path)
        return list_folder(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    assert verify(folder).claims == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 1000,
        b"\xff\xfe" + "losses = [3.2781]".encode("utf-16-le"),
        b"p=\xff0.01\r\nmean loss: 1e400\n",
        b"losses = [1e400, nan, inf, -0.0]\n",
        "losses = [\u0663.\u0662, 3.2781]\np=\u0660.\u0661".encode(),
        b"mean loss: " + b"9" * 5000,
        b"| | |\n|-|-|\n|||||\n",
        b"|\n|-\n",
        b"| run | loss |\n|-|-|\n| 1 |\n",
        b"losses = [3.2777, 3.2795]\np = ttest_1samp(losses, 3.3.2777).pvalue\n",
    ],
)
def test_hostile_text_is_read_without_a_word_against_the_record(build, data):
    folder = build.published()
    (folder / "README.md").write_bytes(data)
    assert [c for c in verify(folder).claims if c.status == "not_confirmed"] == []


HEAPS = """[ [1, (1) [# = ( a=[1] [a]( <a <!-- | |a| # ` - 1e 1, p p=1 mean1 n=1, =3.1, tensor(1),
np.float64( losses:3.1, sd=1 x=y( 1x10 step:1/1val_loss:3.2"""
HEAPS_WITH_BLANKS = """>  3.1\n¦a = "3.1 ¦x = '3.1'.split(\n¦f()#)¦>>> a,b\n(1,2)\n¦- a\n  - b\n
¦[1 2 ¦p ¦mean 1 ¦mean\n¦| 1 | 2 |\n|-|-|\n¦seed 1: 3.271\n¦# a\nloss=[3.27]\n
a_loss=[3.27]\nmean loss: 3.2\n¦|run|loss|\n|-|-|\n|1|3.27|\n\n"""


@pytest.mark.parametrize("unit", [*HEAPS.split(), *HEAPS_WITH_BLANKS.split("¦")])
def test_the_time_of_reading_is_bounded_for_a_document_of_any_one_thing(unit):
    text = (unit * (MAX_BYTES // len(unit.encode())))[:MAX_BYTES]
    start = time.process_time()
    read_claims(text)
    # A quadratic reading of a million characters would take minutes.
    assert time.process_time() - start < 20
