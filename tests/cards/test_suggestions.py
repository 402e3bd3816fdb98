"""Suggestions propose tests and referrals for this patient, as FHIR, never a medicine."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.knowledge import CDSService, Knowledge
from cds_service.settings import Settings

from . import conversations

ADDRESS = "/cds-services/anxiety-leg-weakness"
RESPONSES = sorted((conversations.FIXTURES / "responses").glob("*.json"))
CARDS = [
    (path.stem, card)
    for path in RESPONSES
    for card in orjson.loads(path.read_bytes())["body"].get("cards", ())
]


def _request(service: CDSService, name: str) -> dict[str, Any]:
    return conversations.request(service, conversations.FIXTURES / "patients" / f"{name}.json")


def _resources(card: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        action["resource"]
        for suggestion in card.get("suggestions", ())
        for action in suggestion["actions"]
    ]


@pytest.mark.parametrize(("name", "card"), CARDS, ids=[f"{n} {c['indicator']}" for n, c in CARDS])
def test_a_proposal_is_a_draft_service_request_and_no_critical_card_has_one(
    name: str, card: dict[str, Any]
) -> None:
    resources = _resources(card)
    assert not (card["indicator"] == "critical" and resources), name
    for resource in resources:
        proposed = ServiceRequest.model_validate(resource)
        assert (proposed.status, proposed.intent) == ("draft", "proposal")
        assert proposed.subject.reference.startswith("Patient/")


def test_only_missing_tests_are_proposed(service: CDSService, ehr: FlaskClient) -> None:
    cards = ehr.post(ADDRESS, json=_request(service, "ivan-no-laboratory")).get_json()["cards"]
    codes = {
        coding["code"]
        for resource in _resources(cards[-1])
        for coding in resource["code"].get("coding", ())
    }
    assert codes == {"2823-3", "2951-2", "4548-4", "718-7", "3016-3", "2157-6"}
    cards = ehr.post(ADDRESS, json=_request(service, "mei-neurasthenia")).get_json()["cards"]
    assert "2823-3" not in orjson.dumps(cards).decode()


def test_the_encounter_of_the_context_is_named(service: CDSService, ehr: FlaskClient) -> None:
    request = _request(service, "ivan-no-laboratory")
    request["context"]["encounterId"] = "visit-7"
    cards = ehr.post(ADDRESS, json=request).get_json()["cards"]
    references = {resource["encounter"]["reference"] for resource in _resources(cards[-1])}
    assert references == {"Encounter/visit-7"}


def test_a_site_can_switch_suggestions_off(service: CDSService, cards: Knowledge) -> None:
    silent = create_app(Settings(suggestions=False), cards).test_client()
    answered = silent.post(ADDRESS, json=_request(service, "ivan-no-laboratory")).get_json()
    assert answered["cards"]
    assert not any("suggestions" in card for card in answered["cards"])
