"""Prefetch: the shapes that are met in the wild, and the door to fetching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from builders import (
    ToyService,
    cds_request,
    condition,
    operation_outcome,
    patient,
    prefetch,
    searchset,
)
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import PreconditionFailed
from cds_service.knowledge.artifacts import Retrieval, Retrieved
from cds_service.prefetch import NESTED_BUNDLES, Fetch, complete
from cds_service.schemas import load_request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceType",
                    "entry",
                    "resource",
                    "response",
                    "search",
                    "mode",
                    "link",
                    "relation",
                    "total",
                    "issue",
                    "severity",
                    "status",
                ]
            ),  # fmt: skip
            inner | st.sampled_from(["Bundle", "Patient", "OperationOutcome", "next", "outcome"]),
        )
    ),
    max_leaves=25,
)


def completed(
    answers: Mapping[str, Any], *, service: ToyService | None = None, fetch: Fetch | None = None
) -> Retrieved:
    request = load_request(cds_request(prefetch=dict(answers)))
    return complete(service or ToyService(required_keys=frozenset()), request, fetch)


def read(value: Any) -> tuple[Retrieval, list[str]]:
    """How a value of the key `conditions` counts, and the ids of the resources in it."""
    retrieved = completed({"conditions": value})
    return retrieved.states["conditions"], [each["id"] for each in retrieved.resources]


def nest(bundle: Any, levels: int) -> Any:
    return nest(searchset(bundle), levels - 1) if levels else bundle


@pytest.mark.parametrize(
    "value, state, ids",
    [
        (searchset(condition()), Retrieval.COMPLETE, ["anxiety"]),
        (searchset(condition(), None), Retrieval.INCOMPLETE, ["anxiety"]),
        (searchset(entry=[None, {"resource": condition()}]), Retrieval.INCOMPLETE, ["anxiety"]),
        (searchset(entry=[{"fullUrl": "urn:x"}], total=0), Retrieval.INCOMPLETE, []),
        (searchset(entry=[7, "a", []]), Retrieval.INCOMPLETE, []),
        (searchset({"id": "typeless"}), Retrieval.INCOMPLETE, []),
        (searchset(entry={"resource": condition()}), Retrieval.INCOMPLETE, []),
        (condition(), Retrieval.INCOMPLETE, ["anxiety"]),
        (searchset({"resourceType": "OperationOutcome"}), Retrieval.INCOMPLETE, []),
    ],
)
def test_what_can_be_read_is_read_and_the_rest_is_remembered(
    value: Any, state: Retrieval, ids: list[str]
) -> None:
    assert read(value) == (state, ids)


@pytest.mark.parametrize(
    "wrapper, state, ids",
    [
        (
            {"response": {"status": "200 OK"}, "resource": searchset(condition())},
            Retrieval.COMPLETE,
            ["anxiety"],
        ),
        ({"resource": searchset(condition())}, Retrieval.COMPLETE, ["anxiety"]),
        ({"response": {"status": "200 OK"}, "resource": None}, Retrieval.COMPLETE, []),
        ({"response": {"status": 204}}, Retrieval.COMPLETE, []),
        ({"response": {"status": "404 Not Found"}}, Retrieval.FAILED, []),
        (
            {"response": {"status": "500"}, "resource": searchset(condition())},
            Retrieval.FAILED,
            [],
        ),
        ({"resource": None}, Retrieval.FAILED, []),
        ({"response": "200"}, Retrieval.FAILED, []),
        ({"resource": {"resource": searchset()}}, Retrieval.FAILED, []),
        ({"resource": operation_outcome()}, Retrieval.FAILED, []),
    ],
)
def test_the_old_wrapper_is_taken_off(wrapper: Any, state: Retrieval, ids: list[str]) -> None:
    assert read(wrapper) == (state, ids)


def test_bundles_in_bundles_are_read_as_far_as_is_reasonable() -> None:
    assert read(nest(searchset(condition()), NESTED_BUNDLES)) == (Retrieval.COMPLETE, ["anxiety"])
    assert read(nest(searchset(condition()), NESTED_BUNDLES + 1)) == (Retrieval.INCOMPLETE, [])


def test_a_page_within_a_bundle_makes_the_whole_incomplete() -> None:
    assert read(searchset(searchset(condition(), total=9))) == (Retrieval.INCOMPLETE, ["anxiety"])


def test_keys_that_nobody_asked_for_are_read_but_have_no_state() -> None:
    retrieved = completed({"mine": searchset(condition()), "yours": patient(), "odd": 7})
    assert [each["id"] for each in retrieved.resources] == ["anxiety", "ada"]
    assert set(retrieved.states) == {"patient", "conditions", "laboratory"}
    assert set(retrieved.states.values()) == {Retrieval.MISSING}


def test_the_order_of_the_keys_makes_no_difference() -> None:
    answers = prefetch(zeta=condition("z"), alpha=condition("a"))
    backwards = dict(reversed(answers.items()))
    assert completed(answers) == completed(backwards)


def test_a_null_patient_is_no_data_where_the_patient_is_not_required() -> None:
    assert completed({"patient": None}).states["patient"] is Retrieval.COMPLETE


def test_a_null_patient_is_not_there_where_it_is_required() -> None:
    with pytest.raises(PreconditionFailed, match=r"prefetch\.patient"):
        completed({"patient": None}, service=ToyService())


def test_a_required_key_without_a_template_is_wanting() -> None:
    service = ToyService(required_keys=frozenset({"surveys"}))
    with pytest.raises(PreconditionFailed, match=r"prefetch\.surveys"):
        completed(prefetch(), service=service)


class FakeServer:
    """Answers what it has, and remembers what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, wanting: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.extend(wanting)
        return {key: self.answers[key] for key in wanting if key in self.answers}


def test_what_is_missing_or_failed_is_fetched_and_nothing_else() -> None:
    server = FakeServer(patient=patient(), laboratory=searchset(condition("fetched")))
    answers = {"conditions": searchset(total=3), "laboratory": operation_outcome()}
    retrieved = completed(answers, service=ToyService(), fetch=server)
    assert server.asked == ["patient", "laboratory"]
    assert retrieved.states == {
        "patient": Retrieval.COMPLETE,
        "conditions": Retrieval.INCOMPLETE,
        "laboratory": Retrieval.COMPLETE,
    }
    assert [each["id"] for each in retrieved.resources] == ["ada", "fetched"]


def test_a_server_that_has_it_not_either_is_412() -> None:
    with pytest.raises(PreconditionFailed):
        completed({}, service=ToyService(), fetch=FakeServer(patient=operation_outcome()))


def test_with_everything_there_nothing_is_fetched() -> None:
    server = FakeServer()
    completed(prefetch(), service=ToyService(), fetch=server)
    assert server.asked == []


@given(JSON, JSON)
def test_whatever_comes_is_sorted_into_resources_and_states(one: Any, other: Any) -> None:
    retrieved = completed({"patient": one, "conditions": other, "unasked": one})
    assert set(retrieved.states) == {"patient", "conditions", "laboratory"}
    for resource in retrieved.resources:
        assert isinstance(resource["resourceType"], str)
        assert resource["resourceType"] not in ("Bundle", "OperationOutcome")
