"""Counted runs that come from several programs: what differs, and how grave it is."""

from __future__ import annotations

import pytest

from speedcheck.api import verify

SCRIPT = """\
import torch
val_tokens = 10485760
rate = 0.0022
seed = 1
def train(model):
    return torch.relu(model) * rate
"""


@pytest.fixture
def mixed(build, published_log_text, findings_of):
    """Judge six logs of one program and others of further ones together; give the finding."""

    def judge(*scripts, main=SCRIPT):
        folder = build.published(script=main)
        for index, script in enumerate(scripts):
            text = published_log_text(val_loss=3.2775, time_ms=index, script=script)
            (folder / f"9{index}.txt").write_text(text)
        (finding,) = findings_of(folder, group="all")["P007 mixed-source"]
        return finding, verify(folder, group="all")

    return judge


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("import torch", "# a comment\nimport torch", "comments, layout or seeds"),
        ("seed = 1", "seed = 2", "comments, layout or seeds"),
        ("model", "network", "the names of variables"),
    ],
)
def test_comments_and_names_are_a_remark(mixed, old, new, kind):
    finding, certificate = mixed(SCRIPT.replace(old, new))
    assert finding.severity == "info"
    assert finding.message.startswith(f"the runs come from 2 programs that differ in {kind}: 6 + 1")
    assert certificate.verdicts.provenance.status == "pass"
    assert certificate.certified


def test_numbers_refuse_the_certificate_and_are_shown(mixed):
    finding, certificate = mixed(SCRIPT.replace("0.0022", "0.0024"))
    assert (finding.severity, finding.where) == ("fail", "00.txt:3")
    assert finding.message == (
        "the runs come from 2 programs that differ in constants: 6 + 1 runs; others: 90.txt; "
        "line 3: 0.0022 -> 0.0024"
    )
    assert not certificate.certified


def test_strings_alone_are_a_warning(mixed):
    script = SCRIPT + "schedule('cosine')\n"
    finding, certificate = mixed(script, script.replace("cosine", "linear"), main=script)
    assert finding.severity == "warn"
    assert "'cosine' -> 'linear'" in finding.message
    assert certificate.certified


def test_numbers_count_more_than_names_and_strings(mixed):
    script = SCRIPT + "schedule('cosine')\n"
    other = script.replace("cosine", "linear").replace("model", "network")
    finding, _ = mixed(other, script.replace("0.0022", "1"), main=script)
    assert finding.severity == "fail"
    assert "0.0022 -> 1" in finding.message


def test_code_refuses_the_certificate_and_shows_its_lines(mixed):
    finding, certificate = mixed(SCRIPT.replace("relu", "gelu"), SCRIPT.replace("0.0022", "1"))
    assert (finding.severity, finding.where) == ("fail", "00.txt:6")
    assert finding.message == (
        "the runs come from 3 programs that differ in code: 6 + 1 + 1 runs; others: 90.txt, "
        "91.txt; line 6: `return torch.relu(model) * rate` -> `return torch.gelu(model) * rate`"
    )
    assert not certificate.certified


def test_programs_that_cannot_be_parsed_are_a_warning(mixed):
    finding, _ = mixed("import torch:\n")
    assert finding.severity == "warn"
    assert finding.message == (
        "the runs come from 2 programs, which cannot be compared: 6 + 1 runs; others: 90.txt"
    )


def test_different_code_counts_more_than_what_cannot_be_parsed(mixed):
    finding, _ = mixed("import torch:\n", SCRIPT.replace("relu", "gelu"))
    assert finding.severity == "fail"
    finding, _ = mixed("import torch:\n", SCRIPT.replace("0.0022", "1"))
    assert finding.severity == "fail"
    finding, _ = mixed("import torch:\n", SCRIPT.replace("model", "network"))
    assert finding.severity == "warn"
    assert "cannot be compared" in finding.message


def test_text_of_a_program_cannot_steer_a_terminal(mixed, build, cli):
    finding, _ = mixed(SCRIPT.replace("relu(model)", "relu('\x1b[31m\u202e')"))
    assert "\x1b" in finding.message
    result = cli("verify", build.path / "submission", "--group", "all")
    assert "P007 mixed-source" in result.out
    assert "\x1b" not in result.out
    assert "\u202e" not in result.out
