"""Clinicians of several clients, tenants and FHIR servers, who open charts and answer cards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import orjson
import requests
from builders import feedback
from tokens import PUBLIC_URL, Signer, write_jwks
from werkzeug.datastructures import Headers
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request

from cards import conversations
from cds_service import create_app
from cds_service.environment import from_environment
from cds_service.knowledge import Knowledge

SERVICE = "anxiety-leg-weakness"
ADDRESS = f"/cds-services/{SERVICE}"
HASH_KEY = "k" * 32
EHR, OTHER_EHR = "https://ehr.example.org", "https://other.example.org"
SHARED_USER = "Practitioner/everybody"
ADDRESSED = "action-completed"
Card = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chair:
    """Where somebody sits: at a client of a tenant, on a FHIR server, as a user."""

    user: str = "Practitioner/grace"
    client: str = EHR
    tenant: str | None = None
    server: str | None = None
    encounter: str | None = None

    def moved(self, **members: Any) -> Chair:
        return replace(self, **members)


GRACE = Chair()
BORIS = Chair(user="Practitioner/boris")


class _Connection(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True

    def log_request(self, *_: Any) -> None: ...


@dataclass
class Hospital:
    """A service with a store, over HTTP, and its clock; `is_asked`: tokens are wanted."""

    folder: Path
    store_url: str
    knowledge: Knowledge
    is_asked: bool = True
    settings: dict[str, str] = field(default_factory=dict)
    now: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __post_init__(self) -> None:
        keys = write_jwks(self.folder, "ES256")
        asked = {
            "CDS_ISSUERS": f"{EHR}={keys},{OTHER_EHR}={keys}",
            "CDS_PUBLIC_URL": PUBLIC_URL,
        }
        environment = {
            "CDS_STORE_URL": self.store_url,
            "CDS_HASH_KEY": HASH_KEY,
            "CDS_SHARED_USERS": SHARED_USER,
            **(asked if self.is_asked else {}),
            **self.settings,
        }
        app = create_app(from_environment(environment), self.knowledge, clock=lambda: self.now)
        self.memory: Any = app.extensions["cds_service"].memory
        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Connection)
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self._http = requests.Session()

    def chart(self, name: str) -> dict[str, Any]:
        """The request for a fixture person; `name/2` is another one with the same record."""
        person, _, number = name.partition("/")
        path = conversations.FIXTURES / "patients" / f"{person}.json"
        request = conversations.request(self.knowledge.services[SERVICE], path)
        patient = request["context"]["patientId"]
        chart: dict[str, Any] = orjson.loads(
            orjson.dumps(request).replace(patient.encode(), f"{patient}{number}".encode())
        )
        return chart

    def post(self, chair: Chair, address: str, body: Any, **headers: str) -> TestResponse:
        """A signed call; what it leaves in the store is there on return."""
        if self.is_asked:
            at = int(self.now.timestamp())
            times: dict[str, Any] = {"iat": at, "exp": at + 300}
            tenant = {"tenant": chair.tenant} if chair.tenant else {}
            signer = Signer(issuer=chair.client, algorithm="ES256")
            headers |= signer.bearer(PUBLIC_URL + address, **times, **tenant)
        url = f"http://127.0.0.1:{self._server.server_port}{address}"
        reply = self._http.post(url, json=body, headers=headers)
        self.memory.writer.flush()
        status = f"{reply.status_code} {reply.reason}"
        return TestResponse([reply.content], status, Headers(reply.headers.items()), Request({}))

    def open(
        self, chair: Chair, name: str, *, instance: str | None = None, **headers: str
    ) -> list[Card]:
        """The cards of a chart that is opened, anew unless it is an `instance` of before."""
        request = self.chart(name)
        request["hookInstance"] = instance or str(uuid4())
        request["context"]["userId"] = chair.user
        if chair.encounter:
            request["context"]["encounterId"] = chair.encounter
        if chair.server:
            request["fhirServer"] = chair.server
        response = self.post(chair, ADDRESS, request, **headers)
        assert response.status_code == 200, response.text
        cards: list[Card] = response.json["cards"]  # type: ignore[index]
        return cards

    def answer(self, chair: Chair, card: str, code: str | None = ADDRESSED, **members: Any) -> None:
        """Feedback: the card was overridden, with the code of a reason or without one."""
        reason = {"overrideReason": {"reason": {"code": code}}} if code else {}
        entry = feedback(card=card, outcomeTimestamp=self.now.isoformat(), **reason)
        response = self.post(chair, ADDRESS + "/feedback", {"feedback": [entry | members]})
        assert response.status_code == 204, response.text

    def wait(self, **time: float) -> None:
        """Put the clock forward, or back."""
        self.now += timedelta(**time)

    def close(self) -> None:
        self._http.close()
        self._server.shutdown()
        self._server.server_close()
        self.memory.writer.close()
        self.memory.store.close()


def critical(cards: list[Card]) -> list[Card]:
    """The whole critical cards."""
    return [card for card in cards if card["indicator"] == "critical"]


def lines(cards: list[Card]) -> list[Card]:
    """The lines that stand in place of critical cards, in English."""
    return [card for card in cards if card["summary"].startswith("Being addressed since ")]
