"""Hooks: the context of each hook of the library."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.errors import InvalidRequest
from cds_service.wire.hooks import HOOKS, HookContext, load_context

BUNDLE = {"resourceType": "Bundle", "entry": []}
TASK = {"resourceType": "Task", "status": "ready"}

# What each hook requires beside patientId.
REQUIRED: dict[str, dict[str, Any]] = {
    "patient-view": {"userId": "Patient/ada"},
    "order-sign": {"userId": "Practitioner/grace", "draftOrders": BUNDLE},
    "order-select": {
        "userId": "PractitionerRole/grace",
        "draftOrders": BUNDLE,
        "selections": ["ServiceRequest/b12"],
    },
    "encounter-start": {"userId": "Practitioner/grace", "encounterId": "7"},
    "encounter-discharge": {"userId": "Practitioner/grace", "encounterId": "7"},
    "appointment-book": {"userId": "RelatedPerson/bob", "appointments": BUNDLE},
    "order-dispatch": {
        "dispatchedOrders": ["ServiceRequest/b12"],
        "performer": "Organization/laboratory",
    },
    "medication-refill": {"medications": BUNDLE},
    "medication-verify": {
        "userId": "Practitioner/grace",
        "medication": {"resourceType": "MedicationRequest"},
    },
    "problem-list-item-create": {"userId": "Practitioner/grace", "conditions": BUNDLE},
    "allergyintolerance-create": {
        "userId": "Practitioner/grace",
        "allergyIntolerance": {"resourceType": "AllergyIntolerance"},
    },
    "medication-prescribe": {"userId": "Practitioner/grace", "medications": BUNDLE},
    "order-review": {"userId": "Practitioner/grace", "orders": BUNDLE},
}
# Members of the library that the sandbox and teaching EHRs leave out.
MAY_LACK = {"draftOrders", "selections"}


def faults(hook: str, context: Any) -> set[str | None]:
    with pytest.raises(InvalidRequest) as caught:
        load_context(hook, context)
    return {fault.expression for fault in caught.value.faults}


def test_every_hook_of_the_library_is_known() -> None:
    assert set(HOOKS) == set(REQUIRED)


@pytest.mark.parametrize("hook", REQUIRED)
def test_what_a_hook_requires_is_enough(hook: str) -> None:
    context = load_context(hook, {"patientId": "ada", **REQUIRED[hook]})
    assert context.patient_id == "ada"
    others = set(REQUIRED[hook]) - {"userId", "encounterId"}
    assert set(context.others) == others


@pytest.mark.parametrize("hook", REQUIRED)
def test_each_member_that_a_hook_requires_is_missed(hook: str) -> None:
    whole = {"patientId": "ada", **REQUIRED[hook]}
    if hook in ("order-dispatch", "medication-refill"):
        assert load_context(hook, whole).user_id == ""
    for member in whole.keys() - MAY_LACK:
        rest = {name: value for name, value in whole.items() if name != member}
        assert faults(hook, rest) == {f"context.{member}"}


@pytest.mark.parametrize("hook", REQUIRED)
def test_members_that_a_hook_does_not_know_are_ignored(hook: str) -> None:
    whole = {"patientId": "ada", **REQUIRED[hook]}
    assert load_context(hook, whole | {"unheardOf": 1, "extension": {}}) == load_context(
        hook, whole
    )


@pytest.mark.parametrize("hook", sorted(set(REQUIRED) - {"patient-view", "appointment-book"}))
def test_a_patient_is_no_user_of_the_hooks_for_clinicians(hook: str) -> None:
    whole = {"patientId": "ada", **REQUIRED[hook], "userId": "Patient/ada"}
    if hook == "order-dispatch":
        assert load_context(hook, whole).user_id == "Patient/ada"
    else:
        assert faults(hook, whole) == {"context.userId"}


@pytest.mark.parametrize(
    "hook, member, value",
    [
        ("order-sign", "draftOrders", {"resourceType": "ServiceRequest"}),
        ("order-sign", "draftOrders", {}),
        ("order-sign", "draftOrders", []),
        ("order-select", "selections", "ServiceRequest/b12"),
        ("medication-verify", "medication", BUNDLE),
        ("order-dispatch", "performer", "laboratory"),
    ],
)
def test_a_member_of_the_wrong_form_is_named(hook: str, member: str, value: Any) -> None:
    whole = {"patientId": "ada", **REQUIRED[hook], member: value}
    assert faults(hook, whole) == {f"context.{member}"}


def test_a_wrong_element_of_a_list_is_named_by_its_place() -> None:
    whole = {"patientId": "ada", **REQUIRED["order-select"], "selections": ["Task/1", "b12"]}
    assert faults("order-select", whole) == {"context.selections[1]"}
    whole = {"patientId": "ada", **REQUIRED["order-dispatch"], "fulfillmentTasks": [TASK, BUNDLE]}
    assert faults("order-dispatch", whole) == {"context.fulfillmentTasks[1]"}


def test_ids_are_bare_inside_however_they_came() -> None:
    came = {"userId": "Patient/a", "patientId": "Patient/ada", "encounterId": "Encounter/7"}
    assert load_context("patient-view", came) == HookContext("ada", "Patient/a", "7")


@pytest.mark.parametrize("context", [None, "ada", [], 7])
def test_a_context_that_is_no_object_is_refused(context: Any) -> None:
    assert faults("patient-view", context) == {"context"}


def test_an_unknown_hook_is_refused() -> None:
    assert faults("patient-viewed", {}) == {"hook"}
