"""`speedcheck race` from request to result: the folder, the two trainers, the runs."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from speedcheck.errors import RecordError, UsageError
from speedcheck.races.race_plan import (
    RACE_NAME,
    RESULT_NAME,
    SIDES,
    RacePlan,
    SideName,
    check_pairs,
    race_toml,
    read_race_plan,
)
from speedcheck.races.race_result import RaceResult
from speedcheck.races.read_race import track_of, trainer_name
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.record_toml import PLAN_NAME, Plan, SampleDeclaration, read_plan, write_plan
from speedcheck.report.race_json import races_json
from speedcheck.rules.config import load_config
from speedcheck.rules.tracks import DEFAULT_TRACK, TRACK_OF_RECIPE, Track, get_track
from speedcheck.run.folder_files import make_folder, today, write_whole
from speedcheck.run.launchers.launcher import Launcher
from speedcheck.run.launchers.local_launcher import LocalLauncher
from speedcheck.run.new_folder import new_folder, refuse_cut_start
from speedcheck.run.race.race_campaign import Racer, RaceRunner
from speedcheck.run.race.race_display import open_race_display
from speedcheck.run.scripts.foreign_program import Start, check_machine, check_script, put_program
from speedcheck.run.scripts.script_launcher import ScriptLauncher
from speedcheck.stats.sequential_pairs import RACE_PAIRS

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class RaceRequest:
    """What was typed after `speedcheck race`.

    Attributes:
        a: recipe, or script with its arguments; None on resuming.
        b: the other; None with `is_aa` and on resuming.
        pairs: largest number of pairs; None for the default.
        is_aa: whether A races against itself.
        alpha: size of the test; None for the track's.
        track: name of the track that says how logs are read; None for the recipe's or the
            project's.
        start: how scripts are started.
        out: folder of the race; None for races/DATE_A_B.
        resume: continue an existing folder.
        data_dir: where the bundled trainer keeps its data.

    Raises:
        UsageError: an argument is missing or out of range, or two contradict each other.
    """

    a: str | None = None
    b: str | None = None
    pairs: int | None = None
    is_aa: bool = False
    alpha: float | None = None
    track: str | None = None
    start: Start = field(default_factory=Start)
    out: Path | None = None
    resume: bool = False
    data_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.resume:
            self._check_resumed()
            return
        if self.a is None:
            raise UsageError("A is missing", remedy="name a recipe or a script")
        if self.is_aa and self.b is not None:
            raise UsageError("--aa races A against itself", remedy="leave B out")
        if not self.is_aa and self.b in (None, self.a):
            what = "B is missing" if self.b is None else "A and B are the same trainer"
            raise UsageError(what, remedy="name another one, or add --aa to race A against itself")
        if self.pairs is not None:
            check_pairs(self.pairs)
        if self.alpha is not None and not 0 < self.alpha < 1:
            raise UsageError(f"--alpha is {self.alpha}", remedy="give a number between 0 and 1")

    def _check_resumed(self) -> None:
        if self.out is None:
            raise UsageError("--resume without --out", remedy="name the race's folder with --out")
        given = (self.a, self.b, self.pairs, self.alpha, self.track, self.is_aa or None)
        if any(value is not None for value in given) or self.start != Start():
            what = "the race was planned, and its plan does not change"
            raise UsageError(what, remedy="type --resume and --out alone")

    @property
    def folder(self) -> Path:
        """Return the folder of the race."""
        names = [self.a or "", self.b or "itself"]
        shown = "_".join(_NOT_IN_NAMES.sub("-", Path(name).name).strip("-") for name in names)
        return self.out or Path("races") / f"{today()}_{shown}"


def run_race(
    request: RaceRequest, console: Console, launcher: Launcher | None = None
) -> RaceResult:
    """Run a race, or continue one, and write its result.

    Args:
        request: what was typed.
        console: where to show how it goes.
        launcher: starts the runs of recipes; child processes unless given.

    Raises:
        SpeedcheckError: the request cannot be met, or a run failed; what was finished stays.
        Interrupted: a signal ended the race; the ledger says how far it came.
    """
    folder = request.folder
    if request.resume:
        refuse_cut_start(folder, RACE_NAME)
    plan = read_race_plan(folder) if request.resume else _create(folder, request)
    track = track_of(folder, plan)
    recipes = launcher or LocalLauncher(request.data_dir)
    racers = {side: _racer(folder, side, track, recipes) for side in SIDES}
    trainers = " against ".join(trainer_name(read_plan(folder / s / PLAN_NAME)) for s in SIDES)
    announcement = f"{folder}: {trainers}, up to {plan.pairs} pairs"
    console.print(Text(announcement), soft_wrap=True)
    with open_race_display(console, plan.pairs) as display:
        result = RaceRunner(folder, plan, racers, track=track, display=display).run()
    write_whole(folder / RESULT_NAME, races_json([result]))
    return result


def _racer(folder: Path, side: SideName, track: Track, recipes: Launcher) -> Racer:
    plan = read_plan(folder / side / PLAN_NAME)
    if plan.script is not None:
        launcher: Launcher = ScriptLauncher(folder / side, plan.script, track)
        return Racer(launcher, launcher.prepare(plan.script.name))
    if plan.recipe is None:
        where = str(folder / side / PLAN_NAME)
        raise RecordError("names neither recipe nor script", where=where, remedy="restore it")
    return Racer(recipes, recipes.prepare(plan.recipe))


def _create(folder: Path, request: RaceRequest) -> RacePlan:
    """Make the folder and write down both trainers and the plan, before anything is run."""
    trainers = [_words(request.a or ""), _words(request.b or request.a or "")]
    for words in trainers:
        if words[0] not in TRACK_OF_RECIPE:
            check_script(Path(words[0]))
            check_machine(*request.start.processes())
    track = _track(folder, request, trainers)
    plan = RacePlan(
        name=folder.resolve().name,
        date=today(),
        track=track.name,
        pairs=request.pairs or RACE_PAIRS,
        alpha=track.alpha if request.alpha is None else request.alpha,
        is_aa=request.is_aa,
    )
    with new_folder(folder, RACE_NAME):
        for side, words in zip(SIDES, trainers, strict=True):
            make_folder(folder / side)
            _write_side(folder / side, words, plan, request.start)
        write_whole(folder / RACE_NAME, race_toml(plan))
    return plan


def _write_side(folder: Path, words: list[str], race: RacePlan, start: Start) -> None:
    is_recipe = words[0] in TRACK_OF_RECIPE
    script = (
        None
        if is_recipe
        else put_program(Path(words[0]), folder, start, arguments=tuple(words[1:]))
    )
    plan = Plan(
        name=f"{race.name}, side {folder.name.upper()}",
        date=race.date,
        track=race.track,
        recipe=words[0] if is_recipe else None,
        script=script,
        sample=SampleDeclaration((f"{LOGS_NAME}/*.txt",)),
    )
    write_plan(folder / PLAN_NAME, plan)


def _words(trainer: str) -> list[str]:
    """Split a trainer as a shell would: a recipe, or a script and its arguments."""
    try:
        words = shlex.split(trainer)
    except ValueError as error:
        remedy = "close the quotes inside it"
        raise UsageError(f"{trainer!r} cannot be split ({error})", remedy=remedy) from None
    if not words:
        raise UsageError("a trainer is empty", remedy="name a recipe or a script")
    if words[0] in TRACK_OF_RECIPE and len(words) > 1:
        remedy = "give arguments to scripts alone"
        raise UsageError(f"the recipe {words[0]} takes no arguments", remedy=remedy)
    return words


def _track(folder: Path, request: RaceRequest, trainers: list[list[str]]) -> Track:
    """Return the track that is named, else that of the recipes, else the project's default."""
    config = load_config(folder)
    known = {n: TRACK_OF_RECIPE.get(w[0]) for n, w in zip("AB", trainers, strict=True)}
    of_recipes = {track for track in known.values() if track is not None}
    if request.track is None and len(of_recipes) > 1:
        sides = ", ".join(f"{side} of {track}" for side, track in known.items())
        what = f"A and B are of different tracks ({sides})"
        raise UsageError(what, remedy="race trainers of one track")
    named = request.track or next(iter(of_recipes), None) or config.default_track
    return get_track(named or DEFAULT_TRACK, config.tracks)
