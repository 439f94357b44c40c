"""Every format of log that exists in the wild, by a short log of each."""

from __future__ import annotations

import hashlib
import math
from textwrap import dedent

import pytest

from speedcheck.errors import InputError
from speedcheck.logs import Environment, parse_log, parse_step_line, program_text, read_log

LINE = "=" * 100 + "\n"
PROGRAM = 'import os\nprint(f"step:{step}/{steps} val_loss:{loss}")\n'
SMI = dedent("""\
    Fri Jan 17 08:30:35 2025
    | NVIDIA-SMI 550.127.05      Driver Version: 550.127.05     CUDA Version: 12.6     |
    |   0  NVIDIA H100 80GB HBM3          On  |   00000000:61:00.0 Off |                    0 |
    | N/A   37C    P0            121W /  700W |    5859MiB /  81559MiB |      3%      Default |
    |   1  NVIDIA H100 80GB HBM3          Off |   00000000:62:00.0 Off |                    0 |
    """)


def one_run(text: str):
    log = parse_log(text.encode(), "a.txt")
    assert len(log.runs) == 1, log
    return log.runs[0]


def losses(text: str) -> list[float | None]:
    return [run.val_loss for run in parse_log(text.encode(), "a.txt").runs]


def test_a_run_log_gives_its_losses_times_environment_and_memory():
    run = one_run(
        PROGRAM
        + LINE
        + "Running Python 3.12.7 (main, Jan 17 2025, 03:57:17) [GCC 13.2.0]\n"
        + "Running PyTorch 2.7.0.dev20250110+cu126 compiled for CUDA 12.6\n"
        + "Running Triton version 3.4.0\n"
        + SMI
        + LINE
        + "step:0/1393 val_loss:10.8258 train_time:0ms step_avg:nanms\n"
        + "step:1/1393 train_time:17608ms step_avg:nanms\n"
        + "step:11/1393 train_time:124ms step_avg:nanms\n"
        + "step:125/1393 val_loss:4.4043 train_time:14281ms step_avg:124.19ms\n"
        + "step:1393/1393 val_loss:3.2785 train_time:179527ms step_avg:129.81ms\n"
        + "peak memory allocated: 37653 MiB reserved: 39236 MiB\n"
    )
    assert (run.format, run.val_loss, run.train_time_ms) == ("modded", 3.2785, 179527.0)
    assert (run.final_step, run.total_steps, run.last_step) == (1393, 1393, 1393)
    assert run.complete is True
    assert [validation.step for validation in run.validations] == [0, 125, 1393]
    assert [validation.line for validation in run.validations] == [13, 16, 17]
    assert run.validations[0].step_avg_ms is None
    assert run.peak_memory_mib == 37653
    assert run.environment == Environment(
        python="3.12.7",
        torch="2.7.0.dev20250110+cu126",
        cuda="12.6",
        triton="3.4.0",
        gpu="NVIDIA H100 80GB HBM3",
        gpu_names=("NVIDIA H100 80GB HBM3",) * 2,
        n_gpus=2,
        driver="550.127.05",
    )


@pytest.mark.parametrize("extra_part", ["", "Training DataLoader: 18 files\n" + LINE])
def test_an_autumn_2024_log_begins_with_a_separator_and_has_three_or_four(extra_part):
    run = one_run(
        LINE
        + PROGRAM
        + LINE
        + "Running pytorch 2.4.1+cu121 compiled for CUDA 12.1\nnvidia-smi:\n"
        + LINE
        + extra_part
        + "step:5100/5100 train_loss:3.2686 train_time:910545ms step_avg:178.89ms\n"
        + "step:5100/5100 val_loss:3.2741 train_time:910546ms step_avg:178.89ms\n"
    )
    assert (run.val_loss, run.environment.torch, run.complete) == (3.2741, "2.4.1+cu121", True)
    assert run.source_sha256 == hashlib.sha256(PROGRAM.encode()).hexdigest()


