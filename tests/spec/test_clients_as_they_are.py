"""What CDS Clients are known to send, and what they need to get back."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
import trustme
from builders import NOW, TOY, ToyKnowledge, assert_outcome, cds_request, feedback
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from jwt.algorithms import ECAlgorithm
from listeners import Listener
from pydantic import ValidationError
from servers import Service, service
from sqlalchemy import select
from tokens import ISSUER, PUBLIC_URL, Signer, jwks, seconds, write_jwks
from werkzeug.test import TestResponse

from cds_service import create_app
from cds_service.clients.keys import PAUSE
from cds_service.setting_types import Issuer, Tenant
from cds_service.settings import Settings
from cds_service.store import tables
from cds_service.web.collaborators import EXTENSION
from cds_service.wire.hooks import load_context
from cds_service.wire.requests import load_feedback

CALL = PUBLIC_URL + TOY
NORTH, SOUTH = "north-hospital", "south-hospital"


class Guarded:
    """A service that asks who calls, and a clock that a test may set."""

    def __init__(
        self, knowledge: ToyKnowledge, folder: Path, *issuers: Issuer, **more: Any
    ) -> None:
        self.now = NOW
        settings = Settings(
            issuers=issuers or (Issuer(ISSUER, str(write_jwks(folder))),),
            public_url=PUBLIC_URL,
            store_url=f"sqlite:///{folder / 'store.sqlite3'}",
            **more,
        )
        self.app = create_app(settings, knowledge, lambda: self.now)
        self.client: FlaskClient = self.app.test_client()

    def call(self, signer: Signer | None = None, **claims: Any) -> TestResponse:
        headers = (signer or Signer()).bearer(CALL, **claims)
        return self.client.post(TOY, json=cds_request(), headers=headers)


@pytest.fixture
def guarded(knowledge: ToyKnowledge, tmp_path: Path) -> Guarded:
    return Guarded(knowledge, tmp_path)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(body=jwks("ES384")) as opened:
        yield opened


# -- section 3: clients and their tokens ---------------------------------------------------------


def test_a_token_of_epic_lives_15_minutes_and_is_valid_before_it_is_issued(
    guarded: Guarded,
) -> None:
    epic = Signer(algorithm="RS384")
    claims = {"exp": seconds(900), "nbf": seconds(-300), "sub": "client-id"}
    assert guarded.call(epic, **claims).status_code == 200


@pytest.mark.parametrize("tenant, status", [(NORTH, 200), (SOUTH, 401), (..., 401)])
def test_one_issuer_for_many_hospitals_calls_for_those_that_are_listed(
    tenant: Any,
    status: int,
    knowledge: ToyKnowledge,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    here = Guarded(knowledge, tmp_path, tenants=(Tenant(ISSUER, NORTH),))
    with caplog.at_level(logging.INFO, logger="cds_service"):
        assert here.call(tenant=tenant).status_code == status
    [line] = [record.msg for record in caplog.records if "endpoint" in record.msg]
    if status == 401:
        assert line["reason"] == "its tenant is not in CDS_TENANTS"
    else:
        assert line["client"] == f"{ISSUER}|{NORTH}"


def test_an_issuer_without_listed_tenants_may_call_for_all(
    knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    path = str(write_jwks(tmp_path))
    issuers = (Issuer(ISSUER, path), Issuer("https://other.example.org", path))
    here = Guarded(knowledge, tmp_path, *issuers, tenants=(Tenant(ISSUER, NORTH),))
    assert here.call(Signer(issuer="https://other.example.org"), tenant=SOUTH).status_code == 200


def test_a_tenant_of_an_unknown_issuer_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="CDS_TENANTS: ehr is not in CDS_ISSUERS"):
        Settings(tenants="ehr=north")


def test_tenants_are_apart_in_limits_and_audit(knowledge: ToyKnowledge, tmp_path: Path) -> None:
    here = Guarded(knowledge, tmp_path, rate_limit="2 per minute")
    statuses = [here.call(tenant=each).status_code for each in (NORTH, NORTH, NORTH, SOUTH)]
    assert statuses == [200, 200, 429, 200]
    memory = here.app.extensions[EXTENSION].memory
    memory.writer.close()
    with memory.store.reading() as connection:
        clients = set(connection.execute(select(tables.call.c.client)).scalars())
    assert {f"{ISSUER}|{NORTH}", f"{ISSUER}|{SOUTH}"} <= clients


def test_a_tenant_that_is_a_sentence_is_not_logged(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cds_service"):
        guarded.call(tenant="the ward of Ada Lovelace")
    assert "Ada" not in caplog.text and f"{ISSUER}|" in caplog.text


# -- keys ----------------------------------------------------------------------------------------


@pytest.fixture
def private_jwks() -> Iterator[tuple[str, trustme.CA]]:
    """A JWKS at an address whose certificate is by an authority of its own."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(jwks("ES384"))

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}/jwks.json", authority
        server.shutdown()
        thread.join()


