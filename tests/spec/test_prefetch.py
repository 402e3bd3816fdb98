"""CDS Hooks, chapter "Prefetch": what a client may send and what a service makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    NOW,
    TEMPLATES,
    TOY,
    ToyKnowledge,
    ToyService,
    assert_outcome,
    cds_request,
    condition,
    operation_outcome,
    patient,
    prefetch,
    searchset,
)
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.knowledge.call import Retrieval
from cds_service.settings import Settings

KEYS = sorted(TEMPLATES)
SEARCHES = ["conditions", "laboratory"]


def state_of(client: FlaskClient, toy: ToyService, key: str, value: Any) -> Retrieval:
    response = client.post(TOY, json=cds_request(prefetch=prefetch(**{key: value})))
    assert response.status_code == 200, response.text
    return toy.calls[-1].retrieved.states[key]


@pytest.mark.parametrize("key", SEARCHES)
def test_pr_1_null_means_asked_and_nothing_there(
    client: FlaskClient, toy: ToyService, key: str
) -> None:
    assert state_of(client, toy, key, None) is Retrieval.COMPLETE


@pytest.mark.parametrize("key", SEARCHES)
def test_pr_2_an_operation_outcome_is_no_data_and_no_absence(
    client: FlaskClient, toy: ToyService, key: str
) -> None:
    assert state_of(client, toy, key, operation_outcome()) is Retrieval.FAILED


@pytest.mark.parametrize("key", SEARCHES)
def test_pr_3_a_missing_key_is_known_to_be_missing(
    client: FlaskClient, toy: ToyService, key: str
) -> None:
    answers = prefetch()
    del answers[key]
    assert client.post(TOY, json=cds_request(prefetch=answers)).status_code == 200
    assert toy.calls[0].retrieved.states[key] is Retrieval.MISSING


@pytest.mark.parametrize("nothing", [..., None, {}])
def test_pr_4_no_prefetch_at_all_is_412(client: FlaskClient, nothing: Any) -> None:
    response = client.post(TOY, json=cds_request(prefetch=nothing))
    assert_outcome(response, 412, "prefetch.patient")


@pytest.mark.parametrize(
    "value",
    [
        None,
        operation_outcome(),
        operation_outcome("warning"),
        condition(),
        searchset(patient()),
        "ada",
        7,
        True,
        [],
        [patient()],
        {},
        {"id": "ada"},
        {"resource": None, "response": {"status": "200 OK"}},
    ],
)
def test_pr_4_a_required_key_without_its_data_is_412(client: FlaskClient, value: Any) -> None:
    response = client.post(TOY, json=cds_request(prefetch=prefetch(patient=value)))
    assert_outcome(response, 412, "prefetch.patient")


def test_pr_4_every_required_key_is_named(client: FlaskClient, toy: ToyService) -> None:
    toy.required_keys = frozenset({"patient", "laboratory"})
    response = client.post(TOY, json=cds_request(prefetch={}))
    assert_outcome(response, 412, "prefetch.patient", "prefetch.laboratory")


def test_pr_4_a_required_search_may_come_as_null_or_in_part(
    client: FlaskClient, toy: ToyService
) -> None:
    toy.required_keys = frozenset({"laboratory"})
    assert state_of(client, toy, "laboratory", None) is Retrieval.COMPLETE
    assert state_of(client, toy, "laboratory", searchset(total=7)) is Retrieval.INCOMPLETE


@pytest.mark.parametrize(
    "bundle",
    [
        searchset(),
        searchset(entry=[]),
        searchset(entry=None),
        {"resourceType": "Bundle"},
        searchset(condition(), condition("weakness")),
        searchset(condition(), operation_outcome("warning"), total=1),
        searchset(condition(), operation_outcome("information"), total=1),
        searchset(condition(), operation_outcome("information"), total=2),
        searchset(condition(), link=[{"relation": "self", "url": "https://fhir.example.org"}]),
        searchset(condition(), total=None),
        searchset(condition(), total="many"),
        searchset(condition(), link="next"),
        searchset(condition(), total=0),
    ],
)
def test_pr_5_a_whole_search_result_lets_absence_be_inferred(
    client: FlaskClient, toy: ToyService, bundle: Any
) -> None:
    assert state_of(client, toy, "conditions", bundle) is Retrieval.COMPLETE


def test_pr_5_an_outcome_entry_is_no_resource(client: FlaskClient, toy: ToyService) -> None:
    outcome = {"resource": operation_outcome("warning"), "search": {"mode": "outcome"}}
    bundle = searchset(entry=[{"resource": condition()}, outcome], total=1)
    assert state_of(client, toy, "conditions", bundle) is Retrieval.COMPLETE
    types = [each["resourceType"] for each in toy.calls[0].retrieved.resources]
    assert types == ["Patient", "Condition"]


@pytest.mark.parametrize("severity", ["error", "fatal", "odd"])
def test_pr_5_an_error_among_the_entries_makes_the_result_incomplete(
    client: FlaskClient, toy: ToyService, severity: str
) -> None:
    bundle = searchset(condition(), operation_outcome(severity))
    assert state_of(client, toy, "conditions", bundle) is Retrieval.INCOMPLETE


def test_pr_6_a_page_is_not_the_whole(client: FlaskClient, toy: ToyService) -> None:
    link = [{"relation": "next", "url": "https://fhir.example.org/r4?page=2"}]
    paged = searchset(condition(), link=link)
    assert state_of(client, toy, "conditions", paged) is Retrieval.INCOMPLETE
    cut = searchset(condition(), total=2)
    assert state_of(client, toy, "conditions", cut) is Retrieval.INCOMPLETE


def test_pr_6_included_resources_do_not_count_as_matches(
    client: FlaskClient, toy: ToyService
) -> None:
    included = {"resource": patient(), "search": {"mode": "include"}}
    bundle = searchset(entry=[{"resource": condition()}, included], total=2)
    assert state_of(client, toy, "conditions", bundle) is Retrieval.INCOMPLETE
    assert len(toy.calls[0].retrieved.resources) == 3


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "value",
    [
        "123",
        "",
        0,
        1.5,
        False,
        [],
        [None],
        {},
        {"resourceType": None},
        {"resourceType": ["Bundle"]},
        {"resourceType": "Bundle", "entry": "none"},
        {"resourceType": "Bundle", "entry": {"resource": {}}},
        {"resourceType": "Bundle", "entry": [None, 1, "a", [], {}, {"resource": None}]},
        {"resourceType": "Bundle", "entry": [{"resource": [], "search": "match"}]},
        {"resourceType": "Bundle", "entry": [{"search": {"mode": []}, "resource": patient()}]},
        {"resourceType": "Bundle", "link": [None, {"relation": {}}], "total": -1},
        {"resourceType": "OperationOutcome", "issue": None},
        {"resource": {"resource": {"resource": {}}}},
        {"response": "500"},
    ],
)
def test_pr_7_nothing_that_may_come_breaks_the_service(
    client: FlaskClient, key: str, value: Any
) -> None:
    response = client.post(TOY, json=cds_request(prefetch=prefetch(**{key: value})))
    assert response.status_code in (200, 412)


@pytest.mark.parametrize("value", ["123", 0, [], [condition()], {}, {"resourceType": 7}])
def test_pr_7_what_is_no_resource_is_a_failure(
    client: FlaskClient, toy: ToyService, value: Any
) -> None:
    assert state_of(client, toy, "conditions", value) is Retrieval.FAILED


@pytest.mark.parametrize("language", ["en", "es", "zh-Hans"])
def test_pr_4_a_site_may_have_a_warning_card_in_place_of_412(
    language: str, cards: Knowledge
) -> None:
    client = create_app(Settings(unavailable="card"), cards, clock=lambda: NOW).test_client()
    responses = [
        client.post(
            "/cds-services/anxiety-leg-weakness",
            json=cds_request(prefetch=prefetch_),
            headers={"Accept-Language": language},
        )
        for prefetch_ in (..., {"patient": patient()}, {"conditions": searchset()})
    ]
    for response in responses:
        assert (response.status_code, response.headers["Content-Language"]) == (200, language)
        (card,) = response.get_json()["cards"]
        assert card["indicator"] == "warning" and "suggestions" not in card
        assert card == responses[0].get_json()["cards"][0]
    assert "could not be checked" in card["summary"] or language != "en"


def test_pr_4_that_card_is_not_for_patients(cards: Knowledge) -> None:
    client = create_app(Settings(unavailable="card"), cards, clock=lambda: NOW).test_client()
    request = cds_request(prefetch=..., context={"userId": "Patient/ada", "patientId": "ada"})
    response = client.post("/cds-services/anxiety-leg-weakness", json=request)
    assert (response.status_code, response.get_json()) == (200, {"cards": []})


def test_pr_4_with_the_data_there_the_setting_changes_nothing(knowledge: ToyKnowledge) -> None:
    settings = Settings(unavailable="card")
    answers = [
        create_app(each, knowledge, clock=lambda: NOW).test_client().post(TOY, json=cds_request())
        for each in (Settings(), settings)
    ]
    assert answers[0].get_json() == answers[1].get_json()
