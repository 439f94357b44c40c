"""How two programs differ, and what their data loaders are told apart by."""

from __future__ import annotations

import ast

import pytest

from speedcheck.program import (
    Difference,
    UnreadableProgramError,
    code_digest,
    compare,
    data_loader_fingerprint,
    differences,
    digests,
    loader_definitions,
    read_program,
)

PROGRAM = '''\
"""Train a small model."""
import os
import torch
from torch import nn

LR = 0.0022

class Net(nn.Module):
    """A net."""

    def __init__(self, width=768):
        super().__init__()
        self.width = width  # features

    def forward(self, x):
        y = torch.relu(x) * self.width
        return y if y is not None else -1

def train(net, steps):
    run_id = "3b22a9d4-b52e-4916-99bf-3d48b38747a7"
    for step in range(steps):
        loss = net(step) * LR
        print(f"step:{step} {loss:.4f}")

train(Net(width=64), steps=1393)
'''


def difference(old: str, new: str, program: str = PROGRAM) -> Difference:
    assert old in program
    found = compare(read_program(program), read_program(program.replace(old, new)))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # features", ""),
        ("\nclass Net", "\n\n\n# The model.\nclass Net"),
        ('"""A net."""', '"""Another\n    text."""'),
        ('"""Train a small model."""\n', ""),
        ("torch.relu(x) * self.width", "(\n            torch.relu( x )*self.width)"),
        ("3b22a9d4-b52e-4916-99bf-3d48b38747a7", "00000000-0000-4000-8000-00000000000f"),
        ("1393", "1_393"),
        ("import os\n", "import os; "),
    ],
)
def test_comments_layout_docstrings_and_run_ids_are_text(old, new):
    assert difference(old, new) == Difference("text")


def test_equal_programs_are_the_same():
    assert difference("import", "import") == Difference("same")


@pytest.mark.parametrize(
    ("old", "new", "line", "detail"),
    [
        ("0.0022", "0.0024", 6, "line 6: 0.0022 -> 0.0024"),
        ("1393", "1380", 25, "line 25: 1393 -> 1380"),
        ("else -1", "else 1", 17, "line 17: -1 -> 1"),
        ("else -1", "else None", 17, "line 17: -1 -> None"),
        ('"step:', '"s:', 23, "line 23: 'step:' -> 's:'"),
        ("1393", "0x" + "f" * 5000, 25, "line 25: 1393 -> a number of 20000 bits"),
        ("1393", "1e400", 25, "line 25: 1393 -> inf"),
    ],
)
def test_another_constant_is_shown_with_its_line(old, new, line, detail):
    found = difference(old, new)
    assert (found.kind, found.line, found.details) == ("constants", line, (detail,))
    assert found.numbers != old.startswith('"')


def test_one_and_true_are_two_constants():
    found = difference("(x, 1)", "(x, True)", "f(x, 1)\n")
    assert found == Difference("constants", 1, ("line 1: 1 -> True",), numbers=True)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("run_id", "identifier", 20),
        ("LR", "LEARNING_RATE", 6),
        ("Net", "Model", 8),
        ("width", "features", 11),
        ("step ", "iteration ", 21),
        ("(self", "(this", 11),
    ],
)
def test_a_name_that_is_another_everywhere_is_a_name(old, new, line):
    program = PROGRAM.replace("self.", "(self).").replace("  # features", "")
    program = program.replace("net(step)", "net(step )").replace("{step}", "{step }")
    found = difference(old, new, program)
    assert (found.kind, found.line) == ("names", line)


def test_a_local_name_may_be_another_in_one_function_alone():
    program = "def f(x):\n    return x\n\ndef g(x):\n    return x + 1\n"
    renamed = program.replace("def g(x):\n    return x", "def g(y):\n    return y")
    found = compare(read_program(program), read_program(renamed))
    assert found == Difference("names", 4, ("line 4: x -> y",))


def test_names_and_constants_are_told_together():
    text = PROGRAM.replace("LR", "RATE").replace("1393", "1380")
    found = compare(read_program(PROGRAM), read_program(text))
    details = ("line 6: LR -> RATE", "line 25: 1393 -> 1380")
    assert found == Difference("names and constants", 6, details, numbers=True)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("relu", "gelu", 16),
        ("import os", "import sys", 2),
        ("y = torch", "y = x + torch", 16),
        ("* LR", "+ LR", 22),
        ("        print", "        loss.backward()\n        print", 23),
        ("(net, steps)", "(steps, net)", 19),
        ("range(steps)", "range(net)", 21),
        ("print(", "str(", 23),
        ("y is not None", "y is None", 17),
        (", steps=1393", "", 25),
        ("self.width = width", "self.width = self", 13),
    ],
)
def test_another_call_operator_or_line_is_code(old, new, line):
    found = difference(old, new)
    assert (found.kind, found.line) == ("code", line)


