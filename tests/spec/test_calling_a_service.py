"""CDS Hooks, chapter "Calling a CDS Service"."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
from builders import (
    HOOK_INSTANCE,
    NOW,
    TOY,
    ToyKnowledge,
    ToyService,
    answer_with_nothing,
    assert_outcome,
    cds_request,
    toy_knowledge,
)
from flask.testing import FlaskClient
from shared import SHARED, needs_shared

from cds_service import create_app
from cds_service.errors import SettingsError
from cds_service.knowledge.call import Answer
from cds_service.settings import Settings

RECORDINGS = SHARED / "recordings" / "sandbox"
AUTHORIZATION = {
    "access_token": "very-secret-token",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.rs",
    "subject": "client",
}


def context(**members: Any) -> dict[str, Any]:
    whole = {"userId": "Practitioner/grace", "patientId": "ada"} | members
    return {name: value for name, value in whole.items() if value is not ...}


def test_s_1_s_2_a_valid_request_is_answered_with_cards(client: FlaskClient) -> None:
    response = client.post(TOY, json=cds_request())
    assert response.status_code == 200
    assert len(response.get_json()["cards"]) == 1
    assert response.headers["Knowledge-Version"] == "toy-1"


def test_s_3_nothing_to_say_is_200_and_an_empty_list(client: FlaskClient, toy: ToyService) -> None:
    toy.answered_by = answer_with_nothing
    response = client.post(TOY, json=cds_request())
    assert (response.status_code, response.get_json()["cards"]) == (200, [])


def test_s_4_the_top_level_holds_cards_and_how_the_record_came(
    client: FlaskClient, toy: ToyService
) -> None:
    toy.answered_by = lambda call: Answer((), (), (), (), unread={"Condition": 2})
    body = client.post(TOY, json=cds_request()).get_json()
    assert body == {
        "cards": [],
        "extension": {
            "urn:cds-service:record-state": {
                "lists": dict.fromkeys(toy.prefetch, "whole"),
                "unread": {"Condition": 2},
            }
        },
    }


@pytest.mark.parametrize(
    "request_",
    [
        cds_request(extension={"org.example": {"a": 1}}),
        cds_request(user="Practitioner/old", oauth={}, unheardOf=[None]),
        cds_request(context=context(extension={"org.example": 1}, unheardOf={"a": None})),
        cds_request(fhirServer=None, fhirAuthorization=None),
        cds_request(fhirServer="https://fhir.example.org/r4", fhirAuthorization=AUTHORIZATION),
        cds_request(
            fhirServer="http://localhost:8090/fhir/",
            fhirAuthorization=AUTHORIZATION | {"extension": {}, "need_patient_banner": True},
        ),
    ],
)
def test_s_6_what_is_not_known_is_ignored(client: FlaskClient, request_: dict[str, Any]) -> None:
    # The address of the FHIR server is known: cards are told apart by it.
    fhir_server = request_.get("fhirServer")
    same = cds_request() | ({"fhirServer": fhir_server} if fhir_server else {})
    expected = client.post(TOY, json=same).get_json()
    response = client.post(TOY, json=request_)
    assert (response.status_code, response.get_json()) == (200, expected)


def test_s_7_the_encounter_is_passed_on_if_there_is_one(
    client: FlaskClient, toy: ToyService
) -> None:
    for encounter in (..., None, "", "89284", "Encounter/89284"):
        request_ = cds_request(context=context(encounterId=encounter))
        assert client.post(TOY, json=request_).status_code == 200
    assert [call.encounter_id for call in toy.calls] == [None, None, None, "89284", "89284"]


@pytest.mark.parametrize("user", ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"])
def test_s_8_the_user_may_be_of_each_type_of_the_hook(
    client: FlaskClient, toy: ToyService, user: str
) -> None:
    request_ = cds_request(context=context(userId=f"{user}/grace"))
    assert client.post(TOY, json=request_).status_code == 200
    assert toy.calls[0].user_id == f"{user}/grace"


def test_the_call_carries_everything_that_an_answer_depends_on(
    client: FlaskClient, toy: ToyService
) -> None:
    client.post(TOY, json=cds_request())
    (call,) = toy.calls
    assert (call.patient_id, call.hook_instance, call.now) == ("ada", HOOK_INSTANCE, NOW)
    assert [each["resourceType"] for each in call.retrieved.resources] == ["Patient", "Condition"]


def test_a_patient_id_with_its_type_is_the_same_patient(
    client: FlaskClient, toy: ToyService
) -> None:
    client.post(TOY, json=cds_request(context=context(patientId="Patient/ada")))
    assert toy.calls[0].patient_id == "ada"


@pytest.mark.parametrize("hook", ["order-sign", "patient-views", "PATIENT-VIEW", "x y"])
def test_n_3_n_4_a_hook_of_another_service_or_of_none_is_400(
    client: FlaskClient, hook: str
) -> None:
    assert_outcome(client.post(TOY, json=cds_request(hook=hook)), 400, "hook")


@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
def test_n_4_n_5_n_7_a_required_member_that_is_missing_is_400(
    client: FlaskClient, member: str
) -> None:
    for nothing in (..., None, ""):
        assert_outcome(client.post(TOY, json=cds_request(**{member: nothing})), 400, member)


def test_n_2_every_fault_is_told_at_once(client: FlaskClient) -> None:
    assert_outcome(client.post(TOY, json={}), 400, "hook", "hookInstance", "context")


def test_n_6_a_hook_instance_that_is_no_uuid_is_taken(client: FlaskClient, toy: ToyService) -> None:
    assert client.post(TOY, json=cds_request(hookInstance="call 7")).status_code == 200
    assert toy.calls[0].hook_instance == "call 7"


@pytest.mark.parametrize("member", ["userId", "patientId"])
def test_n_8_a_required_member_of_the_context_that_is_missing_is_400(
    client: FlaskClient, member: str
) -> None:
    for nothing in (..., None, ""):
        request_ = cds_request(context=context(**{member: nothing}))
        assert_outcome(client.post(TOY, json=request_), 400, f"context.{member}")


@pytest.mark.parametrize(
    "member, value",
    [
        ("patientId", 12),
        ("patientId", ["ada"]),
        ("patientId", "a/b"),
        ("patientId", "Group/ada"),
        ("patientId", "../ada"),
        ("patientId", ".."),
        ("patientId", "ada?_include=*"),
        ("patientId", "a" * 129),
        ("userId", "grace"),
        ("userId", "Device/grace"),
        ("userId", "Practitioner/"),
        ("userId", {"reference": "Practitioner/grace"}),
        ("userId", "Practitioner/grace\n"),
        ("encounterId", 7),
        ("encounterId", "Patient/7"),
    ],
)
def test_n_8_a_wrong_context_is_400(client: FlaskClient, member: str, value: object) -> None:
    request_ = cds_request(context=context(**{member: value}))
    assert_outcome(client.post(TOY, json=request_), 400, f"context.{member}")


@pytest.mark.parametrize(
    "member, value",
    [
        ("hook", 1),
        ("hook", ["patient-view"]),
        ("hookInstance", 1),
        ("hookInstance", {}),
        ("context", "ada"),
        ("context", []),
        ("prefetch", []),
        ("prefetch", "patient"),
        ("fhirServer", 1),
        ("fhirServer", "fhir.example.org"),
        ("fhirServer", "file:///etc/passwd"),
        ("fhirServer", "http://[::1"),
        ("fhirServer", "https://user:secret@fhir.example.org"),
        ("fhirAuthorization", "Bearer x"),
    ],
)
def test_n_9_a_wrong_type_is_400(client: FlaskClient, member: str, value: object) -> None:
    assert_outcome(client.post(TOY, json=cds_request(**{member: value})), 400, member)


@pytest.mark.parametrize(
    "member, value", [("access_token", None), ("access_token", 1), ("token_type", "MAC")]
)
def test_n_9_a_wrong_authorization_is_400(client: FlaskClient, member: str, value: object) -> None:
    request_ = cds_request(
        fhirServer="https://fhir.example.org", fhirAuthorization=AUTHORIZATION | {member: value}
    )
    assert_outcome(client.post(TOY, json=request_), 400, f"fhirAuthorization.{member}")


def test_n_10_an_authorization_without_a_server_is_400(client: FlaskClient) -> None:
    request_ = cds_request(fhirAuthorization=AUTHORIZATION)
    assert_outcome(client.post(TOY, json=request_), 400, "fhirServer")


@pytest.mark.parametrize("service_id", ["other", "TOY", "..", "%2e%2e", "..%2f..%2fetc", "a/b/c"])
def test_n_11_unknown_id_is_404(client: FlaskClient, service_id: str) -> None:
    assert_outcome(client.post(f"/cds-services/{service_id}", json=cds_request()), 404)


@pytest.mark.parametrize(
    "accepted, language",
    [
        (None, "en"),
        ("", "en"),
        ("*", "en"),
        ("fr", "en"),
        ("es", "es"),
        ("es-MX,es;q=0.8", "es"),
        ("fr, es;q=0.5", "es"),
        ("en;q=0.3, es;q=0.5", "es"),
        ("es;q=0, fr", "en"),
        ("zh-CN,zh;q=0.9", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("ZH-HANS-SG", "zh-Hans"),
        ("zh-TW", "en"),
        ("zh-TW, es;q=0.1", "es"),
        ("en-US,en;q=0.9", "en"),
        (";;q=,nonsense;q=x", "en"),
    ],
)
def test_the_language_is_the_best_that_the_service_speaks(
    client: FlaskClient, toy: ToyService, accepted: str | None, language: str
) -> None:
    headers = {} if accepted is None else {"Accept-Language": accepted}
    response = client.post(TOY, json=cds_request(), headers=headers)
    assert response.headers["Content-Language"] == language
    assert toy.calls[0].language == language
    assert "Accept-Language" in response.vary


@pytest.mark.parametrize("unit", ["-", "a-", "a,", "es;q=0.1,", '"'])
def test_a_header_of_any_length_is_read_in_no_time(client: FlaskClient, unit: str) -> None:
    headers = {"Accept-Language": unit * 160_000}
    began = time.process_time()
    response = client.post(TOY, json=cds_request(), headers=headers)
    assert response.status_code == 200
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("setting, language", [("es", "es"), ("ES", "es"), ("zh-hans", "zh-Hans")])
def test_the_setting_decides_where_the_caller_does_not(
    knowledge: ToyKnowledge, setting: str, language: str
) -> None:
    client = create_app(Settings(language=setting), knowledge).test_client()
    response = client.post(TOY, json=cds_request(), headers={"Accept-Language": "pt"})
    assert response.headers["Content-Language"] == language


def test_a_language_that_no_service_has_stops_the_start(knowledge: ToyKnowledge) -> None:
    with pytest.raises(SettingsError, match="^CDS_LANGUAGE: .* fr; available: en, es, zh-Hans"):
        create_app(Settings(language="fr"), knowledge)


@pytest.mark.parametrize("header", ["Bearer a.b.c", "Bearer", "nonsense", "Basic eDp5"])
def test_t_1_t_2_any_authorization_header_does_no_harm(client: FlaskClient, header: str) -> None:
    response = client.post(TOY, json=cds_request(), headers={"Authorization": header})
    assert response.status_code == 200


def test_t_6_the_log_and_the_answer_hold_no_data_and_no_token(
    client: FlaskClient, toy: ToyService, caplog: pytest.LogCaptureFixture
) -> None:
    toy.answered_by = answer_with_nothing
    request_ = cds_request(fhirServer="https://fhir.example.org", fhirAuthorization=AUTHORIZATION)
    with caplog.at_level(logging.DEBUG, logger="cds_service"):
        response = client.post(TOY, json=request_, headers={"Authorization": "Bearer secret"})
    for secret in ("secret", "ada", "grace", "1980", "anxiety", "fhir.example.org"):
        assert secret not in caplog.text and secret not in response.text
    assert f"'hook_instance': '{HOOK_INSTANCE}'" in caplog.text


def test_a_call_is_one_line_in_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cds_service"):
        client.post(TOY, json=cds_request(hookInstance="Ada Lovelace, 1815"))
    (record,) = caplog.records
    assert (record.msg["event"], record.msg["service"]) == ("answered", "toy")
    outcomes = [record.msg[name] for name in ("applied", "unknown", "missing")]
    assert outcomes == [["R1"], ["R2"], ["laboratory"]]
    assert record.msg["milliseconds"] > 0
    assert "hook_instance" not in record.msg and "Ada" not in record.getMessage()


def test_h_1_the_same_call_gets_the_same_answer(client: FlaskClient) -> None:
    first = client.post(TOY, json=cds_request())
    assert client.post(TOY, json=cds_request()).data == first.data


def test_h_8_calls_do_not_mix(client: FlaskClient, toy: ToyService) -> None:
    # No name of hexadecimal digits: a random uuid may contain it.
    for patient in ("zoltan", "bob"):
        response = client.post(
            TOY,
            json=cds_request(
                context=context(patientId=patient),
                prefetch={"patient": {"resourceType": "Patient", "id": patient}},
            ),
        )
        assert f"Patient/{patient}" in response.text
    assert "zoltan" not in response.text
    assert [each["id"] for each in toy.calls[1].retrieved.resources] == ["bob"]


def test_without_suggestions_in_the_settings_cards_carry_none(knowledge: ToyKnowledge) -> None:
    client = create_app(Settings(suggestions=False), knowledge).test_client()
    (card,) = client.post(TOY, json=cds_request()).get_json()["cards"]
    assert "suggestions" not in card and "selectionBehavior" not in card


def test_the_clock_is_aware_where_nobody_passes_one(toy: ToyService) -> None:
    create_app(Settings(), toy_knowledge(toy)).test_client().post(TOY, json=cds_request())
    assert toy.calls[0].now.tzinfo is not None


def recordings() -> list[str]:
    names = [path.stem for path in sorted(RECORDINGS.glob("*-patient-view*.json"))]
    return [name for name in names if not name.endswith("preflight")]


@needs_shared
@pytest.mark.parametrize("recording", recordings())
def test_f_7_what_the_sandbox_sends_is_answered(client: FlaskClient, recording: str) -> None:
    body = json.loads((RECORDINGS / f"{recording}.json").read_text())["body"]
    response = client.post(TOY, json=body, headers={"Authorization": "Bearer a.b.c"})
    has_patient = "patient" in (body.get("prefetch") or {})
    assert response.status_code == (200 if has_patient else 412)
