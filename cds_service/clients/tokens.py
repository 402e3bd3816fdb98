"""CDS Hooks "Trusting CDS Clients": who is calling, by the JWT that the CDS Client signed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import jwt
import structlog

from cds_service.clients.keys import KEY_OF_ALGORITHM, KeySet, key_set
from cds_service.clients.used_tokens import UsedTokens
from cds_service.errors import NotAuthenticated, Unavailable
from cds_service.settings import Settings

LEEWAY = timedelta(seconds=60)  # between two clocks
_LONGEST_TOKEN = 8192
_LONGEST_TEXT = 512
_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
_PORTS = {"http": 80, "https": 443}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 7_258_118_400  # of the year 2199: later times could overflow when added to


_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Client:
    """A CDS Client with a valid token, and the organisation it says it calls for."""

    issuer: str
    tenant: str | None = None

    @property
    def name(self) -> str:
        """The issuer, and its tenant if there is one: limits, log and audit keep tenants apart.

        A tenant that is not a plain id is hashed, because the token may say anything.
        """
        if self.tenant is None:
            return self.issuer
        is_plain = _PLAIN.fullmatch(self.tenant)
        return f"{self.issuer}|{self.tenant if is_plain else _digest('', self.tenant)[:16]}"


class _WrongSignature(NotAuthenticated):
    """The signature is not by the key that we have; the client may have replaced it."""


class Clients:
    """The CDS Clients that may call: each has its issuer and its own keys.

    `tenants` has the organisations of an issuer that may call; an issuer without any is not asked.
    """

    def __init__(
        self,
        keys: Mapping[str, KeySet],
        used_tokens: UsedTokens,
        longest_life: timedelta,
        tenants: Mapping[str, frozenset[str]] = MappingProxyType({}),
    ) -> None:
        self._keys = keys
        self._tenants = tenants
        self._used_tokens = used_tokens
        self._longest_life = longest_life

    def identify(self, authorization: str | None, url: str, now: datetime) -> Client:
        """The client that sent the Authorization header of a call to `url`.

        Raises NotAuthenticated, with a reason only for the log; and Unavailable if it cannot be
        checked now: the keys cannot be read, or it is not known whether the token was used before.
        """
        token = _token(authorization)
        header, claims = _unverified(token)
        issuer = claims.get("iss")
        keys = self._keys.get(issuer) if isinstance(issuer, str) else None
        if keys is None:
            raise NotAuthenticated("its issuer is not in CDS_ISSUERS")
        audience = _spellings(claims.get("aud"), url)
        key = _key(header, keys, now)
        try:
            _verify(token, key, issuer=str(issuer), audience=audience)
        except _WrongSignature:
            key = _key(header, keys, now, read_again=True)
            _verify(token, key, issuer=str(issuer), audience=audience)
        expires = _check_times(claims, now, self._longest_life)
        client = Client(str(issuer), _tenant(claims))
        allowed = self._tenants.get(client.issuer)
        if allowed is not None and client.tenant not in allowed:
            raise NotAuthenticated("its tenant is not in CDS_TENANTS")
        used = _digest(str(issuer), _jti(claims))
        if not self._used_tokens.first_use(used, expires + LEEWAY, now):
            raise NotAuthenticated("its jti was used before")
        return client

    def have_keys(self, now: datetime) -> bool:
        """Whether tokens of some client could be checked now; the others do not suffer for one."""
        return any([keys.is_ready(now) for keys in self._keys.values()])


def clients_of(settings: Settings, used_tokens: UsedTokens) -> Clients:
    """The clients in the settings."""
    if settings.trusts_sandbox:
        _log.warning("tokens of the public sandbox are accepted, although anybody can sign them")
    authorities = settings.jwks_ca_bundle
    keys = {issuer.name: key_set(issuer.keys, authorities) for issuer in settings.issuers}
    tenants: dict[str, frozenset[str]] = defaultdict(frozenset)
    for tenant in settings.tenants:
        tenants[tenant.issuer] |= {tenant.name}
    longest_life = timedelta(seconds=settings.token_max_lifetime_s)
    return Clients(keys, used_tokens, longest_life, dict(tenants))


def _token(authorization: str | None) -> str:
    if not authorization:
        raise NotAuthenticated("there is no Authorization header")
    match = _BEARER.fullmatch(authorization.strip())
    if match is None or len(authorization) > _LONGEST_TOKEN:
        raise NotAuthenticated("the Authorization header holds no signed JWT")
    return match[1]


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token, not verified yet: only for finding the key."""
    try:
        decoded = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise NotAuthenticated("it cannot be read") from None
    return decoded["header"], decoded["payload"]


