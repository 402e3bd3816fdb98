"""The hooks of the CDS Hooks library, with the schema of each context."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, post_load, validate

from cds_service.errors import InvalidRequest
from cds_service.knowledge.call import Call, Resource, Retrieved
from cds_service.wire.requests import CDSRequest, ReceivedSchema, Text, load

CLINICIANS = ("Practitioner", "PractitionerRole")
ANYONE = (*CLINICIANS, "Patient", "RelatedPerson")

# Allows more than FHIR's id, because not all servers follow it; but never a path or a query.
_ID = r"(?!\.+\Z)[A-Za-z0-9\-._~]{1,128}"


@dataclass(frozen=True, slots=True)
class HookContext:
    """The context of one call. `others` holds the members that only this hook has, by name.

    `user_id` is "" for the hooks that may name no user.
    """

    patient_id: str
    user_id: str = ""
    encounter_id: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def tokens(self) -> Mapping[str, str]:
        """The value of each prefetch token; tokens that the context does not have are left out."""
        tokens = {
            "context.patientId": self.patient_id,
            "context.userId": self.user_id,
            "context.encounterId": self.encounter_id,
        }
        return {name: value for name, value in tokens.items() if value}


class Id(fields.String):
    """A bare id; real clients also send `Patient/id`, which is read the same way."""

    def __init__(self, resource_type: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.written = re.compile(rf"(?:{resource_type}/)?({_ID})")

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        match = self.written.fullmatch(super()._deserialize(value, *args, **kwargs) or "")
        if not match:
            raise ValidationError("Must be an id.")
        return match[1]


def _reference(*resource_types: str, required: bool = True) -> Text:
    types = "|".join(resource_types) or "[A-Z][A-Za-z]+"
    means = " or ".join(f"{name}/id" for name in resource_types) or "Type/id"
    pattern = validate.Regexp(rf"(?:{types})/{_ID}\Z", error=f"Must be {means}.")
    return Text(required=required, validate=pattern)


_TYPE_AND_ID = validate.Regexp(rf"[A-Z][A-Za-z]+/{_ID}\Z", error="Must be Type/id.")


def _references() -> fields.List[Any]:
    return fields.List(_reference(), required=True, validate=validate.Length(min=1))


class Selection(Text):
    """A reference to a draft; some EHRs write it as an entry of a Bundle: `Bundle/id#Type/id`."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        return text.rpartition("#")[2] if isinstance(text, str) else text


def _resource(resource_type: str, *, required: bool = True) -> fields.Dict:
    """A FHIR resource of one type. It may be a draft, so only its type is checked."""

    def has_the_type(resource: Resource) -> None:
        if resource.get("resourceType") != resource_type:
            raise ValidationError(f"Must be a {resource_type}.")

    return fields.Dict(required=required, validate=has_the_type)


class ContextSchema(ReceivedSchema):
    """The members that nearly every hook has; unknown members are ignored."""

    built_as: ClassVar[type] = HookContext

    user_id = _reference(*CLINICIANS)
    patient_id = Id("Patient", required=True)
    encounter_id = Id("Encounter")

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> HookContext:
        common = {name: data.pop(name) for name in ContextSchema._declared_fields if name in data}
        others = {self.fields[name].data_key or name: value for name, value in data.items()}
        return HookContext(**common, others=others)


class PatientView(ContextSchema):
    user_id = _reference(*ANYONE)


class OrderSign(ContextSchema):
    # A Bundle of any type, or none: the sandbox and teaching EHRs call before there is a draft.
    draft_orders = _resource("Bundle", required=False)


class OrderSelect(OrderSign):
    selections = fields.List(Selection(validate=_TYPE_AND_ID))


class EncounterStartOrDischarge(ContextSchema):
    encounter_id = Id("Encounter", required=True)


class AppointmentBook(ContextSchema):
    user_id = _reference(*ANYONE)
    appointments = _resource("Bundle")


class OrderDispatch(ContextSchema):
    user_id = _reference(required=False)  # not in the library, so any type of user is accepted
    dispatched_orders = _references()
    performer = _reference()
    fulfillment_tasks = fields.List(_resource("Task", required=False))


class MedicationRefill(ContextSchema):
    user_id = _reference(*CLINICIANS, required=False)
    medications = _resource("Bundle")


class MedicationVerify(ContextSchema):
    medication = _resource("MedicationRequest")


class ProblemListItemCreate(ContextSchema):
    conditions = _resource("Bundle")


class AllergyIntoleranceCreate(ContextSchema):
    user_id = _reference("Practitioner")
    allergy_intolerance = _resource("AllergyIntolerance")


class MedicationPrescribe(ContextSchema):
    medications = _resource("Bundle")


class OrderReview(ContextSchema):
    orders = _resource("Bundle")


# Every hook of the CDS Hooks library, the deprecated ones last.
HOOKS: Mapping[str, ContextSchema] = {
    "patient-view": PatientView(),
    "order-sign": OrderSign(),
    "order-select": OrderSelect(),
    "encounter-start": EncounterStartOrDischarge(),
    "encounter-discharge": EncounterStartOrDischarge(),
    "appointment-book": AppointmentBook(),
    "order-dispatch": OrderDispatch(),
    "medication-refill": MedicationRefill(),
    "medication-verify": MedicationVerify(),
    "problem-list-item-create": ProblemListItemCreate(),
    "allergyintolerance-create": AllergyIntoleranceCreate(),
    "medication-prescribe": MedicationPrescribe(),
    "order-review": OrderReview(),
}

# The prefetch tokens that templates of each hook may use: the ids in its context.
TOKENS: Mapping[str, frozenset[str]] = {
    hook: frozenset(
        f"context.{schema.fields[name].data_key or name}" for name in ContextSchema._declared_fields
    )
    for hook, schema in HOOKS.items()
}


def resource_members(hook: str) -> tuple[str, ...]:
    """The members of the context of a hook of the library that hold FHIR resources."""
    schema = HOOKS[hook].fields.items()
    dicts = [(name, each) for name, each in schema if isinstance(each, fields.Dict)]
    return tuple(each.data_key or name for name, each in dicts)


def load_context(hook: str, context: Any) -> HookContext:
    """The context of `hook`. Raises InvalidRequest, with a path to each fault, or for an unknown
    hook."""
    if hook not in HOOKS:
        raise InvalidRequest("This hook is not in the CDS Hooks library.", "hook")
    loaded: HookContext = load(HOOKS[hook], context, path="context")
    return loaded


def call_of(
    request: CDSRequest,
    context: HookContext,
    retrieved: Retrieved,
    *,
    now: datetime,
    language: str,
    is_short: bool = False,
) -> Call:
    """The call of a service: a request in its context, and the data that came with it."""
    return Call(
        retrieved=retrieved,
        patient_id=context.patient_id,
        user_id=context.user_id,
        hook_instance=request.hook_instance,
        now=now,
        language=language,
        encounter_id=context.encounter_id,
        context=context.others,
        is_short=is_short,
    )
