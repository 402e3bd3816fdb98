"""Every setting of the service: its variable, its default and a sentence on what it does."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cds_service.errors import SettingsError
from cds_service.setting_values import (
    Issuer,
    address,
    address_inside,
    rate_limit,
    read_issuers,
    redis_address,
)

PREFIX = "CDS_"
NONE = "none"  # how the default that is nothing is written
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEBIBYTE = 1024 * 1024

# An origin as a browser sends it. Nothing that flask-cors would take for a regular expression.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._-]+(:\d{1,5})?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_STORE_URL = re.compile(r"embedded|none|sqlite:///[^:].*|postgresql(\+psycopg)?://.+")
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


def _store_url(text: str) -> str:
    if not _STORE_URL.fullmatch(text):
        raise ValueError(
            "expected embedded, none, sqlite:///path or postgresql://user@host/database"
        )
    return text


def _hash_key(text: str) -> str:
    if text == "generated":
        return ""
    if len(text) < 32:
        raise ValueError("expected at least 32 characters")
    return text


def _setting(
    kind: str,
    read: Callable[[str], Any],
    default: Any,
    sentence: str,
    *,
    shown: str | None = None,
    secret: bool = False,
) -> Any:
    row = {"kind": kind, "read": read, "shown": shown or str(default), "sentence": sentence}
    return field(default=default, metadata=row, repr=not secret)


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
    store_url: str = _setting(
        "address",
        _store_url,
        "embedded",
        "The database for feedback, traces and audit: postgresql://… or sqlite:///path; embedded is"
        " SQLite in the platform's data folder, none keeps nothing.",
        secret=True,
    )
    hash_key: str = _setting(
        "key",
        _hash_key,
        "",
        "The key, at least 32 characters, under which ids are hashed; every machine that shares a"
        " database needs the same. A generated one is kept beside the SQLite file.",
        shown="generated",
        secret=True,
    )
    retention_days: int = _setting(
        "number",
        _whole_number(1, 36500),
        365,
        "How many days `cds-service store prune` leaves in the database.",
    )
    trace_values: bool = _setting(
        "true or false",
        _yes_or_no,
        False,
        "Whether traces hold the values of facts, for a period of validation; else names alone.",
        shown="false",
    )
    development: bool = _setting(
        "true or false",
        _yes_or_no,
        False,
        "Whether this is a machine to try things on: loopback FHIR servers and the public"
        " sandbox's issuer are accepted.",
        shown="false",
    )
    issuers: tuple[Issuer, ...] = _setting(
        "list",
        read_issuers,
        (),
        "The CDS Clients that may call, separated by commas: each its issuer, =, and its JWKS as"
        " an https address or a file; none means that nobody is asked who is calling.",
        shown=NONE,
    )
    public_url: str = _setting(
        "address",
        address,
        "",
        "The address of this service as clients call it, without /cds-services; tokens are made"
        " out to it.",
        shown=NONE,
    )
    token_seconds: int = _setting(
        "number",
        _whole_number(1, 86400),
        600,
        "The longest life of a client's token, in seconds.",
    )
    redis_url: str = _setting(
        "address",
        redis_address,
        "",
        "The Redis in which workers and machines share used tokens and rate limits.",
        shown=NONE,
        secret=True,
    )
    rate_limit: str = _setting(
        "limit",
        rate_limit,
        "",
        "How often one client may call, such as 600 per minute; none means as often as it likes.",
        shown=NONE,
    )
    metrics_open: bool = _setting(
        "true or false",
        _yes_or_no,
        False,
        "Whether /metrics answers callers from other machines.",
        shown="false",
    )
    traces_url: str = _setting(
        "address",
        address_inside,
        "",
        "Where OpenTelemetry traces of calls are sent (OTLP over HTTP).",
        shown=NONE,
    )


def share_metrics(folder: str) -> None:
    """Let the workers that are started from now on count in one folder (prometheus-client)."""
    os.environ[_METRICS_FOLDER] = folder


def metrics_are_shared() -> bool:
    """Whether several workers count in one folder."""
    return _METRICS_FOLDER in os.environ


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
