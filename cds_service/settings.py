"""Every setting of the service: its type and range, its default and a sentence on what it does."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import DirectoryPath, Field, FilePath, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cds_service import setting_types as types

PREFIX = "CDS_"
STATELESS = "none"  # the store that keeps nothing
# Its private key can be read by anybody, so that its tokens prove nothing.
SANDBOX_HOST = "sandbox.cds-hooks.org"
_MEBIBYTE = 1024 * 1024


def _cards_folder() -> Path:
    """The folder `cards` inside the installed package, otherwise beside it in a checkout."""
    inside = Path(__file__).parent / "cards"
    return inside if inside.is_dir() else inside.parent.parent / "cards"


def _runtime_folder() -> Path:
    """A folder of this user among the temporary files."""
    user = os.getuid() if hasattr(os, "getuid") else "service"
    return Path(tempfile.gettempdir()) / f"cds-service-{user}"


def _setting(default: Any, sentence: str, **limits: Any) -> Any:
    return Field(default, description=sentence, **limits)


class Settings(BaseSettings):
    """What an operator can change; what is not passed in has its default.

    It reads no environment by itself: that is `from_environment`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
        validate_default=False,
    )

    cards_dir: DirectoryPath = _setting(
        _cards_folder(), "The clinical content to serve, in place of what comes with the service."
    )
    host: str = _setting("127.0.0.1", "The address to listen on.")
    port: int = _setting(8000, "The port to listen on.", ge=1, le=65535)
    workers: int = _setting(1, "How many processes answer calls.", ge=1, le=256)
    max_body_bytes: int = _setting(
        16 * _MEBIBYTE,
        "The longest body that is read; a longer one is answered with 413.",
        ge=1024,
        le=1024 * _MEBIBYTE,
    )
    max_resources: int = _setting(
        20_000,
        "The most resources that are read for a call; more are answered with 413.",
        ge=100,
        le=1_000_000,
    )
    request_timeout_ms: int = _setting(
        10_000,
        "The milliseconds in which a head, and then a body, must arrive; a late body gets 408.",
        ge=100,
        le=60_000,
    )
    cors_origins: types.Origins = _setting(
        ("*",), "The origins whose pages may call from a browser; * means any."
    )
    language: types.Language = _setting(
        "en", "The language of cards when the caller names none that exists."
    )
    suggestions: bool = _setting(
        True, "Whether cards carry suggestions that a clinician can take with one click."
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], types.UpperCase
    ] = _setting("INFO", "The least severe messages that are logged.")
    mode: Annotated[Literal["live", "shadow"], types.LowerCase] = _setting(
        "live",
        "live: cards are sent; shadow: they are stored and reported, and every answer is empty.",
    )
    disabled_rules: types.Rules = _setting(
        (), "Rules that make no card and no line; what they withhold stays."
    )
    shadow_rules: types.Rules = _setting((), "Rules that are stored and reported but not sent.")
    absent_lists: types.PrefetchKeys = _setting(
        (),
        "Prefetch keys that this EHR never gives: cards name them, and nothing counts as failed.",
    )
    override_threshold: int = _setting(
        80,
        "The report flags a rule when this many percent of its answered cards were overridden.",
        ge=1,
        le=100,
    )
    runtime_dir: Path = _setting(
        _runtime_folder(),
        "Where the processes of one machine ask each other to reload; made when needed.",
    )
    store_url: types.StoreURL = _setting(
        SecretStr("embedded"),
        "The database for feedback, traces and audit: postgresql://… or sqlite:///path; embedded is"
        " SQLite in the platform's data folder, none keeps nothing.",
    )
    hash_key: types.Key = _setting(
        SecretStr(""),
        "The key, at least 32 characters, under which ids are hashed; every machine that shares a"
        " database needs the same. A generated one is kept beside the SQLite file.",
    )
    anonymous_answers: bool = _setting(
        False,
        "Whether without CDS_ISSUERS, where anybody can answer, an answer shortens a critical card;"
        " for trials.",
    )
    shared_users: types.UserIds = _setting(
        (),
        "The user ids that many people share, such as a system account's; for them no answer keeps"
        " a critical card or a warning away.",
    )
    retention_days: int = _setting(
        365, "How many days `cds-service store prune` leaves in the database.", ge=1, le=36500
    )
    trace_values: bool = _setting(
        False,
        "Whether traces hold the values of facts, for a period of validation; else names alone.",
    )
    fhir_servers: types.FHIRServers = _setting(
        (),
        "The base addresses of the FHIR servers that may be called; without one, prefetch is all"
        " there is.",
    )
    fhir_networks: types.Networks = _setting(
        (), "The private networks in which these servers may stand."
    )
    fhir_ca_bundle: FilePath | None = _setting(
        None,
        "The certificates (PEM) of the authorities that these servers are trusted by, in place of"
        " the public ones.",
    )
    fhir_timeout_ms: int = _setting(
        3000,
        "The milliseconds for a whole call that fetches; what came by then is answered with.",
        ge=100,
        le=60_000,
    )
    fhir_max_connections: int = _setting(
        160, "How many requests to FHIR servers each worker has open at most.", ge=1, le=1024
    )
    fhir_max_pages: int = _setting(
        10, "The most pages that are fetched for a prefetch key.", ge=1, le=1000
    )
    fhir_max_bytes: int = _setting(
        16 * _MEBIBYTE,
        "The most that is read from the FHIR server for a call.",
        ge=1024,
        le=1024 * _MEBIBYTE,
    )
    fhir_max_resources: int = _setting(
        5000, "The most resources that are kept of what is fetched for a call.", ge=1, le=1_000_000
    )
    unavailable: Annotated[Literal["412", "card"], types.LowerCase] = _setting(
        "412",
        "What answers a call without the patient or the problem list: status 412, or a card that"
        " warns of it.",
    )
    development: bool = _setting(
        False,
        "Whether this is a machine to try things on: loopback FHIR servers and the public sandbox's"
        " issuer are accepted.",
    )
    issuers: types.Issuers = _setting(
        (),
        "The CDS Clients that may call: each its issuer, =, and its JWKS as an https address or a"
        " file; none means that everybody may call.",
    )
    public_url: types.PublicAddress = _setting(
        "",
        "The address of this service as clients call it, without /cds-services; the audience of"
        " their tokens begins with it.",
    )
    token_max_lifetime_s: int = _setting(
        900, "The longest life of a client's token (exp - iat), in seconds.", ge=1, le=86400
    )
    redis_url: types.RedisURL = _setting(
        SecretStr(""), "The Redis in which workers and machines share used tokens and rate limits."
    )
    rate_limit: types.RateLimit = _setting(
        "", "How often one client may call, such as 600 per minute; none means without a limit."
    )
    metrics_open: bool = _setting(False, "Whether /metrics answers callers from other machines.")
    otlp_endpoint: types.AddressInside = _setting(
        "",
        "Where OpenTelemetry spans of calls are sent (OTLP over HTTP), such as"
        " http://collector:4318/v1/traces.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed in, and nothing else."""
        return (init_settings,)

    @model_validator(mode="after")
    def _agree_with_each_other(self) -> Settings:
        """What one setting needs of another."""
        problems = []
        is_stateless = self.store_url.get_secret_value() == STATELESS
        if self.issuers and not (self.public_url or self.development):
            # Whoever calls chooses the Host header, so it is believed in development alone.
            problems.append(
                "CDS_PUBLIC_URL: needed with CDS_ISSUERS: a token's audience is this address"
            )
        if self.issuers and is_stateless and not self.redis_url:
            problems.append(
                "CDS_ISSUERS: a token is good once, so it has to be remembered: set CDS_REDIS_URL,"
                " or a CDS_STORE_URL other than none"
            )
        if self.trusts_sandbox and not self.development:
            problems.append(
                f"CDS_ISSUERS: anybody can sign as {SANDBOX_HOST}, whose private key is public;"
                " it is accepted with CDS_DEVELOPMENT=true only"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def trusts_sandbox(self) -> bool:
        """Whether tokens of the public sandbox are accepted, which anybody can sign."""
        return any(
            SANDBOX_HOST in text.lower()
            for issuer in self.issuers
            for text in (issuer.name, issuer.keys)
        )
