"""Every setting of the service: its variable, its default and a sentence on what it does."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cds_service.errors import SettingsError

PREFIX = "CDS_"
MEBIBYTE = 1024 * 1024

# An origin as a browser sends it. Nothing that flask-cors would take for a regular expression.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._-]+(:\d{1,5})?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_RULE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_MODES = ("live", "shadow")
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


def _runtime_folder() -> Path:
    """A folder of this user among the temporary files."""
    user = os.getuid() if hasattr(os, "getuid") else "service"
    return Path(tempfile.gettempdir()) / f"cds-service-{user}"


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


def _rules(text: str) -> tuple[str, ...]:
    if text == "none":
        return ()
    rules = tuple(dict.fromkeys(rule.strip() for rule in text.split(",")))
    if not all(_RULE.fullmatch(rule) for rule in rules):
        raise ValueError("expected ids of rules such as R51, with commas")
    return rules


def _mode(text: str) -> str:
    if text.lower() not in _MODES:
        raise ValueError(f"expected {' or '.join(_MODES)}")
    return text.lower()


def _path(text: str) -> Path:
    return Path(text)


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
    mode: str = _setting(
        "mode",
        _mode,
        "live",
        "live: cards are sent; shadow: they are stored and reported, and every answer is empty.",
    )
    disabled_rules: tuple[str, ...] = _setting(
        "list",
        _rules,
        (),
        "Rules, separated by commas, that make no card and no line; what they withhold stays.",
        shown="none",
    )
    shadow_rules: tuple[str, ...] = _setting(
        "list",
        _rules,
        (),
        "Rules, separated by commas, that are stored and reported but not sent.",
        shown="none",
    )
    override_threshold: int = _setting(
        "percent",
        _whole_number(1, 100),
        80,
        "The report flags a rule when this many percent of its answered cards were overridden.",
    )
    runtime_dir: Path = _setting(
        "folder",
        _path,
        _runtime_folder(),
        "Where processes of one machine leave word for each other; made when needed.",
        shown="temporary",
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
    """The settings of this process; an empty variable counts as not set.

    Raises SettingsError, which names the first variable with a wrong value.
    """
    values: dict[str, Any] = {}
    for row in fields(Settings):
        text = environ.get(_variable(row.name), "").strip()
        if not text:
            continue
        try:
            values[row.name] = row.metadata["read"](text)
        except ValueError as error:
            raise SettingsError(f"{_variable(row.name)}: {error}") from error
    return Settings(**values)
