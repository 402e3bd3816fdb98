"""The parts of a resource that facts read, with harmless faults of form repaired.

Records are full of faults that have nothing to do with the finding: an empty display, a status in
capitals, one object where a list belongs. Nothing is guessed: a text stays a text, a date a date.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import is_
from typing import Any

from cds_service.knowledge.call import Resource

# What facts read, by resource type; a name that ends in * means every choice of its type.
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
    "Medication": ("code", "ingredient"),
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
# These are always kept as well.
_ALWAYS = ("resourceType", "id", "meta", "contained", "modifierExtension")
# FHIR R4: where a list belongs, and where one object does.
_LISTS = frozenset(
    {"coding", "reasonCode", "component", "interpretation", "referenceRange", "reaction", "link"}
    | {"manifestation", "dosageInstruction", "dosage", "category", "ingredient"}
)
_SINGLE = frozenset(
    {"code", "clinicalStatus", "verificationStatus", "subject", "patient", "period", "timing"}
    | {"valueQuantity", "valueCodeableConcept", "medicationCodeableConcept", "repeat"}
    | {"medicationReference", "substance", "dispenseRequest", "effectivePeriod", "onsetPeriod"}
    | {"itemCodeableConcept"}
)
# Codes that FHIR writes in small letters.
_FOLDED = frozenset({"status", "intent", "criticality", "gender", "severity"})
_NEVER_FAULTY = frozenset({bool, int, float})
_DEEPEST = 12


def repaired(resource: Resource) -> Resource:
    """What facts read of a resource, repaired; what nobody reads is left out."""
    resource_type = resource["resourceType"]
    if resource_type not in _READ:
        return resource
    kept = {name: resource[name] for name in _ALWAYS if name in resource}
    for name, value in resource.items():
        if is_read(resource_type, name) and (sound := _repaired(name, value, _DEEPEST)) is not None:
            kept[name] = sound
    return kept


def repaired_part(element: Resource) -> Resource:
    """A component of an Observation, repaired."""
    return _repaired("", element, _DEEPEST) or {}


def concept_of(value: Any) -> Any:
    """A CodeableConcept in its proper shape; the same object if nothing is wrong with it."""
    if isinstance(value, dict):
        codings = value.get("coding")
        if codings is None or isinstance(codings, list) and all(map(_is_object, codings)):
            return value
    return _repaired("code", value, _DEEPEST)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


@lru_cache(maxsize=1024)  # FHIR has few names; names that a record invents are not kept
def is_read(resource_type: str, name: str) -> bool:
    """Whether facts read this member of a type of resource."""
    stem = name.removeprefix("_")
    return any(
        stem.startswith(read[:-1]) if read[-1] == "*" else stem == read
        for read in _READ.get(resource_type, ())
    )


def _repaired(name: str, value: Any, depth: int) -> Any:
    """A value without empty parts, in the shape that its name requires; None if nothing is left.

    A value without faults, which is most of a record, is returned itself.
    """
    if isinstance(value, str):
        text = value.strip()
        return (text.lower() if name in _FOLDED else text) or None
    if isinstance(value, dict):
        sound = _repaired_members(value, depth) if depth else None
        return [sound] if sound and name in _LISTS else sound or None
    if isinstance(value, list):
        kept = _repaired_items(value, depth) if depth else None
        return kept[0] if kept and len(kept) == 1 and name in _SINGLE else kept or None
    return value


def _repaired_items(values: list[Any], depth: int) -> list[Any]:
    sound = [_repaired("", item, depth - 1) for item in values]
    if all(map(is_, sound, values)) and None not in sound:
        return values
    return [item for item in sound if item is not None]


def _repaired_members(value: dict[str, Any], depth: int) -> dict[str, Any]:
    sound = value
    for name, item in value.items():
        if item.__class__ in _NEVER_FAULTY:
            continue
        if item.__class__ is str and item and name not in _FOLDED:
            if not (item[0].isspace() or item[-1].isspace()):
                continue  # nearly always
        new = _repaired(name, item, depth - 1)
        if new is not item or new is None:
            sound = dict(value) if sound is value else sound
            if new is None:
                del sound[name]
            else:
                sound[name] = new
    return sound
