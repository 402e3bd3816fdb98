"""From a call to its cards, resting on valid resources only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from resources import (
    ANXIETY,
    MORPHINE,
    WEAKNESS,
    allergy,
    call,
    condition,
    observation,
    order,
    patient,
)

from cds_service.knowledge import CDSService, answering
from cds_service.knowledge.answering import decide
from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.outcomes.evaluation import GateState
from cds_service.knowledge.record import validation

OPEN = (patient(), condition(ANXIETY), condition(WEAKNESS))
# FHIR R4 demands a subject, an intent and numbers that are numbers.
BAD_RESULT = observation(2.4, referenceRange="3.5-5.1", id="bad")
BAD_ORDER = order(MORPHINE, intent=..., id="bad")


@pytest.fixture
def validated(monkeypatch: pytest.MonkeyPatch) -> list[list[Resource]]:
    """What was validated, one list for each time."""
    looked_at: list[list[Resource]] = []
    original = answering.invalid_resources

    def remember(resources: Iterable[Resource]) -> list[Resource]:
        given = list(resources)
        looked_at.append(given)
        return original(given)

    monkeypatch.setattr(answering, "invalid_resources", remember)
    return looked_at


def test_an_answer_tells_what_applied_what_is_unknown_and_what_lacked(tiny: CDSService) -> None:
    states = {"medicationRequests": Retrieval.INCOMPLETE, "surveys": Retrieval.FAILED}
    answer = tiny.answer(call(*OPEN, order(), states=states))
    assert answer.applied == ("S3",)
    assert sorted(answer.unknown) == ["S2", "S4", "S6"]
    assert sorted(answer.missing) == ["potassium", "worry_score"]


def test_an_invalid_resource_behind_a_card_is_set_aside_and_the_card_changes(
    tiny: CDSService,
) -> None:
    (before,) = tiny.answer(call(*OPEN, observation(2.4))).cards
    (after,) = tiny.answer(call(*OPEN, BAD_RESULT)).cards
    assert before.indicator == "critical"
    assert after.indicator == "info"
    assert "- missing: potassium" in after.detail


def test_an_invalid_resource_is_counted(tiny: CDSService) -> None:
    evaluation = decide(tiny, call(*OPEN, order(), BAD_ORDER))
    assert evaluation.facts["medication_list"].unreadable == 1
    assert evaluation.facts["opioid"].active is not True


def test_what_an_invalid_order_was_for_is_not_called_absent(tiny: CDSService) -> None:
    (card,) = (
        each
        for each in tiny.answer(call(*OPEN, order(), BAD_ORDER)).cards
        if each.indicator == "info"
    )
    assert "- medicines that cannot be read: 1" in card.detail


def test_another_invalid_resource_that_could_come_to_matter_is_set_aside_too(
    tiny: CDSService,
) -> None:
    older = observation(6.9, referenceRange="x", days=9)
    evaluation = decide(tiny, call(*OPEN, BAD_RESULT, older))
    assert evaluation.facts["potassium"].state == "missing"
    assert evaluation.outcomes["S2"].level is None


def test_a_valid_resource_takes_the_place_of_an_invalid_one(tiny: CDSService) -> None:
    evaluation = decide(tiny, call(*OPEN, BAD_RESULT, observation(3.0, days=9)))
    assert evaluation.facts["potassium"].value == 3.0


def test_an_invalid_patient_is_set_aside(tiny: CDSService) -> None:
    odd = patient(birthDate="1950-01-01", name="Ada")
    evaluation = decide(tiny, call(odd, *OPEN[1:], order(), order(MORPHINE)))
    assert evaluation.outcomes["S4"].level in ("critical", "warning")
    assert evaluation.gate is GateState.OPEN


def test_an_invalid_problem_behind_the_gate_leaves_it_in_question(tiny: CDSService) -> None:
    odd = condition(ANXIETY, onsetDateTime={"year": 2024})
    (card,) = tiny.answer(call(patient(), odd, OPEN[2])).cards
    assert (card.rules, card.indicator) == ((), "info")


def test_a_valid_record_is_validated_once(
    tiny: CDSService, validated: list[list[Resource]]
) -> None:
    decide(tiny, call(*OPEN, observation(2.4)))
    assert len(validated) == 1


def test_resources_that_no_card_rests_on_are_not_validated(
    tiny: CDSService, validated: list[list[Resource]]
) -> None:
    unrelated = [condition({"text": "a broken arm"}, onsetDateTime=7) for _ in range(50)]
    harmless = allergy(MORPHINE, onsetDateTime=7)
    decide(tiny, call(*OPEN, *unrelated, harmless))
    looked_at = [resource for each in validated for resource in each]
    assert not any(each is other for each in looked_at for other in (*unrelated, harmless))


def test_nothing_is_validated_behind_a_closed_gate(
    tiny: CDSService, validated: list[list[Resource]]
) -> None:
    decide(tiny, call(patient(), BAD_RESULT))
    assert [resource for each in validated for resource in each] == []


def test_an_invalid_resource_behind_a_note_is_set_aside(tiny: CDSService) -> None:
    (card,) = tiny.answer(call(*OPEN, order(intent=...))).cards
    assert "A sedative is taken." not in card.detail


@pytest.mark.parametrize(
    "members",
    [{"text": {"div": 1}}, {"meta": 7}, {"extension": "x"}, {"contained": [{}]}],
)
def test_a_fault_in_what_nobody_reads_sets_nothing_aside(
    tiny: CDSService, members: dict[str, Any]
) -> None:
    (card,) = tiny.answer(call(*OPEN, observation(2.4, **members))).cards
    assert card.indicator == "critical"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The type of each resource that the FHIR models looked at, beginning with nothing known."""
    types: list[str] = []
    model = get_fhir_model_class("Condition")
    original = model.model_validate

    def look(value: Resource) -> object:
        types.append(value["resourceType"])
        return original(value)

    monkeypatch.setattr(model, "model_validate", look)
    monkeypatch.setattr(validation, "_valid", set())
    return types


