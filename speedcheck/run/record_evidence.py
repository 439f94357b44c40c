"""The evidence that `speedcheck run` leaves in a record folder: certificate, README, pictures."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from speedcheck.api import judge_folder, verify_folder
from speedcheck.certificate import Certificate
from speedcheck.errors import RecordError, UsageError
from speedcheck.judge import Judgement
from speedcheck.records.record_files import CERTIFICATE_NAME, PICTURES_NAME, README_NAME
from speedcheck.records.record_folder import read_record
from speedcheck.records.record_toml import Plan
from speedcheck.report.record_readme import readme
from speedcheck.report.report_files import keep_pictures
from speedcheck.report.wording import printable
from speedcheck.rules.rule import Overrides
from speedcheck.run.folder_files import write_whole

_MOST_JUDGEMENTS = 3


class EvidenceError(RecordError):
    """A record is judged, and README or certificate cannot be written.

    Args:
        certificate: the judgement.
        error: why.
    """

    def __init__(self, certificate: Certificate, error: RecordError) -> None:
        self.certificate = certificate
        super().__init__(error.what, where=error.where, remedy=error.remedy)


def write_evidence(folder: Path, plan: Plan, console: Console) -> Certificate:
    """Judge the record and write its README and certificate, and pictures where there is room.

    The README is judged like every other document and so comes first: out of the logs alone, since
    the existing one may be of an earlier state. It is written once more where another
    document makes the judgement a different one.

    Raises:
        EvidenceError: README or certificate cannot be written.
    """
    command = command_of(plan)
    record = read_record(folder, Overrides().parser_for)
    judgement = judge_folder(folder, Overrides(), with_documents=False)
    pictures = _pictures(judgement, folder, console)
    text, certificate = "", judgement.certificate
    try:
        for _ in range(_MOST_JUDGEMENTS):
            new = readme(certificate, record, command, pictures)
            if new == text:
                break
            text = new
            write_whole(folder / README_NAME, text)
            certificate = verify_folder(folder, Overrides())
        write_whole(folder / CERTIFICATE_NAME, certificate.to_json())
    except RecordError as error:
        raise EvidenceError(certificate, error) from error
    return certificate


def _pictures(judgement: Judgement, folder: Path, console: Console) -> list[tuple[str, str]]:
    """Keep the pictures; where they cannot be written, leave their room to the evidence."""
    place = folder / PICTURES_NAME
    before = set(place.glob("*"))
    try:
        return keep_pictures(judgement, folder)
    except UsageError as error:
        for file in set(place.glob("*")) - before:
            file.unlink(missing_ok=True)
        with suppress(OSError):
            place.rmdir()
        text = f"note: the record keeps no pictures: {error.where}: {error.what}"
        console.print(Text(printable(text)), soft_wrap=True)
        return []


def command_of(plan: Plan) -> str:
    """Return the command line that makes the same record."""
    option = ("--until-certified", "--max-seeds") if plan.is_sequential else ("--seeds",)
    runs = (*option, str(plan.runs))
    if plan.script is not None:
        return plan.script.command(runs)
    gpus = () if plan.gpus_per_run is None else ("--gpus-per-run", str(plan.gpus_per_run))
    words = ("--recipe", str(plan.recipe), *runs)
    return " ".join(("speedcheck run", *words, *plan.overrides.options(), *gpus))
