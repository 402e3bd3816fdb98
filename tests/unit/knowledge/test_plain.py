"""What is taken for FHIR at a glance is never what fhir.resources refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cds_service.knowledge.record import validation
from cds_service.knowledge.record.plain import is_plain
from cds_service.knowledge.record.repairs import repaired
from cds_service.playground.records import read_resources

from ...cards.conversations import PATIENTS

TYPES = (
    *("AllergyIntolerance", "Condition", "MedicationRequest", "MedicationStatement"),
    *("Observation", "Patient", "ServiceRequest"),
)
TEXTS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["active", "final", "4544-3", "mmol/L", " x", "x ", "a b", "", "\t", "é", "\u00a0"]
    ),
    st.sampled_from(["http://loinc.org", "urn:oid:1.2", "Patient/ada", "#1", "no address"]),
)
DATES = st.sampled_from(
    ["2024", "2024-02", "2024-02-30", "2024-02-29", "2024-02-29T08:00:00Z", "2024-02-29T08:00"]
    + ["2024-02-29T08:00:00", "2024-02-29T24:00:00Z", "2024-02-29T08:00:00,5Z", "0000", "yesterday"]
)
NUMBERS = st.one_of(st.integers(-(10**20), 10**20), st.floats(), st.booleans())
SCALARS = st.one_of(TEXTS, DATES, NUMBERS, st.none())


def objects(*names: str) -> st.SearchStrategy[Any]:
    named = st.dictionaries(st.sampled_from([*names, "unheardOf"]), SCALARS, max_size=4)
    return st.one_of(named, SCALARS)


CODINGS = st.lists(objects("system", "version", "code", "display", "userSelected"), max_size=3)
CONCEPTS = st.one_of(
    st.fixed_dictionaries({}, optional={"coding": CODINGS, "text": SCALARS}),
    objects("coding", "text"),
)
QUANTITIES = objects("value", "comparator", "unit", "system", "code")
REFERENCES = objects("reference", "display", "type")
RESOURCES = [
    resource
    for path in PATIENTS
    for resource in read_resources(path)
    if resource["resourceType"] in TYPES
]
MEMBERS = {
    **dict.fromkeys(("status", "intent", "gender", "criticality"), SCALARS),
    **dict.fromkeys(("code", "clinicalStatus", "verificationStatus"), CONCEPTS),
    **dict.fromkeys(("valueCodeableConcept", "medicationCodeableConcept"), CONCEPTS),
    **dict.fromkeys(("subject", "patient", "medicationReference"), REFERENCES),
    **dict.fromkeys(("onsetDateTime", "abatementDateTime", "effectiveDateTime"), SCALARS),
    **dict.fromkeys(("recordedDate", "issued", "authoredOn", "dateAsserted", "birthDate"), SCALARS),
    **dict.fromkeys(("doNotPerform", "active", "deceasedBoolean", "valueInteger"), SCALARS),
    "valueQuantity": QUANTITIES,
}


@pytest.fixture(scope="module", autouse=True)
def models() -> None:
    validation.load_models(TYPES)


def _judged(resource: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in resource.items() if validation._is_judged(resource, name)
    }


@settings(max_examples=500)
@given(data=st.data(), usual=st.sampled_from(RESOURCES))
def test_it_accepts_nothing_that_the_library_refuses(
    data: st.DataObject, usual: dict[str, Any]
) -> None:
    """A usual resource with one or two members changed or added."""
    resource = dict(usual)
    for name in data.draw(st.lists(st.sampled_from(sorted(MEMBERS)), max_size=2)):
        resource[name] = data.draw(MEMBERS[name])
    resource = repaired(resource)
    judged = _judged(resource)
    # An order without a medicine makes no statement, so nobody asks.
    is_order = resource["resourceType"].startswith("Medication")
    assume(not is_order or any(name.startswith("medication") for name in judged))
    assert not (is_plain(judged) and validation._is_refused(resource, judged))


def test_nearly_all_of_a_usual_record_is_plain() -> None:
    """Otherwise it would save nothing."""
    plain = sum(is_plain(_judged(repaired(resource))) for resource in RESOURCES)
    assert plain > 0.9 * len(RESOURCES)
