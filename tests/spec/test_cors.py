"""CDS Hooks, chapter "Cross-Origin Resource Sharing": clients that are browsers."""

from __future__ import annotations

from typing import Any

import pytest
from builders import TOY, ToyKnowledge, ToyService, cds_request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service import create_app
from cds_service.settings import Settings

SANDBOX = "https://sandbox.cds-hooks.org"
ADDRESSES = [
    ("/cds-services", "GET"),
    ("/cds-services/", "GET"),
    (TOY, "POST"),
    ("/cds-services//toy", "POST"),
    (f"{TOY}/feedback", "POST"),
]


def preflight(client: FlaskClient, address: str, method: str, origin: str) -> TestResponse:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,x-request-id,traceparent",
    }
    return client.options(address, headers=headers)


@pytest.mark.parametrize("address, method", ADDRESSES)
def test_x_1_x_2_x_3_a_preflight_allows_what_the_sandbox_needs(
    client: FlaskClient, address: str, method: str
) -> None:
    response = preflight(client, address, method, SANDBOX)
    assert response.status_code // 100 == 2
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert method in response.headers["Access-Control-Allow-Methods"]
    allowed = response.headers["Access-Control-Allow-Headers"].lower()
    for header in ("authorization", "content-type", "x-request-id", "traceparent"):
        assert header in allowed
    assert int(response.headers["Access-Control-Max-Age"]) > 0


def test_x_4_an_answer_may_be_read_by_the_page(client: FlaskClient) -> None:
    for response in (
        client.get("/cds-services", headers={"Origin": SANDBOX}),
        client.post(TOY, json=cds_request(), headers={"Origin": SANDBOX}),
    ):
        assert response.status_code == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert (
            response.headers["Access-Control-Expose-Headers"]
            == "Knowledge-Version, Retry-After, Server-Timing, X-Request-Id"
        )


@pytest.mark.parametrize("status", [400, 404, 405, 412, 413, 415, 500])
def test_x_5_so_may_an_error(toy: ToyService, status: int) -> None:
    toy.answered_by = None  # type: ignore[assignment]
    knowledge = ToyKnowledge({"toy": toy})
    client = create_app(Settings(max_body_bytes=5000), knowledge).test_client()
    requests: dict[int, dict[str, Any]] = {
        400: {"path": TOY, "json": {}},
        404: {"path": "/cds-services/other", "json": cds_request()},
        405: {"path": TOY, "method": "PUT"},
        412: {"path": TOY, "json": cds_request(prefetch=None)},
        413: {"path": TOY, "data": "x" * 5001},
        415: {"path": TOY, "data": "x", "content_type": "text/plain"},
        500: {"path": TOY, "json": cds_request()},
    }
    response = client.open(**{"method": "POST"} | requests[status], headers={"Origin": SANDBOX})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_x_6_named_origins_alone_are_allowed_and_caches_are_told(
    knowledge: ToyKnowledge,
) -> None:
    origins = (SANDBOX, "https://ehr.example.org")
    client = create_app(Settings(cors_origins=origins), knowledge).test_client()
    for origin, allowed in ((SANDBOX, SANDBOX), ("https://evil.example.org", None)):
        response = client.post(TOY, json=cds_request(), headers={"Origin": origin})
        assert response.headers.get("Access-Control-Allow-Origin") == allowed
        assert set(response.vary) >= {"Origin", "Accept-Language"}
    assert (
        "Access-Control-Allow-Origin"
        not in preflight(client, TOY, "POST", "https://evil.example.org").headers
    )


def test_x_7_credentials_are_never_allowed(client: FlaskClient) -> None:
    for address, method in ADDRESSES:
        response = preflight(client, address, method, "https://evil.example.org")
        assert "Access-Control-Allow-Credentials" not in response.headers


def test_other_addresses_are_closed_to_foreign_pages(client: FlaskClient) -> None:
    response = client.get("/health/ready", headers={"Origin": SANDBOX})
    assert "Access-Control-Allow-Origin" not in response.headers
