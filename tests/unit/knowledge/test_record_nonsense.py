"""Nonsense of every JSON type in the place of any member never raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resources import (
    ANXIETY,
    LORAZEPAM,
    POTASSIUM,
    allergy,
    concept,
    condition,
    encounter,
    observation,
    order,
    patient,
    quantity,
    statement,
)

from cds_service.knowledge import load
from cds_service.knowledge.call import Resource

from .conftest import TINY_CARDS, FactsOf

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["coding", "code", "system", "text", "value", "start", "end", "reference"]
            )
            | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
WHOLE: dict[str, Resource] = {
    "patient": patient(),
    "condition": condition(onsetDateTime="2026-10-01", clinicalStatus=..., id="c1"),
    "observation": observation(
        component=[{"code": concept(POTASSIUM), "valueQuantity": quantity(4)}],
        referenceRange=[{"low": quantity(3.5)}],
        interpretation=[concept(POTASSIUM)],
        effectivePeriod={"start": "2026-11-01", "end": "2026-11-02"},
        issued="2026-11-02T00:00:00Z",
    ),
    "answer": observation(
        ..., ("http://loinc.org", "69725-0", ""), valueCodeableConcept=concept(POTASSIUM)
    ),
    "order": order(
        dispenseRequest={"expectedSupplyDuration": {"value": 3, "code": "d"}},
        dosageInstruction=[{"timing": {"repeat": {"boundsPeriod": {"end": "2026-12-01"}}}}],
        statusReason={"text": "rash"},
    ),
    "supplied": order(
        dispenseRequest={
            "expectedSupplyDuration": {"value": 3, "code": "d"},
            "numberOfRepeatsAllowed": 2,
        },
    ),
    "statement": statement(statusReason=[{"text": "rash"}], effectivePeriod={"end": "2026-11-01"}),
    "allergy": allergy(
        criticality="low",
        reaction=[{"manifestation": [{"text": "rash"}], "severity": "mild", "substance": {}}],
    ),
    "encounter": encounter(),
}


def paths(value: object, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every member of a resource, but for its type."""
    steps = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    found: list[tuple[Any, ...]] = []
    for key, below in steps:
        if key != "resourceType":
            found.append((*above, key))
            if isinstance(below, dict | list):
                found.extend(paths(below, (*above, key)))
    return found


def with_member(value: Any, path: tuple[Any, ...], member: object) -> Any:
    if not path:
        return member
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_member(value[path[0]], path[1:], member)
    return copy


FACTS_WITH_CODES = ("anxiety", "weakness", "sedative", "opioid", "sedative_allergy", "potassium")
CODES = (ANXIETY[1], LORAZEPAM[1], POTASSIUM[1])
WORDS = ("anxiety", "lorazepam")
NONSENSE = [
    *(None, True, False, 0, -1, 10**400, 1e308, float("nan"), "", " ", "\ud800", "9999-12-31"),
    *("0001-01-01", "9999-12-31T23:59:59Z", [], {}, [[]], [None], [{}], {"coding": [{}]}),
    *([["a"]], {"coding": [{"system": [], "code": {}}]}, {"reference": []}, {"": None}),
]


NAMES = tuple(load(TINY_CARDS).services["legs"].facts)


def read_everything(facts_of: FactsOf, resource: Resource) -> dict[str, Any]:
    readings = (facts_of(resource, highest=True), facts_of(resource))
    return [{name: facts[name] for name in NAMES} for facts in readings][1]


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_resource_is_read(facts_of: FactsOf, name: str) -> None:
    facts = read_everything(facts_of, WHOLE[name])
    nothing = read_everything(facts_of, {"resourceType": "Basic"})
    assert facts != nothing


PLACES = [(name, path) for name, resource in WHOLE.items() for path in paths(resource)]


@pytest.mark.parametrize(
    ("name", "path"),
    PLACES,
    ids=lambda each: ".".join(map(str, each)) if isinstance(each, tuple) else each,
)
def test_nonsense_in_the_place_of_any_member_never_raises(
    facts_of: FactsOf, name: str, path: tuple[Any, ...]
) -> None:
    for nonsense in NONSENSE:
        read_everything(facts_of, with_member(WHOLE[name], path, nonsense))


@given(place=st.sampled_from(PLACES), member=JSON)
def test_any_json_in_the_place_of_any_member_makes_nothing_present_without_code_or_words(
    facts_of: FactsOf, place: tuple[str, tuple[Any, ...]], member: object
) -> None:
    name, path = place
    broken = with_member(WHOLE[name], path, member)
    facts = read_everything(facts_of, broken)
    present = any(facts[fact].present is True for fact in FACTS_WITH_CODES)
    # What has lost its code is still read by its words.
    assert not present or any(named in str(broken).lower() for named in (*CODES, *WORDS))
