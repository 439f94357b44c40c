"""`speedcheck init`: propose a record.toml for a folder of logs."""

from __future__ import annotations

from pathlib import Path

from speedcheck.errors import InputError, RecordError
from speedcheck.records.line_ends import keep_line_ends
from speedcheck.records.record_folder import read_record
from speedcheck.records.record_toml import PLAN_NAME, write_plan
from speedcheck.rules.config import load_config
from speedcheck.rules.rule import Overrides, rule_for
from speedcheck.sample.propose import Proposal, propose


def init_record(folder: Path, overrides: Overrides) -> Proposal:
    """Write a proposed record.toml into `folder`, and return what it says and why.

    Raises:
        RecordError: there is one already, or it cannot be written.
        InputError: the folder holds no log, or no complete run.
    """
    path = folder / PLAN_NAME
    if path.exists() or path.is_symlink():
        raise RecordError("exists already", where=str(path), remedy="edit it, or remove it first")
    if not folder.is_dir():
        remedy = "name the folder that holds the logs"
        raise InputError("is not a folder", where=str(folder), remedy=remedy)
    record = read_record(folder, overrides.parser_for, whole=True)
    rule = rule_for(record, overrides, load_config(folder, overrides.config))
    proposal = propose(record, rule.track.name, rule.track.budget_train_ms)
    if proposal is None:
        remedy = "look at `speedcheck verify` for what each log lacks"
        raise InputError("holds no complete run", where=str(folder), remedy=remedy)
    write_plan(path, proposal.plan)
    keep_line_ends(folder)
    return proposal
