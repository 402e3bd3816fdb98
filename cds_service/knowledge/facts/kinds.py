"""facts.yaml to fact definitions: which keys go together, and in which order they are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from cds_service.knowledge.expressions.expressions import ExpressionError, compile_expression
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
from cds_service.knowledge.facts.members import members_of
from cds_service.knowledge.facts.observation import ObservationDefinition
from cds_service.knowledge.facts.order import PREFETCH_KEY, OrderDefinition
from cds_service.knowledge.loading.library import Library

_LISTS = {
    "conditions": ("Condition",),
    "laboratory": ("Observation",),
    "vitalSigns": ("Observation",),
    "surveys": ("Observation",),
    "medicationRequests": ("MedicationRequest", "MedicationStatement"),
    "medicationStatements": ("MedicationStatement",),
    "allergies": ("AllergyIntolerance",),
}

# Beside the key that names the kind, these keys may stand.
_ALLOWED = {
    "patient": (),
    "list": (),
    "condition": ("within", "any_status", "visit_reason"),
    "observation": ("from", "quantity", "within", "at_least", "answer", "days_ahead"),
    "medication": ("each",),
    "allergy": ("severe",),
    "order": ("within",),
    "group": (),
    "expression": (),
}
_NAMED = re.compile(r"%([a-z_0-9]+)")
Add = Callable[[str, str], None]  # notes a problem: key, message


def define_facts(
    entries: Mapping[str, Mapping[str, Any]],
    prefetch_keys: Iterable[str],
    library: Library,
    add: Add,
) -> tuple[dict[str, Definition], dict[str, str]]:
    """The definitions by name, and the type of every `fact.member`; mistakes are noted."""
    definitions: dict[str, Definition] = {}
    types: dict[str, str] = {}
    keys = frozenset(prefetch_keys)
    kinds = {name: _kind(name, entry, add) for name, entry in entries.items()}
    for name in _in_order(entries):
        kind, entry = kinds[name], entries[name]
        if kind is None:
            continue
        definition = _DEFINE[kind](_Entry(name, entry, library, keys, types, definitions, add))
        if definition is not None:
            definitions[name] = definition
            types.update(members_of({name: definition}))
    return definitions, types


def _in_order(entries: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """The names so that every fact stands after those it is made of, wherever they are written."""
    open_ = dict.fromkeys(entries)
    while open_:
        ready = [name for name in open_ if not (_made_of(entries[name]) & open_.keys())]
        # Facts that go round in a circle come last; the loader says that they are unknown.
        for name in ready or list(open_):
            yield name
            del open_[name]


def _made_of(entry: Mapping[str, Any]) -> set[str]:
    named = {name for alternatives in entry.get("group", ()) for name in alternatives}
    return named | set(_NAMED.findall(entry.get("expression", "")))


def _kind(name: str, entry: Mapping[str, Any], add: Add) -> str | None:
    kinds = [kind for kind in _ALLOWED if kind in entry]
    if len(kinds) != 1:
        add(name, f"wants exactly one of {', '.join(_ALLOWED)}")
        return None
    kind = kinds[0]
    for key in entry:
        shown = "from" if key == "source" else key
        if shown != kind and shown not in _ALLOWED[kind]:
            add(name, f"{shown} does not go with {kind}; allowed: {', '.join(_ALLOWED[kind])}")
    return kind


class _Entry:
    """One entry of facts.yaml with all that its definition may need."""

    def __init__(
        self,
        name: str,
        keys: Mapping[str, Any],
        library: Library,
        prefetch_keys: frozenset[str],
        types: Mapping[str, str],
        definitions: Mapping[str, Definition],
        add: Add,
    ) -> None:
        self.name = name
        self.keys = keys
        self.library = library
        self.prefetch_keys = prefetch_keys
        self.types = types
        self.definitions = definitions
        self.add = add

    def value_sets(self, key: str) -> tuple[str, ...]:
        """The value sets that a key names; each must be there."""
        named = tuple(self.keys.get(key, ()))
        for value_set in named:
            if value_set not in self.library.value_sets:
                self.add(f"{self.name}.{key}", f"there is no value set {value_set}")
        return named

    def duration(self, key: str) -> timedelta | None:
        """A duration, or None when the key is not there."""
        if key not in self.keys:
            return None
        amount, unit = self.keys[key].split()
        return timedelta(**{unit: int(amount)})


def _condition(entry: _Entry) -> Definition:
    return ConditionDefinition(
        value_sets=entry.value_sets("condition"),
        within=entry.duration("within"),
        any_status=entry.keys.get("any_status", False),
        visit_reason=entry.duration("visit_reason"),
    )


def _observation(entry: _Entry) -> Definition | None:
    value_sets = entry.value_sets("observation")
    source, within = entry.keys.get("source"), entry.duration("within")
    if source not in entry.prefetch_keys or within is None:
        entry.add(
            entry.name, f"wants `within` and `from`: {', '.join(sorted(entry.prefetch_keys))}"
        )
        return None
    answer = entry.keys.get("answer")
    name = entry.keys.get("quantity", value_sets[0])
    quantity = entry.library.quantities.get(name)
    days_ahead = entry.keys.get("days_ahead", False)
    if quantity is None and answer is None and not days_ahead:
        entry.add(f"{entry.name}.quantity", f"quantities.yaml does not have {name}")
        return None
    return ObservationDefinition(
        value_sets=value_sets,
        prefetch_key=str(source),
        within=within,
        quantity=quantity,
        at_least=entry.keys.get("at_least"),
        answer=tuple(answer.split("|")) if answer else None,
        days_ahead=days_ahead,
    )


def _medication(entry: _Entry) -> Definition:
    return MedicationDefinition(entry.value_sets("medication"), entry.value_sets("each"))


def _allergy(entry: _Entry) -> Definition:
    severe = entry.keys.get("severe")
    if severe is not None and severe not in entry.library.value_sets:
        entry.add(f"{entry.name}.severe", f"there is no value set {severe}")
    return AllergyDefinition(entry.value_sets("allergy"), severe)


def _order(entry: _Entry) -> Definition | None:
    within = entry.duration("within")
    if PREFETCH_KEY not in entry.prefetch_keys or within is None:
        entry.add(entry.name, f"wants `within`, and the prefetch key {PREFETCH_KEY}")
        return None
    return OrderDefinition(entry.value_sets("order"), within)


def _patient(entry: _Entry) -> Definition:
    return PatientDefinition(entry.keys["patient"])


def _list(entry: _Entry) -> Definition | None:
    key = entry.keys["list"]
    if key not in entry.prefetch_keys or key not in _LISTS:
        entry.add(f"{entry.name}.list", f"{key} is no list that is prefetched")
        return None
    return ListDefinition(key, _LISTS[key])


def _group(entry: _Entry) -> Definition | None:
    facts = tuple(tuple(alternatives) for alternatives in entry.keys["group"])
    for name in (name for alternatives in facts for name in alternatives):
        if not isinstance(entry.definitions.get(name), ObservationDefinition):
            entry.add(f"{entry.name}.group", f"{name} is no observation fact")
            return None
    return GroupDefinition(facts)


def _expression(entry: _Entry) -> Definition | None:
    try:
        return ExpressionDefinition(compile_expression(entry.keys["expression"], entry.types))
    except ExpressionError as error:
        entry.add(f"{entry.name}.expression", str(error))
        return None


_DEFINE: Mapping[str, Callable[[_Entry], Definition | None]] = {
    "condition": _condition,
    "observation": _observation,
    "medication": _medication,
    "allergy": _allergy,
    "order": _order,
    "patient": _patient,
    "list": _list,
    "group": _group,
    "expression": _expression,
}
