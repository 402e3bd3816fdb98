"""Settings: every variable, its default, and what a wrong value says."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from ipaddress import ip_network
from pathlib import Path

import pytest

from cds_service.errors import SettingsError
from cds_service.setting_values import Issuer
from cds_service.settings import SETTINGS, Settings, from_environment


def test_an_empty_environment_gives_the_defaults() -> None:
    assert from_environment({}) == Settings()


def test_the_defaults_are_those_of_a_machine_at_home() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.max_body_bytes == 16 * 1024 * 1024
    assert settings.cors_origins == ("*",)
    assert (settings.language, settings.suggestions) == ("en", True)
    assert settings.cards_dir.name == "cards"


def test_every_setting_is_read_from_its_variable(tmp_path: Path) -> None:
    jwks = tmp_path / "jwks.json"
    jwks.touch()
    authorities = tmp_path / "authorities.pem"
    authorities.touch()
    environ = {
        "CDS_CARDS_DIR": str(tmp_path),
        "CDS_HOST": "0.0.0.0",
        "CDS_PORT": "8080",
        "CDS_WORKERS": "4",
        "CDS_MAX_BODY_BYTES": "2048",
        "CDS_CORS_ORIGINS": "https://ehr.example.org, http://localhost:8080",
        "CDS_LANGUAGE": "zh-Hans",
        "CDS_SUGGESTIONS": "False",
        "CDS_LOG_LEVEL": "debug",
        "CDS_ISSUERS": f"https://ehr.example.org=https://ehr.example.org/jwks?a=b, b = {jwks}",
        "CDS_PUBLIC_URL": "https://cds.example.org/clinic/",
        "CDS_TOKEN_SECONDS": "300",
        "CDS_REDIS_URL": "rediss://:secret@redis.example.org/0",
        "CDS_RATE_LIMIT": "600 per minute",
        "CDS_METRICS_OPEN": "true",
        "CDS_TRACES_URL": "http://collector:4318/v1/traces",
        "CDS_MODE": "Shadow",
        "CDS_DISABLED_RULES": "R51, R52",
        "CDS_SHADOW_RULES": "R61",
        "CDS_OVERRIDE_THRESHOLD": "90",
        "CDS_RUNTIME_DIR": str(tmp_path),
        "CDS_FHIR_SERVERS": "https://fhir.example.org/r4, http://localhost:8090/fhir/,https://[fd00::1]:8443",
        "CDS_FHIR_NETWORKS": "10.20.0.0/16, fd00::/8",
        "CDS_FHIR_AUTHORITIES": str(authorities),
        "CDS_FHIR_MILLISECONDS": "2000",
        "CDS_FHIR_CONNECTIONS": "8",
        "CDS_FHIR_PAGES": "3",
        "CDS_FHIR_BYTES": "4096",
        "CDS_FHIR_RESOURCES": "100",
        "CDS_UNAVAILABLE": "Card",
        "CDS_DEVELOPMENT": "True",
        "PATH": "/usr/bin",
    }
    assert from_environment(environ) == Settings(
        cards_dir=tmp_path,
        host="0.0.0.0",
        port=8080,
        workers=4,
        max_body_bytes=2048,
        cors_origins=("https://ehr.example.org", "http://localhost:8080"),
        language="zh-Hans",
        suggestions=False,
        log_level="DEBUG",
        issuers=(
            Issuer("https://ehr.example.org", "https://ehr.example.org/jwks?a=b"),
            Issuer("b", str(jwks)),
        ),
        public_url="https://cds.example.org/clinic",
        token_seconds=300,
        redis_url="rediss://:secret@redis.example.org/0",
        rate_limit="600 per minute",
        metrics_open=True,
        traces_url="http://collector:4318/v1/traces",
        mode="shadow",
        disabled_rules=("R51", "R52"),
        shadow_rules=("R61",),
        override_threshold=90,
        runtime_dir=tmp_path,
        fhir_servers=(
            "https://fhir.example.org/r4",
            "http://localhost:8090/fhir/",
            "https://[fd00::1]:8443",
        ),
        fhir_networks=(ip_network("10.20.0.0/16"), ip_network("fd00::/8")),
        fhir_authorities=authorities,
        fhir_milliseconds=2000,
        fhir_connections=8,
        fhir_pages=3,
        fhir_bytes=4096,
        fhir_resources=100,
        unavailable="card",
        development=True,
    )


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_an_empty_variable_counts_as_not_set(setting: object) -> None:
    assert from_environment({str(getattr(setting, "variable", "")): " "}) == Settings()


@pytest.mark.parametrize(
    "variable, value",
    [
        ("CDS_CARDS_DIR", "/no/such/folder"),
        ("CDS_PORT", "0"),
        ("CDS_PORT", "65536"),
        ("CDS_PORT", "http"),
        ("CDS_PORT", "8_000"),
        ("CDS_PORT", "²"),
        ("CDS_PORT", "9" * 5000),
        ("CDS_WORKERS", "-1"),
        ("CDS_MAX_BODY_BYTES", "16M"),
        ("CDS_CORS_ORIGINS", "ehr.example.org"),
        ("CDS_CORS_ORIGINS", "https://ehr.example.org/"),
        ("CDS_CORS_ORIGINS", "https://.*"),
        ("CDS_CORS_ORIGINS", "*, https://ehr.example.org"),
        ("CDS_LANGUAGE", "english please"),
        ("CDS_SUGGESTIONS", "perhaps"),
        ("CDS_LOG_LEVEL", "loud"),
        ("CDS_ISSUERS", "https://ehr.example.org"),
        ("CDS_ISSUERS", "=https://ehr.example.org/jwks.json"),
        ("CDS_ISSUERS", "https://ehr.example.org=http://ehr.example.org/jwks.json"),
        ("CDS_ISSUERS", "https://ehr.example.org=https://user:word@ehr.example.org/jwks.json"),
        ("CDS_ISSUERS", "https://ehr.example.org=no-such-file.json"),
        ("CDS_ISSUERS", "a=https://a.example.org/j, a=https://b.example.org/j"),
        ("CDS_PUBLIC_URL", "http://cds.example.org"),
        ("CDS_PUBLIC_URL", "https://cds.example.org?a=b"),
        ("CDS_PUBLIC_URL", "cds.example.org"),
        ("CDS_TOKEN_SECONDS", "0"),
        ("CDS_REDIS_URL", "http://redis.example.org"),
        ("CDS_RATE_LIMIT", "lots"),
        ("CDS_RATE_LIMIT", "0 per second"),
        ("CDS_METRICS_OPEN", "perhaps"),
        ("CDS_TRACES_URL", "collector:4318"),
        ("CDS_MODE", "quiet"),
        ("CDS_DISABLED_RULES", "R51; R52"),
        ("CDS_SHADOW_RULES", "R51,"),
        ("CDS_OVERRIDE_THRESHOLD", "0"),
        ("CDS_OVERRIDE_THRESHOLD", "101"),
        ("CDS_LOG_LEVEL", "none"),
        ("CDS_FHIR_SERVERS", "*"),
        ("CDS_FHIR_SERVERS", "fhir.example.org"),
        ("CDS_FHIR_SERVERS", "http://fhir.example.org/r4"),
        ("CDS_FHIR_SERVERS", "https://fhir.example.org/r4?a=b"),
        ("CDS_FHIR_SERVERS", "https://user:secret@fhir.example.org"),
        ("CDS_FHIR_SERVERS", "https://fhir.example.org/a/../b"),
        ("CDS_FHIR_SERVERS", "https://fhir.example.org,"),
        ("CDS_FHIR_NETWORKS", "10.0.0.1/8"),
        ("CDS_FHIR_NETWORKS", "intranet"),
        ("CDS_FHIR_AUTHORITIES", "/no/such/file"),
        ("CDS_FHIR_MILLISECONDS", "0"),
        ("CDS_FHIR_CONNECTIONS", "many"),
        ("CDS_FHIR_PAGES", "0"),
        ("CDS_FHIR_BYTES", "-1"),
        ("CDS_FHIR_RESOURCES", "1e9"),
        ("CDS_UNAVAILABLE", "503"),
        ("CDS_DEVELOPMENT", "yes"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        from_environment({variable: value})


def test_the_table_has_a_row_for_every_setting() -> None:
    assert [row.variable for row in SETTINGS] == [
        "CDS_" + each.name.upper() for each in fields(Settings)
    ]
    assert all(row.type and row.default and row.sentence.endswith(".") for row in SETTINGS)


def test_the_default_in_the_table_is_the_default() -> None:
    of_the_machine = ("CDS_CARDS_DIR", "CDS_RUNTIME_DIR")
    rows = {row.variable: row.default for row in SETTINGS if row.variable not in of_the_machine}
    assert from_environment(rows) == Settings()


def test_what_has_no_default_may_be_written_so() -> None:
    assert from_environment({"CDS_FHIR_SERVERS": "none", "CDS_FHIR_NETWORKS": "none"}) == Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_a_password_in_a_setting_is_not_shown() -> None:
    assert "secret" not in repr(Settings(redis_url="redis://:secret@localhost/0"))
