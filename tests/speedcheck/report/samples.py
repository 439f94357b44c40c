"""One of each kind of what has a page, with the pictures that belong to it.

Each sample is a function of the words of strangers in it: those of its folder, or hostile ones.
"""

from __future__ import annotations

from hostile import race_with_text, series_with_text, with_text

from speedcheck.api import judge_folder
from speedcheck.history.points import points_of
from speedcheck.history.read_history import read_history
from speedcheck.plot_data import plot_data_of
from speedcheck.plot_data.race_data import race_data_of
from speedcheck.races.read_race import read_race
from speedcheck.report.html import history_page, race_page, record_page
from speedcheck.report.plots import draw_history, draw_pictures, draw_race
from speedcheck.rules.rule import Overrides

A = [9.61, 9.72, 9.58, 9.66, 9.63, 9.70, 9.59, 9.64]
B = [10.02, 9.95, 10.01, 9.93, 10.04, 9.98, 10.03, 10.0]

# Date and name of each record of a series, its track, and the mean of its times in milliseconds.
SERIES = (
    ("2025-01-16_Sub3Min", "gpt2-small", 179_800),
    ("2025-02-01_RuleTweak", "gpt2-small", 176_700),
    ("2025-03-11_VeryLongNameOfASubmissionThatNeedsRoom", "gpt2-small", 176_500),
    ("2025-05-24_StableTorch", "gpt2-small", 171_100),
    ("2025-01-20_medium", "gpt2-medium", 1_745_000),
    ("2025-04-02_medium", "gpt2-medium", 1_500_000),
)


def record_sample(folder, **overrides):
    """Give the page of a record, as a function of the text in it."""
    judgement = judge_folder(folder, Overrides(**overrides))
    certificate, pictures = judgement.certificate, draw_pictures(plot_data_of(judgement))
    return lambda text=None: record_page(
        certificate if text is None else with_text(certificate, text), pictures
    )


def race_sample(folder):
    """Give the page of a race, as a function of the text in it."""
    result = read_race(folder)
    pictures = draw_race(race_data_of(result))
    return lambda text=None: race_page(
        result if text is None else race_with_text(result, text), pictures
    )


def history_sample(folder):
    """Give the page of a series, as a function of the text in it; its pictures name the track."""
    entries, _ = read_history(folder, Overrides())

    def page(text=None):
        shown = entries if text is None else series_with_text(entries, text)
        title = "Records in records" if text is None else f"Records in {text}"
        return history_page(title, shown, draw_history(points_of(shown)))

    return page


def series_of_records(build, published_log_text):
    """Write the records of `SERIES` and return their folder; one of them is not certified."""
    losses = (3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779)
    for place, (name, track, time_ms) in enumerate(SERIES):
        worse = 0.004 if place == 2 else 0.0
        logs = {
            f"{i:02d}.txt": published_log_text(val_loss=loss + worse, time_ms=time_ms + 40 * i)
            for i, loss in enumerate(losses)
        }
        build.folder(logs | {"record.toml": f'track = "{track}"\n'}, f"records/{name}")
    return build.path / "records"
