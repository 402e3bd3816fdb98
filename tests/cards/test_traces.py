"""Each card says what it rests on, and its fingerprint tells whether that is still the same."""

from __future__ import annotations

import copy
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.knowledge import CDSService
from cds_service.knowledge.answering import decide
from cds_service.knowledge.call import Answer, Call, Card, Resource, Retrieval, Retrieved
from cds_service.playground.records import as_retrieved, patient_id, read_resources

from . import conversations

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PEOPLE = sorted((conversations.FIXTURES / "patients").glob("*.json"))
PEOPLE_WITH_CARDS = [
    "ada-generalised-anxiety",
    "dorothy-lorazepam-nine-months",
    "dirk-dirty-record",
    "samuel-potassium-2-3",
    "silvia-ideation-and-potassium",
    "harold-lorazepam-oxycodone",
]


def _resources(name: str) -> list[Resource]:
    return read_resources(conversations.FIXTURES / "patients" / f"{name}.json")


def _call(service: CDSService, resources: list[Resource], **members: Any) -> Call:
    whole: dict[str, Any] = {
        "retrieved": as_retrieved(resources, service.prefetch),
        "patient_id": patient_id(resources),
        "user_id": "Practitioner/grace",
        "hook_instance": "one",
        "now": NOON,
        "language": "en",
    }
    return Call(**whole | members)


def _answer(service: CDSService, resources: list[Resource], **members: Any) -> Answer:
    return service.answer(_call(service, resources, **members))


def _fingerprints(service: CDSService, resources: list[Resource], **members: Any) -> dict[str, str]:
    return {card.slot: card.fingerprint for card in _answer(service, resources, **members).cards}


def _behind(service: CDSService, resources: list[Resource], card: Card) -> list[str]:
    """The ids of the resources behind a card."""
    evaluation = decide(service, _call(service, resources))
    names = [name for id_ in card.rules for name in service.relevance.evidence.get(id_, ())]
    found = {each["id"] for name in names for each in evaluation.facts[name].resources if each}
    return sorted(found)


@pytest.mark.parametrize("path", PEOPLE, ids=lambda path: path.stem)
def test_every_card_names_its_slot_its_rules_and_what_is_behind_them(
    service: CDSService, path: Path
) -> None:
    answer = _answer(service, read_resources(path))
    slots = {slot.id for slot in service.slots}
    for card in answer.cards:
        assert card.slot in slots and card.trace is not None
        assert tuple(rule.id for rule in card.trace.rules) == card.rules
        assert all(rule.version and rule.level for rule in card.trace.rules)
        assert bool(card.fingerprint) == bool(card.rules)
        assert card.trace.facts.get("present") or not card.rules
    assert set(answer.near_misses) <= set(answer.unknown)
    assert not set(answer.near_misses) & set(answer.applied)
    assert all(answer.near_misses.values()), "a rule is unknown and nothing lacks"


def test_a_trace_holds_names_and_its_values_only_where_they_are_asked_for(
    service: CDSService,
) -> None:
    cards = _answer(service, _resources("samuel-potassium-2-3")).cards
    trace = cards[0].trace
    assert trace is not None
    assert "potassium" in trace.facts["present"]
    assert trace.values["potassium"] == "2.3"
    assert "2.3" not in repr(trace)
    assert [(rule.id, rule.level) for rule in trace.rules][0] == ("R30", "critical")


def test_what_lacked_is_named(service: CDSService) -> None:
    answer = _answer(service, _resources("ivan-no-laboratory"))
    assert answer.cards[-1].trace is not None
    assert {"potassium", "tsh"} <= set(answer.cards[-1].trace.facts["missing"])
    assert "potassium" in answer.near_misses["R30"]


@pytest.mark.parametrize("name", PEOPLE_WITH_CARDS)
def test_time_order_and_call_leave_the_fingerprint_alone(service: CDSService, name: str) -> None:
    resources = _resources(name)
    first = _fingerprints(service, resources)
    assert first
    random.Random(7).shuffle(resources)
    again = _fingerprints(
        service,
        resources,
        now=NOON + timedelta(hours=9),
        hook_instance="two",
        user_id="Practitioner/b",
        language="es",
        encounter_id="e",
    )
    assert again == first


@pytest.mark.parametrize("name", PEOPLE_WITH_CARDS)
def test_what_a_server_adds_leaves_the_fingerprint_alone(service: CDSService, name: str) -> None:
    resources = _resources(name)
    first = _fingerprints(service, resources)
    for resource in resources:
        resource["meta"] = {"versionId": "7", "lastUpdated": "2026-11-22T00:00:00Z"}
        resource["text"] = {"status": "generated", "div": "<div>anything</div>"}
    assert _fingerprints(service, resources) == first


@pytest.mark.parametrize("name", PEOPLE_WITH_CARDS)
def test_each_change_in_the_evidence_changes_the_fingerprint(
    service: CDSService, name: str
) -> None:
    resources = _resources(name)
    for card in _answer(service, resources).cards:
        behind = _behind(service, resources, card)
        assert behind
        for identifier in behind:
            changed = copy.deepcopy(resources)
            (resource,) = (each for each in changed if each.get("id") == identifier)
            resource["contained"] = [{"resourceType": "Basic", "id": "changed"}]
            assert _fingerprints(service, changed)[card.slot] != card.fingerprint, identifier
            gone = [each for each in resources if each.get("id") != identifier]
            if resource["resourceType"] != "Patient":
                assert _fingerprints(service, gone).get(card.slot) != card.fingerprint, identifier


def test_a_new_result_changes_the_fingerprint_even_with_the_same_value(service: CDSService) -> None:
    resources = _resources("samuel-potassium-2-3")
    first = _fingerprints(service, resources)
    (old,) = (
        each
        for each in resources
        if each["resourceType"] == "Observation" and "2823-3" in str(each["code"])
    )
    new = copy.deepcopy(old) | {"id": "again", "effectiveDateTime": "2026-11-22T11:00:00Z"}
    assert _fingerprints(service, [*resources, new])["finding"] != first["finding"]


def test_a_list_that_does_not_come_changes_the_fingerprint(service: CDSService) -> None:
    resources = _resources("ada-generalised-anxiety")
    whole = as_retrieved(resources, service.prefetch)
    states = {**whole.states, "laboratory": Retrieval.FAILED}
    failed = Retrieved(whole.resources, states)
    first = _fingerprints(service, resources)
    assert _fingerprints(service, resources, retrieved=failed) != first


def test_a_card_that_says_what_could_not_be_checked_is_known_again_by_its_gap(
    service: CDSService,
) -> None:
    resources = _resources("ada-generalised-anxiety")[:1]

    def card_of(**states: Retrieval) -> Card:
        came = dict.fromkeys(service.prefetch, Retrieval.INCOMPLETE) | states
        (card,) = _answer(service, resources, retrieved=Retrieved(resources, came)).cards
        return card

    assert card_of().rules == ()
    assert card_of().fingerprint == card_of().fingerprint != ""
    assert card_of().fingerprint != card_of(laboratory=Retrieval.FAILED).fingerprint
