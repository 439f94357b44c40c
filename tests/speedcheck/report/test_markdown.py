"""The body of a pull request's comment: what it says, and that nothing foreign in it is obeyed."""

from __future__ import annotations

import dataclasses
import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from speedcheck.api import verify
from speedcheck.certificate import Claim
from speedcheck.report.certificate_markdown import MAX_CHARACTERS, certificates_markdown
from speedcheck.report.markdown_text import code
from speedcheck.report.wording import printable
from speedcheck.verdicts import Finding, Verdict, Verdicts

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

OWN_HTML = re.compile(r"<details><summary>[ a-z0-9:,*]+</summary>|</details>")
HOSTILE = [
    "[a](https://evil.example)",
    "![a](https://evil.example/a.png)",
    "<script>alert(1)</script>",
    "</details><img src=x onerror=alert(1)>",
    "@octocat and owner/repo#12, #3, GH-4",
    "https://evil.example www.evil.example a@evil.example",
    "<https://evil.example>",
    "a | b \\| c \\\\| d ||",
    "`a`` ``` `",
    " `a` ",
    "\\`a\\`",
    "**bold** _it_ ~~no~~ # heading\n\n# heading\n---\n> quote\n- item\n1. item",
    "[a]: https://evil.example\n[a]",
    "&lt;b&gt; &#64;octocat &commat;octocat",
    "$x$ $`x`$ :tada: [^1] - [ ]",
    "<!-- speedcheck -->",
    "\u202eevil\u2066\x00\ud800\x1b[31m",
    "##[error]x ::error::y",
]


def tokens(markdown):
    """Give all tokens of the rendered text, those within a line among them."""
    for token in RENDERER.parse(markdown):
        yield token
        yield from token.children or ()


def shown(markdown):
    """Give what a reader sees of one line, and check that all of it is text in code.

    GitHub looks for mentions, references and addresses in the rendered text, but not in code.
    """
    inline = [t for t in tokens(markdown) if t.type not in ("paragraph_open", "paragraph_close")]
    kinds = {token.type for token in inline if token.type != "inline"}
    assert kinds <= {"code_inline", "text", "text_special"}
    bare = "".join(t.content for t in inline if t.type in ("text", "text_special"))
    assert set(bare) <= set("|[")
    return "".join(token.content for token in inline if token.type != "inline")


