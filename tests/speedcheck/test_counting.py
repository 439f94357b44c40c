"""Which runs count: all are listed, and one that does not count says why."""

from __future__ import annotations

import pytest
import scipy.stats

from speedcheck.api import verify


def reasons(certificate):
    return {run.log: run.reason for run in certificate.runs if not run.counted}


def test_every_complete_run_counts_with_its_figures(build, losses):
    certificate = verify(build.record())
    assert [run.seed for run in certificate.counted] == list(range(8))
    assert [run.val_loss for run in certificate.counted] == list(losses)
    assert [run.train_time_ms for run in certificate.counted] == [9712 + seed for seed in range(8)]
    assert all(run.final_step == run.total_steps == 300 for run in certificate.runs)


def test_step_lines_in_the_embedded_program_are_no_data(build, published_log_text):
    script = 'import torch\n"""\nstep:1393/1393 val_loss:1.0000 train_time:1ms\n"""\n'
    folder = build.folder({"a.txt": published_log_text(script=script, val_loss=3.279)})
    (run,) = verify(folder).runs
    assert run.val_loss == 3.279


@pytest.mark.parametrize("last_step", [150, 299])
def test_a_log_cut_before_its_final_validation_is_said_and_not_counted(
    build, log_text, findings_of, last_step
):
    cut = log_text(seed=8, val_loss=1.0, last_step=last_step)
    folder = build.published()
    (folder / "cut.txt").write_text(cut)
    certificate = verify(folder)
    assert reasons(certificate) == {
        "cut.txt": "incomplete: the last validation is at step 150 of 300"
    }
    assert certificate.loss.n == 6
    (finding,) = findings_of(folder)["P004 incomplete-log"]
    assert (finding.severity, finding.where) == ("warn", "cut.txt")


def test_a_log_cut_within_its_final_line_is_not_counted(build, published_log_text):
    folder = build.published()
    whole = published_log_text(val_loss=3.2777)
    (folder / "cut.txt").write_text(whole[: whole.rindex("3.2777") + 4])
    certificate = verify(folder)
    assert reasons(certificate) == {
        "cut.txt": "incomplete: the last validation is at step 125 of 1393"
    }


def test_a_log_cut_before_its_first_validation_holds_no_run_that_counts(build, published_log_text):
    folder = build.published()
    text = published_log_text()
    (folder / "cut.txt").write_text(text[: text.rindex("step:0/")] + "step:1/1393 train_time:1ms\n")
    assert reasons(verify(folder)) == {"cut.txt": "no validation loss"}


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_diverged_run_counts_and_never_certifies(build, published_log_text, findings_of, loss):
    folder = build.published()
    (folder / "99.txt").write_text(published_log_text(val_loss=loss))
    certificate = verify(folder)
    assert certificate.loss.n == 7
    assert certificate.loss.mean is certificate.loss.p_value is None
    assert certificate.runs[-1].counted
    assert certificate.runs[-1].val_loss is None
    assert not certificate.certified
    (finding,) = findings_of(folder)["L003 diverged-run"]
    assert (finding.severity, finding.where) == ("fail", "99.txt")


def test_runs_that_diverge_before_their_second_validation_are_no_copies_of_each_other(
    build, log_text
):
    diverged = {seed: log_text(seed=seed, diverges_at=37) for seed in (2, 5)}
    certificate = verify(build.record(logs=diverged))
    assert [run.seed for run in certificate.counted if run.val_loss is None] == [2, 5]
    assert [run.reason for run in certificate.runs if run.seed in diverged] == [
        "diverged: loss is not a finite number at step 37"
    ] * 2
    assert certificate.loss.n == 8
    assert not certificate.certified


def test_a_copy_of_a_log_is_not_counted_whatever_its_name_and_line_ends(build, published_log_text):
    folder = build.published()
    original = (folder / "03.txt").read_text()
    (folder / "98.stdout").write_text(original[original.index("step:0/") :])
    (folder / "99.txt").write_bytes(original.replace("\n", "\r\n").encode())
    certificate = verify(folder)
    assert reasons(certificate) == {"98.stdout": "a copy of 03.txt", "99.txt": "a copy of 03.txt"}
    assert certificate.loss.n == 6


def output_of(log):
    return log[log.index("step:0/") :]


@pytest.mark.parametrize("name", ["{}.stdout", "{}.a.txt", "0_captured_{}.log"])
def test_of_captured_output_and_its_log_the_log_counts_whatever_the_names(build, name):
    folder = build.published()
    for path in sorted(folder.iterdir()):
        (folder / name.format(path.stem)).write_text(output_of(path.read_text()))
    certificate = verify(folder)
    assert [run.log for run in certificate.counted] == [f"{index:02d}.txt" for index in range(6)]
    assert {run.n_gpus for run in certificate.counted} == {8}
    assert reasons(certificate) == {
        name.format(f"{index:02d}"): f"a copy of {index:02d}.txt" for index in range(6)
    }


def test_a_combined_output_counts_nothing_twice_and_what_stands_there_alone_once(build):
    folder = build.published()
    texts = [output_of(path.read_text()) for path in sorted(folder.iterdir())]
    (folder / "05.txt").unlink()
    (folder / "0_all.txt").write_text("".join(texts))
    certificate = verify(folder)
    assert certificate.loss.n == 6
    assert [(run.log, run.run) for run in certificate.counted] == [
        *((f"{index:02d}.txt", 0) for index in range(5)),
        ("0_all.txt", 5),
    ]


