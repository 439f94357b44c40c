"""Texts that a page must not obey, and a record full of them."""

from __future__ import annotations

import dataclasses

from speedcheck.certificate import Claim
from speedcheck.verdicts import Finding, Verdict, Verdicts

TEXTS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '" onmouseover=alert(1) x="',
    "' autofocus onfocus=alert(1) '",
    "{{ 7 * 7 }}{% for x in y %}",
    "javascript:alert(1)",
    "&lt;b&gt;&amp;&#64;",
    "--><!-- <svg onload=alert(1)>",
    "]]></title></svg><p>",
    "\u202eevil\u2066\x00\ud800\x1b[31m",
    "a" * 400,
]


def with_text(certificate, text):
    """Give a certificate that has `text` in every field that holds a stranger's words."""
    finding = Finding("P014 claim-not-confirmed", "warn", text, text)
    verdict = Verdict("warn", (finding, Finding("R001 other", "info", text + ".", text)))
    runs = [dataclasses.replace(run, log=text, reason=text, gpu=text) for run in certificate.runs]
    groups = [
        dataclasses.replace(group, name=text, label=text)
        for group in (*certificate.groups, *certificate.groups)
    ]
    claim = Claim("losses", text, text, "not_confirmed", text)
    return dataclasses.replace(
        certificate,
        record=text,
        track=text,
        runs=tuple(runs),
        groups=tuple(groups),
        claims=(claim, dataclasses.replace(claim, status="confirmed", where=f"{text}:1")),
        verdicts=Verdicts(verdict, verdict, verdict, verdict),
    )
