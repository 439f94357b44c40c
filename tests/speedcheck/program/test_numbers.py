"""The number of validation tokens that a program sets, computed without running it."""

from __future__ import annotations

import pytest

from speedcheck.program import read_program

EXPECTED = 10_485_760


def values(text: str) -> list[tuple[int | None, int]]:
    program = read_program(text)
    assert program.problem == ""
    return [(count.value, count.line) for count in program.val_tokens]


@pytest.mark.parametrize(
    "text",
    [
        "val_tokens = 10485760",
        "val_tokens = 10_485_760",
        "val_tokens: int = 10 * 1024 * 1024 # how many",
        "val_tokens = 10 * 2**20",
        "val_tokens = 10 << 20",
        "val_tokens = int(10.48576e6)",
        "val_tokens = 20971520 // 2",
        "val_tokens = 20971520 / 2",
        "val_tokens = 0xA00000",
        "VAL_TOKENS = 10485761 - 1",
        "val_seq_len = 4*64*1024; val_tokens = val_seq_len * 40",
        "class Hyperparameters:\n val_seq_len: int = 262144\n val_tokens: int = val_seq_len * 40",
        "class A:\n val_seq_len = 262144\nargs = A()\nargs.val_tokens = args.val_seq_len * 40",
        "args = Args(val_tokens=10485760)",
        "def evaluate(model, *, val_tokens=10485760): pass",
        "def evaluate(model, val_tokens=10485760, steps=3): pass",
        "config = {'val_tokens': 10485760, 'steps': 3}",
        "parser.add_argument('--val-tokens', type=int, default=10485760)",
        "(val_tokens := 10485760)",
        "val_tokens = 10485760\nevaluate(model, val_tokens=val_tokens, n=int(args.val_tokens))",
    ],
)
def test_the_number_is_computed_from_constants(text):
    assert [value for value, _ in values(text)] == [EXPECTED]


@pytest.mark.parametrize(
    "text",
    [
        "val_tokens = tokens_of(shard)",
        "val_tokens = 10 * world_size",
        "n = 3\nn = 4\nval_tokens = n",
        "for n in range(3): val_tokens = n",
        "val_tokens = 10 ** 10 ** 10",
        "val_tokens = 1 << 10 ** 9",
        "val_tokens = 9 ** 63 ** 3",
        "val_tokens = 2 ** -1",
        "val_tokens = 10 // 0",
        "val_tokens = 10 % 0",
        "val_tokens = 10 / 0",
        "val_tokens = 0.5",
        "val_tokens = 1e400",
        "val_tokens = True",
        "val_tokens = 'many'",
        "val_tokens = " + "9" * 4000,
        "val_tokens = a\na = val_tokens * 2",
        "val_tokens = 1" + " + 1" * 100,
    ],
)
def test_what_is_no_constant_is_unknown_and_not_computed(text):
    found = [value for value, _ in values(text)]
    assert found
    assert set(found) == {None}


def test_a_number_that_is_changed_later_is_no_constant():
    assert values("val_tokens = 10485760\nval_tokens //= 10") == [(EXPECTED, 1), (None, 2)]


def test_every_place_is_listed_with_its_line():
    text = "small = 5\nval_tokens = 10485760\nif debug:\n    val_tokens = 2 * small\n"
    assert values(text) == [(EXPECTED, 2), (10, 4)]


def test_a_program_without_the_name_says_nothing():
    assert values("val_steps = 20\ntokens = 10485760\n# val_tokens = 3\n") == []


def test_names_that_double_each_other_cost_no_more_than_a_few_steps():
    doubling = "\n".join(f"x{i + 1} = x{i} + x{i}" for i in range(2_000))
    text = f"x0 = 1\n{doubling}\nval_tokens = x2000\nval_tokens = x5\n"
    assert [value for value, _ in values(text)] == [None, 32]
