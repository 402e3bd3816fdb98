"""Keyed hashes in place of ids: the store can tell that two are the same, not whose they are."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from cds_service.errors import SettingsError
from cds_service.knowledge.call import Call
from cds_service.settings import STATELESS, Settings
from cds_service.store.database import folder_of

KEY_FILE = "hash-key"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class People:
    """Who a call is about and who calls, as hashes."""

    patient: str
    user: str
    encounter: str | None


class Pseudonyms:
    """HMAC-SHA256 under one key. The same key must be on every machine that shares a store."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, value: str) -> str:
        """The hash of an id, 64 hexadecimal digits; ids of different kinds never meet."""
        return hmac.new(self._key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()

    def people(self, call: Call) -> People:
        """The hashes of the people and the encounter of a call."""
        encounter = call.encounter_id
        return People(
            patient=self.of("patient", call.patient_id),
            user=self.of("user", call.user_id),
            encounter=self.of("encounter", encounter) if encounter else None,
        )


def pseudonyms_of(settings: Settings) -> Pseudonyms:
    """The hashes of this installation: by the key in the settings, or one beside its store.

    Raises SettingsError when a shared store has no key in the settings.
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


def _key_in(folder: Path) -> bytes:
    """The key in a folder, made on first use; of several processes that try, one succeeds."""
    path = folder / KEY_FILE
    if not path.exists():
        with NamedTemporaryFile("w", dir=folder, prefix=KEY_FILE) as draft:  # mode 0600
            draft.write(secrets.token_hex(_KEY_BYTES))
            draft.flush()
            try:
                path.hardlink_to(draft.name)  # whole or not at all
            except FileExistsError:
                pass
    return path.read_bytes()