def test_the_last_lines_of_the_logs_gathered_in_a_file_are_no_further_runs(build):
    folder = build.published()
    last = [path.read_text().splitlines()[-1] + "\n" for path in sorted(folder.iterdir())]
    (folder / "final_val_loss.txt").write_text("".join(last))
    certificate = verify(folder)
    assert certificate.loss.n == 6
    assert {run.reason for run in certificate.runs if run.log == "final_val_loss.txt"} == {
        f"a copy of {index:02d}.txt" for index in range(6)
    }


def test_a_copy_under_another_seed_is_not_counted(build, log_text, losses):
    same = {"val_loss": losses[0], "time_ms": 9712}
    folder = build.folder({f"{s}.txt": log_text(seed=s, **same) for s in range(2)})
    assert reasons(verify(folder)) == {"1.txt": "a copy of 0.txt"}


def test_equal_losses_at_other_times_are_no_copies(build):
    assert verify(build.published([3.279, 3.279, 3.278])).loss.n == 3


def test_an_early_stop_of_all_runs_is_counted_and_said(build, findings_of):
    folder = build.published(last_step=1380)
    certificate = verify(folder)
    assert certificate.loss.n == 6
    assert certificate.certified
    (finding,) = findings_of(folder)["P016 early-stop"]
    assert finding.severity == "info"
    assert finding.message == "6 runs end at step 1380 of 1393: taken as meant"
    assert "P016 early-stop" not in findings_of(build.published(name="whole"))


def test_one_run_that_ends_early_is_a_cut_one(build, published_log_text):
    folder = build.folder({"a.txt": published_log_text(last_step=1380)})
    certificate = verify(folder)
    assert reasons(certificate) == {
        "a.txt": "incomplete: the last validation is at step 1380 of 1393"
    }
    assert certificate.loss.n == 0


def test_runs_that_end_early_at_different_steps_do_not_count(build, published_log_text):
    logs = {f"{s}.txt": published_log_text(last_step=s, time_ms=s) for s in (1250, 1375)}
    assert len(reasons(verify(build.folder(logs)))) == 2


def test_a_log_cut_before_an_early_stop_leaves_the_others_counted(build, published_log_text):
    folder = build.published(last_step=1380)
    (folder / "cut.txt").write_text(published_log_text(last_step=500, val_loss=3.5))
    certificate = verify(folder)
    assert certificate.loss.n == 6
    assert reasons(certificate) == {
        "cut.txt": "incomplete: the last validation is at step 500 of 1393"
    }


@pytest.mark.parametrize("steps", [1393, 1500])
def test_an_early_stop_is_that_of_its_kind_whatever_the_baselines_do(build, steps):
    folder = build.published(last_step=1380)
    other = build.published([3.281, 3.282, 3.283], name="other", steps=steps)
    for path in other.iterdir():
        path.rename(folder / f"baseline-{path.name}")
    certificate = verify(folder)
    assert [run.log for run in certificate.counted] == [f"{index:02d}.txt" for index in range(6)]
    assert set(reasons(certificate).values()) == {"of another kind: group B"}


def test_runs_cut_at_one_step_beside_whole_ones_of_their_kind_are_cut(build, published_log_text):
    folder = build.published()
    for index in range(4):
        text = published_log_text(last_step=1380, val_loss=3.27 + index / 1000, time_ms=9 + index)
        (folder / f"cut{index}.txt").write_text(text)
    certificate = verify(folder)
    assert certificate.loss.n == 6
    assert len(reasons(certificate)) == 4


def test_a_run_that_ends_early_does_not_count_where_a_ledger_planned_it_whole(build):
    certificate = verify(build.record(last_step=150))
    assert len(reasons(certificate)) == 8
    assert not certificate.certified


def test_several_runs_in_one_file_count_one_by_one(build, published_log_text):
    texts = [published_log_text(val_loss=3.277 + i / 1000, time_ms=179_000 + i) for i in range(3)]
    outputs = [text[text.index("step:0/") :] for text in texts]
    certificate = verify(build.folder({"all.txt": texts[0] + outputs[1] + outputs[2]}))
    assert [(run.run, run.val_loss) for run in certificate.counted] == [
        (0, 3.277),
        (1, 3.278),
        (2, 3.279),
    ]


def test_the_statistics_are_scipys_on_the_counted_losses(build, published_log_text, small_losses):
    folder = build.published()
    (folder / "cut.txt").write_text(published_log_text(val_loss=1.0, last_step=1000))
    loss = verify(folder).loss
    test = scipy.stats.ttest_1samp(small_losses, 3.28, alternative="less")
    mean, _, std = scipy.stats.bayes_mvs(small_losses)
    assert (loss.n, loss.df) == (6, 5)
    assert [loss.t, loss.p_value] == pytest.approx([test.statistic, test.pvalue], rel=1e-12)
    for estimate, expected in ((loss.bayes_mean, mean), (loss.bayes_std, std)):
        assert [estimate.estimate, estimate.low, estimate.high] == pytest.approx(
            [expected.statistic, *expected.minmax], rel=1e-12
        )
