"""The public keys of CDS Clients: JWK Sets at an address or in a file that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import orjson
import requests
import structlog
from jwt import PyJWK
from jwt.exceptions import InvalidKeyError, PyJWKError

from cds_service.fhir import connections as transport

FRESH = timedelta(minutes=10)  # a withdrawn key is accepted no longer than this
STALE = timedelta(hours=24)  # while the client's server is down, its last keys are used this long
PAUSE = timedelta(seconds=30)  # between two readings, even if tokens name unknown keys
MOST_BYTES = 256 * 1024
_SECONDS_TO_CONNECT = 1.0
_SECONDS = 3.0  # for head and body together
_CHUNK = 16 * 1024

# RFC 7518, RFC 8037: each algorithm needs one type of key, and one curve. None is symmetric.
KEY_OF_ALGORITHM: Mapping[str, tuple[str, frozenset[str]]] = {
    "ES256": ("EC", frozenset({"P-256"})),
    "ES384": ("EC", frozenset({"P-384"})),
    "ES512": ("EC", frozenset({"P-521"})),
    "EdDSA": ("OKP", frozenset({"Ed25519", "Ed448"})),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", frozenset())),
}
_LEAST_RSA_BITS = 2048

_log = structlog.get_logger(__name__)


class KeySet:
    """The keys of one CDS Client, read when first needed and again when they may have changed.

    `read` returns the JSON of a JWK Set, or raises OSError or ValueError. It is called at most once
    in `PAUSE`, so tokens with invented key ids or signatures cause no load on the client's server.
    """

    def __init__(self, source: str, read: Callable[[], bytes]) -> None:
        self.source = source
        self._read = read
        self._keys: Mapping[str, dict[str, Any]] = {}
        self._read_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._has_failed = False
        self._lock = Lock()

    def key(
        self, kid: str, algorithm: str, now: datetime, *, read_again: bool = False
    ) -> PyJWK | None:
        """The key with this id if it may be used with the algorithm, otherwise None.

        With `read_again` the keys are read again: a client may have replaced a key under its id.
        """
        self._refresh(now, unless_known="" if read_again else kid)
        entry = self._keys.get(kid) if self._is_usable(now) else None
        return _key(entry, algorithm) if entry else None

    def are_certain(self, now: datetime) -> bool:
        """Whether a key that is missing here surely does not exist."""
        return self._is_usable(now) and not self._has_failed

    def is_ready(self, now: datetime) -> bool:
        """Whether there are keys to check tokens with; reads them if they are due."""
        self._refresh(now)
        return bool(self._keys) and self._is_usable(now)

    def _is_usable(self, now: datetime) -> bool:
        return self._read_at is not None and now - self._read_at < STALE

    def _refresh(self, now: datetime, unless_known: str | None = None) -> None:
        is_fresh = self._read_at is not None and now - self._read_at < FRESH
        if is_fresh and (unless_known is None or unless_known in self._keys):
            return
        # While one thread reads, the others use the old keys, if there are any.
        if not self._lock.acquire(blocking=not self._keys):
            return
        try:
            if self._tried_at is None or now - self._tried_at >= PAUSE:
                self._tried_at = now
                self._keys, self._read_at = _by_id(self._read()), now
                self._has_failed = False
        except (OSError, ValueError) as error:
            self._has_failed = True
            # The message of an error may repeat what was read.
            _log.warning("keys not read", source=self.source, error=type(error).__name__)
        finally:
            self._lock.release()


def key_set(source: str, authorities: Path | None = None) -> KeySet:
    """The keys at an address, or in a file; `authorities` as for connections.session."""
    if "://" in source:
        # No check of where it leads: the operator wrote this address.
        session = transport.session(
            lambda host, address: True, connections=1, authorities=authorities
        )
        return KeySet(source, lambda: _fetch(session, source))
    return KeySet(source, lambda: _bytes_of(Path(source)))


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return _not_too_long(file.read(MOST_BYTES + 1))


def _fetch(session: requests.Session, url: str) -> bytes:
    """The body at `url`, within limits of time and size; redirects are not followed."""
    with session.get(
        url,
        timeout=(_SECONDS_TO_CONNECT, _SECONDS),
        allow_redirects=False,
        stream=True,
        headers={"Accept": "application/json"},
    ) as response:
        if response.status_code != 200:
            raise ValueError("not answered with 200")
        body = b""
        for chunk in response.iter_content(_CHUNK):
            body = _not_too_long(body + chunk)
    return body


def _not_too_long(body: bytes) -> bytes:
    if len(body) > MOST_BYTES:
        raise ValueError("longer than any JWK Set")
    return body


def _by_id(body: bytes) -> dict[str, dict[str, Any]]:
    """The keys of a JWK Set (RFC 7517) that have an id; a repeated id names no key."""
    document = orjson.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a JWK Set")
    named = [key for key in entries if isinstance(key, dict) and isinstance(key.get("kid"), str)]
    ids = [key["kid"] for key in named]
    return {key["kid"]: key for key in named if ids.count(key["kid"]) == 1}


def _key(entry: Mapping[str, Any], algorithm: str) -> PyJWK | None:
    key_type, curves = KEY_OF_ALGORITHM[algorithm]
    is_fit = (
        entry.get("kty") == key_type
        and (not curves or str(entry.get("crv")) in curves)
        and entry.get("alg", algorithm) == algorithm
        and entry.get("use", "sig") == "sig"
    )
    if not is_fit:
        return None
    public = {name: value for name, value in entry.items() if name not in _PRIVATE}
    try:
        key = PyJWK(public, algorithm)
    except (PyJWKError, InvalidKeyError, ValueError, TypeError):
        return None
    if key_type == "RSA" and key.key.key_size < _LEAST_RSA_BITS:
        return None
    return key


_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
