"""What operators ask: health, metrics, the OpenAPI document, request ids, limits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from builders import (
    NOW,
    TOY,
    ToyKnowledge,
    ToyService,
    assert_outcome,
    cds_request,
    feedback,
    prefetch,
)
from databases import redis_url
from flask.testing import FlaskClient
from listeners import Listener
from tokens import ISSUER, PUBLIC_URL, Signer, jwks, write_jwks

from cds_service import create_app
from cds_service.setting_types import Issuer
from cds_service.settings import Settings

UUID = "0b9a3f5e-5a0e-4c55-a0b8-0d5d3c0d2f11"


def application(knowledge: ToyKnowledge, **changes: Any) -> FlaskClient:
    return create_app(
        Settings(**{"store_url": "none"} | changes), knowledge, lambda: NOW
    ).test_client()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(body=jwks("ES384")) as opened:
        yield opened


# -- health --------------------------------------------------------------------------------------


def test_readiness_names_the_knowledge_and_everything_it_looked_at(
    knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    issuer = Issuer(ISSUER, str(write_jwks(tmp_path)))
    client = application(
        knowledge,
        issuers=(issuer,),
        public_url=PUBLIC_URL,
        store_url=f"sqlite:///{tmp_path / 'store.sqlite3'}",
    )
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.headers["Knowledge-Version"] == "toy-1"
    assert response.get_json() == {
        "status": "ready",
        "knowledge": "toy-1",
        "checks": {"knowledge": "ok", "store": "ok", "keysOfClients": "ok", "usedTokens": "ok"},
        "lostRows": 0,
    }


def test_without_the_keys_of_its_clients_it_is_not_ready_and_does_not_storm_for_them(
    knowledge: ToyKnowledge, tmp_path: Path, listener: Listener
) -> None:
    listener.status = 500
    client = application(
        knowledge,
        issuers=(Issuer(ISSUER, listener.address + "/jwks.json"),),
        public_url=PUBLIC_URL,
        store_url=f"sqlite:///{tmp_path / 'store.sqlite3'}",
    )
    for _ in range(5):
        response = client.get("/health/ready")
        assert response.status_code == 503
        assert response.get_json()["checks"]["keysOfClients"] == "failed"
    assert listener.paths == ["/jwks.json"]


def test_without_its_memory_of_used_tokens_it_is_not_ready_and_lets_nobody_in(
    knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    client = application(
        knowledge,
        issuers=(Issuer(ISSUER, str(write_jwks(tmp_path))),),
        public_url=PUBLIC_URL,
        redis_url="redis://127.0.0.1:9/0",
    )
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.get_json()["checks"]["usedTokens"] == "failed"
    response = client.post(TOY, json=cds_request(), headers=Signer().bearer(PUBLIC_URL + TOY))
    assert_outcome(response, 503)
    assert int(response.headers["Retry-After"]) > 0


def test_without_its_store_it_answers_and_says_so(knowledge: ToyKnowledge) -> None:
    client = application(
        knowledge,
        store_url="postgresql://postgres@127.0.0.1:9/nowhere",
        hash_key="0123456789abcdef0123456789abcdef",
    )
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.get_json()["checks"]["store"] == "failed"
    assert client.post(TOY, json=cds_request()).status_code == 200


# -- request ids ---------------------------------------------------------------------------------


def test_a_request_id_is_taken_over_and_given_back(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cds_service"):
        response = client.post(TOY, json=cds_request(), headers={"X-Request-Id": UUID})
    assert response.headers["X-Request-Id"] == UUID
    assert caplog.records[0].msg["request_id"] == UUID


@pytest.mark.parametrize("wanted", ["Ada Lovelace", "1234567", "a" * 33, "../../etc", ""])
def test_a_request_id_that_may_be_anything_is_replaced(client: FlaskClient, wanted: str) -> None:
    headers = {"X-Request-Id": wanted}
    ids = {client.get("/cds-services", headers=headers).headers["X-Request-Id"] for _ in "ab"}
    assert len(ids) == 2 and wanted not in ids


# -- metrics -------------------------------------------------------------------------------------


def test_metrics_count_calls_rules_facts_and_time(client: FlaskClient) -> None:
    for _ in range(2):
        client.post(TOY, json=cds_request())
    client.post(TOY, json={})
    client.post(f"{TOY}/feedback", json={"feedback": [feedback()]})
    response = client.get("/metrics")
    assert response.content_type.startswith("text/plain; version=0.0.4")
    lines = response.text.splitlines()
    for line in (
        'cds_calls_total{endpoint="call_service",service="toy",status="200"} 2.0',
        'cds_calls_total{endpoint="call_service",service="",status="400"} 1.0',
        'cds_calls_total{endpoint="receive_feedback",service="toy",status="204"} 1.0',
        'cds_rules_total{outcome="applied",rule="toy/R1",service="toy"} 2.0',
        'cds_rules_total{outcome="unknown",rule="toy/R2",service="toy"} 2.0',
        'cds_missing_total{fact="laboratory",service="toy"} 2.0',
        "cds_rows_lost_total 0.0",
        *(f'cds_seconds_count{{stage="{stage}"}} 2.0' for stage in ("evaluate", "dump")),
        'cds_seconds_count{stage="prefetch"} 2.0',
        'cds_seconds_count{stage="total"} 4.0',
        'cds_seconds_count{stage="authenticate"} 4.0',
    ):
        assert line in lines, line


def test_metrics_of_unknown_addresses_and_services_do_not_grow(client: FlaskClient) -> None:
    for number in range(20):
        client.post(f"/cds-services/made-up-{number}", json=cds_request())
        client.get(f"/made-up-{number}")
    assert "made-up" not in client.get("/metrics").text


def test_metrics_are_for_this_machine_until_they_are_opened(knowledge: ToyKnowledge) -> None:
    for opened, status in ((False, 403), (True, 200)):
        client = application(knowledge, metrics_open=opened)
        assert client.get("/metrics").status_code == 200
        elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
        assert client.get("/metrics", environ_base=elsewhere).status_code == status
        for header in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"):
            response = client.get("/metrics", headers={header: "192.0.2.7"})
            assert response.status_code == status
        response = client.get("/metrics", headers={"Host": "cds.example.org"})
        assert response.status_code == status


def test_behind_a_public_address_metrics_are_for_nobody_until_they_are_opened(
    knowledge: ToyKnowledge,
) -> None:
    for opened, status in ((False, 403), (True, 200)):
        client = application(knowledge, metrics_open=opened, public_url=PUBLIC_URL)
        for host in ("localhost", "127.0.0.1:8912"):
            assert client.get("/metrics", headers={"Host": host}).status_code == status
    client = application(knowledge, public_url="http://localhost:8000")
    assert client.get("/metrics").status_code == 200


# -- limits --------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "redis", "redis that is away"])
def limited(request: pytest.FixtureRequest, knowledge: ToyKnowledge) -> FlaskClient:
    if request.param == "memory":
        return application(knowledge, rate_limit="3 per hour")
    address = redis_url() if request.param == "redis" else "redis://127.0.0.1:9/0"
    return application(knowledge, rate_limit="3 per hour", redis_url=address)


def test_a_client_that_calls_too_often_is_told_when_to_come_again(limited: FlaskClient) -> None:
    here = {"REMOTE_ADDR": f"client-{uuid4()}"}
    for _ in range(2):
        assert limited.post(TOY, json=cds_request(), environ_base=here).status_code == 200
    assert limited.get("/cds-services", environ_base=here).status_code == 200
    response = limited.post(TOY, json=cds_request(), environ_base=here)
    assert_outcome(response, 429)
    assert 0 < int(response.headers["Retry-After"]) <= 3600
    elsewhere = {"REMOTE_ADDR": f"client-{uuid4()}"}
    assert limited.post(TOY, json=cds_request(), environ_base=elsewhere).status_code == 200
    assert limited.get("/health/ready", environ_base=here).status_code == 200


def test_a_limit_holds_for_the_client_that_signed_and_not_for_the_gateway(
    knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    path = str(write_jwks(tmp_path))
    client = application(
        knowledge,
        issuers=(Issuer("one", path), Issuer("two", path)),
        public_url=PUBLIC_URL,
        store_url=f"sqlite:///{tmp_path / 'store.sqlite3'}",
        rate_limit="1 per hour",
    )

    def status(issuer: str) -> int:
        headers = Signer(issuer=issuer).bearer(PUBLIC_URL + TOY)
        return client.post(TOY, json=cds_request(), headers=headers).status_code

    assert [status("one"), status("one"), status("two")] == [200, 429, 200]


def test_who_does_not_authenticate_is_limited_too(knowledge: ToyKnowledge, tmp_path: Path) -> None:
    client = application(
        knowledge,
        issuers=(Issuer(ISSUER, str(write_jwks(tmp_path))),),
        public_url=PUBLIC_URL,
        store_url=f"sqlite:///{tmp_path / 'store.sqlite3'}",
        rate_limit="2 per hour",
    )
    statuses = [client.post(TOY, json=cds_request()).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]


def test_behind_a_trusted_proxy_a_limit_is_for_each_visitor(knowledge: ToyKnowledge) -> None:
    proxies = (ip_network("127.0.0.1"),)
    client = application(knowledge, rate_limit="2 per hour", trusted_proxies=proxies)
    for visitor, made_up in (("192.0.2.7", "1.1.1.{}, "), ("192.0.2.8", "")):
        statuses = [
            client.get(
                "/cds-services",
                headers={"X-Forwarded-For": made_up.format(number) + visitor},
            ).status_code
            for number in range(3)
        ]
        assert statuses == [200, 200, 429]


def test_without_a_limit_nobody_is_held_back(client: FlaskClient) -> None:
    assert {client.get("/cds-services").status_code for _ in range(50)} == {200}


# -- observers -----------------------------------------------------------------------------------


def test_health_preflights_and_metrics_leave_no_line(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="cds_service"):
        client.options(TOY, headers={"Origin": "https://ehr.example.org"})
        for address in ("/health/live", "/health/ready", "/metrics", "/openapi.json"):
            client.get(address)
    assert caplog.records == []


def test_a_fault_of_ours_is_counted(client: FlaskClient, toy: ToyService) -> None:
    toy.answered_by = None  # type: ignore[assignment]
    client.post(TOY, json=cds_request())
    assert 'service="toy",status="500"} 1.0' in client.get("/metrics").text


def test_what_came_of_fetching_is_told_by_key(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    keys = prefetch()
    del keys["laboratory"]
    unlisted = cds_request(fhirServer="https://fhir.example.org/r4", prefetch=keys)
    with caplog.at_level(logging.INFO, logger="cds_service"):
        assert client.post(TOY, json=unlisted).status_code == 200
    (record,) = caplog.records
    assert record.msg["fetches"] == {"laboratory": "barred"}
    line = 'cds_fetches_total{key="laboratory",outcome="barred"} 1.0'
    assert line in client.get("/metrics").text
