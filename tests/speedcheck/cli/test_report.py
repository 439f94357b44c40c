"""`speedcheck report`: what it writes where, and what it refuses."""

from __future__ import annotations

import pytest

from speedcheck.report import report_files as reports
from speedcheck.report.html import page
from speedcheck.report.plots import draw


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def installed():
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    pytest.importorskip("jinja2", reason="the extra `report` is not installed")


def assert_refused(result, *words):
    assert result.code == 2
    assert result.out == ""
    assert len(result.err.splitlines()) == 1
    for word in words:
        assert word in result.err


def test_the_page_goes_where_it_is_wanted(installed, build, cli, tmp_path):
    result = cli("report", build.record(), "--html", tmp_path / "page.html")
    assert (result.code, result.err) == (0, "")
    first, wrote = result.out.splitlines()
    assert first.startswith("CERTIFIED")
    assert wrote == f"wrote {tmp_path / 'page.html'}"
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_a_name_the_page_has_the_name_of_the_folder(installed, build, cli, tmp_path):
    assert cli("report", build.record(name="my-record")).code == 0
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["my-record.html"]


def test_the_page_of_the_only_record_below_a_folder_has_the_name_of_the_record(
    installed, build, cli, tmp_path
):
    build.record(name="records/only")
    assert cli("report", tmp_path / "records").code == 0
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["only.html"]


def test_pictures_alone_write_no_page(installed, build, cli, tmp_path):
    result = cli("report", build.record(), "--png", tmp_path / "new" / "pictures")
    assert result.code == 0
    written = sorted(path.name for path in (tmp_path / "new" / "pictures").iterdir())
    assert written == [
        "curves.png",
        "losses.png",
        "posterior.png",
        "runtimes.png",
        "step-times.png",
    ]
    assert list((tmp_path / "here").iterdir()) == []


def test_a_record_that_fails_has_a_page_too(installed, build, cli):
    result = cli("report", build.published(losses=(3.29, 3.28)))
    assert result.code == 0
    assert result.out.startswith("NOT CERTIFIED")


def test_the_record_folder_stays_as_it_is(installed, build, cli):
    folder = build.record()
    before = sorted(path for path in folder.rglob("*"))
    cli("report", folder)
    assert sorted(path for path in folder.rglob("*")) == before


def test_a_baseline_adds_its_picture(installed, build, cli, tmp_path):
    baseline = build.record(name="baseline", losses=(1.25, 1.26, 1.24))
    cli("report", build.record(), "--baseline", baseline, "--png", tmp_path / "pictures")
    assert (tmp_path / "pictures" / "comparison.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing"], ["missing"]),
        (["--html", "absent/page.html"], ["absent/page.html", "folder does not exist"]),
        (["--html", "."], ["is a folder"]),
        (["--png", "taken"], ["taken", "is a file", "name a folder"]),
        (["--track", "nowhere"], ["nowhere"]),
    ],
)
def test_what_cannot_be_used_is_one_line(installed, build, cli, tmp_path, arguments, words):
    (tmp_path / "here" / "taken").write_text("")
    folder = [] if arguments == ["missing"] else [build.record()]
    assert_refused(cli("report", *folder, *arguments), *words)


def test_a_folder_of_several_records_is_refused(installed, build, cli, tmp_path):
    build.record(name="records/one")
    build.record(name="records/two")
    assert_refused(cli("report", tmp_path / "records"), "holds 2 records", "name one")


@pytest.mark.parametrize(
    ("module", "wanted"), [("matplotlib", "pictures need"), ("jinja2", "pages need")]
)
def test_a_missing_package_is_named_with_its_remedy(build, cli, monkeypatch, module, wanted):
    found = lambda name: None if name == module else object()  # noqa: E731
    monkeypatch.setattr(draw, "find_spec", found)
    monkeypatch.setattr(page, "find_spec", found)
    monkeypatch.setattr(reports, "judge_folder", lambda *_: pytest.fail("judged for nothing"))
    assert_refused(
        cli("report", build.record()), wanted, module.lower(), "pip install 'speedcheck[report]'"
    )
