"""The certificate: everything that was judged, and how, as frozen data.

`Certificate.to_dict` is the JSON of schema "speedcheck.certificate/2". NaN never appears in it: a
figure that does not exist is None.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

from speedcheck.figures import FrontierFigures, SequentialFigures
from speedcheck.notebook import ShownInNotebooks
from speedcheck.rules.tracks import Direction
from speedcheck.stats import Estimate, Runtime
from speedcheck.stats.step_rule import StepScan
from speedcheck.verdicts import Verdicts

SCHEMA = "speedcheck.certificate/2"
_FOR_REPORTS = {"direction", "remedy"}
ClaimStatus = Literal["confirmed", "not_confirmed", "not_checkable"]
ClaimSubject = Literal["losses", "times", "p", "mean", "std", "n", "time_mean", "time_std"]
ClaimBasis = Literal["data", "text"]
"""Whether a claim is data, which can make the record fail, or running text, which at most warns."""

_SUBJECTS: dict[ClaimSubject, str] = {
    "std": "sd",
    "time_mean": "mean time",
    "time_std": "sd of times",
}


class Exclusion(StrEnum):
    """Why a run does not count. No reason depends on the result."""

    NOT_SELECTED = "not_selected"
    """The caller left it out by --only, --exclude or --group."""
    DECLARED = "declared"
    """record.toml declares it under [[excluded]]."""
    EXACT_COPY = "exact_copy"
    """It has the same step lines as another run, or a part of them."""
    NEAR_COPY = "near_copy"
    """It equals another run at too many validations or step times to be a run of its own."""
    INCOMPLETE = "incomplete"
    """It did not reach its end."""
    OTHER_GROUP = "other_group"
    """The folder holds several groups of runs, and another one is judged."""
    UNDECIDED = "undecided"
    """The folder holds several groups of runs, and nothing says which one is the record."""
    NOT_IN_LEDGER = "not_in_ledger"
    """The ledger does not list it as a finished run."""


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """One run of the record and whether it counts.

    Attributes:
        log: the log's path inside the folder; None for a published figure without a log.
        run: index of the run within its file, from 0.
        seed: the seed, where the log says it.
        val_loss: the last validation loss, nats per token; None where it is not a finite number.
        train_time_ms: the timed training at that validation, milliseconds.
        final_step: the step of that validation.
        total_steps: the steps that the run was to make.
        complete: whether that validation is the final one; None where the log cannot tell.
        counted: whether the run enters the statistics.
        reason: why it is not counted, or what is odd about it; "" otherwise.
        gpu: name of the GPU.
        n_gpus: number of GPUs.
        torch: PyTorch version.
        source_sha256: SHA-256 of the program inside the log.
        exclusion: why it is not counted; None for a run that counts.
        group: name of the group of runs that it belongs to; None for a run without one.
        outside_clock_s: seconds of the run outside of its own clock (start-up, compilation,
            validation), where the ledger says them.
    """

    log: str | None
    run: int
    seed: int | None
    val_loss: float | None
    train_time_ms: float | None
    final_step: int | None
    total_steps: int | None
    complete: bool | None
    counted: bool
    reason: str
    gpu: str | None
    n_gpus: int | None
    torch: str | None
    source_sha256: str | None
    exclusion: Exclusion | None = None
    group: str | None = None
    outside_clock_s: float | None = None


@dataclass(frozen=True, slots=True)
class LossStatistics:
    """The test of the losses by the rule of the track, and the Bayesian estimates.

    Attributes:
        n: the number of losses.
        mean: sample mean, nats per token; None without a loss or with one that is not finite.
        std: sample standard deviation (n - 1).
        t: the t statistic against the target; None where another test decides.
        df: its degrees of freedom.
        p_value: one-sided p of the test that decides; None where it is not defined. That of a
            sequential record is anytime-valid.
        bayes_mean: Bayesian estimate of the mean with its interval.
        bayes_std: Bayesian estimate of the standard deviation with its interval.
        sequential: the anytime-valid test; None for a record with a fixed number of runs.
        frontier: the record beside the frontier; None where the track has a fixed target, or the
            frontier is not known.
        scan: the test at every validation step, on a track that counts steps.
    """

    n: int
    mean: float | None
    std: float | None
    t: float | None
    df: int | None
    p_value: float | None
    bayes_mean: Estimate | None
    bayes_std: Estimate | None
    sequential: SequentialFigures | None = None
    frontier: FrontierFigures | None = None
    scan: StepScan | None = None


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """What one group of runs shows by itself.

    Attributes:
        name: the group's name; `runs[].group` refers to it.
        label: what its runs have in common, in words.
        role: what record.toml declares the runs to be; None for runs that may be the record.
        judged: whether it is the judged sample, or a part of it.
        n: the number of its complete runs.
        mean: mean of their losses; None without one, or where one is not finite.
        std: sample standard deviation (n - 1).
        p_value: p of the track's test; None where it is not defined.
    """

    name: str
    label: str
    role: str | None
    judged: bool
    n: int
    mean: float | None
    std: float | None
    p_value: float | None


Ground = Literal["only_group", "declared", "asked", "undecided", "no_logs"]


@dataclass(frozen=True, slots=True)
class SelectionSummary:
    """On what ground the judged runs were chosen.

    Attributes:
        ground: the only group, the one that record.toml declares, or the one that the caller asks
            for; undecided where the folder holds several and nothing says which.
        groups: names of the judged groups.
        at_step: the validation that record.toml names; None for the last one.
        stops_at: the step before the planned one at which all judged runs end.
        started: runs that count and runs that crashed.
    """

    ground: Ground
    groups: tuple[str, ...]
    at_step: int | None
    stops_at: int | None
    started: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure that somebody printed, and what the evidence gives.

    Attributes:
        what: the figure's subject.
        claimed: the figure as it was printed.
        recomputed: the same figure from the evidence; None where there is none.
        status: confirmed at the printed digits, not confirmed, or not checkable.
        where: file and line, or file and key.
        basis: "data", or "text" for running text, whose figures never make a record fail.
    """

    what: ClaimSubject
    claimed: str
    recomputed: str | None
    status: ClaimStatus
    where: str
    basis: ClaimBasis = "data"

    @property
    def subject(self) -> str:
        """Return the figure's subject in the words that every report uses."""
        return _SUBJECTS.get(self.what, self.what)


