"""A kind of fact is one row, whole or not there at all; what derives from the rows is right."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import pytest

from cds_service.knowledge.expressions.expressions import BOOLEAN, FACT_NAMES, NUMBER, TEXT, TEXTS
from cds_service.knowledge.facts.kind import Fact, Kind, members_of
from cds_service.knowledge.facts.kinds import KINDS, RESOURCE_TYPES, kind_of
from cds_service.knowledge.facts.observation import OBSERVATION

PARTS = [field.name for field in fields(Kind)]


@pytest.mark.parametrize("part", PARTS)
def test_a_row_with_a_missing_part_cannot_be_written(part: str) -> None:
    whole = {name: getattr(OBSERVATION, name) for name in PARTS}
    assert Kind(**whole) == OBSERVATION
    del whole[part]
    with pytest.raises(TypeError, match=part):
        Kind(**whole)


def test_no_part_of_a_row_has_a_default() -> None:
    assert all(
        field.default is MISSING and field.default_factory is MISSING for field in fields(Kind)
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_its_parts_belong_together(kind: Kind[Any, Any]) -> None:
    assert issubclass(kind.fact, Fact)
    assert kind.main in members_of(kind.fact) and "value" in members_of(kind.fact)
    assert kind.key in {key for key, _, _ in kind.schema.named_fields()}
    assert sum(other.key == kind.key for other in KINDS) == 1
    assert sum(other.definition is kind.definition for other in KINDS) == 1


def test_every_resource_that_an_index_holds_is_validated() -> None:
    assert RESOURCE_TYPES >= {"Patient", "Condition", "Observation", "ServiceRequest"}


def test_what_is_no_definition_has_no_row() -> None:
    with pytest.raises(KeyError):
        kind_of(object())


def test_the_types_of_the_members_come_from_the_annotations() -> None:
    hints = {
        f"{kind.key}.{member}": type_
        for kind in KINDS
        if kind.key not in ("patient", "expression")  # their definitions tell the type
        for member, type_ in kind.members(None).items()
    }
    assert {hints["condition.present"], hints["list.value"]} == {BOOLEAN}
    assert {hints["observation.value"], hints["observation.count"]} == {NUMBER}
    assert {hints["medication.date"], hints["observation.state"]} == {TEXT}
    assert hints["allergy.names"] == TEXTS
    assert hints["group.missing"] == FACT_NAMES
