"""`speedcheck parse` tells what each line of a log was taken for."""

from __future__ import annotations

import os

import pytest

CONFIG = r"""
default_track = "golf"
[tracks.golf]
target = 1.2
skip_before = '^go$'
log_patterns = [
    '''^seed=(?P<seed>\d+)''',
    '''^step:(?P<step>\d+)/(?P<total>\d+)''',
    '''bpb:(?P<val_loss>\S+)''',
    '''^(?P<final>final)''',
]
"""
LOG = (
    "seed=7\nstep:0/9 bpb:9\ngo\nstep:0/9 bpb:4\nstep:9/9 bpb:1.5\nstep:9/9 bpb:x\n"
    "final bpb:1.4\nfinal bpb:1.3\nbpb=0.5 is the best\n"
)


@pytest.fixture
def parse(build, cli, monkeypatch):
    def run(log=LOG, *words, config=CONFIG):
        folder = build.folder({"speedcheck.toml": config, "record/a.log": log}, name="project")
        monkeypatch.chdir(folder)
        return cli("parse", "record/a.log", *words)

    return run


def test_each_line_that_was_taken_is_printed_with_its_pattern_and_what_came_of_it(parse):
    result = parse()
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    for line in (
        "line 1, pattern 1: seed=7",
        "line 4, pattern 2, 3: val_loss=4 step=0 total=9 -> validation of run 1 at step 0, seed 7",
        "line 7, pattern 3, 4: final=final val_loss=1.4 -> a later final line decides",
        "line 8, pattern 3, 4: final=final val_loss=1.3 -> result of run 1 at step 9, seed 7",
        "run 1: seed 7, 1.3 at step 9 of 9, complete",
    ):
        assert line in lines
    assert any("line 2" in line and "skipped: outside of skip_before" in line for line in lines)
    assert any(
        "line 6" in line and "not read: val_loss of this line is no" in line for line in lines
    )
    assert "line 9, not taken, looks like a result: bpb=0.5 is the best" in lines


def test_a_built_in_format_is_told_too(parse):
    log = "step:0/9 val_loss:4.1 train_time:0ms\nstep:9/9 val_loss:3.1 train_time:5ms\n"
    result = parse(log + "[rank0]: step:9/9 val_loss:2.1\n", "--track", "gpt2-small")
    assert result.code == 0
    assert "step:9/9 val_loss:3.1 train_time:5ms -> validation of run 1 at step 9" in result.out
    assert "line 3, not taken: [rank0]: step:9/9 val_loss:2.1" in result.out
    assert "run 1: seed unknown, 3.1 at step 9 of 9, 0.005 s, complete" in result.out


def test_a_log_without_a_run_exits_with_1_and_an_unusable_one_with_2(parse, cli, build):
    result = parse("bpb 1.2 and nothing else\n")
    assert (result.code, result.out.splitlines()[-1]) == (1, "no run was found")
    assert parse(LOG, "--track", "none").code == 2
    assert cli("parse", build.path / "no.log").code == 2
    assert cli("parse", build.path).code == 2
    os.mkfifo(build.path / "pipe")
    assert cli("parse", build.path / "pipe").code == 2


def test_hostile_text_is_escaped_and_obeyed_by_nobody(parse):
    log = (
        "step:0/9 bpb:1.2\x1b[2J\nbpb:2\x1b]0;x\x07\n::set-output name=a::b bpb=3\n##[error]bpb=4\n"
    )
    result = parse(log)
    assert "\x1b" not in result.out
    assert "\x07" not in result.out
    assert not any(line.lstrip().startswith("::") for line in result.out.splitlines())
    assert "##[" not in result.out


def test_a_track_of_columns_tells_its_rows(parse):
    config = 'default_track = "t"\n[tracks.t]\ntarget = 1\n[tracks.t.columns]\nval_loss = "l"\n'
    result = parse("l,s\n4,1\n3,2\n", config=config)
    assert "line 3, columns or data: val_loss=3 -> validation of run 1 at step 2" in result.out
    assert result.code == 0