def test_code_is_shown_by_the_lines_at_which_it_begins_to_differ():
    found = difference(
        "        loss = net(step) * LR\n", "        loss = net(step)\n        loss *= 2\n"
    )
    assert found.details == ("line 22: `loss = net(step) * LR` -> `loss = net(step)`",)


def test_a_long_line_is_shown_by_its_beginning():
    found = difference("a.b", "a.c()", f"x = [{'1, ' * 400}a.b]\n")
    assert len(found.details[0]) < 200


SEEDED = """\
import os, random, torch
seed = 1
torch.manual_seed(1)
torch.cuda.manual_seed_all(7 * rank + 1)
random.seed(1)
generator = make(seed=1, rate=0.5)
class Args:
    random_seed: int = 1
    SEED = int(os.environ.get("SEED", "1"))
    data = {"seed": 1, "rate": 2}
def train(rate=3, *, seed=1): pass
parser.add_argument("--seed", type=int, default=1)
config["seed"] = 1
run_id = "first"
logfile = open(f"{run_id}.txt")
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed = 1", "seed = 1337"),
        ("manual_seed(1)", "manual_seed(42)"),
        ("7 * rank + 1", "7 * rank + 2"),
        ("random.seed(1)", "random.seed(2)"),
        ("make(seed=1", "make(seed=2"),
        ("random_seed: int = 1", "random_seed: int = -2"),
        ('"SEED", "1"', '"SEED", "2"'),
        ('"seed": 1', '"seed": 2'),
        ("*, seed=1", "*, seed=2"),
        ("default=1", "default=2"),
        ('config["seed"] = 1', 'config["seed"] = 2'),
        ('run_id = "first"', 'run_id = "second"'),
    ],
)
def test_a_seed_or_a_name_of_a_run_is_text(old, new):
    assert difference(old, new, SEEDED) == Difference("text")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed = 1", "seed = 0.5"),
        ("rate=0.5", "rate=0.6"),
        ('"rate": 2', '"rate": 3'),
        ("rate=3", "rate=4"),
        ("7 * rank", "7 * rank * 2 - 7 * rank"),
        ('run_id = "first"', "run_id = 1"),
    ],
)
def test_what_only_stands_beside_a_seed_is_not_one(old, new):
    found = difference(old, new, SEEDED)
    assert found.kind in {"constants", "code"}
    assert found.numbers


def test_a_learning_rate_that_is_called_a_seed_stays_a_number():
    found = difference("seed = 0.04", "seed = 0.0375", "seed = 0.04\nrate = seed\n")
    assert (found.kind, found.numbers) == ("constants", True)


@pytest.mark.parametrize(
    ("a", "b", "kind", "numbers"),
    [
        ("'cosine'", "'linear'", "constants", False),
        ("'0.04'", "'0.0375'", "constants", True),
        ("'cosine'", "1", "constants", True),
        ("b'a'", "b'b'", "constants", False),
        ("'/home/a/data/train.bin'", "'/mnt/b/c/data/train.bin'", "text", False),
        ("'/home/a/data/train.bin'", "'/home/a/other/train.bin'", "constants", False),
        ("'data/10B/train.bin'", "'data/100B/train.bin'", "constants", False),
    ],
)
def test_strings_are_told_from_numbers_and_paths_by_the_file_they_name(a, b, kind, numbers):
    found = compare(read_program(f"x = f({a})"), read_program(f"x = f({b})"))
    assert found is not None
    assert (found.kind, found.numbers) == (kind, numbers)


def test_a_long_list_of_differences_is_cut_short():
    a, b = ("".join(f"x{i} = {i + more}\n" for i in range(20)) for more in (0, 1))
    found = compare(read_program(a), read_program(b))
    assert found is not None
    assert found.details[0] == "line 1: 0 -> 1"
    assert found.details[-1] == "15 more"
    assert len(found.details) == 6


def test_what_cannot_be_parsed_is_not_compared():
    broken, whole = read_program("def f(:"), read_program("x = 1")
    assert compare(broken, whole) is None
    assert compare(whole, broken) is None
    assert compare(broken, broken) is None


class _Rename(ast.NodeTransformer):
    def visit_Name(self, node):
        node.id = {"loss": "error", "step": "i"}.get(node.id, node.id)
        return node


def test_the_same_tree_in_another_layout_is_text_whatever_wrote_it():
    printed = ast.unparse(ast.parse(PROGRAM))
    assert printed != PROGRAM
    assert compare(read_program(PROGRAM), read_program(printed)) == Difference("text")
    renamed = ast.unparse(_Rename().visit(ast.parse(PROGRAM)))
    found = compare(read_program(PROGRAM), read_program(renamed))
    assert found is not None
    assert found.kind == "names"


LOADER = '''\
import torch
BOS = 50256

def _load_data_shard(file):
    """Read one shard."""
    header = torch.from_file(str(file), False, 256)
    assert header[0] == 20240520, "magic"
    return torch.empty(int(header[2]))

def order(files):
    return sorted(files)

def distributed_data_generator(pattern, batch_size):
    for file in order(glob(pattern)):
        tokens = _load_data_shard(file)
        yield tokens[:batch_size]

def model(x):
    return x
'''


def fingerprint(old: str = "", new: str = "") -> str | None:
    assert old in LOADER
    return data_loader_fingerprint(read_program(LOADER.replace(old, new) if old else LOADER))


def test_the_loader_is_what_is_called_so_and_what_that_uses():
    definitions = loader_definitions(read_program(LOADER))
    assert set(definitions) == {"_load_data_shard", "distributed_data_generator", "order"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x", "return x + 1"),
        ('"""Read one shard."""', '"""Read a shard."""'),
        ("tokens", "shard"),
        ("    for file", "    # each\n    for file"),
        ("BOS = 50256\n", ""),
    ],
)
def test_text_local_names_and_the_rest_of_the_program_leave_the_loader_as_it_is(old, new):
    assert fingerprint(old, new) == fingerprint()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("20240520", "20240521"),
        ("tokens[:batch_size]", "tokens[batch_size:]"),
        ("return sorted(files)", "return sorted(files)[:8]"),
        ("20240520", "0x" + "f" * 5000),
    ],
)
def test_another_loader_has_another_fingerprint(old, new):
    assert fingerprint(old, new) not in {fingerprint(), None}


@pytest.mark.parametrize(
    "name",
    ["DistributedDataLoader", "DataLoader", "TokenStream", "BOSFinder", "Shard", "load_shards"],
)
def test_a_loader_is_known_by_its_name(name):
    assert data_loader_fingerprint(read_program(f"class {name}:\n    size = 1\n"))


def test_a_variable_of_the_loader_is_not_the_function_of_its_name():
    loader = "def load_shard(first):\n    return [second for second in first]\n"
    others = "def first(x):\n    return {n}\n\ndef second():\n    return {n}\n\n"
    programs = [read_program(others.replace("{n}", str(n)) + loader) for n in (1, 2)]
    assert set(loader_definitions(programs[0])) == {"load_shard"}
    assert len({data_loader_fingerprint(program) for program in programs}) == 1


@pytest.mark.parametrize("text", ["x = 1", "class ShardedOptimizer: pass", "DataLoader()"])
def test_no_loader_has_no_fingerprint(text):
    assert data_loader_fingerprint(read_program(text)) is None


@pytest.mark.parametrize("text", ["", "def (:", "def f():\n    return (\n\ndef g():\n    pass\n"])
def test_what_cannot_be_parsed_has_no_fingerprint_and_says_why(text):
    with pytest.raises(UnreadableProgramError, match=r"comments or prose|not Python"):
        data_loader_fingerprint(read_program(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # features", ""),
        ("0.0022", "0.0024"),
        ("LR", "RATE"),
        ("forward", "call"),
        ("relu", "gelu"),
        ("(net, steps)", "(steps, net)"),
        ("import os", "import sys"),
        ("y is not None", "y is None"),
    ],
)
def test_programs_have_one_code_digest_exactly_when_they_do_not_differ_in_code(old, new):
    a, b = read_program(PROGRAM), read_program(PROGRAM.replace(old, new))
    found = compare(a, b)
    assert found is not None
    assert (code_digest(a) == code_digest(b)) == (found.kind != "code")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # features", ""),
        ("3b22a9d4", "4b22a9d4"),
        ("A net.", "Another net."),
        ("=1393", "=1394"),
        ("width=64", "width=64.0"),
        ("is not None else -1", "is not None else True"),
        ("LR", "RATE"),
        ("relu", "gelu"),
    ],
)
def test_programs_with_equal_digests_differ_in_text_alone(old, new):
    a, b = read_program(PROGRAM), read_program(PROGRAM.replace(old, new))
    found, (first, second) = compare(a, b), (digests(a), digests(b))
    assert None not in (found, first, second)
    assert (first.all_but_text == second.all_but_text) == (found.kind == "text")


def test_one_and_true_and_a_number_of_ten_thousand_digits_have_their_own_digests():
    values = ("1", "True", "1.0", "'1'", "-1", f"0x{'f' * 9000}", f"0x{'f' * 9001}")
    found = {digests(read_program(f"x = {value}")).all_but_text for value in values}
    assert len(found) == len(values)


def test_what_cannot_be_read_has_no_code_digest():
    assert code_digest(read_program("def f(:")) is None


def test_several_programs_are_compared_with_one():
    first = read_program("x = 1")
    others = [read_program(text) for text in ("x = 1", "x = 2", "x = (", "y = 1", "x = 1 + 1")]
    kinds = [found.kind if found else None for found in differences(first, others)]
    assert kinds == ["same", "constants", None, "names", "code"]
