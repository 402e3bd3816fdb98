"""CDS Hooks, chapter "HTTP Status Codes", and errors as FHIR OperationOutcome."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from builders import TOY, ToyService, assert_outcome, card, cds_request
from flask.testing import FlaskClient

from cds_service.knowledge.call import Answer, Call


def fail_with_data(call: Call) -> Answer:
    patient = call.retrieved.resources[0]
    raise KeyError(patient["birthDate"])


def answer_what_cannot_be_sent(call: Call) -> Answer:
    return Answer(cards=(card(summary="1980-05-17 " * 20),), applied=(), unknown=(), missing=())


def recurse(call: Call) -> Answer:
    return recurse(call)


@pytest.mark.parametrize(
    "method, address, status",
    [
        ("GET", "/nowhere", 404),
        ("GET", "/cds-service", 404),
        ("POST", "/cds-services/toy/analytics", 404),
        ("POST", "/cds-services/other", 404),
        ("DELETE", TOY, 405),
        ("POST", "/health/live", 405),
    ],
)
def test_e_1_e_3_every_error_is_an_operation_outcome(
    client: FlaskClient, method: str, address: str, status: int
) -> None:
    assert_outcome(client.open(address, method=method, json=cds_request()), status)


@pytest.mark.parametrize(
    "status, code, request_",
    [
        (400, "structure", {"data": "{"}),
        (400, "invalid", {"json": {}}),
        (412, "required", {"json": cds_request(prefetch={})}),
        (415, "not-supported", {"data": "x", "content_type": "text/plain"}),
    ],
)
def test_e_3_the_issue_says_what_kind_of_error_it_is(
    client: FlaskClient, status: int, code: str, request_: dict[str, Any]
) -> None:
    body = assert_outcome(client.post(TOY, **request_), status)
    assert {issue["code"] for issue in body["issue"]} == {code}


def test_e_2_an_error_repeats_nothing_that_was_sent(client: FlaskClient) -> None:
    secret = "Lovelace"
    responses = [
        client.post(TOY, json=cds_request(hook=secret)),
        client.post(TOY, json=cds_request(context={"userId": secret, "patientId": f"{secret}/"})),
        client.post(TOY, json=cds_request(fhirServer=secret, prefetch={secret: secret})),
        client.post(f"/cds-services/{secret}", json=cds_request()),
        client.post(TOY, data=secret),
    ]
    for response in responses:
        assert response.status_code >= 400 and secret not in response.text


@pytest.mark.parametrize("answered_by", [fail_with_data, answer_what_cannot_be_sent, recurse])
def test_e_2_a_fault_of_ours_is_500_and_says_nothing(
    client: FlaskClient, toy: ToyService, caplog: pytest.LogCaptureFixture, answered_by: Any
) -> None:
    toy.answered_by = answered_by
    with caplog.at_level(logging.DEBUG, logger="cds_service"):
        response = client.post(TOY, json=cds_request())
    body = assert_outcome(response, 500)
    assert body["issue"] == [
        {
            "severity": "fatal",
            "code": "exception",
            "diagnostics": "The service failed to answer; this is logged.",
        }
    ]
    # The whole date: a random request id may contain the year.
    assert "call_service" in caplog.text and "1980-05-17" not in caplog.text


def test_n_20_the_service_is_alive_after_an_error(client: FlaskClient, toy: ToyService) -> None:
    answered_by, toy.answered_by = toy.answered_by, fail_with_data
    assert client.post(TOY, json=cds_request()).status_code == 500
    toy.answered_by = answered_by
    assert client.post(TOY, json=cds_request()).status_code == 200


def test_a_refused_call_is_one_line_that_names_the_place(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cds_service"):
        client.post(TOY, json=cds_request(context={"userId": "Ada", "patientId": "ada"}))
    (record,) = caplog.records
    assert (record.msg["event"], record.msg["status"]) == ("refused", 400)
    assert (record.msg["code"], record.msg["places"]) == ("invalid", ["context.userId"])
