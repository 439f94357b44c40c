"""What the gate says of one record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from speedcheck.certificate import Certificate
from speedcheck.gate.objection import Objection


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says of one record.

    Attributes:
        folder: the record's folder inside the repository.
        certificate: its judgement; None where it could not be judged.
        objections: why it may not be merged; none where it may.
        baseline: folder of the record that it was compared with; None for none.
        remarks: what a maintainer should know, and what closes nothing.
    """

    folder: PurePosixPath
    certificate: Certificate | None
    objections: tuple[Objection, ...] = ()
    baseline: PurePosixPath | None = None
    remarks: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Return whether the record may be merged."""
        return not self.objections

    def with_objections(self, more: Iterable[Objection]) -> Decision:
        """Return the decision with further objections."""
        return replace(self, objections=(*self.objections, *more))
