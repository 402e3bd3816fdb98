"""Check digits, by the examples that the code systems publish."""

from __future__ import annotations

import pytest

from cds_service.knowledge.loading.check_digits import is_check_digit_right
from cds_service.knowledge.record.terminology import ICD_10_CM, LOINC, RXNORM, SNOMED_CT


@pytest.mark.parametrize(
    "code",
    ["138875005", "404684003", "900000000000207008", "48694002", "26544005", "731000124108"],
)
def test_a_snomed_identifier_passes(code: str) -> None:
    assert is_check_digit_right(SNOMED_CT, code)


@pytest.mark.parametrize(
    "code", ["138875006", "138785005", "48694003", "", "4869400X", "-5", "1.5"]
)
def test_a_mistyped_snomed_identifier_fails(code: str) -> None:
    assert not is_check_digit_right(SNOMED_CT, code)


@pytest.mark.parametrize("code", ["2823-3", "6298-4", "70274-6", "8480-6", "8867-4", "1-8"])
def test_a_loinc_code_passes(code: str) -> None:
    assert is_check_digit_right(LOINC, code)


@pytest.mark.parametrize("code", ["2823-4", "8223-3", "28233", "2823-", "-3", "LA6571-9x", ""])
def test_a_mistyped_loinc_code_fails(code: str) -> None:
    assert not is_check_digit_right(LOINC, code)


@pytest.mark.parametrize("code", ["1234567890", "10000000001", "98765432109876"])
def test_every_mistyped_digit_of_a_snomed_identifier_is_found(code: str) -> None:
    right = next(
        code + digit for digit in "0123456789" if is_check_digit_right(SNOMED_CT, code + digit)
    )
    wrong = [
        right[:at] + other + right[at + 1 :]
        for at, digit in enumerate(right)
        for other in "0123456789"
        if other != digit
    ]
    assert not any(is_check_digit_right(SNOMED_CT, each) for each in wrong)


@pytest.mark.parametrize("system", [RXNORM, ICD_10_CM, "urn:local"])
def test_codes_without_a_check_digit_pass(system: str) -> None:
    assert is_check_digit_right(system, "anything")
