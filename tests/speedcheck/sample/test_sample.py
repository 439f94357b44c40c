"""Every run counts unless an enumerated reason excludes it."""

from __future__ import annotations

import pytest
import scipy.stats

from speedcheck.api import verify
from speedcheck.certificate import Exclusion
from speedcheck.errors import InputError, UsageError

PROGRAM = "import torch\nlr = 0.04\nval_tokens = 10485760\n"
OTHER_CODE = "import torch\nlr = 0.04\nval_tokens = 10485760\ntorch.relu(lr)\n"
OTHER_CONSTANT = PROGRAM.replace("0.04", "0.0375")


def declare(folder, text):
    (folder / "record.toml").write_text(text)
    return folder


def excluded(logs, role, reason="it is one"):
    return f'[[excluded]]\nlogs = {logs}\nrole = "{role}"\nreason = "{reason}"\n'


def by_log(certificate):
    return {run.log: run for run in certificate.runs}


def lines(*rows, total=100):
    return "".join(
        f"step:{step}/{total} val_loss:{loss} train_time:{ms}ms\n" for step, loss, ms in rows
    )


def curve(loss, seed=0, total=100, shift=0):
    """A log of eleven validations that no other seed shares."""
    rows = [
        (s, round(10 - s / 20 + ((s * 7 + seed * 131) % 97) / 1000, 4), s * 10 + seed + shift)
        for s in range(0, total, 10)
    ]
    return lines(*rows, (total, loss, total * 10 + seed + shift), total=total)


@pytest.fixture
def two_groups(build, published_log_text):
    """Three runs of 100 steps, and two runs of 101 steps."""
    texts = {f"{i}.txt": curve(3.271 + i / 1000, seed=i) for i in range(3)}
    texts |= {f"{i}.txt": curve(3.404 + i / 1000, seed=i, total=101) for i in range(3, 5)}
    return build.folder(texts)


def test_neither_names_nor_majorities_nor_readmes_choose_a_group(two_groups):
    (two_groups / "README.md").write_text("losses = [3.271, 3.272, 3.273]\n")
    (two_groups / "3.txt").rename(two_groups / "baseline-3.txt")
    (two_groups / "4.txt").rename(two_groups / "baseline-4.txt")
    certificate = verify(two_groups)
    assert certificate.selection.ground == "undecided"
    assert {run.exclusion for run in certificate.runs} == {Exclusion.UNDECIDED}
    assert certificate.loss.mean is None
    assert not certificate.certified


def test_an_undecided_folder_gives_each_groups_figures_and_each_run_once(two_groups):
    certificate = verify(two_groups)
    assert [run.log for run in certificate.runs] == [f"{i}.txt" for i in range(5)]
    assert [run.group for run in certificate.runs] == ["A", "A", "A", "B", "B"]
    for group, losses in zip(
        certificate.groups, ([3.271, 3.272, 3.273], [3.407, 3.408]), strict=True
    ):
        p = scipy.stats.ttest_1samp(losses, 3.28, alternative="less").pvalue
        assert (group.n, group.judged) == (len(losses), False)
        assert group.p_value == pytest.approx(p, rel=1e-9)


def test_record_toml_declares_the_sample_and_the_others_are_shown(two_groups):
    certificate = verify(declare(two_groups, '[sample]\nlogs = ["0.txt"]\n'))
    assert certificate.selection.ground == "declared"
    assert certificate.loss.n == 3, "all runs of the group count, named or not"
    assert [group.judged for group in certificate.groups] == [True, False]
    assert by_log(certificate)["3.txt"].exclusion is Exclusion.OTHER_GROUP


def test_a_declared_sample_of_two_groups_decides_nothing(two_groups):
    certificate = verify(declare(two_groups, '[sample]\nlogs = ["*.txt"]\n'))
    assert certificate.selection.ground == "undecided"


def test_the_caller_can_ask_for_a_group_and_for_all(two_groups):
    assert verify(two_groups, group="b").loss.n == 2
    assert verify(two_groups, group="all").loss.n == 5
    with pytest.raises(UsageError, match="there is no group 'C'"):
        verify(two_groups, group="C")


def test_the_number_of_printed_validations_divides_nothing(build):
    texts = {"0.txt": curve(3.27), "1.txt": curve(3.271, seed=1)}
    texts["2.txt"] = curve(3.29, seed=2).split("\n", 4)[-1]
    certificate = verify(build.folder(texts))
    assert certificate.loss.n == 3
    assert [group.name for group in certificate.groups] == ["A"]


def test_other_code_divides_and_other_constants_fail(build, published_log_text):
    def folder(name, script):
        texts = {
            f"{i}.txt": published_log_text(val_loss=3.27 + i / 1000, script=PROGRAM)
            for i in range(4)
        }
        return build.folder(
            texts | {"9.txt": published_log_text(val_loss=3.279, script=script)}, name
        )

    code = verify(folder("code", OTHER_CODE))
    assert (code.selection.ground, len(code.groups)) == ("undecided", 2)
    constants = verify(folder("constants", OTHER_CONSTANT))
    assert (constants.loss.n, len(constants.groups)) == (5, 1)


