"""Facts of kind questionnaire: scores as Observations, and answers in QuestionnaireResponses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resources import WORRY_SCORE, concept, days_ago, worry_score

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.facts.questionnaire import QuestionnaireDefinition, read_questionnaire
from cds_service.knowledge.facts.results import ObservationFact
from cds_service.knowledge.record.answers import Answers
from cds_service.knowledge.record.code_systems import CodeSystems
from cds_service.knowledge.record.fhir_json import CODED_PARTS
from cds_service.knowledge.record.terminology import LOINC

from .conftest import RecordOf

SYSTEMS = CodeSystems(())
SEVERAL_DAYS = {"system": "http://loinc.org", "code": "LA6569-3"}
ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"


def _response(answer: Any, link: str = f"/{WORRY_SCORE[1]}", **members: Any) -> Resource:
    whole = {
        "resourceType": "QuestionnaireResponse",
        "id": "form",
        "status": "completed",
        "subject": {"reference": "Patient/ada"},
        "authored": days_ago(2),
        "item": [{"linkId": link, "answer": [answer]}],
    }
    return {name: value for name, value in (whole | members).items() if value is not ...}


ReadOf = Callable[..., ObservationFact]


@pytest.fixture(scope="session")
def read(tiny: CDSService, record_of: RecordOf) -> ReadOf:
    """The worry score of resources, whose lists came whole but for `states`."""
    score = QuestionnaireDefinition(
        value_sets=("worry-score",),
        prefetch_key="surveys",
        within=timedelta(days=30),
        quantity=tiny.facts["worry_score"].quantity,
        responses="questionnaires",
        answers=Answers.of({0: [f"{LOINC}|LA6568-5"], 1: [f"{LOINC}|LA6569-3"]}, SYSTEMS, (0, 21)),
    )

    def read_score(
        *given: Resource, highest: bool = False, certain: bool = False, **states: Retrieval
    ) -> ObservationFact:
        record = record_of(*given, states=states or None)
        return read_questionnaire(score, record, highest=highest, certain=certain)

    return read_score


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ({"valueInteger": 12}, 12.0),
        ({"valueDecimal": 12.0}, 12.0),
        ({"valueQuantity": {"value": 12, "unit": "{score}"}}, 12.0),
        ({"valueCoding": SEVERAL_DAYS}, 1.0),
        ({"valueCoding": {"extension": [{"url": ORDINAL, "valueDecimal": 3}], "code": "c"}}, 3.0),
    ],
)
def test_an_answer_is_its_number(read: ReadOf, answer: Any, value: float) -> None:
    form = _response(answer)
    fact = read(form)
    assert (fact.state, fact.value, fact.age_days) == ("ok", value, 2.0)
    assert fact.resources == (form,)


@pytest.mark.parametrize("answer", [{"valueInteger": 22}, {"valueCoding": {"code": "LA1-1"}}, {}])
def test_an_answer_that_is_no_number_is_unreadable(read: ReadOf, answer: Any) -> None:
    assert read(_response(answer)).state == "unreadable"


def test_an_item_is_known_by_its_code_or_by_the_code_at_the_end_of_its_link(
    read: ReadOf,
) -> None:
    answer = {"valueInteger": 7}
    group = [{"linkId": "g", "item": [{"linkId": f"/g/{WORRY_SCORE[1]}", "answer": [answer]}]}]
    coded = [{"linkId": "3", "code": concept(WORRY_SCORE)["coding"], "answer": [answer]}]
    for item in (group, coded):
        assert read(_response(answer, item=item)).value == 7.0
    assert read(_response(answer, link="3")).state == "missing"


def test_the_newest_counts_wherever_it_stands(read: ReadOf) -> None:
    observed = worry_score(4, days=5)
    form = _response({"valueInteger": 12})
    assert read(observed, form).value == 12.0
    assert read(observed, form).previous == 4.0
    newer = {**observed, "effectiveDateTime": days_ago(1)}
    assert read(newer, form).value == 4.0


def test_an_observation_may_have_a_coded_answer(read: ReadOf) -> None:
    coded = worry_score(..., valueCodeableConcept={"coding": [SEVERAL_DAYS]})
    assert read(coded).value == 1.0


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *(("completed", "ok"), ("amended", "ok")),
        *(("in-progress", "uncertain"), ("stopped", "uncertain")),
    ],
)
def test_what_was_answered_counts_and_is_uncertain_while_the_form_is_not_complete(
    read: ReadOf, status: str, state: str
) -> None:
    fact = read(_response({"valueInteger": 3}, status=status))
    assert (fact.value, fact.state) == (3.0, state)


def test_a_form_that_is_not_complete_never_reassures(read: ReadOf) -> None:
    form = _response({"valueInteger": 0}, status="in-progress")
    assert read(form, certain=True).value is None
    assert read(worry_score(12, days=5), form, highest=True).value == 12.0
    assert read(worry_score(12, days=5), form, certain=True).value == 12.0


@pytest.mark.parametrize("answer", [{"valueString": "12"}, {"valueString": "12/21"}])
def test_a_number_in_a_text_counts_and_is_uncertain(read: ReadOf, answer: Any) -> None:
    fact = read(_response(answer))
    assert (fact.value, fact.state) == (12.0, "uncertain")
    assert read(_response(answer), certain=True).value is None


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({"status": "entered-in-error"}, "missing"),
        ({"authored": days_ago(-3)}, "missing"),
        ({"status": ...}, "uncertain"),
        ({"authored": ...}, "uncertain"),
    ],
)
def test_what_was_taken_back_or_is_yet_to_come_does_not_and_what_has_no_status_or_date_may(
    read: ReadOf, members: dict[str, Any], state: str
) -> None:
    assert read(_response({"valueInteger": 3}, **members)).state == state


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (Retrieval.COMPLETE, "missing"),
        (Retrieval.MISSING, "missing"),
        (Retrieval.INCOMPLETE, "not-retrieved"),
        (Retrieval.FAILED, "not-retrieved"),
    ],
)
def test_forms_that_failed_may_hide_a_score(read: ReadOf, state: Retrieval, expected: str) -> None:
    states = {"surveys": Retrieval.COMPLETE, "questionnaires": state}
    assert read(**states).state == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["item", "answer", "linkId", "code"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_forms_of_any_shape_are_read(item: Any) -> None:
    form = {"resourceType": "QuestionnaireResponse", "item": item}
    for element, code in CODED_PARTS["QuestionnaireResponse"](form):
        assert isinstance(element, dict) and isinstance(code, dict)
