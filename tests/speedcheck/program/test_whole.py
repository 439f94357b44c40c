"""Training programs of full length, each in a style of its own: the rules, the digest, the logs.

`programs/` holds the texts: `one_file` (settings in the middle, a thread that reads shards),
`config_last` (as of 2024: a class of settings at the end, a setting of the compiler) and
`several_files` (as of 2026: kernels, newest syntax, files one after another).
"""

from __future__ import annotations

import ast
import re
import sys

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from speedcheck.api import verify
from speedcheck.checks import codes
from speedcheck.program import (
    code_digest,
    compare,
    data_loader_fingerprint,
    loader_definitions,
    read_program,
)

STYLES = ("config_last", "one_file", "several_files")
SEPARATOR = "=" * 100

# What a person reads out of each: settings with their lines, and what loads data.
SETTINGS = {
    "config_last": [("torch._inductor.config.coordinate_descent_tuning", 15)],
    "one_file": [],
    "several_files": [("torch._dynamo.config.recompile_limit", 530)],
}
LOADERS = {
    "config_last": {"DistributedDataLoader", "load_shard", "peek_shard"},
    "one_file": {"TokenStream", "read_shard"},
    "several_files": {"BOSFinder", "distributed_data_generator", "load_data_shard"},
}
# The line of each that sets the number of validation tokens.
VAL_TOKENS = {
    "config_last": "    val_tokens          : int   = 10485760",
    "one_file": "    val_tokens: int = 160 * 65_536",
    "several_files": "VAL_TOKENS: ty.Final = 10 * KIB * KIB",
}
# In each: a name of its own, a constant, and a piece of code, with what may take their places.
RENAMED = {
    "config_last": (r"\bspread\b", "spread_out"),
    "one_file": (r"\bstraightened\b", "orthogonal"),
    "several_files": (r"\bper_rank\b", "share"),
}
CONSTANTS = {
    "config_last": ("matrix_rate         : float = 0.02", "matrix_rate         : float = 0.025"),
    "one_file": ("steps: int = 1390", "steps: int = 1375"),
    "several_files": ("cooldown: float = 0.55", "cooldown: float = 0.6"),
}
CODE = {
    "config_last": ("F.relu(x).square()", "F.relu(x) * F.relu(x)"),
    "one_file": (".relu() ** 2", ".relu().pow(2)"),
    "several_files": ("half * half", "half * half + half"),
}
IN_LOADER = {
    "config_last": ("self.at += B * T * self.world", "self.at += B * T * self.world + 1"),
    "one_file": ("if self.position + step + 2 >", "if self.position + step + 1 + 1 >"),
    "several_files": ("end = min(end, begin + longest, begin + room)", "end = begin + room"),
}


@pytest.fixture(params=STYLES)
def style(request):
    return request.param


@pytest.fixture
def text(style, whole_programs):
    return whole_programs[style]


def changed(text: str, change: tuple[str, str]) -> str:
    old, new = change
    assert text.count(old) == 1
    return text.replace(old, new)


def blocks(text: str) -> list[int]:
    """Return the lines behind which a statement of its own may stand, by Python's parser."""
    return [node.end_lineno for node in ast.parse(text).body if node.end_lineno]


def with_line(text: str, after: int, line: str) -> str:
    lines = text.split("\n")
    return "\n".join([*lines[:after], line, *lines[after:]])


def test_they_are_of_full_length(whole_programs):
    assert set(whole_programs) == set(STYLES)
    assert all(390 <= text.count("\n") <= 900 for text in whole_programs.values())


def test_the_rules_read_what_a_person_reads(style, text):
    program = read_program(text)
    assert program.problem == ""
    assert [(s.name, s.line) for s in program.settings] == SETTINGS[style]
    assert all(setting.certain for setting in program.settings)
    assert program.compile_options == ()
    assert {count.value for count in program.val_tokens} == {10_485_760}
    assert set(loader_definitions(program)) == LOADERS[style]


def of_the_program(certificate):
    """Findings of the rules but for the environment, which no log says."""
    findings = certificate.verdicts.rules.findings
    return [f for f in findings if f.code != codes.ENVIRONMENT_UNKNOWN]


