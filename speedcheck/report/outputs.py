"""Where the judgement goes: one form on standard output, and files and annotations as well."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speedcheck.certificate import Certificate
from speedcheck.errors import Unusable, UsageError
from speedcheck.records.record_files import is_evidence
from speedcheck.report.annotations import certificate_annotations, unusable_annotation
from speedcheck.report.certificate_markdown import certificates_markdown
from speedcheck.report.headline import headline
from speedcheck.report.json import certificates_json
from speedcheck.report.junit import certificates_junit
from speedcheck.report.wording import printable, with_distinct_names, without_commands
from speedcheck.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class Outputs:
    """What was asked for.

    Attributes:
        json: print JSON instead of the report for terminals.
        markdown: print Markdown instead of it.
        annotations: print GitHub's workflow commands too; on standard error where standard
            output holds JSON or Markdown, which they would spoil. The runner reads both.
        junit: also write JUnit XML to this file.
        runs: list every run on a terminal, however many there are.
        quiet: print one line a record instead of the report for terminals.
    """

    json: bool = False
    markdown: bool = False
    annotations: bool = False
    junit: Path | None = None
    runs: bool = False
    quiet: bool = False


def write_outputs(
    outputs: Outputs,
    judged: Sequence[tuple[Path, Certificate]],
    unusable: Sequence[Unusable] = (),
) -> None:
    """Write what `outputs` asks for.

    Args:
        outputs: the forms.
        judged: each record's folder and certificate.
        unusable: folders that could not be judged. Reports for terminals and JSON leave them out:
            standard error says them.

    Raises:
        UsageError: the file for JUnit XML cannot be written; all else is.
    """
    certificates = with_distinct_names(judged)
    if outputs.json:
        several = len(judged) + len(unusable) > 1
        sys.stdout.write(certificates_json([c for _, c in judged], as_list=several))
    elif outputs.markdown:
        sys.stdout.write(certificates_markdown(certificates, unusable=unusable))
    elif outputs.quiet:
        sys.stdout.writelines(map(_headline, certificates))
    else:
        folders = [folder for folder, _ in judged]
        _print_for_terminals(list(zip(folders, certificates, strict=True)), len(unusable), outputs)
    if outputs.annotations:
        stream = sys.stderr if outputs.json or outputs.markdown else sys.stdout
        for folder, certificate in judged:
            stream.write(certificate_annotations(certificate, folder))
        stream.writelines(map(unusable_annotation, unusable))
    if outputs.junit is not None:
        write_whole(outputs.junit, certificates_junit(certificates, unusable))


def _headline(certificate: Certificate) -> str:
    return without_commands(f"{printable(f'{certificate.record}: {headline(certificate)}')}\n")


def _print_for_terminals(
    judged: Sequence[tuple[Path, Certificate]], unusable: int, outputs: Outputs
) -> None:
    # Rich takes a tenth of a second, which JSON need not wait for.
    from speedcheck.report import terminal  # noqa: PLC0415

    console = terminal.make_console()
    for folder, certificate in judged:
        terminal.print_certificate(console, certificate, folder, runs=outputs.runs)
        if len(judged) > 1:
            console.print()
    if len(judged) > 1:
        terminal.print_summary(console, [certificate for _, certificate in judged], unusable)


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written or must not be lost, before anything is judged.

    Raises:
        UsageError: its folder does not exist, it is a folder itself, or evidence of a record.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        problem = "is a folder" if path.is_dir() else "its folder does not exist"
        raise UsageError(problem, where=str(path), remedy="name another file")
    if is_evidence(path):
        what = "is evidence of a record, and would be overwritten"
        raise UsageError(what, where=str(path), remedy="name another file")
