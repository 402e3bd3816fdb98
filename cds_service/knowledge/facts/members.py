"""The members that each kind of fact offers to conditions and words, and their types."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.knowledge.expressions.expressions import BOOLEAN, NUMBER, TEXT, TEXTS
from cds_service.knowledge.facts.allergy import AllergyDefinition
from cds_service.knowledge.facts.condition import ConditionDefinition
from cds_service.knowledge.facts.facts import (
    Definition,
    ExpressionDefinition,
    GroupDefinition,
    ListDefinition,
    PatientDefinition,
)
from cds_service.knowledge.facts.medication import MedicationDefinition
from cds_service.knowledge.facts.observation import ObservationDefinition
from cds_service.knowledge.facts.order import OrderDefinition

_MEMBERS: Mapping[type, Mapping[str, str]] = {
    ConditionDefinition: {
        "value": BOOLEAN,
        "present": BOOLEAN,
        "certain": BOOLEAN,
        "confirmed": BOOLEAN,
        "disputed": BOOLEAN,
        "new": BOOLEAN,
        "onset_days": NUMBER,
        "latest_days": NUMBER,
        "onset_date": TEXT,
        "names": TEXTS,
    },
    ObservationDefinition: {
        "value": NUMBER,
        "state": TEXT,
        "present": BOOLEAN,
        "date": TEXT,
        "age_days": NUMBER,
        "last_value": NUMBER,
        "previous": NUMBER,
        "other_value": NUMBER,
        "low": NUMBER,
        "high": NUMBER,
        "flag": TEXT,
        "count": NUMBER,
        "span_days": NUMBER,
    },
    MedicationDefinition: {
        "value": BOOLEAN,
        "active": BOOLEAN,
        "present": BOOLEAN,
        "recent": BOOLEAN,
        "uncertain": BOOLEAN,
        "count": NUMBER,
        "overlap_days": NUMBER,
        "duration_days": NUMBER,
        "covered_days": NUMBER,
        "stopped_days": NUMBER,
        "stop_unknown": BOOLEAN,
        "intolerance": BOOLEAN,
        "ineffective": BOOLEAN,
        "names": TEXTS,
        "date": TEXT,
    },
    AllergyDefinition: {"value": BOOLEAN, "present": BOOLEAN, "severe": BOOLEAN, "names": TEXTS},
    OrderDefinition: {"value": BOOLEAN, "present": BOOLEAN},
    ListDefinition: {
        "value": BOOLEAN,
        "complete": BOOLEAN,
        "unreadable": NUMBER,
        "other_version": NUMBER,
        "other_patient": NUMBER,
        "future": NUMBER,
    },
    GroupDefinition: {
        "value": BOOLEAN,
        "missing": TEXTS,
        "stale": TEXTS,
        "unreadable": TEXTS,
        "conflicting": TEXTS,
        "not_retrieved": TEXTS,
    },
}
_PATIENT_TYPES = {"age": NUMBER, "sex": TEXT, "deceased": BOOLEAN, "user": TEXT}


def members_of(definitions: Mapping[str, Definition]) -> dict[str, str]:
    """The type of every `fact.member`."""
    return {
        f"{name}.{member}": type_
        for name, definition in definitions.items()
        for member, type_ in _members(definition).items()
    }


def _members(definition: Definition) -> Mapping[str, str]:
    if isinstance(definition, PatientDefinition):
        type_ = _PATIENT_TYPES[definition.member]
        return {"value": type_, "present": type_}
    if isinstance(definition, ExpressionDefinition):
        return {"value": definition.expression.type, "present": definition.expression.type}
    return _MEMBERS[type(definition)]
