"""Several patterns a track: figures of one line from many, final lines, warm-ups, fingerprints."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.logs import Expression, ForeignFormat, ForeignParser, LogPattern
from speedcheck.rules.config import Tracks, read_config

PAGE = Path(__file__).parents[3] / "docs" / "tracks.md"

STEPS = (
    r"^step:(?P<step>\d+)/(?P<total>\d+)",
    r"val_bpb:(?P<val_loss>\S+)",
    r"time:(?P<train_time_min>\S+)m\b",
    r"^seed=(?P<seed>\d+)",
    r"^eval (?P<eval_time_s>\S+) s",
    r"^size (?P<artifact_bytes>\S+)",
)
FINAL = r"^(?P<final>final\w*) "


def read(text, *patterns, **more):
    log_format = ForeignFormat(tuple(map(LogPattern, patterns)), **more)
    return ForeignParser(log_format)(text.encode(), "a.log")


def run_of(text, *patterns, **more):
    (run,) = read(text, *patterns, **more).runs
    return run


def test_plot_data_of_one_line_may_come_from_several_patterns():
    run = run_of("seed=7\nstep:3/9 val_bpb:1.5 time:2.5m\n", *STEPS)
    (validation,) = run.validations
    assert (run.seed, validation.step, validation.total_steps) == (7, 3, 9)
    assert (validation.loss, validation.train_time_ms) == (1.5, 150_000.0)


def test_where_two_patterns_give_one_figure_the_first_counts():
    patterns = (r"bpb:(?P<val_loss>\S+)", r"loss:(?P<val_loss>\S+)")
    text = "loss:2.5 bpb:1.5\n"
    assert run_of(text, *patterns).val_loss == 1.5
    assert run_of(text, *reversed(patterns)).val_loss == 2.5


@pytest.mark.parametrize(("unit", "ms"), [("ms", 1.5), ("s", 1500.0), ("min", 90_000.0)])
def test_times_are_read_in_their_unit(unit, ms):
    run = run_of(
        "bpb:1.2 t:1.5 e:1.5\n",
        rf"bpb:(?P<val_loss>\S+) t:(?P<train_time_{unit}>\S+) e:(?P<eval_time_{unit}>\S+)",
    )
    assert (run.train_time_ms, run.eval_time_ms) == (ms, ms)


def test_the_last_final_line_decides_and_takes_the_time_at_the_end_of_the_training():
    text = (
        "seed=7\nstep:0/90 val_bpb:4 time:0m\nstep:50/90 val_bpb:1.3 time:9m\n"
        "step:60/90 time:10m\nsize 900\nfinal_int8 val_bpb:1.25\neval 3 s\nfinal_ttt val_bpb:1.2\n"
    )
    run = run_of(text, *STEPS, FINAL)
    assert (run.val_loss, run.final_step, run.train_time_ms) == (1.2, 60, 600_000.0)
    assert [v.loss for v in run.validations] == [4.0, 1.3]
    assert (run.complete, run.ended, run.last_step) == (True, True, 60)
    assert (run.artifact_bytes, run.eval_time_ms) == (900, 3000.0)
    assert (run.last_time_ms, run.step_time_ms) == (600_000.0, 60_000.0)


def test_a_run_without_the_line_that_decides_is_incomplete_at_whatever_step():
    text = "step:90/90 val_bpb:1.3 time:9m\n"
    assert run_of(text, *STEPS).complete is True
    run = run_of(text, *STEPS, FINAL)
    assert (run.complete, run.ended, run.val_loss) == (False, False, 1.3)


def test_logs_of_final_lines_alone_are_runs():
    text = "seed=1\nfinal_a val_bpb:1.4\nfinal_b val_bpb:1.3\nseed=2\nsize 5\nfinal_b val_bpb:1.2\n"
    runs = read(text, *STEPS, FINAL).runs
    assert [(run.seed, run.val_loss, run.complete) for run in runs] == [
        (1, 1.3, True),
        (2, 1.2, True),
    ]
    assert [run.artifact_bytes for run in runs] == [None, 5]


def test_a_final_line_without_the_measure_ends_a_run_at_its_last_validation():
    patterns = (*STEPS, r"^(?P<final>done)")
    text = (
        "step:0/9 val_bpb:4\nstep:5/9 val_bpb:1.3\ndone\nstep:0/9 val_bpb:4.1\nstep:5/9 val_bpb:2\n"
    )
    first, second = read(text, *patterns).runs
    assert (first.val_loss, first.complete) == (1.3, True)
    assert (second.val_loss, second.complete) == (2.0, False)


def test_each_run_of_a_file_has_its_own_final_line():
    one = "step:0/9 val_bpb:4\nstep:9/9 val_bpb:{}\nfinal val_bpb:{}\n"
    runs = read("".join(one.format(x, x - 1) for x in (2.5, 3.5, 4.5)), *STEPS, FINAL).runs
    assert [run.val_loss for run in runs] == [1.5, 2.5, 3.5]
    assert [run.final_step for run in runs] == [9, 9, 9]


def test_start_and_stop_give_the_time_of_a_run():
    patterns = (
        r"acc (?P<val_loss>\S+)",
        r"(?P<started_ms>\d+) run_start",
        r"(?P<stopped_ms>\d+) run_stop",
    )
    text = "1000 run_start\nacc 0.5\nacc 0.8\n4500 run_stop\n"
    run = run_of(text, *patterns)
    assert (run.train_time_ms, run.val_loss) == (3500.0, 0.8)
    assert run_of(text.replace("4500", "900"), *patterns).train_time_ms is None
    assert run_of("acc 0.5\n4500 run_stop\n", *patterns).train_time_ms is None


def test_another_run_name_begins_another_run_and_the_same_one_does_not():
    patterns = (r"^\| *(?P<run>\d+) \| *(?P<step>\d+) \| (?P<val_loss>\S+) \|",)
    text = "|  0 | 1 | 0.5 |\n|  0 | 2 | 0.9 |\n|  1 | 3 | 0.91 |\n"
    assert [(run.index, run.val_loss) for run in read(text, *patterns).runs] == [
        (0, 0.9),
        (1, 0.91),
    ]


def test_lines_around_the_measured_ones_are_skipped_but_for_what_holds_for_the_run():
    text = (
        "seed=7\nval_tokens: 64\nstep:0/9 val_bpb:5 time:1m\nwarm-up done\n"
        "step:0/9 val_bpb:4 time:0m\nstep:9/9 val_bpb:1.5 time:9m\nstop\n"
        "step:10/9 val_bpb:0.1 time:99m\n"
    )
    skips = {"skip_before": Expression("^warm-up done"), "skip_after": Expression("^stop")}
    run = run_of(text, *STEPS, **skips)
    assert [v.loss for v in run.validations] == [4.0, 1.5]
    assert (run.seed, run.printed_val_tokens, run.last_time_ms) == (7, 64, 540_000.0)
    whole = read(text, *STEPS, skip_before=Expression("no such line"))
    assert [run.validations[0].loss for run in whole.runs] == [5.0, 4.0]


def test_only_the_first_mark_ends_the_warm_up_so_that_no_run_hides_before_a_second_one():
    text = "mark\nstep:0/9 val_bpb:4\nstep:9/9 val_bpb:3.9\n"
    text += text.replace("3.9", "1")
    runs = read(text, *STEPS, skip_before=Expression("^mark")).runs
    assert [run.val_loss for run in runs] == [3.9, 1.0]


@pytest.mark.parametrize(
    ("line", "tokens", "shards"),
    [
        ("val_tokens: 36562944", 36_562_944, None),
        ("val_tokens=1_024", 1024, None),
        ("train_loader:dataset:fineweb train_shards:80", None, 80),
        ("Hyperparameters(val_tokens=64, train_shards=2)", 64, 2),
        ("my_val_tokens: 5", None, None),
        ("val_tokens: 5.5", None, None),
        ("val_tokens: 64 * 1024", 64, None),
        ('config: {"val_tokens": 5}', None, None),
    ],
)
def test_fingerprints_are_read_without_a_pattern(line, tokens, shards):
    for text in (f"{line}\nval_bpb:1.1\n", f"val_bpb:1.2\n{line}\nval_bpb:1.1\n"):
        run = run_of(text, r"val_bpb:(?P<val_loss>\S+)")
        assert (run.printed_val_tokens, run.printed_train_shards) == (tokens, shards)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"val_bpb:(?P<val_loss>\S+)", ("val_bpb", "bpb")),
        (r"val_bpb\s*[:=]\s*(?P<val_loss>\S+)", ("val_bpb", "bpb")),
        (r'"val_acc": ?(?P<val_loss>\d+)', ("val_acc", "acc")),
        (r"Validation bpb: (?P<val_loss>\S+)", ("bpb",)),
        (r"loss (?:is )?(?P<val_loss>\S+)", ("is",)),
        (r"(?P<val_loss>\d+)", ()),
        (r"val_bpb:(?P<step>\d+)", ()),
    ],
)
def test_the_measure_is_the_word_before_it(pattern, names):
    assert LogPattern(pattern).measure == names


def test_digits_and_signs_of_other_scripts_hide_no_validation():
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code) != "."}
    last = "step:9/9 val_bpb:1.5".replace("val", "v\u200bal").translate(wide)
    text = "seed=7".translate(wide) + f"\nstep:0/9 val_bpb:4\n{last}\n"
    run = run_of(text, *STEPS)
    assert (run.seed, run.final_step, run.val_loss) == (7, 9, 1.5)


def test_a_pattern_may_hold_letters_of_its_own_script():
    assert run_of("\u635f\u5931\uff1a1.5\n", "\u635f\u5931\uff1a(?P<val_loss>\\S+)").val_loss == 1.5


def test_utf_16_is_read_and_nul_bytes_leave_unread_validations():
    text = "seed=7\nstep:0/9 val_bpb:4\nstep:9/9 val_bpb:1.5\n"
    parser = ForeignParser(ForeignFormat(tuple(map(LogPattern, STEPS))))
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        assert [run.val_loss for run in parser(text.encode(encoding), "a.log").runs] == [1.5]
    log = parser(text.replace("bpb", "b\0pb").encode(), "a.log")
    assert log.runs == ()
    assert [(u.line, u.step, u.loss) for u in log.unread] == [(2, 0, 4.0), (3, 9, 1.5)]
    assert [problem.kind for problem in log.problems] == ["not_text"]


@given(
    st.lists(
        st.sampled_from(
            [
                "seed=1",
                "seed=2",
                "step:5/9",
                "final x",
                "val_bpb:1 final",
                "val_bpb:2",
                "step:3/9 val_bpb:3 time:1m",
                "final val_bpb:4",
                "size 3",
                "val_tokens: 4",
                "mark",
                "val_bpb:x",
                "time:9m",
                "eval 1 s",
            ]
        ),
        max_size=40,
    )
)
def test_no_measure_is_lost(lines):
    """Every number that a line gives is a validation, a result, a repeat, or said."""
    for patterns in (STEPS, (*STEPS, FINAL), (STEPS[1], STEPS[3], FINAL)):
        log = read("".join(f"{line}\n" for line in lines), *patterns)
        has_final, has_steps = FINAL in patterns, STEPS[0] in patterns
        printed = [n for n, line in enumerate(lines, 1) if re.search("val_bpb:[0-9]", line)]
        known = {v.line for run in log.runs for v in (*run.validations, run.result) if v}
        known |= {problem.line for problem in log.problems}
        repeats = sum(run.step_repeats for run in log.runs)
        finals = [n for n in printed if has_final and lines[n - 1].startswith("final")]
        missing = [n for n in printed if n not in known and n not in finals]
        assert len(missing) == repeats or (has_steps and len(missing) <= repeats)
        if finals:
            assert any(run.ended for run in log.runs)


def example():
    """The configuration that the page shows, and the log below it."""
    text = PAGE.read_text()
    (config,) = [
        b for b in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "default_track" in b
    ]
    (log,) = [b for b in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE) if "seed: 1337" in b]
    return config, "".join(line[4:] for line in log.splitlines(keepends=True))


@pytest.fixture
def page_project(build):
    config, log = example()
    files = {"speedcheck.toml": config, ".git/HEAD": "ref: refs/heads/main\n"}
    files |= {".git/objects/.keep": "", ".git/refs/.keep": ""}
    for seed, result in ((1337, "1.20436570"), (1338, "1.20412345"), (1339, "1.20498765")):
        text = log.replace("seed: 1337", f"SEED={seed}").replace("1.20436570", result)
        for measure in ("1.2064", "1.2031", "1.2022"):
            text = text.replace(f"val_bpb: {measure} ", f"val_bpb: {measure}{seed % 10} ")
        files[f"records/x/train_seed{seed}.log"] = text
    return build.folder(files, name="page") / "records" / "x"


def test_the_patterns_of_the_page_certify_what_it_shows(page_project, cli):
    result = cli("verify", "--json", page_project)
    certificate = json.loads(result.out)
    assert (result.code, certificate["certified"], certificate["track"]) == (0, True, "golf")
    assert [run["val_loss"] for run in certificate["runs"]] == [1.2043657, 1.20412345, 1.20498765]
    assert [run["seed"] for run in certificate["runs"]] == [1337, 1338, 1339]
    assert [run["train_time_ms"] for run in certificate["runs"]] == [600_038.0] * 3


def test_the_page_says_what_its_log_is():
    config, log = example()
    patterns = tomllib.loads(config)["tracks"]["golf"]["log_patterns"]
    run = run_of(log, *patterns)
    assert (run.seed, run.val_loss, run.train_time_ms) == (1337, 1.2043657, 600_038.0)
    assert (run.complete, run.printed_val_tokens, run.artifact_bytes) == (True, 62021632, 15863489)
    said = "one complete run of seed 1337 with the measure 1.20436570 at 600.038 s"
    assert said in " ".join(PAGE.read_text().split())


def test_the_page_names_every_preset_and_its_target():
    rows = re.findall(
        r"^\| `([\w.-]+)` \|.*\| `(\w+)` \| [<>] (\S+) \|$", PAGE.read_text(), re.MULTILINE
    )
    tracks = Tracks()
    presets = {name for name in tracks if tracks[name].source.endswith(f"presets/{name}.toml")}
    assert {name for name, *_ in rows} == presets
    for name, measure, target in rows:
        assert (tracks[name].measure[0], tracks[name].target) == (measure, float(target))


BAD = [
    ({"log_patterns": []}, "log_patterns is empty"),
    ({"log_patterns": "a"}, "log_patterns is 'a'; it must be a list of regular expressions"),
    ({"log_patterns": [r"(?P<seed>\d)"]}, "log_patterns has no group (?P<val_loss>...)"),
    ({"log_patterns": ["(?P<val_loss>.)", "x"]}, "log_patterns has no named group"),
    ({"log_patterns": ["(?P<val_loss>.)"] * 17}, "log_patterns has 17 patterns, more than 16"),
    (
        {"log_pattern": "(?P<val_loss>.)", "log_patterns": ["a"]},
        "both log_pattern and log_patterns",
    ),
    ({"skip_before": "x"}, "log_pattern is missing"),
    ({"log_pattern": "(?P<val_loss>.)", "skip_after": "("}, "skip_after is not a regular"),
    ({"budget": {"train_h": 1}}, "'train_h' is not a key of this table"),
    ({"budget": {"train_s": 1, "train_min": 1}}, "has both train_s and train_min"),
    ({"limits": {"eval_s": 0}}, "eval_s is 0; it must be a number above 0"),
    ({"measure": []}, "measure is []; it must be a word or a list of words"),
    ({"columns": {"step": "a"}}, "has no val_loss"),
    ({"columns": {"val_loss": "a", "los": "b"}}, "has a key 'los'"),
    ({"columns": {"val_loss": 3}}, "val_loss is 3; it must be the name of a column"),
    ({"preset": "golf"}, "preset is 'golf'; it must be one of airbench, "),
    ({"train_shards": 1.5}, "train_shards is 1.5; it must be a whole number"),
]


@pytest.mark.parametrize(("table", "complaint"), BAD)
def test_a_wrong_key_of_a_track_is_one_line(build, cli, table, complaint):
    import tomli_w

    text = tomli_w.dumps({"tracks": {"own": {"target": 3.0, **table}}})
    path = build.folder({"my.toml": text}, name="config") / "my.toml"
    result = cli("verify", "--config", path, "--track", "own", build.published())
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert complaint in result.err


def test_the_gates_table_is_kept_for_the_gate(build):
    path = build.folder({"my.toml": '[gate]\ntrack = "tiny"\n'}, name="config") / "my.toml"
    table = read_config(path).gate_table
    assert table is not None
    assert table.get("track", str, "a name") == "tiny"
