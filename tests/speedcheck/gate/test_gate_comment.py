"""What the gate writes: the comment, the summary of the job, and names as text."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from markdown_it import MarkdownIt

from speedcheck import verify
from speedcheck.gate.decision import Decision
from speedcheck.gate.objection import Objection
from speedcheck.report.certificate_markdown import MAX_CHARACTERS
from speedcheck.report.gate_text import gate_markdown
from tests.speedcheck.gate.conftest import files_of


@pytest.mark.parametrize("count", [1, 40, 500])
@pytest.mark.parametrize("name", ["record", "|" * 3_000])
def test_the_comment_has_room_for_any_number_of_records(build, count, name):
    certificate = verify(build.published())
    no = Objection("not so")
    decisions = [
        Decision(PurePosixPath(f"{index}-{name}"), certificate, () if index % 10 else (no,))
        for index in range(count)
    ]
    decisions.append(Decision(PurePosixPath("unreadable"), None, (Objection("why" * 1_000),)))
    for chosen in (decisions, decisions[-1:] * count):
        body = gate_markdown(chosen)
        assert len(body) <= MAX_CHARACTERS
        table = body.partition("\n\n|")[2].partition("\n\n")[0].splitlines()[2:]
        words = [row.partition(" | ")[2].partition(" | ")[0] for row in table]
        shown = [word for word in words if word in ("pass", "**fail**")]
        left = table[-1].removeprefix("| ").partition(" more, left out")[0]
        assert len(shown) + (int(left) if len(shown) < len(table) else 0) == len(chosen)
        assert shown == sorted(shown)


def test_the_summary_of_the_job_and_the_comment_say_the_same(
    clone, gate, build, tmp_path, monkeypatch
):
    page, comment = tmp_path / "summary.md", tmp_path / "comment.md"
    page.write_text("from an earlier step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    clone.branch("work")
    clone.commit("record", files_of(build.record(), "records/new"))
    assert gate("--comment", str(comment))[0] == 0
    assert page.read_text() == "from an earlier step\n" + comment.read_text()
    assert "## speedcheck gate: pass (1 record)" in comment.read_text()


def test_hostile_names_stand_as_text_in_every_output(clone, gate, build, tmp_path):
    name = "records/::error::x|<b>@someone"
    clone.branch("work")
    clone.commit("record", files_of(build.record(), name))
    comment = tmp_path / "comment.md"
    code, out, _ = gate("--comment", str(comment))
    assert code == 0
    assert not any(line.startswith("::") for line in out.splitlines())
    html = MarkdownIt("commonmark").enable("table").render(comment.read_text())
    assert "<b>" not in html
    assert "&lt;b&gt;@someone" in html