@dataclass(frozen=True, slots=True)
class Certificate(ShownInNotebooks):
    """The judgement of one record.

    Attributes:
        record: the record's name.
        track: the track's name.
        target: loss that the mean must be below, nats per token.
        alpha: significance level.
        certified: whether the evidence shows the claim.
        runs: all runs, counted or not.
        loss: statistics of the counted losses.
        runtime: statistics of the counted times; None without a time.
        claims: figures that were claimed, recomputed.
        verdicts: the four verdicts.
        groups: every group of runs in the folder, with its own figures.
        selection: on what ground the judged runs were chosen.
        direction: "greater" where the mean must be above the target; for reports, and no part of
            the JSON schema.
    """

    record: str
    track: str
    target: float
    alpha: float
    certified: bool
    runs: tuple[JudgedRun, ...]
    loss: LossStatistics
    runtime: Runtime | None
    claims: tuple[Claim, ...]
    verdicts: Verdicts
    groups: tuple[GroupSummary, ...] = ()
    selection: SelectionSummary = field(
        default_factory=lambda: SelectionSummary("no_logs", (), None, None, 0)
    )
    direction: Direction = "less"
    schema: str = field(default=SCHEMA, init=False)

    @property
    def counted(self) -> tuple[JudgedRun, ...]:
        """Return the runs that enter the statistics."""
        return tuple(run for run in self.runs if run.counted)

    def to_dict(self) -> dict[str, Any]:
        """Return the certificate as the JSON schema has it, `schema` first."""
        fields = asdict(self, dict_factory=_in_schema)
        return {"schema": fields.pop("schema"), **fields}

    def to_json(self) -> str:
        """Return the certificate as JSON text, ending in a newline."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def _in_schema(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if name not in _FOR_REPORTS}
