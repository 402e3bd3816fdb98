"""CDS Hooks, chapter "HTTP Status Codes", and errors as FHIR OperationOutcome."""

from __future__ import annotations

import gc
import io
import logging
import weakref
from typing import Any

import pytest
from builders import TOY, ToyService, assert_outcome, card, cds_request
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, run_wsgi_app

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


class _Body(io.BytesIO):
    """What the service reads; a plain one cannot be watched."""


@pytest.mark.parametrize(
    "status, answered_by, sent",
    [
        (200, None, {"json": cds_request()}),
        (400, None, {"data": "{"}),
        (400, None, {"data": "[" * 10_000 + "]" * 10_000, "content_type": "application/json"}),
        (400, None, {"json": {"prefetch": {"x": [{}]}}}),
        (404, None, {"path": "/cds-services/other", "json": cds_request()}),
        (405, None, {"method": "DELETE"}),
        (412, None, {"json": cds_request(prefetch={})}),
        (415, None, {"data": "x", "content_type": "text/plain"}),
        (400, None, {"path": f"{TOY}/feedback", "json": {"feedback": [{}]}}),
        (500, fail_with_data, {"json": cds_request()}),
    ],
)
def test_a_call_keeps_nothing_in_memory(
    app: Flask, toy: ToyService, status: int, answered_by: Any, sent: dict[str, Any]
) -> None:
    """The body goes when the call is over, and does not wait for the garbage collector."""
    toy.answered_by = answered_by or toy.answered_by
    environ = EnvironBuilder(**({"method": "POST", "path": TOY} | sent)).get_environ()
    body = _Body(environ["wsgi.input"].read())
    environ["wsgi.input"] = body
    watched = weakref.ref(body)
    gc.disable()
    try:
        answer, line, _ = run_wsgi_app(app, environ, buffered=True)
        assert int(line.split()[0]) == status
        del answer, environ, body
        assert watched() is None
    finally:
        gc.enable()