def test_a_run_without_a_program_beside_known_ones_leaves_the_folder_undecided(
    build, published_log_text
):
    folder = build.published()
    bare = published_log_text(val_loss=3.2781).split("\nstep:", 1)[1]
    (folder / "bare.txt").write_text("step:" + bare)
    assert verify(folder).selection.ground == "undecided"
    declare(folder, '[sample]\nlogs = ["00.txt", "bare.txt"]\n')
    assert verify(folder).loss.n == 7


@pytest.mark.parametrize("script", ["", "import torch\nval_tokens = ((\n"])
def test_a_declared_sample_leaves_out_no_run_that_may_be_of_it(
    build, published_log_text, findings_of, script
):
    folder = declare(build.published(), '[sample]\nlogs = ["0*.txt"]\n')
    text = published_log_text(val_loss=3.29, script=script or PROGRAM)
    (folder / "bare.txt").write_text(text if script else "step:" + text.split("\nstep:", 1)[1])
    assert verify(folder).selection.ground == "undecided"
    (finding,) = findings_of(folder)["P029 undecided-sample"]
    assert "no program can be read in the logs of group B" in finding.message
    other = published_log_text(val_loss=3.29, script=script or PROGRAM, steps=2000)
    (folder / "bare.txt").write_text(other if script else "step:" + other.split("\nstep:", 1)[1])
    assert verify(folder).loss.n == 6


def test_a_validation_named_in_record_toml_is_the_result_of_every_run(build):
    texts = {f"{i}.txt": curve(3.5, seed=i) for i in range(3)}
    folder = declare(build.folder(texts), "[sample]\nlogs = ['*.txt']\nat_step = 90\n")
    certificate = verify(folder)
    assert certificate.selection.at_step == 90
    assert {run.final_step for run in certificate.runs} == {90}
    expected = [float(texts[f"{i}.txt"].splitlines()[9].split()[1][9:]) for i in range(3)]
    assert [run.val_loss for run in certificate.runs] == expected


def test_runs_that_all_stop_at_one_step_are_complete_and_one_alone_is_not(build):
    def stopped(seed):
        return "\n".join(curve(3.27, seed=seed).splitlines()[:10]) + "\n"

    together = verify(build.folder({f"{i}.txt": stopped(i) for i in range(3)}))
    assert (together.selection.stops_at, together.loss.n) == (90, 3)
    alone = verify(build.folder({"0.txt": stopped(0)}, "alone"))
    assert [run.exclusion for run in alone.runs] == [Exclusion.INCOMPLETE]


def test_one_run_that_goes_on_makes_the_stopped_ones_incomplete(build):
    texts = {f"{i}.txt": "\n".join(curve(3.27, seed=i).splitlines()[:10]) + "\n" for i in range(3)}
    certificate = verify(build.folder(texts | {"9.txt": curve(3.3, seed=9)}))
    assert [run.log for run in certificate.counted] == ["9.txt"]


def test_runs_without_a_plan_that_end_apart_all_count(build, findings_of):
    folder = build.folder({f"{i}.log": f"s:{90 + i} tel:3.27{i}\n" for i in range(3)})
    assert verify(folder).loss.n == 3
    assert findings_of(folder)["P030 ends-differ"][0].severity == "warn"


def test_a_declared_baseline_of_another_program_does_not_count(build, published_log_text):
    folder = build.published()
    (folder / "old").mkdir()
    (folder / "old" / "0.txt").write_text(published_log_text(val_loss=3.3, script=OTHER_CODE))
    declare(folder, excluded(["old/*"], "baseline"))
    certificate = verify(folder)
    assert certificate.certified
    assert by_log(certificate)["old/0.txt"].exclusion is Exclusion.DECLARED
    assert [(group.role, group.n) for group in certificate.groups] == [(None, 6), ("baseline", 1)]


def test_a_declared_baseline_that_is_the_record_itself_is_named(build, findings_of):
    folder = declare(build.published(), excluded(["00.txt", "01.txt"], "baseline"))
    (finding,) = findings_of(folder)["P034 baseline-is-the-record"]
    assert "2 runs declared as baseline" in finding.message


def test_a_retiming_of_the_same_program_is_listed_and_never_pooled(build, findings_of):
    folder = declare(build.published(), excluded(["00.txt", "01.txt"], "retiming"))
    certificate = verify(folder)
    assert certificate.loss.n == 4
    assert "P034 baseline-is-the-record" not in findings_of(folder)


def test_a_complete_run_counts_whatever_is_declared_about_it(build, findings_of):
    folder = declare(build.published(), excluded(["00.txt"], "crashed"))
    assert verify(folder).loss.n == 6
    severities = {f.severity for f in findings_of(folder)["P033 declared-exclusion"]}
    assert "warn" in severities


