"""Running text: it warns where it is of the record's runs, and never refutes."""

from __future__ import annotations

import pytest

from speedcheck.checks.document_claims import check_documents
from tests.speedcheck.claims.conftest import (
    BITS,
    BPB,
    LOSSES,
    REFUTED,
    WARNED,
    found,
    listed,
    pair,
    pairs,
    table,
)

# Running text.


@pytest.mark.parametrize(
    "text",
    [
        "**val_loss: 3.2749** (6-seed mean, std 0.0007)",
        "Mean val_loss 3.2749 (6 runs)",
        "6 runs, mean 3.2749, std 0.0007",
        table(("metric", "value"), [("mean val_loss", "3.27490")]),
    ],
)
def test_running_text_that_differs_is_one_warning_with_both_figures(read, text):
    documents = read(text + "\n")
    assert found(documents) == {WARNED}
    (finding,) = check_documents(documents)
    assert "3.2749" in finding.message
    assert "3.27825" in finding.message


@pytest.mark.parametrize(
    "title",
    [
        "# 11L, XSA4 and EMA: val_bpb {} (3-seed mean)",
        "# Record: partial RoPE (val_bpb: {}, 3 seeds)",
        "# Untied head \u2014 val_bpb {}",
    ],
)
def test_of_a_title_the_end_of_known_words_is_read(read, title):
    # BPB has the mean 1.11937, and 1.1149 is none of its values.
    assert found(read(title.format("1.1194") + "\n", pairs(BPB), BITS)) == set()
    assert found(read(title.format("1.1149") + "\n", pairs(BPB), BITS)) == {WARNED}


@pytest.mark.parametrize(
    "title",
    [
        "# Beats the val_bpb 1.1149 of XSA3",
        "# Reproducing PR #549 (val_bpb 1.1149, 3-seed mean)",
        "# val_bpb = 1.1149 (best of 9), 1.1194 (mean)",
        "# XSA4 (val_bpb 1.1149; 1.1194 without TTT)",
    ],
)
def test_a_title_that_may_speak_of_other_runs_is_not_read(read, title):
    assert found(read(title + "\n", pairs(BPB), BITS)) == set()


def test_figures_of_a_sentence_with_several_steps_may_be_of_any_of_them(read):
    runs = [pair(i, loss, earlier=[(900, loss + 0.01)]) for i, loss in enumerate(LOSSES)]
    text = "At 900 the mean is 3.2882, at 1000 {} (p={}).\n"
    assert found(read(text.format("3.2783", "0.0007"), runs)) == set()
    assert found(read(text.format("3.2743", "0.0007"), runs)) == set()
    # ttest_1samp of LOSSES gives 0.00067.
    assert found(read(text.format("3.2783", "0.0003"), runs)) == {WARNED}


def test_a_time_of_minutes_and_seconds_is_not_read_as_minutes(read):
    runs = pairs(seconds=152.3)
    mean = "Mean time: {}\n"
    for right in ("2 min 32.3 s", "152.3 s", "2.538 min"):
        assert found(read(listed(LOSSES) + mean.format(right), runs)) == set()
    assert found(read(listed(LOSSES) + "\n" + mean.format("142.3 s"), runs)) == {WARNED}


@pytest.mark.parametrize(
    "text",
    [
        "The previous record has a mean of 3.2749.",
        "We need a mean below 3.2749.",
        "Without the gate the mean val_loss is 3.2749.",
        "Mean val_loss at step 777: 3.2749.",
        "Mean of 5 runs: 3.2749.",
        "Target: mean 3.2770 with 20 runs.",
        "Mean val_loss improves by 0.0033 to 3.2749.",
        "Mean train loss: 3.2749.",
        "mean val_bpb: 1.0125",
        "p < 0.0001",
        "Welch t-test: p = 0.4321",
        "Mean val_loss of the last record: 3.2749.",
    ],
)
def test_text_that_speaks_of_something_else_is_left_alone(read, text):
    assert found(read(listed(LOSSES) + "\n" + text + "\n")) == set()


def test_a_text_that_names_more_runs_than_there_are_warns(read):
    for text in (
        "Mean of 20 runs: 3.2783.",
        "n = 20, mean val loss 3.2783",
        "3.2783 (20-seed mean)",
    ):
        assert found(read(text + "\n")) <= {("P003", "warn")}
    (finding,) = check_documents(read("Mean of 20 runs: 3.2783.\n"))
    assert (finding.code[:4], finding.severity) == ("P003", "warn")
    assert finding.message == "README says 20 runs, and there are 6 logs"
    assert found(read("## The sweep over lr\n\nMean of 20 runs: 3.2783.\n")) == set()


def test_the_text_may_name_its_own_null_value_and_sigma(read):
    runs = pairs(BPB)
    # t = -7.53 against 1.1219; against 1.2 the p is 8.3e-06.
    ok = "Mean 1.1194, std 0.0006\n\nt-test against `1.1219`: `t=-7.53` with `df=2`, `p=0.0086`\n"
    assert found(read(ok, runs, BITS)) == set()
    wrong = ok.replace("0.0086", "0.0386")
    assert found(read(wrong, runs, BITS)) == {WARNED}


