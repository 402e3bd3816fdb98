"""Holds a service against guards.yaml: no dose, no order, no number without ground, equal lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

from cds_service.knowledge.content.service import Service
from cds_service.knowledge.facts.kinds import kind_of
from cds_service.knowledge.loading.boundaries import missing_boundaries
from cds_service.knowledge.loading.figures import groundless
from cds_service.knowledge.loading.guard_files import Guards
from cds_service.knowledge.loading.prescriptions import PrescriptionReader
from cds_service.knowledge.loading.problems import Problems
from cds_service.knowledge.record.phrases import Phrases

# Two lists are alike if they share so many value sets, and so much of all that is in either.
_SHARED, _SHARE = 2, 2 / 3


class Guarding:
    """The guards of one service; each method notes what it finds."""

    def __init__(self, service: Service, folder: Path, guards: Guards, problems: Problems) -> None:
        self._service = service
        self._folder = folder
        self._guards = guards
        self._problems = problems

    def check_prescriptions(self, phrases: Mapping[str, Phrases]) -> None:
        """No text holds a dose, or an order to change a medicine."""
        reader = PrescriptionReader(self._guards, self._service, phrases)
        allowed = {(each.id, each.part, each.says) for each in self._guards.allowed}
        needed = set()
        for language, words in self._service.words.items():
            path = self._folder / "words" / language
            if language not in self._guards.orders:
                self._problems.add(
                    path, "", f"guards.yaml has no orders in {language}: list its verbs there"
                )
            for (id_, part), text in words.own.items():
                found = [(id_, part, said) for said in reader.found_in(text, language)]
                needed.update(allowed.intersection(found))
                said = "; ".join(entry[2] for entry in found if entry not in allowed)
                if said:
                    message = f"must not say a dose or an order: {said}"
                    self._problems.add(path, f"{id_} {part}", message)
        here = {id_ for words in self._service.words.values() for id_, _ in words.texts}
        for id_, part, said in sorted(allowed - needed):
            if id_ in here:
                self._add("allowed", f"{id_} {part} does not say {said}")

    def check_numbers(self) -> None:
        """Every number of a condition has its examples, every number in words has its ground."""
        for id_, message in missing_boundaries(self._service):
            self._problems.add(self._folder, id_, message)
        numbers: dict[tuple[str, str, str], list[str]] = {}
        for language, id_, part, number in groundless(self._service, self._guards.names):
            numbers.setdefault((language, id_, part), []).append(str(number))
        for (language, id_, part), found in numbers.items():
            path = self._folder / "words" / language
            message = f"no condition, fact, example or figure of {id_} holds {', '.join(found)}"
            if not self._problems.has(path, f"{id_} {part}"):
                self._problems.add(path, f"{id_} {part}", message)

    def check_lists(self) -> None:
        """Lists of value sets that are alike are equal, or differ as `alike` says."""
        declared = {frozenset(each.facts): frozenset(each.differ_in) for each in self._guards.alike}
        found = dict(self._alike())
        for facts, differing in found.items():
            if declared.get(facts) != differing:
                one, other = sorted(facts)
                message = f"the lists of {one} and {other} differ in {', '.join(sorted(differing))}"
                self._add("alike", f"{message}: make them equal, or say why")
        for facts in declared.keys() - found.keys():
            if facts <= self._service.facts.keys():
                self._add("alike", f"{' and '.join(sorted(facts))} have no lists that are alike")

    def _alike(self) -> Iterable[tuple[frozenset[str], frozenset[str]]]:
        """Two facts of a kind with lists that are alike, and the value sets of only one of them."""
        lists = [
            (name, kind_of(definition).key, key, frozenset(listed))
            for name, definition in self._service.facts.items()
            for key, listed in _by_key(kind_of(definition).value_sets(definition)).items()
        ]
        for (name, *sort, one), (other_name, *other_sort, other) in combinations(lists, 2):
            shared = len(one & other)
            alike = shared >= _SHARED and shared >= _SHARE * len(one | other)
            if sort == other_sort and alike and one != other:
                yield frozenset({name, other_name}), one ^ other

    def _add(self, key: str, message: str) -> None:
        self._problems.add(self._problems.folder / "guards.yaml", key, message)


def _by_key(value_sets: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    listed: dict[str, list[str]] = {}
    for key, value_set in value_sets:
        listed.setdefault(key, []).append(value_set)
    return listed
