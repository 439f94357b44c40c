"""What a README claims, read out of the shapes in which people write it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from speedcheck.claims.reader import read_claims

from speedcheck.claims import agrees

SHARED = Path(__file__).resolve().parents[3] / "shared"
LOSSES = (3.2781, 3.2792, 3.2765, 3.2796)


def figures(text):
    """Each figure of the only set of runs in a text, as (subject, digits, unit)."""
    (claims,) = read_claims(text)
    return [(f.what, f.number.text, f.unit) for f in claims.figures]


def lists(text):
    return [
        (series.kind, series.values, series.unit)
        for claims in read_claims(text)
        for series in claims.series
    ]


@pytest.mark.parametrize(
    "text",
    [
        "accs = [3.2781, 3.2792, 3.2765, 3.2796]",
        "losses=[3.2781,3.2792,3.2765,3.2796]",
        "val_losses = (3.2781, 3.2792, 3.2765, 3.2796)",
        "losses = np.array([3.2781, 3.2792, 3.2765, 3.2796])",
        "losses = torch.tensor([3.2781, 3.2792, 3.2765, 3.2796], dtype=torch.float64)",
        "losses: list[float] = [3.2781, 3.2792, 3.2765, 3.2796]",
        "losses = [\n    3.2781,  # seed 0\n    3.2792,\n    3.2765,\n    3.2796,\n]",
        "[3.2781, 3.2792, 3.2765, 3.2796]",
        ">>> print(accs)\n[3.2781, 3.2792, 3.2765, 3.2796]",
        "[np.float64(3.2781), np.float64(3.2792), np.float64(3.2765), np.float64(3.2796)]",
        '{"val_losses": [3.2781, 3.2792, 3.2765, 3.2796]}',
        "**Losses**: [3.2781, 3.2792, 3.2765, 3.2796]",
        "Final val losses (4 runs): 3.2781, 3.2792, 3.2765, 3.2796",
        "- seed 0: 3.2781\n- seed 1: 3.2792\n- seed 2: 3.2765\n- seed 3: 3.2796",
        (
            "a.txt:step:9/9 val_loss:3.2781 train_time:1ms\nb.txt:step:9/9 val_loss:3.2792\n"
            "c.txt:step:9/9 val_loss:3.2765\nd.txt:step:9/9 val_loss:3.2796"
        ),
        (
            "| run | val_loss |\n|---|---|\n| 0 | 3.2781 |\n| 1 | **3.2792** |\n| 2 | 3.2765 |\n"
            "| 3 | 3.2796 |"
        ),
        "seed | loss\n:--|--:\n0 | 3.2781\n1 | 3.2792\n2 | 3.2765\n3 | 3.2796",
        "val_loss | step\n-|-\n3.2781 | 9\n3.2792 | 9\n3.2765 | 9\n3.2796 | 9",
    ],
)
@pytest.mark.parametrize("fence", ["{}", "# Title\n\n```python\n{}\n```\nMore.", "{}\r\n"])
def test_a_list_of_losses_is_read_however_it_is_written(text, fence):
    assert ("losses", list(LOSSES), None) in lists(fence.format(text))


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("times = [152.771, 152.816]", None),
        ("times_ms = [152771, 152_816]", "ms"),
        ("runtimes = (152.771, 152.816)", None),
        ("train_times_s = [152.771, 152.816]", "s"),
        ("| run | time (s) |\n|-|-|\n| 0 | 152.771 |\n| 1 | 152.816 |", "s"),
        ("| run | train time |\n|-|-|\n| 0 | 152,771 ms |\n| 1 | 152,816 ms |", "ms"),
    ],
)
def test_a_list_of_times_is_read_with_the_unit_that_it_names(text, unit):
    ((kind, values, found),) = lists(text)
    scale = 1000 if max(values) > 1000 else 1
    assert (kind, found) == ("times", unit)
    assert [value / scale for value in values] == [152.771, 152.816]


@pytest.mark.parametrize(
    "text",
    [
        "see [1] and [2, 3]",
        "[3.2781](https://example.org)",
        "losses[0], losses[1]",
        "betas = (0.9, 0.95)",
        "val_losses = [10.8258, 4.4043, 3.6, 3.2781]",
        "times = [0, 14281, 28562]",
        "losses = [f(3.2781), 3.2792]",
        "losses = [-3.2781, 3.2792]",
        "val_loss_steps = [125, 130, 135]",
        "step_avg = [92.86, 92.88]",
        "train_losses = [3.2781, 3.2792]",
        "```diff\n+ losses = [3.2781, 3.2792]\n```",
        "<!-- losses = [3.2781, 3.2792] -->",
        "| lr | train loss |\n|-|-|\n| 0.1 | 3.2781 |",
        "| config | val loss |\n|-|-|\n| wide | 3.2781 |\n| deep | 3.2792 |",
    ],
)
def test_what_is_no_list_of_runs_is_left_alone(text):
    assert lists(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p=0.0084", ("p", "0.0084", None)),
        ("# p=0.0001 (statistically significant)", ("p", "0.0001", None)),
        ("p-value: 0.0038", ("p", "0.0038", None)),
        ("**P-value = 0.0038**", ("p", "0.0038", None)),
        ("one-sided p vs. 3.28: 0.0003", ("p", "0.0003", None)),
        ("p = $7.9 \\times 10^{-5}$", ("p", "7.9e-5", None)),
        ("p = 7.92e-05", ("p", "7.92e-05", None)),
        ("TtestResult(statistic=-3.2, pvalue=np.float64(0.0084), df=9)", ("p", "0.0084", None)),
        ("Mean val loss: 3.2785", ("mean", "3.2785", None)),
        ("μ = 3.2785", ("mean", "3.2785", None)),
        ("$\\mu$: 3.2785", ("mean", "3.2785", None)),
        ("avg loss of 3.2785 < 3.28", ("mean", "3.2785", None)),
        ("mean loss 3.2785 vs 3.28", ("mean", "3.2785", None)),
        ("mean [val loss](plot.png): 3.2785", ("mean", "3.2785", None)),
        ("| metric | value |\n|-|-|\n| mean val loss | 3.2785 |", ("mean", "3.2785", None)),
        ("loss std: 0.0013", ("std", "0.0013", None)),
        ("Sample std dev of val loss is 0.00121", ("std", "0.00121", None)),
        ("Mean runtime: 179.8 seconds", ("time_mean", "179.8", "s")),
        ("avg time 152.8s", ("time_mean", "152.8", "s")),
        ("wallclock=3.32 mins.", ("time_mean", "3.32", "min")),
        ("mean train time: 152,790 ms", ("time_mean", "152790", "ms")),
        ("Average time (ms): 152790.1", ("time_mean", "152790.1", "ms")),
        ("Stddev: 101ms", ("time_std", "101", "ms")),
        ("time: (tensor(0.0269), tensor(152.7901))", ("time_std", "0.0269", None)),
        ("acc: (tensor(0.0011), tensor(3.2790))", ("mean", "3.2790", None)),
        ("losses: (tensor(0.0011, dtype=torch.float64), tensor(3.2790))", ("std", "0.0011", None)),
        ("n = 20", ("n", "20", None)),
        ("Mean\N{NO-BREAK SPACE}val loss: 3.2785", ("mean", "3.2785", None)),
    ],
)
def test_a_figure_is_read_however_it_is_written(text, expected):
    assert expected in figures(text)


@pytest.mark.parametrize(
    "text",
    [
        "reduces the mean time by 0.3 s",
        "average step time 92.8ms",
        "step_avg: 92.86ms",
        "The mean val loss went from 3.2790 -> 3.2785",
        "median time: 152.8 s",
        "(3.28 - 3.2785) * sqrt(20) = 0.0067 >= 0.004",
        "mean train loss: 3.2785",
        "standard error of the mean loss: 0.0003",
        "runs on 8xH100 with a mean of",
        "it is 1.5% faster on average",
        "t=-3.2, df=9",
    ],
)
def test_a_number_of_something_else_is_no_figure(text):
    assert read_claims(text) == []


def test_the_step_and_the_known_sigma_of_a_z_test_are_read_beside_the_figures():
    text = "n = 20, mean val_loss at step 3175: 3.27885. z-test with sigma=0.0013: p = 0.188."
    (claims,) = read_claims(text)
    found = {f.what: (f.number.text, f.step, f.sigma) for f in claims.figures}
    assert found == {
        "n": ("20", None, None),
        "mean": ("3.27885", 3175, None),
        "p": ("0.188", 3175, 0.0013),
    }


def test_a_bound_is_read_as_one():
    (claims,) = read_claims("p < 0.01")
    assert [(f.relation, f.number.text) for f in claims.figures] == [("<", "0.01")]


def test_figures_belong_to_the_list_that_the_code_computes_them_from():
    text = """
