"""GitHub annotations, and that no output holds a workflow command that a submission wrote.

The runner's own way of reading a line is written down here a second time, from its documentation
and its source: `::name key=value,key=value::data` behind blanks, and `##[name]data` anywhere.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.api import verify
from speedcheck.certificate import Certificate, LossStatistics
from speedcheck.gate.decision import Decision
from speedcheck.gate.objection import Objection
from speedcheck.report.annotations import certificate_annotations
from speedcheck.report.gate_text import gate_lines, gate_markdown
from speedcheck.report.wording import without_commands
from speedcheck.verdicts import Finding, Severity, Verdict, Verdicts

NAN = float("nan")
COMMANDS = (
    "::error file=a,line=1::forged",
    "::set-output name=certified::true",
    "##[error]forged",
    "##[set-output name=certified]true",
    "::stop-commands::x",
)


def unescaped(text, escapes):
    for escape, character in escapes:
        text = text.replace(escape, character)
    return text


DATA = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]
PROPERTY = [("%3A", ":"), ("%2C", ","), *DATA]


def obeyed(text):
    """Read a job's output as the runner does: (command, properties, data) of each command."""
    found = []
    for line in re.split(r"\r\n|\r|\n", text):
        new = re.match(r"\s*::([^ :]+) ?(.*?)::(.*)", line, re.DOTALL)
        old = re.search(r"##\[([^\] ]+)([^\]]*)\](.*)", line, re.DOTALL)
        if new:
            pairs = [pair.split("=", 1) for pair in new[2].split(",") if "=" in pair]
            properties = {key: unescaped(value, PROPERTY) for key, value in pairs}
            found.append((new[1], properties, unescaped(new[3], DATA)))
        elif old:
            found.append((old[1], {}, old[3]))
    return found


def certificate_with(*findings, record="a record"):
    """Make a certificate whose provenance has `findings`."""
    none = LossStatistics(0, None, None, None, None, None, None, None)
    verdicts = Verdicts(Verdict("pass"), Verdict("pass"), Verdict("pass"), Verdict.of(findings))
    return Certificate(record, "tiny", 1.0, 0.01, False, (), none, None, (), verdicts)


def test_each_severity_has_its_command_and_the_gravest_stands_first(tmp_path):
    severities: list[Severity] = ["info", "warn", "unknown", "fail"]
    certificate = certificate_with(*(Finding("P001 a", s, f"is {s}") for s in severities))
    judgement, *findings = obeyed(certificate_annotations(certificate, tmp_path))
    assert judgement == ("error", {"title": "NOT CERTIFIED: a record"}, "is fail")
    assert findings == [
        ("error", {"title": "P001 a"}, "is fail"),
        ("warning", {"title": "P001 a"}, "is unknown"),
        ("warning", {"title": "P001 a"}, "is warn"),
        ("notice", {"title": "P001 a"}, "is info"),
    ]


def test_one_finding_of_each_code_stands_before_the_second_of_any(tmp_path):
    findings = [Finding("P001 a", "warn", str(i)) for i in range(12)]
    certificate = certificate_with(*findings, Finding("P002 b", "warn", "b"))
    titles = [p["title"] for _, p, _ in obeyed(certificate_annotations(certificate, tmp_path))]
    assert titles[1:4] == ["P001 a", "P002 b", "P001 a"]
    assert len(titles) == 14


@pytest.mark.parametrize(
    ("name", "where", "file", "line"),
    [
        ("logs/a b.txt", "logs/a b.txt", "logs/a b.txt", None),
        ("logs/a.txt", "logs/a.txt:312", "logs/a.txt", "312"),
        ("a,b:c%0A.txt", "a,b:c%0A.txt:7", "a,b:c%0A.txt", "7"),
        ("run:12", "run:12", "run:12", None),
        ("run:12", "run:12:3", "run:12", "3"),
    ],
)
def test_a_finding_marks_the_file_and_line_that_it_names(tmp_path, name, where, file, line):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    certificate = certificate_with(Finding("P004 incomplete-log", "warn", "cut", where))
    text = certificate_annotations(certificate, tmp_path)
    assert obeyed(text)[1] == (
        "warning",
        {
            "file": f"{tmp_path}/{file}",
            **({"line": line} if line else {}),
            "title": "P004 incomplete-log",
        },
        "cut",
    )


@pytest.mark.parametrize("where", ["record.toml [published] p", "gone.txt:3", "", "a\0b:1"])
def test_what_names_no_file_is_said_in_the_message(tmp_path, where):
    certificate = certificate_with(Finding("P014 x", "fail", "wrong", where))
    _, properties, data = obeyed(certificate_annotations(certificate, tmp_path))[1]
    assert properties == {"title": "P014 x"}
    shown = where.replace("\0", "\\x00")
    assert data == (f"wrong ({shown})" if where else "wrong")


