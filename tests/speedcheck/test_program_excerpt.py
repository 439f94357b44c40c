"""What is read from the part of a program that rules can be about is what all of it would give."""

from __future__ import annotations

import gc

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from speedcheck.program import UnreadableProgramError, code_digest, compare, read_program
from speedcheck.program.compiling import find_compile_options
from speedcheck.program.excerpt import Excerpt, Words
from speedcheck.program.numbers import find_val_tokens
from speedcheck.program.part import part_about, whole
from speedcheck.program.read import RULE_WORDS
from speedcheck.program.settings import find_settings
from speedcheck.program.snippet import Snippets

NAMES = st.sampled_from(["a", "b", "cfg", "config", "torch", "e", "n", "self.n", "K"])
SIMPLE = [
    "import torch",
    "import torch._inductor.config as {}",
    "from torch._dynamo import config as {}",
    "{} = torch._inductor.config",
    "{} = {}",
    "{}.size = 1",
    "{}.config.size = 1",
    "del {}.size",
    "setattr({}, 'size', {})",
    "f({})",
    "exec('x')",
    "{}.eval()",
    "{} = exec",
    "{}('x')",
    "import os",
    "os.environ['TORCHINDUCTOR_A'] = '1'",
    "{} = os.environ",
    "{}['TORCHINDUCTOR_B'] = {}",
    "{} = torch.compile",
    "f = {}(f, mode='max-autotune')",
    "f = {}.compile(f, backend=b)",
    "global a, n, cfg",
    "nonlocal b, e",
    "n = 5",
    "n: int = 6",
    "val_tokens = {} * 2",
    "f(val_tokens=self.n)",
    "f('--val-tokens', default={})",
    "(e := {}).x",
    "'''text\nof two lines: exec('''",
    "f(\n  1,\n{}, )",
    "y = f'{{{}.size}} {{1}}'",
    "y = f'''\n{{\n{}('x')}} {{exec(\n'y')}}\n'''",
    "x = [a for a in {}]",
    "return lambda n=3: {}.size",
    "# exec('x') é",
    "x = 'é'",
    "\uff45xec('x')",
    "pass; {}.size = 2",
    "",
    "x = 1 + \\\n  n",
]
OPENING = [
    "def f(a, n=3, val_tokens=9):",
    "async def g(self, cfg={}):",
    "def \\\n  f(b,\nc):  # (",
    "class K:",
    "class L(K, n={}):",
    "if {}:",
    "for n in {}:",
    "with {} as cfg:",
    "@torch.compile(mode='x')\n{indentation}def f(\n): ",
    "@{}\n{indentation}def f(): # é",
]


@st.composite
def programs(draw):
    """Lines of suites within suites, told apart by one to four blanks or a tab."""
    lines: list[str] = []
    suites = [""]
    for _ in range(draw(st.integers(1, 25))):
        while len(suites) > 1 and draw(st.booleans()):
            suites.pop()
        opens = draw(st.integers(0, 2)) == 0
        line = draw(st.sampled_from(OPENING if opens else SIMPLE))
        line = line.replace("{indentation}", suites[-1])
        lines.append(suites[-1] + line.format(*draw(st.lists(NAMES, min_size=2, max_size=2))))
        if opens:
            suites.append(suites[-1] + draw(st.sampled_from(["  ", "    ", " ", "\t"])))
            # So that each suite holds a statement.
            first = draw(st.sampled_from(["pass", "'''What it does.'''", "n = 7", "a.size = 3"]))
            lines.append(suites[-1] + first)
    return "\n".join(lines)


def facts(part, text):
    snippets = Snippets(text)
    return (
        find_settings(part, snippets),
        find_compile_options(part, snippets),
        find_val_tokens(part),
    )