def test_a_log_of_early_autumn_2024_has_no_environment():
    run = one_run(LINE + PROGRAM + LINE + "step:6200/6200 val_loss:3.2766 train_time:1ms\n")
    assert (run.val_loss, run.environment) == (3.2766, Environment())
    assert run.source_sha256 == hashlib.sha256(PROGRAM.encode()).hexdigest()


def test_llmc_has_no_plan_no_time_and_so_no_answer_whether_it_is_complete():
    run = one_run("s:0 tel:11.0092\ns:0 trl:11.0091 lr:0.000001\ns:128 tel:6.5\ns:129 trl:6.4\n")
    assert (run.format, run.val_loss, run.final_step, run.last_step) == ("llmc", 6.5, 128, 129)
    assert (run.total_steps, run.complete, run.train_time_ms) == (None, None, None)


def test_lines_between_the_last_separator_and_the_steps_are_passed_over():
    run = one_run(
        PROGRAM
        + LINE
        + "Running PyTorch 2.10.0+cu128 compiled for CUDA 12.8\n"
        + LINE
        + "Compiling model and warming up kernels (~7 minutes on first execution)\n"
        + "Sampling steps [0, 1, 481] for warmup\n"
        + "step:1490/1490 val_loss:3.2784 train_time:87098ms step_avg:58.46ms\n"
    )
    assert (run.val_loss, run.train_time_ms) == (3.2784, 87098.0)


@pytest.mark.parametrize(
    ("line", "gpu", "n_gpus"),
    [
        ("Running on device_name=NVIDIA L40S with world_size=8", "NVIDIA L40S", 8),
        ("Running on NVIDIA H100 with world_size 8", "NVIDIA H100", 8),
        (
            "Running PyTorch 2.10.0+cu129 compiled on NVIDIA H100 80GB HBM3 with world_size 4",
            "NVIDIA H100 80GB HBM3",
            4,
        ),
        ("Running PyTorch 2.10.0+cu129 compiled for CUDA 12.9", None, None),
    ],
)
def test_the_device_is_read_from_the_line_that_states_the_world_size(line, gpu, n_gpus):
    run = one_run(PROGRAM + LINE + line + "\n" + LINE + "step:9/9 val_loss:3.27712 train_time:1s\n")
    assert (run.environment.gpu, run.environment.n_gpus) == (gpu, n_gpus)


def test_the_world_size_counts_the_gpus_that_trained_and_the_table_names_them():
    world = "Running on device_name=H100 with world_size=1\n"
    run = one_run("Running PyTorch 2.7.0\n" + SMI + world + "step:9/9 val_loss:3.2 train_time:1s\n")
    assert (run.environment.n_gpus, len(run.environment.gpu_names)) == (1, 2)


def test_a_table_of_gpus_that_is_printed_again_lists_no_further_ones():
    steps = "step:9/9 val_loss:3.2 train_time:1s\n"
    again = SMI.replace("121W", "690W").replace("3%", "99%")
    environments = [one_run("Running PyTorch 2.7.0\n" + smi + steps) for smi in (SMI, SMI + again)]
    assert [run.environment.n_gpus for run in environments] == [2, 2]


def test_seconds_become_exactly_as_many_milliseconds_as_are_printed():
    run = one_run("step:3040/3040 val_loss:3.27569 train_time:1081.882s step_avg:355.88ms\n")
    assert (run.train_time_ms, run.final.step_avg_ms) == (1081882.0, 355.88)


def test_fields_of_a_records_own_are_kept_as_they_are_printed():
    run = one_run(
        "step:2860/2900 val_loss:3.27837 val_avg_loss:3.3 val_ema_loss:3.4 train_time:2145.235s "
        "step_avg:750.08ms ema_beta:0 ref_gamma:-0.075 handoff:keep\n"
    )
    assert (run.val_loss, run.train_time_ms, run.complete) == (3.27837, 2145235.0, False)
    assert run.final.extra == {
        "val_avg_loss": "3.3",
        "val_ema_loss": "3.4",
        "ema_beta": "0",
        "ref_gamma": "-0.075",
        "handoff": "keep",
    }


