"""The files of the commits that the gate looks at, in a temporary folder, and their judgement."""

from __future__ import annotations

import posixpath
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, Self

from speedcheck.api import verify_folder
from speedcheck.certificate import Certificate
from speedcheck.checks import codes
from speedcheck.config import CONFIG_NAME
from speedcheck.errors import InputError, NoRecordError, SpeedcheckError
from speedcheck.gate.changes import files_for
from speedcheck.gate.git import Blob, Repository
from speedcheck.many import verify_folders
from speedcheck.records.files import LOGS_NAME, MAX_FILE_BYTES, MAX_FILES, MAX_LEVELS
from speedcheck.records.folder import find_records
from speedcheck.records.plan import PLAN_NAME, read_plan
from speedcheck.rule import Overrides

Which = Literal["base", "left", "head"]

# 1,500 published logs have 250 MB; git can hold far more in a few bytes of history.
MAX_SUBMISSION_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Commits:
    """What the gate compares, by the names of commits.

    Attributes:
        base: the branch to merge into, as it is now: the rule and earlier records come from it.
        left: where the judged branch left it: what differs from there is the branch's doing.
        head: the branch to judge.
    """

    base: str
    left: str
    head: str


class Workplace:
    """Files out of the commits, each commit in a tree of its own; used in a `with` statement.

    Args:
        repository: the repository.
        commits: the commits.
        paths: folders of the repository that hold records.

    Raises:
        InputError: git cannot give the base's configuration, or it is a link.
    """

    def __init__(
        self, repository: Repository, commits: Commits, paths: Iterable[PurePosixPath]
    ) -> None:
        self._repository = repository
        self._commits: dict[Which, str] = {
            "base": commits.base,
            "left": commits.left,
            "head": commits.head,
        }
        self._paths = tuple(paths)
        self._temporary = tempfile.TemporaryDirectory(prefix="speedcheck-gate-")
        self._root = Path(self._temporary.name)
        self._written: set[tuple[Which, PurePosixPath]] = set()
        self._earlier: dict[PurePosixPath, Certificate] | None = None

    def __enter__(self) -> Self:
        """Make the workplace ready."""
        try:
            self._config = self._configuration()
        except BaseException:
            self._temporary.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        self._temporary.cleanup()

    def records(self, which: Which, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        """Return the records of a commit at or below `folder`.

        A folder that holds documents alone has none; one whose record cannot be read raises.

        Raises:
            InputError: the files are more, larger or deeper than a submission's can be.
        """
        blobs = files_for(self._repository, self._commits[which], folder)
        if len(blobs) > MAX_FILES:
            what = f"{codes.TOO_MANY_FILES}: {len(blobs)} files, more than {MAX_FILES}"
            raise InputError(what, remedy="split the submission")
        size = sum(blob.size for blob in blobs if blob.size <= MAX_FILE_BYTES)
        if size > MAX_SUBMISSION_BYTES:
            what = f"{size >> 20} MiB of files, more than {MAX_SUBMISSION_BYTES >> 20}"
            raise InputError(what, remedy="split the submission")
        if any(len(blob.path.parts) > MAX_LEVELS for blob in blobs):
            what = f"a file stands more than {MAX_LEVELS} folders deep"
            raise InputError(what, remedy="put the logs into the record's folder")
        self._export(which, blobs)
        return self._found(which, folder)

    def judge(
        self, which: Which, folder: PurePosixPath, baseline: PurePosixPath | None = None
    ) -> Certificate:
        """Judge a record of a commit, beside one of the base."""
        overrides = Overrides(
            baseline=None if baseline is None else self._root / "base" / baseline,
            baseline_name=None if baseline is None else str(baseline),
            config=self._config,
        )
        return verify_folder(self._root / which / folder, overrides)

    def lost_logs(self, folder: PurePosixPath) -> tuple[str, ...]:
        """Return the logs that counted for a merged record and are not in it any more.

        A log may get another name; it may not get other bytes.
        """
        tree = self._repository.tree(self._commits["head"], folder)
        now = {blob.object_id for blob in tree}
        counted = self._counted_logs(folder).items()
        return tuple(name for name, object_id in counted if object_id not in now)

    def is_moved(self, folder: PurePosixPath) -> bool:
        """Return whether one folder of the branch has all that a record was merged with.

        That is the logs that counted, or each of its files where none did.
        """
        merged = set(self._counted_logs(folder).values()) or {
            blob.object_id for blob in self._repository.tree(self._commits["left"], folder)
        }
        held: dict[PurePosixPath, set[str]] = defaultdict(set)
        for path in self._paths:
            for blob in self._repository.tree(self._commits["head"], path):
                parent = blob.path.parent
                held[parent.parent if parent.name == LOGS_NAME else parent].add(blob.object_id)
        return any(merged <= objects for objects in held.values())

    def named_baseline(self, folder: PurePosixPath) -> PurePosixPath | None:
        """Return the baseline that the branch's record.toml names, out of the base.

        Raises:
            InputError: it leaves the repository, or the base does not hold it.
        """
        path = self._root / "head" / folder / PLAN_NAME
        is_plan = path.is_file() and not path.is_symlink()
        named = read_plan(path).baseline if is_plan else None
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

    def earlier(self) -> dict[PurePosixPath, Certificate]:
        """Return all records of the base below the paths that can be judged, by their folders."""
        if self._earlier is None:
            self._earlier = {}
            for path in self._paths:
                self._export("base", self._repository.tree(self._commits["base"], path))
                found = self._found("base", path)
                folders = [self._root / "base" / folder for folder in found]
                judged = verify_folders(folders, Overrides(config=self._config))
                for folder, result in zip(found, judged, strict=True):
                    # What cannot be judged is no record to beat.
                    if isinstance(result, Certificate):
                        self._earlier[folder] = result
        return self._earlier

    def told(self, error: SpeedcheckError) -> str:
        """Return an error with the paths that files have in the repository."""
        text = str(error)
        for which in self._commits:
            text = text.replace(f"{self._root / which}/", "")
        return text

    def _counted_logs(self, folder: PurePosixPath) -> dict[str, str]:
        """Return the logs that counted where the branch left, and the names of their objects."""
        tree = self._repository.tree(self._commits["left"], folder)
        objects = {blob.path: blob.object_id for blob in tree}
        try:
            counted = self.judge("left", folder).counted
        except SpeedcheckError:
            # What could not be judged had nothing that counted.
            return {}
        return {run.log: objects[folder / run.log] for run in counted if run.log is not None}

    def _found(self, which: Which, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        root = self._root / which
        # A folder that the branch made a link would lead out of the commit.
        real = (root / folder).resolve()
        if real != root.resolve() / folder or not real.is_dir():
            return ()
        parser_for = Overrides(config=self._config).parser_for
        try:
            found = find_records(root / folder, parser_for)
        except NoRecordError:
            return ()
        return tuple(PurePosixPath(path.relative_to(root).as_posix()) for path in found)

    def _configuration(self) -> Path:
        """Return the base's speedcheck.toml, or an empty one: no other may be looked for."""
        tree = self._repository.tree(self._commits["base"], PurePosixPath())
        self._export("base", [blob for blob in tree if blob.path == PurePosixPath(CONFIG_NAME)])
        config = self._root / "base" / CONFIG_NAME
        if config.is_symlink():
            what = "is a link in the base: links are not followed"
            raise InputError(what, where=CONFIG_NAME, remedy="put the file itself there")
        if not config.is_file():
            config = self._root / CONFIG_NAME
            config.touch()
        return config

    def _export(self, which: Which, blobs: Iterable[Blob]) -> None:
        new = [blob for blob in blobs if (which, blob.path) not in self._written]
        self._repository.export(new, self._root / which)
        self._written |= {(which, blob.path) for blob in new}
