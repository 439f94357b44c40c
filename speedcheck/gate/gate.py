"""From a branch to its judgement: each changed record, judged strictly on what git holds of it.

The branch decides what is judged and never how: the rule (speedcheck.toml) and the records to
compare with come from the branch that it is to be merged into.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.certificate import Certificate
from speedcheck.errors import SpeedcheckError
from speedcheck.gate.changes import Change, changed_folders
from speedcheck.gate.git import Repository
from speedcheck.gate.workplace import Commits, Workplace

# Of the logs that the branch takes away, so many are named.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says of one record.

    Attributes:
        folder: the record's folder inside the repository.
        certificate: its judgement; None where it could not be judged.
        reason: why it may not pass; "" where it may.
        baseline: folder of the record that it was compared with; None for none.
    """

    folder: PurePosixPath
    certificate: Certificate | None
    reason: str
    baseline: PurePosixPath | None = None

    @property
    def passed(self) -> bool:
        """Return whether the record may be merged."""
        return not self.reason


class Gate:
    """Judges what a branch does to the records of a repository.

    Args:
        repository: the repository.
        commits: the branch's, and those that it is compared with.
        paths: folders of the repository that hold records.
    """

    def __init__(
        self, repository: Repository, commits: Commits, paths: Iterable[PurePosixPath]
    ) -> None:
        self._repository = repository
        self._commits = commits
        self._paths = tuple(paths)

    def decide(self) -> tuple[Decision, ...]:
        """Judge every record that the branch adds, changes or removes, in order.

        Raises:
            InputError: git cannot give the files, or the configuration is broken.
        """
        left, head = self._commits.left, self._commits.head
        changes = changed_folders(self._repository, left, head, self._paths)
        with Workplace(self._repository, self._commits, self._paths) as workplace:
            return tuple(decision for change in changes for decision in self._of(change, workplace))

    def _of(self, change: Change, workplace: Workplace) -> Iterator[Decision]:
        try:
            before = workplace.records("left", change.folder) if change.existed else ()
            now = workplace.records("head", change.folder) if change.exists else ()
            removed = set(before) - set(now)
            gone = {folder for folder in removed if not workplace.is_moved(folder)}
        except SpeedcheckError as error:
            yield Decision(change.folder, None, workplace.told(error))
            return
        for folder in sorted({*now, *gone}):
            # A file beside all records is no change to each of them.
            if folder != change.folder and change.folder in self._paths:
                continue
            if folder in gone:
                yield Decision(folder, None, "the branch removes this record")
            else:
                yield self._judge(folder, workplace, merged=folder in before)

    def _judge(self, folder: PurePosixPath, workplace: Workplace, *, merged: bool) -> Decision:
        try:
            baseline = workplace.named_baseline(folder) or self._fastest(folder, workplace)
            certificate = workplace.judge("head", folder, baseline)
            lost = workplace.lost_logs(folder) if merged else ()
        except SpeedcheckError as error:
            return Decision(folder, None, workplace.told(error))
        return Decision(folder, certificate, _objection(certificate, lost), baseline)

    def _fastest(self, folder: PurePosixPath, workplace: Workplace) -> PurePosixPath | None:
        """Return the fastest certified record of the same track that the base holds, if any."""
        track = workplace.judge("head", folder).track
        times = {
            earlier: certificate.runtime.mean_s
            for earlier, certificate in workplace.earlier().items()
            if earlier != folder
            and certificate.certified
            and certificate.track == track
            and certificate.runtime is not None
        }
        return min(times, key=times.__getitem__) if times else None


def _objection(certificate: Certificate, lost: tuple[str, ...]) -> str:
    """Return why a judged record may not pass; unknown provenance is not enough to be merged."""
    if not certificate.certified:
        return "not certified"
    if certificate.verdicts.provenance.status not in ("pass", "warn"):
        return "provenance unknown: the evidence does not show where the runs come from"
    if lost:
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        named = ", ".join(lost[:_NAMED])
        return f"the branch changes or removes logs that counted: {named}{more}"
    return ""
