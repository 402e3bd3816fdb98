"""What can be added to a record in the playground: everything that the facts of a service read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cds_service.knowledge import CDSService
from cds_service.knowledge.facts.allergy import ALLERGY
from cds_service.knowledge.facts.condition import CONDITION
from cds_service.knowledge.facts.kinds import kind_of
from cds_service.knowledge.facts.library import ValueSet
from cds_service.knowledge.facts.medication import MEDICATION
from cds_service.knowledge.facts.observation import ObservationDefinition


@dataclass(frozen=True, slots=True)
class Choice:
    """A value set that a fact reads, as one thing to add: its first code, and its title."""

    value_set: str
    title: str
    coding: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A test that can be given a value: the fact that reads it, its unit, and where it is sent."""

    choice: Choice
    fact: str
    unit: str
    prefetch_key: str


class Choices:
    """The choices for one service; titles and codes are those of `value_sets`, by id."""

    def __init__(self, service: CDSService, value_sets: Mapping[str, ValueSet]) -> None:
        self._service, self._value_sets = service, value_sets

    @cached_property
    def measurements(self) -> Mapping[str, Measurement]:
        """The tests by value set, each once, by title."""
        found: dict[str, Measurement] = {}
        for name, definition in self._service.facts.items():
            if not isinstance(definition, ObservationDefinition) or definition.quantity is None:
                continue
            value_set = definition.value_sets[0]
            choice = self._choice(value_set)
            if choice is not None and value_set not in found:
                found[value_set] = Measurement(
                    choice, name, definition.quantity.unit, definition.prefetch_key
                )
        return dict(sorted(found.items(), key=lambda item: item[1].choice.title.lower()))

    @cached_property
    def medicines(self) -> Mapping[str, Choice]:
        """The medicines and classes of medicines by value set, by title."""
        return self._of_kind(MEDICATION.key)

    @cached_property
    def allergies(self) -> Mapping[str, Choice]:
        """What somebody can be allergic to by value set, by title."""
        return self._of_kind(ALLERGY.key)

    @cached_property
    def problems(self) -> Mapping[str, Choice]:
        """The problems by value set, by title."""
        return self._of_kind(CONDITION.key)

    def _of_kind(self, key: str) -> Mapping[str, Choice]:
        found = {id_: choice for id_ in self._sets_of(key) if (choice := self._choice(id_))}
        return dict(sorted(found.items(), key=lambda item: item[1].title.lower()))

    def _sets_of(self, key: str) -> Iterable[str]:
        """What facts of a kind look for; their other value sets are about parts of it."""
        for definition in self._service.facts.values():
            kind = kind_of(definition)
            if kind.key == key:
                yield from (id_ for name, id_ in kind.value_sets(definition) if name == key)

    def _choice(self, value_set: str) -> Choice | None:
        """The value set as a choice; None if only words mean it."""
        content = self._value_sets.get(value_set)
        if content is None or not content.concepts:
            return None
        system, concepts = next(iter(content.concepts.items()))
        code, display = next(iter(concepts))
        coding = {"system": system, "code": code} | ({"display": display} if display else {})
        return Choice(value_set, content.title, coding)
