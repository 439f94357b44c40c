"""The certificate as JUnit XML: a suite for each record, a case for each of its four verdicts.

`fail` is a failure, `unknown` is skipped, and what a verdict says besides stands in the case's
output.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from speedcheck.certificate import Certificate, Finding, Status, Verdict
from speedcheck.report.text import headline, printable

_RESULTS: dict[Status, str] = {"fail": "failure", "unknown": "skipped"}


def certificates_junit(certificates: Sequence[Certificate]) -> bytes:
    """Return the judgements as an XML document in UTF-8, ending in a newline."""
    root = ET.Element("testsuites", name="speedcheck")
    for certificate in certificates:
        root.append(_suite(certificate))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(certificate: Certificate) -> ET.Element:
    verdicts = certificate.verdicts.by_question()
    statuses = [verdict.status for verdict in verdicts.values()]
    record = printable(certificate.record)
    suite = ET.Element(
        "testsuite",
        name=record,
        tests=str(len(verdicts)),
        failures=str(statuses.count("fail")),
        errors="0",
        skipped=str(statuses.count("unknown")),
    )
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="judgement", value=headline(certificate))
    suite.extend(_case(record, question, verdict) for question, verdict in verdicts.items())
    return suite


def _case(record: str, question: str, verdict: Verdict) -> ET.Element:
    case = ET.Element("testcase", classname=record, name=question)
    said = [_line(finding) for finding in verdict.findings]
    if verdict.status in _RESULTS:
        decisive = next(f for f in verdict.findings if f.severity == verdict.status)
        kind, message = _RESULTS[verdict.status], _line(decisive)
        ET.SubElement(case, kind, type=decisive.code, message=message)
    if verdict.status == "fail":
        case[0].text = "\n".join(said)
    elif said:
        ET.SubElement(case, "system-out").text = "\n".join(said)
    return case


def _line(finding: Finding) -> str:
    # What is not printable is shown by its escape, so no character is left that XML forbids.
    where = f" ({printable(finding.where)})" if finding.where else ""
    return f"{finding.code}: {printable(finding.message)}{where}"