def test_keys_under_a_private_authority_need_its_bundle(
    private_jwks: tuple[str, trustme.CA], knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    address, authority = private_jwks
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    trusting = Guarded(knowledge, tmp_path, Issuer(ISSUER, address), jwks_ca_bundle=bundle)
    assert trusting.call().status_code == 200
    assert Guarded(knowledge, tmp_path, Issuer(ISSUER, address)).call().status_code == 503


def test_one_client_without_keys_does_not_make_the_service_unready_for_others(
    listener: Listener, knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    listener.status = 500
    gone = Issuer("https://gone.example.org", listener.address)
    here = Guarded(knowledge, tmp_path, gone, Issuer(ISSUER, str(write_jwks(tmp_path))))
    assert here.client.get("/health/ready").status_code == 200
    assert here.call().status_code == 200
    assert here.call(Signer(issuer=gone.name)).status_code == 503


def test_what_cannot_be_checked_now_is_503_and_what_is_wrong_is_401(
    listener: Listener, knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    here = Guarded(knowledge, tmp_path, Issuer(ISSUER, listener.address))
    listener.status = 500
    response = here.call()
    assert_outcome(response, 503)
    assert int(response.headers["Retry-After"]) > 0
    listener.status = 200
    here.now += PAUSE
    assert_outcome(here.call(Signer(headers={"kid": "nobody"})), 401)
    assert here.call().status_code == 200


def test_a_key_that_was_replaced_under_its_id_is_read_again(
    listener: Listener, knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    former = ec.generate_private_key(ec.SECP384R1()).public_key()
    entry = {**ECAlgorithm.to_jwk(former, as_dict=True), "kid": "ES384"}
    listener.body = json.dumps({"keys": [entry]}).encode()
    here = Guarded(knowledge, tmp_path, Issuer(ISSUER, listener.address))
    assert_outcome(here.call(), 401)
    listener.body = jwks("ES384")
    here.now += PAUSE - timedelta(seconds=1)
    assert_outcome(here.call(), 401)
    here.now += timedelta(seconds=1)
    assert here.call().status_code == 200
    assert len(listener.paths) == 2


# -- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {"expires_in": "300"},
        {"expires_in": 299.5, "scope": ["patient/*.read"], "subject": 7},
        {"patient": {"reference": "Patient/ada"}, "token": None},
    ],
    ids=str,
)
def test_members_of_fhir_authorization_that_nobody_reads_fail_no_call(
    members: dict[str, Any], client: FlaskClient
) -> None:
    authorization = {"access_token": "x", "token_type": "Bearer"} | members
    request = cds_request(fhirServer="https://x.example.org", fhirAuthorization=authorization)
    assert client.post(TOY, json=request).status_code == 200


def test_the_uuids_of_feedback_may_be_urns() -> None:
    uuid = "9368d37b-283f-44a0-93ea-547cebab93ed"
    accepted = [{"id": f"URN:UUID:{uuid}"}]
    sent = feedback(card=f"urn:uuid:{uuid}", outcome="accepted", acceptedSuggestions=accepted)
    [entry] = load_feedback({"feedback": [sent]})
    assert entry.card == uuid and list(entry.accepted_suggestions) == [uuid]


def test_a_byte_order_mark_is_read(client: FlaskClient) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(cds_request()).encode()
    response = client.post(TOY, data=body, content_type="application/json")
    assert response.status_code == 200


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    settings = {"CDS_STORE_URL": "none", "CDS_MAX_BODY_BYTES": "100000"}
    settings["CDS_PUBLIC_URL"] = PUBLIC_URL
    with service(**settings) as served:
        yield served


def test_a_chunked_body_is_read_and_one_over_the_limit_is_413(running: Service) -> None:
    address = f"{running.address}/cds-services/anxiety-leg-weakness"
    headers = {"Content-Type": "application/json"}

    def post(size: int) -> requests.Response:
        body = json.dumps({"hook": "patient-view", "padding": "x" * size}).encode()
        pieces = (body[first : first + 1000] for first in range(0, len(body), 1000))
        return requests.post(address, data=pieces, headers=headers, timeout=60)

    assert post(50_000).status_code == 400  # it was read: hookInstance is missing
    response = post(200_000)
    assert response.status_code == 413
    assert response.json()["issue"][0]["code"] == "too-long"


@pytest.mark.parametrize("prefix", ["", "/clinic"], ids=["cut-off", "left"])
def test_links_of_pages_are_right_behind_a_path_prefix(prefix: str, running: Service) -> None:
    response = requests.get(f"{running.address}{prefix}/about", timeout=60)
    assert response.status_code == 200
    for name in ("report", "cds-services", "static/style.css"):
        assert f'href="/clinic/{name}"' in response.text
    style = urljoin(running.address, "/clinic/static/style.css")
    assert requests.get(style, timeout=60).status_code == 200


def test_a_browser_may_read_when_to_try_again_and_how_long_it_took(client: FlaskClient) -> None:
    headers = {"Origin": "https://ehr.example.org"}
    response = client.post(TOY, json=cds_request(), headers=headers)
    exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Retry-After", "Server-Timing"} <= set(exposed)
    assert "evaluate;dur=" in response.headers["Server-Timing"]
    assert "total;dur=" in response.headers["Server-Timing"]


# -- cards and orders ----------------------------------------------------------------------------


def test_every_card_of_the_service_has_a_topic(ehr: FlaskClient) -> None:
    path = Path(__file__).parents[2] / "fixtures" / "requests" / "ada-generalised-anxiety.json"
    request = json.loads(path.read_text())
    cards = ehr.post("/cds-services/anxiety-leg-weakness", json=request).get_json()["cards"]
    assert cards
    for card in cards:
        assert card["source"]["topic"]["system"] == "urn:cds-service:topics"
        assert card["source"]["topic"]["code"]


def test_order_calls_without_drafts_are_read() -> None:
    context = {"userId": "Practitioner/grace", "patientId": "ada"}
    for hook in ("order-sign", "order-select"):
        assert load_context(hook, context).others == {}
        drafts = {"draftOrders": {"resourceType": "Bundle"}, "selections": []}
        assert load_context(hook, context | drafts).patient_id == "ada"


def test_selections_may_be_entries_of_a_bundle() -> None:
    context = {
        "userId": "Practitioner/grace",
        "patientId": "ada",
        "draftOrders": {"resourceType": "Bundle"},
        "selections": ["Bundle/drafts#MedicationRequest/x", "ServiceRequest/b12"],
    }
    chosen = load_context("order-select", context).others["selections"]
    assert chosen == ["MedicationRequest/x", "ServiceRequest/b12"]


def test_one_token_for_every_payload_is_refused_the_second_time(guarded: Guarded) -> None:
    """Inferno's kit does that; the guide says so."""
    headers = Signer().bearer(CALL)
    post = guarded.client.post
    assert post(TOY, json=cds_request(), headers=headers).status_code == 200
    assert post(TOY, json=cds_request(), headers=headers).status_code == 401
