"""What if: a CDS Hooks request as it would be if something on the record were otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cds_service.fhir.received import entries_of as entries_in
from cds_service.knowledge.call import Resource
from cds_service.knowledge.record.fhir_json import name_of
from cds_service.playground.choices import Choice, Choices

AS_SENT, EMPTY, PART, FAILED, NOT_SENT = LIST_STATES = ("", "empty", "part", "failed", "not-sent")
MEDICINE, ALLERGY, PROBLEM = ADDITIONS = ("medicine", "allergy", "problem")
OLDEST = 120
_UCUM = "http://unitsofmeasure.org"
_HL7 = "http://terminology.hl7.org/CodeSystem/"
# What is added has been there for a while: what a rule says of old courses can be seen, too.
_SINCE = timedelta(days=3)
_JUST_NOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is otherwise than on the record.

    `results` are values in our units by value set; `without` places on the record, such as
    `key.0`; `added` pairs of an addition and a value set; `lists` states by prefetch key.
    """

    age: int | None = None
    results: Mapping[str, float] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    added: tuple[tuple[str, str], ...] = ()
    lists: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(
            self.age is not None or self.results or self.without or self.added or self.lists
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource in a list of the request: where it stands, its type and its name."""

    place: str
    resource_type: str
    name: str


def entries_of(request: Resource, lists: Mapping[str, str], types: Iterable[str]) -> list[Entry]:
    """What stands in the lists of a request that hold resources of these types."""
    found = []
    for key, resource_type in lists.items():
        if resource_type not in types:
            continue
        for number, resource in enumerate(_resources(request, key)):
            if resource.get("resourceType") == resource_type:
                found.append(Entry(f"{key}.{number}", resource_type, _name(resource)))
    return found


def _name(resource: Resource) -> str:
    concept = resource.get("medicationCodeableConcept") or resource.get("code")
    return name_of(concept) or str(resource.get("id", ""))


class Changed:
    """Applies changes to a copy of a request."""

    def __init__(
        self, request: Resource, lists: Mapping[str, str], choices: Choices, now: datetime
    ) -> None:
        self.request = deepcopy(request)
        self._lists, self._choices, self._now = lists, choices, now
        prefetch = self.request.get("prefetch")
        self._prefetch: dict[str, Any] = prefetch if isinstance(prefetch, dict) else {}
        self.request["prefetch"] = self._prefetch

    def by(self, changes: Changes) -> Resource:
        """The request with all changes; what fits nothing that the service reads is left out."""
        self._leave_out(changes.without)
        if changes.age is not None:
            self._set_age(changes.age)
        for value_set, value in changes.results.items():
            self._add_result(value_set, value)
        for addition, value_set in changes.added:
            self._add(addition, value_set)
        for key, state in changes.lists.items():
            self._set_state(key, state)
        return self.request

    def _leave_out(self, places: frozenset[str]) -> None:
        for key in self._lists:
            bundle: Any = self._prefetch.get(key)
            entries = _entries(bundle)
            kept = [
                entry for number, entry in enumerate(entries) if f"{key}.{number}" not in places
            ]
            if len(kept) != len(entries):
                bundle["entry"] = kept
                _recount(bundle)

    def _set_age(self, age: int) -> None:
        """Half a year after the birthday: whatever the zone, the age is this one."""
        for key, resource_type in self._lists.items():
            patient = self._prefetch.get(key)
            if resource_type == "Patient" and isinstance(patient, dict):
                day = self._now.date() - timedelta(days=182)
                patient["birthDate"] = day.replace(
                    year=day.year - age, day=min(day.day, 28)
                ).isoformat()

    def _add_result(self, value_set: str, value: float) -> None:
        measurement = self._choices.measurements.get(value_set)
        if measurement is None or not math.isfinite(value):
            return
        at = self._now - _JUST_NOW
        self._append(
            measurement.prefetch_key,
            {
                "resourceType": "Observation",
                "id": f"what-if-{value_set}",
                "status": "final",
                "code": _concept(measurement.choice),
                "subject": self._subject,
                "effectiveDateTime": at.isoformat(timespec="seconds"),
                "valueQuantity": {
                    "value": value,
                    "unit": measurement.unit,
                    "system": _UCUM,
                    "code": measurement.unit,
                },
            },
        )

    def _add(self, addition: str, value_set: str) -> None:
        choices, build = {
            MEDICINE: (self._choices.medicines, self._medicine),
            ALLERGY: (self._choices.allergies, self._allergy),
            PROBLEM: (self._choices.problems, self._problem),
        }[addition]
        if value_set in choices:
            resource = build(choices[value_set]) | {"id": f"what-if-{value_set}"}
            for key, resource_type in self._lists.items():
                if resource_type == resource["resourceType"]:
                    self._append(key, resource)
                    return

    def _medicine(self, choice: Choice) -> Resource:
        return {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": _concept(choice),
            "subject": self._subject,
            "authoredOn": self._since,
        }

    def _allergy(self, choice: Choice) -> Resource:
        return {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": _code(f"{_HL7}allergyintolerance-clinical", "active"),
            "verificationStatus": _code(f"{_HL7}allergyintolerance-verification", "confirmed"),
            "code": _concept(choice),
            "patient": self._subject,
            "recordedDate": self._since,
        }

    def _problem(self, choice: Choice) -> Resource:
        return {
            "resourceType": "Condition",
            "clinicalStatus": _code(f"{_HL7}condition-clinical", "active"),
            "verificationStatus": _code(f"{_HL7}condition-ver-status", "confirmed"),
            "code": _concept(choice),
            "subject": self._subject,
            "onsetDateTime": self._since,
            "recordedDate": self._since,
        }

    @property
    def _since(self) -> str:
        return (self._now - _SINCE).date().isoformat()

    @property
    def _subject(self) -> Resource:
        context = self.request.get("context")
        id_ = context.get("patientId") if isinstance(context, dict) else None
        return {"reference": f"Patient/{id_}"}

    def _append(self, key: str, resource: Resource) -> None:
        bundle = self._prefetch.get(key)
        if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
            bundle = self._prefetch[key] = {"resourceType": "Bundle", "type": "searchset"}
        bundle["entry"] = [*_entries(bundle), {"resource": resource, "search": {"mode": "match"}}]
        _recount(bundle)

    def _set_state(self, key: str, state: str) -> None:
        """The list as a server might have sent it: empty, only a part, refused, or not at all."""
        if key not in self._lists:
            return
        if state == NOT_SENT:
            self._prefetch.pop(key, None)
        elif state == EMPTY:
            self._prefetch[key] = None
        elif state == FAILED:
            issue = {"severity": "error", "code": "forbidden"}
            self._prefetch[key] = {"resourceType": "OperationOutcome", "issue": [issue]}
        elif state == PART:
            bundle = self._prefetch.get(key)
            if not isinstance(bundle, dict):
                bundle = self._prefetch[key] = {"resourceType": "Bundle", "type": "searchset"}
            bundle["total"] = len(_entries(bundle)) + 1


def _entries(bundle: Any) -> list[Any]:
    return (entries_in(bundle) or []) if isinstance(bundle, dict) else []


def _resources(request: Resource, key: str) -> Iterable[Resource]:
    prefetch = request.get("prefetch")
    for entry in _entries(prefetch.get(key) if isinstance(prefetch, dict) else None):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        yield resource if isinstance(resource, dict) else {}


def _recount(bundle: dict[str, Any]) -> None:
    """The total of a searchset counts what was searched for, not what is sent along."""
    if "total" in bundle or not bundle.get("entry"):
        bundle["total"] = sum(not _is_included(entry) for entry in _entries(bundle))


def _is_included(entry: Any) -> bool:
    search = entry.get("search") if isinstance(entry, dict) else None
    return isinstance(search, dict) and search.get("mode") != "match"


def _concept(choice: Choice) -> Resource:
    return {
        "coding": [dict(choice.coding)],
        "text": choice.coding.get("display", choice.title),
    }


def _code(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}
