"""Patients from a seeded maker: each has some of what rules look at, at random."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

TODAY = date(2026, 11, 22)
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOINC = "http://loinc.org"
CONDITIONS = ("F41.1", "F41.0", "R53.83", "M62.81", "G47.33", "J44.9", "G70.00", "F32.9", "I10")
MEDICATIONS = ("197901", "1049621", "312940", "310798", "835603")
# (LOINC code, unit, the lowest and the highest value)
RESULTS = (
    ("2823-3", "mmol/L", 2.0, 6.8),
    ("2951-2", "mmol/L", 120, 150),
    ("718-7", "g/dL", 7, 16),
    ("3016-3", "m[IU]/L", 0.01, 12),
    ("70274-6", "{score}", 0, 21),
)


def made_patient(number: int) -> dict[str, Any]:
    """A Bundle about one patient; the same for the same number."""
    chance = Random(number)
    id_ = f"made-{number:03}"
    subject = {"reference": f"Patient/{id_}"}
    born = TODAY - timedelta(days=chance.randrange(19 * 365, 95 * 365))
    sex = chance.choice(("female", "male"))
    resources: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": id_, "gender": sex, "birthDate": born.isoformat()}
    ]
    for code in CONDITIONS:
        if chance.random() < 0.4:
            resources.append(
                {
                    "resourceType": "Condition",
                    "clinicalStatus": _concept("condition-clinical", "active"),
                    "verificationStatus": _concept("condition-ver-status", "confirmed"),
                    "code": {"coding": [{"system": ICD, "code": code}]},
                    "recordedDate": _day(chance, 600),
                }
            )
    for code in MEDICATIONS:
        if chance.random() < 0.3:
            resources.append(
                {
                    "resourceType": "MedicationRequest",
                    "status": "active",
                    "intent": "order",
                    "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": code}]},
                    "authoredOn": _day(chance, 60),
                }
            )
    for code, unit, low, high in RESULTS:
        if chance.random() < 0.7:
            value = round(chance.uniform(low, high), 1)
            quantity = {"system": "http://unitsofmeasure.org", "code": unit, "unit": unit}
            resources.append(
                {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": {"coding": [{"system": LOINC, "code": code}]},
                    "effectiveDateTime": _day(chance, 40),
                    "valueQuantity": quantity | {"value": value},
                }
            )
    for position, resource in enumerate(resources[1:]):
        resource |= {"id": f"{id_}-{position}", "subject": subject}
    return {"resourceType": "Bundle", "type": "collection", "entry": _entries(resources)}


def _day(chance: Random, most: int) -> str:
    return (TODAY - timedelta(days=chance.randrange(1, most))).isoformat()


def _concept(name: str, code: str) -> dict[str, Any]:
    system = f"http://terminology.hl7.org/CodeSystem/{name}"
    return {"coding": [{"system": system, "code": code}]}


def _entries(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"resource": resource} for resource in resources]
