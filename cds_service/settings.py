"""Every setting of the service: its variable, its default and a sentence on what it does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cds_service import setting_values as values
from cds_service.errors import SettingsError
from cds_service.setting_values import setting

PREFIX = "CDS_"
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
NONE = "none"  # how the default that is nothing is written
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table that the documentation is tested against."""

    variable: str
    type: str
    default: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can change; without arguments, the defaults."""

    cards_dir: Path = setting(
        "folder",
        values.folder,
        values.cards_folder(),
        "The clinical content to serve, in place of the content that comes with the service.",
        shown="cards",
    )
    host: str = setting("text", values.text, "127.0.0.1", "The address to listen on.")
    port: int = setting("number", values.whole_number(1, 65535), 8000, "The port to listen on.")
    workers: int = setting(
        "number", values.whole_number(1, 256), 1, "How many processes answer calls."
    )
    max_body_bytes: int = setting(
        "number",
        values.whole_number(1024, 1024 * MEBIBYTE),
        16 * MEBIBYTE,
        "The longest body that is read; a longer one is answered with 413.",
    )
    cors_origins: tuple[str, ...] = setting(
        "list",
        values.origins,
        ("*",),
        "The origins, separated by commas, whose pages may call from a browser; * means any.",
        shown="*",
    )
    language: str = setting(
        "language",
        values.language,
        "en",
        "The language of cards when the caller names none that exists.",
    )
    suggestions: bool = setting(
        "true or false",
        values.yes_or_no,
        True,
        "Whether cards carry suggestions that a clinician can take with one click.",
        shown="true",
    )
    log_level: str = setting(
        "level", values.log_level, "INFO", "The least severe messages that are logged."
    )
    mode: str = setting(
        "mode",
        values.mode,
        "live",
        "live: cards are sent; shadow: they are stored and reported, and every answer is empty.",
    )
    disabled_rules: tuple[str, ...] = setting(
        "list",
        values.rules,
        (),
        "Rules, separated by commas, that make no card and no line; what they withhold stays.",
        shown="none",
    )
    shadow_rules: tuple[str, ...] = setting(
        "list",
        values.rules,
        (),
        "Rules, separated by commas, that are stored and reported but not sent.",
        shown="none",
    )
    override_threshold: int = setting(
        "percent",
        values.whole_number(1, 100),
        80,
        "The report flags a rule when this many percent of its answered cards were overridden.",
    )
    runtime_dir: Path = setting(
        "folder",
        values.path,
        values.runtime_folder(),
        "Where processes of one machine leave word for each other; made when needed.",
        shown="temporary",
    )
    store_url: str = setting(
        "address",
        values.store_url,
        "embedded",
        "The database for feedback, traces and audit: postgresql://… or sqlite:///path; embedded is"
        " SQLite in the platform's data folder, none keeps nothing.",
        secret=True,
    )
    hash_key: str = setting(
        "key",
        values.hash_key,
        "",
        "The key, at least 32 characters, under which ids are hashed; every machine that shares a"
        " database needs the same. A generated one is kept beside the SQLite file.",
        shown="generated",
        secret=True,
    )
    retention_days: int = setting(
        "number",
        values.whole_number(1, 36500),
        365,
        "How many days `cds-service store prune` leaves in the database.",
    )
    trace_values: bool = setting(
        "true or false",
        values.yes_or_no,
        False,
        "Whether traces hold the values of facts, for a period of validation; else names alone.",
        shown="false",
    )
    fhir_servers: tuple[str, ...] = setting(
        "list",
        values.fhir_servers,
        (),
        "The base addresses, separated by commas, of the FHIR servers that may be called;"
        " without one, prefetch is all there is.",
        shown=NONE,
    )
    fhir_networks: tuple[values.Network, ...] = setting(
        "list",
        values.networks,
        (),
        "The private networks, separated by commas, in which these servers may stand.",
        shown=NONE,
    )
    fhir_authorities: Path | None = setting(
        "file",
        values.file,
        None,
        "The certificates of the authorities that vouch for these servers,"
        " in place of the public ones.",
        shown=NONE,
    )
    fhir_milliseconds: int = setting(
        "number",
        values.whole_number(100, 60_000),
        3000,
        "The time for a whole call that fetches; what came by then is answered with.",
    )
    fhir_connections: int = setting(
        "number",
        values.whole_number(1, 1024),
        160,
        "How many requests to FHIR servers each worker has under way at most.",
    )
    fhir_pages: int = setting(
        "number",
        values.whole_number(1, 1000),
        10,
        "The most pages that are fetched for a prefetch key.",
    )
    fhir_bytes: int = setting(
        "number",
        values.whole_number(1024, 1024 * MEBIBYTE),
        16 * MEBIBYTE,
        "The most that is read from the FHIR server for a call.",
    )
    fhir_resources: int = setting(
        "number",
        values.whole_number(1, 1_000_000),
        5000,
        "The most resources that are kept of what is fetched for a call.",
    )
    unavailable: str = setting(
        "412 or card",
        values.unavailable,
        "412",
        "What answers a call without the patient or the problem list: status 412,"
        " or a card that warns of it.",
    )
    development: bool = setting(
        "true or false",
        values.yes_or_no,
        False,
        "Whether this is a machine to try things on: loopback FHIR servers and the public"
        " sandbox's issuer are accepted.",
        shown="false",
    )
    issuers: tuple[values.Issuer, ...] = setting(
        "list",
        values.issuers,
        (),
        "The CDS Clients that may call, separated by commas: each its issuer, =, and its JWKS as"
        " an https address or a file; none means that nobody is asked who is calling.",
        shown=NONE,
    )
    public_url: str = setting(
        "address",
        values.address,
        "",
        "The address of this service as clients call it, without /cds-services; tokens are made"
        " out to it.",
        shown=NONE,
    )
    token_seconds: int = setting(
        "number",
        values.whole_number(1, 86400),
        600,
        "The longest life of a client's token, in seconds.",
    )
    redis_url: str = setting(
        "address",
        values.redis_address,
        "",
        "The Redis in which workers and machines share used tokens and rate limits.",
        shown=NONE,
        secret=True,
    )
    rate_limit: str = setting(
        "limit",
        values.rate_limit,
        "",
        "How often one client may call, such as 600 per minute; none means as often as it likes.",
        shown=NONE,
    )
    metrics_open: bool = setting(
        "true or false",
        values.yes_or_no,
        False,
        "Whether /metrics answers callers from other machines.",
        shown="false",
    )
    traces_url: str = setting(
        "address",
        values.address_inside,
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
    read: dict[str, Any] = {}
    for row in fields(Settings):
        text = environ.get(_variable(row.name), "").strip()
        if not text or text == row.metadata["shown"] == NONE:
            continue
        try:
            read[row.name] = row.metadata["read"](text)
        except ValueError as error:
            raise SettingsError(f"{_variable(row.name)}: {error}") from error
    return Settings(**read)
