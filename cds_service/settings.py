"""Every setting of the service: its variable, its default and a sentence on what it does."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from cds_service.errors import SettingsError

PREFIX = "CDS_"
NONE = "none"  # how the default that is nothing is written
MEBIBYTE = 1024 * 1024
Network = IPv4Network | IPv6Network

# An origin as a browser sends it. Nothing that flask-cors would take for a regular expression.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._-]+(:\d{1,5})?")
_FHIR_SERVER = re.compile(
    r"(https://([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])|http://(localhost|127\.0\.0\.1|\[::1\]))"
    r"(:\d{1,5})?(/(?!\.+(/|$))[A-Za-z0-9._~-]+)*/?"
)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table that the documentation is tested against."""

    variable: str
    type: str
    default: str
    sentence: str


def _cards_folder() -> Path:
    """The folder `cards` inside the installed package, otherwise beside it in a checkout."""
    inside = Path(__file__).parent / "cards"
    return inside if inside.is_dir() else inside.parent.parent / "cards"


def _text(text: str) -> str:
    return text


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise ValueError("there is no such folder")
    return Path(text)


def _whole_number(smallest: int, largest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not smallest <= int(text) <= largest:
            raise ValueError(f"expected a whole number from {smallest} to {largest}")
        return int(text)

    return read


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.lower() == "true"


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in text.split(","))
    if origins != ("*",) and not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError("expected * or origins such as https://ehr.example.org, with commas")
    return origins


def _language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise ValueError("expected a language tag such as en or zh-Hans")
    return text


def _log_level(text: str) -> str:
    if text.upper() not in _LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(_LOG_LEVELS)}")
    return text.upper()


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return Path(text)


def _fhir_servers(text: str) -> tuple[str, ...]:
    servers = tuple(server.strip() for server in text.split(","))
    if not all(_FHIR_SERVER.fullmatch(server) for server in servers):
        raise ValueError(
            "expected addresses such as https://fhir.example.org/r4, with commas;"
            " http is for localhost only"
        )
    return servers


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(network.strip()) for network in text.split(","))
    except ValueError:
        raise ValueError("expected networks such as 10.20.0.0/16, with commas") from None


def _unavailable(text: str) -> str:
    if text.lower() not in ("412", "card"):
        raise ValueError("expected 412 or card")
    return text.lower()


def _setting(
    kind: str, read: Callable[[str], Any], default: Any, sentence: str, *, shown: str | None = None
) -> Any:
    row = {
        "kind": kind,
        "read": read,
        "shown": str(default) if shown is None else shown,
        "sentence": sentence,
    }
    return field(default=default, metadata=row)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can change; without arguments, the defaults."""

    cards_dir: Path = _setting(
        "folder",
        _folder,
        _cards_folder(),
        "The clinical content to serve, in place of the content that comes with the service.",
        shown="cards",
    )
    host: str = _setting("text", _text, "127.0.0.1", "The address to listen on.")
    port: int = _setting("number", _whole_number(1, 65535), 8000, "The port to listen on.")
    workers: int = _setting("number", _whole_number(1, 256), 1, "How many processes answer calls.")
    max_body_bytes: int = _setting(
        "number",
        _whole_number(1024, 1024 * MEBIBYTE),
        16 * MEBIBYTE,
        "The longest body that is read; a longer one is answered with 413.",
    )
    cors_origins: tuple[str, ...] = _setting(
        "list",
        _origins,
        ("*",),
        "The origins, separated by commas, whose pages may call from a browser; * means any.",
        shown="*",
    )
    language: str = _setting(
        "language", _language, "en", "The language of cards when the caller names none that exists."
    )
    suggestions: bool = _setting(
        "true or false",
        _yes_or_no,
        True,
        "Whether cards carry suggestions that a clinician can take with one click.",
        shown="true",
    )
    log_level: str = _setting(
        "level", _log_level, "INFO", "The least severe messages that are logged."
    )
    fhir_servers: tuple[str, ...] = _setting(
        "list",
        _fhir_servers,
        (),
        "The base addresses, separated by commas, of the FHIR servers that may be called;"
        " without one, prefetch is all there is.",
        shown=NONE,
    )
    fhir_networks: tuple[Network, ...] = _setting(
        "list",
        _networks,
        (),
        "The private networks, separated by commas, in which these servers may stand.",
        shown=NONE,
    )
    fhir_authorities: Path | None = _setting(
        "file",
        _file,
        None,
        "The certificates of the authorities that vouch for these servers,"
        " in place of the public ones.",
        shown=NONE,
    )
    fhir_milliseconds: int = _setting(
        "number",
        _whole_number(100, 60_000),
        3000,
        "The time for a whole call that fetches; what came by then is answered with.",
    )
    fhir_connections: int = _setting(
        "number",
        _whole_number(1, 256),
        16,
        "How many requests to FHIR servers each worker has under way at most.",
    )
    fhir_pages: int = _setting(
        "number", _whole_number(1, 1000), 10, "The most pages that are fetched for a prefetch key."
    )
    fhir_bytes: int = _setting(
        "number",
        _whole_number(1024, 1024 * MEBIBYTE),
        16 * MEBIBYTE,
        "The most that is read from the FHIR server for a call.",
    )
    fhir_resources: int = _setting(
        "number",
        _whole_number(1, 1_000_000),
        5000,
        "The most resources that are kept of what is fetched for a call.",
    )
    unavailable: str = _setting(
        "412 or card",
        _unavailable,
        "412",
        "What answers a call without the patient or the problem list: status 412,"
        " or a card that warns of it.",
    )
    development: bool = _setting(
        "true or false",
        _yes_or_no,
        False,
        "Whether this is a computer for trying things: any FHIR server on it may be called.",
        shown="false",
    )


def _variable(name: str) -> str:
    return PREFIX + name.upper()


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(
        variable=_variable(row.name),
        type=row.metadata["kind"],
        default=row.metadata["shown"],
        sentence=row.metadata["sentence"],
    )
    for row in fields(Settings)
)


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process; an empty variable counts as not set, so does `none` where
    that is the default.

    Raises SettingsError, which names the first variable with a wrong value.
    """
    values: dict[str, Any] = {}
    for row in fields(Settings):
        text = environ.get(_variable(row.name), "").strip()
        if not text or text == row.metadata["shown"] == NONE:
            continue
        try:
            values[row.name] = row.metadata["read"](text)
        except ValueError as error:
            raise SettingsError(f"{_variable(row.name)}: {error}") from error
    return Settings(**values)
