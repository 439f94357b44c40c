"""The pictures that `speedcheck run` leaves in a record."""

from __future__ import annotations

import errno
import re

import pytest

import speedcheck
from speedcheck.report import report_files


@pytest.fixture
def drawing(monkeypatch):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    monkeypatch.setattr(report_files, "can_draw", lambda: True)


def test_the_readme_shows_pictures_that_are_there(drawing, run_tiny, tmp_path):
    assert run_tiny("--seeds", "4").code == 0
    folder = tmp_path / "record"
    shown = re.findall(r"^!\[[^\]]+\]\((\S+)\)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert shown == ["images/losses.png", "images/curves.png", "images/runtimes.png"]
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in shown)


def test_the_certificate_is_that_of_the_folder_with_its_pictures(drawing, run_tiny, tmp_path):
    run_tiny("--seeds", "4")
    folder = tmp_path / "record"
    assert (folder / "certificate.json").read_text() == speedcheck.verify(folder).to_json()
    findings = speedcheck.verify(folder).verdicts.findings()
    assert not [f for f in findings if "images/" in f.where]


def test_without_matplotlib_the_readme_shows_none_and_nothing_is_said(run_tiny, tmp_path):
    result = run_tiny("--seeds", "4")
    assert result.code == 0
    assert "pictures need" not in result.out + result.err
    assert "![" not in (tmp_path / "record" / "README.md").read_text()
    assert not (tmp_path / "record" / "images").exists()


def test_a_full_disk_is_one_line_and_costs_no_run(drawing, run_tiny, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "images/losses.png")

    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", full)
        result = run_tiny("--seeds", "4")
    assert result.code == 2
    assert len(result.err.strip().splitlines()) == 1
    assert "No space left on device" in result.err
    assert run_tiny("--resume").code == 0
