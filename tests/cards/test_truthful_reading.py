"""One harmless or grave fault in one resource, or one list that fails, never hides a danger."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Call, Card, Resource, Retrieval, Retrieved
from cds_service.playground.prefetched import as_prefetch
from cds_service.playground.records import as_retrieved, read_resources

from .conversations import CALL
from .conversations import PATIENTS as PEOPLE

LEVELS = ("critical", "warning", "info", "none")
# Every fault of every resource is some thousand calls: a sample by default, all on demand.
EVERY = os.environ.get("CDS_TEST_EVERY_FAULT") == "1"
SAMPLE = 5
FAILED = (Retrieval.FAILED, Retrieval.INCOMPLETE)


def _faults(resource: Resource) -> Iterator[Resource]:
    """The resource with one fault each, wherever a fault of that kind is possible."""
    yield resource | {"unheardOf": {"a": 1}}
    yield resource | {"text": "not a narrative", "meta": 7}
    yield resource | {"category": "laboratory"} if "category" not in resource else resource
    yield resource | {"extension": [{"url": "urn:stray", "valueString": "x"}, "stray"]}
    for name, value in resource.items():
        if name in ("resourceType", "id", "subject", "patient"):
            continue
        match value:
            case str() if name in ("status", "intent", "gender"):
                yield resource | {name: value.upper()}
                yield resource | {name: f" {value} "}
            case str() if "T" in value:
                yield resource | {name: value.removesuffix("Z").partition("+")[0]}
            case dict():
                yield resource | {name: [value]}
                yield resource | {name: value | {"unheardOf": 1}}
            case list() if len(value) == 1:
                yield resource | {name: value[0]}
    concept = next((name for name in resource if name.endswith(("code", "Concept"))), None)
    if concept is not None and isinstance(resource[concept], dict):
        codings = resource[concept].get("coding", [])
        blank = [coding | {"display": ""} for coding in codings]
        yield resource | {concept: resource[concept] | {"coding": [None, {}, *blank]}}
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, dict):
        yield resource | {"valueQuantity": quantity | {"unit": f" {quantity.get('unit', '')} "}}
        yield resource | {"valueQuantity": quantity | {"value": str(quantity.get("value"))}}


def _cards(
    service: CDSService, resources: list[Resource], states: Mapping[str, Retrieval] | None = None
) -> tuple[Card, ...]:
    retrieved = as_retrieved(resources, service.prefetch)
    came = Retrieved(retrieved.resources, {**retrieved.states, **(states or {})})
    call: Call = replace(CALL, retrieved=came, patient_id=_patient_id(resources))
    return service.answer(call).cards


def _patient_id(resources: list[Resource]) -> str:
    return next(str(each["id"]) for each in resources if each["resourceType"] == "Patient")


def _name(resource: Resource) -> str:
    """What the record calls a faulty resource."""
    concept = resource.get("code") or resource.get("medicationCodeableConcept") or {}
    concept = concept[0] if isinstance(concept, list) else concept
    return str(concept.get("text") or concept["coding"][-1]["display"])


def _worst(cards: tuple[Card, ...]) -> str:
    return min((card.indicator for card in cards), key=LEVELS.index, default="none")


def _sampled(items: list[Any], seed: str) -> list[Any]:
    if EVERY or len(items) <= SAMPLE:
        return items
    return random.Random(seed).sample(items, SAMPLE)


@pytest.mark.parametrize("path", PEOPLE, ids=lambda path: path.stem)
def test_one_fault_never_sinks_the_worst_card(service: CDSService, path: Path) -> None:
    resources = read_resources(path)
    before = _worst(_cards(service, resources))
    cases = [
        (number, faulty)
        for number, resource in enumerate(resources)
        if resource["resourceType"] != "Patient"
        for faulty in _faults(resource)
    ]
    for number, faulty in _sampled(cases, path.stem):
        changed = copy.copy(resources)
        changed[number] = faulty
        cards = _cards(service, changed)
        after = _worst(cards)
        if LEVELS.index(after) > LEVELS.index(before):
            # Only where a card says so, at least a warning where the danger was one.
            assert LEVELS.index(after) <= max(LEVELS.index(before), 1), faulty
            assert any(_name(faulty) in str(card.detail) for card in cards), faulty


@pytest.mark.parametrize("state", FAILED)
@pytest.mark.parametrize("path", PEOPLE, ids=lambda path: path.stem)
def test_a_list_that_fails_is_never_firmer_and_never_silent(
    service: CDSService,
    cards_without: Callable[[Path, str | None], tuple[Card, ...]],
    path: Path,
    state: Retrieval,
) -> None:
    whole = cards_without(path, None)
    keys = [key for key in service.prefetch if key not in service.required_keys]
    for key in _sampled(keys, path.stem):
        kind = service.prefetch[key].partition("?")[0]
        cards = _cards(service, _without(path, kind), {key: state})
        if whole:
            assert cards, key
        assert LEVELS.index(_worst(cards)) >= LEVELS.index(_worst(whole)) or not whole, key
        assert _offered(service, cards) <= _offered(service, cards_without(path, kind)), key


def _without(path: Path, kind: str | None) -> list[Resource]:
    return [each for each in read_resources(path) if each["resourceType"] != kind]


@pytest.fixture(scope="module")
def cards_without(service: CDSService) -> Callable[[Path, str | None], tuple[Card, ...]]:
    """Gives the cards of a person of whom one type of resource is not on record, for each state."""
    return cache(lambda path, kind: _cards(service, _without(path, kind)))


@pytest.mark.parametrize("path", PEOPLE, ids=lambda path: path.stem)
def test_a_list_that_could_have_opened_is_never_silent(service: CDSService, path: Path) -> None:
    """A person with one problem or none, for whom one list decides whether there is a card."""
    resources = read_resources(path)
    patient = next(each for each in resources if each["resourceType"] == "Patient")
    problems = [each for each in resources if each["resourceType"] == "Condition"]
    prefetch = as_prefetch(resources, service.prefetch)
    for key in (key for key in service.prefetch if key not in service.required_keys):
        listed = [entry["resource"] for entry in (prefetch[key] or {}).get("entry", ())]
        for known in ([patient], *([patient, problem] for problem in problems)):
            whole = _cards(service, [*known, *listed])
            if any(card.rules for card in whole) and not _cards(service, known):
                for state in FAILED:
                    assert _cards(service, known, {key: state}), (key, state)


UNREADABLE = (
    {"dataAbsentReason": {"text": "clotted"}},
    {"valueString": "see comment"},
    {"valueQuantity": {"value": 4.2, "unit": "furlong"}},
    {"valueQuantity": {"value": 99999, "unit": "mmol/L"}},
)


@pytest.mark.parametrize("path", PEOPLE, ids=lambda path: path.stem)
def test_a_newer_result_that_cannot_be_read_removes_no_card(
    service: CDSService, path: Path
) -> None:
    resources = read_resources(path)
    before = _cards(service, resources)
    results = [each for each in resources if each["resourceType"] == "Observation"]
    cases = [(result, said) for result in results for said in UNREADABLE]
    for result, said in _sampled(cases, path.stem):
        newer = {name: result[name] for name in ("resourceType", "status", "code", "subject")}
        newer |= {"id": "newer", "effectiveDateTime": "2026-11-22T11:00:00Z", **said}
        after = _cards(service, [*resources, newer])
        assert LEVELS.index(_worst(after)) <= LEVELS.index(_worst(before)), newer
        assert _dangers(before) <= _dangers(after), newer


def _dangers(cards: tuple[Card, ...]) -> set[str]:
    return {rule for card in cards if card.indicator != "info" for rule in card.rules}


def _offered(service: CDSService, cards: tuple[Card, ...]) -> set[str]:
    detail = "".join(card.detail for card in cards if card.indicator == "info")
    shown = detail.partition("**Not listed, and why**")[0]
    titles = {drug: service.words["en"].plain(drug, "title") for drug in service.drugs}
    return {drug for drug, title in titles.items() if f"      - {title}" in shown}


def test_a_list_that_says_that_nobody_asked_is_named_when_that_is_all(service: CDSService) -> None:
    nothing = {
        "system": "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips",
        "code": "no-problem-info",
    }
    problem = {"resourceType": "Condition", "id": "one", "code": {"coding": [nothing]}}
    problem["subject"] = {"reference": "Patient/ada"}
    person = {"resourceType": "Patient", "id": "ada", "gender": "female", "birthDate": "1984-05-02"}
    (card,) = _cards(service, [person, problem])
    assert "Problems: hold no information" in str(card.detail)
