"""The pictures of every page: titles, axes, units, and that each shows what it was given."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib", reason="the extra `report` is not installed")

import matplotlib.text
from hostile import TEXTS, series_with_text
from matplotlib.figure import Figure
from samples import A, B, series_of_records

from speedcheck.api import judge_folder
from speedcheck.errors import UsageError
from speedcheck.history.points import points_of
from speedcheck.history.read_history import read_history
from speedcheck.plot_data import plot_data_of
from speedcheck.plot_data.pictures import Curve, Curves, Evidence, PlotData
from speedcheck.plot_data.race_data import race_data_of
from speedcheck.races.read_race import read_race
from speedcheck.report.plots import draw_history, draw_pictures, draw_race, write_pngs
from speedcheck.report.plots.style import COLOURS
from speedcheck.rules.rule import Overrides

EVIDENCE = Evidence(log10_e=(0.0, 0.3, 1.1, 2.2), needed=2.0, certified_at=4)


@pytest.fixture(scope="module")
def figures(tmp_path_factory, builder_at):
    build = builder_at(tmp_path_factory.mktemp("pictures"))
    baseline = build.record(name="baseline", losses=(1.25, 1.26, 1.24))
    found = plot_data_of(judge_folder(build.record(), Overrides(baseline=baseline)))
    values = {name: getattr(found, name) for name in PlotData.__slots__}
    return PlotData(**values | {"evidence": EVIDENCE})


@pytest.fixture(scope="module")
def pictures(figures):
    return {picture.name: picture for picture in draw_pictures(figures)}


@pytest.fixture(scope="module")
def race_pictures(tmp_path_factory, race_at):
    race = read_race(race_at(tmp_path_factory.mktemp("race"), A, B))
    return draw_race(race_data_of(race))


@pytest.fixture(scope="module")
def entries(tmp_path_factory, builder_at, published_log_text):
    build = builder_at(tmp_path_factory.mktemp("series"))
    return read_history(series_of_records(build, published_log_text), Overrides())[0]


@pytest.fixture(scope="module")
def every_picture(pictures, race_pictures, entries):
    """Give the pictures of a record, of a race and of a series."""
    return [*pictures.values(), *race_pictures, *draw_history(points_of(entries))]


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_every_picture_is_drawn(pictures):
    assert list(pictures) == [
        "losses",
        "posterior",
        "curves",
        "runtimes",
        "step-times",
        "evidence",
        "comparison",
    ]


def test_every_picture_has_a_title_a_caption_and_named_axes(every_picture):
    for picture in every_picture:
        assert picture.title in texts(picture.figure)
        assert picture.caption.endswith(".")
        for axes in picture.figure.axes:
            assert axes.get_xlabel(), picture.name
            # An axis without a name has no numbers: heights of densities, and names of sides.
            names = [t for t in axes.get_yticklabels() if t.get_text().isalpha()]
            assert axes.get_ylabel() or not len(axes.get_yticks()) or names, picture.name


def test_times_have_their_units(pictures):
    assert pictures["runtimes"].figure.axes[0].get_ylabel() == "training time (s)"
    assert pictures["step-times"].figure.axes[0].get_ylabel() == "milliseconds a step"
    assert "training time (s)" in [a.get_xlabel() for a in pictures["comparison"].figure.axes]


def test_losses_times_and_evidence_are_drawn_as_they_are(pictures, figures):
    def lines(name, place=0):
        drawn = pictures[name].figure.axes[place].get_lines()
        return {line.get_label(): list(line.get_xydata().T) for line in drawn}

    assert list(lines("losses")["run"][0]) == list(figures.losses.values)
    assert list(lines("runtimes")["run"][1]) == list(figures.runtimes.seconds)
    assert list(lines("evidence")["e-value"][1]) == list(EVIDENCE.log10_e)
    target = pictures["losses"].figure.axes[0].get_lines()[-1]
    assert list(target.get_xdata()) == [figures.losses.target] * 2


def test_no_text_of_a_picture_is_cut(every_picture):
    for picture in every_picture:
        no_text_is_cut(picture)


@pytest.mark.parametrize("text", [*TEXTS, r"$\frac$ $x$", "\N{SNOWMAN}" * 40, "W" * 40])
def test_any_name_of_a_track_is_text_in_its_picture(entries, text):
    (picture,) = draw_history(points_of(series_with_text(entries, text)))
    no_text_is_cut(picture)
    assert picture.title.startswith("Records of ")


def no_text_is_cut(picture):
    picture.figure.draw_without_rendering()
    width, height = picture.figure.bbox.size
    ticks = [
        label
        for axes in picture.figure.axes
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels())
    ]
    for text in picture.figure.findobj(matplotlib.text.Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent()
            inside = box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1
            # A tick beyond the limits of its axis has a label that is not drawn.
            assert inside or text in ticks, (picture.name, text.get_text(), box)


def test_curves_that_are_not_drawn_are_said():
    curve = Curve((0.0, 100.0), (4.0, 3.27), counted=True)
    curves = Curves((curve,) * 100, (), 3.28, left_out=17)
    nothing = dict.fromkeys(PlotData.__slots__)
    (picture,) = draw_pictures(PlotData(**nothing | {"curves": curves}))
    assert picture.title == "Loss curves of the first 100 runs"
    assert picture.caption == "100 counted runs. Not drawn: 17 further runs."


def test_files_are_equal_for_equal_records_and_name_no_program(figures, tmp_path):
    first, second = (
        write_pngs(draw_pictures(figures)[:3], tmp_path / name) for name in ("first", "second")
    )
    assert [path.name for path in first] == [path.name for path in second]
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()
        assert a.read_bytes().startswith(b"\x89PNG")
        assert b"Software" not in a.read_bytes()


def test_drawing_leaves_matplotlib_as_it_was(figures):
    before = dict(matplotlib.rcParams)
    draw_pictures(figures)
    assert dict(matplotlib.rcParams) == before
    assert Figure().get_size_inches().tolist() == before["figure.figsize"]


def test_every_colour_has_a_name():
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_a_file_in_the_way_of_the_pictures_is_an_error(figures, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match=r"cannot write.*name another place"):
        write_pngs(draw_pictures(figures), tmp_path / "taken")
