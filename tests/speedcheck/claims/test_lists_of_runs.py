"""Lists of losses and of times: which may refute, and whose runs they may be of."""

from __future__ import annotations

import json

import pytest

from speedcheck.certificate import Exclusion
from tests.speedcheck.claims.conftest import (
    LOSSES,
    OTHERS,
    REFUTED,
    WARNED,
    found,
    listed,
    pair,
    pairs,
    statuses,
    table,
)

# Lists in code.


@pytest.mark.parametrize("name", ["losses", "accs", "val_losses"])
def test_a_list_in_code_of_other_losses_is_refuted(read, name):
    assert found(read(listed(OTHERS, name))) == {REFUTED}
    assert found(read(listed(LOSSES, name))) == set()


def test_one_mistyped_digit_is_refuted_and_named(read):
    documents = read(listed((3.2772, *LOSSES[1:])))
    assert found(documents) == {REFUTED}
    assert documents.claims[0].recomputed == "3.2777 instead of 3.2772"


def test_a_list_may_be_rounded_or_cut(read):
    runs = pairs((3.27776, 3.27951, 3.27844))
    assert statuses(read(listed((3.2778, 3.2795, 3.2784)), runs)) == [("losses", "confirmed")]
    assert statuses(read(listed((3.2777, 3.2795, 3.2784)), runs)) == [("losses", "confirmed")]
    assert found(read(listed((3.2776, 3.2795, 3.2784)), runs)) == {REFUTED}


def test_a_list_of_another_number_of_values_is_not_refuted(read):
    assert found(read(listed(OTHERS[:4]))) == set()


def test_a_list_in_running_text_warns(read):
    values = ", ".join(map(str, OTHERS))
    assert found(read(f"losses = [{values}]\n")) == {WARNED}


def test_a_list_named_otherwise_than_losses_is_not_data(read):
    assert REFUTED not in found(read(listed(OTHERS, "lambada_losses")))


@pytest.mark.parametrize("name", ["x", "data", "with_warmdown"])
def test_a_list_with_another_name_counts_if_most_of_its_values_are_logged(read, name):
    block = f"```\n{name} = np.array({{}})\nprint(np.mean({name}))\n{{}}\n```\n"
    assert found(read(block.format(list(LOSSES), 3.2782))) == set()
    assert found(read(block.format([3.2705, *LOSSES[1:]], 3.2771))) == {REFUTED}
    assert found(read(block.format(list(OTHERS), 3.2760))) == set()


def test_a_list_in_a_sentence_ends_with_it(read):
    values = ", ".join(map(str, LOSSES))
    assert found(read(f"All runs below 3.28: {values}. 3.2532 min on average.\n")) == set()


@pytest.mark.parametrize(
    "document",
    [
        listed(OTHERS, "baseline_losses"),
        listed(OTHERS, "prev_losses"),
        "## Prior record, retimed\n\n" + listed(OTHERS),
        "Before this change:\n\n" + listed(OTHERS),
        "**Prior record**\n\n" + listed(OTHERS),
        "I re-ran this on my box:\n\n" + listed(OTHERS),
        "What the current record gives here:\n\n" + listed(OTHERS),
        "One run at its last checkpoints:\n\n" + listed(OTHERS),
        "## Records so far\n\n" + table(("#", "val_loss"), enumerate(OTHERS)),
        "```\n$ grep -ho 'val_loss:.*' ../other/*\n"
        + "".join(f"val_loss:{loss}\n" for loss in OTHERS)
        + "```\n",
    ],
)
def test_a_list_of_what_the_record_is_compared_with_is_not_refuted(read, document):
    assert found(read(document)) == set()


# Words that no vocabulary lists, above losses of other runs.
UNCLEAR = (
    "## lr 0.035\n\n",
    "### PR #549\n\n",
    "What this builds on:\n\n",
    "**The 4090 in my cellar**\n\n",
    "The numbers of the author are below.\n\n",
    "<details><summary>Another cluster</summary>\n\n",
)


@pytest.mark.parametrize("above", UNCLEAR)
@pytest.mark.parametrize("figures", [listed(OTHERS), table(("run", "val_loss"), enumerate(OTHERS))])
def test_a_list_under_words_that_are_not_known_may_be_of_other_runs(read, above, figures):
    assert found(read(f"# A record\n\n{above}{figures}")) == set()


@pytest.mark.parametrize("remark", ["rope base 10k", "with lr 0.03", "PR 117"])
def test_a_comment_above_a_list_may_name_other_runs(read, remark):
    losses = listed(OTHERS).replace("losses =", f"# {remark}\nlosses =")
    assert found(read(losses)) == set()


