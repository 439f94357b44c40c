"""`speedcheck history`: the order of a series, its gains, and the table between markers."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from speedcheck import verify
from speedcheck.history.points import points_of
from speedcheck.history.series import Entry
from speedcheck.report.markers import BEGIN, END
from speedcheck.rules.tracks import GPT2_SMALL

LOSSES = [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779, 3.2786, 3.2790]
AROUND = (-130, -80, -40, 0, 10, 50, 70, 120)


@pytest.fixture
def write(build, published_log_text):
    """Write a record of published logs around a training time in milliseconds."""

    def _write(name, around, *, runs=8, **options):
        logs = {
            f"{i:02d}.txt": published_log_text(
                val_loss=LOSSES[i], time_ms=around + AROUND[i], **options
            )
            for i in range(runs)
        }
        return build.folder(logs, f"records/{name}")

    return _write


def rows(cli, folder, *options):
    result = cli("history", folder, "--csv", *options)
    assert (result.code, result.err) == (0, "")
    return list(csv.DictReader(io.StringIO(result.out)))


def test_records_are_in_the_order_of_their_dates_and_each_gains_over_the_one_before(write, cli):
    write("20250320_third", 150_000)
    write("2025-01-16_first", 180_000)
    folder = write("2025-02-01_second", 170_000).parent
    found = rows(cli, folder)
    assert [row["record"].split("_")[1] for row in found] == ["first", "second", "third"]
    assert [row["date"] for row in found] == ["2025-01-16", "2025-02-01", "2025-03-20"]
    assert [row["gain"] for row in found] == ["", "10.0", "20.0"]


def test_a_gain_that_two_machines_explain_is_not_shown_and_a_larger_one_is(write, cli):
    # 0.5 % of 180 s is 0.9 s; 1.96 times that are 1.76 s.
    write("2025-01-01_a", 181_000)
    write("2025-01-02_b", 179_500)
    folder = write("2025-01-03_c", 176_000).parent
    assert [row["gain_shown"] for row in rows(cli, folder)] == ["", "no", "yes"]


def test_the_interval_of_a_gain_is_welchs_with_the_spread_between_machines(write, cli):
    write("2025-01-01_a", 180_000)
    folder = write("2025-01-02_b", 170_000).parent
    row = rows(cli, folder)[1]
    variance = 2 * np.var(np.array(AROUND) / 1000, ddof=1) / 8
    spread = 0.005 * (175.0 + np.mean(AROUND) / 1000)
    of_chance = scipy.stats.t.ppf(0.975, 14) * np.sqrt(variance)
    half = np.hypot(of_chance, scipy.stats.norm.ppf(0.975) * spread)
    assert float(row["gain_low"]) == pytest.approx(10 - half)
    assert float(row["gain_high"]) == pytest.approx(10 + half)


def test_with_one_run_a_gain_is_unknown_unless_machines_alone_explain_it(write, cli):
    write("2025-01-01_a", 180_000, runs=1)
    write("2025-01-02_b", 179_000, runs=1)
    folder = write("2025-01-03_c", 150_000, runs=1).parent
    found = rows(cli, folder)
    assert [row["gain_shown"] for row in found] == ["", "no", "unknown"]
    assert found[2]["gain_unknown_because"] == "one run has no standard deviation"


def test_times_of_other_hardware_are_no_gain_that_is_shown(write, cli):
    write("2025-01-01_a", 180_000)
    folder = write("2025-01-02_b", 150_000, gpu="NVIDIA H200").parent
    row = rows(cli, folder)[1]
    assert (row["gain"], row["gain_shown"]) == ("30.0", "unknown")
    assert "hardware" in row["gain_unknown_because"]


def test_records_of_two_tracks_are_two_series(write, cli):
    write("2025-01-01_a", 180_000)
    (write("2025-01-02_b", 900_000) / "record.toml").write_text('track = "gpt2-medium"\n')
    folder = write("2025-01-03_c", 170_000).parent
    assert [row["gain"] for row in rows(cli, folder)] == ["", "", "10.0"]


def test_on_the_track_of_steps_the_gain_is_a_number_of_steps(write, cli):
    for name, total in (("2025-01-01_a", 3300), ("2025-01-02_b", 3250)):
        folder = write(name, 500_000, steps=total)
        (folder / "record.toml").write_text('track = "gpt2-small-steps"\n')
    row = rows(cli, folder.parent)[1]
    assert (row["gain"], row["gain_unit"], row["gain_shown"]) == ("50.0", "steps", "yes")


def test_record_toml_dates_a_record_before_its_folder_does_and_no_date_comes_last(write, cli):
    (write("2025-01-01_a", 180_000) / "record.toml").write_text("date = 2025-06-01\n")
    write("undated", 160_000)
    write("2025-13-45_b", 160_000)
    folder = write("2025-02-01_c", 170_000).parent
    assert [row["date"] for row in rows(cli, folder)] == ["2025-02-01", "2025-06-01", "", ""]


def test_a_folder_that_cannot_be_judged_is_said_and_the_others_are_listed(write, cli):
    (write("2025-01-01_a", 180_000) / "record.toml").write_text("date = 7\n")
    folder = write("2025-02-01_c", 170_000).parent
    result = cli("history", folder)
    assert result.code == 2
    assert "date" in result.err
    assert "2025-02-01_c" in result.out
    assert "2025-01-01_a" not in result.out


def test_the_table_is_written_between_the_markers_and_a_second_time_changes_no_byte(write, cli):
    folder = write("2025-01-01_a", 180_000).parent
    page = folder.parent / "README.md"
    page.write_bytes(f"# Records\r\n\r\n{BEGIN}\nold\n{END}\r\nThe end\r\n".encode())
    first = cli("history", folder, "--write", page)
    assert (first.code, first.out, first.err) == (0, f"{page}: updated\n", "")
    once = page.read_bytes()
    assert once.startswith(f"# Records\r\n\r\n{BEGIN}\n| date |".encode())
    assert once.endswith(f"\n{END}\r\nThe end\r\n".encode())
    inode = page.stat().st_ino
    assert cli("history", folder, "--write", page).out.endswith("unchanged\n")
    assert (page.read_bytes(), page.stat().st_ino) == (once, inode)


@pytest.mark.parametrize(
    "text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}", f"{BEGIN}{BEGIN}{END}"]
)
def test_a_page_without_the_two_markers_is_refused_and_stays_as_it_is(write, cli, text):
    folder = write("2025-01-01_a", 180_000).parent
    page = folder.parent / "README.md"
    page.write_text(text)
    result = cli("history", folder, "--write", page)
    assert result.code == 2
    assert BEGIN in result.err
    assert page.read_text() == text


def test_a_hostile_name_is_one_cell_of_the_markdown_table(write, cli):
    folder = write("2025-01-01_a|b`<script>", 180_000).parent
    result = cli("history", folder, "--markdown")
    line = next(line for line in result.out.splitlines() if "script" in line)
    assert line.count(" | ") == 8
    assert "`" in line


def test_the_page_shows_a_table_and_a_picture_of_each_track_and_no_foreign_markup(
    write, cli, tmp_path
):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    pytest.importorskip("jinja2", reason="the extra `report` is not installed")
    write("2025-01-01_<img src=x>", 180_000)
    folder = write("2025-02-01_b", 170_000).parent
    for name in ("2025-01-05_medium", "2025-03-05_medium"):
        (write(name, 900_000) / "record.toml").write_text('track = "gpt2-medium"\n')
    first, second = tmp_path / "a.html", tmp_path / "b.html"
    result = cli("history", folder, "--html", first)
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith(f"wrote {first}\n")
    page = first.read_text()
    assert "<img" not in page
    assert page.count("<svg") == 2
    assert [text in page for text in ("track gpt2-small", "track gpt2-medium")] == [True, True]
    assert "1 of 1 gains over the record before are shown" in page
    cli("history", folder, "--html", second)
    assert second.read_bytes() == first.read_bytes()


def test_pictures_are_shown_between_the_markers_by_a_path_from_the_page(write, cli, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    write("2025-01-01_a", 180_000)
    folder = write("2025-02-01_b", 170_000).parent
    page, pictures = folder / "README.md", folder.parent / "docs of mine"
    page.write_text(f"{BEGIN}\n{END}\n")
    for line in ("updated", "unchanged"):
        result = cli("history", folder, "--write", page, "--png", pictures)
        assert result.code == 0
        assert result.out.endswith(f"{line}\n")
    assert "(<../docs of mine/history-1.png>)" in page.read_text()
    assert (pictures / "history-1.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_that_cannot_be_drawn_are_said_and_leave_no_folder(write, cli, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    folder = write("2025-01-01_a", 180_000).parent
    result = cli("history", folder, "--png", tmp_path / "pictures")
    assert (result.code, result.err) == (0, "")
    assert "2025-01-01" in result.out
    assert result.out.endswith("no picture: no track has two records with a date and a value\n")
    assert not (tmp_path / "pictures").exists()


def test_lines_about_files_stay_out_of_csv(write, cli, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    write("2025-01-01_a", 180_000)
    folder = write("2025-02-01_b", 170_000).parent
    result = cli("history", folder, "--csv", "--png", tmp_path / "pictures")
    assert result.out == cli("history", folder, "--csv").out
    assert result.err == f"speedcheck: wrote {tmp_path}/pictures/history-1.png\n"


def test_the_caption_counts_records_that_are_not_drawn(write):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    from speedcheck.report.plots.history_plot import history_caption

    certificate = verify(write("2025-01-01_a", 180_000))
    dates = ("2025-01-01", "2025-01-02", None, None)
    entries = [Entry(Path("a"), date, GPT2_SMALL, certificate) for date in dates]
    for given, words in ((3, "1 record without a date or a value is not drawn"),
                         (4, "2 records without a date or a value are not drawn")):  # fmt: skip
        (points,) = points_of(entries[:given])
        assert words in history_caption(points)


def test_where_no_record_can_be_judged_there_is_no_table(write, cli):
    record = write("2025-01-01_a", 180_000)
    (record / "record.toml").write_text("date = 7\n")
    result = cli("history", record.parent)
    assert (result.code, result.out) == (2, "")
    assert "record.toml" in result.err


def test_a_record_is_a_series_of_its_own_under_its_name(write, cli, monkeypatch):
    record = write("2025-01-01_a", 180_000)
    for folder in (record, "."):
        monkeypatch.chdir(record)
        (row,) = rows(cli, folder)
        assert (row["record"], row["date"]) == ("2025-01-01_a", "2025-01-01")


def test_a_folder_that_is_not_there_or_is_a_file_is_one_line(cli, tmp_path):
    (tmp_path / "file").touch()
    for name, problem in (("nope", "the folder does not exist"), ("file", "is a file")):
        result = cli("history", tmp_path / name)
        assert result.code == 2
        assert result.err.endswith(f"{name}: {problem}; name a folder that holds records\n")


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_judged(write, cli):
    folder = write("2025-01-01_a", 180_000).parent
    result = cli("history", folder, "--html", folder / "nowhere" / "page.html")
    assert result.code == 2
    assert "its folder does not exist" in result.err


def test_two_forms_at_once_are_refused(write, cli):
    folder = write("2025-01-01_a", 180_000).parent
    assert cli("history", folder, "--csv", "--markdown").code == 2


def test_records_of_no_track_are_in_the_table_and_gain_over_nothing(build, cli):
    changed = {"track": None, "overrides": {"steps": 300}}
    for day in (1, 3):
        build.record(name=f"records/2025-01-0{day}_short", plan=changed | {"date": None})
    folder = build.record(name="records/2025-01-02_whole", plan={"date": None}).parent
    found = rows(cli, folder)
    assert [row["track"] for row in found] == ["none", "tiny", "none"]
    assert [row["gain"] for row in found] == ["", "", ""]
    assert cli("history", folder / "2025-01-01_short").code == 0


@pytest.mark.parametrize("form", [(), ("--markdown",), ("-q",)])
def test_reports_of_a_record_without_a_track_name_no_track_called_none(build, cli, form):
    folder = build.record(plan={"track": None, "overrides": {"steps": 300}})
    result = cli("verify", folder, *form)
    assert result.code == 0
    assert "track none" not in result.out.lower()
    other = build.record(name="other")
    assert "A is a record of no track, B of track tiny" in cli("compare", folder, other).err
