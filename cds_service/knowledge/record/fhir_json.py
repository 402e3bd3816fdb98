"""FHIR elements of any shape: their names, codes and references, and whether they say anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cds_service.knowledge.call import Resource
from cds_service.knowledge.record.terminology import ATC, LOINC, RXNORM, Match

# The data-absent-reason of a withdrawn resource (seen at one vendor).
_DATA_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_OF_MEDICINES = ("MedicationRequest", "MedicationStatement", "AllergyIntolerance")
_OF_SERVER = {"meta", "text"}
_OVER = ("entered-in-error", "cancelled", "not-taken", "stopped", "completed")


def is_understood(kind: str, match: Match) -> bool:
    """Whether a concept outside our value sets surely means something else.

    Words that deny a concept, or give it another meaning, are understood. A medicine is known to be
    none of ours only by an RxNorm or ATC code, because our sets are complete in these systems. With
    any other code, or only text, it could still be one of ours.
    """
    if match.denied or match.barred:
        return True
    if kind in _OF_MEDICINES:
        return not match.recognised.isdisjoint((RXNORM, ATC))
    return bool(match.recognised)


def says_nothing(concept: Resource) -> bool:
    """Whether a CodeableConcept has neither a code nor words, or only says that data is absent."""
    if isinstance(concept.get("text"), str) and concept["text"].strip():
        return False
    codings = concept.get("coding")
    if not isinstance(codings, list):
        return True
    return not any(
        isinstance(coding, dict)
        and (coding.get("code") or coding.get("display"))
        and coding.get("system") != _DATA_ABSENT
        for coding in codings
    )


def concerns_no_medicine(resource: Resource) -> bool:
    """Whether an allergy is to food or surroundings only, or says that there is none."""
    categories = resource.get("category")
    if isinstance(categories, list) and categories:
        return not any(category in ("medication", "biologic") for category in categories)
    return False


def substances_of(allergy: Resource) -> list[Any]:
    """The substances that the reactions of an allergy name."""
    substances = [reaction.get("substance") for reaction in objects(allergy.get("reaction"))]
    return [
        concept for concept in substances if isinstance(concept, dict) and not says_nothing(concept)
    ]


def may_be_in_force(order: Resource) -> bool:
    """Whether an order that cannot be read may be for a medicine that is taken."""
    return order.get("status") not in _OVER and order.get("doNotPerform") is not True


def medication_concepts(
    order: Resource,
    medications: dict[str, Resource],
    read: Callable[[Resource], list[Resource]] | None = None,
) -> list[Resource]:
    """What an order is for: its own concepts, or those that `read` finds in its Medication."""
    concept = order.get("medicationCodeableConcept")
    if isinstance(concept, dict):
        return [] if says_nothing(concept) else [concept]
    reference = order.get("medicationReference")
    if not isinstance(reference, dict):
        return []
    medication = _resolve(reference.get("reference"), order, medications)
    if medication is None:
        display = reference.get("display")
        return [{"text": display}] if isinstance(display, str) and display.strip() else []
    return (read or concepts_of_medication)(medication)


def concepts_of_medication(medication: Resource) -> list[Resource]:
    """The concepts of a Medication: its code and its ingredients."""
    concepts = [medication.get("code")]
    ingredients = objects(medication.get("ingredient"))
    concepts.extend(ingredient.get("itemCodeableConcept") for ingredient in ingredients)
    return [
        concept for concept in concepts if isinstance(concept, dict) and not says_nothing(concept)
    ]


def _resolve(
    reference: object, order: Resource, medications: dict[str, Resource]
) -> Resource | None:
    if not isinstance(reference, str):
        return None
    if reference.startswith("#"):
        inside = objects(order.get("contained"))
        return next((resource for resource in inside if resource.get("id") == reference[1:]), None)
    return medications.get(id_of(reference))


def content_unlike(first: Resource, resource: Resource) -> str | None:
    """A resource as text without the server's metadata; None if `first` has the same content."""
    if resource == first:
        return None
    content, other = (
        {name: value for name, value in content.items() if name not in _OF_SERVER}
        for content in (resource, first)
    )
    return None if content == other else json.dumps(content, sort_keys=True)


def id_of(reference: str) -> str:
    """The id in a relative, absolute, versioned or urn:uuid reference (FHIR R4, 2.3.0.1)."""
    return reference.partition("/_history/")[0].rpartition("/")[2].rpartition(":")[2]


