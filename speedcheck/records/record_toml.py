"""record.toml: what a record claims and how its runs were planned."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import tomli_w

from speedcheck import toml
from speedcheck.errors import InputError, RecordError
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides, read_overrides
from speedcheck.records.script_table import Script, read_script
from speedcheck.whole_file import write_new, write_whole

PLAN_NAME = "record.toml"

Kind = Literal["model", "systems"]
Role = Literal["baseline", "retiming", "ablation", "crashed"]
"""What runs in the folder are that are not part of the sample."""
StoppingRule = Literal["fixed", "sequential"]

# What a program prints for a number; float() would also take "1_000", "nan" and an exponent of
# a million digits.
_PATTERNS = 'patterns of logs, such as ["logs/*.txt"]'
_FIGURE = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Published:
    """The figures of a record whose logs were never published, as its author printed them.

    Figures are text: a claim is confirmed at the digits that it prints.

    Attributes:
        source: the document that they come from.
        losses: final validation losses, nats per token, one a run.
        p: the printed p-value.
        mean: the mean loss, and its Bayesian interval as (low, high).
        std: the standard deviation, and its Bayesian interval as (low, high).
        time_mean_s: mean runtime in seconds.
        time_std_s: standard deviation of the runtime in seconds.
        time_mean_min: mean runtime in minutes, where that is what the author printed.
    """

    source: str
    losses: tuple[float, ...]
    p: str | None = None
    mean: str | None = None
    mean_interval: tuple[str, str] | None = None
    std: str | None = None
    std_interval: tuple[str, str] | None = None
    time_mean_s: str | None = None
    time_std_s: str | None = None
    time_mean_min: str | None = None


@dataclass(frozen=True, slots=True)
class SampleDeclaration:
    """The sample that record.toml declares under [sample].

    Attributes:
        logs: patterns of the logs whose group is the record.
        at_step: the validation that decides; None for the last one.
    """

    logs: tuple[str, ...]
    at_step: int | None = None


@dataclass(frozen=True, slots=True)
class Excluded:
    """Runs that record.toml declares under [[excluded]] not to be part of the sample.

    Attributes:
        logs: patterns of their logs.
        role: what they are.
        reason: why they are in the folder, in the submitter's words.
    """

    logs: tuple[str, ...]
    role: Role
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What record.toml says.

    Attributes:
        name: the record's name; by default its folder's.
        date: ISO date of the record.
        track: name of the track that it enters; None where the file does not say.
        target: loss that the mean must be below, nats per token; None for the track's.
        alpha: significance level; None for the track's.
        kind: "systems" for a pure speed change, which is excused from the loss test.
        baseline: folder of the record to compare with, relative to this one.
        runs: the planned number of runs.
        seeds: the planned seeds.
        recipe: the recipe that the bundled trainer ran.
        script: the foreign trainer that ran instead.
        overrides: what was changed in the recipe.
        gpus_per_run: GPUs of each run, where several train side by side on a machine.
        stopping_rule: "fixed": the number of runs is the planned one whatever the losses are;
            "sequential": it is the largest, and the anytime-valid test says when to stop.
        published: the figures of a record without logs.
        sample: the sample that is declared; None where the file does not declare one.
        excluded: the runs that are declared not to be part of it.
    """

    name: str
    date: str | None = None
    track: str | None = None
    target: float | None = None
    alpha: float | None = None
    kind: Kind = "model"
    baseline: str | None = None
    runs: int | None = None
    seeds: tuple[int, ...] | None = None
    recipe: str | None = None
    script: Script | None = None
    overrides: RecipeOverrides = NO_OVERRIDES
    gpus_per_run: int | None = None
    stopping_rule: StoppingRule = "fixed"
    published: Published | None = None
    sample: SampleDeclaration | None = None
    excluded: tuple[Excluded, ...] = ()

    @property
    def is_sequential(self) -> bool:
        """Return whether the anytime-valid test says when to stop."""
        return self.stopping_rule == "sequential"


def read_plan(path: Path) -> Plan:
    """Read a record.toml.

    Raises:
        InputError: the file cannot be read, is not TOML, a key is unknown, or a value is not what
            it should be.
    """
    return _plan(toml.read_table(path), default_name=path.parent.resolve().name)


def write_plan(path: Path, plan: Plan) -> None:
    """Write `plan` to a new record.toml.

    Raises:
        RecordError: the file exists or cannot be written.
    """
    write_new(path, _toml(plan).encode())


def replace_plan(path: Path, plan: Plan) -> None:
    """Write `plan` in the place of a record.toml, the whole file or none.

    Raises:
        RecordError: it cannot be written.
    """
    write_whole(path, _toml(plan).encode(), RecordError)


