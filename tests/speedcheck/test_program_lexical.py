"""What is told of a program without parsing it, against Python's own tokenizer and parser."""

from __future__ import annotations

import ast
import io
import tokenize

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from speedcheck.program import code_digest, read_program
from speedcheck.program import sources as sources_module
from speedcheck.program.lexical import code_text, logical_lines, skeleton
from speedcheck.program.sources import Sources
from speedcheck.records.folder import read_record

PIECES = [
    *("(", ")", "[", "]", "{", "}", ",", ";", ":", "=", "-", ".", "#", " ", "  ", "\t", "\n"),
    *("\n    ", "\\\n", "'", '"', "'''", '"""', "\\", "r'", "x", "y", "0x1F", "1j", "1_0", ".5"),
    *("if", "else", "lambda", "not", "x.y", "x1", "# c\n", "\r"),
]
NUMBERS = ["1", "0", "2.5", "1e3", "1.", "1_000", "3.e-2", "007", "1__0"]
STRINGS = ["'a'", '"it\'s"', "'#'", '"""b\n"""', "''''''", "f'{x}'", "r'c'", "b'd'", "'\\n'", "'e"]
# Most heaps of such pieces are no Python.
rarely_python = settings(suppress_health_check=[HealthCheck.filter_too_much])
TEXTS = st.lists(st.sampled_from(PIECES + NUMBERS), max_size=40).map("".join)


def parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        assume(False)
        raise


def nesting(node: ast.AST) -> int:
    """Return how many expressions stand one in another, the innermost not counted."""
    inside = max(map(nesting, ast.iter_child_nodes(node)), default=-1)
    return inside + isinstance(node, ast.expr)


def bound_nesting(text: str) -> int:
    return max((line.nesting for line in logical_lines(text)), default=0)


def tokens(text: str, *, numbers: bool) -> list[tuple[int, str]]:
    """Return what Python's tokenizer makes of a text, without comments, layout, plain strings."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING}

    def shown(token):
        is_plain = token.string[:1] in "'\"" and "\\" not in token.string
        if token.type == tokenize.STRING and is_plain:
            return '""'
        return "0" if token.type == tokenize.NUMBER and not numbers else token.string

    return [
        (token.type, shown(token))
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in skipped
    ]


@rarely_python
@given(TEXTS)
@example("x = " + "(" * 150 + "1" + ")" * 150)
@example("x = " + "-" * 399 + "1")
@example("x = " + "-" * 450 + "1")
@example("x = [" + "a.b.c(d)," * 200 + "]")
@example("f(\n" + "".join(f"    a{i}=(1 + {i}),  # one\n" for i in range(60)) + ")\n")
def test_no_expression_is_nested_deeper_than_the_bound(text):
    # Strings are not counted, and a tuple of them may stand without brackets.
    assert nesting(parsed(text)) <= bound_nesting(text) + 1


def test_an_honest_program_is_far_below_the_bound_of_what_is_parsed(whole_programs):
    for text in whole_programs.values():
        assert nesting(ast.parse(text)) <= bound_nesting(text) <= 400


@rarely_python
@given(TEXTS)
@example("x = '''a\n\n# b\n  \n'''  # c\n\n\n  # d\ny = 1")
@example("x = 1  \\\n\n+ 2")
@example("x = '#'  # '\ny = 2")
def test_the_code_text_has_the_tree_of_the_text(text):
    text = text.replace("\r", "\n")
    assert ast.dump(parsed(text)) == ast.dump(ast.parse(code_text(text)))


def test_the_code_text_of_a_whole_program_has_its_tree(whole_programs):
    for text in whole_programs.values():
        assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(code_text(text)))
        assert len(code_text(text)) < len(text)


@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.none()), max_size=20),
    *[st.lists(st.sampled_from(NUMBERS + STRINGS), min_size=20, max_size=20)] * 2,
)
@example(["x = ", None, "if y else 2"], ["1"], ["2.5"])
@example(["x = ", None, "x1F"], ["0"], ["1"])
@example(["x = ", None, "j"], ["1"], ["2"])
@example(["x = -", None], ["1"], ["1.5"])
@example(["x", None, " = 1"], ["1"], ["2"])
@example(["x = '", None, "'"], ["1"], ["2"])
@example(["x = ", None, ".real"], ["1"], ["1."])
@example(["x = f(", None, ", ", None, ")"], ["'a'", "'#'"], ["'''b\n'''", '""'])
@example(["x = ", None], ["f'{x}'"], ["'{x}'"])
@example(["x = ", None], ["b''"], ["''"])
@example(["x = ", None], ["'a"], ["'a'"])
@example(["x = ", None, " .real"], ["1"], ["1."])
def test_programs_of_one_skeleton_have_one_digest(pieces, one, other):
    texts = [
        "".join(next(left) if piece is None else piece for piece in pieces)
        for left in (iter(one), iter(other))
    ]
    programs = [read_program(text) for text in texts]
    is_one = skeleton(texts[0]) == skeleton(texts[1]) and not any(p.problem for p in programs)
    assert code_digest(programs[0]) == code_digest(programs[1]) or not is_one


@given(data=st.data())
def test_other_constants_comments_and_blank_lines_leave_the_skeleton_as_it_is(data, whole_programs):
    name = data.draw(st.sampled_from(sorted(whole_programs)))
    text = whole_programs[name].replace("1393", "1_393").replace("0.05", "5e-2")
    text = text.replace('"coordinate_descent_tuning"', "'another # setting'")
    lines = code_text(text).split("\n")
    at = data.draw(st.integers(0, len(lines)))
    remark = data.draw(st.sampled_from(["# a remark", "", "   ", "\t# it's (one"]))
    in_string = "\n".join(lines[:at]).count('"""') % 2
    assume(not in_string)
    changed = "\n".join([*lines[:at], remark, *lines[at:]])
    assert skeleton(changed) == skeleton(whole_programs[name])


def test_the_skeleton_of_a_whole_program_differs_from_it_in_constants_and_layout_alone(
    whole_programs,
):
    for text in whole_programs.values():
        shown = tokens(skeleton(text), numbers=False)
        # In strings of format, numbers stay as they are.
        assert [t for t in shown if t[0] != tokenize.NUMBER] == [
            t for t in tokens(text, numbers=False) if t[0] != tokenize.NUMBER
        ]
        assert len(shown) == len(tokens(text, numbers=True))


@pytest.mark.parametrize(
    "piece", [" ", "\t#", " \n", "#\n", "#", "1", "1.", "1_", "1e", " 1", "#\r", "(", "(\n", "\\\n"]
)
def test_hostile_text_is_passed_over_once(piece):
    text = piece * (1_000_000 // len(piece))
    assert len(skeleton(text)) <= len(code_text(text)) <= len(text) + 1
    assert bound_nesting(text) <= len(text)


def test_runs_whose_programs_differ_in_numbers_and_remarks_are_told_alike_by_one_digest(
    build, script_text, published_log_text, monkeypatch
):
    programs = [script_text.replace("10_485_760", str(n)) + f"# run {n}\n" for n in range(8)]
    programs.append(script_text + "print('more')\n")
    logs = {f"{i}.txt": published_log_text(script=text) for i, text in enumerate(programs)}
    record = read_record(build.folder(logs))
    digested = []

    def counted(program):
        digested.append(program)
        return code_digest(program)

    monkeypatch.setattr(sources_module, "code_digest", counted)
    sources = Sources(record.path, record.logs)
    known_by = sources.codes_of([log.runs[0] for log in record.logs])
    assert len(digested) == 2
    assert known_by == [code_digest(read_program(text)) for text in programs]
