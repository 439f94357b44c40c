"""The records of a submission, and what the submission brings beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.gate.changes import Submission, owner
from speedcheck.gate.leftovers import hidden, unreadable
from speedcheck.gate.moves import Moves
from speedcheck.gate.objection import Objection
from speedcheck.gate.tree import is_document
from speedcheck.gate.workplace import Which, Workplace
from speedcheck.records.record_toml import PLAN_NAME
from speedcheck.words import join_some


@dataclass(frozen=True, slots=True)
class Found:
    """A submission with its records.

    Attributes:
        submission: what the branch changes.
        before: the records in its folder where the branch left the base.
        now: the records in its folder now.
    """

    submission: Submission
    before: tuple[PurePosixPath, ...]
    now: tuple[PurePosixPath, ...]


def find(workplace: Workplace, submission: Submission) -> Found:
    """Fetch the files of a submission and look for its records.

    Raises:
        InputError: the files are more, larger or deeper than a submission's can be.
    """
    return Found(
        submission,
        before=_records(workplace, "left", submission),
        now=_records(workplace, "head", submission),
    )


def is_touched(found: Found, folder: PurePosixPath) -> bool:
    """Return whether the branch adds a record, or changes a file or a document of it."""
    submission = found.submission
    if folder not in found.before:
        return True
    speaking = {path.parent for path in submission.changed if is_document(path)}
    above = speaking.intersection(folder.parents) - {submission.root}
    return folder in submission.owners or bool(above)


def beside_records(workplace: Workplace, found: Found, moves: Moves) -> Iterator[Objection]:
    """Yield what closes the gate in a submission as a whole.

    That is what no record is judged by (files that cannot be read, runs in files of no record, a
    folder in which nothing was judged), and logs in several folders that nobody declares.
    """
    submission = found.submission
    head = workplace.trees["head"]
    rules = workplace.rules_for(submission.folder)
    changed = [head[path] for path in submission.changed if path in head]
    if submission.root / PLAN_NAME in submission.changed and submission.root / PLAN_NAME in head:
        what = f"is directly in {submission.root}, where it would own every record"
        yield Objection(what, where=PLAN_NAME)
    yield from unreadable(changed, submission.folder, rules)
    new = [f for f in found.now if f not in found.before and not moves.into(f)]
    undeclared = [f for f in new if f / PLAN_NAME not in head]
    if len(undeclared) > 1:
        names = join_some(str(folder) for folder in undeclared)
        what = f"logs are in {len(undeclared)} folders ({names}) and no {PLAN_NAME} declares them"
        yield Objection(what)
    if changed and not (found.now or found.before) and _is_new(workplace, submission):
        yield Objection(f"nothing in it could be judged: it holds no log and no {PLAN_NAME}")
    nobodys = [
        blob.path
        for blob in changed
        if owner(blob.path, submission.root, head.plans) not in found.now
        and not (blob.is_link or blob.is_submodule)
    ]
    yield from hidden(workplace, nobodys, submission.folder, found.now)


def _records(
    workplace: Workplace, which: Which, submission: Submission
) -> tuple[PurePosixPath, ...]:
    tree, root = workplace.trees[which], submission.root
    if submission.folder != root or root in tree.plans:
        files = (*tree.below(submission.folder), *tree.documents_above(submission.folder))
        workplace.fetch(which, files)
        return workplace.records(which, submission.folder)
    # Of the folder that holds all records only its own files are looked at.
    own = [path for path in tree.below(root) if owner(path, root, tree.plans) == root]
    workplace.fetch(which, own)
    return tuple(folder for folder in workplace.records(which, root) if folder == root)


def _is_new(workplace: Workplace, submission: Submission) -> bool:
    """Whether the branch adds the folder, which is not that of all records."""
    folder = submission.folder
    return folder != submission.root and not workplace.trees["left"].below(folder)
