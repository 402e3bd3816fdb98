"""FHIR R4 resources of Ada, valid by default, and the calls that bring them to the evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cds_service.knowledge.call import Call, Resource, Retrieval, Retrieved
from cds_service.knowledge.record.terminology import LOINC, RXNORM, SNOMED_CT

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ANXIETY = (SNOMED_CT, "48694002", "Anxiety")
WEAKNESS = (SNOMED_CT, "26544005", "Muscle weakness")
POTASSIUM = (LOINC, "2823-3", "Potassium")
WORRY_SCORE = (LOINC, "70274-6", "GAD-7 total score")
WORRY_ANSWER = (LOINC, "69725-0", "Feeling nervous, anxious or on edge")
DUE_DATE = (LOINC, "11778-8", "Delivery date Estimated")
LORAZEPAM = (RXNORM, "6470", "lorazepam")
DIAZEPAM = (RXNORM, "3322", "diazepam")
MORPHINE = (RXNORM, "7052", "morphine")
ANAPHYLAXIS = (SNOMED_CT, "39579001", "Anaphylaxis")

PREFETCH_KEYS = (
    "patient",
    "conditions",
    "laboratory",
    "surveys",
    "medicationRequests",
    "medicationStatements",
    "allergies",
    "encounters",
)
_STATUSES = "http://terminology.hl7.org/CodeSystem"
_UCUM = "http://unitsofmeasure.org"
Code = tuple[str, str, str]


def days_ago(days: float) -> str:
    """The calendar day so many days before NOW, as a FHIR date."""
    return (NOW - timedelta(days=days)).date().isoformat()


def concept(*codes: Code, **members: Any) -> Resource:
    codings = [{"system": system, "code": code, "display": text} for system, code, text in codes]
    return ({"coding": codings} if codings else {}) | members


def status(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"{_STATUSES}/{system}", "code": code}]}


def patient(**members: Any) -> Resource:
    """Ada, 46 years old; a member given as `...` is left out, here and below."""
    return _made({"resourceType": "Patient", "id": "ada", "birthDate": "1980-05-17"}, members)


def condition(
    code: Code | Resource = ANXIETY,
    *,
    clinical: str | None = "active",
    verification: str | None = "confirmed",
    **members: Any,
) -> Resource:
    made = {
        "resourceType": "Condition",
        "id": _next_id(),
        "code": _concept(code),
        "subject": {"reference": "Patient/ada"},
        "recordedDate": days_ago(20),
    }
    if clinical:
        made["clinicalStatus"] = status("condition-clinical", clinical)
    if verification:
        made["verificationStatus"] = status("condition-ver-status", verification)
    return _made(made, members)


def encounter(code: Code | Resource = ANXIETY, *, days: float = 10, **members: Any) -> Resource:
    made = {
        "resourceType": "Encounter",
        "id": _next_id(),
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/ada"},
        "period": {"start": days_ago(days)},
        "reasonCode": [_concept(code)],
    }
    return _made(made, members)


def quantity(value: Any, unit: str = "mmol/L", **members: Any) -> Resource:
    return _made({"value": value, "unit": unit, "system": _UCUM, "code": unit}, members)


def observation(
    value: Any = 4.2, code: Code | Resource = POTASSIUM, *, days: float = 3, **members: Any
) -> Resource:
    """A final laboratory result; `value` is a number of mmol/L or `...`."""
    made = {
        "resourceType": "Observation",
        "id": _next_id(),
        "status": "final",
        "code": _concept(code),
        "subject": {"reference": "Patient/ada"},
        "effectiveDateTime": days_ago(days),
        "valueQuantity": value if value is ... else quantity(value),
    }
    return _made({key: each for key, each in made.items() if each is not ...}, members)


def worry_score(value: Any = 12, *, days: float = 3, **members: Any) -> Resource:
    return observation(..., WORRY_SCORE, days=days, **{"valueInteger": value, **members})


def order(code: Code | Resource = LORAZEPAM, *, days: float = 5, **members: Any) -> Resource:
    made = {
        "resourceType": "MedicationRequest",
        "id": _next_id(),
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": _concept(code),
        "subject": {"reference": "Patient/ada"},
        "authoredOn": days_ago(days),
    }
    return _made(made, members)


def statement(code: Code | Resource = LORAZEPAM, *, days: float = 5, **members: Any) -> Resource:
    made = {
        "resourceType": "MedicationStatement",
        "id": _next_id(),
        "status": "active",
        "medicationCodeableConcept": _concept(code),
        "subject": {"reference": "Patient/ada"},
        "effectivePeriod": {"start": days_ago(days)},
    }
    return _made(made, members)


def supplied(days: Any, **members: Any) -> Resource:
    """A dispenseRequest that lasts so many days."""
    duration = {"value": days, "unit": "days", "system": _UCUM, "code": "d"}
    return {"expectedSupplyDuration": duration, **members}


def bounded(start: str | None, end: str | None) -> list[Resource]:
    """A dosageInstruction bounded by a period."""
    period = {key: each for key, each in (("start", start), ("end", end)) if each}
    return [{"timing": {"repeat": {"boundsPeriod": period}}}]


def allergy(
    code: Code | Resource = LORAZEPAM,
    *,
    clinical: str | None = "active",
    verification: str | None = "confirmed",
    **members: Any,
) -> Resource:
    made = {
        "resourceType": "AllergyIntolerance",
        "id": _next_id(),
        "code": _concept(code),
        "patient": {"reference": "Patient/ada"},
    }
    if clinical:
        made["clinicalStatus"] = status("allergyintolerance-clinical", clinical)
    if verification:
        made["verificationStatus"] = status("allergyintolerance-verification", verification)
    return _made(made, members)


def call(
    *resources: Resource,
    states: Mapping[str, Retrieval] | None = None,
    **members: Any,
) -> Call:
    """A call about Ada whose lists came whole, but for `states`."""
    came = dict.fromkeys(PREFETCH_KEYS, Retrieval.COMPLETE) | dict(states or {})
    whole: dict[str, Any] = {
        "retrieved": Retrieved(resources, came),
        "patient_id": "ada",
        "user_id": "Practitioner/grace",
        "hook_instance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "now": NOW,
        "language": "en",
    }
    return Call(**whole | members)


_made_so_far = iter(range(1, 10**9))


def _next_id() -> str:
    return f"r{next(_made_so_far)}"


def _concept(code: Any) -> Any:
    return concept(code) if isinstance(code, tuple) else code


def _made(made: Resource, members: Mapping[str, Any]) -> Resource:
    return {name: value for name, value in (made | members).items() if value is not ...}