@pytest.mark.parametrize("remark", ["main", "baseline", "no smear", "PR 117", "with lr 0.03"])
def test_a_comment_beside_a_list_may_name_other_runs(read, remark):
    losses = listed(OTHERS)
    assert found(read(losses.replace("]", f"]  # {remark}"))) == set()
    assert found(read(losses.replace("[", f"[  # {remark}\n"))) == set()
    assert found(read(losses.replace("]", "]  # 6 runs, sorted"))) == {REFUTED}


def logged(losses, line="{i}a.txt:step:1000/1000 val_loss:{loss} train_time:{i}9ms"):
    return "```\n" + "\n".join(line.format(i=i, loss=x) for i, x in enumerate(losses)) + "\n```\n"


def test_lines_of_logs_in_code_are_a_list(read):
    assert statuses(read(logged(LOSSES))) == [("losses", "confirmed")]
    assert found(read(logged((3.2764, *LOSSES[1:])))) == {REFUTED}
    assert found(read(logged((*LOSSES, 3.2764)))) == {("P003", "fail")}


def test_lines_of_other_logs_and_of_one_run_are_no_claim(read):
    assert found(read(logged(OTHERS))) == set()
    curve = ((x, 10 * i) for i, x in enumerate((*LOSSES[:5], 3.2764)))
    lines = "\n".join(f"step:{step} val_loss:{loss}" for loss, step in curve)
    assert found(read(f"```\n{lines}\n```\n")) == set()


def test_lines_of_two_searches_are_two_lists(read):
    both = logged(OTHERS, "val_loss:{loss}") + logged(LOSSES, "val_loss:{loss}")
    block = both.replace("```\n```\n", "$ tail -n 1 *.txt\n")
    assert statuses(read(block)).count(("losses", "confirmed")) == 1
    assert found(read(block)) == set()


@pytest.mark.parametrize("name", ["losses_1600", "losses_750000"])
def test_a_number_in_a_name_sets_a_list_apart(read, name):
    assert found(read(listed(OTHERS, name))) == set()
    assert found(read(listed(OTHERS, "losses_6"))) == {REFUTED}


def test_the_sentence_above_a_quote_is_said_of_all_of_it(read):
    quoted = "\n".join("> " + line for line in ("Mean 3.2777, p=0.0002, 6 runs",))
    with_table = "> | run | val_loss |\n> |--|--|\n> | 1 | 3.2777 |\n>\n" + quoted
    assert found(read(f"Jane's page gives:\n\n{with_table}\n")) == set()
    assert found(read(f"Results:\n\n{with_table}\n")) == {WARNED}
    # What is below the quote is not.
    assert found(read(f"Jane's page gives:\n\n{with_table}\n\n{listed(OTHERS)}")) == {REFUTED}


@pytest.mark.parametrize("above", UNCLEAR)
def test_a_list_of_which_all_but_one_value_are_logged_is_of_these_runs(read, above):
    assert found(read(f"# A record\n\n{above}{listed((3.2737, *LOSSES[1:]))}")) == {REFUTED}


def test_more_losses_than_logs_under_unknown_words_are_a_shortfall_if_all_logs_are_among_them(read):
    above = "The numbers of the author are below.\n\n"
    assert found(read(above + listed((*LOSSES, 3.2761)))) == {("P003", "fail")}
    assert found(read(above + listed((*OTHERS, 3.2761)))) == set()


def test_the_title_of_a_record_says_nothing_of_a_list(read):
    assert found(read("# Smeared tokens\n\n" + listed(OTHERS))) == {REFUTED}


@pytest.mark.parametrize("above", ["## lr 0.035\n\n", "With 20 fewer steps:\n\n"])
def test_a_mean_under_words_that_are_not_known_may_be_of_other_runs(read, above):
    assert found(read(f"# A record\n\n{above}Mean val_loss: 3.2795\n")) == set()


def test_a_mean_of_a_list_in_its_own_line_is_not_that_of_the_runs(read):
    text = "first = [3.2777, 3.2795], mean 3.2786\nsecond = [3.2784, 3.2782], mean 3.2783\n"
    assert found(read(text)) == set()


def test_seeds_of_an_ablation_are_not_those_of_the_record(read):
    runs = [pair(seed, loss, seed=seed) for seed, loss in enumerate(LOSSES)]
    text = json.dumps({"seeds": [7, 8, 9, 10, 11, 12]})
    assert found(read({"no_clip.json": text}, runs)) == set()
    assert found(read({"submission.json": text}, runs)) == {("P039", "warn")}


