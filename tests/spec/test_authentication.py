"""CDS Hooks, chapter "Trusting CDS Clients": who may call, by a JWT that the CDS Client signed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, TOY, ToyKnowledge, assert_outcome, cds_request, feedback
from databases import sqlite_with_schema
from flask.testing import FlaskClient
from listeners import Listener
from pydantic import ValidationError
from tokens import (
    ALGORITHMS,
    ISSUER,
    PUBLIC_URL,
    Signer,
    assembled,
    private_key,
    public_jwk,
    seconds,
    write_jwks,
)
from werkzeug.test import TestResponse

from cds_service import create_app
from cds_service.setting_types import Issuer
from cds_service.settings import Settings

CALL = PUBLIC_URL + TOY
ADDRESSES = [("/cds-services", "GET"), (TOY, "POST"), (f"{TOY}/feedback", "POST")]
BODIES: dict[str, Any] = {
    TOY: cds_request(),
    f"{TOY}/feedback": {"feedback": [feedback()]},
}


def settings(folder: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "issuers": (Issuer(ISSUER, str(write_jwks(folder))),),
        "public_url": PUBLIC_URL,
        "store_url": f"sqlite:///{folder / 'store.sqlite3'}",
    }
    given = (values | changes).items()
    return Settings(**{name: value for name, value in given if value is not None})


@pytest.fixture
def guarded(knowledge: ToyKnowledge, tmp_path: Path) -> FlaskClient:
    sqlite_with_schema(tmp_path / "store.sqlite3")
    return create_app(settings(tmp_path), knowledge, lambda: NOW).test_client()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as opened:
        yield opened


def call(client: FlaskClient, token: str | None) -> TestResponse:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return client.post(TOY, json=cds_request(), headers=headers)


def refused(client: FlaskClient, token: str | None) -> None:
    assert_outcome(call(client, token), 401)


@pytest.mark.parametrize("address, method", ADDRESSES)
def test_t_3_every_call_needs_a_token(guarded: FlaskClient, address: str, method: str) -> None:
    body = BODIES.get(address)
    assert_outcome(guarded.open(address, method=method, json=body), 401)
    headers = Signer().bearer(PUBLIC_URL + address)
    response = guarded.open(address, method=method, json=body, headers=headers)
    assert response.status_code in (200, 204)


def test_t_3_even_a_body_that_cannot_be_read_needs_one(guarded: FlaskClient) -> None:
    assert_outcome(guarded.post(TOY, data="{"), 401)
    assert_outcome(guarded.post("/cds-services/no-such-service", json={}), 401)


@pytest.mark.parametrize(
    "address",
    ["/report.json", "/report.csv", "/trace/0b9a3f5e-5a0e-4c55-a0b8-0d5d3c0d2f11"],
)
def test_t_3_so_does_whoever_reads_what_is_kept(guarded: FlaskClient, address: str) -> None:
    assert_outcome(guarded.get(address), 401)
    status = guarded.get(address, headers=Signer().bearer(PUBLIC_URL + address)).status_code
    assert status != 401


@pytest.mark.parametrize("address", ["/health/live", "/health/ready", "/openapi.json"])
def test_t_3_what_holds_no_patient_is_open(guarded: FlaskClient, address: str) -> None:
    assert guarded.get(address).status_code == 200


@pytest.mark.parametrize("address, method", ADDRESSES)
def test_x_1_a_preflight_carries_no_token(guarded: FlaskClient, address: str, method: str) -> None:
    headers = {"Origin": "https://ehr.example.org", "Access-Control-Request-Method": method}
    response = guarded.options(address, headers=headers)
    assert response.status_code // 100 == 2
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_x_5_a_page_may_read_that_it_was_refused(guarded: FlaskClient) -> None:
    response = guarded.post(TOY, json={}, headers={"Origin": "https://ehr.example.org"})
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_d_every_asymmetric_algorithm_is_accepted(guarded: FlaskClient, algorithm: str) -> None:
    assert call(guarded, Signer(algorithm=algorithm).token(CALL)).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer x", "Bearer a.b.c", "Basic eDp5", "nonsense", "Bearer " + "a" * 9000],
)
def test_t_3_garbage_in_the_header_is_401(guarded: FlaskClient, header: str) -> None:
    assert_outcome(guarded.post(TOY, json=cds_request(), headers={"Authorization": header}), 401)


HEADERS: list[dict[str, Any]] = [
    {"kid": ...},
    {"kid": "RS256"},
    {"kid": "nobody"},
    {"typ": ...},
    {"typ": "at+jwt"},
    {"crit": ["exp"], "exp": 1},
]
CLAIMS: list[dict[str, Any]] = [
    *({name: ...} for name in ("iss", "aud", "exp", "iat", "jti")),
    {"iss": "https://other.example.org"},
    {"iss": ISSUER + "/"},
    {"aud": "https://other.example.org" + TOY},
    {"aud": PUBLIC_URL},
    {"aud": f"{CALL}/feedback"},
    {"aud": f"{PUBLIC_URL}/cds-services"},
    {"aud": f"{CALL}?a=b"},
    {"aud": CALL.replace("https", "http")},
    {"aud": f"http://localhost{TOY}"},
    {"aud": []},
    {"aud": {"": CALL}},
    {"aud": ["https://[", 1]},
    {"exp": seconds(-61), "iat": seconds(-300)},
    {"exp": "tomorrow"},
    {"exp": True},
    {"exp": 1e300},
    {"iat": seconds(61), "exp": seconds(300)},
    {"nbf": seconds(61)},
    {"nbf": "now"},
    {"exp": seconds(901)},
    {"exp": seconds(-10), "iat": seconds(-5)},
    {"jti": ""},
    {"jti": 7},
    {"jti": "x" * 600},
]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_d_a_header_that_is_not_as_it_should_be_is_refused(
    guarded: FlaskClient, headers: dict[str, Any]
) -> None:
    refused(guarded, Signer(headers=headers).token(CALL))


@pytest.mark.parametrize("claims", CLAIMS, ids=lambda claims: str(claims)[:60])
def test_d_a_payload_that_is_not_as_it_should_be_is_refused(
    guarded: FlaskClient, claims: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cds_service"):
        refused(guarded, assembled_and_signed(claims))
    (record,) = caplog.records
    assert "signature" not in record.msg["reason"]


def test_d_a_life_that_is_too_long_is_logged_with_its_seconds_and_the_setting(
    guarded: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cds_service"):
        refused(guarded, Signer().token(CALL, exp=seconds(3600)))
    (record,) = caplog.records
    assert record.msg["reason"] == ("its lifetime is 3600 s; CDS_TOKEN_MAX_LIFETIME_S allows 900 s")


def assembled_and_signed(claims: dict[str, Any]) -> str:
    """Signed over any payload: the library that signs has opinions on some."""
    from jwt.api_jws import PyJWS

    payload = json.dumps(Signer().claims(CALL, **claims)).encode()
    headers = {"kid": "ES384", "typ": "JWT"}
    return PyJWS().encode(payload, private_key("ES384"), "ES384", headers=headers)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [CALL]},
        {"aud": ["https://other.example.org", CALL]},
        {"aud": f"{CALL}/"},
        {"aud": CALL.replace("/toy", "//toy")},
        {"aud": CALL.replace("cds.example.org", "CDS.example.org:443")},
        {"exp": seconds(-59), "iat": seconds(-300)},
        {"iat": seconds(59), "exp": seconds(300)},
        {"nbf": seconds(59)},
        {"nbf": ...},
        {"exp": seconds(900)},
        {"iat": seconds() + 0.5},
        {"tenant": "a hospital", "sub": 7, "custom": {}},
    ],
    ids=lambda claims: str(claims)[:60],
)
def test_d_what_a_client_may_say_is_accepted(guarded: FlaskClient, claims: dict[str, Any]) -> None:
    assert call(guarded, assembled_and_signed(claims)).status_code == 200


def test_d_an_address_with_two_slashes_is_its_own_audience(guarded: FlaskClient) -> None:
    address = "/cds-services//toy"
    headers = Signer().bearer(PUBLIC_URL + address)
    assert guarded.post(address, json=cds_request(), headers=headers).status_code == 200


def test_d_behind_a_proxy_the_public_address_counts_and_not_the_host(
    guarded: FlaskClient,
) -> None:
    headers = Signer().bearer(f"https://evil.example.org{TOY}") | {"Host": "evil.example.org"}
    assert_outcome(guarded.post(TOY, json=cds_request(), headers=headers), 401)


def test_d_on_this_machine_the_address_is_the_one_that_was_called(
    knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    trying = settings(tmp_path, public_url=None, development=True)
    client = create_app(trying, knowledge, lambda: NOW).test_client()
    assert call(client, Signer().token(f"http://localhost{TOY}")).status_code == 200


def test_t_5_a_token_without_a_signature_is_refused(guarded: FlaskClient) -> None:
    for algorithm in ("none", "None", "NONE"):
        header = {"alg": algorithm, "typ": "JWT", "kid": "ES384"}
        refused(guarded, assembled(header, Signer().claims(CALL), None))
        refused(guarded, assembled(header, Signer().claims(CALL), None) + "eA")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_t_5_a_public_key_is_no_shared_secret(guarded: FlaskClient, algorithm: str) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = private_key("RS256").public_key()
    forms = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(public_jwk("RS256", "RS256")).encode(),
        b"",
    ]
    for secret in forms:
        header = {"alg": algorithm, "typ": "JWT", "kid": "RS256"}
        refused(guarded, assembled(header, Signer().claims(CALL), secret))


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS384", "EdDSA", "ES256K", "ES384 "])
def test_t_5_an_algorithm_goes_with_its_own_type_of_key(
    guarded: FlaskClient, algorithm: str
) -> None:
    signed = Signer().token(CALL).split(".")
    header = {"alg": algorithm, "typ": "JWT", "kid": "ES384"}
    forged = assembled(header, {}, None).split(".")[0]
    refused(guarded, ".".join([forged, *signed[1:]]))


def test_t_5_an_unknown_issuer_and_its_keys_are_not_looked_at(
    guarded: FlaskClient, listener: Listener
) -> None:
    headers = {"jku": listener.address + "/jwks.json"}
    refused(guarded, Signer(issuer="https://evil.example.org", headers=headers).token(CALL))
    assert listener.paths == []


def test_t_5_a_jku_other_than_the_pinned_one_is_refused_and_not_followed(
    knowledge: ToyKnowledge, tmp_path: Path, listener: Listener
) -> None:
    pinned = f"{listener.address}/jwks.json"
    listener.body = write_jwks(tmp_path).read_bytes()
    here = settings(tmp_path, issuers=(Issuer(ISSUER, pinned),))
    client = create_app(here, knowledge, lambda: NOW).test_client()
    for jku in (f"{listener.address}/evil.json", pinned + "?", 7, ""):
        refused(client, Signer(headers={"jku": jku}).token(CALL))
    assert call(client, Signer(headers={"jku": pinned}).token(CALL)).status_code == 200
    assert call(client, Signer().token(CALL)).status_code == 200
    assert listener.paths == ["/jwks.json"]


def test_t_5_a_key_in_the_token_itself_proves_nothing(guarded: FlaskClient) -> None:
    signer = Signer(algorithm="ES256", headers={"jwk": public_jwk("ES256", "x"), "kid": "x"})
    refused(guarded, signer.token(CALL))


def test_t_7_a_broken_signature_is_refused(guarded: FlaskClient) -> None:
    head, payload, signature = Signer().token(CALL).split(".")
    other = Signer().token(CALL).split(".")[1]
    middle = len(signature) // 2
    broken = (
        signature[:middle] + ("A" if signature[middle] != "A" else "B") + signature[middle + 1 :]
    )
    for token in (
        f"{head}.{payload}.{broken}",
        f"{head}.{other}.{signature}",
        f"{head}.{payload}.AA",
    ):
        refused(guarded, token)


def test_d_a_short_rsa_key_is_refused(knowledge: ToyKnowledge, tmp_path: Path) -> None:
    path = tmp_path / "short.json"
    path.write_text(json.dumps({"keys": [public_jwk("RS256", "RS256", bits=1024)]}))
    here = settings(tmp_path, issuers=(Issuer(ISSUER, str(path)),))
    client = create_app(here, knowledge, lambda: NOW).test_client()
    with pytest.warns(Warning):
        token = Signer(algorithm="RS256", bits=1024).token(CALL)
    refused(client, token)


def test_t_8_a_jti_is_good_once(guarded: FlaskClient) -> None:
    token = Signer().token(CALL)
    assert call(guarded, token).status_code == 200
    refused(guarded, token)


def test_t_8_also_where_the_same_jti_comes_in_another_token(guarded: FlaskClient) -> None:
    assert call(guarded, Signer().token(CALL, jti="seven")).status_code == 200
    refused(guarded, Signer(algorithm="RS256").token(CALL, jti="seven", exp=seconds(200)))


def test_t_8_two_issuers_may_have_the_same_jti(knowledge: ToyKnowledge, tmp_path: Path) -> None:
    path = str(write_jwks(tmp_path))
    here = settings(tmp_path, issuers=(Issuer(ISSUER, path), Issuer("other", path)))
    client = create_app(here, knowledge, lambda: NOW).test_client()
    for issuer in (ISSUER, "other"):
        assert call(client, Signer(issuer=issuer).token(CALL, jti="seven")).status_code == 200


def test_t_8_a_forged_token_does_not_use_up_the_jti(guarded: FlaskClient) -> None:
    header = {"alg": "ES384", "typ": "JWT", "kid": "ES384"}
    claims = Signer().claims(CALL, jti="seven")
    refused(guarded, assembled(header, claims, None) + "AAAA")
    assert call(guarded, Signer().token(CALL, jti="seven")).status_code == 200


def test_t_4_the_answer_is_the_same_whatever_was_wrong(
    guarded: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = [
        None,
        "nonsense",
        Signer(issuer="other").token(CALL),
        Signer(algorithm="RS256", headers={"kid": "ES384"}).token(CALL),
        Signer().token(CALL, exp=seconds(-100)),
        Signer().token(PUBLIC_URL),
    ]
    with caplog.at_level(logging.INFO, logger="cds_service"):
        answers = [call(guarded, token) for token in tokens]
    assert len({answer.data for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    reasons = [record.msg["reason"] for record in caplog.records]
    assert len(set(reasons)) == len(tokens)
    for token, answer in zip(tokens, answers, strict=True):
        assert not any(reason in answer.text for reason in reasons)
        assert not any(part and part in caplog.text for part in (token or "").split("."))


def test_d_the_log_names_the_client_of_a_call(
    guarded: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cds_service"):
        call(guarded, Signer().token(CALL))
    (record,) = caplog.records
    assert (record.msg["event"], record.msg["client"]) == ("answered", ISSUER)


SANDBOX = Issuer(
    "https://sandbox.cds-hooks.org", "https://sandbox.cds-hooks.org/.well-known/jwks.json"
)


@pytest.mark.parametrize(
    "issuer", [SANDBOX, Issuer("ehr", SANDBOX.keys), Issuer("https://SANDBOX.cds-hooks.org/", "x")]
)
def test_d_the_sandbox_whose_private_key_is_public_is_refused_at_the_start(
    tmp_path: Path, issuer: Issuer
) -> None:
    with pytest.raises(ValidationError, match="CDS_ISSUERS: the private key of .* is public"):
        settings(tmp_path, issuers=(issuer,))


def test_d_in_development_the_sandbox_is_accepted_and_the_log_says_so(
    knowledge: ToyKnowledge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="cds_service"):
        create_app(settings(tmp_path, issuers=(SANDBOX,), development=True), knowledge)
    assert "anybody can sign them" in caplog.text


def test_d_without_issuers_the_log_says_that_nobody_is_asked(
    knowledge: ToyKnowledge, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="cds_service"):
        create_app(Settings(store_url="none"), knowledge)
    assert "anybody can call, because CDS_ISSUERS is not set" in caplog.text


def test_d_in_a_network_the_public_address_has_to_be_known(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "127.0.0.1"):
        with pytest.raises(ValidationError, match="CDS_PUBLIC_URL: "):
            settings(tmp_path, public_url=None, host=host)


@pytest.mark.parametrize("exp", [253402300799, 1e300, -1, 7_258_118_401])
def test_d_an_absurd_time_is_401_and_counts_towards_the_limit(
    exp: float, knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    limited = settings(tmp_path, rate_limit="2 per minute")
    client = create_app(limited, knowledge, lambda: NOW).test_client()
    token = Signer().token(CALL, exp=exp)
    assert [call(client, token).status_code for _ in range(3)] == [401, 401, 429]


def test_d_without_a_memory_for_used_tokens_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="CDS_REDIS_URL"):
        settings(tmp_path, store_url="none")


@pytest.mark.parametrize(
    "detail, is_short",
    [
        (("full",), False),
        (("short",), True),
        (("full", f"{ISSUER}=short"), True),
        (("short", f"{ISSUER}=full"), False),
        (("full", "https://other.example.org=short"), False),
    ],
)
def test_a_client_gets_the_text_that_is_set_for_it(
    knowledge: ToyKnowledge, tmp_path: Path, detail: tuple[str, ...], is_short: bool
) -> None:
    client = create_app(settings(tmp_path, detail=detail), knowledge, lambda: NOW).test_client()
    assert call(client, Signer().token(CALL)).status_code == 200
    (service,) = knowledge.services.values()
    assert service.calls[-1].is_short is is_short
