"""The check digits of SNOMED CT and LOINC: they catch a mistyped code, not a wrong meaning."""

from __future__ import annotations

from cds_service.knowledge.record.terminology import LOINC, SNOMED_CT


def is_check_digit_right(system: str, code: str) -> bool:
    """Whether a SNOMED CT identifier (Verhoeff) or a LOINC code (mod 10) passes its own check.

    Codes of systems without a check digit pass.
    """
    if system == SNOMED_CT:
        return code.isdigit() and _verhoeff(code) == 0
    if system == LOINC:
        number, _, digit = code.partition("-")
        return number.isdigit() and digit == str(_mod10(number))
    return True


def _verhoeff(digits: str) -> int:
    check = 0
    for position, digit in enumerate(reversed(digits)):
        permuted = int(digit)
        for _ in range(position % 8):
            permuted = _PERMUTATION[permuted]
        check = _dihedral(check, permuted)
    return check


def _dihedral(one: int, other: int) -> int:
    """The product in the dihedral group of the pentagon."""
    if one < 5:
        return (one + other) % 5 if other < 5 else 5 + (one + other) % 5
    return 5 + (one - other) % 5 if other < 5 else (one - other) % 5


_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _mod10(number: str) -> int:
    total = 0
    for position, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value // 10 + value % 10
    return -total % 10