def test_a_mean_under_unknown_words_speaks_for_another_that_differs(read):
    unclear = "With the fix that Ann found:\n\n> mean: 3.2783\n"
    assert found(read("mean: 3.2790\n")) == {WARNED}
    assert found(read(f"mean: 3.2790\n\n{unclear}")) == set()


@pytest.mark.parametrize("name", ["baseline_runs.csv", "adamw.csv", "rtx4090_results.csv"])
def test_the_name_of_a_file_says_whose_runs_it_is_of(read, name):
    rows = "".join(f"{i},{loss}\n" for i, loss in enumerate(OTHERS))
    assert found(read({name: f"run,val_loss\n{rows}"})) == set()


def test_json_of_an_ablation_is_left_alone(read):
    assert found(read({"no_clip.json": json.dumps({"val_loss": 3.2761})})) == set()


def test_where_one_list_agrees_no_other_is_refuted(read):
    assert found(read(listed(LOSSES) + "\nAgain:\n\n" + listed(OTHERS))) == set()


# Groups and excluded runs.


def test_a_list_of_excluded_runs_or_of_another_group_is_not_refuted(read):
    counted = pairs(OTHERS)
    left_out = [
        pair(10 + i, x, group="B", exclusion=Exclusion.OTHER_GROUP) for i, x in enumerate(LOSSES)
    ]
    documents = read(listed(LOSSES), [*counted, *left_out])
    assert ("losses", "confirmed") in statuses(documents)
    assert found(documents) == set()
    assert found(read(listed(LOSSES), counted)) == {REFUTED}


def test_in_an_undecided_folder_what_agrees_with_a_group_is_not_refuted(read):
    def group(name, losses, first):
        return [
            pair(first + i, x, group=name, exclusion=Exclusion.UNDECIDED)
            for i, x in enumerate(losses)
        ]

    runs = [*group("A", LOSSES, 0), *group("B", OTHERS, 10)]
    for losses in (LOSSES, OTHERS):
        assert found(read(listed(losses), runs)) == set()
    assert found(read("Mean val_loss 3.2782 (6 runs)\n", runs)) == set()


# Times.


def test_times_are_not_refuted_where_the_logs_have_none(read):
    assert found(read(listed(LOSSES) + "\n" + listed([94.6] * 6, "times"))) == set()


def test_a_mistyped_time_in_code_is_refuted_and_times_of_another_machine_warn(read):
    seconds = (179.8, 179.9, 180.0, 180.1, 180.2, 180.3)
    runs = [
        pair(i, loss, seconds=s) for i, (loss, s) in enumerate(zip(LOSSES, seconds, strict=True))
    ]
    wrong = (179.4, *seconds[1:])
    assert found(read(listed(LOSSES) + "\n" + listed(wrong, "times"), runs)) == {REFUTED}
    retimed = [s + 3 for s in seconds]
    assert found(read(listed(LOSSES) + "\n" + listed(retimed, "times"), runs)) == {WARNED}
    in_ms = [s * 1000 for s in seconds]
    assert found(read(listed(LOSSES) + "\n" + listed(in_ms, "times"), runs)) == set()


def test_a_column_of_times_is_at_most_a_warning(read):
    runs = pairs(seconds=180.0)
    rows = [(i, f"{loss:.4f}", "150.0") for i, loss in enumerate(LOSSES)]
    assert REFUTED not in found(read(table(("run", "val_loss", "time (s)"), rows), runs))


def test_losses_of_three_digits_may_be_rounded_but_not_cut(read):
    def three(digits):
        return f"```\nlosses = [{', '.join(digits)}]\n```\n"

    assert found(read(three(f"{loss:.3f}" for loss in LOSSES))) == set()
    assert found(read(three(f"{loss:.4f}"[:-1] for loss in LOSSES))) == {REFUTED}


def test_three_values_of_four_are_those_of_the_runs(read):
    runs = pairs(LOSSES[:4])
    assert found(read(f"## Medium\n\n{listed((3.2737, *LOSSES[1:4]))}", runs)) == {REFUTED}
    assert found(read(f"## Medium\n\n{listed((3.2737, 3.2739, *LOSSES[2:4]))}", runs)) == set()


def test_one_value_that_is_logged_does_not_speak_for_another_list(read):
    assert found(read(listed(LOSSES[:1]) + "\n" + listed(OTHERS))) == {REFUTED}
    nearly = (3.2737, *LOSSES[1:])
    documents = read(listed(OTHERS) + "\n" + listed(nearly))
    refuted = [claim.claimed for claim in documents.claims if claim.status == "not_confirmed"]
    assert len(refuted) == 1
    assert "3.2737" in refuted[0]