@given(st.text(), st.text(min_size=1), st.text())
def test_no_text_ends_its_command_or_begins_another(tmp_path_factory, record, message, where):
    finding = Finding("P004 incomplete-log", "fail", message, where)
    certificate = certificate_with(finding, record=record)
    text = certificate_annotations(certificate, tmp_path_factory.getbasetemp())
    assert text.count("\n") == 2
    assert [(name, set(keys) - {"file", "line"}) for name, keys, _ in obeyed(text)] == [
        ("error", {"title"}),
        ("error", {"title"}),
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_in_a_message_is_shown_and_not_obeyed(tmp_path, command):
    certificate = certificate_with(Finding("P004 incomplete-log", "fail", f"a\n{command}"))
    commands = obeyed(certificate_annotations(certificate, tmp_path))
    assert [data for *_, data in commands] == [f"a\\n{command}"] * 2


def hostile_folder(build, published_log_text, command):
    """Write a record in whose names, plan and logs a command stands at every place."""
    inside = command.replace("/", "")
    plan = {"name": f"{command} {'w' * 60} {command}", "recipe": command, "baseline": command}
    folder = build.record([9.1, 9.2], plan=plan)
    (folder / inside).write_text(published_log_text(val_loss=3.2, gpu=f"NVIDIA {command}"))
    (folder / f"{'v' * 75}{inside}").write_text(published_log_text(val_loss=3.3, last_step=125))
    (folder / f"{inside}.bin").write_bytes(b"\0")
    (folder / "logs" / f"{inside}.txt").symlink_to(command)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "verify",
        "verify --json",
        "verify --markdown",
        "table",
        "table --csv",
        "verify --track",
        "explain",
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", ["80", "37"])
def test_no_output_obeys_what_a_submission_wrote(
    build, cli, published_log_text, monkeypatch, words, command, columns
):
    folder = hostile_folder(build, published_log_text, command)
    monkeypatch.setenv("COLUMNS", columns)
    value = [command] if words.endswith(("--track", "explain")) else []
    result = cli(*words.split(), *value, *([folder] if words != "explain" else []))
    # A narrow terminal breaks the word.
    assert re.search("[a-z-]+", command)[0] in re.sub(r"\s", "", result.out + result.err)
    assert obeyed(result.out) == obeyed(result.err) == []


def test_json_holds_the_same_text_although_no_command_stands_in_it(build, cli):
    folder = build.record(plan={"name": "###[error]x"})
    result = cli("verify", "--json", folder)
    assert json.loads(result.out)["record"] == "###[error]x"
    assert obeyed(result.out) == []


def test_csv_of_other_text_is_left_as_it_is(build, cli):
    folder = build.record(plan={"name": "std::vector # [1] ## a"})
    rows = list(csv.DictReader(io.StringIO(cli("table", "--csv", folder).out)))
    assert {row["record"] for row in rows} == {"std::vector # [1] ## a"}


@given(st.text(alphabet=":#[] \t\r\n\u3000a"))
def test_inert_text_holds_no_command_and_other_lines_stay(text):
    shown = without_commands(text)
    assert not re.search(r"(?:\A|[\r\n])\s*::", shown)
    assert "##[" not in shown
    assert shown.replace("\\x3a", ":").replace("\\x23", "#") == text


@pytest.mark.parametrize("line", ["aten::mm", "a ::b", "# heading", "## [x]", "a: b", ":-:"])
def test_what_is_no_command_is_left_as_it_is(line):
    assert without_commands(line) == line


@pytest.mark.parametrize("piece", ["\n", " ", ":", "#", "##[", "::", " \n:"])
def test_the_cost_of_a_hostile_text_is_linear(piece):
    # A quadratic search would take hours.
    assert len(without_commands(piece * 500_000)) >= len(piece) * 500_000


def test_annotations_follow_the_report_and_stand_apart_from_json_and_markdown(build, cli):
    folder = build.published([3.27, NAN])
    plain = cli("verify", folder)
    both = cli("verify", "--annotations", folder)
    assert both.out.startswith(plain.out)
    lines = both.out[len(plain.out) :]
    assert obeyed(lines)[1] == (
        "error",
        {"file": f"{folder}/01.txt", "title": "L003 diverged-run"},
        verify(folder).verdicts.loss.findings[0].message,
    )
    for form in ("--json", "--markdown"):
        result = cli("verify", "--annotations", form, folder)
        assert result.out == cli("verify", form, folder).out
        assert (result.err, result.code) == (lines, 1)


def test_a_certified_record_is_a_notice(build, cli):
    result = cli("verify", "--annotations", build.record())
    commands = [line for line in result.out.splitlines() if line.startswith("::")]
    assert commands[0].startswith("::notice title=CERTIFIED%3A record::mean loss ")
    assert not any(line.startswith("::error") for line in commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_gates_lines_and_comment_obey_nothing(command):
    finding = Finding("P004 incomplete-log", "fail", command)
    certificate = certificate_with(finding, record=command)
    decisions = [
        Decision(
            PurePosixPath(command), certificate, (Objection(command),), PurePosixPath(command)
        ),
        Decision(PurePosixPath(command), None, (Objection(command, where=command),)),
    ]
    for text in (gate_lines(decisions), gate_markdown(decisions)):
        assert re.search("[a-z-]+", command)[0] in text
        assert obeyed(text) == []
