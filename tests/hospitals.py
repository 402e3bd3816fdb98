"""Clinicians of several clients, tenants and FHIR servers, who open charts and answer cards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from builders import feedback
from flask.testing import FlaskClient
from tokens import PUBLIC_URL, Signer, write_jwks

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


@dataclass
class Hospital:
    """A service with a store, and the clock that it goes by; `is_asked`: tokens are wanted."""

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
        self.http: FlaskClient = app.test_client()

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

    def post(self, chair: Chair, address: str, body: Any, **headers: str) -> Any:
        """A signed call; what it leaves in the store is there on return."""
        if self.is_asked:
            at = int(self.now.timestamp())
            times: dict[str, Any] = {"iat": at, "exp": at + 300}
            tenant = {"tenant": chair.tenant} if chair.tenant else {}
            signer = Signer(issuer=chair.client, algorithm="ES256")
            headers |= signer.bearer(PUBLIC_URL + address, **times, **tenant)
        response = self.http.post(address, json=body, headers=headers)
        self.memory.writer.flush()
        return response

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
        cards: list[Card] = response.get_json()["cards"]
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
        self.memory.writer.close()
        self.memory.store.close()


def critical(cards: list[Card]) -> list[Card]:
    """The whole critical cards."""
    return [card for card in cards if card["indicator"] == "critical"]


def lines(cards: list[Card]) -> list[Card]:
    """The lines that stand in place of critical cards, in English."""
    return [card for card in cards if card["summary"].startswith("Being addressed since ")]