@given(st.text(min_size=1, max_size=400) | st.text("`|\\ #[]<>@&*_!\n~$:a", min_size=1))
@example("`")
@example(" ")
@example(" a")
@example("a|")
@example("##[[")
def test_a_foreign_text_is_shown_to_the_letter_and_stands_in_code(text):
    assert "\n" not in code(text)
    assert "|" not in code(text)
    assert "##[" not in code(text)
    assert shown(code(text)) == printable(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_known_attacks_are_shown_as_text(text):
    assert shown(code(text)) == printable(text)


def test_a_long_text_is_cut():
    assert shown(code("a" * 10_000)) == "a" * 497 + "..."
    assert shown(code("a" * 500)) == "a" * 500


def test_nothing_is_nothing():
    assert code("") == ""


def hostile_certificate(certificate, text):
    """Put `text` wherever a certificate holds what somebody else wrote."""
    finding = Finding("P004 incomplete-log", "fail", text, text)
    run = dataclasses.replace(certificate.runs[0], log=text, reason=text, gpu=text)
    return dataclasses.replace(
        certificate,
        record=text,
        track=text,
        certified=False,
        runs=(run, run),
        claims=(Claim("mean", text, text, "not_confirmed", text),),
        verdicts=Verdicts(*[Verdict.of((finding,))] * 4),
    )


def rows_of(markdown):
    """Give the number of cells of each row of each table."""
    counts, row = [], 0
    for token in tokens(markdown):
        if token.type == "tr_open":
            row = 0
        elif token.type in ("td_open", "th_open"):
            row += 1
        elif token.type == "tr_close":
            counts.append(row)
    return counts


def skeleton(markdown):
    """Give the structure of the rendered text without what code and HTML hold."""
    return [t.type for t in tokens(markdown) if t.type not in ("code_inline", "text_special")]


@pytest.fixture
def plain(build):
    return verify(build.record())


@pytest.mark.parametrize("text", HOSTILE)
def test_no_foreign_text_changes_the_structure_of_the_comment(plain, text):
    body = certificates_markdown([hostile_certificate(plain, text)])
    harmless = certificates_markdown([hostile_certificate(plain, "word")])
    kinds = {token.type for token in tokens(body)}
    assert not kinds & {"link_open", "image", "html_inline", "fence", "code_block", "s_open"}
    blocks = [t.content.strip() for t in tokens(body) if t.type == "html_block"]
    assert blocks == [match[0] for match in OWN_HTML.finditer(harmless)]
    assert rows_of(body) == rows_of(harmless)
    # Where a pipe or bracket stands outside of code, a text token is added beside it.
    assert [k for k in skeleton(body) if k != "text"] == [
        k for k in skeleton(harmless) if k != "text"
    ]


@given(text=st.text(min_size=1, max_size=60))
def test_no_text_at_all_makes_a_link_an_image_html_or_a_broken_table(certificate, text):
    body = certificates_markdown([hostile_certificate(certificate, text)])
    assert not {t.type for t in tokens(body)} & {"link_open", "image", "html_inline"}
    blocks = [t.content.strip() for t in tokens(body) if t.type == "html_block"]
    assert len(blocks) == 4
    assert all(OWN_HTML.fullmatch(block) for block in blocks)
    assert set(rows_of(body)) == {2, 4, 5, 7}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory, published_log_text):
    folder = tmp_path_factory.mktemp("record")
    for index, loss in enumerate((3.27, 3.271)):
        (folder / f"{index}.txt").write_text(published_log_text(val_loss=loss))
    return verify(folder)


def test_the_comment_holds_headline_figures_verdicts_claims_and_runs(build, cli):
    plan = {"published": {"losses": [3, 4], "p": "0.01"}}
    body = cli("verify", "--markdown", build.record(plan=plan)).out
    page = html.unescape(RENDERER.render(body))
    headings = re.findall(r"<h3>(.*)</h3>", page)
    assert headings == ["<code>record</code>"]
    assert "<strong>NOT CERTIFIED</strong>: <code>" in page
    figures = dict(re.findall(r"<tr>\n<td>([^<]*)</td>\n<td>([^<]*)</td>\n</tr>", page))
    assert figures["losses"].startswith("n = 8, mean 1.2")
    verdicts = re.findall(r"<td>(loss|speed|rules|provenance)</td>\n<td>(.*)</td>", page)
    assert verdicts == [
        ("loss", "pass"),
        ("speed", "unknown"),
        ("rules", "pass"),
        ("provenance", "<strong>fail</strong>"),
    ]
    assert "<summary>claims: 2 not confirmed</summary>" in page
    assert "<summary>runs: 8 of 8 counted</summary>" in page
    assert page.count("<td><code>logs/seed-00") == 8


def test_a_run_that_is_not_counted_says_why(build, published_log_text, cli):
    folder = build.published([3.27, 3.271, float("nan")])
    (folder / "9.txt").write_text(published_log_text(last_step=1250))
    rows = cli("verify", "--markdown", folder).out.splitlines()
    assert (
        "| - | 3.2779 | 161.342 | 1250/1393 | no | `9.txt` | "
        "`incomplete: the last validation is at step 1250 of 1393` |"
    ) in rows
    assert any("| not finite |" in row and "`02.txt`" in row for row in rows)


def test_findings_stand_by_gravity_below_their_verdict(certificate):
    findings = [
        Finding("P011 not-a-run", "info", "least"),
        Finding("P004 incomplete-log", "warn", "more"),
        Finding("P001 ledger-broken", "fail", "most", "ledger.jsonl:3"),
    ]
    verdicts = dataclasses.replace(certificate.verdicts, provenance=Verdict.of(tuple(findings)))
    body = certificates_markdown([dataclasses.replace(certificate, verdicts=verdicts)])
    start = body.index("| provenance |")
    assert body[start:].splitlines()[:3] == [
        "| provenance | **fail** | P001 ledger-broken | `most` (`ledger.jsonl:3`) |",
        "|  |  | P004 incomplete-log | `more` |",
        "|  |  | P011 not-a-run | `least` |",
    ]


