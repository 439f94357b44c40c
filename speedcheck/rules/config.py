"""speedcheck.toml: a project's own tracks.

The file is at the root of the record's git repository, or else in the working directory. One
further down is never read: a submission must not bring along the rule that it is judged by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from speedcheck import toml
from speedcheck.errors import InputError, UsageError
from speedcheck.rules.track_table import preset_names, read_preset, read_track
from speedcheck.rules.tracks import TRACKS, Track, get_track

CONFIG_NAME = "speedcheck.toml"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Tracks(Mapping[str, Track]):
    """The known tracks by their names: built-in ones, presets, and a project's own.

    A preset is read when it is asked for. A project may have a track of its own with the name of
    a preset, but not with that of a built-in track.

    Args:
        own: the project's tracks.
    """

    def __init__(self, own: Mapping[str, Track] | None = None) -> None:
        self._tracks = TRACKS | dict(own or {})

    def __getitem__(self, name: str) -> Track:
        if name not in self._tracks:
            if name not in preset_names():
                raise KeyError(name)
            self._tracks[name] = read_preset(name)
        return self._tracks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._tracks, *preset_names())))

    def __len__(self) -> int:
        return len(set(self))


@dataclass(frozen=True, slots=True)
class Config:
    """What a project decides for all its records.

    Attributes:
        tracks: the known tracks by their names, the built-in ones among them.
        default_track: the track of a record that names none; None for the built-in choice.
        gate_table: the rules of the gate as they are written; None without any.
    """

    tracks: Mapping[str, Track] = field(default_factory=Tracks)
    default_track: str | None = None
    gate_table: toml.Table | None = None


def load_config(folder: Path, file: Path | None = None) -> Config:
    """Return the configuration for the records in `folder`.

    Args:
        folder: the record folder.
        file: the configuration that the caller names; that of the project unless given.

    Raises:
        InputError: the file cannot be read, or a value in it is not what it should be.
    """
    path = file or _find(folder)
    return read_config(path) if path else Config()


def read_config(path: Path) -> Config:
    """Read a speedcheck.toml.

    Raises:
        InputError: the file cannot be read, or a value in it is not what it should be.
    """
    table = toml.read_table(path)
    table.refuse_unknown(("default_track", "tracks", "gate"))
    own = table.table("tracks")
    tables = own.tables() if own else {}
    for name, of_track in tables.items():
        _check_name(name, of_track)
    config = Config(
        Tracks({name: read_track(name, of, str(path)) for name, of in tables.items()}),
        table.get("default_track", toml.text, "the name of a track"),
        table.table("gate"),
    )
    if config.default_track is not None:
        try:
            get_track(config.default_track, config.tracks)
        except UsageError as error:
            what = f"default_track: {error.what}"
            raise InputError(what, where=str(path), remedy=error.remedy) from None
    return config


def project_root(folder: Path) -> Path | None:
    """Return the root of the repository above `folder`, else the working directory above it.

    Both are looked for above the folder, not at it; None where neither is there.
    """
    above = folder.resolve().parents
    repository = next((parent for parent in above if is_repository(parent)), None)
    here = Path.cwd().resolve()
    return repository or (here if here in above else None)


def is_repository(folder: Path) -> bool:
    """Return whether `folder` is the root of a git repository.

    A `.git` that git would not take for one decides nothing: a submission may bring it along.
    """
    git = folder / ".git"
    try:
        if git.is_file():
            # A worktree or a submodule: the file names the folder.
            with git.open("rb") as file:
                mark, _, named = file.read(4096).decode().partition(": ")
            return mark == "gitdir" and (folder / named.strip() / "HEAD").is_file()
        parts = (git / "objects", git / "refs")
        return (git / "HEAD").is_file() and all(part.is_dir() for part in parts)
    except (OSError, ValueError):
        return False


def _find(folder: Path) -> Path | None:
    root = project_root(folder)
    path = root / CONFIG_NAME if root else None
    if path is None or not path.is_file():
        return None
    if path.is_symlink():
        remedy = "name the file with --config"
        raise InputError("is a link: links are not followed", where=str(path), remedy=remedy)
    return path


def _check_name(name: str, table: toml.Table) -> None:
    if not _NAME.fullmatch(name):
        remedy = "use letters, digits, '.', '-' and '_'"
        raise InputError(f"{name[:60]!r} cannot name a track", where=table.where, remedy=remedy)
    if name in TRACKS:
        remedy = "choose another name"
        raise InputError(f"{name!r} is a built-in track", where=table.where, remedy=remedy)