def _key(
    header: Mapping[str, Any], keys: KeySet, now: datetime, *, read_again: bool = False
) -> jwt.PyJWK:
    """The key that the token names, among those of its issuer; `read_again` reads them first."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in KEY_OF_ALGORITHM:
        raise NotAuthenticated("its algorithm is not accepted")
    if str(header.get("typ")).upper() != "JWT":
        raise NotAuthenticated("its typ is not JWT")
    if "crit" in header:
        raise NotAuthenticated("it has critical header parameters")
    # A token never chooses where its key comes from; with keys in a file, its jku is ignored.
    if "://" in keys.source and header.get("jku", keys.source) != keys.source:
        raise NotAuthenticated("its jku is not the address in CDS_ISSUERS")
    if not isinstance(kid, str):
        raise NotAuthenticated("it has no kid")
    key = keys.key(kid, algorithm, now, read_again=read_again)
    if key is None and not keys.are_certain(now):
        raise Unavailable("Tokens cannot be checked now; send the call again.")
    if key is None:
        raise NotAuthenticated("its kid names no key of the issuer that fits the algorithm")
    return key


def _verify(token: str, key: jwt.PyJWK, *, issuer: str, audience: Sequence[str]) -> None:
    """Check the signature, the required claims, the issuer and the audience; not the times."""
    try:
        jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=issuer,
            audience=audience,
            options={
                "require": ["iss", "aud", "exp", "iat", "jti"],
                "verify_sub": False,
                # The library would read its own clock for these.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.MissingRequiredClaimError as error:
        raise NotAuthenticated(f"it has no {error.claim}") from None
    except jwt.InvalidAudienceError:
        raise NotAuthenticated("its aud is not the address that was called") from None
    except jwt.InvalidSignatureError:
        raise _WrongSignature("its signature is wrong") from None
    except (jwt.PyJWTError, ValueError) as error:
        raise NotAuthenticated(f"it is not valid: {type(error).__name__}") from None


def _check_times(claims: Mapping[str, Any], now: datetime, longest_life: timedelta) -> datetime:
    """Check the times by our clock; returns when the token expires."""
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    if now >= expires + LEEWAY:
        raise NotAuthenticated("it has expired")
    # An honest token is issued in the past, except for the difference of two clocks.
    if now < issued - LEEWAY or ("nbf" in claims and now < _time(claims, "nbf") - LEEWAY):
        raise NotAuthenticated("it is from the future")
    life, longest = (expires - issued).total_seconds(), longest_life.total_seconds()
    if not 0 < life <= longest:
        raise NotAuthenticated(
            f"its lifetime is {life:.0f} s; CDS_TOKEN_MAX_LIFETIME_S allows {longest:.0f} s"
        )
    return expires


def _jti(claims: Mapping[str, Any]) -> str:
    jti = claims["jti"]
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_TEXT:
        raise NotAuthenticated("its jti is not text, or too long")
    return jti


def _tenant(claims: Mapping[str, Any]) -> str | None:
    tenant = claims.get("tenant")
    if not isinstance(tenant, str | None):
        raise NotAuthenticated("its tenant is not text")
    return tenant


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    """RFC 7519, NumericDate."""
    seconds = claims.get(name)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise NotAuthenticated(f"its {name} is not a time")
    if not 0 <= seconds <= _LAST_SECOND:  # true for NaN too
        raise NotAuthenticated(f"its {name} is not a time")
    return _EPOCH + timedelta(seconds=seconds)


def _spellings(audience: Any, url: str) -> Sequence[str]:
    """The entries of the token's `aud` that mean the called address, as the token spells them."""
    texts = audience if isinstance(audience, list) else [audience]
    called = _as_compared(url)
    if called is None:
        return []
    return [text for text in texts if isinstance(text, str) and _as_compared(text) == called]


def _as_compared(url: str) -> tuple[str, str, int | None, str, str] | None:
    """An address without differences that do not matter: case of the host, port, slashes."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    path = re.sub("/{2,}", "/", parts.path).rstrip("/")
    return parts.scheme, (parts.hostname or ""), port, path, parts.query


def _digest(issuer: str, jti: str) -> str:
    return sha256(f"{len(issuer)}:{issuer}{jti}".encode("utf-8", "surrogatepass")).hexdigest()
