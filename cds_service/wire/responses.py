"""The JSON that goes out: discovery and cards. Nothing that the standard forbids is sent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from marshmallow import ValidationError, fields, post_dump, validate, validates_schema

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card, Coding, Retrieval
from cds_service.wire.requests import CDSSchema, Text, absolute_address

CDS_HOOKS_VERSION = "2.0.1"
# The extension of the answer with the state of the record; see the guide for integrators.
RECORD_STATE = "urn:cds-service:record-state"
TOPICS = "urn:cds-service:topics"  # the system of a card's source.topic
SUMMARY_UNITS = 139  # CDS Hooks, "Card Attributes": under 140 characters

# A list of what is allowed: a list of what is forbidden could miss a way to order a medicine.
PROPOSABLE = ("ServiceRequest", "Task")
_NEVER_INSIDE = re.compile(
    r"^resourceType$|^contained$|^systemActions$|^medication|dosage", re.IGNORECASE
)
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, (str, Sequence, Mapping)) and not value)


def _one_short_line(summary: str) -> None:
    # Counted in UTF-16 units, as JavaScript does, because clients cut the text by them.
    if len(summary.encode("utf-16-le", "surrogatepass")) // 2 > SUMMARY_UNITS:
        raise ValidationError(f"Must be at most {SUMMARY_UNITS} characters long.")
    if len(summary.splitlines()) != 1:
        raise ValidationError("Must be one line.")


def proposable(resource: Any) -> None:
    """Raises ValidationError unless a card may propose this FHIR resource.

    It may be a ServiceRequest or a Task, without another resource, medication or dosage inside.
    """
    if not isinstance(resource, dict) or resource.get("resourceType") not in PROPOSABLE:
        raise ValidationError("Only a ServiceRequest or a Task can be proposed.")
    inside = {name: value for name, value in resource.items() if name != "resourceType"}
    waiting: list[Any] = [inside] if inside else []
    while waiting:
        value = waiting.pop()
        _refuse_what_is_no_fhir(value)
        if isinstance(value, dict):
            waiting.extend(value.values())
            if any(map(_NEVER_INSIDE.search, value)):
                raise ValidationError("Must have no resource, medication or dosage inside.")
        elif isinstance(value, (list, tuple)):
            waiting.extend(value)


def _refuse_what_is_no_fhir(value: Any) -> None:
    if _is_nothing(value) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValidationError("FHIR JSON has no empty members.")
    if not isinstance(value, (str, int, float, list, tuple, dict)):
        raise ValidationError("Not FHIR JSON.")
    if isinstance(value, dict) and not all(isinstance(name, str) for name in value):
        raise ValidationError("Not FHIR JSON.")


class SentSchema(CDSSchema):
    """An object that goes out, without empty members (CDS Hooks, "Use of JSON")."""

    @post_dump
    def leave_out_nothing(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if not _is_nothing(value)}


class BodySchema(CDSSchema):
    """A whole body that goes out. Raises ValidationError if it is not valid."""

    @post_dump
    def refuse_the_invalid(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if faults := self.validate(data):
            raise ValidationError(faults)
        return data


class CodingSchema(SentSchema):
    system = Text(required=True)
    code = Text(required=True)
    display = Text(required=True)


class Codings(fields.Field[Any]):
    """Codings that many cards share: written and checked the first time they are sent."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return _written(tuple(value))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return value


@lru_cache(maxsize=1024)
def _written(codings: tuple[Coding, ...]) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = _checked(CodingSchema(many=True), codings)
    return written


class TopicSchema(SentSchema):
    """CDS Hooks "Source": what a card is about, for sorting and counting. Ours is its slot."""

    system = Text(required=True)
    code = Text(required=True)


class SourceSchema(SentSchema):
    label = Text(required=True)
    url = Text(validate=absolute_address)
    topic = fields.Nested(TopicSchema)


class LinkSchema(SentSchema):
    label = Text(required=True)
    url = Text(required=True, validate=absolute_address)
    type = Text(required=True, validate=validate.OneOf(["absolute", "smart"]))


class ActionSchema(SentSchema):
    # Suggestions never update or delete anything, so there is no resourceId.
    type = Text(required=True, validate=validate.Equal("create"))
    description = Text(required=True)
    resource = fields.Raw(required=True, validate=proposable)


class SuggestionSchema(SentSchema):
    uuid = Text(required=True, validate=validate.Regexp(_UUID))
    label = Text(required=True)
    actions = fields.List(fields.Nested(ActionSchema), validate=validate.Length(min=1))


