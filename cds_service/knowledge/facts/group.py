"""The states of several measurements at once, so that a text can name the missing ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from marshmallow import ValidationError, fields, post_load

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.kind import (
    NOT_TOLD,
    Fact,
    FactName,
    Kind,
    Reading,
    ValueFact,
    no_source,
    none_of,
)
from cds_service.knowledge.facts.schema import DefinitionSchema

_SAID_AS = {
    "conflicting": "reading",
    "uncertain": "reading",
    "stale": "reading",
    "unreadable": "unreadable",
}
_FROM_BEST = ("ok", "conflicting", "uncertain", "stale", "unreadable", "not-retrieved", "missing")
_RANK = {state: rank for rank, state in enumerate(_FROM_BEST)}


@dataclass(frozen=True, slots=True)
class GroupDefinition:
    """A fact of kind `group`: the states of several observations; a tuple means any of them."""

    facts: tuple[tuple[str, ...], ...]

    @property
    def members(self) -> tuple[str, ...]:
        """The facts of the group, alternatives among them."""
        return tuple(name for alternatives in self.facts for name in alternatives)


class GroupSchema(DefinitionSchema):
    facts = fields.List(
        fields.List(fields.String()),
        data_key="group",
        required=True,
        metadata={"guide": "[[fact], [fact, or another]]"},
    )

    @classmethod
    def facts_named(cls, entry: Mapping[str, Any]) -> Iterable[str]:
        """Every fact of the group."""
        for alternatives in entry["group"] if isinstance(entry["group"], list) else ():
            yield from map(str, alternatives if isinstance(alternatives, list) else ())

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> GroupDefinition:
        """The definition; each of its facts must have a state."""
        definition = GroupDefinition(tuple(map(tuple, data["facts"])))
        for name in definition.members:
            if f"{name}.state" not in self.known.types:
                raise ValidationError({"group": [f"{name} is not an observation fact"]})
        return definition


@dataclass(frozen=True, slots=True)
class GroupFact(Fact):
    """The facts in each state; a fact that was read before has a value to show."""

    missing: tuple[FactName, ...] = ()
    stale: tuple[FactName, ...] = ()
    unreadable: tuple[FactName, ...] = ()
    conflicting: tuple[FactName, ...] = ()
    uncertain: tuple[FactName, ...] = ()
    newer_unread: tuple[FactName, ...] = ()
    outside: Annotated[tuple[FactName, ...], "of their range, without a rule of their own"] = ()
    not_retrieved: Annotated[tuple[FactName, ...], "like the others, a list of facts"] = ()
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> Annotated[bool, "true when all have a usable value"]:
        """Whether every fact of the group has a usable value."""
        lacking = (self.missing, self.stale, self.unreadable, self.uncertain, self.not_retrieved)
        return not any(lacking)

    def is_gap(self) -> bool:
        """Never itself; a fact of the group may be."""
        return False

    def lacking(self) -> Iterable[str]:
        """The facts of the group that are not on record."""
        return (name.name for name in (*self.missing, *self.not_retrieved))


def read_group(definition: GroupDefinition, facts: Mapping[str, Any]) -> GroupFact:
    """Which facts of a group are in which state; of alternatives the best one counts."""
    found: dict[str, list[FactName]] = {state: [] for state in _FROM_BEST}
    newer_unread: list[FactName] = []
    outside: list[FactName] = []
    for alternatives in definition.facts:
        best, *others = alternatives
        state = facts[best].state
        for name in others:
            if _RANK[facts[name].state] < _RANK[state]:
                best, state = name, facts[name].state
        if state != "ok":
            found[state].append(FactName(best, _SAID_AS.get(state, "label")))
        if facts[best].newer_unread:
            newer_unread.append(FactName(best, "reading"))
        if facts[best].outside:
            outside.append(FactName(best, "reading"))
    return GroupFact(
        missing=tuple(found["missing"]),
        stale=tuple(found["stale"]),
        unreadable=tuple(found["unreadable"]),
        conflicting=tuple(found["conflicting"]),
        uncertain=tuple(found["uncertain"]),
        newer_unread=tuple(newer_unread),
        outside=tuple(outside),
        not_retrieved=tuple(found["not-retrieved"]),
    )


def _read(definition: GroupDefinition, reading: Reading) -> GroupFact:
    return read_group(definition, reading)


def _example(definition: GroupDefinition, value: Any, facts: Mapping[str, Any]) -> Fact:
    return read_group(definition, facts) if value is NOT_TOLD else ValueFact(value)


GROUP = Kind(
    key="group",
    schema=GroupSchema,
    definition=GroupDefinition,
    fact=GroupFact,
    main="value",
    read=_read,
    resource_types=(),
    keys=none_of,
    source=no_source,
    made_of=lambda definition: definition.members,
    example=_example,
)
