"""Calls about invented people, for any hook of the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from cds_service.wire.hooks import ANYONE, CLINICIANS, HOOKS, resource_members

PATIENT_ID = "invented-person"
_PERSON = {"resourceType": "Patient", "id": PATIENT_ID, "birthDate": "1980-01-01"}
_SUBJECT = {"subject": {"reference": f"Patient/{PATIENT_ID}"}}
_USERS: Mapping[str, Sequence[str]] = {
    "patient-view": ANYONE,
    "appointment-book": ANYONE,
    "allergyintolerance-create": ("Practitioner",),
    "order-dispatch": (),
}
_NOTHING = {"resourceType": "Bundle", "type": "searchset", "total": 0}


def _resource(type_: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": type_, "id": "invented", "status": "draft", **_SUBJECT, **members}


def _bundle(*resources: Mapping[str, Any]) -> dict[str, Any]:
    entries = [{"resource": dict(each)} for each in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


_INVENTED = {"text": "invented by a test"}
_ORDER = _resource("ServiceRequest", intent="proposal", code=_INVENTED)
_MEDICINE = _resource("MedicationRequest", intent="order", medicationCodeableConcept=_INVENTED)
_CONDITION = {"resourceType": "Condition", "id": "invented", **_SUBJECT, "code": _INVENTED}
# What the resource or the Bundle is that a context must have, besides patient and user.
_RESOURCES: Mapping[str, Mapping[str, Any]] = {
    "order-sign": _bundle(_ORDER),
    "order-select": _bundle(_ORDER),
    "appointment-book": _bundle({"resourceType": "Appointment", "status": "proposed"}),
    "medication-refill": _bundle(_MEDICINE),
    "medication-verify": {**_MEDICINE, "status": "active"},
    "problem-list-item-create": _bundle(_CONDITION),
    "allergyintolerance-create": {
        "resourceType": "AllergyIntolerance",
        "patient": _SUBJECT["subject"],
        "code": _INVENTED,
    },
    "medication-prescribe": _bundle(_MEDICINE),
    "order-review": _bundle(_ORDER),
}
_REFERENCES: Mapping[str, Mapping[str, Any]] = {
    "order-select": {"selections": ["ServiceRequest/invented"]},
    "order-dispatch": {
        "dispatchedOrders": ["ServiceRequest/invented"],
        "performer": "Practitioner/invented",
    },
}


def users(hook: str) -> Sequence[str]:
    """The types of user that the hook allows; none if it names no user."""
    return _USERS.get(hook, CLINICIANS)


def invented_call(hook: str, templates: Mapping[str, str]) -> dict[str, Any]:
    """A call with the chart of an invented adult with nothing on record."""
    context: dict[str, Any] = {"patientId": PATIENT_ID, "encounterId": "invented-visit"}
    if types := users(hook):
        context["userId"] = f"{types[0]}/invented-user"
    if hook in _RESOURCES:
        context[resource_members(hook)[0]] = _RESOURCES[hook]
    return {
        "hook": hook,
        "hookInstance": str(uuid4()),
        "context": context | dict(_REFERENCES.get(hook, {})),
        "prefetch": {key: _value(template) for key, template in templates.items()},
    }


def required_members(hook: str) -> Sequence[str]:
    """The members besides the patient that a context of the hook must have."""
    if hook not in HOOKS:
        return ()
    fields = HOOKS[hook].fields.values()
    names = [str(field.data_key) for field in fields if field.required]
    return [name for name in names if name != "patientId"]


def _value(template: str) -> dict[str, Any]:
    path, is_search, _ = template.partition("?")
    type_, _, id_ = path.partition("/")
    if is_search or not id_:
        return _NOTHING
    return _PERSON if type_ == "Patient" else {"resourceType": type_, "id": "invented-visit"}