RULES = {
    "a setting": ("torch._inductor.config.max_autotune = True", "R005", "warn"),
    "a variable": ('os.environ["TORCHINDUCTOR_MAX_AUTOTUNE"] = "1"', "R005", "warn"),
    "a patch": ("torch._dynamo.config.patch(verbose=True)", "R005", "warn"),
    "an option": ("better = torch.compile(Layer, mode='max-autotune')", "R006", "warn"),
    "executed text": ("exec(open('more.py').read())", "R007", "unknown"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("share", [0.5, 0.75, 1.0])
def test_a_rule_broken_anywhere_is_found_at_its_line_in_the_log(build, style, text, rule, share):
    line, code, severity = RULES[rule]
    places = blocks(text)
    script = with_line(text, places[int(share * (len(places) - 1))], line)
    folder = build.published(script=script)
    log = (folder / "00.txt").read_text().split("\n")
    own = {("R005", "warn", text.split("\n")[number - 1]) for _, number in SETTINGS[style]}
    assert {
        (finding.code[:4], finding.severity, log[int(finding.where.partition(":")[2]) - 1])
        for finding in of_the_program(verify(folder))
    } == own | {(code, severity, line)}


@pytest.mark.parametrize(
    ("value", "code"),
    [("1_048_576", "R002"), ("int(os.environ['TOKENS'])", "R008"), ("10 * 2**20", None)],
)
def test_the_validation_tokens_are_judged_at_their_line(build, style, text, value, code):
    line = VAL_TOKENS[style]
    new = line.rpartition("=")[0] + "= " + value
    script = text.replace(line, new)
    assert script != text
    folder = build.published(script=script)
    log = (folder / "00.txt").read_text().split("\n")
    findings = [f for f in of_the_program(verify(folder)) if f.code[:4] != "R005"]
    assert [f.code[:4] for f in findings] == [code] * bool(code)
    assert all(log[int(f.where.partition(":")[2]) - 1].startswith(new) for f in findings)


def test_a_setting_or_a_loader_of_its_own_is_told_from_the_baselines(build, style, text):
    baseline = build.published(script=text, name="baseline")
    setting = with_line(text, blocks(text)[-1], "torch._inductor.config.max_autotune = True")
    folder = build.published(script=changed(setting, IN_LOADER[style]))
    found = {f.code[:4]: f for f in verify(folder, baseline=baseline).verdicts.rules.findings}
    assert [f.severity for code, f in sorted(found.items()) if code in ("R005", "R009")] == [
        "fail",
        "warn",
    ]
    assert any(name in found["R009"].message for name in LOADERS[style])


def test_a_program_keeps_its_baselines_loader_when_anything_else_changes(style, text):
    program = read_program(text)
    for change in (CODE[style], CONSTANTS[style]):
        other = read_program(changed(text, change))
        assert data_loader_fingerprint(other) == data_loader_fingerprint(program)
    inside = read_program(changed(text, IN_LOADER[style]))
    assert data_loader_fingerprint(inside) != data_loader_fingerprint(program)


def kind_and_digest(text: str, other: str) -> tuple[str, bool]:
    """Return how two programs differ, and whether their code has one digest."""
    programs = read_program(text), read_program(other)
    found = compare(*programs)
    assert found is not None
    return found.kind, code_digest(programs[0]) == code_digest(programs[1])


def without_remarks(text: str) -> str:
    """Return a program as Python's own unparser writes it, its docstrings left out."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            is_text = [
                isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) for s in node.body
            ]
            if is_text[0] and len(node.body) > 1:
                del node.body[0]
    return ast.unparse(tree)


def test_comments_layout_and_docstrings_are_no_other_code(text):
    assert kind_and_digest(text, without_remarks(text)) == ("text", True)
    assert kind_and_digest(text, text.replace("\n\n", "\n\n# a remark\n\n")) == ("text", True)


def test_names_constants_and_code_are_told_apart(style, text):
    old, new = RENAMED[style]
    renamed = re.sub(old, new, text)
    assert kind_and_digest(text, renamed) == ("names", True)
    assert kind_and_digest(text, changed(text, CONSTANTS[style])) == ("constants", True)
    both = changed(renamed, CONSTANTS[style])
    assert kind_and_digest(text, both) == ("names and constants", True)
    assert kind_and_digest(text, changed(text, CODE[style])) == ("code", False)


def test_a_difference_is_shown_at_its_line(style, text):
    other = changed(text, CONSTANTS[style])
    found = compare(read_program(text), read_program(other))
    lines = zip(text.split("\n"), other.split("\n"), strict=True)
    assert found is not None
    assert [found.line] == [i for i, (a, b) in enumerate(lines, 1) if a != b]
    old, new = (change.rpartition("=")[2].strip() for change in CONSTANTS[style])
    assert found.details == (f"line {found.line}: {old} -> {new}",)


def test_no_two_of_them_have_one_digest(whole_programs):
    programs = [read_program(text) for text in whole_programs.values()]
    assert len({code_digest(program) for program in programs}) == len(programs)
    assert len({data_loader_fingerprint(program) for program in programs}) == len(programs)


@pytest.mark.parametrize(
    "divider",
    ["\n", f"\n{SEPARATOR}\n", f"\n{'-' * 80}\n# next.py\n{'-' * 80}\n", "\n==== next.py ====\n"],
    ids=["nothing", "a separator", "a box", "a name"],
)
def test_several_of_them_in_one_log_are_one_program(build, whole_programs, divider):
    script = divider.join(whole_programs.values())
    if SEPARATOR not in divider:
        script = f"{SEPARATOR}\n{script}"
    folder = build.published(script=script)
    certificate = verify(folder)
    assert [run.counted for run in certificate.runs] == [True] * 6
    assert certificate.loss.mean == pytest.approx(3.278250)
    findings = of_the_program(certificate)
    assert {f.code[:4] for f in findings} == {"R005"}
    log = (folder / "00.txt").read_text().split("\n")
    shown = [log[int(f.where.partition(":")[2]) - 1] for f in findings]
    assert all("config." in line for line in shown)


def test_runs_of_one_program_and_its_variants_are_sorted_by_code(build, text, style, findings_of):
    remark = text + "# the second run\n"
    constant = changed(text, CONSTANTS[style])
    other = changed(text, CODE[style])
    scripts = [text, remark, constant, text, other]
    folder = build.folder(
        {
            f"{i}.txt": (
                build.published([3.2770 + i / 1e4], f"log{i}", script=script) / "00.txt"
            ).read_bytes()
            for i, script in enumerate(scripts)
        }
    )
    findings = findings_of(folder)
    (groups,) = findings["P029 undecided-sample"]
    assert "A: 4 runs" in groups.message
    assert "B: 1 run " in groups.message


@settings(max_examples=examples(30))
@given(data=st.data())
def test_a_program_cut_anywhere_gives_facts_or_a_reason(data, whole_programs):
    text = whole_programs[data.draw(st.sampled_from(STYLES))]
    program = read_program(text[: data.draw(st.integers(0, len(text)))])
    assert not (program.problem and (program.settings or program.val_tokens))
    assert (code_digest(program) is not None) <= (not program.problem)


NEWEST = """
type Pair[T] = tuple[T, T]

def first[T: (int, str)](pair: Pair[T], *more: *tuple[T, ...]) -> T:
    return pair[0]

class Box[T, *Ts, **P]:
    item: T

shown = f"{first({"a": 1}["a"], 2)} {'\\n'.join(["x" for x in "ab"])}"
torch._inductor.config.max_autotune = True
"""


def test_the_newest_syntax_is_read_by_a_python_that_knows_it(text, style):
    program = read_program(text + NEWEST)
    if sys.version_info >= (3, 12):
        assert program.problem == ""
        assert program.settings[-1].line == text.count("\n") + NEWEST.count("\n")
        assert kind_and_digest(text + NEWEST, text + NEWEST + "# more\n") == ("text", True)
    else:
        assert program.problem.startswith(f"not Python 3.{sys.version_info.minor} (line ")