def test_runs_one_after_another_are_told_apart_though_they_begin_with_the_same_line():
    first = "step:0/200 val_loss:10.82584 train_time:0.000s step_avg:nanms\n"
    run = (
        first
        + "step:100/200 val_loss:{0}5 train_time:1s\nstep:200/200 val_loss:{0} train_time:2s\n"
    )
    log = parse_log("".join(run.format(loss) for loss in (3.1, 3.2, 3.3)).encode(), "a.txt")
    assert [run.val_loss for run in log.runs] == [3.1, 3.2, 3.3]
    assert [run.index for run in log.runs] == [0, 1, 2]
    assert [len(run.validations) for run in log.runs] == [3, 3, 3]
    assert not log.problems


def test_last_lines_printed_again_are_no_further_run():
    def batch(loss: float) -> str:
        steps = [
            f"step:{step}/30 val_loss:{loss + 1 / step:.5f} train_time:{step}.5s\n"
            for step in (10, 20, 30)
        ]
        return "".join([*steps, "seed done\n", *steps[1:], "next\n"])

    log = parse_log("".join(map(batch, (3.1, 3.2, 3.3))).encode(), "batch.txt")
    assert [run.final_step for run in log.runs] == [30, 30, 30]
    assert [len(run.validations) for run in log.runs] == [3, 3, 3]
    assert [run.step_repeats for run in log.runs] == [2, 2, 2]
    assert not log.problems


def validations(*steps: int, of: int = 30, by: float = 0.0) -> str:
    return "".join(f"step:{s}/{of} val_loss:{9 - s / 10 + by} train_time:{s}ms\n" for s in steps)


@pytest.mark.parametrize(
    "text",
    [
        validations(10, 10, 20, 20, 30, 30),
        validations(10, 20, 10, 20, 30),
        validations(10, 20, 30, 20, 30),
        validations(0, 10, 20, 10, 20, 30),
    ],
)
def test_lines_printed_again_within_a_run_do_not_split_it(text):
    run = one_run(text)
    assert (run.final_step, run.complete, run.val_loss) == (30, True, 6.0)
    assert len(run.validations) + run.step_repeats == text.count("\n")


def test_a_crashed_run_begun_anew_is_a_run_of_its_own():
    log = parse_log(
        (validations(0, 10, 20) + validations(0) + validations(10, 30, by=1)).encode(), "a"
    )
    assert [[line.step for line in run.validations] for run in log.runs] == [
        [0, 10, 20],
        [0, 10, 30],
    ]


def test_a_run_resumed_from_a_checkpoint_is_one_run_and_that_is_said():
    log = parse_log((validations(0, 10, 20, 10) + validations(15, 30, by=1)).encode(), "a")
    assert [run.complete for run in log.runs] == [True]
    assert [problem.message for problem in log.problems] == ["steps run backwards: 15 after 20"]


def test_a_run_with_another_plan_is_another_run_though_its_steps_go_on():
    log = parse_log((validations(0, 10, of=20) + validations(20, 40, of=40)).encode(), "a")
    assert [(run.total_steps, run.final_step) for run in log.runs] == [(20, 10), (40, 40)]


def test_the_last_step_of_a_run_is_not_that_of_the_next_ones_training():
    training = "step:{}/30 train_loss:4.0 train_time:9ms\n"
    first = validations(10, 20) + validations(10, 20) + training.format(22)
    second = training.format(1) + training.format(9) + validations(10, 30, by=1)
    log = parse_log((first + second).encode(), "a.txt")
    assert [run.last_step for run in log.runs] == [22, 30]


def test_runs_with_one_validation_line_each_are_told_apart():
    text = "step:3000/3000 val_loss:3.1 train_time:1s\nstep:3000/3000 val_loss:3.2 train_time:1s\n"
    assert losses(text) == [3.1, 3.2]


