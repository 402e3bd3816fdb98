"""Keyed hashes instead of ids: the store can see that two are equal, but not whose they are.

With the same key, cards get uuids that others cannot compute.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from uuid import UUID

import orjson

from cds_service.errors import SettingsError
from cds_service.knowledge.call import Answer, Call, Card
from cds_service.settings import STATELESS, Settings
from cds_service.store.address import folder_of

KEY_FILE = "hash-key"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a call comes from: the same ids from another place mean other people.

    `client` is the issuer of a valid token, or None if anybody can call.
    """

    client: str | None = None
    tenant: str | None = None
    fhir_server: str | None = None


@dataclass(frozen=True, slots=True)
class People:
    """The people of a call, as hashes: the patient, the user, the client."""

    client: str
    patient: str
    user: str
    encounter: str | None


class Pseudonyms:
    """HMAC-SHA256 with one key. All machines that share a store need the same key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, value: str) -> str:
        """The hash of an id, 64 hexadecimal digits; the same id of another kind has another one."""
        return hmac.digest(self._key, f"{kind}\0{value}".encode(), "sha256").hex()

    def client(self, origin: Origin) -> str:
        """The hash of a client and its tenant."""
        return self.of("client", _joined(origin.client, origin.tenant))

    def user(self, origin: Origin, user_id: str) -> str:
        """The hash of a user of this origin."""
        return self._there("user", origin, user_id)

    def patient(self, origin: Origin, patient_id: str) -> str:
        """The hash of a patient of this origin."""
        return self._there("patient", origin, patient_id)

    def people(self, origin: Origin, call: Call) -> People:
        """The hashes of the people and the encounter of a call."""
        encounter = call.encounter_id
        return People(
            client=self.client(origin),
            patient=self.patient(origin, call.patient_id),
            user=self.user(origin, call.user_id),
            encounter=self._there("encounter", origin, encounter) if encounter else None,
        )

    def seal(self, origin: Origin, call: Call, answer: Answer) -> Answer:
        """The answer with uuids made with the key: the same call with the same evidence gets the
        same uuids.

        Another user, patient, FHIR server or client gets others, even with the same `hookInstance`.
        """
        whose = (origin.client, origin.tenant, _base(origin), call.user_id, call.encounter_id)

        def sealed(card: Card) -> Card:
            suggestions = tuple(
                replace(suggestion, uuid=self._uuid(*whose, suggestion.uuid))
                for suggestion in card.suggestions
            )
            uuid = self._uuid(*whose, card.uuid, card.fingerprint)
            return replace(card, uuid=uuid, suggestions=suggestions)

        return replace(
            answer,
            cards=tuple(map(sealed, answer.cards)),
            shadow=tuple(map(sealed, answer.shadow)),
        )

    def _there(self, kind: str, origin: Origin, value: str) -> str:
        return self.of(kind, _joined(origin.client, origin.tenant, _base(origin), value))

    def _uuid(self, *identity: str | None) -> str:
        # Version 4, because UUIDs have no version for keyed hashes.
        return str(UUID(bytes=bytes.fromhex(self.of("uuid", _joined(*identity)))[:16], version=4))


def pseudonyms_of(settings: Settings) -> Pseudonyms:
    """The hashes of this installation, with the key in the settings, or the one beside its store.

    Raises SettingsError if a shared store has no key in the settings.
    """
    if settings.hash_key:
        return Pseudonyms(settings.hash_key.get_secret_value().encode())
    store_url = settings.store_url.get_secret_value()
    if store_url == STATELESS:
        return Pseudonyms(secrets.token_bytes(_KEY_BYTES))
    folder = folder_of(store_url)
    if folder is None:
        raise SettingsError(
            "CDS_HASH_KEY: must be set with this CDS_STORE_URL, and be the same on every machine"
        )
    try:
        return Pseudonyms(_key_in(folder))
    except OSError as error:
        raise SettingsError(f"CDS_HASH_KEY: {folder / KEY_FILE}: {error.strerror}") from error


def _base(origin: Origin) -> str | None:
    return origin.fhir_server.rstrip("/") if origin.fhir_server else None


def _joined(*parts: str | None) -> str:
    """The parts as one text; different parts never give the same text."""
    return orjson.dumps(parts).decode()


def _key_in(folder: Path) -> bytes:
    """The key in a folder, created on first use; if several processes try, one succeeds."""
    path = folder / KEY_FILE
    if not path.exists():
        with NamedTemporaryFile("w", dir=folder, prefix=KEY_FILE) as draft:  # mode 0600
            draft.write(secrets.token_hex(_KEY_BYTES))
            draft.flush()
            try:
                path.hardlink_to(draft.name)  # complete or not at all
            except FileExistsError:
                pass
    return path.read_bytes()
