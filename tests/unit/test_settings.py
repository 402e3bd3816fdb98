"""Settings: every variable, its default, and what a wrong value says."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cds_service.environment import from_environment, variable_of
from cds_service.errors import SettingsError
from cds_service.setting_types import Issuer
from cds_service.settings import Settings


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
        "CDS_TOKEN_MAX_LIFETIME_S": "300",
        "CDS_REDIS_URL": "rediss://:secret@redis.example.org/0",
        "CDS_RATE_LIMIT": "600 per minute",
        "CDS_METRICS_OPEN": "true",
        "CDS_OTLP_ENDPOINT": "http://collector:4318/v1/traces",
        "CDS_MODE": "Shadow",
        "CDS_DISABLED_RULES": "R51, R52",
        "CDS_SHADOW_RULES": "R61",
        "CDS_OVERRIDE_THRESHOLD": "90",
        "CDS_RUNTIME_DIR": str(tmp_path),
        "CDS_FHIR_SERVERS": "https://fhir.example.org/r4, http://localhost:8090/fhir/,https://[fd00::1]:8443",
        "CDS_FHIR_NETWORKS": "10.20.0.0/16, fd00::/8",
        "CDS_FHIR_CA_BUNDLE": str(authorities),
        "CDS_FHIR_TIMEOUT_MS": "2000",
        "CDS_FHIR_MAX_CONNECTIONS": "8",
        "CDS_FHIR_MAX_PAGES": "3",
        "CDS_FHIR_MAX_BYTES": "4096",
        "CDS_FHIR_MAX_RESOURCES": "100",
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
        token_max_lifetime_s=300,
        redis_url="rediss://:secret@redis.example.org/0",
        rate_limit="600 per minute",
        metrics_open=True,
        otlp_endpoint="http://collector:4318/v1/traces",
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
        fhir_ca_bundle=authorities,
        fhir_timeout_ms=2000,
        fhir_max_connections=8,
        fhir_max_pages=3,
        fhir_max_bytes=4096,
        fhir_max_resources=100,
        unavailable="card",
        development=True,
    )


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_variable_counts_as_not_set(name: str) -> None:
    assert from_environment({variable_of(name): " "}) == Settings()


@pytest.mark.parametrize(
    "variable, value",
    [
        ("CDS_CARDS_DIR", "/no/such/folder"),
        ("CDS_PORT", "0"),
        ("CDS_PORT", "65536"),
        ("CDS_PORT", "http"),
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
        ("CDS_TOKEN_MAX_LIFETIME_S", "0"),
        ("CDS_REDIS_URL", "http://redis.example.org"),
        ("CDS_RATE_LIMIT", "lots"),
        ("CDS_RATE_LIMIT", "0 per second"),
        ("CDS_METRICS_OPEN", "perhaps"),
        ("CDS_OTLP_ENDPOINT", "collector:4318"),
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
        ("CDS_FHIR_CA_BUNDLE", "/no/such/file"),
        ("CDS_FHIR_TIMEOUT_MS", "0"),
        ("CDS_FHIR_MAX_CONNECTIONS", "many"),
        ("CDS_FHIR_MAX_PAGES", "0"),
        ("CDS_FHIR_MAX_BYTES", "-1"),
        ("CDS_FHIR_MAX_RESOURCES", "1e9"),
        ("CDS_UNAVAILABLE", "503"),
        ("CDS_DEVELOPMENT", "perhaps"),
        ("CDS_HASH_KEY", "short"),
        ("CDS_STORE_URL", "mysql://user@host/database"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        from_environment({variable: value})


def test_what_has_no_default_may_be_written_so() -> None:
    assert from_environment({"CDS_FHIR_SERVERS": "none", "CDS_FHIR_NETWORKS": "none"}) == Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1


def test_a_password_in_a_setting_is_not_shown() -> None:
    assert "secret" not in repr(Settings(redis_url="redis://:secret@localhost/0"))


def test_every_wrong_setting_is_named_at_once_and_no_value_is_repeated() -> None:
    wrong = {
        "CDS_PORT": "70000",
        "CDS_MODE": "quiet",
        "CDS_REDIS_URL": "redis//:hunter2@example.org",
        "CDS_HASH_KEY": "hunter2",
    }
    with pytest.raises(SettingsError) as error:
        from_environment(wrong)
    lines = str(error.value).splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == sorted(wrong)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("CDS_PROT", "did you mean CDS_PORT?"),
        ("CDS_STORE", "did you mean CDS_STORE_URL?"),
        ("cds_worker", "did you mean CDS_WORKERS?"),
        ("CDS_HASH_KEY_FIL", "did you mean CDS_HASH_KEY_FILE?"),
        ("CDS_XYZ", "`cds-service settings` lists them all"),
        ("CDS_FHIR_MILLISECONDS", "is called CDS_FHIR_TIMEOUT_MS now"),
        ("CDS_FHIR_AUTHORITIES", "is called CDS_FHIR_CA_BUNDLE now"),
    ],
)
def test_an_unknown_name_stops_the_start_and_says_which_was_meant(variable: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable.upper()}: ") as error:
        from_environment({variable: "1"})
    assert str(error.value).endswith(hint)


@given(name=st.sampled_from(sorted(Settings.model_fields)), at=st.integers(0, 40))
def test_a_letter_left_out_of_a_name_is_never_read_over(name: str, at: int) -> None:
    variable = variable_of(name)
    at = len("CDS_") + at % (len(variable) - len("CDS_"))
    misspelt = variable[:at] + variable[at + 1 :]
    with pytest.raises(SettingsError, match=f"^{misspelt}: there is no such setting; did you mean"):
        from_environment({misspelt: "1"})


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 32 + "\n")
    settings = from_environment({"CDS_HASH_KEY_FILE": str(file)})
    assert settings.hash_key.get_secret_value() == "k" * 32
    assert "k" * 32 not in repr(settings)


def test_a_secret_file_that_cannot_be_read_or_a_secret_given_twice_is_named(
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match="^CDS_REDIS_URL_FILE: there is no such file"):
        from_environment({"CDS_REDIS_URL_FILE": str(tmp_path / "nowhere")})
    file = tmp_path / "key"
    file.write_text("k" * 32)
    with pytest.raises(SettingsError, match="^CDS_HASH_KEY_FILE: CDS_HASH_KEY is set too"):
        from_environment({"CDS_HASH_KEY": "h" * 32, "CDS_HASH_KEY_FILE": str(file)})


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"CDS_ISSUERS": "a=https://a.example.org/jwks"}, "CDS_PUBLIC_URL"),
        (
            {
                "CDS_ISSUERS": "a=https://a.example.org/jwks",
                "CDS_STORE_URL": "none",
                "CDS_DEVELOPMENT": "true",
            },
            "CDS_ISSUERS",
        ),
        (
            {
                "CDS_ISSUERS": "a=https://sandbox.cds-hooks.org/jwks",
                "CDS_PUBLIC_URL": "https://cds.example.org",
            },
            "CDS_ISSUERS",
        ),
    ],
)
def test_what_one_setting_needs_of_another_is_asked_before_anything_starts(
    environ: dict[str, str], variable: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        from_environment(environ)
