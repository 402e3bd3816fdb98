"""Schemas: requests and feedback as values, and what no response can express."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from builders import HOOK_INSTANCE, cds_request, feedback, prefetch
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from cds_service.errors import InvalidRequest
from cds_service.wire.requests import (
    FHIRAuthorization,
    OverrideReason,
    Reason,
    load_feedback,
    load_request,
)
from cds_service.wire.responses import CDSResponseSchema

UUID = "0d6a2c1e-6a4a-4f0e-9d5f-0a1b2c3d4e5f"
FORBIDDEN = (
    "Medication",
    "MedicationRequest",
    "MedicationStatement",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationOrder",
    "MedicationPrescription",
    "CarePlan",
    "RequestGroup",
    "Bundle",
)


def test_a_request_becomes_a_frozen_value() -> None:
    request = load_request(
        cds_request(
            fhirServer="https://fhir.example.org/r4",
            fhirAuthorization={"access_token": "secret", "expires_in": 300, "patient": "ada"},
        )
    )
    assert (request.hook, request.hook_instance) == ("patient-view", HOOK_INSTANCE)
    assert request.context == {"userId": "Practitioner/grace", "patientId": "ada"}
    assert request.prefetch == prefetch()
    assert request.fhir_server == "https://fhir.example.org/r4"
    assert request.fhir_authorization == FHIRAuthorization("secret")
    with pytest.raises(FrozenInstanceError):
        request.hook = "order-sign"  # type: ignore[misc]


def test_a_request_shows_neither_its_data_nor_its_token() -> None:
    shown = repr(
        load_request(
            cds_request(
                fhirServer="https://fhir.example.org/r4",
                fhirAuthorization={"access_token": "secret", "patient": "ada"},
            )
        )
    )
    assert "secret" not in shown and "ada" not in shown and "1980" not in shown


def test_null_and_empty_text_are_read_as_not_sent() -> None:
    request = load_request(cds_request(prefetch=None, fhirServer="", fhirAuthorization=None))
    assert (request.prefetch, request.fhir_server, request.fhir_authorization) == (None,) * 3


def test_nulls_within_prefetch_stay() -> None:
    assert load_request(cds_request(prefetch={"patient": None})).prefetch == {"patient": None}


def test_every_fault_has_its_own_text() -> None:
    with pytest.raises(InvalidRequest) as caught:
        load_request({"hook": 1, "context": []})
    assert {fault.expression: fault.diagnostics for fault in caught.value.faults} == {
        "hook": "Not a valid string.",
        "context": "Not a valid mapping type.",
        "hookInstance": "Missing data for required field.",
    }


def test_feedback_becomes_frozen_values() -> None:
    reason = {"code": "seen", "display": "Seen"}
    accepted, overridden = load_feedback(
        {
            "feedback": [
                feedback(outcome="accepted", acceptedSuggestions=[{"id": "a"}, {"id": "b"}]),
                feedback(overrideReason={"reason": reason, "userComment": "Ada knows"}),
            ]
        }
    )
    assert accepted.accepted_suggestions == ["a", "b"]
    assert accepted.outcome_timestamp == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert overridden.override_reason == OverrideReason(Reason("seen", display="Seen"), "Ada knows")
    assert "Ada" not in repr(overridden)


def response(**members: Any) -> dict[str, Any]:
    card = {
        "uuid": UUID,
        "summary": "Leg weakness has no recorded work-up",
        "indicator": "info",
        "source": {"label": "Toy guideline"},
    }
    return {"cards": [card | members]}


def faults(body: Any) -> str:
    return json.dumps(CDSResponseSchema().validate(body))


def test_a_response_loads_as_well_as_it_dumps() -> None:
    assert CDSResponseSchema().load(response(systemActions=[{}], extension={}))["cards"] == [
        response()["cards"][0]
    ]


@pytest.mark.parametrize("nothing", [None, "", []])
def test_a_response_with_an_empty_member_does_not_load(nothing: Any) -> None:
    for member in ("detail", "suggestions", "links", "overrideReasons", "summary"):
        assert member in faults(response(**{member: nothing}))


def test_selection_behaviour_is_there_exactly_with_suggestions() -> None:
    suggestions = [{"uuid": UUID[::-1].replace("-", "a"), "label": "Measure"}]
    assert "selectionBehavior" in faults(response(selectionBehavior="any"))
    assert "uuid" in faults(response(selectionBehavior="any", suggestions=suggestions))
    suggestions[0]["uuid"] = UUID.replace("0d", "1d")
    assert "selectionBehavior" in faults(response(suggestions=suggestions))
    assert faults(response(selectionBehavior="any", suggestions=suggestions)) == "{}"


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list, tuple)):
        for child in children:
            yield from objects(child)


def assert_harmless(body: Any) -> None:
    assert isinstance(body, dict) and set(body) == {"cards"}
    for each in objects(orjson.loads(orjson.dumps(body))):
        assert each.get("resourceType", "Task") in ("Task", "ServiceRequest")
        assert "systemActions" not in each and "contained" not in each


names = st.sampled_from(
    ["resourceType", "contained", "entry", "resource", "code", "input", "systemActions",
     "dosageInstruction", "extension", "action", "status", "text"]
)  # fmt: skip
types = st.sampled_from(["ServiceRequest", "Task", *FORBIDDEN])
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3) | types,
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(names, inner, max_size=3)
    | st.builds(lambda kind, rest: rest | {"resourceType": kind}, types,
                st.dictionaries(names, inner, max_size=2)),
    max_leaves=8,
)  # fmt: skip
resources = st.builds(
    lambda kind, rest: rest | {"resourceType": kind},
    types,
    st.dictionaries(names.filter(lambda name: name != "resourceType"), json_values, max_size=3),
)


def mostly(sound: Any) -> st.SearchStrategy[Any]:
    """A sound value three times out of four, so that the strategy gets through to the depths."""
    return st.one_of(st.just(sound), st.just(sound), st.just(sound), json_values)


actions = st.fixed_dictionaries(
    {"type": mostly("create"), "description": mostly("Propose"), "resource": resources},
    optional={"resourceId": types, "systemActions": json_values},
)
suggestions = st.fixed_dictionaries(
    {"uuid": st.uuids().map(str), "label": mostly("Measure")},
    optional={"resource": resources, "actions": st.lists(actions, min_size=1, max_size=2)},
)
cards = st.fixed_dictionaries(
    {
        "uuid": st.uuids().map(str),
        "summary": mostly("Weakness"),
        "indicator": st.just("info"),
        "source": st.just({"label": "Toy"}),
        "suggestions": st.lists(suggestions, min_size=1, max_size=2),
        "selectionBehavior": st.just("any"),
    },
    optional={"detail": mostly("Text"), "systemActions": st.lists(actions), "extension": resources},
)
responses = st.fixed_dictionaries(
    {"cards": st.lists(cards, max_size=2) | json_values},
    optional={"systemActions": st.lists(actions)},
)


@settings(max_examples=200)
@given(responses)
def test_no_response_that_loads_orders_a_medicine(body: Any) -> None:
    try:
        loaded = CDSResponseSchema().load(body)
    except ValidationError:
        return
    assert_harmless(loaded)


@settings(max_examples=200)
@given(responses)
def test_no_response_that_is_dumped_orders_a_medicine(body: Any) -> None:
    try:
        dumped = CDSResponseSchema().dump(body)
    except (ValidationError, TypeError, ValueError, AttributeError):
        return
    assert_harmless(dumped)


@given(resources)
def test_no_proposal_orders_a_medicine(resource: Any) -> None:
    action = {"type": "create", "description": "Propose", "resource": resource}
    suggestion = {"uuid": UUID.replace("0d", "1d"), "label": "Measure", "actions": [action]}
    body = response(suggestions=[suggestion], selectionBehavior="any")
    try:
        assert_harmless(CDSResponseSchema().load(body))
    except ValidationError:
        assert resource != {"resourceType": "Task"}


def test_objects_that_pretend_to_be_json_are_refused() -> None:
    pretender = SimpleNamespace(resourceType="MedicationRequest")
    resource = {"resourceType": "Task", "input": [pretender]}
    action = {"type": "create", "description": "Propose", "resource": resource}
    suggestion = {"uuid": UUID.replace("0d", "1d"), "label": "Measure", "actions": [action]}
    assert "Not FHIR JSON" in faults(response(suggestions=[suggestion], selectionBehavior="any"))
