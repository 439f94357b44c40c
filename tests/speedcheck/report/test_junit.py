"""JUnit XML: what a CI system reads of each verdict, whatever a submission wrote."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.api import verify
from speedcheck.report.junit import certificates_junit
from speedcheck.verdicts import Finding, Verdict, Verdicts

NAN = float("nan")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory, published_log_text):
    folder = tmp_path_factory.mktemp("record")
    (folder / "0.txt").write_text(published_log_text())
    return verify(folder)


def read_suites(data):
    root = ET.fromstring(data)
    assert root.tag == "testsuites"
    return list(root)


def with_verdicts(certificate, **verdicts):
    verdicts = dataclasses.replace(certificate.verdicts, **verdicts)
    return dataclasses.replace(certificate, verdicts=verdicts)


def test_a_record_is_a_suite_and_a_verdict_a_case(build, cli, tmp_path):
    build.published([3.27, NAN], name="bad")
    build.record(name="good")
    file = tmp_path / "junit.xml"
    result = cli("verify", build.path / "bad", build.path / "good", "--junit", file)
    assert (result.code, result.err) == (1, "")
    bad, good = read_suites(file.read_bytes())
    assert (bad.get("name"), good.get("name")) == ("bad", "good")
    for suite in (bad, good):
        cases = suite.findall("testcase")
        assert [case.get("name") for case in cases] == [
            "loss",
            "speed",
            "rules",
            "provenance",
            "certified",
        ]
        assert {case.get("classname") for case in cases} == {suite.get("name")}
        assert int(suite.get("tests")) == len(cases)
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
        assert suite.get("errors") == "0"
    assert bad.find("testcase[@name='loss']/failure").get("type") == "L003 diverged-run"
    assert bad.find("properties/property").get("value").startswith("NOT CERTIFIED: ")
    assert good.find("testcase[@name='loss']/failure") is None


@pytest.mark.parametrize(
    ("severities", "result", "output"),
    [
        (["fail"], "failure", False),
        (["warn", "fail", "info"], "failure", False),
        (["unknown"], "skipped", True),
        (["warn", "unknown"], "skipped", True),
        (["warn"], None, True),
        (["info"], None, True),
        ([], None, False),
    ],
)
def test_the_status_decides_the_result_and_every_finding_is_told(
    certificate, severities, result, output
):
    findings = tuple(Finding("P004 x", s, f"is {s}", "a.txt:3") for s in severities)
    judged = with_verdicts(certificate, rules=Verdict.of(findings))
    case = read_suites(certificates_junit([judged]))[0].find("testcase[@name='rules']")
    told = {"failure", "skipped"} & {child.tag for child in case}
    assert told == ({result} if result else set())
    assert (case.find("system-out") is not None) == output
    if result:
        decisive = {"failure": "fail", "skipped": "unknown"}[result]
        assert case.find(result).get("message") == f"P004 x: is {decisive} (a.txt:3)"
    text = (case.findtext("failure") or "") + (case.findtext("system-out") or "")
    assert text == "\n".join(f"P004 x: is {s} (a.txt:3)" for s in severities)


@given(st.text(min_size=1) | st.text("\x00\x01\x0b\x1f\ufffe\uffff\ud800]><&\"'", min_size=1))
def test_every_text_gives_a_document_that_parses_and_shows_it(certificate, text):
    verdict = Verdict.of((Finding("P004 x", "fail", text, text),))
    judged = dataclasses.replace(certificate, record=text, verdicts=Verdicts(*[verdict] * 4))
    (suite,) = read_suites(certificates_junit([judged]))
    failure = suite.find("testcase/failure")
    allowed = {c for c in text if c.isprintable()}
    assert allowed <= set(suite.get("name"))
    assert allowed <= set(failure.text)
    assert allowed <= set(failure.get("message"))
    # What XML 1.0 cannot hold is shown by its escape.
    assert all(c.isprintable() for c in failure.text)


def test_what_xml_forbids_is_replaced(certificate):
    judged = dataclasses.replace(certificate, record="a\x00\x1b\ufffe\ud800z")
    (suite,) = read_suites(certificates_junit([judged]))
    assert suite.get("name") == "a\\x00\\x1b\\ufffe\\ud800z"


def test_no_record_is_a_document_without_suites():
    assert read_suites(certificates_junit([])) == []


def test_a_file_that_cannot_be_written_is_one_line_before_anything_is_judged(build, cli, tmp_path):
    folder = build.record()
    for file in (tmp_path, tmp_path / "no" / "junit.xml"):
        result = cli("verify", folder, "--junit", file)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"speedcheck: error: {file}: i")
        assert result.err.count("\n") == 1


def test_junit_stands_beside_any_form_of_the_report(build, cli, tmp_path):
    folder = build.record()
    written = []
    for index, form in enumerate(([], ["--json"], ["--markdown"])):
        file = tmp_path / f"{index}.xml"
        result = cli("verify", folder, *form, "--junit", file)
        assert result.out == cli("verify", folder, *form).out
        written.append(file.read_bytes())
    assert written[0] == written[1] == written[2]


def test_json_and_markdown_at_once_are_refused(build, cli):
    result = cli("verify", build.record(), "--json", "--markdown")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "speedcheck: error: --markdown and --json exclude one another; "
        "leave all but one of them out\n"
    )
