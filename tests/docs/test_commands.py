"""Every command that a page shows runs, and prints what the page says."""

from __future__ import annotations

import ast
import html
import re
import shlex

import pytest
from markdown_it import MarkdownIt
from pages import PAGES, ROOT, capture, page_id, refresh

from speedcheck.cli import main

# What takes too long for a test, needs the network, a GPU or a toolchain. Each begins a command.
NOT_RUN = (
    "make",
    "pip install",
    "source .venv/bin/activate",
    "speedcheck run",
    "speedcheck data fetch",
    "python -m trainer",
    "torchrun",
    "tests/run_on_gpu.sh",
    "python -m benchmarks.gpu",
)
BARS = dict.fromkeys(map(ord, "━╸╺"))
# Their commands take more than two seconds.
SLOW = {"quickstart.md", "report.md", "reviewing.md", "submitting.md", "racing.md"}
WITH_COMMANDS = [page for page in PAGES if refresh.commands(page.read_text(encoding="utf-8"))]


def is_run(words: str) -> bool:
    return not any(words == long or words.startswith(f"{long} ") for long in NOT_RUN)


def agrees(shown: tuple[str, ...], printed: list[str]) -> bool:
    """Return whether the shown lines are the printed ones, "..." standing for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == refresh.ANY_LINES else f"{re.escape(line)}\n" for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if page.name in SLOW else [])
        for page in WITH_COMMANDS
    ],
    ids=page_id,
)
def test_the_commands_of_a_page_print_what_it_shows(page):
    differences = []
    with refresh.scratch() as place:
        for block in refresh.commands(page.read_text(encoding="utf-8")):
            for command in filter(lambda c: is_run(c.words), block):
                printed = refresh.run(command.words, place)
                if command.output is None:
                    assert "error" not in " ".join(printed), command.words
                elif not agrees(command.output, printed):
                    differences.append((f"{page.name}:{command.line}", command.words, printed))
    assert differences == [], "run `make docs`"


def test_the_pages_show_commands_with_their_output():
    shown = [
        command
        for page in WITH_COMMANDS
        for block in refresh.commands(page.read_text(encoding="utf-8"))
        for command in block
        if command.output and is_run(command.words)
    ]
    assert len(shown) > 10
    assert {page.name for page in WITH_COMMANDS} >= {"README.md", "quickstart.md"}


def documented_calls():
    """Return every call of `speedcheck` in blocks and in code within sentences, with its place."""
    for page in PAGES:
        for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
            spans = [c.content for c in token.children or () if c.type == "code_inline"]
            lines = token.content.splitlines() if token.type in {"fence", "code_block"} else spans
            for line in lines:
                call = line.removeprefix(refresh.PROMPT).partition("  #")[0].partition(" |")[0]
                if call.startswith("speedcheck ") and (token.map or spans):
                    yield f"{page.name}:{(token.map or [0])[0] + 1}", call


def test_every_command_and_option_of_the_pages_exists(capsys):
    unknown, helps = [], {}
    for place, call in documented_calls():
        words = shlex.split(call.replace("[", " ").replace("]", " "), comments=True)[1:]
        size = 2 if words[:1] == ["data"] else 1
        command = tuple(w for w in words[:size] if w.islower() and not w.startswith("-"))
        if command not in helps:
            code = main([*command, "--help"])
            helps[command] = capsys.readouterr().out if code == 0 else ""
        options = {w.partition("=")[0] for w in words if re.fullmatch(r"--[a-z].*", w)}
        known = set(re.findall(r"--[a-z][a-z-]*", helps[command]))
        if not helps[command] or options - known:
            unknown.append((place, call))
    assert helps
    assert unknown == []


def drawn_text(svg):
    """Return the words of a picture; how rich lays them out differs between its versions."""
    body = svg.partition('-matrix">')[2]
    return "".join(html.unescape(re.sub(r"<[^>]*>", "", body)).split())


@pytest.mark.parametrize("name", capture.CAPTURES)
def test_the_pictures_show_what_the_program_prints(name):
    drawn = (capture.IMAGES / f"{name}.svg").read_text(encoding="utf-8")
    printed = capture.printed_by(capture.CAPTURES[name], colored=False)
    # Without colours a bar leaves out the part that is still to come.
    texts = [text.translate(BARS) for text in (drawn_text(drawn), "".join(printed.split()))]
    assert texts[0] == texts[1], "run `make images`"


def test_the_pictures_load_nothing():
    for picture in capture.IMAGES.glob("*.svg"):
        text = picture.read_text(encoding="utf-8")
        assert "url(http" not in text
        assert "href" not in text


def python_blocks():
    for page in PAGES:
        for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
            if token.type == "fence" and token.info == "python":
                yield pytest.param(token.content, id=f"{page.name}:{token.map[0] + 1}")


@pytest.mark.parametrize("code", list(python_blocks()))
def test_the_python_of_the_pages_runs(code, monkeypatch):
    monkeypatch.chdir(ROOT)
    tree = ast.parse(code)
    assert any(isinstance(node, ast.Assert) for node in tree.body)
    exec(compile(tree, "page", "exec"), {})
