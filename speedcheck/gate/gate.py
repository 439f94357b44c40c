"""From a branch to its judgement: each changed record, judged strictly on what git holds of it.

The branch decides what is judged and never how: the rules (speedcheck.toml) and the records to
compare with come from the branch that it is to be merged into.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from speedcheck.errors import SpeedcheckError
from speedcheck.gate.changes import submissions
from speedcheck.gate.copies import copies_across
from speedcheck.gate.decision import Decision
from speedcheck.gate.git import Repository
from speedcheck.gate.moves import Moves
from speedcheck.gate.objection import Objection
from speedcheck.gate.record import RecordJudge
from speedcheck.gate.submission import Found, beside_records, find, is_touched
from speedcheck.gate.tree import read_tree
from speedcheck.gate.workplace import Commits, Workplace

Decided = dict[PurePosixPath, Decision]


def decide(
    repository: Repository,
    commits: Commits,
    roots: Iterable[PurePosixPath],
    pages: Path | None = None,
) -> tuple[Decision, ...]:
    """Judge every record that a branch adds, changes or removes, in the order of their folders.

    Args:
        repository: the repository.
        commits: the branch's, and those that it is compared with.
        roots: folders of the repository that hold records.
        pages: folder for a page of each judged record; None for none.

    Raises:
        SpeedcheckError: the base cannot be listed, its configuration is broken, or a page cannot
            be written.
    """
    places = tuple(roots)
    try:
        head = read_tree(repository, commits.head, places)
    except SpeedcheckError as error:
        return (Decision(places[0], None, (Objection(str(error)),)),)
    with Workplace(repository, commits, places, head) as workplace:
        decided: Decided = {}
        found = _find_all(workplace, decided)
        moves = _moves(workplace, found)
        judge = RecordJudge(workplace)
        for each in found:
            _judge_records(workplace, judge, each, moves, decided)
            _judge_beside(workplace, each, moves, decided)
        for folder, objection in copies_across(judge.new_runs, judge.other_runs()):
            decided[folder] = decided[folder].with_objections([objection])
        decisions = tuple(decided[folder] for folder in sorted(decided))
        if pages is not None:
            # It takes matplotlib, which other calls need not wait for.
            from speedcheck.gate.pages import write_pages  # noqa: PLC0415

            write_pages(workplace, decisions, pages)
        return decisions


def _find_all(workplace: Workplace, decided: Decided) -> list[Found]:
    """Return the submissions with their records; one that cannot be read is decided at once."""
    found = []
    for submission in submissions(
        workplace.trees["left"], workplace.trees["head"], workplace.roots
    ):
        try:
            found.append(find(workplace, submission))
        except SpeedcheckError as error:
            decided[submission.folder] = _unusable(workplace, submission.folder, error)
    return found


def _moves(workplace: Workplace, found: Iterable[Found]) -> Moves:
    every = list(found)
    gone = [folder for each in every for folder in each.before if folder not in each.now]
    added = [folder for each in every for folder in each.now if folder not in each.before]
    kept = [folder for each in every for folder in each.now if folder in each.before]
    return Moves.of(workplace, gone, (*added, *kept))


def _judge_records(
    workplace: Workplace, judge: RecordJudge, found: Found, moves: Moves, decided: Decided
) -> None:
    for folder in found.now:
        merged = (*((folder,) if folder in found.before else ()), *moves.into(folder))
        if not is_touched(found, folder):
            continue
        try:
            decided[folder] = judge.judge(folder, merged)
        except SpeedcheckError as error:
            decided[folder] = _unusable(workplace, folder, error)
    for folder in moves.removed:
        what = Objection("the branch removes this record")
        decided[folder] = Decision(folder, None, (what,))


def _judge_beside(workplace: Workplace, found: Found, moves: Moves, decided: Decided) -> None:
    """Add what closes the gate in a submission as a whole to its first record."""
    folder = found.submission.folder
    try:
        beside = tuple(beside_records(workplace, found, moves))
    except SpeedcheckError as error:
        beside = _unusable(workplace, folder, error).objections
    if beside:
        place = next((record for record in found.now if record in decided), folder)
        decision = decided.get(place, Decision(place, None))
        decided[place] = decision.with_objections(beside)


def _unusable(workplace: Workplace, folder: PurePosixPath, error: SpeedcheckError) -> Decision:
    return Decision(folder, None, (Objection(workplace.error_text(error)),))