class CardSchema(SentSchema):
    uuid = Text(required=True, validate=validate.Regexp(_UUID))
    summary = Text(required=True, validate=_one_short_line)
    indicator = Text(required=True, validate=validate.OneOf(["info", "warning", "critical"]))
    detail = Text()
    source = fields.Nested(SourceSchema, required=True)
    override_reasons = Codings(validate=validate.Length(min=1))
    selection_behavior = Text(validate=validate.OneOf(["any", "at-most-one"]))
    suggestions = fields.List(fields.Nested(SuggestionSchema), validate=validate.Length(min=1))
    links = fields.List(fields.Nested(LinkSchema), validate=validate.Length(min=1))

    @post_dump
    def leave_out_nothing(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        card: dict[str, Any] = super().leave_out_nothing(data)
        if "suggestions" in card:
            card["selectionBehavior"] = "any"  # suggestions of one card do not exclude each other
        return card

    @post_dump(pass_original=True)
    def name_the_topic(self, data: dict[str, Any], card: Card, **_: Any) -> dict[str, Any]:
        if card.slot:
            topic = {"system": TOPICS, "code": card.slot}
            data["source"] = data["source"] | {"topic": topic}
        return data

    @validates_schema
    def selects_exactly_when_it_suggests(self, data: dict[str, Any], **_: Any) -> None:
        if ("suggestions" in data) != ("selection_behavior" in data):
            raise ValidationError("Required exactly with suggestions.", "selectionBehavior")


class RecordStateSchema(SentSchema):
    """The state of each list of the record, and how many resources of each type were not read."""

    lists = fields.Dict(keys=Text(), values=fields.Enum(Retrieval, by_value=True))
    unread = fields.Dict(keys=Text(), values=fields.Integer())


class RecordStates(fields.Dict):
    """Extensions by address. Clients send the same lists in every call, so each is written and
    checked the first time."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return {
            address: _written_state(tuple(state["lists"].items()), tuple(state["unread"].items()))
            for address, state in value.items()
        }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return value


@lru_cache(maxsize=256)
def _written_state(
    lists: tuple[tuple[str, Retrieval], ...], unread: tuple[tuple[str, int], ...]
) -> dict[str, Any]:
    state = {"lists": dict(lists), "unread": dict(unread)}
    written: dict[str, Any] = _checked(RecordStateSchema(), state)
    return written


def _checked(schema: SentSchema, value: Any) -> Any:
    """What the schema writes of a value. Raises ValidationError if that is not valid."""
    written = schema.dump(value)
    if faults := schema.validate(written):
        raise ValidationError(faults)
    return written


class CDSResponseSchema(BodySchema):
    """CDS Hooks "CDS Service Response"; this service never sends systemActions."""

    cards = fields.List(fields.Nested(CardSchema), required=True)
    # CDS Hooks, "Extensions": the state of the record for programs, never a value of it.
    extension = RecordStates(keys=Text(), values=fields.Nested(RecordStateSchema))

    @validates_schema
    def names_nothing_twice(self, data: dict[str, Any], **_: Any) -> None:
        uuids = [card["uuid"] for card in data["cards"]]
        for card in data["cards"]:
            uuids += [suggestion["uuid"] for suggestion in card.get("suggestions", ())]
        if len(set(uuids)) != len(uuids):
            raise ValidationError("A uuid must not be repeated.", "cards")


class ServiceSchema(SentSchema):
    hook = Text(required=True)
    title = Text()
    description = Text(required=True)
    id = Text(required=True)
    prefetch = fields.Dict(keys=Text(), values=Text(), validate=validate.Length(min=1))
    usage_requirements = Text()
    version = fields.Constant(CDS_HOOKS_VERSION)


class DiscoverySchema(BodySchema):
    services = fields.List(fields.Nested(ServiceSchema), required=True)


_RESPONSE = CDSResponseSchema()
_DISCOVERY = DiscoverySchema()


def dump_response(
    cards: Sequence[Card],
    states: Mapping[str, Retrieval] = MappingProxyType({}),
    unread: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    """The body of an answer. Raises ValidationError if a card breaks CDS Hooks or our promises.

    `states` is the state of each prefetch key, `unread` counts the resources not read, by type.
    """
    if not cards:
        return _without_cards(tuple(states.items()), tuple(unread.items()))
    return _dumped(cards, states, unread)


@lru_cache(maxsize=256)
def _without_cards(
    states: tuple[tuple[str, Retrieval], ...], unread: tuple[tuple[str, int], ...]
) -> dict[str, Any]:
    """Most answers have no cards, and clients send the same lists in every call."""
    return _dumped((), dict(states), dict(unread))


def _dumped(
    cards: Sequence[Card], states: Mapping[str, Retrieval], unread: Mapping[str, int]
) -> dict[str, Any]:
    answer: dict[str, Any] = {"cards": cards}
    if states:
        answer["extension"] = {RECORD_STATE: {"lists": states, "unread": unread}}
    body: dict[str, Any] = _RESPONSE.dump(answer)
    return body


def dump_discovery(services: Iterable[CDSService]) -> dict[str, Any]:
    """The body of discovery. Raises ValidationError if an entry breaks CDS Hooks."""
    body: dict[str, Any] = _DISCOVERY.dump({"services": list(services)})
    return body
