"""The evidence that `speedcheck run` leaves in a record folder: certificate, README, pictures."""

from __future__ import annotations

from pathlib import Path

from speedcheck.api import judge_folder, verify_folder
from speedcheck.certificate import Certificate
from speedcheck.records.record_files import CERTIFICATE_NAME, README_NAME
from speedcheck.records.record_folder import read_record
from speedcheck.records.record_toml import Plan
from speedcheck.report.record_readme import readme
from speedcheck.report.report_files import keep_pictures
from speedcheck.rules.rule import Overrides
from speedcheck.run.folder_files import write_whole

_MOST_JUDGEMENTS = 3


def write_evidence(folder: Path, plan: Plan) -> Certificate:
    """Judge the record and write its README and certificate.

    The README is judged like every other document and so comes first: out of the logs alone, since
    the existing one may be of an earlier state. It is written once more where another
    document makes the judgement a different one.
    """
    command = command_of(plan)
    record = read_record(folder, Overrides().parser_for)
    judgement = judge_folder(folder, Overrides(), with_documents=False)
    pictures = keep_pictures(judgement, folder)
    text, certificate = "", judgement.certificate
    for _ in range(_MOST_JUDGEMENTS):
        new = readme(certificate, record, command, pictures)
        if new == text:
            break
        text = new
        write_whole(folder / README_NAME, text)
        certificate = verify_folder(folder, Overrides())
    write_whole(folder / CERTIFICATE_NAME, certificate.to_json())
    return certificate


def command_of(plan: Plan) -> str:
    """Return the command line that makes the same record."""
    option = ("--until-certified", "--max-seeds") if plan.is_sequential else ("--seeds",)
    runs = (*option, str(plan.runs))
    if plan.script is not None:
        return plan.script.command(runs)
    gpus = () if plan.gpus_per_run is None else ("--gpus-per-run", str(plan.gpus_per_run))
    words = ("--recipe", str(plan.recipe), *runs)
    return " ".join(("speedcheck run", *words, *plan.overrides.options(), *gpus))
