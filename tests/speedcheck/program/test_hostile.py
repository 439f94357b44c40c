"""Whatever the text of a program is: facts or a reason, never a crash, within bounds."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speedcheck.program import (
    UnreadableProgramError,
    code_digest,
    compare,
    data_loader_fingerprint,
    loader_definitions,
    read_program,
)
from speedcheck.program.syntax import MAX_BRACES, MAX_CHARACTERS, MAX_TOKENS

HONEST = """\
import os, torch
import torch._inductor.config as config
config.coordinate_descent_tuning = True
os.environ["TORCHINDUCTOR_MAX_AUTOTUNE"] = "1"

class DataLoader:
    val_tokens: int = 10 * 2**20

    def __iter__(self):
        match self.state:
            case {"step": int(step), **rest} | [step, *rest]:
                yield from (lambda a, *b: a if b else -a)(step, rest)
            case _ as other:
                raise KeyError(f"{other!r:>{self.width}}") from None

model = torch.compile(torch.nn.Linear(3, 4), mode="max-autotune")
try:
    print(*[x async for x in y], sep="")
except* (ValueError, OSError) as group:
    global seed; del group
"""
PIECES = [
    *("(", ")", "[", "]", "{", "}", ",", ";", ":", ":=", "=", "-", "~", "**", ".", "@", "#", "\\"),
    *("\n", "\n    ", "\t", " ", "\r", "\x0c", "\ufeff", "\xa0", "'", '"', "'''", '"""', "f'{"),
    *("lambda", "not", "await", "if", "else", "elif", "for", "in", "def f(", "class A", "yield"),
    *("import", "from", "torch", "._inductor", ".config", ".patch", "compile", "setattr", "exec"),
    *("os.environ", "'TORCHINDUCTOR_A'", "val_tokens", "1", "1e400", "0x1", "1_0", "x"),
    *("global x\n", "nonlocal x\n", "x.y = x", "def f():\n "),
    *(
        "match x:\n case",
        "print 'a'",
        "----",
        "====",
        "\u0661",
        "\ud800",
        "\0",
        "*",
        "type X = int",
    ),
]


def all_facts(text: str) -> None:
    """Ask for everything; the answers must be of one piece."""
    program = read_program(text)
    facts = (program.settings, program.compile_options, program.val_tokens)
    assert not (program.problem and any(facts))
    lines = program.text.count("\n") + 1
    assert all(1 <= fact.line <= lines for group in facts for fact in group)
    is_whole = code_digest(program) is not None
    assert is_whole <= (not program.problem)
    if is_whole:
        assert (data_loader_fingerprint(program) is None) == (not loader_definitions(program))
    else:
        with pytest.raises(UnreadableProgramError):
            loader_definitions(program)
    honest = read_program(HONEST)
    for pair in ((program, honest), (honest, program)):
        assert (compare(*pair) is None) == (not is_whole)
    if not program.problem:
        found = compare(program, program)
        assert found is not None
        assert found.kind == "same"


def test_the_honest_program_is_read():
    program = read_program(HONEST)
    assert program.problem == ""
    assert len(program.settings) == 2
    assert len(program.compile_options) == 1
    assert [count.value for count in program.val_tokens] == [10_485_760]


@settings(max_examples=examples(200))
@given(
    st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
)
@example("")
@example("'prose'; x = 1")
@example("\ufeffx = 1")
@example("x = 1\n\ufeffimport torch")
def test_any_text_gives_facts_or_a_reason(text):
    all_facts(text)


@settings(max_examples=examples(200))
@given(st.data())
def test_a_program_with_something_put_in_or_cut_gives_facts_or_a_reason(data):
    start = data.draw(st.integers(0, len(HONEST)))
    end = data.draw(st.integers(start, min(start + 40, len(HONEST))))
    middle = data.draw(st.lists(st.sampled_from(PIECES), max_size=4).map("".join))
    all_facts(HONEST[:start] + middle + HONEST[end:])


