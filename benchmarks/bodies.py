"""The request bodies that are measured: two invented people, padded to four sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from cds_service.knowledge import CDSService
from cds_service.playground.prefetched import as_prefetch
from cds_service.playground.records import patient_id, read_resources

PATIENTS = Path(__file__).parent.parent / "fixtures" / "patients"
PEOPLE = {"silent": "george-no-anxiety", "firing": "ada-generalised-anxiety"}
SIZES = {"11 KB": 11_000, "100 KB": 100_000, "1.2 MB": 1_200_000, "10 MB": 10_000_000}
FACTS = 100
ORDERS = 2_000  # of one listed drug
_OBSERVATIONS_A_CONDITION = 3

# Common in any chart, and read by no rule.
_CONDITIONS = (("44465007", "Sprain of ankle"), ("80967001", "Dental caries"))
_OBSERVATIONS = (("882-1", "ABO and Rh group"), ("20454-5", "Protein in urine by test strip"))


@dataclass(frozen=True, slots=True)
class Body:
    """One request to measure, and whether the service has cards for it."""

    name: str
    content: bytes
    fires: bool
    patient: str = ""

    def of_another(self, number: int) -> bytes:
        """The same request about another patient: nothing of it is known to the service."""
        patient = self.patient.encode()
        another = b"%s-%d" % (patient, number)
        return self.content.replace(b'"%s"' % patient, b'"%s"' % another).replace(
            b'/%s"' % patient, b'/%s"' % another
        )


def make_bodies(service: CDSService) -> list[Body]:
    """Silent and firing of each size; and firing with a hundred facts, or with many orders."""
    padded = [
        _body(service, f"{size}, {person}", SIZES[size]) for size in SIZES for person in PEOPLE
    ]
    return [
        *padded,
        _body(service, f"{FACTS} facts, firing", 0, _history),
        _body(service, f"{ORDERS:,} orders, firing", 0, _orders),
    ]


def _history(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The resources, and earlier results of the same tests until there are a hundred."""
    results = [each for each in resources if each["resourceType"] == "Observation"]
    earlier = [
        result | {"id": f"{result['id']}-{year}", "effectiveDateTime": f"{year}-06-01T08:00:00Z"}
        for year in range(2025, 2000, -1)
        for result in results
    ]
    return [*resources, *earlier][:FACTS]


def _orders(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The resources, and one order of sertraline after the other; the last ones are in force."""
    patient = {"reference": f"Patient/{patient_id(resources)}"}
    drug = _concept("http://www.nlm.nih.gov/research/umls/rxnorm", "36437", "sertraline")
    orders = [
        {
            "resourceType": "MedicationRequest",
            "id": f"order-{number}",
            "status": "active" if number > ORDERS - 10 else "stopped",
            "intent": "order",
            "subject": patient,
            "authoredOn": f"20{10 + number * 16 // ORDERS}-{number % 12 + 1:02}-14",
            "medicationCodeableConcept": drug,
        }
        for number in range(ORDERS)
    ]
    return [*resources, *orders]


def _body(
    service: CDSService,
    name: str,
    size: int,
    change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list,
) -> Body:
    person = name.rpartition(" ")[2]
    stem = PEOPLE[person]
    resources = change(read_resources(PATIENTS / f"{stem}.json"))
    patient = patient_id(resources)
    prefetch = as_prefetch(resources, service.prefetch)
    request = {
        "hookInstance": str(uuid5(NAMESPACE_URL, stem)),
        "hook": service.hook,
        "context": {"userId": "Practitioner/example", "patientId": patient},
        "prefetch": prefetch,
    }
    wanting = size - len(orjson.dumps(request))
    for key, entry in _padding(patient):
        wanting -= len(orjson.dumps(entry)) + 1
        if wanting < 0:
            break
        prefetch[key].setdefault("entry", []).append(entry)
        prefetch[key]["total"] += 1
    return Body(name, orjson.dumps(request), person == "firing", patient)


def _padding(patient: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Entries without end: a prefetch key, and what goes into its searchset."""
    subject = {"reference": f"Patient/{patient}"}
    for number in count():
        is_condition = number % (_OBSERVATIONS_A_CONDITION + 1) == 0
        make = _condition if is_condition else _observation
        resource = make(number) | {"id": f"padding-{number}", "subject": subject}
        key = "conditions" if is_condition else "laboratory"
        yield key, {"resource": resource, "search": {"mode": "match"}}


def _condition(number: int) -> dict[str, Any]:
    status = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    verification = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": status, "code": "resolved"}]},
        "verificationStatus": {"coding": [{"system": verification, "code": "confirmed"}]},
        "code": _concept("http://snomed.info/sct", *_CONDITIONS[number % len(_CONDITIONS)]),
        "onsetDateTime": f"20{number % 20:02}-03-14T09:26:53+01:00",
        "recordedDate": f"20{number % 20:02}-03-14T09:26:53+01:00",
    }


def _observation(number: int) -> dict[str, Any]:
    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": category, "code": "laboratory"}]}],
        "code": _concept("http://loinc.org", *_OBSERVATIONS[number % len(_OBSERVATIONS)]),
        "effectiveDateTime": f"20{number % 26:02}-06-{number % 28 + 1:02}T08:00:00Z",
        "issued": f"20{number % 26:02}-06-{number % 28 + 1:02}T10:30:00.000Z",
        "valueQuantity": {
            "value": number % 500 / 10,
            "unit": "mg/dL",
            "system": "http://unitsofmeasure.org",
            "code": "mg/dL",
        },
    }


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    coding = {"system": system, "code": code, "display": display}
    return {"coding": [coding], "text": display}