times = [152.7, 152.8]
baseline_times = [160.1, 160.3]
print(torch.std_mean(torch.tensor(baseline_times)))
# (tensor(0.1414), tensor(160.2000))
print(torch.std_mean(torch.tensor(times)))
# (tensor(0.0707), tensor(152.7500))
"""
    found = {
        claims.series[0].name: (claims.role, [f.number.text for f in claims.figures])
        for claims in read_claims(text)
    }
    assert found == {
        "times": ("record", ["0.0707", "152.7500"]),
        "baseline_times": ("other", ["0.1414", "160.2000"]),
    }


@pytest.mark.parametrize(
    "text",
    [
        "## Baseline\nlosses = [3.281, 3.282]\n## This PR\nlosses = [3.271, 3.272]",
        (
            "Previous record, retimed:\n```\nlosses = [3.281, 3.282]\n```\nOurs:\n```\n"
            "losses = [3.271, 3.272]\n```"
        ),
        "old_losses = [3.281, 3.282]\nlosses = [3.271, 3.272]",
        "| run | baseline loss | new loss |\n|-|-|-|\n| 1 | 3.281 | 3.271 |\n| 2 | 3.282 | 3.272 |",
    ],
)
def test_a_baseline_is_told_from_the_record(text):
    found = {claims.role: claims.series[0].values for claims in read_claims(text)}
    assert found == {"other": [3.281, 3.282], "record": [3.271, 3.272]}


def test_each_step_of_a_table_of_runs_is_a_list_of_its_own():
    text = "| seed | step 2745 | step 2750 |\n|-|-|-|\n| 0 | 3.281 | 3.279 |\n| 1 | 3.282 | 3.278 |"
    (claims,) = read_claims(text)
    assert [(s.step, s.values) for s in claims.series] == [
        (2745, [3.281, 3.282]),
        (2750, [3.279, 3.278]),
    ]


def test_rows_of_a_table_of_runs_that_do_not_count_are_left_out():
    text = "| run | loss | |\n|-|-|-|\n| 0 | 3.281 | |\n| 1 | 3.9 | not counted: incomplete |"
    assert lists(text) == [("losses", [3.281], None)]


def claimed_by_a_person():
    path = SHARED / "logs" / "expected.json"
    if not path.is_file():
        return []
    folders = json.loads(path.read_text(encoding="utf-8"))
    documents = ((f["claimed"], SHARED / "logs" / f["folder"] / "README.md") for f in folders)
    return [(claimed, readme) for claimed, readme in documents if readme.is_file()]


@pytest.mark.skipif(not claimed_by_a_person(), reason="no development set in ../shared/logs")
@pytest.mark.parametrize(
    ("claimed", "readme"),
    [pytest.param(*pair, id=pair[1].parent.name) for pair in claimed_by_a_person()],
)
def test_the_development_set_is_read_as_a_person_read_it(claimed, readme):
    (claims,) = read_claims(readme.read_text(encoding="utf-8"))
    values = {series.kind: series.values for series in claims.series}
    assert values.get("losses") == claimed["losses"]
    assert values.get("times") == claimed["times"]
    scale = {"ms": 1e-3, "s": 1, None: 1}
    found = {f.what: f.number.value * scale[f.unit] for f in reversed(claims.figures)}
    # A person wrote down fewer digits of some; of SimplifyHC a figure that its table leaves out.
    absent = {"time_std"} if readme.parent.name == "2026-03-06_SimplifyHC" else set()
    keys = {"p": "p", "mean": "mean", "std": "std", "n": "n"}
    keys |= {"time_mean": "time_mean_s", "time_std": "time_std_s"}
    expected = {what: str(claimed[key]) for what, key in keys.items() if claimed[key] is not None}
    assert found.keys() == expected.keys() - absent
    assert [what for what, value in found.items() if not agrees(expected[what], value)] == []
    assert {f.step for f in claims.figures if f.step} == (
        {claimed["at_step"]} if claimed["at_step"] else set()
    )
    assert {f.sigma for f in claims.figures if f.sigma} == (
        {0.0013} if claimed["test"] == "z" else set()
    )
