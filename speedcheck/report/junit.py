"""The certificate as JUnit XML: a suite a record, with a case for each verdict and for the record.

A verdict `fail` is a failure and `unknown` is skipped; further findings are the case's output. The
case "certified" fails for every record that is not. A folder that could not be judged is a suite
with one case, which is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from speedcheck.certificate import Certificate
from speedcheck.errors import Unusable
from speedcheck.report.collapsed_findings import collapsed
from speedcheck.report.headline import headline
from speedcheck.report.wording import printable
from speedcheck.verdicts import Finding, Status, Verdict

_RESULTS: dict[Status, str] = {"fail": "failure", "unknown": "skipped"}


def certificates_junit(
    certificates: Sequence[Certificate], unusable: Sequence[Unusable] = ()
) -> bytes:
    """Return the judgements as an XML document in UTF-8, ending in a newline.

    Args:
        certificates: what was judged.
        unusable: what could not be.
    """
    root = ET.Element("testsuites", name="speedcheck")
    root.extend(map(_suite, certificates))
    root.extend(map(_error, unusable))
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
        tests=str(len(verdicts) + 1),
        failures=str(statuses.count("fail") + (not certificate.certified)),
        errors="0",
        skipped=str(statuses.count("unknown")),
    )
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="judgement", value=headline(certificate))
    suite.extend(_case(record, question, verdict) for question, verdict in verdicts.items())
    case = ET.SubElement(suite, "testcase", classname=record, name="certified")
    if not certificate.certified:
        ET.SubElement(case, "failure", type="not certified", message=headline(certificate))
    return suite


def _error(unusable: Unusable) -> ET.Element:
    folder = printable(str(unusable.folder))
    suite = ET.Element("testsuite", name=folder, tests="1", failures="0", errors="1", skipped="0")
    case = ET.SubElement(suite, "testcase", classname=folder, name="folder")
    kind = type(unusable.error).__name__
    ET.SubElement(case, "error", type=kind, message=printable(str(unusable.error)))
    return suite


def _case(record: str, question: str, verdict: Verdict) -> ET.Element:
    case = ET.Element("testcase", classname=record, name=question)
    findings = collapsed(verdict.findings)
    said = [_line(finding) for finding in findings]
    if verdict.status in _RESULTS:
        decisive = next(f for f in findings if f.severity == verdict.status)
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
