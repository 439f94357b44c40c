"""Which runs of a mixed folder are the record: by what the caller, the claims or the names say."""

from __future__ import annotations

import pytest

from speedcheck import UsageError, verify
from speedcheck.checks import codes
from speedcheck.program import sources

BETTER, WORSE = (3.2751, 3.2762, 3.2773), (3.2991, 3.2982, 3.2973, 3.2964)
OTHER_CODE = "import torch\n\nprint(torch.zeros(3) + 1)\n"


@pytest.fixture
def mixed(build, published_log_text):
    """A folder of two kinds of runs, told apart by `difference` and named by `names`."""

    def make(names=("x", "y"), files=None, **difference):
        logs = {
            f"{names[0]}{index}.txt": published_log_text(val_loss=loss, time_ms=170_000 + index)
            for index, loss in enumerate(BETTER)
        } | {
            f"{names[1]}{index}.txt": published_log_text(
                val_loss=loss, time_ms=180_000 + index, **difference
            )
            for index, loss in enumerate(WORSE)
        }
        return build.folder(logs | (files or {}))

    return make


def counted(certificate):
    return {run.val_loss for run in certificate.counted}


def finding(certificate, code):
    return next(f for f in certificate.verdicts.findings() if f.code == code)


@pytest.mark.parametrize("difference", [{"steps": 1750}, {"script": OTHER_CODE}])
def test_other_steps_or_other_code_make_another_kind(mixed, difference):
    certificate = verify(mixed(**difference))
    assert counted(certificate) == set(WORSE)
    found = finding(certificate, codes.SEVERAL_GROUPS)
    assert found.severity == "warn"
    assert "judged is B since it has the most runs" in found.message
    assert {run.reason for run in certificate.runs if not run.counted} == {
        "of another kind: group A"
    }


def test_of_two_kinds_with_as_many_runs_none_is_said_to_have_more(build, published_log_text):
    logs = {
        f"{steps}-{index}.txt": published_log_text(
            steps=steps, val_loss=loss, time_ms=steps + index
        )
        for steps in (1393, 1750)
        for index, loss in enumerate(BETTER)
    }
    certificate = verify(build.folder(logs))
    assert {run.total_steps for run in certificate.counted} == {1393}
    assert "judged is A since none has more runs" in (
        finding(certificate, codes.SEVERAL_GROUPS).message
    )


def test_runs_of_one_code_are_one_kind_whatever_their_comments(mixed, script_text):
    certificate = verify(mixed(script=f"# the same\n{script_text}"))
    assert counted(certificate) == {*BETTER, *WORSE}
    assert finding(certificate, codes.MIXED_SOURCE).severity == "info"


def test_logs_named_as_a_comparison_are_not_the_record(mixed):
    certificate = verify(mixed(names=("run", "baseline-"), steps=1750))
    assert counted(certificate) == set(BETTER)
    assert finding(certificate, codes.SEVERAL_GROUPS).severity == "info"


def test_a_comparison_of_the_same_code_is_told_by_its_name(mixed):
    assert counted(verify(mixed(names=("run", "baseline-")))) == set(BETTER)


def test_the_claimed_losses_say_which_kind_is_the_record(mixed):
    readme = {"README.md": f"```python\nlosses = {list(BETTER)}\n```\n"}
    certificate = verify(mixed(files=readme, steps=1750))
    assert counted(certificate) == set(BETTER)
    assert "the documents claim" in finding(certificate, codes.SEVERAL_GROUPS).message


def test_a_list_of_all_runs_makes_all_of_them_the_record(mixed):
    readme = {"README.md": f"```python\nlosses = {[*BETTER, *WORSE]}\n```\n"}
    certificate = verify(mixed(files=readme, script=OTHER_CODE))
    assert counted(certificate) == {*BETTER, *WORSE}
    assert finding(certificate, codes.MIXED_SOURCE).severity == "fail"
    assert not certificate.certified


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"group": "A"}, BETTER),
        ({"group": "b"}, WORSE),
        ({"group": "all"}, (*BETTER, *WORSE)),
        ({"only": ["x*"]}, BETTER),
        ({"only": ["x0.txt", "x1.txt"]}, BETTER[:2]),
        ({"exclude": ["x*"]}, WORSE),
        ({"exclude": ["y*", "x0*"]}, BETTER[1:]),
        ({"only": ["y*"], "exclude": ["*0.txt"]}, WORSE[1:]),
    ],
)
def test_the_caller_decides_and_the_certificate_says_so(mixed, selection, expected):
    certificate = verify(mixed(steps=1750), **selection)
    assert counted(certificate) == set(expected)
    assert finding(certificate, codes.SELECTED_BY_CALLER).severity == "info"
    assert all(run.reason for run in certificate.runs if not run.counted)


def test_a_pattern_with_a_folder_means_the_logs_in_folders_of_that_name(build):
    folder = build.published(name="above/this_pr")
    assert verify(folder, only=["this_pr/*"]).loss.n == 6
    assert verify(folder, exclude=["this_pr/00.*", "baseline/*"]).loss.n == 5
    for pattern in ("baseline/*", "above/*", "this_pr", "his_pr/*", "this_pr/this_pr/*"):
        with pytest.raises(UsageError, match="leave no log"):
            verify(folder, only=[pattern])


