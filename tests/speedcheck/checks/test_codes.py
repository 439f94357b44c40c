"""Each code is given by the smallest record that calls for it, and each has a number of its own."""

from __future__ import annotations

import pytest

from speedcheck.api import verify
from speedcheck.checks import codes
from tests.speedcheck.checks.loss_cases import LOSS
from tests.speedcheck.checks.provenance_cases import PROVENANCE
from tests.speedcheck.checks.rules_cases import RULES
from tests.speedcheck.checks.speed_cases import SPEED

ALL_CODES = {value for name, value in vars(codes).items() if name.isupper()}
CASES = {
    code: (verdict, make)
    for verdict, cases in (
        ("loss", LOSS),
        ("speed", SPEED),
        ("rules", RULES),
        ("provenance", PROVENANCE),
    )
    for code, make in cases.items()
}


@pytest.mark.parametrize("code", sorted(ALL_CODES))
def test_every_code_is_found_in_its_verdict_and_in_no_record_without_cause(
    build, log_text, published_log_text, code
):
    verdict, make = CASES[code]
    made = make(build, log_text, published_log_text)
    folder, options = made if isinstance(made, tuple) else (made, {})
    verdicts = verify(folder, **options).verdicts
    assert code in {finding.code for finding in getattr(verdicts, verdict).findings}
    clean = {finding.code for finding in verify(build.record(name="clean")).verdicts.findings()}
    assert code not in clean or code == codes.NO_BASELINE


def test_a_code_is_a_letter_and_three_digits_that_no_other_code_has():
    numbers = [code.split()[0] for code in ALL_CODES]
    assert len(set(numbers)) == len(numbers)
    assert all(len(n) == 4 and n[0] in "LSRP" and n[1:].isdigit() for n in numbers)
