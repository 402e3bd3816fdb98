"""The types of settings, for pydantic: what their text may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CDS Client that may call, and where its public keys are: an address or a file."""

    name: str
    keys: str


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation that a CDS Client may call for."""

    issuer: str
    name: str


_PARAMETERS = re.compile(r"[A-Za-z_][\w.:-]*=[^&\s#{}]+(&[A-Za-z_][\w.:-]*=[^&\s#{}]+)*")


def is_loopback(host: str) -> bool:
    """Whether the name or address of a host means this machine."""
    return re.fullmatch(r"localhost|127(\.\d{1,3}){3}|::1", host) is not None


def _form(pattern: str, expected: str) -> AfterValidator:
    """A check that text has this form; its ValueError says what was expected."""

    def check(text: Any) -> Any:
        plain = text.get_secret_value() if isinstance(text, SecretStr) else text
        if not re.fullmatch(pattern, plain):
            raise ValueError(f"expected {expected}")
        return text

    return AfterValidator(check)


def _split(text: Any) -> Any:
    """The parts between commas, without repetitions."""
    if not isinstance(text, str):
        return text
    return tuple(dict.fromkeys(part.strip() for part in text.split(",")))


def _lowered(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _raised(text: Any) -> Any:
    return text.upper() if isinstance(text, str) else text


def _https(text: str) -> str:
    """An address without a slash at its end; http on this machine only."""
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    )
    if not is_safe or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "expected an https address without credentials and query (http: only loopback)"
        )
    return text.rstrip("/")


def _network(text: Any) -> Any:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError("expected networks such as 10.20.0.0/16, separated by commas") from None


def _issuer(text: Any) -> Any:
    """`<issuer>=<address or file>`."""
    if not isinstance(text, str):
        return text
    name, _, keys = (part.strip() for part in text.partition("="))
    if not name or not keys:
        raise ValueError("expected <issuer>=<its JWKS: an address or a file>, separated by commas")
    if "://" in keys:
        _https(keys.partition("?")[0])
    elif not Path(keys).is_file():
        raise ValueError(f"there is no file {keys}")
    return Issuer(name, keys)


def _tenant(text: Any) -> Any:
    """`<issuer>=<tenant>`."""
    if not isinstance(text, str):
        return text
    issuer, _, name = (part.strip() for part in text.rpartition("="))
    if not issuer or not name:
        raise ValueError("expected <issuer>=<tenant>, separated by commas")
    return Tenant(issuer, name)


def _extra(text: Any) -> Any:
    """`<prefetch key>=<parameter>=<value>`, separated by semicolons."""
    if not isinstance(text, str):
        return text
    pairs = []
    for part in filter(None, map(str.strip, text.split(";"))):
        key, _, query = part.partition("=")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", key) or not _PARAMETERS.fullmatch(query):
            raise ValueError(
                "expected <prefetch key>=<parameter>=<value>, separated by semicolons, such as"
                " medicationRequests=intent=order,plan; laboratory=category=laboratory"
            )
        pairs.append((key, query))
    return tuple(pairs)


def _each_key_once(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a prefetch key is named twice; join its parameters with &")
    return pairs


def _each_once(issuers: tuple[Issuer, ...]) -> tuple[Issuer, ...]:
    if len({issuer.name for issuer in issuers}) < len(issuers):
        raise ValueError("an issuer is named twice")
    return issuers


def _any_or_named(origins: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in origins and len(origins) > 1:
        raise ValueError("expected either * alone or a list of origins")
    return origins


CommaSeparated = BeforeValidator(_split)
LowerCase = BeforeValidator(_lowered)
UpperCase = BeforeValidator(_raised)

# An origin as a browser sends it; never text that flask-cors would read as a regular expression.
_Origin = Annotated[
    str,
    _form(
        r"\*|https?://[A-Za-z0-9._-]+(:\d{1,5})?",
        "* or origins such as https://ehr.example.org, separated by commas",
    ),
]
Origins = Annotated[tuple[_Origin, ...], CommaSeparated, AfterValidator(_any_or_named)]
Language = Annotated[
    str,
    _form(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", "a language tag such as en or zh-Hans"),
]
Region = Annotated[
    str, UpperCase, _form(r"([A-Z]{2})?", "a country as two letters (ISO 3166), such as CN")
]
_Detail = Annotated[
    str,
    _form(
        r"(?:[^\s=]+=)?(?:short|full)",
        "short or full for all, or <issuer>=short, separated by commas",
    ),
]
Details = Annotated[tuple[_Detail, ...], CommaSeparated]
# service/rule, or a rule.
_Rule = Annotated[
    str,
    _form(r"(?:[a-z0-9-]+/)?[A-Za-z][A-Za-z0-9_-]*", "rules as service/rule, separated by commas"),
]
Rules = Annotated[tuple[_Rule, ...], CommaSeparated]
_PrefetchKey = Annotated[str, _form(r"[A-Za-z][A-Za-z0-9]*", "prefetch keys, separated by commas")]
PrefetchKeys = Annotated[tuple[_PrefetchKey, ...], CommaSeparated]
_FHIRServer = Annotated[
    str,
    _form(
        r"(https://([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])|http://(localhost|127\.0\.0\.1|\[::1\]))"
        r"(:\d{1,5})?(/(?!\.+(/|$))[A-Za-z0-9._~-]+)*/?",
        "addresses such as https://fhir.example.org/r4, separated by commas (http: only localhost)",
    ),
]
FHIRServers = Annotated[tuple[_FHIRServer, ...], CommaSeparated]
_UserId = Annotated[str, _form(r"\S+", "ids such as Practitioner/system, separated by commas")]
UserIds = Annotated[tuple[_UserId, ...], CommaSeparated]
_Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Networks = Annotated[tuple[_Network, ...], CommaSeparated]
Issuers = Annotated[
    tuple[Annotated[Issuer, BeforeValidator(_issuer)], ...],
    CommaSeparated,
    AfterValidator(_each_once),
]
Tenants = Annotated[tuple[Annotated[Tenant, BeforeValidator(_tenant)], ...], CommaSeparated]
Extra = Annotated[
    tuple[tuple[str, str], ...], BeforeValidator(_extra), AfterValidator(_each_key_once)
]
# Not one that HTTP itself or a client's token uses.
HeaderName = Annotated[
    str,
    _form(
        r"(?i)(?!(authorization|cookie|host|forwarded|x-forwarded-for|content-.*|accept.*)$)"
        r"[a-z][a-z0-9-]{0,63}",
        "the name of a header such as X-Forwarded-User",
    ),
]
PublicAddress = Annotated[str, AfterValidator(_https)]
AddressInside = Annotated[
    str, _form(r"https?://[^/\s]+.*", "an address such as http://collector:4318/v1/traces")
]
RateLimit = Annotated[
    str, _form(r"[1-9]\d{0,8} per (second|minute|hour)", "a limit such as 600 per minute")
]
StoreURL = Annotated[
    SecretStr,
    _form(
        r"embedded|none|sqlite:///[^:].*|postgresql(\+psycopg)?://.+",
        "embedded, none, sqlite:///path or postgresql://user@host/database",
    ),
]
RedisURL = Annotated[
    SecretStr, _form(r"rediss?://.*", "an address such as redis://localhost:6379/0")
]
Key = Annotated[SecretStr, _form(r"(?s).{32,}", "at least 32 characters")]