def test_a_run_that_stopped_early_ends_where_the_next_begins():
    run = "step:125/2900 val_loss:{0}1 train_time:1s\nstep:2860/2900 val_loss:{0} train_time:9s\n"
    log = parse_log((run.format(3.1) + run.format(3.2)).encode(), "a.txt")
    assert [(run.val_loss, run.complete) for run in log.runs] == [(3.1, False), (3.2, False)]


def test_every_run_of_a_captured_output_may_name_its_own_device():
    run = "Running on {} with world_size {}\nstep:9/9 val_loss:3.{} train_time:1s\n"
    other = "step:9/9 val_loss:3.9 train_time:1s\n"
    log = parse_log((run.format("A", 8, 1) + run.format("B", 4, 2) + other).encode(), "a.txt")
    found = [(run.environment.gpu, run.environment.n_gpus) for run in log.runs]
    assert found == [("A", 8), ("B", 4), ("B", 4)]


def test_a_clock_that_restarts_is_the_same_run_and_nothing_is_added():
    run = one_run(
        "step:0/20 val_loss:10.8 train_time:0ms\nstep:5/20 val_loss:9.8 train_time:17608ms\n"
        "step:11/20 val_loss:8.8 train_time:124ms\nstep:20/20 val_loss:7.8 train_time:999ms\n"
    )
    assert (run.train_time_ms, len(run.validations)) == (999.0, 4)


def test_a_log_that_reaches_its_last_step_without_validating_it_is_incomplete():
    run = one_run(
        "step:1500/1555 val_loss:3.2950 train_time:91701ms step_avg:61.13ms\n"
        "step:1555/1555 train_time:96483ms step_avg:62.05ms\n"
    )
    assert (run.complete, run.final_step, run.last_step) == (False, 1500, 1555)


def test_a_log_without_a_validation_is_a_run_without_a_loss():
    run = one_run("step:1/300 train_loss:5.7 train_time:31ms\nstep:2/300 train_loss:5.6\n")
    assert (run.val_loss, run.last_step, run.total_steps, run.complete) == (None, 2, 300, False)


@pytest.mark.parametrize("loss", ["nan", "inf", "-inf"])
def test_a_loss_that_is_no_finite_number_ends_a_run_and_is_kept(loss):
    by_training = one_run(
        "step:0/300 val_loss:5.8 train_time:0ms\n"
        f"step:37/300 train_loss:{loss} train_time:1199ms step_avg:32.41ms\n"
        'stopped: "loss is not a finite number at step 37"\n'
    )
    assert (by_training.diverged, by_training.last_step, by_training.complete) == (True, 37, False)
    assert by_training.stopped == "loss is not a finite number at step 37"
    by_validation = one_run(f"step:300/300 val_loss:{loss} train_time:9ms\n")
    assert by_validation.diverged
    assert by_validation.val_loss is not None
    assert not math.isfinite(by_validation.val_loss)


def test_one_step_line_is_read_for_the_live_display():
    line = parse_step_line("step:12/300 train_loss:5.25 train_time:1.5s step_avg:125.00ms")
    assert line is not None
    assert (line.step, line.total, line.val_loss, line.train_loss) == (12, 300, None, 5.25)
    assert line.train_time_ms == 1500.0


@pytest.mark.parametrize("line", ["", "step:", "step:{step}/{steps} val_loss:3.2", "step:12/3"])
def test_what_is_no_whole_step_line_is_none(line):
    assert parse_step_line(line) is None


def test_a_log_is_named_by_its_path_below_the_folder(tmp_path):
    path = tmp_path / "this pr" / "a log.txt"
    path.parent.mkdir()
    path.write_text(PROGRAM + LINE + "step:9/9 val_loss:3.2 train_time:1s\n", encoding="utf-8")
    log = read_log(path, tmp_path)
    assert log.name == log.runs[0].log == "this pr/a log.txt"
    assert log.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert program_text(path.read_bytes(), log.runs[0]) == PROGRAM


def test_a_missing_file_and_a_folder_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="does not exist; name one that does"):
        read_log(tmp_path / "none.txt", tmp_path)
    with pytest.raises(InputError, match="not a regular file"):
        read_log(tmp_path, tmp_path)
