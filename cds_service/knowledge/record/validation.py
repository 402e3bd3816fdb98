"""Whether what is read of a resource is FHIR R4; only resources behind a fact are checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from fhir_core.fhirabstractmodel import FHIRAbstractModel
from pydantic import ValidationError

from cds_service.knowledge.call import Resource
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.plain import is_plain
from cds_service.knowledge.record.repairs import is_read

# Other faults in these make no statement uncertain: without an end a course is open, without a
# reference range our own holds.
_BESIDE = ("interpretation", "referenceRange", "dosageInstruction", "dosage", "dispenseRequest")
_NOT_JUDGED = frozenset(
    {*_BESIDE, "resourceType", "id", "meta", "contained", "category", "reaction"}
)
# An element may have too many or too few of these without being wrong itself.
_HARMLESS = frozenset({"extra_forbidden", "missing", "model_field_validation.missing"})
# What the library raises for odd input besides its own errors.
_REFUSALS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
_MODELS: dict[str, type[FHIRAbstractModel]] = {}


def load_models(resource_types: Iterable[str]) -> None:
    """Import the models of what facts read, before the first call needs them (about 0.2 s)."""
    for resource_type in resource_types:
        _MODELS[resource_type] = get_fhir_model_class(resource_type)


def is_faulty(resource: Resource) -> bool:
    """Whether fhir.resources (R4B) finds a fault in the decisive parts of a repaired resource.

    Unknown and missing members are not faults: nobody reads unknown ones, and the readers know what
    a missing one means.
    """
    judged = {name: value for name, value in resource.items() if _is_judged(resource, name)}
    if is_plain(judged):
        return False
    return _has_text_for_number(judged) or _is_refused(resource, judged)


def _is_judged(resource: Resource, name: str) -> bool:
    return name not in _NOT_JUDGED and is_read(resource["resourceType"], name)


def _is_refused(resource: Resource, judged: Mapping[str, Any]) -> bool:
    model = _MODELS.get(resource["resourceType"])
    if model is None:
        return False
    try:
        model.model_validate({"resourceType": resource["resourceType"], **judged})
    except ValidationError as error:
        # Messages quote values, so only the place and the kind of an error are used.
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return any(_is_fault(error, judged) for error in found)
    except _REFUSALS:
        return True
    return False


def _is_fault(found: Mapping[str, Any], judged: Mapping[str, Any]) -> bool:
    if found["type"] in _HARMLESS:
        return False
    value: Any = judged
    for step in found["loc"]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return True
    # A time without a zone, a fraction after a comma: not FHIR, but still understood.
    return dates.read(value) is None


def _has_text_for_number(judged: Mapping[str, Any]) -> bool:
    """The library reads "2.3" as a number, but the record may mean something else."""
    quantity = judged.get("valueQuantity")
    return "valueString" in judged or (
        isinstance(quantity, dict) and isinstance(quantity.get("value"), str)
    )