def test_a_group_that_is_not_there_is_refused_with_the_ones_that_are(mixed):
    with pytest.raises(UsageError, match=r"no group 'C'; choose all or one of A: 3 runs of 1393"):
        verify(mixed(steps=1750), group="C")


def test_a_selection_that_leaves_nothing_is_refused(mixed):
    with pytest.raises(UsageError, match="leave no log"):
        verify(mixed(), only=["nothing*"])


def test_the_ledger_says_what_belongs_to_its_record(build, log_text):
    other = log_text(seed=1, val_loss=1.21, steps=100, program="# another\nimport os\n")
    certificate = verify(build.record(logs={1: other}))
    assert codes.SEVERAL_GROUPS not in {f.code for f in certificate.verdicts.findings()}
    assert finding(certificate, codes.MIXED_SOURCE).severity == "fail"


def test_the_command_line_takes_the_same_selection(mixed, cli):
    folder = str(mixed(steps=1750))
    assert "x0.txt" in cli("verify", folder, "--group", "A").out
    result = cli("verify", folder, "--group", "Z")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert cli("verify", folder, "--only", "x*", "--exclude", "x1*").code == 1


STRIPPED = "# [{} lines of the script omitted]\n"
LISTED = {"README.md": f"```python\nlosses = {list(BETTER)}\n```\n"}


def test_runs_whose_programs_cannot_be_read_are_not_told_apart_by_them(build, published_log_text):
    logs = {
        f"{index:02d}.txt": published_log_text(
            val_loss=3.27 + index / 10_000, time_ms=170_000 + index, script=STRIPPED.format(index)
        )
        for index in range(20)
    }
    certificate = verify(build.folder(logs))
    assert certificate.loss.n == 20
    found = finding(certificate, codes.MIXED_SOURCE)
    assert (found.severity, "cannot be compared" in found.message) == ("warn", True)


def test_runs_of_programs_that_another_python_reads_are_not_told_apart_by_them(
    build, published_log_text
):
    script = "def f():\n    return 1 +\n\nprint({})\n"
    texts = {
        f"{i}.txt": published_log_text(script=script.format("x" * i), time_ms=i)
        for i in range(1, 5)
    }
    certificate = verify(build.folder(texts))
    assert [run.counted for run in certificate.runs] == [True] * 4


def test_more_programs_than_are_read_are_one_kind_where_those_that_are_read_are(
    build, published_log_text, script_text, monkeypatch
):
    monkeypatch.setattr(sources, "MAX_PROGRAMS", 16)
    logs = {
        f"{index:02d}.txt": published_log_text(
            val_loss=3.27 + index / 10_000,
            time_ms=170_000 + index,
            script=f"{script_text}seed = {index}\n",
        )
        for index in range(20)
    }
    assert verify(build.folder(logs)).loss.n == 20


def test_logs_without_a_program_join_the_only_program_and_none_of_two(mixed):
    assert counted(verify(mixed(script=STRIPPED))) == {*BETTER, *WORSE}
    folder = mixed(script=OTHER_CODE)
    log = (folder / "y0.txt").read_text()
    (folder / "y0.txt").write_text(log[log.index("Running Python") :])
    certificate = verify(folder)
    assert counted(certificate) in (set(BETTER), set(WORSE[1:]))
    assert "of 3 kinds" in finding(certificate, codes.SEVERAL_GROUPS).message


@pytest.mark.parametrize("difference", ["constants", "not read"])
def test_a_list_of_one_programs_losses_sets_its_runs_apart(mixed, script_text, difference):
    other = {
        "constants": script_text.replace("10_485_760", "5_242_880"),
        "not read": STRIPPED.format(7),
    }
    certificate = verify(mixed(files=LISTED, script=other[difference]))
    assert counted(certificate) == set(BETTER)
    found = finding(certificate, codes.SEVERAL_GROUPS)
    assert "the documents claim" in found.message
    assert found.severity == "warn"


def test_a_single_run_that_no_list_names_is_left_out_and_no_kind(
    build, published_log_text, script_text
):
    script = script_text.replace("10_485_760", "5_242_880")
    other = published_log_text(val_loss=3.2999, time_ms=9, script=script)
    folder = build.published(BETTER)
    (folder / "left-out.txt").write_text(other)
    (folder / "README.md").write_text(LISTED["README.md"])
    certificate = verify(folder)
    assert counted(certificate) == {*BETTER, 3.2999}
    assert codes.SEVERAL_GROUPS not in {f.code for f in certificate.verdicts.findings()}
    assert "left-out.txt" in finding(certificate, codes.MIXED_SOURCE).message


@pytest.mark.parametrize("difference", ["# the same\n{}", "{}"])
def test_a_list_of_some_runs_of_one_program_sets_nothing_apart(mixed, script_text, difference):
    certificate = verify(mixed(files=LISTED, script=difference.format(script_text)))
    assert counted(certificate) == {*BETTER, *WORSE}
    assert codes.SEVERAL_GROUPS not in {f.code for f in certificate.verdicts.findings()}


def test_of_two_logs_without_a_plan_the_shorter_one_may_be_cut_and_does_not_count(build):
    lines = [f"s:{step} tel:{10.9 - step / 1000:.4f}\n" for step in (0, 128, 256)]
    certificate = verify(build.folder({"a.log": "".join(lines[:2]), "b.log": "".join(lines)}))
    assert [run.log for run in certificate.counted] == ["b.log"]
