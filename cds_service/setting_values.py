"""How the texts of settings are read; ValueError says what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

MEBIBYTE = 1024 * 1024
Network = IPv4Network | IPv6Network

# An origin as a browser sends it. Nothing that flask-cors would take for a regular expression.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._-]+(:\d{1,5})?")
_FHIR_SERVER = re.compile(
    r"(https://([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])|http://(localhost|127\.0\.0\.1|\[::1\]))"
    r"(:\d{1,5})?(/(?!\.+(/|$))[A-Za-z0-9._~-]+)*/?"
)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_STORE_URL = re.compile(r"embedded|none|sqlite:///[^:].*|postgresql(\+psycopg)?://.+")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
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


def read_address(text: str) -> str:
    """An http(s) address without a slash at its end."""
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    )
    if not is_safe or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("expected an https address without credentials and query (http: loopback)")
    return text.rstrip("/")


def read_address_inside(text: str) -> str:
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
            read_address(keys.partition("?")[0])
        elif not Path(keys).is_file():
            raise ValueError(f"there is no file {keys}")
        issuers.append(Issuer(name, keys))
    if len({issuer.name for issuer in issuers}) < len(issuers):
        raise ValueError("an issuer stands twice")
    return tuple(issuers)


def read_rate_limit(text: str) -> str:
    """`<number> per second`, minute or hour."""
    if not _RATE_LIMIT.fullmatch(text):
        raise ValueError("expected a limit such as 600 per minute")
    return text


def read_redis_address(text: str) -> str:
    """The address of a Redis."""
    if urlsplit(text).scheme not in ("redis", "rediss"):
        raise ValueError("expected an address such as redis://localhost:6379/0")
    return text


def read_text(text: str) -> str:
    return text


def read_folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise ValueError("there is no such folder")
    return Path(text)


def read_whole_number(smallest: int, largest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not smallest <= int(text) <= largest:
            raise ValueError(f"expected a whole number from {smallest} to {largest}")
        return int(text)

    return read


def read_yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.lower() == "true"


def read_origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in text.split(","))
    if origins != ("*",) and not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError("expected * or origins such as https://ehr.example.org, with commas")
    return origins


def read_language_tag(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise ValueError("expected a language tag such as en or zh-Hans")
    return text


def read_log_level(text: str) -> str:
    if text.upper() not in _LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(_LOG_LEVELS)}")
    return text.upper()


def read_store_address(text: str) -> str:
    if not _STORE_URL.fullmatch(text):
        raise ValueError(
            "expected embedded, none, sqlite:///path or postgresql://user@host/database"
        )
    return text


def read_hash_key(text: str) -> str:
    if text == "generated":
        return ""
    if len(text) < 32:
        raise ValueError("expected at least 32 characters")
    return text


def read_file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return Path(text)


def read_fhir_servers(text: str) -> tuple[str, ...]:
    servers = tuple(server.strip() for server in text.split(","))
    if not all(_FHIR_SERVER.fullmatch(server) for server in servers):
        raise ValueError(
            "expected addresses such as https://fhir.example.org/r4, with commas;"
            " http is for localhost only"
        )
    return servers


def read_networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(network.strip()) for network in text.split(","))
    except ValueError:
        raise ValueError("expected networks such as 10.20.0.0/16, with commas") from None


def read_status_or_card(text: str) -> str:
    if text.lower() not in ("412", "card"):
        raise ValueError("expected 412 or card")
    return text.lower()
