"""Every kind of fact, one row each. A new kind is one module beside this one, and one row here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cds_service.knowledge.facts.allergy import ALLERGY
from cds_service.knowledge.facts.condition import CONDITION
from cds_service.knowledge.facts.expression import EXPRESSION
from cds_service.knowledge.facts.group import GROUP
from cds_service.knowledge.facts.kind import Kind
from cds_service.knowledge.facts.list import LIST
from cds_service.knowledge.facts.medication import MEDICATION
from cds_service.knowledge.facts.observation import OBSERVATION
from cds_service.knowledge.facts.order import ORDER
from cds_service.knowledge.facts.patient import PATIENT
from cds_service.knowledge.facts.procedure import PROCEDURE
from cds_service.knowledge.facts.questionnaire import QUESTIONNAIRE
from cds_service.knowledge.record.record import Key

Definition = Any  # an instance of the `definition` of one of the rows

KINDS: tuple[Kind[Any, Any], ...] = (
    PATIENT,
    LIST,
    CONDITION,
    OBSERVATION,
    MEDICATION,
    ALLERGY,
    ORDER,
    PROCEDURE,
    QUESTIONNAIRE,
    GROUP,
    EXPRESSION,
)
RESOURCE_TYPES = frozenset(type_ for kind in KINDS for type_ in kind.resource_types)
_KIND_OF: Mapping[type, Kind[Any, Any]] = {kind.definition: kind for kind in KINDS}


def kind_of(definition: Definition) -> Kind[Any, Any]:
    """The row of a definition."""
    return _KIND_OF[type(definition)]


def made_of(definition: Definition) -> tuple[str, ...]:
    """The names of the facts that a definition names itself, without the facts below those."""
    return kind_of(definition).made_of(definition)


def keys_of(definitions: Iterable[Definition]) -> Iterable[Key]:
    """Which value sets each kind of resource is looked up in."""
    for definition in definitions:
        kind = kind_of(definition)
        keys = tuple(kind.keys(definition))
        yield from keys or (
            (resource_type, value_set)
            for resource_type in kind.resource_types
            for _, value_set in kind.value_sets(definition)
        )


def types_of(definitions: Mapping[str, Definition]) -> dict[str, str]:
    """The type of every `fact.member`."""
    return {
        f"{name}.{member}": type_
        for name, definition in definitions.items()
        for member, type_ in kind_of(definition).members(definition).items()
    }