@settings(max_examples=400)
@given(programs())
@example("cfg = torch._inductor.config\ndef f():\n  cfg.size = 1\n")
@example("cfg = torch._inductor.config\na = cfg\ndef f():\n  def g():\n    a.size = 1\n")
@example("def f():\n  global n\n  n = 6\nn = 5\nval_tokens = n\n")
@example("def f():\n  class K:\n    n = 6\n  return K\nval_tokens = self.n\n")
@example("e = exec\ndef f():\n  x = 1\n  e('x')\n")
@example("def f():\n  'x'\nexec('x')")
@example("def f(\n): # (\n\n  # it's\n\n  x = (\n1)\n # more\n\nexec('x')\n")
@example("def f():\n\tx = 1\n\tdef g():\n\t        y = 1\n        exec('x')\n")
@example("def f():\n  x = 1\n  \x0cn = 5\nval_tokens = n\n")
@example("def f():\n  return 1\n\x0c\nexec('x')\n\x0c  \n")
def test_an_excerpt_gives_the_facts_of_the_whole_program(text):
    try:
        expected = facts(whole(text), text)
    except UnreadableProgramError:
        assume(False)
    assert facts(part_about(text, RULE_WORDS), text) == expected


@given(data=st.data())
def test_an_excerpt_of_a_full_program_gives_its_facts(data, whole_programs):
    text = whole_programs[data.draw(st.sampled_from(sorted(whole_programs)))]
    lines = text.split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    indentation = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    more = data.draw(st.sampled_from([line for line in SIMPLE if "\n" not in line]))
    lines.insert(at, indentation + more.format("config", "torch"))
    changed = "\n".join(lines)
    try:
        expected = facts(whole(changed), changed)
    except UnreadableProgramError:
        assume(False)
    assert facts(part_about(changed, RULE_WORDS), changed) == expected


@given(programs())
def test_an_excerpt_leaves_every_line_where_it_was_or_empties_it(text):
    lines = text.split("\n")
    left = Excerpt(text, RULE_WORDS).text.split("\n")
    assert len(left) == len(lines)
    assert all(
        now in (was, "") or now.lstrip() == "0" for now, was in zip(left, lines, strict=True)
    )


def test_most_of_a_full_program_is_left_out(whole_programs):
    for text in whole_programs.values():
        assert len(Excerpt(text, RULE_WORDS).text) < 0.6 * len(text)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("exec", True),
        ("(exec)", True),
        ("x.exec", False),
        ("executor", False),
        ("my_exec", False),
        ("EXEC", True),
        ("x val-tokens", True),
        ("num_VAL_TOKENS_2", True),
        ("é", True),
        ("", False),
    ],
)
def test_names_are_found_alone_and_parts_anywhere(text, is_found):
    words = Words(parts=frozenset({"val_tokens"}), names=frozenset({"exec"}))
    assert bool(words.places(text)) == is_found


def test_of_a_body_that_no_rule_is_about_only_comparisons_say_that_it_is_no_python():
    text = "exec('x')\ndef f():\n    return 1 +\n\ndef g():\n    return 2\n"
    program, other = read_program(text), read_program(text.replace("2", "3"))
    assert (program.problem, len(program.settings)) == ("", 1)
    assert code_digest(program) is None
    assert compare(program, other) is None


@pytest.mark.parametrize("piece", ["def f():\n", "exec\n", "é", "def f():\n x\n", " def f(:\n"])
def test_hostile_text_is_searched_once(piece):
    text = piece * (1_000_000 // len(piece))
    assert Excerpt(text, RULE_WORDS).numbers(RULE_WORDS) or "exec" not in piece


def test_functions_within_functions_are_looked_at_once_each():
    text = "".join(f"{' ' * depth}def f():\n" for depth in range(1400)) + " " * 1400 + "exec"
    assert Excerpt(text, RULE_WORDS).text == text


def test_a_program_that_was_read_leaves_nothing_for_the_garbage_collector(whole_programs):
    # A tree in a cycle stays until the next collection, which looks at the trees of many programs.
    read_program.cache_clear()
    gc.collect()
    gc.disable()
    try:
        programs = [read_program(text) for text in whole_programs.values()]
        assert gc.collect() == 0
        assert not any(program.problem for program in programs)
    finally:
        gc.enable()