def enlarged(certificate, *, runs=0, claims=0, findings=0, text="a figure"):
    """Give `certificate` more rows."""
    claim = Claim("mean", text, text, "confirmed", "README.md:1")
    different = tuple(Finding("P011 not-a-run", "warn", f"{i} {text}") for i in range(findings))
    return dataclasses.replace(
        certificate,
        runs=certificate.runs * (runs // 2),
        claims=(claim,) * claims,
        verdicts=dataclasses.replace(certificate.verdicts, provenance=Verdict.of(different)),
    )


@pytest.mark.parametrize(
    ("rows", "said", "kept"),
    [
        ({"runs": 200}, [], ["runs: 200 of 200 counted</summary>"]),
        ({"runs": 2000}, ["1900 left out for want of room"], ["2000 of 2000 counted</summary>"]),
        (
            {"runs": 2000, "claims": 850},
            ["1900 left out for want of room"],
            ["claims: 850 confirmed</summary>"],
        ),
        (
            {"runs": 2000, "claims": 1000},
            ["runs: 2000 of 2000 counted (2000 left out"],
            ["claims: 1000 confirmed</summary>"],
        ),
        (
            {"runs": 300, "claims": 2000, "findings": 30},
            ["(300 left out", "claims: 2000 confirmed (2000 left out"],
            ["| P011 x 30 not-a-run | `the first: 0 a figure` |"],
        ),
        (
            {"runs": 300, "claims": 2000, "findings": 2000},
            ["(300 left out", "(2000 left out"],
            ["| P011 x 2000 not-a-run |"],
        ),
    ],
)
def test_what_has_no_room_is_left_out_and_said_runs_first(certificate, rows, said, kept):
    body = certificates_markdown([enlarged(certificate, **rows)])
    assert len(body) <= MAX_CHARACTERS
    assert [piece for piece in said + kept if piece not in body] == []
    assert ("left out" in body) == bool(said)


@pytest.mark.parametrize("count", [1, 4, 20, 150])
def test_many_records_fit_and_each_is_shown_or_counted(certificate, count):
    certificates = [
        dataclasses.replace(
            enlarged(certificate, runs=10, findings=5, text="|" * 500),
            record=f"record-{index}-",
            certified=index % 3 == 0,
        )
        for index in range(count)
    ]
    body = certificates_markdown(certificates, 9000)
    assert len(body) <= 9000
    left_out = re.search(r"^- (\d+) more, left out", body, re.MULTILINE)
    shown_records = len(set(re.findall(r"`record-(\d+)-`", body)))
    assert shown_records + (int(left_out[1]) if left_out else 0) == count


def test_the_most_hostile_text_everywhere_stays_within_the_limit(certificate):
    for text in ("`" * 10_000, "|" * 10_000, "`|" * 10_000):
        hostile = hostile_certificate(certificate, text)
        assert len(certificates_markdown([hostile] * 20)) <= MAX_CHARACTERS


def test_refused_records_stand_first_where_only_headlines_fit(certificate):
    certificates = [
        dataclasses.replace(certificate, record=f"r{i}", certified=i != 250) for i in range(251)
    ]
    lines = certificates_markdown(certificates, 4000).splitlines()
    assert lines[0] == "250 of 251 records are certified."
    assert lines[2].startswith("- `r250`: **NOT CERTIFIED**: `")


def test_several_records_are_sections_and_none_is_said(certificate, cli, build):
    build.published(name="a")
    build.published(name="b")
    body = cli("verify", "--markdown", build.path).out
    assert [line for line in body.splitlines() if line.startswith("###")] == ["### `a`", "### `b`"]
    assert certificates_markdown([]) == "No record was judged.\n"
