"""Statistics that are printed under a list follow from it, or do not."""

from __future__ import annotations

import pytest
from scipy import stats

from speedcheck.api import verify
from tests.speedcheck.claims.conftest import (
    LOSSES,
    OTHERS,
    REFUTED,
    WARNED,
    found,
    listed,
    pairs,
    table,
)

# Statistics under a list.


def under(result, losses=LOSSES, target=3.28):
    code = f'print("p=%.4f" % ttest_1samp(accs, {target}, alternative="less").pvalue)'
    values = ", ".join(map(str, losses))
    return f"```\naccs = [{values}]\n{code}\n{result}\n```\n"


def test_a_p_is_recomputed_from_its_list_with_the_null_value_of_the_text(read):
    assert found(read(under("# p=0.0007"))) == set()
    assert found(read(under("# p=0.0017"))) == {REFUTED}
    # Against 3.279 the same losses give 0.0199.
    assert found(read(under("# p=0.0199", target=3.279))) == set()
    assert found(read(under("# p=0.0007", target=3.279))) == {REFUTED}


def test_a_caller_who_tries_another_target_makes_no_readme_false(build):
    folder = build.published()
    (folder / "README.md").write_text("val_loss: 3.2782 (6 runs, p=0.0007)\n")
    for target in (3.28, 3.0):
        claims = verify(folder, target=target).claims
        assert {claim.status for claim in claims if claim.what == "p"} == {"confirmed"}


def test_a_statistic_follows_from_its_list_and_not_from_the_logs(read):
    baseline = "## Baseline\n\n" + under("# p=0.0000", OTHERS)
    assert found(read(listed(LOSSES) + "\n" + baseline)) == set()
    wrong = "## Baseline\n\n" + under("# p=0.5000", OTHERS)
    assert found(read(listed(LOSSES) + "\n" + wrong)) == {REFUTED}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        # numpy.mean, numpy.std(ddof=1) and scipy.stats.bayes_mvs of LOSSES.
        ("(tensor(0.0007), tensor(3.2782))", "(tensor(0.0017), tensor(3.2782))"),
        ("(tensor(0.0007), tensor(3.2782))", "(tensor(0.0007), tensor(3.2772))"),
    ],
)
def test_what_torch_prints_is_recomputed(read, right, wrong):
    accs = "accs = [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779]"
    code = f"```\n{accs}\nprint(torch.std_mean(torch.tensor(accs)))\n# {{}}\n```\n"
    assert found(read(code.format(right))) == set()
    assert found(read(code.format(wrong))) == {REFUTED}


def test_what_scipy_prints_is_recomputed(read):
    low, high = "np.float64(3.277702465216255)", "np.float64(3.278797534783745)"
    mean = f"Mean(statistic=np.float64({{}}), minmax=({low}, {high}))"
    text = "```\n$ grep val *\n[3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779]\n{}\n```\n"
    assert found(read(text.format(mean.format("3.27825")))) == set()
    assert found(read(text.format(mean.format("3.27725")))) == {REFUTED}


def test_an_interval_may_be_of_another_level_than_scipys(read):
    values = (3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779)
    for level in (0.9, 0.95):
        results = "\n".join(map(str, stats.bayes_mvs(values, level)[::2]))
        assert found(read(f"```\n{list(values)}\n{results}\n```\n")) == set()


def test_a_statistic_that_the_logs_give_stands_under_a_list_that_is_false(read):
    mean = "Mean(statistic=np.float64({}), minmax=(np.float64(3.2), np.float64(3.3)))"
    text = f"```\n$ grep val *\n[3.2677, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779]\n{mean}\n```\n"
    right, wrong = (read(text.format(value)).claims for value in ("3.27825", "3.27125"))
    assert [c.status for c in right if c.claimed == "3.27825"] == ["confirmed"]
    assert [c.status for c in wrong if c.claimed == "3.27125"] == ["not_confirmed"]


def test_a_p_in_scientific_notation_leaves_its_sentence_a_result(read):
    text = "mean loss {} is below 3.28 (one-sided p = 6.7e-04, 6 runs)\n"
    assert found(read(text.format("3.2783"))) == set()
    assert found(read(text.format("3.2763"))) == {WARNED}


def test_a_rounded_list_cannot_refute_what_rounding_explains(read):
    # Three losses of which the mean is 3.27475 to 3.27484, and their rounded mean is 3.27473.
    rows = [(1, "3.2748"), (2, "3.2745"), (3, "3.2749"), ("**Mean**", "**3.2748**")]
    documents = read(table(("Seed", "val_loss"), rows), pairs((3.27484, 3.27454, 3.27494)))
    assert found(documents) == set()


@pytest.mark.parametrize(
    "result", ["(tensor(0.1871), tensor(180.05))", "(tensor(187.1), tensor(180050.))"]
)
def test_what_is_printed_of_times_may_be_in_another_unit(read, result):
    seconds = (179.8, 179.9, 180.0, 180.1, 180.2, 180.3)
    for scale in (1, 1000):
        values = [value * scale for value in seconds]
        text = f"```\ntimes = {values}\n# time: {result}\n```\n"
        assert found(read(text)) == set()
    wrong = result.replace("180", "170")
    assert found(read(f"```\ntimes = {list(seconds)}\n# time: {wrong}\n```\n")) == {REFUTED}


