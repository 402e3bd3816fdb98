"""CDS Hooks, chapter "FHIR Resource Access": what the service fetches, and from whom."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, TOY, ToyKnowledge, ToyService, assert_outcome, cds_request
from fhir_server import AUTHORIZATION, FHIRServer
from flask.testing import FlaskClient
from integration.misbehaving_server import TOKEN, MisbehavingServer, misbehaving_server

from cards import conversations
from cds_service import create_app
from cds_service.knowledge import CDSService, Knowledge
from cds_service.settings import Settings
from cds_service.web.collaborators import EXTENSION

REAL = "/cds-services/anxiety-leg-weakness"
ADA = conversations.FIXTURES / "patients" / "ada-generalised-anxiety.json"
TODAY = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def misbehaving() -> Iterator[MisbehavingServer]:
    with misbehaving_server() as server:
        yield server


@pytest.fixture(scope="module")
def elsewhere(misbehaving: MisbehavingServer) -> Iterator[MisbehavingServer]:
    """Where redirects and foreign links lead to."""
    with misbehaving_server() as server:
        misbehaving.elsewhere = server.base("").rstrip("/")
        yield server


@pytest.fixture
def toy_client(misbehaving: MisbehavingServer, knowledge: ToyKnowledge) -> Iterator[FlaskClient]:
    """A CDS Client of the toy, which may call the misbehaving server; all else as by default."""
    settings = Settings(fhir_servers=(f"http://127.0.0.1:{misbehaving.port}",))
    app = create_app(settings, knowledge, clock=lambda: NOW)
    misbehaving.seen.clear()
    yield app.test_client()
    app.extensions[EXTENSION].fhir_client.close()


@pytest.fixture(scope="module")
def fetching_ehr(cards: Knowledge, fhir_server: FHIRServer) -> Iterator[FlaskClient]:
    """A CDS Client of the real service, which may call the FHIR server."""
    settings = Settings(fhir_servers=(fhir_server.base,), fhir_timeout_ms=20_000)
    app = create_app(settings, cards, clock=lambda: TODAY)
    yield app.test_client()
    app.extensions[EXTENSION].fhir_client.close()


def without_prefetch(request: dict[str, Any], server: FHIRServer) -> dict[str, Any]:
    """The same call by a client that prefetches nothing, and gives a token in its place."""
    fetched = {"fhirServer": server.base, "fhirAuthorization": AUTHORIZATION}
    return {name: value for name, value in request.items() if name != "prefetch"} | fetched


def said(response: Any) -> Any:
    """The answer but for its uuids, which depend on the FHIR server that a call names."""
    return json.loads(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", response.text))


def toy_request(base: str, **members: Any) -> dict[str, Any]:
    authorization = {"access_token": TOKEN, "token_type": "Bearer"}
    return cds_request(fhirServer=base, fhirAuthorization=authorization, prefetch=..., **members)


@pytest.mark.parametrize("mood", ["status-500", "redirect-302", "html", "reset", "half-json"])
def test_fa_1_a_server_that_fails_is_412(
    mood: str, toy_client: FlaskClient, misbehaving: MisbehavingServer, elsewhere: MisbehavingServer
) -> None:
    response = toy_client.post(TOY, json=toy_request(misbehaving.base(mood)))
    assert_outcome(response, 412, "prefetch.patient")


@pytest.mark.parametrize("mood", ["status-500", "redirect-302", "html", "reset", "half-json"])
def test_fa_1_a_server_that_fails_is_200_where_it_is_not_needed(
    mood: str, toy_client: FlaskClient, misbehaving: MisbehavingServer, elsewhere: MisbehavingServer
) -> None:
    request = cds_request(fhirServer=misbehaving.base(mood))
    del request["prefetch"]["laboratory"]
    assert toy_client.post(TOY, json=request).status_code == 200
    assert misbehaving.seen


def test_fa_2_every_fetch_carries_the_token_of_the_call(
    fetching_ehr: FlaskClient, fhir_server: FHIRServer, service: CDSService
) -> None:
    fhir_server.seen()
    request = without_prefetch(conversations.request(service, ADA), fhir_server)
    assert fetching_ehr.post(REAL, json=request).status_code == 200
    seen = fhir_server.seen()
    assert len(seen) == len(service.prefetch)
    assert {each["authorization"] for each in seen} == {f"Bearer {AUTHORIZATION['access_token']}"}


def test_fa_2_a_server_that_wants_a_token_and_gets_another_is_412(
    fetching_ehr: FlaskClient, fhir_server: FHIRServer, service: CDSService
) -> None:
    request = without_prefetch(conversations.request(service, ADA), fhir_server)
    request["fhirAuthorization"] = {"access_token": "wrong"}
    assert_outcome(fetching_ehr.post(REAL, json=request), 412, "prefetch.patient")
    del request["fhirAuthorization"]
    assert_outcome(fetching_ehr.post(REAL, json=request), 412, "prefetch.conditions")


def test_fa_3_it_reads_and_searches_and_nothing_else(
    fetching_ehr: FlaskClient, fhir_server: FHIRServer, service: CDSService
) -> None:
    fhir_server.seen()
    request = without_prefetch(conversations.request(service, ADA), fhir_server)
    fetching_ehr.post(REAL, json=request)
    seen = fhir_server.seen()
    patient_id = request["context"]["patientId"]
    assert {each["method"] for each in seen} == {"GET"}
    read, *searches = sorted(seen, key=lambda each: each["query"])
    assert (read["path"], read["query"]) == (f"/fhir/Patient/{patient_id}", "")
    for search in searches:
        assert search["path"].count("/") == 2 and search["path"].rpartition("/")[2].isalpha()
        assert search["query"].startswith(f"patient={patient_id}")


def test_fa_4_a_server_that_stalls_does_not_stall_the_answer(
    toy_client: FlaskClient, misbehaving: MisbehavingServer
) -> None:
    started = time.perf_counter()
    response = toy_client.post(TOY, json=toy_request(misbehaving.base("slow-first-byte")))
    assert response.status_code == 412
    assert time.perf_counter() - started < 15  # the server would never answer


@pytest.mark.parametrize(
    "mood", ["redirect-302", "redirect-307", "foreign-next", "next-above", "next-around"]
)
def test_fa_5_the_token_goes_to_the_server_of_the_call_only(
    mood: str,
    toy_client: FlaskClient,
    toy: ToyService,
    misbehaving: MisbehavingServer,
    elsewhere: MisbehavingServer,
) -> None:
    toy_client.post(TOY, json=toy_request(misbehaving.base(mood)))
    assert misbehaving.seen
    assert all(each.target.startswith((f"/{mood}/", f"/{mood}?")) for each in misbehaving.seen)
    assert elsewhere.seen == []


def test_fa_5_a_link_in_the_prefetch_leads_to_the_server_of_the_call_only(
    toy_client: FlaskClient, misbehaving: MisbehavingServer, elsewhere: MisbehavingServer
) -> None:
    request = cds_request(fhirServer=misbehaving.base("well"))
    links = [elsewhere.base("well"), misbehaving.base("other"), "//127.0.0.1:9/", "file:///etc"]
    for link in links:
        request["prefetch"]["conditions"]["link"] = [{"relation": "next", "url": f"{link}/x?a=1"}]
        assert toy_client.post(TOY, json=request).status_code == 200
    # The query of a link over HTTP is asked at the base of the call, wherever the link leads.
    assert [each.target for each in misbehaving.seen] == ["/well?a=1"] * 3
    assert elsewhere.seen == []


@pytest.mark.parametrize("server", ["http://fhir.example.org", "https://169.254.169.254/latest"])
def test_fa_5_a_server_that_is_not_listed_is_not_called(
    server: str, toy_client: FlaskClient, misbehaving: MisbehavingServer
) -> None:
    assert_outcome(toy_client.post(TOY, json=toy_request(server)), 412, "prefetch.patient")


def _of(patient_id: str, bundle: dict[str, Any]) -> dict[str, Any]:
    subject = {"reference": f"Patient/{patient_id}"}
    entries = [entry for entry in bundle["entry"] if entry["resource"].get("subject") == subject]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


# What a search by patient cannot give, or gives in an order that the file does not have.
UNLIKE_A_SEARCH = {"dirk-dirty-record", "lucia-cancer-spinal-pain", "miriam-mixed-records"}


@pytest.mark.parametrize("path", conversations.PATIENTS, ids=lambda path: path.stem)
def test_fa_6_prefetched_and_fetched_data_give_the_same_cards(
    path: Path, fetching_ehr: FlaskClient, fhir_server: FHIRServer, service: CDSService
) -> None:
    request = conversations.request(service, path)
    from_file = said(fetching_ehr.post(REAL, json=request))
    patient_id = request["context"]["patientId"]
    request["prefetch"] = {
        key: fhir_server.get(template.replace("{{context.patientId}}", patient_id))
        for key, template in service.prefetch.items()
    }
    request |= {"fhirServer": fhir_server.base, "fhirAuthorization": AUTHORIZATION}
    prefetched = fetching_ehr.post(REAL, json=request)
    fetched = fetching_ehr.post(REAL, json=without_prefetch(request, fhir_server))
    assert (fetched.status_code, fetched.get_json()) == (200, prefetched.get_json())
    # This server ignores the patient in a search for forms, and sends those of others.
    request["prefetch"]["questionnaires"] = _of(patient_id, request["prefetch"]["questionnaires"])
    own = fetching_ehr.post(REAL, json=request)
    assert path.stem in UNLIKE_A_SEARCH or said(own) == from_file


def test_fa_6_medicines_that_a_list_only_points_at_are_looked_up_once(
    fetching_ehr: FlaskClient, fhir_server: FHIRServer, service: CDSService
) -> None:
    path = conversations.FIXTURES / "patients" / "yusuf-medication-by-reference.json"
    request = without_prefetch(conversations.request(service, path), fhir_server)
    fhir_server.seen()
    assert fetching_ehr.post(REAL, json=request).status_code == 200
    queries = [each["query"] for each in fhir_server.seen() if each["path"] == "/fhir/Medication"]
    assert len(queries) == 1 and queries[0].startswith("_id=yusuf-")


@pytest.mark.parametrize("key", ["conditions", "laboratory", "medicationRequests"])
def test_fa_6_a_key_that_came_as_an_error_is_fetched(
    key: str, fetching_ehr: FlaskClient, fhir_server: FHIRServer, service: CDSService
) -> None:
    request = conversations.request(service, ADA)
    whole = said(fetching_ehr.post(REAL, json=request))
    for nothing in (..., {"resourceType": "OperationOutcome", "issue": []}, "forbidden"):
        changed = request | {"prefetch": request["prefetch"] | {key: nothing}}
        if nothing is ...:
            del changed["prefetch"][key]
        changed |= {"fhirServer": fhir_server.base, "fhirAuthorization": AUTHORIZATION}
        fhir_server.seen()
        assert said(fetching_ehr.post(REAL, json=changed)) == whole
        assert len(fhir_server.seen()) == 1


def test_fa_7_the_pages_after_a_prefetched_one_are_fetched(
    fetching_ehr: FlaskClient, fhir_server: FHIRServer, service: CDSService
) -> None:
    request = conversations.request(service, ADA)
    whole = said(fetching_ehr.post(REAL, json=request))
    patient_id = request["context"]["patientId"]
    page = fhir_server.get(f"Condition?patient={patient_id}&_sort=-recorded-date&_count=1")
    assert len(page["entry"]) == 1 < page["total"]
    request["prefetch"]["conditions"] = page
    assert said(fetching_ehr.post(REAL, json=request)) != whole
    request |= {"fhirServer": fhir_server.base, "fhirAuthorization": AUTHORIZATION}
    fhir_server.seen()
    assert said(fetching_ehr.post(REAL, json=request)) == whole
    assert len(fhir_server.seen()) == page["total"] - 1


def test_fa_7_the_pages_of_what_is_fetched_are_followed(
    fetching_ehr: FlaskClient, fhir_server: FHIRServer, service: CDSService
) -> None:
    request = conversations.request(service, ADA)
    whole = said(fetching_ehr.post(REAL, json=request))
    patient_id = request["context"]["patientId"]
    page = fhir_server.get(f"Observation?patient={patient_id}&_count=2")
    request["prefetch"]["laboratory"] = page
    request |= {"fhirServer": fhir_server.base, "fhirAuthorization": AUTHORIZATION}
    fhir_server.seen()
    assert said(fetching_ehr.post(REAL, json=request)) == whole
    assert len(fhir_server.seen()) == -(-page["total"] // 2) - 1
