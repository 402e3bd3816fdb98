"""What addresses, issuers and limits in settings look like; ValueError says what is expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
_RATE_LIMIT = re.compile(r"[1-9]\d{0,8} per (second|minute|hour)")


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CDS Client that may call, and where its public keys are: an address or a file."""

    name: str
    keys: str


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this very machine."""
    return _LOOPBACK.fullmatch(host) is not None


def address(text: str) -> str:
    """An http(s) address without a slash at its end."""
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    )
    if not is_safe or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("expected an https address without credentials and query (http: loopback)")
    return text.rstrip("/")


def address_inside(text: str) -> str:
    """An http(s) address, as of a collector in the same network."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address such as http://collector:4318/v1/traces")
    return text


def read_issuers(text: str) -> tuple[Issuer, ...]:
    """`<issuer>=<address or file>`, separated by commas."""
    issuers = []
    for each in text.split(","):
        name, _, keys = (part.strip() for part in each.partition("="))
        if not name or not keys:
            raise ValueError("expected <issuer>=<its JWKS: an address or a file>, with commas")
        if "://" in keys:
            address(keys.partition("?")[0])
        elif not Path(keys).is_file():
            raise ValueError(f"there is no file {keys}")
        issuers.append(Issuer(name, keys))
    if len({issuer.name for issuer in issuers}) < len(issuers):
        raise ValueError("an issuer stands twice")
    return tuple(issuers)


def rate_limit(text: str) -> str:
    """`<number> per second`, minute or hour."""
    if not _RATE_LIMIT.fullmatch(text):
        raise ValueError("expected a limit such as 600 per minute")
    return text


def redis_address(text: str) -> str:
    """The address of a Redis."""
    if urlsplit(text).scheme not in ("redis", "rediss"):
        raise ValueError("expected an address such as redis://localhost:6379/0")
    return text
