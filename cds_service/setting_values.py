"""What a setting may say: each reader takes the text of a variable, or raises ValueError with what
was expected."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network

# An origin as a browser sends it. Nothing that flask-cors would take for a regular expression.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._-]+(:\d{1,5})?")
_FHIR_SERVER = re.compile(
    r"(https://([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])|http://(localhost|127\.0\.0\.1|\[::1\]))"
    r"(:\d{1,5})?(/(?!\.+(/|$))[A-Za-z0-9._~-]+)*/?"
)
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
_RATE_LIMIT = re.compile(r"[1-9]\d{0,8} per (second|minute|hour)")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_RULE = re.compile(r"(?:[a-z0-9-]+/)?[A-Za-z][A-Za-z0-9_-]*")  # service/rule, or a rule
_MODES = ("live", "shadow")
_STORE_URL = re.compile(r"embedded|none|sqlite:///[^:].*|postgresql(\+psycopg)?://.+")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def text(text: str) -> str:
    """Any text."""
    return text


def folder(text: str) -> Path:
    """A folder that is there."""
    if not Path(text).is_dir():
        raise ValueError("there is no such folder")
    return Path(text)


def whole_number(smallest: int, largest: int) -> Callable[[str], int]:
    """A reader of whole numbers within these limits."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not smallest <= int(text) <= largest:
            raise ValueError(f"expected a whole number from {smallest} to {largest}")
        return int(text)

    return read


def yes_or_no(text: str) -> bool:
    """True or false."""
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.lower() == "true"


def origins(text: str) -> tuple[str, ...]:
    """Origins as a browser sends them, or "*" alone."""
    origins = tuple(origin.strip() for origin in text.split(","))
    if origins != ("*",) and not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError("expected * or origins such as https://ehr.example.org, with commas")
    return origins


def language(text: str) -> str:
    """A language tag (BCP 47)."""
    if not _LANGUAGE.fullmatch(text):
        raise ValueError("expected a language tag such as en or zh-Hans")
    return text


def rules(text: str) -> tuple[str, ...]:
    """Rules, each once: `service/rule`, or an id alone."""
    rules = tuple(dict.fromkeys(rule.strip() for rule in text.split(",")))
    if not all(_RULE.fullmatch(rule) for rule in rules):
        raise ValueError("expected ids of rules such as R51, with commas")
    return rules


def mode(text: str) -> str:
    """live or shadow."""
    if text.lower() not in _MODES:
        raise ValueError(f"expected {' or '.join(_MODES)}")
    return text.lower()


def path(text: str) -> Path:
    """A path, whether or not it is there."""
    return Path(text)


def log_level(text: str) -> str:
    """A level of logging."""
    if text.upper() not in _LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(_LOG_LEVELS)}")
    return text.upper()


def store_url(text: str) -> str:
    """Where the store is."""
    if not _STORE_URL.fullmatch(text):
        raise ValueError(
            "expected embedded, none, sqlite:///path or postgresql://user@host/database"
        )
    return text


def hash_key(text: str) -> str:
    """A key; "" for one that is to be generated."""
    if text == "generated":
        return ""
    if len(text) < 32:
        raise ValueError("expected at least 32 characters")
    return text


def file(text: str) -> Path:
    """A file that is there."""
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return Path(text)


def fhir_servers(text: str) -> tuple[str, ...]:
    """Base addresses of FHIR servers; http on this machine only."""
    servers = tuple(server.strip() for server in text.split(","))
    if not all(_FHIR_SERVER.fullmatch(server) for server in servers):
        raise ValueError(
            "expected addresses such as https://fhir.example.org/r4, with commas;"
            " http is for localhost only"
        )
    return servers


def networks(text: str) -> tuple[Network, ...]:
    """IP networks."""
    try:
        return tuple(ip_network(network.strip()) for network in text.split(","))
    except ValueError:
        raise ValueError("expected networks such as 10.20.0.0/16, with commas") from None


def unavailable(text: str) -> str:
    """412 or card."""
    if text.lower() not in ("412", "card"):
        raise ValueError("expected 412 or card")
    return text.lower()


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


def issuers(text: str) -> tuple[Issuer, ...]:
    """`<issuer>=<address or file>`, separated by commas."""
    found = []
    for each in text.split(","):
        name, _, keys = (part.strip() for part in each.partition("="))
        if not name or not keys:
            raise ValueError("expected <issuer>=<its JWKS: an address or a file>, with commas")
        if "://" in keys:
            address(keys.partition("?")[0])
        elif not Path(keys).is_file():
            raise ValueError(f"there is no file {keys}")
        found.append(Issuer(name, keys))
    if len({issuer.name for issuer in found}) < len(found):
        raise ValueError("an issuer stands twice")
    return tuple(found)


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


def cards_folder() -> Path:
    """The folder `cards` inside the installed package, otherwise beside it in a checkout."""
    inside = Path(__file__).parent / "cards"
    return inside if inside.is_dir() else inside.parent.parent / "cards"


def runtime_folder() -> Path:
    """A folder of this user among the temporary files."""
    user = os.getuid() if hasattr(os, "getuid") else "service"
    return Path(tempfile.gettempdir()) / f"cds-service-{user}"


def setting(
    kind: str,
    read: Callable[[str], Any],
    default: Any,
    sentence: str,
    *,
    shown: str | None = None,
    secret: bool = False,
) -> Any:
    """A field of Settings, with its row in the table."""
    row = {
        "kind": kind,
        "read": read,
        "shown": str(default) if shown is None else shown,
        "sentence": sentence,
    }
    return field(default=default, metadata=row, repr=not secret)