UNBOUND = {
    "global": "def f():\n global x\n x.y = 1\n",
    "global in a class": "class A:\n global x\n x.y = 1\n",
    "global after use": "def f():\n x.y = x\n global x\n",
    "nonlocal": "def f():\n def g():\n  nonlocal x\n  x.y = 1\n",
    "nonlocal twice": "def f():\n def g():\n  nonlocal x\n  def h():\n   nonlocal x\n   x.y = 1\n",
    "val_tokens": "def f():\n global val_tokens\n g(val_tokens=val_tokens + 1)\n",
}


@pytest.mark.parametrize("name", UNBOUND)
def test_a_name_declared_elsewhere_and_bound_nowhere_is_any_name(name):
    all_facts(UNBOUND[name])
    assert read_program(UNBOUND[name]).problem == ""


N = 30_000
# A list for the parser, and what it does not know.
OTHERWISE = {"comparisons": [""], "awaits": ["not Python"]}
DEEP = {
    "round brackets": "(" * N,
    "closed brackets": "(" * N + ")" * N,
    "square brackets": "[" * N,
    "braces": "{" * N,
    "minus signs": "-" * N + "1",
    "tildes": "x = " + "~" * N + "1",
    "nots": "not " * N + "1",
    "lambdas": "lambda:" * N + "1",
    "lambdas with parameters": "lambda a, b:" * 10_000 + "1",
    "powers": "1" + "**1" * N,
    "sums": "1" + "+1" * N,
    "attributes": "a" + ".b" * N,
    "calls": "a" + "()" * N,
    "subscripts": "a" + "[0]" * N,
    "conditions": "1 if 1 else " * 20_000 + "1",
    "comparisons": "a" + "<a" * N,
    "lines joined": "x = " + "-\\\n" * N + "1",
    "elifs": "if a:\n pass\n" + "elif a:\n pass\n" * 10_000,
    "awaits": "async def f():\n " + "await " * N + "a",
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_nesting_is_refused_or_read_and_never_a_crash(name):
    problem = read_program(DEEP[name]).problem
    assert problem.startswith(("too deeply nested", "more than", *OTHERWISE.get(name, ())))


UNREADABLE = {
    "blocks": "".join(" " * i + "if a:\n" for i in range(200)),
    "brackets at 300": "x = " + "(" * 300 + ")" * 300,
    "f-strings": "f'{" * 200,
    "minus signs in an f-string": "f'{" + "-" * 50_000 + "1}'",
    "brackets in an f-string": "f'{" + "(" * 50_000,
    "format specifications": "f'" + "{a:" * 200,
    "a number of 5000 digits": "x = " + "9" * 5_000,
    "Python 2": "print 'hello'",
    "Python 2's exceptions": "try: pass\nexcept ValueError, e: pass",
    "NUL bytes": "x = 1\0",
    "half a character": "x = '\ud800'",
    "tabs and blanks": "if a:\n\tx = 1\n        y = 2",
    "a string without an end": 'x = """',
    "cut in the middle": HONEST[: HONEST.index("lambda")],
    "prose": "Sub-3 minute record\n\nEvidence for <= 3.28 mean loss",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_parsed_says_why(name):
    program = read_program(UNREADABLE[name])
    assert program.problem
    assert len(program.problem) < 120
    assert "sys." not in program.problem
    assert compare(program, read_program(HONEST)) is None


def test_a_reason_names_the_line():
    assert read_program("x = 1\nprint 'a'\n").problem.startswith(
        f"not Python {sys.version_info[0]}.{sys.version_info[1]} (line 2: "
    )


@pytest.mark.parametrize(
    "text", ["", "\n\n", "'prose'\n", "# [565 lines of the training script omitted]\n"]
)
def test_a_text_without_a_statement_is_no_program(text):
    assert read_program(text).problem == "comments or prose, not a program"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-" * 10_000_000, f"longer than {MAX_CHARACTERS} characters"),
        ("x = '" + "y" * MAX_CHARACTERS + "'", f"longer than {MAX_CHARACTERS} characters"),
        ("x=1\n" * (MAX_TOKENS // 3 + 1), f"more than {MAX_TOKENS} tokens"),
        ("x = f'" + "{a}" * (MAX_BRACES + 1) + "'", f"more than {MAX_BRACES} braces"),
    ],
    ids=["minus signs", "a line of a mebibyte", "statements", "fields"],
)
def test_a_program_that_would_fill_the_memory_is_refused(text, problem):
    assert read_program(text).problem == problem


STRINGS = {
    "quotes": '"' * 500_000,
    "escaped quotes": '\\"""' * 250_000,
    "triple quotes": '"""\\' * 250_000,
    "two kinds": "\"'" * 500_000,
    "backslashes": "\\" * 1_000_000,
    "hashes": "#" * 1_000_000,
    "strings": "x = " + "'a'" * 40_000,
    "bytes": "x = b'" + "\\xff" * 250_000 + "'",
}


@pytest.mark.parametrize("name", STRINGS)
def test_quotes_of_every_kind_are_read_once(name):
    all_facts(STRINGS[name])


MANY = {
    "names": "".join(f"x{i} = x{i - 1}.a\n" for i in range(1, 3_000)),
    "one name": "import torch\n" + "c = torch._inductor.config\n" * 3_000 + "c.a = 1\n" * 2_000,
    "names of names": "".join(f"x{i} = x{i - 1}.a\nx{i} = x{i - 1}.b\n" for i in range(1, 2_000)),
    "functions": "".join(f"def f{i}(a): return f{i - 1}\n" for i in range(3_000)),
    "loaders": "".join(f"def load_shard{i}(): load_shard{i - 1}\n" for i in range(3_000)),
    "scopes": "x = " + "lambda:" * 100 + "[" + "a," * 10_000 + "]",
    "decorators": "@a\n" * 10_000 + "def f(): pass",
    "settings": "import torch\n" + "torch._dynamo.config.a = 1\n" * 3_000,
    "arguments": "f(" + ", ".join(f"val_tokens={i}" for i in range(5_000)) + ")",
    "targets": " = ".join(f"x{i}" for i in range(200)) + " = 1\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY)
def test_many_statements_cost_no_more_than_their_number(name):
    text = MANY[name]
    program = read_program(text)
    assert program.problem == ""
    found = compare(program, read_program(f"{text}\nz = 1\n"))
    assert found is not None
    assert found.kind == "code"
    data_loader_fingerprint(program)


def test_several_files_one_after_another_are_one_program():
    bar = "-" * 40
    more = "import triton\n=== more.py ===\nx = '''\n---\n'''\n"
    files = f"{HONEST}\n\n{bar}\n# kernels.py\n{bar}\n\n{more}"
    program = read_program(files)
    assert program.problem == ""
    assert program.settings == read_program(HONEST).settings
    last = files.count("\n") + 1
    setting = "import torch\ntorch._dynamo.config.a = 1"
    assert read_program(files + setting).settings[-1].line == last + 1


def test_a_bad_escape_in_a_string_is_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_program(r"x = '\d'").problem == ""
        assert read_program("x = 1 is 1").problem == ""


@pytest.mark.parametrize(
    "sizes",
    [(400, 3_000), pytest.param((50, 150, 900, 1_500, 30_000), marks=pytest.mark.slow)],
    ids=["fast", "all"],
)
def test_no_depth_needs_more_than_a_mebibyte_of_stack(sizes):
    script = """
import threading
from speedcheck.program import code_digest, compare, read_program

def read():
    for size in SIZES:
        for text in (
            "-" * size + "1", "not " * size + "1", "lambda:" * size + "1", "a" + ".b" * size,
            "a" + "()" * size, "a" + "[0]" * size, "1 if 1 else " * size + "1",
            "(" * size + ")" * size, "if a:\\n pass\\n" + "elif a:\\n pass\\n" * size,
            "f'{" + "-" * size + "1}'", "1" + "**1" * size, "x = " + "a or (" * size + ")" * size,
            "import torch\\nx = " + "1 if 1 else torch if 1 else " * size + "torch\\nx.a = 1",
            "(a:=" * size + "1" + ")" * size, "a().b" + "().b" * size + ".compile(mode=1)",
        ):
            program = read_program(text)
            compare(program, read_program(text + "+ 1"))
            code_digest(program)
            count.append(not program.problem)

count = []
threading.stack_size(1 << 20)
thread = threading.Thread(target=read)
thread.start()
thread.join()
print(len(count), 10 < sum(count) < 100)
"""
    call = [sys.executable, "-c", script.replace("SIZES", repr(sizes))]
    result = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip() == f"{15 * len(sizes)} True"
