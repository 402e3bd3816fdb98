"""Prefetch: the shapes that are met in the wild, and the door to fetching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from builders import (
    TEMPLATES,
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

from cds_service.errors import BodyTooLarge, PreconditionFailed
from cds_service.fhir.prefetch import (
    MEDICATION_READS,
    MEDICATIONS,
    MOST_IDS,
    MOST_READS,
    Fetch,
    Wanted,
    complete,
)
from cds_service.fhir.received import NESTED_BUNDLES, next_page
from cds_service.knowledge.call import Retrieval, Retrieved
from cds_service.wire.requests import load_request

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
        ({"response": {"status": "404 Not Found"}}, Retrieval.ABSENT, []),
        ({"response": {"status": "403 Forbidden"}}, Retrieval.FAILED, []),
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


def test_keys_that_nobody_asked_for_are_not_read() -> None:
    unasked = {"mine": searchset(condition()), "odd": 7, MEDICATIONS: searchset(condition())}
    retrieved = completed(unasked)
    assert retrieved.resources == ()
    assert set(retrieved.states) == {"patient", "conditions", "laboratory"}
    assert set(retrieved.states.values()) == {Retrieval.MISSING}


def test_the_order_of_the_keys_makes_no_difference() -> None:
    answers = prefetch(zeta=condition("z"), alpha=condition("a"))
    backwards = dict(reversed(answers.items()))
    assert completed(answers) == completed(backwards)


def test_more_resources_than_a_call_may_bring_are_refused_and_never_cut() -> None:
    answers = prefetch(conditions=searchset(*(condition(str(number)) for number in range(30))))
    request = load_request(cds_request(prefetch=answers))
    most = len(completed(answers).resources)
    assert complete(ToyService(), request, most_resources=most).resources
    with pytest.raises(BodyTooLarge, match=f"{most} resources; at most {most - 1} are read"):
        complete(ToyService(), request, most_resources=most - 1)


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
        self.wanted: dict[str, Wanted] = {}

    def __call__(self, wanting: Mapping[str, Wanted]) -> Mapping[str, Any]:
        self.asked.extend(wanting)
        self.wanted.update(wanting)
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


NEXT = [{"relation": "self"}, {"relation": "next", "url": "https://fhir.example.org/r4?page=2"}]


def test_the_pages_after_a_page_are_wanted_and_taken_with_it() -> None:
    page = searchset(condition("one"), total=2, link=NEXT)
    whole = searchset(condition("one"), condition("two"))
    server = FakeServer(conditions=whole)
    retrieved = completed(prefetch(conditions=page), fetch=server)
    assert server.wanted == {"conditions": Wanted((TEMPLATES["conditions"],), page)}
    assert retrieved.states["conditions"] is Retrieval.COMPLETE
    assert [each["id"] for each in retrieved.resources] == ["ada", "one", "two"]


def test_a_page_whose_followers_nobody_can_get_stays_a_page() -> None:
    page = searchset(condition("one"), total=2, link=NEXT)
    retrieved = completed(prefetch(conditions=page), fetch=FakeServer())
    assert retrieved.states["conditions"] is Retrieval.INCOMPLETE
    assert [each["id"] for each in retrieved.resources] == ["ada", "one"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        patient(link=NEXT),
        searchset(),
        searchset(link=NEXT[:1]),
        searchset(link=[{"relation": "next"}]),
        searchset(link=[{"relation": "next", "url": 7}]),
        searchset(link={"relation": "next", "url": "https://fhir.example.org"}),
    ],
)
def test_what_has_no_next_page_has_none(value: Any) -> None:
    assert next_page(value) is None


def order(reference: Any, **members: Any) -> dict[str, Any]:
    pointer = {"reference": reference}
    return {"resourceType": "MedicationRequest", "medicationReference": pointer, **members}


def test_medicines_that_a_list_only_points_at_are_wanted_by_their_ids() -> None:
    orders = [
        order("Medication/b"),
        order("Medication/a"),
        order("Medication/b/_history/2"),
        order("https://fhir.example.org/r4/Medication/c"),
        order("Medication/here"),
        {"resourceType": "Medication", "id": "here"},
    ]
    server = FakeServer(**{MEDICATIONS: searchset({"resourceType": "Medication", "id": "a"})})
    body = cds_request(prefetch=prefetch(laboratory=searchset(*orders)))
    request = load_request(body | {"fhirServer": "https://fhir.example.org/r4/"})
    retrieved = complete(ToyService(), request, server)
    assert server.wanted == {
        MEDICATIONS: Wanted(("Medication?_id=a,b,c&_count=100",)),
        MEDICATION_READS: Wanted(("Medication/b", "Medication/c")),
    }
    assert {"resourceType": "Medication", "id": "a"} in retrieved.resources
    assert MEDICATIONS not in retrieved.states


@pytest.mark.parametrize(
    "reference",
    [
        None,
        7,
        "#contained",
        "urn:uuid:9368d37b-283f-44a0-93ea-547cebab93ed",
        "Medication/a&patient=eve",
        "Medication/a,b",
        "Medication/" + "a" * 65,
        "Substance/a",
        "https://elsewhere.example.org/r4/Medication/a",
    ],
)
def test_what_points_elsewhere_is_not_looked_up(reference: Any) -> None:
    server = FakeServer()
    completed(prefetch(laboratory=searchset(order(reference))), fetch=server)
    assert server.asked == []


def test_so_many_medicines_are_looked_up_and_no_more() -> None:
    server = FakeServer()
    orders = [order(f"Medication/{number}") for number in range(MOST_IDS + 5)]
    completed(prefetch(laboratory=searchset(*orders)), fetch=server)
    [first, second] = server.wanted[MEDICATIONS].templates
    assert (first.count(","), second.count(",")) == (MOST_IDS - 1, 4)
    assert len(server.wanted[MEDICATION_READS].templates) == MOST_READS


@given(JSON, JSON)
def test_whatever_comes_is_sorted_into_resources_and_states(one: Any, other: Any) -> None:
    retrieved = completed({"patient": one, "conditions": other, "unasked": one})
    assert set(retrieved.states) == {"patient", "conditions", "laboratory"}
    for resource in retrieved.resources:
        assert isinstance(resource["resourceType"], str)
        assert resource["resourceType"] not in ("Bundle", "OperationOutcome")


@pytest.mark.parametrize("identifier", [[], {}, ["x"], 7, None])
def test_a_medication_of_an_odd_id_is_no_reason_to_fail(identifier: Any) -> None:
    medication = {"resourceType": "Medication", "id": identifier}
    request = load_request(
        cds_request(
            prefetch=prefetch(laboratory=searchset(medication)),
            fhirServer="https://fhir.example.org",
        )
    )
    found = complete(ToyService(), request, lambda wanted: {})
    assert medication in found.resources
