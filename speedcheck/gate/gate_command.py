"""`speedcheck gate`: from what was typed, and GitHub's environment, to the decisions."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from speedcheck.errors import SpeedcheckError, UsageError
from speedcheck.gate.decide import decide
from speedcheck.gate.decision import Decision
from speedcheck.gate.git import Repository
from speedcheck.gate.tree import is_inside
from speedcheck.gate.workplace import Commits
from speedcheck.report.gate_text import gate_json, gate_lines, gate_markdown, summary
from speedcheck.report.outputs import check_writable
from speedcheck.whole_file import not_written, write_whole
from speedcheck.words import count, join_some

# GitHub sets these: the branch that a pull request is to be merged into, and the file whose text
# it shows on the job's page.
BASE_VARIABLE = "GITHUB_BASE_REF"
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
# And this: the file that takes a step's outputs, one `name=value` a line.
OUTPUT_VARIABLE = "GITHUB_OUTPUT"

DEFAULT_BASE = "main"
DEFAULT_FOLDER = "records"


def run_gate(  # noqa: PLR0913 - one argument an option
    paths: Iterable[str],
    *,
    base: str | None,
    head: str,
    repository: Path | None,
    comment: Path | None,
    json: Path | None = None,
    report: Path | None = None,
    quiet: bool = False,
) -> bool:
    """Judge a branch, print and write the decisions, and return whether all records pass.

    Args:
        paths: folders of the repository that hold records; none for `records`.
        base: branch to merge into; None for GitHub's, else main.
        head: branch to judge.
        repository: a folder in the clone; None for the working directory.
        comment: file for the body of a comment; None for none.
        json: file for the decisions with their certificates; None for none.
        report: folder for a page of each judged record; None for none.
        quiet: print the gate's decision alone.

    Raises:
        SpeedcheckError: there is no repository, no such branch or folder, or a file cannot be
            written.
    """
    for file in (comment, json):
        if file is not None:
            check_writable(file)
    if report is not None:
        from speedcheck.gate.pages import check_pages  # noqa: PLC0415 - takes matplotlib

        check_pages(report)
    clone = Repository(repository or Path.cwd())
    tip = clone.commit(base or _default_base())
    judged = clone.commit(head)
    left = clone.merge_base(tip, judged)
    named = tuple(map(_folder, paths))
    for folder in named:
        if not any(clone.has_folder(commit, folder) for commit in (left, judged)):
            # A mistyped folder would pass everything.
            remedy = "name a folder that holds records"
            raise UsageError(f"{str(folder)!r} is in neither base nor head", remedy=remedy)
    folders = named or (PurePosixPath(DEFAULT_FOLDER),)
    decisions = decide(clone, Commits(tip, left, judged), folders, report)
    remarks = (*_elsewhere(clone, left, judged, folders), *_uncommitted(clone, judged, folders))
    sys.stdout.write(f"{summary(decisions)}\n" if quiet else gate_lines(decisions, remarks))
    body = gate_markdown(decisions, remarks)
    if comment is not None:
        write_whole(comment, _encoded(body))
    if json is not None:
        write_whole(json, _encoded(gate_json(decisions)))
    if shown := os.environ.get(SUMMARY_VARIABLE):
        _append(Path(shown), body)
    passed = all(decision.passed for decision in decisions)
    if outputs := os.environ.get(OUTPUT_VARIABLE):
        _append(Path(outputs), _outputs(decisions, passed=passed))
    return passed


def _outputs(decisions: Sequence[Decision], *, passed: bool) -> str:
    judged = [d.certificate for d in decisions if d.certificate is not None]
    certified = bool(judged) and all(certificate.certified for certificate in judged)
    return "".join(
        f"{name}={str(value).lower()}\n"
        for name, value in (("passed", passed), ("certified", certified))
    )


def _elsewhere(
    clone: Repository, left: str, judged: str, folders: Sequence[PurePosixPath]
) -> Iterator[str]:
    """Say which files the branch changes outside of the folders of records."""
    try:
        changed = clone.changed(left, judged)
        files = [p for p in changed if not any(is_inside(p, folder) for folder in folders)]
    except SpeedcheckError as error:
        yield f"what the branch changes outside of the records was not listed: {error}"
        return
    if files:
        names = join_some(map(str, files))
        yield f"{count(len(files), 'file')} changed outside of the records, not judged: {names}"


def _uncommitted(clone: Repository, judged: str, folders: Iterable[PurePosixPath]) -> Iterator[str]:
    """Say which files of the checkout are not in the commit that was judged."""
    files: list[PurePosixPath] = []
    # Too many of them are not worth a decision that has been made.
    with suppress(SpeedcheckError):
        if judged == clone.commit("HEAD"):
            files = [path for folder in folders for path in clone.uncommitted(folder)]
    if files:
        names = join_some(map(str, files))
        yield f"{count(len(files), 'file')} not committed and so not judged: {names}"


def _default_base() -> str:
    branch = os.environ.get(BASE_VARIABLE)
    return f"origin/{branch}" if branch else DEFAULT_BASE


def _folder(text: str) -> PurePosixPath:
    folder = PurePosixPath(text)
    if folder.is_absolute() or ".." in folder.parts:
        raise UsageError(
            f"{text!r} is not a folder inside the repository",
            remedy="give a path relative to its root, such as records",
        )
    return folder


def _append(path: Path, text: str) -> None:
    try:
        with path.open("ab") as file:
            file.write(_encoded(text))
    except OSError as error:
        raise not_written(path, error) from error


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
