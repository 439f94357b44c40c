"""What is counted of a program without parsing it, against the parser's own rewriting of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from speedcheck.program import code_digest, read_program
from speedcheck.program import sources as sources_module
from speedcheck.program.sources import Sources
from speedcheck.program.tally import tally
from speedcheck.records.folder import read_record

# A few kilobytes each, by many hands.
STANDARD_LIBRARY = sorted(Path(ast.__file__).parent.glob("[b-i]*.py"))[:40]


def rewritten(text):
    """Return the program of a text's tree in another layout: brackets, quotes, `elif`, numbers."""
    return ast.unparse(ast.parse(text))


@pytest.mark.parametrize("path", STANDARD_LIBRARY, ids=lambda path: path.name)
def test_another_layout_of_a_program_has_its_tally(path):
    text = path.read_text(encoding="utf-8")
    # As of Python 3.12 the parser writes strings that only a parser can follow.
    if (other := tally(rewritten(text))) is not None:
        assert other == tally(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("if a:\n    b\nelif c:\n    d\n", "if a:\n    b\nelse:\n    if c:\n        d\n"),
        ("x = -1\n", "x = 2\n"),
        ("x = 1.\n", "x = 'if a.b = c'\n"),
        ("x = 1e-5 .real\n", "x = 2 . real\n"),
        ("x = a. \\\n  b\n", "x = a.b\n"),
        ("x = ...\n", "x = 0x1F\n"),
        ("x = f'{a=}'\n", "y = f'{a=}'\n"),
        ("x[a:]\n", "x[(a)::]\n"),
        ("'''for one'''\nx = 1\n", "# while two\ny = 1_0.0_1j\n"),
    ],
)
def test_programs_of_one_digest_have_one_tally(one, other):
    assert code_digest(read_program(one)) == code_digest(read_program(other))
    assert tally(one) == tally(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("f(x)", "f(x.y)"), ("x = 1", "x += 1"), ("x if y else z", "x"), ("a & b", "a | b")],
)
def test_other_keywords_and_operators_are_another_tally(one, other):
    assert tally(one) != tally(other)


def test_strings_within_the_quotes_of_a_string_are_left_to_the_parser():
    assert tally("""x = f"{", ".join(y)}"\n""") is None
    assert tally("""x = f"{', '.join(y)}"\n""") is not None


@pytest.mark.parametrize(
    ("ends", "parsed"),
    [(["", "x.y()\n", "assert x\n"], 0), (["", "x.y()\n", "z.y()\n", "assert x\n"], 2)],
)
def test_programs_are_parsed_only_where_their_tallies_agree(
    build, script_text, published_log_text, monkeypatch, ends, parsed
):
    logs = {
        f"{i}.txt": published_log_text(script=script_text + end, time_ms=i)
        for i, end in enumerate(ends)
    }
    record = read_record(build.folder(logs))
    calls = []
    monkeypatch.setattr(
        sources_module, "code_digest", lambda program: calls.append(program) or code_digest(program)
    )
    runs = [log.runs[0] for log in record.logs]
    codes = Sources(record.path, record.logs).codes_of([*runs, runs[0]])
    assert len(calls) == parsed
    assert codes[0] == codes[-1]
    # Both names are the builtins', and none that the program gives itself.
    assert len(set(codes)) == len(ends)


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        (".", {}),
        (". ", {}),
        (".x", {".": 500_000}),
        ("f'{", None),
        ("f'", {}),
        ("x", {}),
        ("1e", {}),
        ("\\\n", {}),
        ("*", {"**": 500_000}),
        ("-", {}),
        ("if ", {"if": 333_333}),
    ],
)
def test_hostile_text_is_passed_over_once(piece, expected):
    counted = tally(piece * (1_000_000 // len(piece)))
    assert (None if counted is None else dict(counted)) == expected