def test_what_was_found_valid_is_known_when_it_comes_again(asked: list[str]) -> None:
    first, again = condition(ANXIETY, id="c1"), condition(ANXIETY, id="c1")
    assert validation.invalid_resources([first]) == validation.invalid_resources([again]) == []
    assert asked == ["Condition"]


def test_what_changed_is_validated_anew_and_what_is_not_read_may_change(asked: list[str]) -> None:
    for members in ({}, {"meta": {"versionId": "2"}}, {"recordedDate": "2026-11-01"}):
        assert validation.invalid_resources([condition(ANXIETY, id="c1", **members)]) == []
    assert asked == ["Condition"] * 2


def test_what_is_invalid_stays_invalid(asked: list[str]) -> None:
    bad = condition(ANXIETY, onsetDateTime="in spring")
    assert [validation.invalid_resources([bad]) for _ in range(2)] == [[bad], [bad]]
    assert asked == ["Condition"] * 2


def test_only_so_many_are_remembered(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_MOST_REMEMBERED", 2)
    for number in range(5):
        validation.invalid_resources([condition(ANXIETY, id=f"c{number}")])
        assert len(validation._valid) <= 2


def test_without_the_required_data_one_warning_says_that_nothing_was_checked(
    tiny: CDSService,
) -> None:
    answer = tiny.unavailable(call(states={"patient": Retrieval.MISSING}))
    (card,) = answer.cards
    assert card.summary == "Legs could not be checked: the data could not be had."
    assert (card.indicator, card.rules, card.suggestions) == ("warning", (), ())
    assert card.detail == "**Nothing was checked:** nothing arrived.\n\nKnowledge tiny-1"
    assert (answer.applied, answer.unknown) == ((), ())
    assert answer.missing == ("conditions", "patient")


def test_what_came_in_vain_is_not_looked_at_for_that_warning(tiny: CDSService) -> None:
    assert tiny.unavailable(call(*OPEN)) == tiny.unavailable(call())
