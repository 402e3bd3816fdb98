"""What tests are made of: requests that are valid by default, and a toy CDS Service."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from cds_service.knowledge.call import (
    Action,
    Answer,
    Call,
    Card,
    Coding,
    Link,
    Resource,
    Source,
    Suggestion,
)
from cds_service.knowledge.content.suppression import Suppression

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HOOK_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
TOY = "/cds-services/toy"

TEMPLATES = {
    "patient": "Patient/{{context.patientId}}",
    "conditions": "Condition?patient={{context.patientId}}",
    "laboratory": "Observation?patient={{context.patientId}}&category=laboratory",
}


def patient(**members: Any) -> Resource:
    return {"resourceType": "Patient", "id": "ada", "birthDate": "1980-05-17", **members}


def condition(identifier: str = "anxiety", **members: Any) -> Resource:
    subject = {"reference": "Patient/ada"}
    return {"resourceType": "Condition", "id": identifier, "subject": subject, **members}


def searchset(*resources: Any, **members: Any) -> Resource:
    entries = [{"resource": each, "search": {"mode": "match"}} for each in resources]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    return bundle | ({"entry": entries} if entries else {}) | members


def operation_outcome(severity: str = "error") -> Resource:
    issue = {"severity": severity, "code": "processing", "diagnostics": "no such luck"}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def prefetch(**keys: Any) -> dict[str, Any]:
    """Whole and sound answers to every template of the toy, but for `keys`."""
    return {
        "patient": patient(),
        "conditions": searchset(condition()),
        "laboratory": searchset(),
    } | keys


def cds_request(**members: Any) -> dict[str, Any]:
    """A valid patient-view request; a member given as `...` is left out."""
    request = {
        "hook": "patient-view",
        "hookInstance": HOOK_INSTANCE,
        "context": {"userId": "Practitioner/grace", "patientId": "ada"},
        "prefetch": prefetch(),
    } | members
    return {name: value for name, value in request.items() if value is not ...}


def feedback(**members: Any) -> dict[str, Any]:
    """A valid entry of feedback; a member given as `...` is left out."""
    entry = {
        "card": "9368d37b-283f-44a0-93ea-547cebab93ed",
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T09:30:00.000Z",
    } | members
    return {name: value for name, value in entry.items() if value is not ...}


def _uuid(*names: str) -> str:
    return str(uuid5(NAMESPACE_OID, " ".join(names)))


def proposal(**members: Any) -> Resource:
    resource = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "code": {"text": "Vitamin B12"},
        "subject": {"reference": "Patient/ada"},
    }
    return resource | members


def suggestion(name: str = "card", *, resource: Any = None) -> Suggestion:
    action = Action("create", "Propose to measure vitamin B12", resource or proposal())
    return Suggestion(_uuid(name, "b12"), "Measure vitamin B12", (action,))


def card(name: str = "card", **members: Any) -> Card:
    """A card with everything that a card may have."""
    whole: dict[str, Any] = {
        "uuid": _uuid(name),
        "summary": "Leg weakness has no recorded work-up",
        "indicator": "warning",
        "detail": "**Not known:** vitamin B12",
        "source": Source("Toy guideline", "https://guideline.example.org/toy"),
        "override_reasons": (Coding("https://codes.example.org", "seen", "Seen already"),),
        "suggestions": (suggestion(name),),
        "links": (Link("Toy guideline", "https://guideline.example.org/toy"),),
        "rules": ("R1",),
    }
    return Card(**whole | members)


def answer_with_one_card(call: Call) -> Answer:
    """A card that shows who called and what it rests on, so that tests see what was passed on."""
    detail = f"{call.patient_id} {call.user_id} {call.language} {call.now.isoformat()}"
    name = call.hook_instance + call.patient_id
    resource = proposal(subject={"reference": f"Patient/{call.patient_id}"})
    made = card(name, detail=detail, suggestions=(suggestion(name, resource=resource),))
    return Answer(cards=(made,), applied=("R1",), unknown=("R2",), missing=("laboratory",))


def answer_with_nothing(call: Call) -> Answer:
    return Answer(cards=(), applied=(), unknown=(), missing=())


@dataclass
class ToyService:
    """A CDS Service written by hand; it remembers the calls that reached it."""

    id: str = "toy"
    hook: str = "patient-view"
    title: str = "Toy"
    description: str = "Looks at nothing and has an opinion."
    usage_requirements: str = "For tests only."
    prefetch: Mapping[str, str] = field(default_factory=lambda: dict(TEMPLATES))
    required_keys: frozenset[str] = frozenset({"patient"})
    languages: tuple[str, ...] = ("en", "es", "zh-Hans")
    regions: tuple[str, ...] = ()
    suppression: Sequence[Suppression] = ()
    answered_by: Callable[[Call], Answer] = answer_with_one_card
    calls: list[Call] = field(default_factory=list)

    def answer(self, call: Call) -> Answer:
        self.calls.append(call)
        return self.answered_by(call)

    def prepare(self) -> None:
        """Nothing to compute in advance."""

    def link_label(self, language: str) -> str:
        return "Basis"

    def unavailable(self, call: Call) -> Answer:
        warning = card(call.hook_instance, summary="Nothing could be checked", suggestions=())
        return Answer(cards=(warning,), applied=(), unknown=(), missing=("patient",))


@dataclass
class ToyKnowledge:
    services: Mapping[str, ToyService]
    version: str = "toy-1"


def toy_knowledge(*services: ToyService) -> ToyKnowledge:
    return ToyKnowledge({service.id: service for service in services})


def assert_outcome(response: Any, status: int, *expressions: str) -> dict[str, Any]:
    """E-1 and E-3: this answer is an error in the FHIR way; gives its body."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    body: dict[str, Any] = response.get_json()
    assert body["resourceType"] == "OperationOutcome"
    assert all(issue["severity"] in ("error", "fatal") for issue in body["issue"])
    assert all(issue["code"] and issue["diagnostics"] for issue in body["issue"])
    for expression in expressions:
        assert [expression] in [issue.get("expression") for issue in body["issue"]]
    assert os.sep + "cds_service" not in response.text and "Traceback" not in response.text
    return body