def test_a_number_behind_p_below_is_the_null_value_and_not_a_bound(read):
    text = "bpb: [1.1192, 1.1189, 1.1200]\nmean: 1.1194\np-value < 1.195: {}\n"
    assert found(read(text.format("9.42e-06"), pairs(BPB), BITS)) == set()
    documents = read(text.format("0.00234486"), pairs(BPB), BITS)
    assert found(documents) == {WARNED}
    # scipy.stats.ttest_1samp(BPB, 1.195, alternative="less").pvalue is 9.4202e-06.
    (finding,) = check_documents(documents)
    assert "logs give 9.4202" in finding.message


def test_the_level_of_a_test_is_not_its_null_value(read):
    assert found(read("val_loss: 3.2783 \u00b1 0.0007 (n=6, p=0.0007 < 0.01)\n")) == set()


def test_a_sentence_with_a_word_that_is_not_of_a_result_does_not_warn(read):
    assert found(read("Mean val_loss 3.2749 (6 runs)\n")) == {WARNED}
    assert found(read("Mean val_loss with the larger head 3.2749 (6 runs)\n")) == set()


def test_a_heading_of_words_that_are_not_known_only_confirms(read):
    rows = [(i, f"{loss:.4f}") for i, loss in enumerate((1.1142, 1.1160, 1.1145))]
    for heading in ("Sliding BPB", "Post-TTT BPB"):
        assert found(read(table(("Run", heading), rows), pairs(BPB), BITS)) == {REFUTED}
    assert found(read(table(("Run", "Ensemble BPB"), rows), pairs(BPB), BITS)) == set()


@pytest.mark.parametrize("before", ["", "We found:\n\n", "Over 6 runs we got these figures.\n\n"])
def test_what_is_directly_above_a_sentence_says_whose_figures_they_are(read, before):
    assert found(read(f"{before}Mean val_loss: 3.2749.\n")) == {WARNED}
    other = "We reran the record before ours on this machine."
    for gap in (" ", "\n\n"):
        assert found(read(f"{before}{other}{gap}Mean val_loss: 3.2749.\n")) == set()


def test_a_forgotten_root_of_n_is_a_warning(read):
    # (3.28 - 3.27825) / 0.0013 is 1.346, and with sqrt(6) 3.297: p is 0.0891 and 0.00049.
    text = "n = 6, mean val_loss 3.27825. A z-test with sigma=0.0013 gives p = {}.\n"
    assert found(read(text.format("0.00049"))) == set()
    assert found(read(text.format("0.0891"))) == {WARNED}


@pytest.mark.parametrize(
    "text",
    [
        "Seeds 0-4: mean 3.2749. Seeds 5-9: mean 3.2816.",
        "Runs 1-3: mean val loss 3.2749",
        "Mean val loss: 3.2785 - 0.0036",
        "Mean val loss: 3.27-3.2749",
    ],
)
def test_a_range_or_arithmetic_is_left_alone(read, text):
    assert found(read(text + "\n")) == set()


@pytest.mark.parametrize(
    "text",
    [
        "Mean val loss over 6 runs: {}.",
        "The mean of all 6 runs is {}.",
        "Mean val loss of all runs: {}",
        "val loss: {} (n=6)",
    ],
)
def test_words_of_a_result_may_be_between_a_name_and_its_figure(read, text):
    assert found(read(text.format("3.2783"))) == set()
    # One run's loss is not a mean.
    assert found(read(text.format("3.2777"))) == {WARNED}


def test_a_warning_names_a_handful_of_figures(read):
    text = "".join(f"- mean val_loss: {3.2600 + i / 1e4:.4f}\n" for i in range(40))
    (finding,) = check_documents(read(text))
    assert finding.message.count("README says") == 5
    assert "and 35 more" in finding.message


def test_a_deviation_behind_a_time_is_the_times(read):
    runs = pairs(seconds=152.3)
    text = "Mean val loss 3.2783, mean time 152.3 s, std 0.230\n"
    assert found(read(text, runs)) == set()
    assert found(read("Mean val loss 3.2783, std 0.230\n", runs)) == {WARNED}


def test_a_sentence_may_name_the_step_of_its_figure(read):
    runs = [pair(i, loss, earlier=[(900, loss + 0.01)]) for i, loss in enumerate(LOSSES)]
    for step, right, wrong in ((1000, "3.2783", "3.2773"), (900, "3.2883", "3.2783")):
        text = f"Mean val loss at step {step}: {{}}\n"
        assert found(read(text.format(right), runs)) == set()
        assert found(read(text.format(wrong), runs)) == {WARNED}


def test_a_row_of_a_p_may_name_its_null_value(read):
    # scipy.stats.ttest_1samp(LOSSES, 3.28, alternative="less").pvalue is 0.000671.
    rows = [("mean val_loss", "3.2783"), ("one-sided p vs 3.28", "{}")]
    text = table(("metric", "value"), rows)
    assert found(read(text.format("0.00067"))) == set()
    assert found(read(text.format("0.00007"))) == {WARNED}
