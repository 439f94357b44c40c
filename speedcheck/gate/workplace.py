"""The files of the commits that the gate looks at, in a temporary folder, and their judgement."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, Self

from speedcheck.api import judge_folder
from speedcheck.certificate import Certificate
from speedcheck.checks import codes
from speedcheck.errors import InputError, NoRecordError, SpeedcheckError, UsageError
from speedcheck.gate.git import Repository
from speedcheck.gate.objects import Blob
from speedcheck.gate.tree import Tree, read_tree
from speedcheck.judge import Judgement
from speedcheck.logs import LogFile, Parser
from speedcheck.many import verify_folders
from speedcheck.records.hidden import HiddenRun
from speedcheck.records.record_files import MAX_FILE_BYTES, MAX_FILES, MAX_LEVELS
from speedcheck.records.record_folder import find_records, read_record
from speedcheck.records.record_toml import PLAN_NAME, Plan, read_plan
from speedcheck.rules.config import CONFIG_NAME, Config, read_config
from speedcheck.rules.gate_rules import GateRules, PathRules, read_gate_rules
from speedcheck.rules.rule import Overrides, SystemsRule
from speedcheck.rules.tracks import get_track

Which = Literal["base", "left", "head"]

# 1,500 published logs have 250 MB; git can hold far more in a few bytes of history.
MAX_SUBMISSION_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Commits:
    """What the gate compares, by the names of commits.

    Attributes:
        base: the branch to merge into, as it is now: the rules and earlier records come from it.
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
        roots: folders of the repository that hold records.
        head: the files of the judged branch below `roots`.

    Raises:
        InputError: git cannot list the files, or the base's configuration cannot be read.
    """

    def __init__(
        self,
        repository: Repository,
        commits: Commits,
        roots: Iterable[PurePosixPath],
        head: Tree,
    ) -> None:
        self._repository = repository
        self._commit: dict[Which, str] = {
            "base": commits.base,
            "left": commits.left,
            "head": commits.head,
        }
        self.roots = tuple(roots)
        base = read_tree(repository, commits.base, self.roots)
        is_same = commits.left == commits.base
        left = base if is_same else read_tree(repository, commits.left, self.roots)
        self.trees: dict[Which, Tree] = {"base": base, "left": left, "head": head}
        self._temporary = tempfile.TemporaryDirectory(prefix="speedcheck-gate-")
        self._root = Path(self._temporary.name)
        self._written: set[tuple[Which, PurePosixPath]] = set()
        self._earlier: dict[PurePosixPath, Certificate] | None = None
        self._unjudged: list[PurePosixPath] = []

    def __enter__(self) -> Self:
        """Make the workplace ready."""
        try:
            self._config_path = self._configuration()
            self.config: Config = read_config(self._config_path)
            self.rules: GateRules = read_gate_rules(
                self.config.gate_table, self.config.default_track
            )
            for name in sorted(self.rules.track_names()):
                get_track(name, self.config.tracks)
        except UsageError as error:
            self._temporary.cleanup()
            what = f"[gate] track: {error.what}"
            raise InputError(what, where=CONFIG_NAME, remedy=error.remedy) from None
        except BaseException:
            self._temporary.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        self._temporary.cleanup()

    def path(self, which: Which, inside: PurePosixPath) -> Path:
        """Return where a file or folder of a commit is in the workplace."""
        return self._root / which / inside

    def fetch(self, which: Which, files: Iterable[PurePosixPath]) -> None:
        """Write files of a commit into the workplace.

        Raises:
            InputError: those that the branch brings are too many, too large or too deep.
        """
        blobs = [self.trees[which][path] for path in files]
        if which == "head":
            _refuse_too_much([b for b in blobs if self.trees["left"].get(b.path) != b])
        self._export(which, blobs)

    def records(self, which: Which, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        """Return the records of a commit at or below `folder`, of the files that were fetched.

        A folder that holds documents alone has none; one whose record cannot be read is among them.
        """
        top = self.path(which, folder)
        # A folder that the branch made a link would lead out of the commit.
        if top.resolve() != (self._root / which).resolve() / folder or not top.is_dir():
            return ()
        try:
            found = find_records(top, self._parser)
        except NoRecordError:
            return ()
        return tuple(PurePosixPath(path.relative_to(self._root / which)) for path in found)

    def plan(self, which: Which, folder: PurePosixPath) -> Plan | None:
        """Return a record's plan; None without one, or where it is a link.

        Raises:
            InputError: it cannot be read.
        """
        path = self.path(which, folder) / PLAN_NAME
        return read_plan(path) if path.is_file() and not path.is_symlink() else None

    def rules_for(self, folder: PurePosixPath) -> PathRules:
        """Return the base's rules for the records in a folder."""
        return self.rules.for_path(folder)

    def judge(
        self, which: Which, folder: PurePosixPath, baseline: PurePosixPath | None = None
    ) -> Certificate:
        """Judge a record of a commit by the base's rules, beside a record of the base."""
        return self.judgement(which, folder, baseline).certificate

    def judgement(
        self, which: Which, folder: PurePosixPath, baseline: PurePosixPath | None = None
    ) -> Judgement:
        """Judge a record as `judge` does, and return all that its page shows."""
        overrides = self._overrides(folder, self.plan(which, folder), baseline)
        return judge_folder(self.path(which, folder), overrides)

    def logs(self, which: Which, folder: PurePosixPath) -> tuple[LogFile, ...]:
        """Return the logs of a record, as they were read."""
        return read_record(self.path(which, folder), self._parser).logs

    def hidden(
        self, which: Which, folder: PurePosixPath, quotable: Sequence[LogFile]
    ) -> tuple[HiddenRun, ...]:
        """Return the runs that a record hides and none of the logs `quotable` has."""
        return read_record(self.path(which, folder), self._parser, quotable=quotable).hidden

    def named_baseline(self, which: Which, folder: PurePosixPath) -> PurePosixPath | None:
        """Return the baseline that a record.toml names, out of the base.

        Raises:
            InputError: it leaves the folders of records, or the base does not hold it.
        """
        plan = self.plan(which, folder)
        if plan is None or plan.baseline is None:
            return None
        baseline = PurePosixPath(posixpath.normpath(folder / plan.baseline))
        where = f"{folder / PLAN_NAME} baseline"
        if ".." in baseline.parts or baseline.is_absolute():
            raise InputError("leaves the repository", where=where, remedy="name a record in it")
        inside = self.trees["base"].below(baseline)
        if not inside:
            remedy = "name a record that was merged before"
            raise InputError(f"{baseline} is not in the base", where=where, remedy=remedy)
        self.fetch("base", inside)
        return baseline

    def earlier(self) -> dict[PurePosixPath, Certificate]:
        """Return all records of the base that can be judged, by their folders."""
        if self._earlier is None:
            self._earlier = {}
            self.fetch("base", self.trees["base"])
            found = sorted({f for root in self.roots for f in self.records("base", root)})
            by_overrides: dict[Overrides, list[PurePosixPath]] = {}
            for folder in found:
                try:
                    overrides = self._overrides(folder, self.plan("base", folder), None)
                except SpeedcheckError:
                    self._unjudged.append(folder)
                    continue
                by_overrides.setdefault(overrides, []).append(folder)
            for overrides, folders in by_overrides.items():
                paths = [self.path("base", folder) for folder in folders]
                for folder, result in zip(folders, verify_folders(paths, overrides), strict=True):
                    # What cannot be judged is not a record to beat.
                    if isinstance(result, Certificate):
                        self._earlier[folder] = result
                    else:
                        self._unjudged.append(folder)
        return self._earlier

    def unjudged(self) -> tuple[PurePosixPath, ...]:
        """Return the records of the base that cannot be judged: nothing is compared with them."""
        self.earlier()
        return tuple(sorted(self._unjudged))

    def error_text(self, error: SpeedcheckError) -> str:
        """Return an error with the paths that files have in the repository."""
        text = str(error)
        for which in self._commit:
            text = text.replace(f"{self._root / which}/", "")
        return text

    def _overrides(
        self, folder: PurePosixPath, plan: Plan | None, baseline: PurePosixPath | None
    ) -> Overrides:
        """Return how a record is judged: a record that names no track has the first of its path."""
        rules = self.rules_for(folder)
        return Overrides(
            track=None if plan is not None and plan.track is not None else rules.tracks[0],
            baseline=None if baseline is None else self.path("base", baseline),
            baseline_name=None if baseline is None else str(baseline),
            config=self._config_path,
            systems=rules.systems or SystemsRule(),
        )

    def _parser(self, folder: Path, plan: Plan | None) -> Parser:
        inside = folder.relative_to(self._root).parts[1:]
        return self._overrides(PurePosixPath(*inside), plan, None).parser_for(folder, plan)

    def _configuration(self) -> Path:
        """Return the base's speedcheck.toml, or an empty one: no other may be looked for."""
        blob = self._repository.file(self._commit["base"], PurePosixPath(CONFIG_NAME))
        self._export("base", [] if blob is None else [blob])
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
        if new:
            self._repository.export(new, self._root / which)
        self._written |= {(which, blob.path) for blob in new}


def _refuse_too_much(blobs: list[Blob]) -> None:
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