# Patient.link of these types says that the other id is, or was, this very person's.
_SAME_PERSON = frozenset({"replaces", "replaced-by"})


def ids_of_patient(patient: Resource) -> Iterable[str]:
    """The other ids of a patient whose records were merged (FHIR R4, Patient.link)."""
    for link in objects(patient.get("link")):
        other = link.get("other")
        reference = text_of(other.get("reference")) if isinstance(other, dict) else None
        if reference and str(link.get("type")).strip().lower() in _SAME_PERSON:
            yield id_of(reference.strip())


def reference_of(resource: Resource) -> str:
    """A resource's relative FHIR reference."""
    return f"{resource.get('resourceType')}/{resource.get('id', '?')}"


def text_of(value: object) -> str | None:
    """A text, or None for anything else: some records have a list or an object there."""
    return value if isinstance(value, str) else None


def code_of(concept: object) -> str | None:
    """The first code of a CodeableConcept, stripped; None when it has none."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict) and isinstance(coding.get("code"), str):
            return str(coding["code"]).strip()
    return None


def name_of(concept: object) -> str:
    """What the record calls a concept: its text, else a display, else a code, else ""."""
    if not isinstance(concept, dict):
        return ""
    codings = concept.get("coding")
    candidates = [concept.get("text")]
    for member in ("display", "code"):
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, dict):
                candidates.append(coding.get(member))
    return next((name.strip() for name in candidates if isinstance(name, str) and name.strip()), "")


def as_written(element: Mapping[str, Any]) -> str | None:
    """The value of an Observation as the record writes it: number and unit, text, or an answer."""
    quantity = element.get("valueQuantity")
    if isinstance(quantity, dict):
        members = [quantity.get(name) for name in ("comparator", "value", "unit")]
    else:
        members = [element.get(name) for name in ("valueString", "valueInteger", "valueDecimal")]
    words = [str(member) for member in members if isinstance(member, str | int | float)]
    return " ".join(words).strip() or name_of(element.get("valueCodeableConcept")) or None


def gathers_others(element: Resource) -> bool:
    """Whether an Observation has parts, with or without a value of its own."""
    return "component" in element or "hasMember" in element


def is_heading(element: Resource) -> bool:
    """Whether an Observation only groups others, as a panel does."""
    return gathers_others(element) and not any(member.startswith("value") for member in element)


def interpretation_of(element: Resource) -> str | None:
    """The code of an Observation's interpretation: H, L."""
    for interpretation in objects(element.get("interpretation")):
        code = code_of(interpretation)
        if code:
            return code
    return None


def listed(value: object) -> Iterable[dict[str, Any]]:
    """The objects in a list; nothing of what is not a list."""
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))


def objects(value: object) -> Iterable[dict[str, Any]]:
    """The objects in a list; an object that stands where a list belongs is one of them."""
    return listed([value] if isinstance(value, dict) else value)


def _itself(resource: Resource) -> Iterable[tuple[Resource, object]]:
    yield resource, resource.get("code")


def _with_components(observation: Resource) -> Iterable[tuple[Resource, object]]:
    yield observation, observation.get("code")
    yield from ((part, part.get("code")) for part in objects(observation.get("component")))


def _reasons(encounter: Resource) -> Iterable[tuple[Resource, object]]:
    yield from ((encounter, reason) for reason in objects(encounter.get("reasonCode")))


def _answers(group: Resource) -> Iterable[tuple[Resource, object]]:
    """Each answer of a QuestionnaireResponse with the code of its item, at any depth."""
    waiting = [group]
    while waiting:
        for item in objects(waiting.pop().get("item")):
            answers = list(objects(item.get("answer")))
            code = _code_of_item(item)
            yield from ((answer, code) for answer in answers)
            waiting.extend((item, *answers))


def _code_of_item(item: Resource) -> Resource:
    """Its `code` if the form sends one, otherwise the LOINC code at the end of its linkId."""
    codings = list(objects(item.get("code")))
    link = text_of(item.get("linkId")) or ""
    return {"coding": codings or [{"system": LOINC, "code": link.rpartition("/")[2]}]}


# The elements of a resource that are coded, each with its code.
CODED_PARTS: Mapping[str, Callable[[Resource], Iterable[tuple[Resource, object]]]] = {
    "Observation": _with_components,
    "Encounter": _reasons,
    "Procedure": _itself,
    "QuestionnaireResponse": _answers,
    "ServiceRequest": _itself,
}
