"""One harmless or grave fault in one resource, or one list that fails, never hides a danger."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cds_service.cli.patient_files import as_retrieved, read_resources
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Call, Card, Resource, Retrieval, Retrieved

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
        is_told = after != "none" and LEVELS.index(after) <= max(LEVELS.index(before), 1)
        assert LEVELS.index(after) <= LEVELS.index(before) or is_told, faulty


@pytest.mark.parametrize("state", FAILED)
@pytest.mark.parametrize("path", PEOPLE, ids=lambda path: path.stem)
def test_a_list_that_fails_is_never_firmer_and_never_silent(
    service: CDSService, path: Path, state: Retrieval
) -> None:
    resources = read_resources(path)
    whole = _cards(service, resources)
    keys = [key for key in service.prefetch if key not in service.required_keys]
    for key in _sampled(keys, path.stem):
        kind = service.prefetch[key].partition("?")[0]
        without = [each for each in resources if each["resourceType"] != kind]
        cards = _cards(service, without, {key: state})
        if whole:
            assert cards, key
        assert LEVELS.index(_worst(cards)) >= LEVELS.index(_worst(whole)) or not whole, key
        assert _offered(service, cards) <= _offered(service, _cards(service, without)), key


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
    assert "problems: hold no information" in str(card.detail)
