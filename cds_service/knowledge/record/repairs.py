"""What a resource says in what facts read of it, once the harmless faults of its form are mended.

Records are full of faults that say nothing of the finding: an empty display, a status in capitals,
one object where a list belongs. Nothing is guessed here: a text stays a text, a date a date.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.knowledge.call import Resource

# What facts read, by resource type; a name that ends in * stands for every choice of its type.
_READ: Mapping[str, tuple[str, ...]] = {
    "AllergyIntolerance": (
        "code", "clinicalStatus", "verificationStatus", "patient", "subject", "category",
        "criticality", "reaction",
    ),
    "Condition": (
        "code", "clinicalStatus", "verificationStatus", "subject", "patient", "onset*",
        "abatement*", "recordedDate",
    ),
    "Encounter": ("status", "subject", "period", "reasonCode"),
    "MedicationRequest": (
        "status", "statusReason", "intent", "doNotPerform", "medication*", "subject", "authoredOn",
        "dosageInstruction", "dispenseRequest",
    ),
    "MedicationStatement": (
        "status", "statusReason", "medication*", "subject", "effective*", "dateAsserted", "dosage",
    ),
    "Observation": (
        "status", "code", "subject", "effective*", "issued", "value*", "component", "hasMember",
        "dataAbsentReason", "interpretation", "referenceRange",
    ),
    "Patient": ("birthDate", "gender", "deceased*", "link", "active"),
    "ServiceRequest": ("status", "intent", "doNotPerform", "code", "subject", "authoredOn"),
}  # fmt: skip
# Kept besides, wherever they came from.
_ALWAYS = ("resourceType", "id", "meta", "contained", "modifierExtension")
# FHIR R4: where a list belongs, and where one object does.
_LISTS = frozenset(
    {"coding", "reasonCode", "component", "interpretation", "referenceRange", "reaction", "link"}
    | {"manifestation", "dosageInstruction", "dosage", "category"}
)
_SINGLE = frozenset(
    {"code", "clinicalStatus", "verificationStatus", "subject", "patient", "period", "timing"}
    | {"valueQuantity", "valueCodeableConcept", "medicationCodeableConcept", "repeat"}
    | {"medicationReference", "substance", "dispenseRequest", "effectivePeriod", "onsetPeriod"}
)
# Codes that FHIR writes in small letters.
_FOLDED = frozenset({"status", "intent", "criticality", "gender", "severity"})
_DEEPEST = 12


def repaired(resource: Resource) -> Resource:
    """What facts read of a resource, mended; what nobody reads is left out."""
    read = _READ.get(resource["resourceType"])
    if read is None:
        return resource
    kept = {name: resource[name] for name in _ALWAYS if name in resource}
    for name, value in resource.items():
        if is_read(name, read) and (mended := _mended(name, value, _DEEPEST)) is not None:
            kept[name] = mended
    return kept


def repaired_part(element: Resource) -> Resource:
    """A component of an Observation, mended."""
    return _mended("", element, _DEEPEST) or {}


def concept_of(value: Any) -> Any:
    """A CodeableConcept in its own shape; as it stands where nothing is wrong with its shape."""
    if isinstance(value, dict):
        codings = value.get("coding")
        if codings is None or isinstance(codings, list) and all(map(_is_object, codings)):
            return value
    return _mended("code", value, _DEEPEST)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def read_of(resource: Resource) -> tuple[str, ...]:
    """The names of what facts read of a type of resource."""
    return _READ.get(resource["resourceType"], ())


def is_read(name: str, read: tuple[str, ...]) -> bool:
    """Whether a member is among those that are read."""
    stem = name.removeprefix("_")
    return any(stem.startswith(each[:-1]) if each[-1] == "*" else stem == each for each in read)


def _mended(name: str, value: Any, depth: int) -> Any:
    """A value without what is empty, in the shape that belongs under its name; None for nothing."""
    match value:
        case str():
            text = value.strip()
            return (text.lower() if name in _FOLDED else text) or None
        case dict() if depth:
            mended = {key: _mended(key, each, depth - 1) for key, each in value.items()}
            found: Any = {key: each for key, each in mended.items() if each is not None} or None
            return [found] if found and name in _LISTS else found
        case list() if depth:
            items = (_mended("", each, depth - 1) for each in value)
            kept = [each for each in items if each is not None]
            if name in _SINGLE and len(kept) == 1:
                return kept[0]
            return kept or None
        case dict() | list():
            return None
    return value
