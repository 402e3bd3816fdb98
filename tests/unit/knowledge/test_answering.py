"""From a call to its cards, resting on valid resources only."""

from __future__ import annotations

from typing import Any

import pytest
from resources import (
    ANXIETY,
    WEAKNESS,
    call,
    condition,
    observation,
    order,
    patient,
)

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Retrieval

OPEN = (patient(), condition(ANXIETY), condition(WEAKNESS))


def test_an_answer_tells_what_applied_what_is_unknown_and_what_lacked(tiny: CDSService) -> None:
    states = {"medicationRequests": Retrieval.INCOMPLETE, "surveys": Retrieval.FAILED}
    answer = tiny.answer(call(*OPEN, order(), states=states))
    assert answer.applied == ("S3",)
    assert sorted(answer.unknown) == ["S2", "S4", "S6"]
    assert sorted(answer.missing) == ["potassium", "worry_score"]


@pytest.mark.parametrize(
    "members",
    [{"text": {"div": 1}}, {"meta": 7}, {"extension": "x"}, {"contained": [{}]}],
)
def test_a_fault_in_what_nobody_reads_sets_nothing_aside(
    tiny: CDSService, members: dict[str, Any]
) -> None:
    (card,) = tiny.answer(call(*OPEN, observation(2.4, **members))).cards
    assert card.indicator == "critical"


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
