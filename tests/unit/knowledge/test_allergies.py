"""What the record says of an allergy."""

from __future__ import annotations

from typing import Any

import pytest
from resources import ANAPHYLAXIS, LORAZEPAM, MORPHINE, allergy, concept

from cds_service.knowledge.call import Retrieval

from .conftest import FactsOf

IN_FORCE = {"active": True, None: True, "inactive": False, "resolved": False}
WAS = {
    **{"confirmed": True, "unconfirmed": True, "presumed": True, None: True},
    **{"refuted": False, "entered-in-error": False},
}


@pytest.mark.parametrize("clinical", IN_FORCE)
@pytest.mark.parametrize("verification", WAS)
def test_both_statuses_decide_whether_an_allergy_counts(
    facts_of: FactsOf, clinical: str | None, verification: str | None
) -> None:
    fact = facts_of(allergy(clinical=clinical, verification=verification))["sedative_allergy"]
    assert fact.present is (IN_FORCE[clinical] and WAS[verification])
    assert fact.value is fact.present


@pytest.mark.parametrize(
    "members",
    [
        {"criticality": "high"},
        {"reaction": [{"severity": "severe"}]},
        {"reaction": [{"severity": "mild"}, {"severity": "severe"}]},
        {"reaction": [{"manifestation": [concept(ANAPHYLAXIS)]}]},
        {"reaction": [{"manifestation": [{"text": "rash"}, {"text": "Anaphylactic shock"}]}]},
    ],
)
def test_an_allergy_is_severe_by_criticality_severity_or_manifestation(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    assert facts_of(allergy(**members))["sedative_allergy"].severe is True


@pytest.mark.parametrize(
    "members",
    [
        {"criticality": "low"},
        {"reaction": [{"severity": "mild"}]},
        {"reaction": [{"manifestation": [{"text": "no anaphylaxis"}]}]},
    ],
)
def test_an_allergy_whose_reaction_is_described_as_mild_is_not_severe(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    fact = facts_of(allergy(**members))["sedative_allergy"]
    assert (fact.present, fact.severe) == (True, False)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"criticality": "unable-to-assess"},
        {"reaction": "severe"},
        {"reaction": [None, "severe", []]},
    ],
)
def test_how_severe_an_allergy_is_that_nobody_describes_is_unknown(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    fact = facts_of(allergy(**members))["sedative_allergy"]
    assert (fact.present, fact.severe) == (True, None)


def test_a_severe_allergy_among_others_is_severe(facts_of: FactsOf) -> None:
    assert facts_of(allergy(), allergy(criticality="high"))["sedative_allergy"].severe is True


def test_a_refuted_severe_allergy_is_not_severe(facts_of: FactsOf) -> None:
    refuted = allergy(criticality="high", verification="refuted")
    assert facts_of(allergy(criticality="low"), refuted)["sedative_allergy"].severe is False


def test_the_substance_of_a_reaction_counts(facts_of: FactsOf) -> None:
    given = allergy({"text": "a medicine"}, reaction=[{"substance": concept(LORAZEPAM)}])
    assert facts_of(given)["sedative_allergy"].present is True


def test_an_allergy_to_something_else_is_none(facts_of: FactsOf) -> None:
    fact = facts_of(allergy(MORPHINE))["sedative_allergy"]
    assert (fact.present, fact.severe) == (False, False)


def test_a_history_in_words_is_an_allergy_still(facts_of: FactsOf) -> None:
    given = allergy({"text": "History of reaction to lorazepam"})
    assert facts_of(given)["sedative_allergy"].present is True


@pytest.mark.parametrize("text", ["No lorazepam allergy", "lorazepam ointment"])
def test_negated_or_forbidden_words_are_no_allergy(facts_of: FactsOf, text: str) -> None:
    assert facts_of(allergy({"text": text}))["sedative_allergy"].present is False


def test_an_incomplete_list_leaves_an_absent_allergy_unknown(facts_of: FactsOf) -> None:
    states = {"allergies": Retrieval.INCOMPLETE}
    fact = facts_of(states=states)["sedative_allergy"]
    assert (fact.present, fact.severe) == (None, None)
    assert facts_of(allergy(), states=states)["sedative_allergy"].present is True


def test_names_come_once_each(facts_of: FactsOf) -> None:
    given = [allergy(), allergy(), allergy({"text": "Lorazepam tablets"})]
    fact = facts_of(*given)["sedative_allergy"]
    assert fact.names == ("lorazepam", "Lorazepam tablets")
    assert fact.resources == tuple(given)
