"""Tracks that ship as data read the logs that their competitions print."""

from __future__ import annotations

import json

import pytest

from speedcheck.rules.config import Tracks, read_config
from speedcheck.rules.track_table import preset_names

GOLF = """\
{seed_line}
train_loader:dataset:fineweb10B_sp1024 train_shards:80
val_loader:shards pattern=./data/datasets/fineweb10B_sp1024/fineweb_val_*.bin tokens:62021632
warmup_step:1/20
step:0/20000 val_loss:6.9357 val_bpb:4.1077 train_time:0ms step_avg:0.01ms
step:1/20000 train_loss:6.9370 train_time:36ms step_avg:35.98ms
step:1000/20000 val_loss:2.2075 val_bpb:1.3074 train_time:60012ms step_avg:60.01ms
{middle}
step:13600/20000 train_loss:2.0800 train_time:592000ms step_avg:43.53ms
{last}
stopping_early: wallclock_cap train_time:600038ms step:13780/20000
peak memory allocated: 10184 MiB reserved: 10200 MiB
Serialized model: 67224983 bytes
Total submission size: 67272620 bytes
Total submission size int8+zlib: 15863489 bytes
{final}
"""
EXACT = "final_int8_zlib_roundtrip_exact val_loss:2.07102 val_bpb:1.22657370"
STEP = "step:13780/20000 val_loss:2.0606 val_bpb:1.2172 train_time:600038ms step_avg:43.54ms"


def golf(seed_line="seed:1337", middle="", last=STEP, final="", **_):
    return GOLF.format(seed_line=seed_line, middle=middle, last=last, final=final)


def read(name, text):
    return Tracks()[name].parser()(text.encode(), "train.log")


@pytest.mark.parametrize("seed_line", ["seed:1337", "seed: 1337", "SEED=1337", "SEED=1337 run x"])
@pytest.mark.parametrize(
    "last",
    [
        STEP,
        STEP.replace("step:", "step "),
        "13780/20000 val_loss: 2.0606 val_bpb: 1.2172 train_time: 600038ms",
    ],
)
@pytest.mark.parametrize(
    ("final", "bpb"),
    [
        (
            "final_int8_zlib_roundtrip val_loss:2.0710 val_bpb:1.2266 eval_time:1401ms\n" + EXACT,
            1.2265737,
        ),
        (
            EXACT + "\nfinal_int6_sliding_window_exact val_loss:1.98 val_bpb:1.17514321",
            1.17514321,
        ),
        (
            "DIAGNOSTIC post_ema val_loss:2 val_bpb:1.3\nlegal_ttt_exact val_loss:1 val_bpb:1.1189",
            1.1189,
        ),
        ("quantized_ttt_phased val_loss:1.8 val_bpb:1.0611 eval_time:412000ms", 1.0611),
    ],
)
def test_parameter_golf_reads_its_logs_in_every_spelling(seed_line, last, final, bpb):
    log = read("parameter-golf", golf(seed_line=seed_line, last=last, final=final))
    (run,) = log.runs
    assert log.problems == ()
    assert (run.seed, run.val_loss, run.complete) == (1337, bpb, True)
    assert (run.final_step, run.total_steps, run.first_step) == (13_780, 20_000, 0)
    assert [v.loss for v in run.validations] == [4.1077, 1.3074, 1.2172]
    assert (run.train_time_ms, run.last_time_ms, run.step_time_ms) == (600_038, 600_038, 8038)
    assert (run.printed_val_tokens, run.printed_train_shards) == (62_021_632, 80)
    assert run.artifact_bytes == 15_863_489
    assert Tracks()["parameter-golf"].reached_end(run) is True


def test_a_parameter_golf_log_that_was_cut_before_its_evaluation_is_incomplete():
    (run,) = read("parameter-golf", golf()).runs
    assert run.complete is False
    assert Tracks()["parameter-golf"].reached_end(run) is False


def test_parameter_golf_reads_a_line_of_a_budgeted_step_and_three_seeds_certify(build, cli):
    logs = {
        f"r/train_seed{seed}.log": golf(
            seed_line=f"seed:{seed}",
            middle=f"5449/20000 val_loss: 2.1 val_bpb: 1.2{seed} train_time: {240_000 + seed}ms",
            final=f"final_int8_zlib_roundtrip_exact val_loss:2.07 val_bpb:1.20{seed}",
        )
        for seed in (1337, 1338, 1340)
    }
    folder = build.folder(logs, name="golf") / "r"
    result = cli("verify", "--json", "--track", "parameter-golf", folder)
    certificate = json.loads(result.out)
    assert (result.code, result.err, certificate["certified"]) == (0, "", True)
    assert [run["val_loss"] for run in certificate["runs"]] == [1.201337, 1.201338, 1.20134]