def test_a_crashed_run_is_put_at_the_worst_loss(build, published_log_text, findings_of):
    losses = [3.2795, 3.2780, 3.2785, 3.2782, 3.2788, 3.2784]
    folder = build.published(losses)
    for index in range(4):
        text = published_log_text(val_loss=3.9, last_step=900 + index)
        (folder / f"crash{index}.txt").write_text(text)
    declare(folder, excluded(["crash*"], "crashed"))
    passes = scipy.stats.ttest_1samp(losses + [3.2795] * 4, 3.28, alternative="less").pvalue < 0.01
    found = findings_of(folder).get("P035 crashes-matter", [])
    assert verify(folder).selection.started == 10
    assert bool(found) is not passes


def test_a_crash_is_late_by_the_end_of_the_counted_runs_whatever_its_own_plan(
    build, published_log_text, findings_of
):
    folder = build.published()
    for last_step, is_late in ((1200, False), (1300, True)):
        text = published_log_text(val_loss=3.29, last_step=last_step, steps=5000)
        (folder / "crash.txt").write_text(text)
        declare(folder, excluded(["crash.txt"], "crashed"))
        found = findings_of(folder).get("P035 crashes-matter", [])
        assert any("crashed after 90%" in finding.message for finding in found) is is_late


def test_a_role_that_is_not_known_is_one_error(build):
    folder = declare(build.published(), excluded(["00.txt"], "unlucky"))
    with pytest.raises(InputError, match="role is 'unlucky'; it must be one of baseline"):
        verify(folder)


def test_a_diverged_run_counts_as_a_failure(build, published_log_text):
    folder = build.published()
    (folder / "99.txt").write_text(published_log_text(val_loss=float("nan")))
    certificate = verify(folder)
    assert certificate.loss.p_value is None
    assert by_log(certificate)["99.txt"].counted
    assert not certificate.certified


def test_a_run_that_is_resumed_in_its_file_is_one_run_without_a_time(build, findings_of):
    whole = curve(3.27).splitlines()
    resumed = "\n".join([*whole[:7], *curve(3.27, shift=-400).splitlines()[5:]]) + "\n"
    folder = build.folder({"0.txt": resumed, "1.txt": curve(3.271, seed=1)})
    certificate = verify(folder)
    assert [run.log for run in certificate.runs] == ["0.txt", "1.txt"]
    assert certificate.runs[0].counted
    assert certificate.runs[0].train_time_ms is None
    assert findings_of(folder)["P031 resumed-run"]


def test_patterns_that_match_nothing_are_said(build, findings_of):
    folder = declare(build.published(), excluded(["none/*"], "baseline"))
    messages = [f.message for f in findings_of(folder)["P033 declared-exclusion"]]
    assert messages == ["no log matches 'none/*' of the declared exclusions"]


@pytest.mark.parametrize("patterns", [["none/*"], ["0?.txt", "none/*"], ["00.txt"]], ids=str)
def test_a_declared_sample_whose_logs_are_not_there_fails(build, findings_of, patterns):
    extra = excluded(["00.txt"], "retiming")
    folder = declare(build.published(), f"[sample]\nlogs = {patterns}\n{extra}")
    (finding,) = findings_of(folder)["P029 undecided-sample"]
    assert finding.severity == "fail"
    assert patterns[-1] in finding.message
    assert finding.remedy.startswith("correct the patterns under [sample]")
    assert not verify(folder).certified


def test_everything_below_a_record_toml_belongs_to_the_record(build, published_log_text):
    folder = declare(build.published(), "")
    for name in ("deep/er/x.out", ".hidden/y", "notes.md"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(published_log_text(val_loss=3.27 + len(name) / 1e4))
    assert {"deep/er/x.out", ".hidden/y", "notes.md"} <= {run.log for run in verify(folder).runs}


@pytest.mark.parametrize(
    "encode", [str.encode, lambda t: t.encode("utf-16-le"), lambda t: t.encode("utf-16")]
)
@pytest.mark.parametrize("name", ["README.md", "train.py", "analysis.ipynb", "record.png"])
def test_a_whole_run_in_another_file_is_found(build, findings_of, name, encode):
    folder = build.published()
    (folder / name).write_bytes(encode(curve(3.4, seed=5)))
    found = findings_of(folder)
    hidden = found.get("P028 hidden-run", [])
    counted = name in {run.log for run in verify(folder).runs}
    assert hidden or counted


def test_lines_that_quote_a_log_of_the_folder_are_not_a_hidden_run(build, findings_of):
    folder = build.published()
    quotation = "\n".join((folder / "00.txt").read_text().splitlines()[-3:])
    (folder / "README.md").write_text(f"```\n{quotation}\n```\n")
    assert "P028 hidden-run" not in findings_of(folder)


def test_many_planned_seeds_are_one_line(build, findings_of, ledger_bytes):
    folder = build.folder({"logs/seed-000.txt": curve(3.27)})
    entries = [{"event": "planned", "seed": seed} for seed in range(20_000)]
    (folder / "ledger.jsonl").write_bytes(ledger_bytes(entries))
    (finding,) = findings_of(folder)["P002 run-missing"]
    assert "20000 seeds" in finding.message
    assert len(finding.message) < 200
