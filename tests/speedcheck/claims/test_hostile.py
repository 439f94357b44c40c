"""Documents that nobody would write in good faith are read quickly or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.api import verify
from speedcheck.claims import lists
from speedcheck.claims.documents import read_document
from speedcheck.claims.model import Reader
from speedcheck.claims.tables import read_csv, read_json
from speedcheck.records.document_files import MAX_BYTES, MAX_LINES
from tests.speedcheck.claims.conftest import LOSSES, listed, pair

READER = Reader("README.md", ("val_loss", "loss"), 3.2785)
READMES = sorted((Path(__file__).parent / "readmes").glob("*.md"))


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
        assert "lines" not in finding.message
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


def test_a_document_of_more_lines_than_anybody_writes_is_not_read(build):
    folder = build.published()
    (folder / "README.md").write_text("-\n" * (MAX_LINES + 1))
    findings = verify(folder).verdicts.provenance.findings
    (finding,) = (finding for finding in findings if finding.code == "P019 claims-not-read")
    assert f"has {MAX_LINES + 1} lines, more than {MAX_LINES}: " in finding.message


@given(st.data())
def test_a_document_with_parts_cut_repeated_and_put_elsewhere_is_read(data):
    text = data.draw(st.sampled_from(READMES)).read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 6))):
        start, end, at = (data.draw(st.integers(0, len(text))) for _ in range(3))
        part = text[min(start, end) : max(start, end)]
        extra = data.draw(st.sampled_from(["", part, part[::-1], *"[]()|`#>=-.,:\n0"]))
        text = text[:at] + extra + text[at + data.draw(st.integers(0, 40)) :]
    list(read_document(text, READER))


@given(st.text("[]{}:,.\"'0123456789-val_lossed \n", max_size=300))
def test_json_and_csv_of_any_text_are_read(text):
    list(read_json(text, READER))
    list(read_json('{"val_loss": ' + text + "}", READER))
    list(read_csv("seed,val_loss\n" + text, READER))


@pytest.mark.parametrize("nested", ["[", '{"a":', '{"seed_results":['])
def test_json_that_nests_deep_states_nothing(nested):
    assert list(read_json(nested * 100_000, READER)) == []


@pytest.mark.parametrize("nested", ["> ", "- ", "> - ", "1. ", "[", "(", "`", "*", "<b>"])
def test_a_document_that_nests_deep_is_read(nested):
    assert list(read_document(nested * (MAX_BYTES // len(nested)), READER)) == []


@pytest.mark.parametrize(("values", "most"), [(6, 40), (7, 4)])
def test_only_lists_that_can_be_of_all_runs_are_compared_at_each_named_step(
    read, monkeypatch, values, most
):
    compared = []
    paired = lists.paired
    monkeypatch.setattr(lists, "paired", lambda *args: compared.append(args) or paired(*args))
    earlier = [(step, 3.3) for step in range(10, 600, 10)]
    runs = [pair(i, loss, earlier=earlier) for i, loss in enumerate(LOSSES)]
    steps = " ".join(f"at {step}," for step, _ in earlier)
    read(f"{steps}\n\n{listed([3.27 + 0.001 * i for i in range(values)])}", runs)
    assert 0 < len(compared) <= most
