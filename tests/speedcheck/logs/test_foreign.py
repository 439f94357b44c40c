"""Logs in formats of others, read by a track's own pattern; and patterns that would hang."""

from __future__ import annotations

import contextlib
import json
import math
import resource
import subprocess
import sys

import pytest
import tomli_w
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from speedcheck.logs import ForeignFormat, ForeignParser, LogPattern
from speedcheck.logs.patterns import SECONDS_PER_LINE

# What git takes for a repository.
REPOSITORY = {
    ".git/HEAD": "ref: refs/heads/main\n",
    ".git/objects/.keep": "",
    ".git/refs/.keep": "",
}
GOLF = (
    r"SEED=(?P<seed>\d+)"
    r"|step:(?P<step>\d+)/(?P<total>\d+) val_loss:\S+ val_bpb:(?P<val_loss>\S+)"
    r" train_time:(?P<train_time_ms>\d+)ms"
)
SLOW = r"step:(?P<step>\d+) (?P<val_loss>(?:\d+\.?)+)+$"


def golf_log(seed=1337, val_bpb=1.2064, steps=20_000, time_ms=600_000):
    lines = [f"SEED={seed}", "val_bpb:9.9999 is what the tokenizer gives untrained"]
    for step, bpb in ((0, 4.1), (steps // 2, val_bpb + 0.1), (steps, val_bpb)):
        ms = time_ms * step // steps
        lines.append(
            f"step:{step}/{steps} val_loss:{bpb * 1.7:.4f} val_bpb:{bpb:.4f} train_time:{ms}ms"
        )
    return "\n".join(lines) + "\n"


def parse(text, pattern=GOLF):
    data = text if isinstance(text, bytes) else text.encode()
    return parser_of(pattern)(data, "a.log")


def parser_of(*patterns, **more):
    return ForeignParser(ForeignFormat(tuple(map(LogPattern, patterns)), **more))


@pytest.fixture
def golf(build):
    """Write a project with its own track and three logs, and give the record's folder."""

    def project(bpbs=(1.2064, 1.2061, 1.2059), track=None, **top):
        settings = {"target": 1.2244, "alpha": 0.01, "log_pattern": GOLF} | (track or {})
        config = tomli_w.dumps(top | {"tracks": {"golf": settings}})
        root = build.folder({"speedcheck.toml": config, **REPOSITORY}, name="project")
        logs = {
            f"records/x/{seed}.log": golf_log(seed=seed, val_bpb=bpb, time_ms=600_000 + seed)
            for seed, bpb in enumerate(bpbs, 1337)
        }
        build.folder(logs, name="project")
        return root / "records" / "x"

    return project


def test_a_log_is_read_by_the_named_groups_of_its_track():
    (run,) = parse(golf_log()).runs
    assert [(v.step, v.loss, v.train_time_ms) for v in run.validations] == [
        (0, 4.1, 0.0),
        (10_000, 1.3064, 300_000.0),
        (20_000, 1.2064, 600_000.0),
    ]
    assert (run.seed, run.total_steps, run.last_step, run.complete) == (1337, 20_000, 20_000, True)
    assert (run.format, run.header, run.diverged) == ("foreign", None, False)
    assert run.final.line == 5


def test_a_folder_of_foreign_logs_is_judged_by_its_track(golf, cli):
    folder = golf()
    result = cli("verify", "--json", "--track", "golf", folder)
    assert (result.code, result.err) == (0, "")
    certificate = json.loads(result.out)
    assert certificate["track"] == "golf"
    assert [run["val_loss"] for run in certificate["runs"]] == [1.2064, 1.2061, 1.2059]
    assert [run["seed"] for run in certificate["runs"]] == [1337, 1338, 1339]
    assert certificate["runtime"]["mean_s"] == pytest.approx(601.338)


def test_the_same_logs_are_nats_to_the_built_in_tracks(golf, cli):
    (run, *_) = json.loads(cli("verify", "--json", "--track", "gpt2-small", golf()).out)["runs"]
    assert run["val_loss"] == pytest.approx(1.2064 * 1.7, abs=1e-4)
    assert run["seed"] is None


def test_the_plan_or_the_default_track_chooses_the_pattern_too(golf, cli, build):
    by_default = golf(default_track="golf")
    assert json.loads(cli("verify", "--json", by_default).out)["track"] == "golf"
    by_plan = golf()
    (by_plan / "record.toml").write_text('track = "golf"')
    certificate = json.loads(cli("verify", "--json", by_plan).out)
    assert (certificate["track"], certificate["loss"]["n"]) == ("golf", 3)


def test_a_format_without_our_step_lines_is_found_below_a_folder(golf, cli, build):
    folder = golf(
        default_track="golf", track={"log_pattern": r"it (?P<step>\d+) bpb (?P<val_loss>\S+)"}
    )
    for index, log in enumerate(sorted(folder.iterdir())):
        log.write_text(f"it 5 bpb 1.9\nit 10 bpb 1.20{index}\n")
    result = cli("verify", "--json", folder.parent)
    assert [run["val_loss"] for run in json.loads(result.out)["runs"]] == [1.2, 1.201, 1.202]
    assert [run["total_steps"] for run in json.loads(result.out)["runs"]] == [None] * 3


def test_repeated_seeds_of_foreign_logs_are_found(golf, findings_of):
    folder = golf()
    (folder / "again.log").write_text(golf_log(seed=1337, val_bpb=1.2055))
    (finding,) = findings_of(folder, track="golf")["P006 repeated-seed"]
    assert "2 counted runs have seed 1337" in finding.message


def test_several_runs_in_one_file_keep_their_own_seeds():
    runs = parse(golf_log(1, 1.21) + golf_log(2, 1.22) + golf_log(3, 1.23)).runs
    assert [(run.seed, run.val_loss, run.index) for run in runs] == [
        (1, 1.21, 0),
        (2, 1.22, 1),
        (3, 1.23, 2),
    ]


def test_step_total_and_seed_may_stand_on_lines_of_their_own():
    pattern = (
        r"seed (?P<seed>\d+)|epochs: (?P<total>\d+)|epoch (?P<step>\d+)"
        r"|accuracy (?P<val_loss>\S+)(?: after (?P<train_time_s>\S+) s)?"
    )
    text = "seed 7\nepochs: 2\nepoch 1\naccuracy 0.5\nepoch 2\naccuracy 0.9 after 12.5 s\nepoch 3\n"
    (run,) = parse(text, pattern).runs
    assert [(v.step, v.total_steps, v.loss, v.train_time_ms) for v in run.validations] == [
        (1, 2, 0.5, None),
        (2, 2, 0.9, 12_500.0),
    ]
    assert (run.seed, run.last_step) == (7, 3)


BARE = r"SEED=(?P<seed>\d+)|val_bpb:(?P<val_loss>\S+)"


def test_validations_without_a_step_are_counted_and_another_seed_is_another_run():
    text = (
        "SEED=1337\nval_bpb:1.4\nval_bpb:1.2064 final\n"
        "SEED=1338\nval_bpb:1.4\nval_bpb:1.2064 final\nval_bpb:1.2064 final\n"
    )
    runs = parse(text, BARE).runs
    assert [(run.seed, [(v.step, v.loss) for v in run.validations]) for run in runs] == [
        (1337, [(1, 1.4), (2, 1.2064)]),
        (1338, [(1, 1.4), (2, 1.2064), (3, 1.2064)]),
    ]
    assert [run.complete for run in runs] == [None, None]
    assert [run.first_step for run in runs] == [None, None]
    (run,) = parse("SEED=7 val_bpb:1.5 a\nSEED=7 val_bpb:1.4 b\n", BARE.replace("|", " ")).runs
    assert (run.seed, run.val_loss, run.step_repeats) == (7, 1.4, 0)


def test_a_folder_of_logs_that_hold_a_measure_and_a_seed_alone_is_judged(golf, cli):
    folder = golf(default_track="golf", track={"log_pattern": BARE})
    for index, log in enumerate(sorted(folder.iterdir())):
        log.write_text(f"SEED={index}\nval_bpb:1.206{index}\n")
    certificate = json.loads(cli("verify", "--json", folder).out)
    assert [run["val_loss"] for run in certificate["runs"]] == [1.206, 1.2061, 1.2062]
    assert [run["seed"] for run in certificate["runs"]] == [0, 1, 2]
    assert certificate["certified"]


def test_a_track_of_steps_needs_logs_that_tell_them(golf, cli):
    folder = golf(default_track="golf", track={"log_pattern": BARE, "cost": "steps"})
    result = cli("verify", folder)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert 'cost is "steps", which no log tells; let log_pattern give the step' in result.err


def test_a_log_that_goes_on_behind_its_last_validation_is_incomplete():
    cut = golf_log().replace("step:20000/20000", "step:15000/20000")
    (run,) = parse(cut).runs
    assert (run.complete, run.final_step, run.total_steps) == (False, 15_000, 20_000)


@pytest.mark.parametrize(
    ("printed", "loss"),
    [("-1.5", -1.5), (".5", 0.5), ("+2e-3", 0.002), ("nan", math.nan), ("inf", math.inf)],
)
def test_a_measure_may_be_any_number(printed, loss):
    (run,) = parse(golf_log().replace("val_bpb:1.2064", f"val_bpb:{printed}")).runs
    assert run.val_loss == pytest.approx(loss, nan_ok=True)
    assert run.diverged == (not math.isfinite(loss))


@pytest.mark.parametrize("printed", ["1e400", "1_000", "٣", "0x1p3", "1,2", "--1", "9" * 500])
def test_what_is_no_number_is_said_with_its_line(printed):
    log = parse(golf_log().replace("val_bpb:1.2064", f"val_bpb:{printed}"))
    assert log.runs[0].final_step == 10_000
    assert [problem.line for problem in log.problems] == [5]
    assert "val_loss of this line is not a number" in log.problems[0].message


def test_a_figure_at_the_very_end_of_a_file_may_have_lost_digits():
    pattern = r"step:(?P<step>\d+) bpb:(?P<val_loss>\S+)"
    whole, cut = "step:1 bpb:1.5\nstep:2 bpb:1.25\n", "step:1 bpb:1.5\nstep:2 bpb:1.2"
    assert parse(whole, pattern).runs[0].val_loss == 1.25
    log = parse(cut, pattern)
    assert log.runs[0].val_loss == 1.5
    assert "the file ends within this line" in log.problems[0].message
    assert parse(golf_log().rstrip("\n")).runs[0].val_loss == 1.2064


def test_lines_of_an_embedded_program_are_not_data():
    separator = "=" * 100 + "\n"
    program = 'import os\n"""\nSEED=99\n' + golf_log(val_bpb=0.5) + '"""\n'
    text = program + separator + "Running Python 3.12\n" + separator + golf_log(seed=3)
    (run,) = parse(text).runs
    assert (run.val_loss, run.seed) == (1.2064, 3)


def test_hardware_is_read_from_foreign_logs_as_from_others():
    text = "Running PyTorch 2.9.0 compiled for CUDA 12.6 on NVIDIA H100 with world_size 8\n"
    (run,) = parse(text + golf_log()).runs
    assert (run.environment.gpu, run.environment.n_gpus) == ("NVIDIA H100", 8)
    assert run.environment.torch == "2.9.0"


def test_files_without_a_matching_line_say_so():
    log = parse("nothing here\n")
    assert log.runs == ()
    assert [p.message for p in log.problems] == [
        "no line gives a validation by the track's log_pattern"
    ]
    assert "NUL byte" in parse(b"step:1/2\0").problems[0].message


@settings(max_examples=examples(300))
@given(
    lines=st.lists(
        st.one_of(
            st.text(max_size=30),
            st.builds(
                "step:{}/{} val_loss:1 val_bpb:{} train_time:{}ms".format,
                st.integers(-5, 10**14),
                st.integers(0, 10**14),
                st.one_of(st.floats(), st.text(max_size=5)),
                st.integers(0, 10**30),
            ),
            st.builds("SEED={}".format, st.integers(-(10**25), 10**25)),
        )
    ),
    end=st.sampled_from(["", "\n", "\r\n", "\0"]),
)
def test_any_text_gives_runs_or_a_problem_and_only_numbers_that_a_table_holds(lines, end):
    log = parse("\n".join(lines).encode("utf-8", "surrogatepass") + end.encode())
    assert log.runs or log.problems
    for run in log.runs:
        assert run.seed is None or abs(run.seed) < 2**63
        assert 0 <= run.final_step < 2**63
        assert run.train_time_ms is None or math.isfinite(run.train_time_ms)


@pytest.mark.slow
def test_a_pattern_that_backtracks_without_end_is_stopped_and_said():
    hostile = "step:1 " + "1" * 5000 + "x\n"
    parser = parser_of(SLOW)
    logs = [parser(hostile.encode(), f"{i}.log") for i in range(200)]
    assert all(log.runs == () for log in logs)
    assert f"takes over {SECONDS_PER_LINE:g} s here: file not read" in logs[0].problems[0].message
    assert logs[0].problems[0].line == 1
    assert "was too slow for other files" in logs[-1].problems[0].message


def test_a_slow_pattern_is_a_finding_in_the_report_and_no_hang(golf, cli, findings_of):
    folder = golf(track={"log_pattern": SLOW}, default_track="golf")
    (folder / "1337.log").write_text("step:1 1.2\nstep:2 1.1\n")
    (folder / "1338.log").write_text("step:1 " + "1" * 5000 + "x\n")
    messages = [f.message for f in findings_of(folder)["P011 not-a-run"]]
    assert any("the track's log_pattern takes over" in message for message in messages)
    assert cli("verify", folder).code == 1


def test_the_memory_of_a_search_is_bounded():
    # Nested captures keep every step of the way back; longer lines are not searched at all.
    code = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from speedcheck.logs import ForeignFormat, ForeignParser, LogPattern
pattern = ForeignFormat((LogPattern(r"(?P<step>(((((((((a))))))))))*(?P<val_loss>b)"),))
for n in (60_000, 10_000_000):
    print(ForeignParser(pattern)(b"a" * n + b"!b" + b"\\n", "a.log").runs)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "()\n()\n"), done.stderr


def golf_log_of_seed(seed):
    return golf_log(seed, val_bpb=1.2 + seed / 10_000)


def test_a_file_of_many_runs_gives_them_all():
    assert len(parse("".join(map(golf_log_of_seed, range(200)))).runs) == 200


BAD_PATTERNS = [
    ("(?P<step>[0-9]+", "is not a regular expression of Python (missing )"),
    (r"(?P<step>\d+)", "has no group (?P<val_loss>...)"),
    (
        r"(?P<val_loss>\d+) of (?P<total>\d+)",
        "has a group 'total' and no group (?P<step>...) to reach it",
    ),
    (r"(?P<step>.)(?P<val_loss>.)(?P<loss>.)", "has a group 'loss'; the groups are step, val_loss"),
    (
        r"(?P<step>.)(?P<val_loss>.)(?P<train_time_s>.)(?P<train_time_ms>.)",
        "has both train_time_ms and train_time_s",
    ),
    (
        r"(?P<step>.)(?P<val_loss>(?R))",
        "is not a regular expression of Python (unknown extension ?R",
    ),
    (r"(?P<step>.)(?P<val_loss>\p{L})", "is not a regular expression of Python (bad escape"),
    (r"(?P<step>((a{1000}){1000}){1000})(?P<val_loss>.)", "counted repeats of more than 10000"),
    (r"(?P<step>.)(?P<val_loss>a{99999999999999999999})", "is not a regular expression of Python"),
    ("(" * 5000 + ")" * 5000, "has 10000 characters, more than 4000"),
    ("(" * 1900 + ")" * 1900, "is nested too deeply"),
    ("[[a]--b](?P<step>.)(?P<val_loss>.)", "is not a regular expression of Python"),
]


@pytest.mark.parametrize(("pattern", "complaint"), BAD_PATTERNS)
def test_a_bad_pattern_is_one_line_with_file_and_key(golf, cli, pattern, complaint):
    folder = golf(track={"log_pattern": pattern})
    result = cli("verify", "--track", "golf", folder)
    assert (result.code, result.out) == (2, "")
    where = f"{folder.parents[1] / 'speedcheck.toml'} [tracks.golf]: log_pattern "
    assert result.err.startswith(f"speedcheck: error: {where}")
    assert complaint in result.err
    assert result.err.count("\n") == 1


@settings(max_examples=examples(400))
@given(
    text=st.text(
        st.sampled_from(r"(?P<step>.)(val_loss)|*+{}[]^$\dw0123,:=!-aA" + "\n"), max_size=60
    )
)
def test_any_text_is_a_pattern_or_a_reason(text):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(ValueError):
        assert LogPattern("(?P<step>a)(?P<val_loss>b)" + text).compiled()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_verifying_without_a_pattern_does_not_import_the_engine(build):
    code = (
        "import sys; from speedcheck.cli import main\n"
        f"main(['verify', {str(build.record())!r}])\n"
        "sys.exit('regex' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
