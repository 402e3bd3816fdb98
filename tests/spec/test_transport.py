"""CDS Hooks, chapters "Use of JSON" and "Extensions": bodies, media types, addresses, headers."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from builders import (
    NOW,
    TOY,
    ToyKnowledge,
    assert_outcome,
    cds_request,
    condition,
    feedback,
    prefetch,
    searchset,
)
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.settings import Settings

BODY = json.dumps(cds_request())
DEEP = 60_000


def nested(levels: int) -> str:
    """A request with prefetch that goes this deep, brackets of the request included."""
    inside = levels - 2
    return BODY.replace('"prefetch": {', f'"prefetch": {{"deep": {"[" * inside}{"]" * inside}, ')


def no_empty_member(value: Any, *, path: str = "") -> bool:
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return value not in (None, "", [], {}) and all(
        no_empty_member(child, path=f"{path}.{name}") for name, child in children
    )


def test_j_2_an_answer_is_json(client: FlaskClient) -> None:
    response = client.post(TOY, data=BODY, content_type="application/json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert json.loads(response.data.decode("utf-8"))["cards"]


def test_j_3_j_4_nothing_empty_goes_out(client: FlaskClient) -> None:
    assert no_empty_member(client.post(TOY, json=cds_request()).get_json())
    assert no_empty_member(client.get("/cds-services").get_json())


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "APPLICATION/JSON",
        "application/fhir+json",
        "application/json+fhir+json",
    ],
)
def test_s_6_n_13_json_by_any_of_its_names_is_read(client: FlaskClient, content_type: str) -> None:
    assert client.post(TOY, data=BODY, content_type=content_type).status_code == 200


def test_n_13_no_content_type_at_all_is_read_as_json(client: FlaskClient) -> None:
    assert client.post(TOY, data=BODY).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"],
)
def test_n_13_a_foreign_content_type_is_415(client: FlaskClient, content_type: str) -> None:
    assert_outcome(client.post(TOY, data=BODY, content_type=content_type), 415)


def test_n_13_a_compressed_body_is_415(client: FlaskClient) -> None:
    response = client.post(
        TOY,
        data=gzip.compress(BODY.encode()),
        content_type="application/json",
        headers={"Content-Encoding": "gzip"},
    )
    assert_outcome(response, 415)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"not json",
        b"<html></html>",
        b"{'hook': 'patient-view'}",
        b'{"hook": "patient-view",}',
        b'{"hook": "patient-view"} // comment',
        b"{} {}",
        b"\xff\xfe",
        b'{"hook": "\xff"}',
        BODY.encode("utf-16"),
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf" + BODY.encode(),
        BODY.replace('"ada"', "NaN").encode(),
        BODY.replace('"ada"', "-Infinity").encode(),
        BODY.replace('"ada"', '"\\ud800"').encode(),
        BODY.replace('"ada"', "1" * 5000).encode(),
    ],
)
def test_n_1_n_14_what_is_no_json_is_400(client: FlaskClient, body: bytes) -> None:
    assert_outcome(client.post(TOY, data=body, content_type="application/json"), 400)
    assert_outcome(client.post(f"{TOY}/feedback", data=body), 400)


@pytest.mark.parametrize("body", ["null", "true", "0", '"text"', "[]", "[{}]", "[[]]", f"[{BODY}]"])
def test_n_2_json_that_is_no_object_is_400(client: FlaskClient, body: str) -> None:
    assert_outcome(client.post(TOY, data=body), 400)
    assert_outcome(client.post(f"{TOY}/feedback", data=body), 400)


@pytest.mark.parametrize("body", ["1],[2", "]],[[", "1,2", f"{BODY}],[{BODY}", f"{BODY},{BODY}"])
def test_n_1_brackets_that_only_balance_in_the_whole_are_400(
    client: FlaskClient, body: str
) -> None:
    assert_outcome(client.post(TOY, data=body), 400)


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_n_15_deep_nesting_is_400(client: FlaskClient, opening: str, closing: str) -> None:
    assert_outcome(client.post(TOY, data=opening * DEEP + "1" + closing * DEEP), 400)
    assert_outcome(client.post(TOY, data=opening * DEEP), 400)


def test_n_15_a_hundred_levels_are_read_and_no_more(client: FlaskClient) -> None:
    assert client.post(TOY, data=nested(100)).status_code == 200
    assert_outcome(client.post(TOY, data=nested(101)), 400)


def test_n_16_a_large_body_is_read(client: FlaskClient) -> None:
    large = cds_request(padding="x" * (8 * 1024 * 1024))
    assert client.post(TOY, json=large).status_code == 200


def test_n_16_a_body_over_the_limit_is_413(knowledge: ToyKnowledge) -> None:
    client = create_app(Settings(max_body_bytes=2000), knowledge, lambda: NOW).test_client()
    assert client.post(TOY, json=cds_request()).status_code == 200
    assert_outcome(client.post(TOY, json=cds_request(padding="x" * 2000)), 413)
    assert_outcome(client.post(f"{TOY}/feedback", data="x" * 2001), 413)


def test_more_resources_than_the_operator_allows_are_413(knowledge: ToyKnowledge) -> None:
    client = create_app(Settings(max_resources=100), knowledge, lambda: NOW).test_client()
    conditions = [condition(str(number)) for number in range(98)]
    request = cds_request(prefetch=prefetch(conditions=searchset(*conditions)))
    assert client.post(TOY, json=request).status_code == 200
    request["prefetch"]["conditions"] = searchset(*conditions, *conditions)
    assert_outcome(client.post(TOY, json=request), 413)


def test_a_prefetch_key_that_nobody_asked_for_is_not_read(client: FlaskClient) -> None:
    request = cds_request()
    alone = client.post(TOY, json=request).get_json()
    request["prefetch"]["unasked"] = searchset(*(condition(str(n)) for n in range(30_000)))
    assert client.post(TOY, json=request).get_json() == alone


@pytest.mark.parametrize(
    "address", [f"{TOY}/", "/cds-services//toy", "/cds-services//toy/", TOY + "?a=b"]
)
def test_d_16_slashes_more_than_needed_do_no_harm(client: FlaskClient, address: str) -> None:
    assert client.post(address, json=cds_request()).status_code == 200


@pytest.mark.parametrize(
    "address", [f"{TOY}/feedback/", "/cds-services//toy/feedback", "/cds-services//toy/feedback/"]
)
def test_d_16_slashes_more_than_needed_do_no_harm_to_feedback(
    client: FlaskClient, address: str
) -> None:
    assert client.post(address, json={"feedback": [feedback()]}).status_code == 204


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
@pytest.mark.parametrize("address", [TOY, f"{TOY}/feedback", "/cds-services//toy"])
def test_n_12_f_7_other_methods_are_405_and_told_so(
    client: FlaskClient, address: str, method: str
) -> None:
    response = client.open(address, method=method)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    if method != "HEAD":
        assert_outcome(response, 405)


def test_every_answer_has_the_security_headers(client: FlaskClient) -> None:
    good, bad = client.post(TOY, json=cds_request()), client.post(TOY, data="{")
    for response in (good, bad, client.get("/cds-services"), client.get("/nowhere")):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
    for response in (good, bad):
        assert response.headers["Cache-Control"] == "no-store"


def test_health_is_live_and_ready(client: FlaskClient) -> None:
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").get_json() == {
        "status": "ready",
        "knowledge": "toy-1",
        "checks": {"knowledge": "ok"},
        "lostRows": 0,
    }


def test_without_a_service_it_lives_but_is_not_ready() -> None:
    client = create_app(Settings(), ToyKnowledge({})).test_client()
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code == 503
