"""From a branch to its judgement: each changed record, judged strictly on what git holds of it.

The branch decides what is judged and never how: the rule (speedcheck.toml) and the records to
compare with come from the base.
"""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from speedcheck.api import verify_folder
from speedcheck.certificate import Certificate
from speedcheck.checks import codes
from speedcheck.config import CONFIG_NAME
from speedcheck.errors import InputError, NoRecordError, SpeedcheckError
from speedcheck.gate.changes import Change, changed_folders, files_for
from speedcheck.gate.git import Blob, Repository
from speedcheck.records.folder import MAX_FILES, find_records
from speedcheck.records.plan import PLAN_NAME, read_plan
from speedcheck.rule import Overrides


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
        base: commit that the branch left.
        head: the branch's commit.
        paths: folders of the repository that hold records.
    """

    def __init__(
        self, repository: Repository, base: str, head: str, paths: Iterable[PurePosixPath]
    ) -> None:
        self._repository = repository
        self._base = base
        self._head = head
        self._paths = tuple(paths)

    def decide(self) -> tuple[Decision, ...]:
        """Judge every record that the branch adds, changes or removes, in order.

        Raises:
            InputError: git cannot give the files, or the base's configuration is broken.
        """
        changes = changed_folders(self._repository, self._base, self._head, self._paths)
        with tempfile.TemporaryDirectory(prefix="speedcheck-gate-") as temporary:
            workplace = _Workplace(self._repository, self._base, self._head, Path(temporary))
            return tuple(decision for change in changes for decision in self._of(change, workplace))

    def _of(self, change: Change, workplace: _Workplace) -> Iterator[Decision]:
        try:
            folders = workplace.records(change.folder) if change.exists else ()
        except SpeedcheckError as error:
            yield Decision(change.folder, None, str(error))
            return
        for folder in folders:
            # A file beside all records is no change to each of them.
            if folder == change.folder or change.folder not in self._paths:
                yield self._judge(folder, workplace)
        if not folders and change.existed and workplace.was_record(change.folder):
            yield Decision(change.folder, None, "the branch removes this record")

    def _judge(self, folder: PurePosixPath, workplace: _Workplace) -> Decision:
        try:
            baseline = workplace.named_baseline(folder) or self._fastest(folder, workplace)
            certificate = workplace.judge(folder, baseline)
        except SpeedcheckError as error:
            return Decision(folder, None, str(error))
        return Decision(folder, certificate, _objection(certificate), baseline)

    def _fastest(self, folder: PurePosixPath, workplace: _Workplace) -> PurePosixPath | None:
        """Return the fastest certified record of the same track that the base holds, if any."""
        track = workplace.judge(folder, None).track
        times = {
            earlier: certificate.runtime.mean_s
            for earlier, certificate in workplace.earlier(self._paths).items()
            if earlier != folder
            and certificate.certified
            and certificate.track == track
            and certificate.runtime is not None
        }
        return min(times, key=times.__getitem__) if times else None


class _Workplace:
    """Files out of the two commits in a temporary folder, each commit in a tree of its own."""

    def __init__(self, repository: Repository, base: str, head: str, root: Path) -> None:
        self._repository = repository
        self._commits = {"base": base, "head": head}
        self._root = root
        self._written: set[tuple[str, PurePosixPath]] = set()
        self._earlier: dict[PurePosixPath, Certificate] | None = None
        self._export("base", self._configuration(base))
        config = root / "base" / CONFIG_NAME
        self._config = config if config.is_file() else None

    def records(self, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        """Return the records at or below `folder` on the branch.

        A folder that holds documents alone has none; one whose record cannot be read raises.

        Raises:
            InputError: the branch brings more files than a submission can have.
        """
        blobs = files_for(self._repository, self._commits["head"], folder)
        if len(blobs) > MAX_FILES:
            what = f"{codes.TOO_MANY_FILES}: {len(blobs)} files, more than {MAX_FILES}"
            raise InputError(what, remedy="split the submission")
        self._export("head", blobs)
        return self._found("head", folder)

    def was_record(self, folder: PurePosixPath) -> bool:
        """Return whether the base has a record at or below `folder`."""
        self._export("base", self._repository.tree(self._commits["base"], folder))
        return bool(self._found("base", folder))

    def judge(self, folder: PurePosixPath, baseline: PurePosixPath | None) -> Certificate:
        """Judge a record of the branch, beside one of the base."""
        against = None if baseline is None else self._root / "base" / baseline
        overrides = Overrides(baseline=against, config=self._config)
        return verify_folder(self._root / "head" / folder, overrides)

    def named_baseline(self, folder: PurePosixPath) -> PurePosixPath | None:
        """Return the baseline that the branch's record.toml names, out of the base.

        Raises:
            InputError: it leaves the repository, or the base does not hold it.
        """
        path = self._root / "head" / folder / PLAN_NAME
        named = read_plan(path).baseline if path.is_file() else None
        if named is None:
            return None
        baseline = PurePosixPath(posixpath.normpath(folder / named))
        where = f"{folder / PLAN_NAME} baseline"
        if ".." in baseline.parts or baseline.is_absolute():
            raise InputError("leaves the repository", where=where, remedy="name a record in it")
        blobs = files_for(self._repository, self._commits["base"], baseline)
        self._export("base", blobs)
        if not any(baseline in blob.path.parents for blob in blobs):
            remedy = "name a record that was merged before"
            raise InputError(f"{baseline} is not in the base", where=where, remedy=remedy)
        return baseline

    def earlier(self, paths: Iterable[PurePosixPath]) -> dict[PurePosixPath, Certificate]:
        """Return all records of the base below `paths` that can be judged, by their folders."""
        if self._earlier is None:
            self._earlier = {}
            for path in paths:
                self._export("base", self._repository.tree(self._commits["base"], path))
                for folder in self._found("base", path):
                    overrides = Overrides(config=self._config)
                    try:
                        certificate = verify_folder(self._root / "base" / folder, overrides)
                    except SpeedcheckError:
                        # What cannot be judged is no record to beat.
                        continue
                    self._earlier[folder] = certificate
        return self._earlier

    def _found(self, commit: str, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        root = self._root / commit
        if not (root / folder).is_dir():
            return ()
        parser_for = Overrides(config=self._config).parser_for
        try:
            found = find_records(root / folder, parser_for)
        except NoRecordError:
            return ()
        return tuple(PurePosixPath(path.relative_to(root).as_posix()) for path in found)

    def _configuration(self, base: str) -> list[Blob]:
        root = self._repository.tree(base, PurePosixPath())
        return [blob for blob in root if blob.path == PurePosixPath(CONFIG_NAME)]

    def _export(self, commit: str, blobs: Iterable[Blob]) -> None:
        new = [blob for blob in blobs if (commit, blob.path) not in self._written]
        self._repository.export(new, self._root / commit)
        self._written |= {(commit, blob.path) for blob in new}


def _objection(certificate: Certificate) -> str:
    """Return why a judged record may not pass; unknown provenance is not enough to be merged."""
    if not certificate.certified:
        return "not certified"
    if certificate.verdicts.provenance.status not in ("pass", "warn"):
        return "provenance unknown: the evidence does not show where the runs come from"
    return ""
