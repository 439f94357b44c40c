"""`speedcheck challenge`: run a record's own program again, and let these runs decide.

The program comes out of the record's logs and is a stranger's. The caller shows it to somebody who
agrees first; the gate never calls this.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from speedcheck.challenges.challenge_result import ChallengeResult, conclude
from speedcheck.challenges.own_program import RecordProgram, arguments_of, write_program
from speedcheck.records.record_toml import PLAN_NAME
from speedcheck.run.folder_files import today
from speedcheck.run.new_folder import refuse_begun
from speedcheck.run.request import Request
from speedcheck.run.scripts.foreign_program import Start, check_machine
from speedcheck.run.scripts.script_command import ScriptRequest, run_script

DEFAULT_SEEDS = 8
_SEED_OF_TRAINER = "--seed"


@dataclass(frozen=True, slots=True)
class ChallengeRequest:
    """What was typed after `speedcheck challenge`.

    Attributes:
        program: the record's program.
        arguments: the words that are typed after it.
        start: how it is started.
        beside: the folder whose files it finds beside it.
        seeds: number of runs; None for the default.
        out: record folder; None for challenges/DATE_RECORD.
    """

    program: RecordProgram
    arguments: tuple[str, ...] = ()
    start: Start = field(default_factory=Start)
    beside: Path = Path()
    seeds: int | None = None
    out: Path | None = None

    def check(self) -> None:
        """Refuse what cannot be run, before anybody is asked to read the program and to agree.

        Raises:
            UsageError: the number of runs is out of range.
            RecordError: the folder is taken.
            LaunchError: this machine cannot start the program.
        """
        Request(seeds=self.seeds)
        refuse_begun(self.folder, PLAN_NAME)
        check_machine(*self.start.processes())

    @property
    def folder(self) -> Path:
        """Return the record folder of the challenge."""
        return self.out or Path("challenges") / f"{today()}_{self.program.folder.resolve().name}"


def run_challenge(request: ChallengeRequest, console: Console) -> ChallengeResult:
    """Run a record's program again, judge these runs, and put them beside the published ones.

    Raises:
        SpeedcheckError: the request cannot be met; what was finished before stays.
        Interrupted: a signal ended the runs; the ledger says how far they came.
    """
    program = request.program
    with tempfile.TemporaryDirectory(prefix="speedcheck-") as folder:
        script = write_program(program, Path(folder))
        of_script = ScriptRequest(
            script=script,
            arguments=(*arguments_of(program), *request.arguments),
            start=_seeded(request),
            beside=request.beside,
            track=program.rule.track.name,
            target=program.rule.target,
            alpha=program.rule.alpha,
            seeds=DEFAULT_SEEDS if request.seeds is None else request.seeds,
            first_seed=program.free_seed,
            out=request.folder,
        )
        certificate = run_script(of_script, console)
    return conclude(program, certificate)


def _seeded(request: ChallengeRequest) -> Start:
    """Return how the program is started; of the bundled trainer's, the option is known."""
    start = request.start
    if request.program.recipe is None or start.seed_env or start.seed_arg:
        return start
    return replace(start, seed_arg=_SEED_OF_TRAINER)
