"""How one list of the record came: whole or not, and how much of it could not be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from marshmallow import ValidationError, fields, post_load

from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.facts.kind import (
    ABSENT,
    NOT_TOLD,
    Fact,
    FactName,
    Kind,
    none_of,
    of_record,
)
from cds_service.knowledge.facts.schema import DefinitionSchema
from cds_service.knowledge.record.lists import (
    OTHER_PATIENT,
    OTHER_VERSION,
    UNREADABLE,
    Unread,
)
from cds_service.knowledge.record.record import PatientRecord

# How the words in layout name what is missing from a list.
_SHORTFALLS: Mapping[Retrieval, str | None] = {
    Retrieval.COMPLETE: None,
    Retrieval.INCOMPLETE: "part",
    Retrieval.FAILED: "failed",
    Retrieval.ABSENT: "never-given",
    Retrieval.NEVER_GIVEN: "never-given",
    Retrieval.MISSING: "not-sent",
}
# The record itself says that nobody knows, or that nobody asked.
_NOT_ASKED = "not-asked"
LIST_WORDS = (
    *("list part", "list failed", "list other-version", "list never-given", "list not-sent"),
    f"list {_NOT_ASKED}",
)


@dataclass(frozen=True, slots=True)
class ListDefinition:
    """A fact of kind `list`: whether a list came whole, and whether its types could be read.

    `name` is a prefetch key, or a resource type for all lists of that type.
    """

    name: str
    resource_types: tuple[str, ...]


class ListSchema(DefinitionSchema):
    name = fields.String(
        data_key="list", required=True, metadata={"guide": "<prefetch key or resource type>"}
    )
    also = fields.List(
        fields.String(),
        load_default=list,
        metadata={"guide": "types whose unreadable resources it counts as well"},
    )

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ListDefinition:
        """The definition, with the resource types that the list holds."""
        names = (data["name"], *data["also"])
        for name in names:
            if name not in self.known.fetched:
                raise ValidationError({"list": [f"{name} is not a list that is prefetched"]})
        return ListDefinition(names[0], tuple(self.known.fetched[name] for name in names))


@dataclass(frozen=True, slots=True)
class ListFact(Fact):
    """How a list came: `complete` or not, and how much of it could not be used.

    If the operator says that a list never comes, it has not failed.
    """

    complete: bool
    failed: Annotated[bool, "came in part, not at all, or in a form that is not read"] = False
    failure: Annotated[FactName | None, "what failed, or that it is never given"] = None
    shortfall: Annotated[FactName | None, "what `failure` says, or that it was not sent"] = None
    unread: Annotated[tuple[str, ...], "names of unreadable resources"] = ()
    unreadable: int = 0
    other_version: int = 0
    other_patient: int = 0
    future: int = 0
    sharing: Annotated[int, "have the id of another resource but other content"] = 0
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> bool:
        """What the bare name of the fact means."""
        return self.complete

    def standing(self) -> str:
        """Absent: a list that came whole and was read is not worth a mention."""
        if not self.complete:
            return "not-retrieved"
        return "unreadable" if self.resources else ABSENT

    def stated(self) -> list[str]:
        """How it came, unless it came whole and all of it could be used."""
        aside = (self.unreadable, self.other_version, self.other_patient, self.future)
        if self.shortfall is None and not any(aside):
            return []
        return [self.shortfall.part if self.shortfall else "", *map(str, aside)]

    def is_gap(self) -> bool:
        """Whether it failed, or something in it was not read."""
        return self.failed or bool(self.resources)


def read_list(definition: ListDefinition, record: PatientRecord) -> ListFact:
    """The fact that a definition gives for a record."""
    name, types = definition.name, definition.resource_types

    def unread_for(*reasons: str) -> list[Unread]:
        return [unread for type_ in types for unread in record.unread(type_, *reasons)]

    unreadable, other_version = unread_for(UNREADABLE), unread_for(OTHER_VERSION)
    state = record.state(name)
    shortfall = "other-version" if other_version else _SHORTFALLS[state]
    if shortfall is None and not record.not_asked.isdisjoint(types):
        shortfall = _NOT_ASKED
    has_failed = state.is_failure or bool(other_version)
    named = FactName("layout", f"list {shortfall}") if shortfall else None
    is_mentioned = has_failed or state is Retrieval.NEVER_GIVEN or shortfall == _NOT_ASKED
    return ListFact(
        complete=record.is_complete(name),
        failed=has_failed,
        failure=named if is_mentioned else None,
        shortfall=named,
        unread=tuple(dict.fromkeys(unread.name for unread in unreadable if unread.name)),
        unreadable=len(unreadable),
        other_version=len(other_version),
        other_patient=len(unread_for(OTHER_PATIENT)),
        future=record.count_future(types),
        sharing=sum(map(record.sharing, types)),
        resources=tuple(unread.resource for unread in unread_for()),
    )


def _example(_: ListDefinition, complete: Any, __: Mapping[str, Any]) -> ListFact:
    return ListFact(True if complete is NOT_TOLD else complete)


LIST = Kind(
    key="list",
    schema=ListSchema,
    definition=ListDefinition,
    fact=ListFact,
    main="complete",
    read=of_record(read_list),
    resource_types=(),
    keys=none_of,
    source=lambda definition: definition.name,
    made_of=none_of,
    example=_example,
)
