"""A race as a page and as pictures: the numbers of its result, the verdict first, text as text."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
pytest.importorskip("jinja2", reason="the extra `report` is not installed")

from samples import A, B
from test_page import Page

from speedcheck.plot_data.race_data import race_data_of
from speedcheck.races.read_race import read_race
from speedcheck.report.html import race_page
from speedcheck.report.plots import draw_race
from speedcheck.report.race_text import headline
from speedcheck.stats.sequential_pairs import race


def text_of(page):
    return Page(page.partition("<body>")[2].partition("<script>")[0]).text


def test_the_pictures_have_the_numbers_of_the_result(make_race):
    result = read_race(make_race(A, B))
    data = race_data_of(result)
    assert data.differences.seconds == tuple(a - b for a, b in zip(A, B, strict=True))
    assert data.differences.a_first == (True, False) * 4
    test = result.test
    assert (data.differences.low, data.differences.high) == (test.low, test.high)
    assert (data.differences.mean, data.differences.drift) == (test.mean, test.drift)
    assert data.evidence.pairs == (2, 4, 6, 8)
    # The evidence at a look is that of the race that had ended there.
    ended = [race(A[:n], B[:n]).log_e_value / math.log(10) for n in (2, 4, 6, 8)]
    assert data.evidence.log10_e == pytest.approx(ended)
    assert data.evidence.needed == pytest.approx(2)
    assert (data.evidence.winner, data.evidence.reached_at) == ("a", test.decided_at)


def test_the_pictures_draw_what_they_are_given(make_race):
    data = race_data_of(read_race(make_race(A, B)))
    pairs, evidence = draw_race(data)
    lines = {line.get_label(): line for line in pairs.figure.axes[0].get_lines()}
    assert list(lines["A ran first"].get_ydata()) == list(data.differences.seconds[::2])
    assert list(lines["B ran first"].get_xdata()) == [2, 4, 6, 8]
    assert list(lines["no difference"].get_ydata()) == [0, 0]
    assert pairs.figure.axes[0].get_ylabel().endswith("(s)")
    lines = {line.get_label(): line for line in evidence.figure.axes[0].get_lines()}
    assert list(lines["e-value"].get_ydata()) == list(data.evidence.log10_e)
    assert list(lines["decides"].get_ydata()) == [data.evidence.needed] * 2
    assert "A is faster" in evidence.caption


@pytest.mark.parametrize("aa", [True, False])
def test_nobody_wins_against_itself_or_by_evidence_that_is_not_intact(make_race, aa):
    folder = make_race(A, B, aa=aa)
    if not aa:
        (folder / "race.json").write_text("[]")
    evidence = race_data_of(read_race(folder)).evidence
    assert evidence.winner is None
    assert evidence.reached_at is not None


@pytest.mark.parametrize(("length", "names"), [(0, []), (1, ["pairs"]), (2, ["pairs", "evidence"])])
def test_a_race_that_has_just_begun_has_the_pictures_that_it_can_have(make_race, length, names):
    result = read_race(make_race(A[:length], B[:length]))
    pictures = draw_race(race_data_of(result))
    assert [picture.name for picture in pictures] == names
    assert "speedcheck race --resume" in text_of(race_page(result, pictures))


def test_the_page_has_the_verdict_first_and_every_pair(make_race, cli, tmp_path):
    folder = make_race(A, B)
    result = cli("report", folder, "--html", tmp_path / "page.html", "--png", tmp_path / "png")
    assert (result.code, result.err) == (0, "")
    verdict = headline(read_race(folder))
    assert result.out.splitlines()[0] == verdict
    assert [file.name for file in sorted((tmp_path / "png").iterdir())] == [
        "evidence.png",
        "pairs.png",
    ]
    text = text_of((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert text.index(verdict) < text.index("Figures") < text.index("Pictures")
    assert text.index("Pictures") < text.index("A - B [s]")
    assert all(f"{value:.3f}" in text for value in (*A, *B))
    assert "from the logs of the race." in text


def test_problems_of_the_evidence_are_on_the_page(make_race):
    folder = make_race(A, B)
    (folder / "race.json").write_text("[]")
    result = read_race(folder)
    text = text_of(race_page(result, ()))
    assert "UNUSABLE" in text
    assert text.index("race.json is not the result of a race") < text.index("Figures")


@pytest.mark.parametrize(
    "option", [["--track", "tiny"], ["--target", "3.2"], ["--alpha", "0.05"], ["--baseline", "x"]]
)
def test_options_of_records_are_refused_in_one_line(make_race, cli, option):
    result = cli("report", make_race(A, B), *option)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert f"{option[0]} does not apply to a race" in result.err
