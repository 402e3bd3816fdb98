"""What is FHIR at a glance. Only about the rest is the library asked, which takes ten times longer.

It accepts less than FHIR R4 does, never more: a property test compares it with fhir.resources.
A chart of which nothing is remembered takes two thirds of the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from cds_service.knowledge.record import dates

_LONGEST = 1000  # characters of a text
_COMPARATORS = frozenset({"<", "<=", ">=", ">"})
# FHIR R4, 2.6.0.1: of these choices of a type only one may stand there.
_CHOICES = ("value", "onset", "abatement", "effective", "medication", "deceased")


def is_plain(members: Mapping[str, Any]) -> bool:
    """Whether every member of a resource is of a usual shape."""
    chosen = [stem for name in members for stem in _CHOICES if name.startswith(stem)]
    if len(chosen) != len(set(chosen)):
        return False
    for name, value in members.items():
        is_usual = _USUAL.get(name)
        if is_usual is None or not is_usual(value):
            return False
    return True


def _is_text(value: Any) -> bool:
    return value.__class__ is str and 0 < len(value) < _LONGEST and value.isprintable()


def _is_code(value: Any) -> bool:
    return _is_text(value) and value.isascii() and " " not in value


def _is_date(value: Any) -> bool:
    return value.__class__ is str and dates.read(value) is not None


def _is_boolean(value: Any) -> bool:
    return value is True or value is False


def _is_number(value: Any) -> bool:
    return value.__class__ in (int, float) and math.isfinite(value)


def _is_comparator(value: Any) -> bool:
    return value.__class__ is str and value in _COMPARATORS


def _has_only(usual: Mapping[str, Callable[[Any], bool]]) -> Callable[[Any], bool]:
    """An object of these members, each of its usual shape."""

    def is_usual(value: Any) -> bool:
        if value.__class__ is not dict or not value:
            return False
        for name, member in value.items():
            check = usual.get(name)
            if check is None or not check(member):
                return False
        return True

    return is_usual


_is_coding = _has_only(
    {
        "system": _is_code,
        "version": _is_text,
        "code": _is_code,
        "display": _is_text,
        "userSelected": _is_boolean,
    }
)


def _are_codings(value: Any) -> bool:
    return value.__class__ is list and 0 < len(value) < 50 and all(map(_is_coding, value))


_is_concept = _has_only({"coding": _are_codings, "text": _is_text})
_is_reference = _has_only({"reference": _is_code, "display": _is_text, "type": _is_code})
_is_quantity = _has_only(
    {
        "value": _is_number,
        "comparator": _is_comparator,
        "unit": _is_text,
        "system": _is_code,
        "code": _is_code,
    }
)
_USUAL: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("status", "intent", "gender", "criticality"), _is_code),
    **dict.fromkeys(("code", "clinicalStatus", "verificationStatus"), _is_concept),
    **dict.fromkeys(("valueCodeableConcept", "medicationCodeableConcept"), _is_concept),
    **dict.fromkeys(("subject", "patient", "medicationReference"), _is_reference),
    **dict.fromkeys(("onsetDateTime", "abatementDateTime", "effectiveDateTime"), _is_date),
    **dict.fromkeys(("recordedDate", "issued", "authoredOn", "dateAsserted"), _is_date),
    **dict.fromkeys(("doNotPerform", "active", "deceasedBoolean"), _is_boolean),
    "valueQuantity": _is_quantity,
    "birthDate": _is_date,
}
