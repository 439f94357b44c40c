"""Copies are found where chance does not explain them, and nowhere else."""

from __future__ import annotations

import dataclasses
import random

import pytest

from speedcheck.logs import parse_log
from speedcheck.sample.duplicates import exact_copies, near_copies


def make(seed, *, validations=14, loss=3.28, spread=0.0018, decimals=4, ms=130.0, seeded=None):
    """A run as the speedrun's logs print them: its losses vary by seed, its steps by a little."""
    rng = random.Random(seed)
    clock, rows = 0.0, [] if seeded is None else [f"seed:{seeded}"]
    for index in range(validations):
        step = index * 125
        value = 10.8258 if index == 0 else loss + 6 / index + rng.gauss(0, spread)
        rows.append(
            f"step:{step}/{(validations - 1) * 125} val_loss:{value:.{decimals}f} "
            f"train_time:{clock:.0f}ms"
        )
        clock += 125 * ms + rng.gauss(0, 20)
    return rows


def run(rows):
    (found,) = parse_log(("\n".join(rows) + "\n").encode(), "log.txt").runs
    return found


def edited(rows, keep, rng):
    """Change the losses and times of all but the first validations."""
    changed = []
    for index, row in enumerate(rows):
        step, loss, time = row.split()
        if index > keep:
            loss = f"val_loss:{float(loss[9:]) + rng.uniform(-0.01, -0.002):.4f}"
        changed.append(f"{step} {loss} train_time:{int(time[11:-2]) + rng.randint(1, 90)}ms")
    return changed


def test_honest_runs_are_never_near_copies():
    for batch in range(20):
        runs = [run(make(batch * 100 + seed)) for seed in range(40)]
        assert near_copies(runs, range(40)) == []


@pytest.mark.parametrize("keep", [5, 8, 12])
def test_a_copy_with_other_times_and_a_better_end_is_found(keep):
    rng = random.Random(keep)
    runs = [run(make(seed)) for seed in range(8)]
    runs.append(run(edited(make(3), keep, rng)))
    assert [(copy.first, copy.second) for copy in near_copies(runs, range(9))] == [(3, 8)]


@pytest.mark.parametrize("decimals", [3, 6])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_copy_with_fewer_digits_or_more_is_found(decimals, is_first):
    runs = [run(make(seed)) for seed in range(8)]
    copy = run(edited(make(3, decimals=decimals), 12, random.Random(1)))
    rounded = [dataclasses.replace(v, loss=round(v.loss, decimals)) for v in copy.validations[:-1]]
    copy = dataclasses.replace(copy, validations=(*rounded, copy.validations[-1]))
    runs = [copy, *runs] if is_first else [*runs, copy]
    expected = (0, 4) if is_first else (3, 8)
    assert [(copy.first, copy.second) for copy in near_copies(runs, range(9))] == [expected]


def test_honest_runs_of_different_digits_are_not_near_copies():
    for batch in range(20):
        runs = [run(make(batch * 100 + seed, decimals=3 + seed % 3)) for seed in range(12)]
        assert near_copies(runs, range(12)) == []


def test_three_equal_losses_of_three_are_enough():
    runs = [run(make(seed, validations=5)) for seed in range(4)]
    runs.append(run(edited(make(2, validations=5), 3, random.Random(1))))
    assert [(copy.first, copy.second) for copy in near_copies(runs, range(5))] == [(2, 4)]


def test_times_shifted_by_one_constant_are_found_whatever_the_losses_are():
    rows = make(1, validations=40)
    shifted = []
    for row in make(2, validations=40):
        step, loss, _ = row.split()
        time = next(r.split()[2] for r in rows if r.startswith(step + " "))
        shifted.append(f"{step} {loss} train_time:{int(time[11:-2]) + 17}ms")
    runs = [run(rows), run(shifted), run(make(3, validations=40))]
    (copy,) = near_copies(runs, range(3))
    assert (copy.first, copy.second) == (0, 1)
    assert "step times" in copy.evidence


def test_honest_step_times_share_constants_and_are_not_near_copies():
    def times(seed):
        rng, clock, result = random.Random(seed), 0.0, {}
        for step in range(1, 1394):
            clock += 129.7 + rng.gauss(0, 0.6)
            result[step] = float(round(clock))
        return result

    runs = [run(make(seed)) for seed in range(6)]
    assert near_copies(runs, range(6), {index: times(index) for index in range(6)}) == []


def test_a_log_under_two_names_and_a_part_of_it_are_exact_copies():
    rows = make(1)
    runs = [run(rows), run(rows), run(rows[5:]), run(make(2))]
    assert exact_copies(runs, range(4)) == {1: 0, 2: 0}


def test_a_log_cut_before_its_end_is_not_a_copy_of_another_run():
    runs = [run(make(1)), run(make(2)[:6])]
    assert exact_copies(runs, range(2)) == {}
    assert near_copies(runs, range(2)) == []


def test_one_seed_run_by_two_programs_with_equal_losses_is_not_a_near_copy():
    def timed(ms, noise):
        rng = random.Random(noise)
        rows = make(1, validations=14)
        return run(
            [
                f"{' '.join(r.split()[:2])} train_time:{int(i * ms + rng.gauss(0, 30))}ms"
                for i, r in enumerate(rows)
            ]
        )

    first, second = timed(16000, 1), timed(14000, 2)
    assert near_copies([first, second], range(2)), "without a seed it looks edited"
    seeded = [dataclasses.replace(r, printed_seed=4) for r in (first, second)]
    assert near_copies(seeded, range(2)) == []


def one_line(rng):
    return [
        f"step:200/200 val_loss:{rng.gauss(0.94, 0.0013):.4f} train_time:{rng.gauss(2590, 3):.1f}ms"
    ]


def test_single_lines_that_agree_by_chance_are_runs_of_their_own():
    rng = random.Random(7)
    rows = [one_line(rng) for _ in range(200)]
    runs = [run(row) for row in rows]
    assert len({row[0] for row in rows}) < 200
    assert exact_copies(runs, range(200)) == {}


@pytest.mark.parametrize("honest", [2, 5, 200])
def test_copied_single_lines_are_copies(honest):
    rng = random.Random(7)
    rows = [one_line(rng) for _ in range(honest)]
    rows += [rows[0]] * 30 if honest > 100 else [rows[0]]
    assert honest in exact_copies([run(row) for row in rows], range(len(rows)))
