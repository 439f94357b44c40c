"""What is shown while runs train."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from speedcheck.logs import parse_log, parse_step_line
from speedcheck.run.campaign.follow import LogFollower
from speedcheck.run.progress.live_display import LiveDisplay, open_display
from speedcheck.run.progress.outlook import Pace
from speedcheck.run.progress.plain_display import Tally


@pytest.fixture
def run_of(make_log_text):
    def build(seed: int, loss: str):
        return parse_log(make_log_text(seed, loss).encode(), f"seed-{seed:03d}.txt").runs[0]

    return build


def test_the_tally_has_mean_and_sd_and_no_p_value_to_stop_by(run_of):
    tally = Tally(8, 1.62)
    losses = [1.51, 1.55, 1.53]
    for seed, loss in enumerate(losses):
        tally.add(run_of(seed, f"{loss:.6f}"))
    assert tally.line() == "3/8 runs: mean 1.5300, sd 0.0200 (target 1.62)"


def test_the_tally_before_any_run_has_no_figures():
    assert Tally(8, 1.62).line() == "0/8 runs: mean -, sd - (target 1.62)"


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, highlight=False)


def shown(display: LiveDisplay) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    console.print(display)
    return console.file.getvalue()


def test_a_bar_shows_step_and_loss_of_each_run_under_way():
    display = LiveDisplay(terminal(), Tally(4, 1.62), Pace(4), runs=4, steps=300)
    display.started(0, Path("seed-000.txt"))
    display.started(1, Path("seed-001.txt"))
    display.progressed(
        1, parse_step_line("step:150/300 train_loss:2.5 train_time:9ms step_avg:1ms")
    )
    screen = shown(display)
    assert "150/300 loss 2.5000" in screen
    assert "seed   0" in screen
    assert "0/4 runs ended" in screen
    assert all(len(line) <= 80 for line in screen.splitlines())


def test_a_finished_run_leaves_its_result_and_takes_its_bar_away(run_of):
    console = terminal()
    display = LiveDisplay(console, Tally(4, 1.62), Pace(4), runs=4, steps=4)
    display.started(0, Path("seed-000.txt"))
    display.finished(0, run_of(0, "1.510000"))
    assert "seed 0: finished, val_loss 1.5100" in console.file.getvalue()
    screen = shown(display)
    assert "seed   0" not in screen
    assert "1/4 runs ended" in screen


def test_text_of_a_failed_run_cannot_steer_the_terminal():
    console = Console(file=io.StringIO(), width=80)
    with open_display(console, runs=1, steps=4, target=1.62) as display:
        display.failed(0, "exit status 1: [red]boom", "\x1b[2J[bold]bye[/bold]")
    text = console.file.getvalue()
    assert "\x1b" not in text
    assert "[red]boom" in text
    assert "\\x1b[2J[bold]bye[/bold]" in text


def test_a_follower_reads_each_complete_step_line_once(tmp_path, make_log_text):
    log = tmp_path / "seed-000.txt"
    follower = LogFollower(log)
    assert follower.newest() is None
    text = make_log_text(0, "1.5")
    cut = text.index("step:2/") + 5
    log.write_text(text[:cut])
    assert follower.newest().step == 1
    assert follower.newest() is None
    log.write_text(text)
    newest = follower.newest()
    assert (newest.step, newest.val_loss) == (4, 1.5)


def test_a_follower_takes_nothing_from_the_program_part(tmp_path):
    log = tmp_path / "seed-000.txt"
    log.write_text("step:9/9 val_loss:0.1 train_time:1ms step_avg:1ms\n" + "=" * 100 + "\n")
    assert LogFollower(log).newest() is None


def test_plain_lines_tell_the_time_left_and_the_difference_to_finished_runs(
    tmp_path, make_log_text, run_of
):
    console = Console(file=io.StringIO(), width=80)
    log = tmp_path / "seed-000.txt"
    log.write_text(make_log_text(0, "1.5"))
    with open_display(console, runs=3, steps=4, target=1.62, logs=tmp_path) as display:
        display.started(0, log)
        display.started(1, tmp_path / "seed-001.txt")
        display.finished(0, run_of(0, "1.500000"))
        line = "step:4/4 val_loss:1.600000 train_time:48ms step_avg:12.00ms"
        display.progressed(1, parse_step_line(line))
    text = console.file.getvalue()
    assert "seed 1: step 4/4 val_loss 1.6000 (+0.1000 against 1 finished), 12.0 ms a step" in text
    assert "1/3 runs: mean 1.5000, sd - (target 1.62), about 0 s left" in text


@pytest.mark.parametrize("evidence", [None, lambda: "E = 3"])
def test_plain_lines_of_runs_in_turn_tell_the_time_left_until_the_last(tmp_path, run_of, evidence):
    console = Console(file=io.StringIO(), width=80)
    with open_display(console, runs=2, steps=4, target=1.62, evidence=evidence) as display:
        for seed in range(2):
            display.started(seed, tmp_path / f"seed-{seed:03d}.txt")
            display.finished(seed, run_of(seed, "1.500000"))
    first, last = [line for line in console.file.getvalue().splitlines() if " runs: " in line]
    # A campaign that may stop at any run does not know how much is left.
    assert (", about 0 s left" in first) == (evidence is None)
    assert "left" not in last


def test_a_failure_with_one_last_line_is_printed_once():
    console = Console(file=io.StringIO(), width=80)
    with open_display(console, runs=1, steps=4, target=1.62) as display:
        full = "trainer: seed-000.txt: the log cannot be written (No space left on device)"
        display.started(0, Path("seed-000.txt"))
        display.failed(0, f"exit status 2: {full}", full)
    assert console.file.getvalue().count("No space left") == 1


def test_runs_of_an_earlier_session_are_compared_with_too(tmp_path, make_log_text, run_of):
    console = Console(file=io.StringIO(), width=80)
    (tmp_path / "seed-000.txt").write_text(make_log_text(0, "1.5"))
    with open_display(console, runs=2, steps=4, target=1.62, logs=tmp_path) as display:
        display.kept({0: run_of(0, "1.500000")})
        display.started(1, tmp_path / "seed-001.txt")
        display.progressed(1, parse_step_line("step:4/4 val_loss:1.4 train_time:48ms"))
    assert "val_loss 1.4000 (-0.1000 against 1 finished)" in console.file.getvalue()
