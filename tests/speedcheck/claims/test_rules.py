"""What may refute and what may only warn: the table of docs/claims.md, line by line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from speedcheck.api import verify
from speedcheck.certificate import Exclusion, JudgedRun
from speedcheck.checks.document_claims import check_documents
from speedcheck.claims import document_claims
from speedcheck.logs import Environment, LogFile, Run, Validation
from speedcheck.records.record_folder import Record
from speedcheck.rules.tracks import Track

NATS = Track("nats", 3.28, 0.01, None)
BITS = Track("bits", 1.2, 0.01, None, measure=("val_bpb", "bpb"))
# scipy.stats.ttest_1samp(LOSSES, 3.28, alternative="less").pvalue is 0.000671.
LOSSES = (3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779)
BPB = (1.1192, 1.1189, 1.1200)
OTHERS = (3.2761, 3.2752, 3.2769, 3.2757, 3.2766, 3.2748)


def pair(index, loss, *, seconds=None, group="A", exclusion=None, seed=None, earlier=()):
    """A run and what was decided of it, as the logs and the sample would give them."""
    time_ms = None if seconds is None else seconds * 1000
    steps = [(0, 10.8), *earlier, (1000, loss)]
    validations = tuple(Validation(step, 1000, x, time_ms, None, 1, {}) for step, x in steps)
    run = Run(
        log=f"{index}.txt",
        index=0,
        format="modded",
        validations=validations,
        last_step=1000,
        total_steps=1000,
        environment=Environment(),
        header=None,
        source_sha256=None,
        source_span=None,
        diverged=False,
        stopped=None,
        peak_memory_mib=None,
        step_repeats=0,
        printed_seed=seed,
    )
    judged = JudgedRun(
        log=run.log,
        run=0,
        seed=seed,
        val_loss=loss,
        train_time_ms=time_ms,
        final_step=1000,
        total_steps=1000,
        complete=True,
        counted=exclusion is None,
        reason="",
        gpu=None,
        n_gpus=None,
        torch=None,
        source_sha256=None,
        exclusion=exclusion,
        group=group,
    )
    return run, judged


def pairs(losses=LOSSES, **options):
    return [pair(index, loss, **options) for index, loss in enumerate(losses)]


@pytest.fixture
def read(tmp_path):
    """Compare documents, given by their names or as a README, with runs."""

    def compare(documents, runs=None, track=NATS, logs=()):
        files = {"README.md": documents} if isinstance(documents, str) else documents
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        runs = pairs() if runs is None else runs
        known = tuple(LogFile(run.log, None, 0, (run,), ()) for run, _ in runs if run.log in logs)
        record = Record(tmp_path, "r", None, None, known, (), ())
        return document_claims(record, runs, track)

    return compare


def found(documents):
    """Return the codes and severities of what is found."""
    return {(f.code[:4], f.severity) for f in check_documents(documents)}


def statuses(documents):
    return [(claim.what, claim.status) for claim in documents.claims]


def listed(values, name="losses"):
    return f"```\n{name} = [{', '.join(f'{value:.4f}' for value in values)}]\n```\n"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


REFUTED, WARNED = ("P014", "fail"), ("P038", "warn")


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


def test_a_comment_above_a_list_may_name_other_runs(read):
    losses = listed(OTHERS).replace("losses =", "# rope base 10k\nlosses =")
    assert found(read(losses)) == set()


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


def test_a_p_without_code_of_its_own_may_be_of_another_test_above_its_list(read):
    text = f"losses = {list(LOSSES)}\np=0.0156\n"
    assert found(read(f"```\n{text}```\n")) == {REFUTED}
    assert found(read(f"```\nwilcoxon(losses - 3.28)\n{text}```\n")) == set()


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


# Tables.


def test_a_column_headed_with_the_measure_is_refuted(read):
    rows = [(i, f"{loss:.4f}") for i, loss in enumerate(OTHERS)]
    assert found(read(table(("Run", "Val Loss"), rows))) == {REFUTED}


@pytest.mark.parametrize(
    "heading", ["val_loss (nats)", "Delta BPB", "Pre-quant BPB", "val_bpb std", "Train BPB"]
)
def test_a_column_of_another_unit_or_metric_is_not_refuted(read, heading):
    rows = [(i, f"{loss + 0.004:.4f}") for i, loss in enumerate(BPB)]
    assert found(read(table(("Run", heading), rows), pairs(BPB), BITS)) == set()


def test_rows_of_settings_are_not_a_list_of_runs(read):
    rows = [("full", "1.1150"), ("no gate", "1.1161"), ("no smear", "1.1170")]
    for heading in ("Config", "Run", ""):
        assert found(read(table((heading, "val_bpb"), rows), pairs(BPB), BITS)) == set()


def test_rows_are_compared_by_seed_where_all_seeds_are_in_the_logs(read):
    runs = [pair(i, loss, seed=i + 1) for i, loss in enumerate(BPB)]
    rows = [(1, "1.1142"), (2, "1.1189"), (3, "1.1145")]
    documents = read(table(("Seed", "val_bpb"), rows), runs, BITS)
    assert found(documents) == {REFUTED}
    assert documents.claims[0].recomputed == "seed 1: 1.1192, not 1.1142, seed 3: 1.12, not 1.1145"


def test_other_seeds_than_the_logs_have_are_a_warning(read):
    runs = [pair(i, loss, seed=i + 1) for i, loss in enumerate(BPB)]
    rows = [(10 * (i + 1), f"{loss:.4f}") for i, loss in enumerate(BPB)]
    documents = read(table(("Seed", "val_bpb"), rows), runs, BITS)
    assert ("losses", "confirmed") in statuses(documents)
    assert found(documents) == {("P039", "warn")}
    swapped = [(2, "1.1192"), (1, "1.1189"), (3, "1.1200")]
    assert found(read(table(("Seed", "val_bpb"), swapped), runs, BITS)) == {("P039", "warn")}


def test_seeds_may_be_in_any_column(read):
    runs = [pair(i, loss, seed=7 * i) for i, loss in enumerate(BPB)]
    head = ("Run", "Seed", "val_bpb")
    right = [(i + 1, 7 * i, f"{loss:.4f}") for i, loss in enumerate(BPB)]
    assert found(read(table(head, right), runs, BITS)) == set()
    swapped = [(row[0], other[1], row[2]) for row, other in zip(right, right[::-1], strict=True)]
    assert found(read(table(head, swapped), runs, BITS)) == {("P039", "warn")}


NAMES = ("4ad9a1c2-77e0.txt", "logs/0b11f3e8-90aa.txt", "c0ffee12-0001.txt")


@pytest.fixture
def named_runs():
    """Give runs of three logs with names as programs make them."""
    runs = pairs(BPB)
    return [
        (replace(run, log=name), replace(judged, log=name))
        for (run, judged), name in zip(runs, NAMES, strict=True)
    ]


@pytest.mark.parametrize("called", [str, lambda x: Path(x).name, lambda x: Path(x).stem[:8]])
def test_rows_are_compared_by_log_where_the_logs_have_all_names(read, named_runs, called):
    names = [f"`{called(name)}`" for name in NAMES]

    def judged(losses):
        rows = [(name, f"{loss:.4f}") for name, loss in zip(names, losses, strict=True)]
        return read(table(("Log", "val_bpb"), rows), named_runs, BITS)

    assert found(judged(BPB)) == set()
    assert found(judged((BPB[1], BPB[0], BPB[2]))) == {REFUTED}
    wrong = judged((BPB[0], BPB[1], 1.1145))
    assert found(wrong) == {REFUTED}
    assert wrong.claims[0].recomputed == f"{called(NAMES[2])}: 1.12, not 1.1145"


def test_other_names_than_those_of_the_logs_say_nothing(read, named_runs):
    rows = [(f"run-{x}.txt", f"{loss:.4f}") for x, loss in zip("abc", BPB, strict=True)]
    assert found(read(table(("Log", "val_bpb"), rows), named_runs, BITS)) == set()


def test_html_tables_are_not_read(read):
    rows = "".join(f"<tr><td>{i}</td><td>{x}</td></tr>" for i, x in enumerate(OTHERS))
    assert read(f"<table><tr><th>run</th><th>val_loss</th></tr>{rows}</table>\n").claims == ()


def test_a_list_of_an_earlier_validation_is_confirmed_there(read):
    runs = [
        pair(i, loss, earlier=[(900, round(loss + 0.0007, 4))]) for i, loss in enumerate(LOSSES)
    ]
    rows = [(i, f"{loss + 0.0007:.4f}") for i, loss in enumerate(LOSSES)]
    documents = read(table(("seed", "step 900"), rows), runs)
    assert (statuses(documents), documents.steps) == ([("losses", "confirmed")], (900,))
    unnamed = read(listed([loss + 0.0007 for loss in LOSSES]), runs)
    assert (found(unnamed), unnamed.steps) == (set(), (900,))


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
        "Mean of 20 runs: 3.2749.",
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


def test_a_heading_that_qualifies_the_measure_warns_or_only_confirms(read):
    rows = [(i, f"{loss:.4f}") for i, loss in enumerate((1.1142, 1.1160, 1.1145))]
    for heading, expected in (("Sliding BPB", {REFUTED}), ("Post-TTT BPB", {WARNED})):
        assert found(read(table(("Run", heading), rows), pairs(BPB), BITS)) == expected
    assert found(read(table(("Run", "Ensemble BPB"), rows), pairs(BPB), BITS)) == set()


def test_a_forgotten_root_of_n_is_a_warning(read):
    # (3.28 - 3.27825) / 0.0013 is 1.346, and with sqrt(6) 3.297: p is 0.0891 and 0.00049.
    text = "n = 6, mean val_loss 3.27825. A z-test with sigma=0.0013 gives p = {}.\n"
    assert found(read(text.format("0.00049"))) == set()
    assert found(read(text.format("0.0891"))) == {WARNED}


def test_what_the_logs_print_elsewhere_is_not_named(read, tmp_path):
    (tmp_path / "0.txt").write_text("final_int8 val_loss:3.27491234\n")
    assert found(read("val_loss: 3.2749\n", logs=("0.txt",))) == set()
    (tmp_path / "0.txt").write_text("nothing\n")
    assert found(read("val_loss: 3.2749\n", logs=("0.txt",))) == {WARNED}


def test_the_mean_of_what_the_logs_print_elsewhere_is_not_named(read, tmp_path):
    for index in range(6):
        text = f"step:{index} val_loss:3.9\nsliding_window val_loss:{3.2740 + index / 1000}\n"
        (tmp_path / f"{index}.txt").write_text(text)
    logs = [f"{index}.txt" for index in range(6)]
    assert found(read("Mean val_loss: 3.2765 (6 runs)\n", logs=logs)) == set()
    assert found(read("Mean val_loss: 3.2755 (6 runs)\n", logs=logs)) == {WARNED}


def test_a_warning_names_a_handful_of_figures(read):
    text = "".join(f"- mean val_loss: {3.2600 + i / 1e4:.4f}\n" for i in range(40))
    (finding,) = check_documents(read(text))
    assert finding.message.count("README says") == 5
    assert "and 35 more" in finding.message


# More runs than logs.


@pytest.mark.parametrize(("logs", "severity"), [(5, "fail"), (2, "fail"), (1, "unknown")])
def test_a_list_longer_than_the_logs_is_said(read, logs, severity):
    assert found(read(listed(LOSSES), pairs(LOSSES[:logs]))) == {("P003", severity)}


def test_the_five_best_of_seven_are_a_shortfall_and_a_run_left_out_of_the_list_is_said(read):
    seven = (*LOSSES, 3.2831)
    documents = read(listed(seven), pairs(sorted(seven)[:5]))
    assert [(s.claimed, s.logs) for s in documents.shortfalls] == [(7, 5)]
    documents = read(listed(sorted(seven)[:6]), pairs(seven))
    assert (documents.unlisted, found(documents)) == (("6.txt",), {("P022", "warn")})


def test_ten_losses_of_other_runs_than_the_five_logs_are_a_shortfall(read):
    assert found(read(listed((*OTHERS, *LOSSES[:4])), pairs((3.2801, 3.2811, 3.2793)))) == {
        ("P003", "fail")
    }


# JSON and CSV.


@pytest.mark.parametrize("value", [1.1194, 1.11937, 1.1200])
def test_json_may_give_the_mean_or_a_runs_loss(read, value):
    text = json.dumps({"val_bpb": value, "val_loss": 1.8900})
    assert found(read({"submission.json": text}, pairs(BPB), BITS)) == set()


def test_json_with_another_figure_is_refuted(read):
    documents = read({"submission.json": '{"val_bpb": 1.1149}'}, pairs(BPB), BITS)
    assert found(documents) == {REFUTED}
    assert documents.claims[0].where == "submission.json val_bpb"


def test_json_that_gives_the_best_run_for_the_mean_is_a_warning(read):
    assert found(read({"submission.json": '{"val_bpb": 1.1189}'}, pairs(BPB), BITS)) == {WARNED}


def test_json_under_other_keys_is_left_alone(read):
    text = '{"val_bpb_pre_quant": 1.1149, "baseline": {"val_bpb": 1.1149}, "val_loss": 1.1149}'
    assert found(read({"submission.json": text}, pairs(BPB), BITS)) == set()


@pytest.mark.parametrize(
    "results",
    [
        {"1": {"val_bpb": 1.1192}, "2": {"val_bpb": 1.1142}, "3": {"val_bpb": 1.12}},
        {"1": 1.1192, "2": 1.1142, "3": 1.12},
        [{"seed": s, "val_bpb": x} for s, x in ((1, 1.1192), (2, 1.1142), (3, 1.12))],
    ],
)
def test_json_results_are_compared_by_seed(read, results):
    runs = [pair(i, loss, seed=i + 1) for i, loss in enumerate(BPB)]
    wrong = json.dumps({"seeds": [1, 2, 3], "seed_results": results})
    assert found(read({"submission.json": wrong}, runs, BITS)) == {REFUTED}
    right = wrong.replace("1.1142", "1.1189")
    assert found(read({"submission.json": right}, runs, BITS)) == set()
    other_seeds = right.replace('"seeds": [1, 2, 3]', '"seeds": [1, 2, 4]')
    assert found(read({"submission.json": other_seeds}, runs, BITS)) == {("P039", "warn")}


def test_csv_is_a_claim_where_its_rows_are_in_logs(read):
    rows = "seed,val_bpb\n" + "".join(f"{i},{x}\n" for i, x in enumerate((1.1142, 1.116, 1.1145)))
    assert found(read({"results.csv": rows}, pairs(BPB), BITS)) == {REFUTED}
    trials = rows + "".join(f"{9 + i},{1.13 + i / 1000}\n" for i in range(9))
    assert found(read({"results.csv": trials}, pairs(BPB), BITS)) == set()
    curve = "step,val_bpb\n0,1.1142\n1,1.116\n2,1.1145\n"
    assert found(read({"results.csv": curve}, pairs(BPB), BITS)) == set()


# Where documents are.


def test_a_document_above_is_read_where_this_folder_is_alone(tmp_path):
    def claims(name):
        runs = pairs()
        logs = (LogFile("0.txt", None, 0, (runs[0][0],), ()),)
        record = Record(tmp_path / "x" / name, name, None, None, logs, (), ())
        return document_claims(record, runs, NATS)

    (tmp_path / "x" / "logs").mkdir(parents=True)
    (tmp_path / "x" / "README.md").write_text(listed(OTHERS))
    (tmp_path / "x" / "requirements.txt").write_text("numpy\n")
    assert found(claims("logs")) == {REFUTED}
    (tmp_path / "x" / "baseline").mkdir()
    (tmp_path / "x" / "baseline" / "1.txt").write_text("a log\n")
    assert claims("logs").claims == ()


@pytest.mark.parametrize("name", ["README", "readme.MD", "Statistics.md", "notes.md"])
def test_documents_are_found_by_their_names(read, name):
    assert found(read({name: listed(OTHERS)})) == {REFUTED}


def test_a_link_and_a_document_of_more_than_a_mebibyte_are_said(read, tmp_path):
    (tmp_path / "README.md").symlink_to(Path(__file__))
    assert found(read({"statistics.md": "a" * (2**20 + 1)})) == {("P019", "unknown")}