AIRBENCH = """\
--------------------------------------------------------------------------------------------
|   run   |  epoch  |  train_acc  |  val_acc  |  tta_val_acc  |  time_seconds  |
--------------------------------------------------------------------------------------------
|  warmup  |      0  |     0.1000  |   0.1000  |               |        9.0000  |
|  warmup  |   eval  |     0.1000  |   0.1000  |       0.1000  |        9.1000  |
|       0  |      0  |     0.4310  |   0.4500  |               |        0.3000  |
|       0  |      7  |     0.9432  |   0.9283  |               |        2.4851  |
|       0  |   eval  |     0.9432  |   0.9283  |       0.9405  |        2.5913  |
--------------------------------------------------------------------------------------------
|       1  |      0  |     0.4410  |   0.4600  |               |        0.3000  |
|       1  |   eval  |     0.9422  |   0.9273  |       0.9399  |        2.5914  |
"""


def test_airbench_counts_the_numbered_runs_of_the_table():
    log = read("airbench", AIRBENCH)
    assert [(run.val_loss, run.train_time_ms, run.complete) for run in log.runs] == [
        (0.9405, 2591.3, True),
        (0.9399, 2591.4, True),
    ]
    assert log.problems == ()


def test_nanochat_reads_the_table_of_a_series_and_the_output_of_a_run():
    table = (
        "depth,model_dim,num_params,num_iterations,val_bpb,core_score,train_time_sec\n"
        "10,640,90000000,3000,0.95,0.11,600\n12,768,140000000,4000,0.9,0.13,1200.5\n"
    )
    assert [(r.final_step, r.val_loss, r.train_time_ms) for r in read("nanochat", table).runs] == [
        (3000, 0.95, 600_000.0),
        (4000, 0.9, 1_200_500.0),
    ]
    output = (
        "Step 00000 | Validation bpb: 3.2\n"
        "step 00001/21400 (0.00%) | loss: 9.1 | dt: 520.11ms | total time: 0.00m\n"
        "step 21399/21400 (99.99%) | loss: 2.7 | dt: 520.11ms | total time: 185.30m\n"
        "Step 21400 | Validation bpb: 0.8105\nTotal training time: 185.31m\n"
    )
    (run,) = read("nanochat", output).runs
    assert (run.val_loss, run.final_step, run.complete) == (0.8105, 21_400, True)
    assert run.last_time_ms == pytest.approx(185.31 * 60_000)


def mllog(time_ms, key, value, **metadata):
    entry = {
        "namespace": "",
        "time_ms": time_ms,
        "event_type": "POINT_IN_TIME",
        "key": key,
        "value": value,
        "metadata": {"file": "train.py", "lineno": 1, **metadata},
    }
    return f":::MLLOG {json.dumps(entry)}\n"


def test_mlperf_reads_a_run_from_its_start_to_its_stop():
    text = (
        mllog(900, "seed", 4242)
        + mllog(1000, "run_start", None)
        + mllog(5000, "eval_accuracy", 0.5, epoch_num=4)
        + "0: "
        + mllog(9000, "eval_accuracy", 0.7595, epoch_num=8)
        + mllog(9500, "run_stop", None, status="success")
    )
    (run,) = read("mlperf", text).runs
    assert (run.seed, run.val_loss, run.final_step) == (4242, 0.7595, 8)
    assert (run.train_time_ms, run.complete) == (8500.0, True)
    (run,) = read("mlperf", text.replace("success", "aborted")).runs
    assert run.complete is False


def test_llm_c_reads_its_log_and_its_standard_output():
    log = "s:0 tel:11.0091\ns:0 trl:11.0\ns:250 tel:6.45\ns:250 eval:0.25\ns:300 trl:6.1\n"
    (run,) = read("llm.c", log).runs
    assert (run.val_loss, run.final_step, run.last_step) == (6.45, 250, 300)
    output = (
        "val loss 11.0\nstep    1/18865 | loss 11.0 (+nanz)| norm 15 | 437.00 ms | 15.1% MFU\n"
        "step  250/18865 | loss 6.4 (+0.1z)| norm 1 | 437 ms\nval loss 6.45\n"
    )
    assert read("llm.c", output).runs[0].val_loss == 6.45


def test_every_preset_is_a_track_by_its_name(build, cli):
    for name in preset_names():
        track = Tracks()[name]
        assert (track.name, name in Tracks()) == (name, True)
        assert cli("verify", "--track", name, build.published(name="p" + name)).code in {1, 2}


def test_a_project_takes_a_preset_and_changes_what_it_gives(build):
    text = (
        '[tracks.june]\npreset = "parameter-golf"\ntarget = 1.1\n[tracks.airbench]\ntarget = 0.9\n'
    )
    tracks = read_config(build.folder({"my.toml": text}, name="own") / "my.toml").tracks
    preset = Tracks()["parameter-golf"]
    assert (tracks["june"].target, tracks["june"].log_format) == (1.1, preset.log_format)
    assert tracks["june"].budget_train_ms == 600_000.0
    assert (tracks["airbench"].target, tracks["airbench"].log_format) == (0.9, None)
