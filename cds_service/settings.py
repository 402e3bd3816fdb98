"""The settings of the service: type, range, default, and one sentence that says what each does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import DirectoryPath, Field, FilePath, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cds_service import setting_types as types
from cds_service.folders import cards_folder, runtime_folder

PREFIX = "CDS_"
STATELESS = "none"  # the store that keeps nothing
# Its private key is public, so its tokens prove nothing.
SANDBOX_HOST = "sandbox.cds-hooks.org"
_MEBIBYTE = 1024 * 1024


def _setting(default: Any, sentence: str, **limits: Any) -> Any:
    return Field(default, description=sentence, **limits)


class Settings(BaseSettings):
    """What an operator can change; a setting that is not passed in has its default.

    This class does not read the environment; `from_environment` does.
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
        cards_folder(),
        "The folder of clinical content to serve instead of the one in the package.",
    )
    host: str = _setting("127.0.0.1", "The address to listen on.")
    port: int = _setting(8000, "The port to listen on.", ge=1, le=65535)
    workers: int = _setting(1, "How many processes answer calls.", ge=1, le=256)
    max_body_bytes: int = _setting(
        16 * _MEBIBYTE,
        "The largest body, in bytes, that is accepted; a larger one is answered with 413.",
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
        "The milliseconds in which the headers, and then the body, must arrive; late ones get 408.",
        ge=100,
        le=60_000,
    )
    cors_origins: types.Origins = _setting(
        ("*",), "The origins of web pages that may call from a browser; * means all."
    )
    language: types.Language = _setting(
        "en",
        "The language of cards if the caller asks for none that the content has.",
    )
    region: types.Region = _setting(
        "",
        "The country of the site, such as US, GB or CN: licence lines follow it, not the language.",
    )
    detail: types.Details = _setting(
        (),
        "The text of the information card: full, or short without what every textbook says;"
        " <issuer>=short for one client. Unset: short if CDS_PUBLIC_URL and a store give each card"
        " a page with the rest, otherwise full.",
    )
    suggestions: bool = _setting(
        True, "Whether cards have suggestions that a clinician can accept with one click."
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], types.UpperCase
    ] = _setting("INFO", "The lowest level of messages that are logged.")
    mode: Annotated[Literal["live", "shadow"], types.LowerCase] = _setting(
        "live",
        "live: cards are sent; shadow: cards are stored and reported, but every answer is empty.",
    )
    disabled_rules: types.Rules = _setting(
        (), "Rules that show no card and no line; what they withhold stays withheld."
    )
    shadow_rules: types.Rules = _setting((), "Rules that are stored and reported but not sent.")
    absent_lists: types.PrefetchKeys = _setting(
        (),
        "Prefetch keys that this EHR never gives: cards name them, and nothing counts as failed.",
    )
    override_threshold: int = _setting(
        80,
        "The report flags a rule if at least this percentage of its answered cards was overridden.",
        ge=1,
        le=100,
    )
    runtime_dir: Path = _setting(
        runtime_folder(),
        "The folder in which processes on one machine ask each other to reload; created if needed.",
    )
    store_url: types.StoreURL = _setting(
        SecretStr("embedded"),
        "The database for feedback, traces and audit: postgresql://… or sqlite:///path; embedded is"
        " SQLite in the platform's data folder, none keeps nothing.",
    )
    hash_key: types.Key = _setting(
        SecretStr(""),
        "The key, at least 32 characters, with which ids are hashed; machines that share a database"
        " need the same key. A generated key is kept beside the SQLite file.",
    )
    anonymous_answers: bool = _setting(
        False,
        "For trials: whether an answer shortens a critical card even without CDS_ISSUERS, when"
        " anybody can answer.",
    )
    shared_users: types.UserIds = _setting(
        (),
        "User ids that several people share, such as a system account; their answers never hide a"
        " critical card or a warning.",
    )
    retention_days: int = _setting(
        365, "How many days of data `cds-service store prune` keeps.", ge=1, le=36500
    )
    trace_values: bool = _setting(
        False,
        "Whether traces hold the values of facts, for a validation period, or only their names.",
    )
    fhir_servers: types.FHIRServers = _setting(
        (),
        "The base addresses of the FHIR servers that may be called; without any, only prefetched"
        " data is used.",
    )
    fhir_networks: types.Networks = _setting(
        (), "The private networks in which these servers may be."
    )
    fhir_ca_bundle: FilePath | None = _setting(
        None,
        "The file (PEM) of the certificate authorities to trust for these servers, instead of the"
        " public ones.",
    )
    fhir_profile: Annotated[
        Literal["none", "epic", "oracle", "athena", "us-core", "au-core", "hapi"], types.LowerCase
    ] = _setting(
        "none", "The kind of FHIR server of this site, to whose searches the templates are adapted."
    )
    fhir_extra: types.Extra = _setting(
        (),
        "Search parameters that the FHIR server needs besides, each as"
        " <prefetch key>=<parameter>=<value>, separated by semicolons; they must not leave out"
        " anything.",
    )
    fhir_timeout_ms: int = _setting(
        3000,
        "The milliseconds for all fetching of one call; after that, the call is answered with the"
        " data it has.",
        ge=100,
        le=60_000,
    )
    fhir_max_connections: int = _setting(
        160, "The most requests to FHIR servers that a worker has open at once.", ge=1, le=1024
    )
    fhir_max_pages: int = _setting(
        10, "The most pages that are fetched for one prefetch key.", ge=1, le=1000
    )
    fhir_max_bytes: int = _setting(
        16 * _MEBIBYTE,
        "The most bytes that are read from the FHIR server for one call.",
        ge=1024,
        le=1024 * _MEBIBYTE,
    )
    fhir_max_resources: int = _setting(
        5000, "The most fetched resources that are used for one call.", ge=1, le=1_000_000
    )
    unavailable: Annotated[Literal["412", "card"], types.LowerCase] = _setting(
        "412",
        "The answer to a call without the patient or the problem list: status 412, or a card that"
        " says so.",
    )
    development: bool = _setting(
        False,
        "Whether this is a machine for development: it accepts FHIR servers on loopback addresses"
        " and tokens of the public sandbox.",
    )
    playground: bool = _setting(
        False,
        "Whether / is a playground for evaluation: invented people, their cards, and why; anybody"
        " may use it.",
    )
    issuers: types.Issuers = _setting(
        (),
        "The CDS Clients that may call, each as <issuer>=<JWKS>, where the JWKS is an https address"
        " or a file; none means that everybody may call.",
    )
    tenants: types.Tenants = _setting(
        (),
        "The organisations that a client may call for, each as <issuer>=<tenant>, by the tenant in"
        " its tokens; a client without any may call for all.",
    )
    jwks_ca_bundle: FilePath | None = _setting(
        None,
        "The file (PEM) of the certificate authorities to trust for the addresses in CDS_ISSUERS,"
        " instead of the public ones.",
    )
    public_url: types.PublicAddress = _setting(
        "",
        "The address at which clients call this service, without /cds-services; the audience of"
        " their tokens starts with it; set it wherever there is a proxy in front.",
    )
    token_max_lifetime_s: int = _setting(
        900,
        "The longest accepted lifetime of a client's token (exp - iat), in seconds.",
        ge=1,
        le=86400,
    )
    redis_url: types.RedisURL = _setting(
        SecretStr(""), "The Redis in which workers and machines share used tokens and rate limits."
    )
    rate_limit: types.RateLimit = _setting(
        "", "How often one client may call, such as 600 per minute; none means no limit."
    )
    reader_header: types.HeaderName = _setting(
        "",
        "The header in which a proxy that has checked who reads names the person, such as"
        " X-Forwarded-User; believed from CDS_TRUSTED_PROXIES only.",
    )
    trusted_proxies: types.Networks = _setting(
        (), "The addresses or networks of the proxies in front of this service."
    )
    metrics_open: bool = _setting(False, "Whether /metrics answers everybody or this machine only.")
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
        """Only what is passed in."""
        return (init_settings,)

    @model_validator(mode="after")
    def _agree_with_each_other(self) -> Settings:
        """Check the settings that depend on each other."""
        problems = []
        is_stateless = self.store_url.get_secret_value() == STATELESS
        if self.issuers and not (self.public_url or self.development):
            # The caller chooses the Host header, so it is only believed in development.
            problems.append(
                "CDS_PUBLIC_URL: needed with CDS_ISSUERS, because the audience of a token is this"
                " address"
            )
        if self.issuers and is_stateless and not self.redis_url:
            problems.append(
                "CDS_ISSUERS: a token is accepted only once, so used tokens must be kept: set"
                " CDS_REDIS_URL, or a CDS_STORE_URL other than none"
            )
        unknown = {tenant.issuer for tenant in self.tenants} - {each.name for each in self.issuers}
        if unknown:
            problems.append(f"CDS_TENANTS: {', '.join(sorted(unknown))} is not in CDS_ISSUERS")
        if self.trusts_sandbox and not self.development:
            problems.append(
                f"CDS_ISSUERS: the private key of {SANDBOX_HOST} is public, so anybody can sign"
                " with it; it is accepted only with CDS_DEVELOPMENT=true"
            )
        if self.reader_header and not self.trusted_proxies:
            problems.append(
                "CDS_READER_HEADER: anybody can send a header: name the proxy in"
                " CDS_TRUSTED_PROXIES"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def trusts_sandbox(self) -> bool:
        """Whether tokens of the public sandbox are accepted, although anybody can sign them."""
        return any(
            SANDBOX_HOST in text.lower()
            for issuer in self.issuers
            for text in (issuer.name, issuer.keys)
        )