def test_what_code_computes_further_is_not_compared(read):
    code = f"accs = {list(LOSSES)}\nprint(np.mean(accs) {{}})\n# {{}}"
    for rest, result in (
        ("", "3.2782"),
        ("- 3.28", "-0.0017"),
        ("/ 2", "1.6391"),
        ("* 2", "6.5565"),
    ):
        assert found(read(f"```\n{code.format(rest, result)}\n```\n")) == set()
    assert found(read(f"```\n{code.format('', '3.2772')}\n```\n")) == {REFUTED}


@pytest.mark.parametrize(
    ("code", "result"),
    [
        # Of something else than the list: another function, a part, a comparison.
        ("np.mean(np.exp(losses))", "26.5291"),
        ("np.exp(np.mean(losses))", "26.5291"),
        ("np.std(np.diff(losses))", "0.00140"),
        ("np.mean(sorted(losses)[1:-1])", "3.27808"),
        ("np.mean(losses[:3])", "3.27853"),
        ("np.mean(np.array(losses) < 3.279)", "0.833"),
        ("ttest_1samp([x for x in losses if x < 3.279], 3.28).pvalue", "0.00013"),
        ("def p_of(x, null=3.279): return ttest_1samp(x, null).pvalue", "0.03979"),
        # Of the other side.
        ("ttest_1samp(losses, 3.28, alternative='greater').pvalue", "0.99933"),
    ],
)
def test_code_that_computes_something_else_of_a_list_is_not_compared(read, code, result):
    assert found(read(f"```\nlosses = {list(LOSSES)}\nprint({code})\n{result}\n```\n")) == set()


@pytest.mark.parametrize(
    "line",
    [
        "p=0.4321 vs the previous record",
        "p=0.4321 (Welch)",
        "previous: (tensor(0.0021), tensor(3.2791))",
        "difference of seeds: p=0.4321",
    ],
)
def test_a_line_under_a_list_that_speaks_of_something_else_is_not_compared(read, line):
    assert found(read(f"```\nlosses = {list(LOSSES)}\n# {line}\n```\n")) == set()


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        # numpy and scipy of LOSSES.
        ("np.mean(losses)", "3.27825", "3.27725"),
        ("round(statistics.mean(losses), 4)", "3.2782", "3.2772"),
        ("torch.tensor(losses).mean()", "tensor(3.2782)", "tensor(3.2772)"),
        ("np.std(np.array(losses), ddof=1)", "0.000666", "0.000366"),
        ("scipy.stats.ttest_1samp(losses, 3.279).pvalue", "0.0398", "0.0098"),
    ],
)
def test_a_known_function_of_a_whole_list_is_recomputed(read, code, right, wrong):
    text = f"```\nlosses = {list(LOSSES)}\nprint({code})\n{{}}\n```\n"
    assert found(read(text.format(right))) == set()
    assert found(read(text.format(wrong))) == {REFUTED}


@pytest.mark.parametrize("call", ["accs.mean(), accs.std()", "torch.std_mean(accs)", ""])
def test_of_a_pair_of_tensors_the_larger_is_the_mean(read, call):
    # statistics.stdev(LOSSES) is 0.000667.
    mean, std = "tensor(3.2783)", "tensor(0.0007)"
    block = f"```\naccs = torch.tensor({list(LOSSES)})\n>>> {call}\n({{}}, {{}})\n```\n"
    for pair_of in ((mean, std), (std, mean)):
        assert found(read(block.format(*pair_of))) == set()
    assert found(read(block.format(mean.replace("83", "63"), std))) == {REFUTED}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("mean: 3.2782", "mean: 3.2772"),
        ("mean=3.27825, std=0.000666", "mean=3.27825, std=0.000366"),
        ("average 3.2783 over all 6 runs", "average 3.2763 over all 6 runs"),
        ("mean 3.278, p = 0.0007", "mean 3.276, p = 0.0007"),
    ],
)
def test_a_line_under_a_list_is_read_as_text_is_and_is_of_the_list(read, right, wrong):
    block = f"```\nlosses = {list(LOSSES)}\n# {{}}\n```\n"
    assert found(read(block.format(right))) == set()
    assert found(read(block.format(wrong))) == {REFUTED}


@pytest.mark.parametrize("line", ["mean of 20 runs: 3.2712", "best: 3.2712", "loss: 3.2777"])
def test_a_line_under_a_list_that_may_be_of_other_runs_is_not_compared(read, line):
    assert found(read(f"```\nlosses = {list(LOSSES)}\n# {line}\n```\n")) == set()


def test_where_several_lists_can_be_meant_a_statistic_is_not_compared(read):
    lists = f"losses = {list(LOSSES)}\nlosses_before = {list(OTHERS)}"
    assert found(read(f"```\n{lists}\n# mean 3.2799\n```\n")) == set()