def _toml(plan: Plan) -> str:
    fields: dict[str, Any] = {
        "name": plan.name,
        "date": plan.date,
        "track": plan.track,
        "target": plan.target,
        "alpha": plan.alpha,
        "kind": plan.kind,
        "baseline": plan.baseline,
        "runs": plan.runs,
        "seeds": list(plan.seeds) if plan.seeds is not None else None,
        "recipe": plan.recipe,
        "gpus_per_run": plan.gpus_per_run,
        "stopping_rule": plan.stopping_rule,
    }
    if plan.script is not None:
        fields["script"] = plan.script.table()
    if plan.overrides != NO_OVERRIDES:
        fields["overrides"] = plan.overrides.given()
    if plan.sample is not None:
        fields["sample"] = _present(
            {"logs": list(plan.sample.logs), "at_step": plan.sample.at_step}
        )
    if plan.excluded:
        fields["excluded"] = [
            {"logs": list(entry.logs), "role": entry.role, "reason": entry.reason}
            for entry in plan.excluded
        ]
    return tomli_w.dumps(_present(fields))


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _plan(table: toml.Table, *, default_name: str) -> Plan:
    table.refuse_unknown(Plan.__dataclass_fields__, notes=True)
    published = table.table("published")
    seeds = table.get("seeds", _seeds, "a list of different whole numbers from 0")
    return Plan(
        name=table.get("name", toml.text, "text") or default_name,
        date=table.get("date", toml.iso_date, "a date such as 2026-11-30"),
        track=table.get("track", toml.text, "the name of a track"),
        target=table.get("target", toml.number, "a finite number"),
        alpha=table.get("alpha", toml.probability, "a number between 0 and 1"),
        kind=table.get("kind", toml.one_of(get_args(Kind)), '"model" or "systems"') or "model",
        baseline=table.get("baseline", toml.text, "a folder"),
        runs=table.get("runs", toml.whole, "a whole number from 0"),
        seeds=seeds,
        recipe=table.get("recipe", toml.text, "the name of a recipe"),
        script=read_script(table.table("script")),
        overrides=read_overrides(table.table("overrides")),
        gpus_per_run=table.get("gpus_per_run", toml.whole, "a whole number"),
        stopping_rule=table.get(
            "stopping_rule", toml.one_of(get_args(StoppingRule)), '"fixed" or "sequential"'
        )
        or "fixed",
        published=_published(published) if published else None,
        sample=_sample(table.table("sample")),
        excluded=tuple(map(_excluded, table.array("excluded"))),
    )


def _sample(table: toml.Table | None) -> SampleDeclaration | None:
    if table is None:
        return None
    table.refuse_unknown(("logs", "at_step"))
    logs = table.get("logs", toml.tuple_of(toml.text), _PATTERNS)
    return SampleDeclaration(logs or ("*",), table.get("at_step", toml.whole, "a step"))


def _excluded(table: toml.Table) -> Excluded:
    table.refuse_unknown(("logs", "role", "reason"))
    logs = table.get("logs", toml.tuple_of(toml.text), _PATTERNS)
    role = table.get("role", toml.one_of(get_args(Role)), "one of " + ", ".join(get_args(Role)))
    reason = table.get("reason", toml.text, "text")
    if not logs or role is None or reason is None:
        remedy = 'give all three, as in logs = ["baseline/*"], role = "baseline", reason = "..."'
        raise InputError("logs, role or reason is missing", where=table.where, remedy=remedy)
    return Excluded(logs, role, reason)


def _published(table: toml.Table) -> Published:
    table.refuse_unknown(Published.__dataclass_fields__, notes=True)
    printed = "the figure as it was printed, as text"
    interval = "two figures as they were printed, as text"

    def pair(key: str) -> tuple[str, str] | None:
        return table.get(key, _pair, interval)

    return Published(
        source=table.get("source", toml.text, "text") or "",
        losses=table.get("losses", toml.tuple_of(toml.number), "a list of numbers") or (),
        p=table.get("p", _figure, printed),
        mean=table.get("mean", _figure, printed),
        mean_interval=pair("mean_interval"),
        std=table.get("std", _figure, printed),
        std_interval=pair("std_interval"),
        time_mean_s=table.get("time_mean_s", _figure, printed),
        time_std_s=table.get("time_std_s", _figure, printed),
        time_mean_min=table.get("time_mean_min", _figure, printed),
    )


def _seeds(value: Any) -> tuple[int, ...]:
    seeds = toml.tuple_of(toml.whole)(value)
    if len(set(seeds)) < len(seeds):
        raise ValueError
    return seeds


def _figure(value: Any) -> str:
    text = toml.text(value)
    if not _FIGURE.fullmatch(text):
        raise ValueError
    toml.number(float(text))
    return text


def _pair(value: Any) -> tuple[str, str]:
    low, high = toml.tuple_of(_figure)(value)
    return low, high
