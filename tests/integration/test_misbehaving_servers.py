"""Whatever a FHIR server does: 200 or 412 in time, and the token goes nowhere else."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from builders import NOW, TOY, ToyKnowledge, ToyService, cds_request, toy_knowledge
from flask.testing import FlaskClient
from integration.misbehaving_server import MOODS, TOKEN, MisbehavingServer, misbehaving_server
from werkzeug.test import TestResponse

from cds_service import create_app
from cds_service.knowledge.call import Retrieval
from cds_service.settings import Settings
from cds_service.web.collaborators import EXTENSION, Collaborators

# A slow server is left after this time, which is enough for a sound answer before it; all others
# have so much time that a busy machine makes no difference.
LEFT_AFTER, NEVER_LEFT = 1500, 20_000  # milliseconds
IN_TIME = 10  # seconds; whatever is not cut off takes longer
SOUND = {"well", "cookie", "once-busy", "once-busy-by-date", "once-lost"}
# The patient comes, and of the rest only a part or nothing.
IN_PART = {
    "endless-pages",
    "same-page",
    "foreign-next",
    "next-above",
    "next-around",
    "next-nowhere",
    "slow-observations",
}


@pytest.fixture(scope="module")
def server() -> Iterator[MisbehavingServer]:
    with misbehaving_server() as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere(server: MisbehavingServer) -> Iterator[MisbehavingServer]:
    """A second listener, to which no request may ever come."""
    with misbehaving_server() as running:
        server.elsewhere = running.base("").rstrip("/")
        yield running


@pytest.fixture
def fetching_client(
    request: pytest.FixtureRequest, server: MisbehavingServer, knowledge: ToyKnowledge
) -> Iterator[FlaskClient]:
    """A CDS Client of a service that may call the misbehaving server and no other."""
    is_slow = request.getfixturevalue("mood").startswith("slow-")
    settings = Settings(
        fhir_servers=(f"http://127.0.0.1:{server.port}",),
        fhir_timeout_ms=LEFT_AFTER if is_slow else NEVER_LEFT,
        fhir_max_bytes=200_000,
        fhir_max_pages=3,
    )
    app = create_app(settings, knowledge, clock=lambda: NOW)
    server.seen.clear()
    yield app.test_client()
    here: Collaborators = app.extensions[EXTENSION]
    here.fhir_client.close()


def call(client: FlaskClient, fhir_server: str, **members: Any) -> TestResponse:
    authorization = {"access_token": TOKEN, "token_type": "Bearer"}
    request = cds_request(fhirServer=fhir_server, fhirAuthorization=authorization)
    return client.post(TOY, json=request | {"prefetch": {}} | members)


@pytest.mark.parametrize("mood", MOODS)
def test_every_mood_is_answered_in_time_without_a_leak(
    mood: str,
    server: MisbehavingServer,
    elsewhere: MisbehavingServer,
    fetching_client: FlaskClient,
    toy: ToyService,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    started = time.perf_counter()
    response = call(fetching_client, server.base(mood))
    seconds = time.perf_counter() - started
    assert response.status_code == (200 if mood in SOUND | IN_PART else 412), response.text
    assert seconds < IN_TIME
    assert server.seen and elsewhere.seen == []
    assert all("cookie" not in each.headers for each in server.seen)
    assert {each.headers.get("authorization") for each in server.seen} == {f"Bearer {TOKEN}"}
    assert TOKEN not in caplog.text + response.text
    assert "/ada" not in caplog.text and "=ada" not in caplog.text
    if mood in SOUND:
        assert set(toy.calls[0].retrieved.states.values()) == {Retrieval.COMPLETE}
    if mood in IN_PART:
        assert toy.calls[0].retrieved.states["laboratory"] is not Retrieval.COMPLETE


@pytest.mark.parametrize("mood", sorted(set(MOODS) - SOUND))
def test_every_mood_leaves_what_is_not_required_unknown(
    mood: str,
    server: MisbehavingServer,
    elsewhere: MisbehavingServer,
    fetching_client: FlaskClient,
    toy: ToyService,
) -> None:
    prefetch = {"patient": {"resourceType": "Patient", "id": "ada"}}
    response = call(fetching_client, server.base(mood), prefetch=prefetch)
    assert response.status_code == 200
    states = toy.calls[0].retrieved.states
    if mood != "wrong-patient":  # which the record sets aside, resource by resource
        assert states["laboratory"] is not Retrieval.COMPLETE
    assert elsewhere.seen == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::ffff:10.0.0.5"])
def test_a_listed_name_that_leads_inwards_is_not_followed(
    address: str,
    server: MisbehavingServer,
    knowledge: ToyKnowledge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The resolver is replaced because no name of ours leads inwards, and none ever should.
    real = socket.getaddrinfo

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        return real(address if host == "fhir.example.org" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    base = f"https://fhir.example.org:{server.port}/well"
    app = create_app(Settings(fhir_servers=(base,)), knowledge, clock=lambda: NOW)
    server.seen.clear()
    started = time.perf_counter()
    assert call(app.test_client(), base).status_code == 412
    assert time.perf_counter() - started < IN_TIME
    assert server.seen == []
    app.extensions[EXTENSION].fhir_client.close()


def test_a_server_that_nobody_listens_at_is_412_at_once() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    settings = Settings(fhir_servers=(f"http://127.0.0.1:{port}",))
    app = create_app(settings, toy_knowledge(ToyService()), clock=lambda: NOW)
    started = time.perf_counter()
    assert call(app.test_client(), f"http://127.0.0.1:{port}").status_code == 412
    assert time.perf_counter() - started < IN_TIME
    app.extensions[EXTENSION].fhir_client.close()
