"""Texts that a page must not obey, and a record, a race and a series full of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

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
# Figures are kept on one line, and this one must not be.
FIGURE = f"p = {'7' * 400}e-{'7' * 99} s"


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


def race_with_text(result, text):
    """Give a race that has `text` in every field that holds a stranger's words."""
    return dataclasses.replace(
        result,
        folder=text,
        # Against itself and with pairs to come, so that the page shows how to go on.
        plan=dataclasses.replace(
            result.plan, name=text, track=text, pairs=len(result.pairs) + 2, is_aa=True
        ),
        a=dataclasses.replace(result.a, trainer=text),
        b=dataclasses.replace(result.b, trainer=text),
        hosts=(text, text + "."),
        problems=(text,),
    )


def series_with_text(entries, text):
    """Give a series whose records, folders and track are named `text`."""
    return tuple(
        dataclasses.replace(
            entry,
            folder=Path(text, entry.folder),
            track=dataclasses.replace(entry.track, name=text),
            certificate=with_text(entry.certificate, text),
        )
        for entry in entries
    )
