"""Outcomes and words become at most four cards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from resources import (
    ANXIETY,
    LORAZEPAM,
    MORPHINE,
    WEAKNESS,
    allergy,
    call,
    concept,
    condition,
    observation,
    order,
    patient,
    worry_score,
)

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card, Resource, Retrieval, Source
from cds_service.knowledge.content.words import utf16_length

OPEN = (patient(), condition(ANXIETY, id="c1"), condition(WEAKNESS, id="c2"))
OLD = (patient(birthDate="1950-01-01"), *OPEN[1:])
BOTH_DRUGS = (order(LORAZEPAM), order(MORPHINE))
SEVERE = allergy(criticality="high")


@pytest.fixture
def cards(tiny: CDSService) -> Any:
    def make(*given: Resource, service: CDSService = tiny, **members: Any) -> tuple[Card, ...]:
        return service.answer(call(*given, **members)).cards

    return make


def indicators(cards: tuple[Card, ...]) -> list[str]:
    return [card.indicator for card in cards]


def test_a_closed_gate_gives_no_card(cards: Any) -> None:
    assert cards(patient()) == ()


def test_an_open_gate_gives_the_differential(cards: Any) -> None:
    (card,) = cards(*OPEN, worry_score(12), observation(4.0))
    assert card.indicator == "info"
    assert card.summary == "Weakness with anxiety: worry has most support."
    assert card.rules == ("S2", "WORRY", "TENSION")
    assert card.detail == "\n\n".join(
        [
            "**Look first.**",
            "**Before anything else**",
            "- **Potassium:** 4 mmol/L",
            "**Causes**",
            "- **Worry** – worry score 12; anxiety is new; anxiety is confirmed.\n"
            "  - Worry tires.\n"
            "  - **Measures**\n"
            "    - **Breathing:** Slowly.\n"
            "  - **Classes**\n"
            "    - **Calming**\n"
            "      - Lorazepam\n"
            "      - Diazepam\n"
            "- **Tension, as a pattern of worry** – weakness on record (Muscle weakness).\n"
            "  - Tension tires legs.\n"
            "  - **Measures**\n"
            "    - Breathing ↑",
            "Knowledge tiny-1 · S2 WORRY TENSION",
        ]
    )


def test_an_unchecked_gate_gives_a_card_that_says_so(cards: Any) -> None:
    (card,) = cards(patient(), states={"conditions": Retrieval.FAILED})
    assert card.summary == "Legs could not be checked: the problem list came incomplete."
    assert (card.indicator, card.rules) == ("info", ())
    assert "**Not checked:** only a part arrived." in card.detail


def test_a_warning_has_a_card_of_its_own_before_the_differential(cards: Any) -> None:
    first, second = cards(*OPEN, observation(3.0))
    assert (first.indicator, first.summary) == ("warning", "Potassium 3 mmol/L is out of range.")
    assert second.indicator == "info"
    assert "Potassium" not in second.detail.replace("potassium is low", "")


def test_a_critical_finding_silences_the_differential(cards: Any) -> None:
    (card,) = cards(*OPEN, observation(2.4), worry_score(12))
    assert card.indicator == "critical"
    assert card.summary == "Potassium 2.4 mmol/L on 2026-11-19 with leg weakness: look at it now."
    assert card.detail.startswith("**Measured:** 3 days ago\n\nKnowledge")


def test_a_critical_finding_silences_mere_warnings_about_drugs_but_no_critical_one(
    cards: Any,
) -> None:
    assert indicators(cards(*OPEN, *BOTH_DRUGS, observation(2.4))) == ["critical"]
    assert indicators(cards(*OLD, *BOTH_DRUGS, observation(2.4))) == ["critical", "critical"]


def test_a_critical_drug_card_does_not_silence_the_differential(cards: Any) -> None:
    assert indicators(cards(*OLD, *BOTH_DRUGS)) == ["critical", "info"]


def test_warnings_of_one_slot_become_one_card(cards: Any) -> None:
    card, _ = cards(*OPEN, *BOTH_DRUGS, allergy())
    assert card.summary == "lorazepam with morphine: breathing may slow. +1 more"
    assert card.detail.split("\n\n")[:3] == [
        "**Why:** both are active.",
        "**Allergy to lorazepam, which is taken.**",
        "**Taken:** lorazepam",
    ]
    assert card.rules == ("S4", "S5")


def test_a_critical_outcome_comes_first_on_a_merged_card(cards: Any) -> None:
    card, _ = cards(*OPEN, *BOTH_DRUGS, SEVERE)
    assert (card.indicator, card.rules) == ("critical", ("S5", "S4"))
    assert card.summary == "Severe allergy to lorazepam, which is taken."


def test_two_critical_outcomes_are_kept_apart(cards: Any) -> None:
    one, two, _ = cards(*OLD, *BOTH_DRUGS, SEVERE)
    assert (one.indicator, two.indicator) == ("critical", "critical")
    assert (one.rules, two.rules) == (("S4",), ("S5",))
    assert one.uuid != two.uuid


def with_urgency(service: CDSService, **urgencies: int) -> CDSService:
    """The service with other urgencies at every level of these rules."""
    rules = tuple(
        replace(rule, urgency=dict.fromkeys(rule.levels, urgencies[rule.id]))
        if rule.id in urgencies
        else rule
        for rule in service.rules
    )
    return replace(service, rules=rules)


def test_the_most_urgent_of_a_level_gives_the_summary(cards: Any, tiny: CDSService) -> None:
    service = with_urgency(tiny, S4=20, S5=10)
    card, _ = cards(*OPEN, *BOTH_DRUGS, allergy(), service=service)
    assert card.rules == ("S5", "S4")
    assert card.summary == "Allergy to lorazepam, which is taken. +1 more"


def test_cards_of_one_level_come_by_urgency_whatever_their_slot(
    cards: Any, tiny: CDSService
) -> None:
    given = (*OLD, observation(2.4), *BOTH_DRUGS)
    assert [card.rules[0] for card in cards(*given)] == ["S2", "S4"]
    drug_first = with_urgency(tiny, S2=20, S4=10)
    assert [card.rules[0] for card in cards(*given, service=drug_first)] == ["S4", "S2"]


def test_a_summary_that_stands_for_several_critical_ones_says_how_many(
    cards: Any, tiny: CDSService
) -> None:
    together = tuple(replace(slot, keep_apart=None) for slot in tiny.slots)
    card, _ = cards(*OLD, *BOTH_DRUGS, SEVERE, service=replace(tiny, slots=together))
    assert card.rules == ("S4", "S5")
    assert card.summary.endswith(" +1 more critical")
    assert utf16_length(card.summary) < 140


def test_cards_come_by_indicator_and_then_by_slot(cards: Any) -> None:
    found = cards(*OLD, observation(3.0), *BOTH_DRUGS)
    assert [(card.indicator, card.rules[0]) for card in found] == [
        ("critical", "S4"),
        ("warning", "S2"),
        ("info", "S3"),
    ]


def test_beyond_the_limit_information_is_dropped_first(cards: Any, tiny: CDSService) -> None:
    given = (*OLD, observation(3.0), *BOTH_DRUGS, SEVERE)
    assert indicators(cards(*given)) == ["critical", "critical", "warning", "info"]
    fewer = replace(tiny, most_cards=3)
    assert indicators(cards(*given, service=fewer)) == ["critical", "critical", "warning"]


def test_the_same_call_gives_the_same_uuids(cards: Any) -> None:
    given = (*OPEN, observation(3.0))
    again = [card.uuid for card in cards(*given)]
    assert [card.uuid for card in cards(*given)] == again
    assert len(set(again)) == len(again)
    assert all(UUID(uuid).version == 5 for uuid in again)


@pytest.mark.parametrize(
    "members",
    [{"hook_instance": "f2f7d8f0-52ac-4ff3-a6d3-e4b3b3a0f2a4"}, {"patient_id": "bob"}],
)
def test_another_call_gives_other_uuids(cards: Any, members: dict[str, str]) -> None:
    subject = {"reference": f"Patient/{members.get('patient_id', 'ada')}"}
    given = [condition(ANXIETY, subject=subject), condition(WEAKNESS, subject=subject)]
    (ours,), (other,) = cards(*OPEN), cards(*given, **members)
    assert ours.uuid != other.uuid
    assert ours.suggestions[0].uuid != other.suggestions[0].uuid


GUIDE = Source("Guideline for legs (2024)", "https://guideline.example.org/legs")


def test_the_source_is_the_first_with_an_address_that_the_first_rule_rests_on(
    cards: Any,
) -> None:
    warning, differential = cards(*OPEN, observation(3.0))
    assert (warning.rules[0], warning.source) == ("S2", GUIDE)
    assert (differential.rules[0], differential.source) == ("S3", Source("A book about legs"))


def test_a_card_that_rests_on_no_rule_is_the_services_own(cards: Any) -> None:
    (unchecked,) = cards(patient(), states={"conditions": Retrieval.FAILED})
    assert unchecked.source == Source("Legs")


def test_override_reasons_are_those_of_slot_and_indicator(cards: Any) -> None:
    critical, _ = cards(*OLD, *BOTH_DRUGS)
    (reason,) = critical.override_reasons
    assert (reason.system, reason.code, reason.display) == (
        *("https://codes.example.org/reasons", "seen-already", "Seen already"),
    )
    warning, info = cards(*OPEN, *BOTH_DRUGS)
    assert [reason.system for reason in warning.override_reasons] == ["urn:tiny:reasons"]
    assert len(info.override_reasons) == 2


def test_cards_speak_the_language_of_the_call(cards: Any) -> None:
    warning, info = cards(*OPEN, observation(3.0), language="es")
    assert warning.summary.startswith("es: ")
    assert "es: Look first." in info.detail
    assert all(reason.display.startswith("es: ") for reason in warning.override_reasons)


# -- conflicts and limits ----------------------------------------------------------------------


@pytest.mark.parametrize(("values", "said"), [((2.4, 4.0), "2.4"), ((4.0, 6.6), "6.6")])
def test_of_conflicting_readings_the_worse_is_the_one_that_is_shown(
    cards: Any, values: tuple[float, float], said: str
) -> None:
    (card,) = cards(*OPEN, *(observation(value) for value in values))
    assert card.summary.startswith(f"Potassium {said} mmol/L")


def test_a_conflict_is_shown_with_its_other_value(cards: Any) -> None:
    card, _ = cards(*OPEN, observation(3.0), observation(5.0))
    assert card.summary == "Potassium 3 mmol/L is out of range."
    assert "**Other value of the same time:** 5 mmol/L" in card.detail


@pytest.mark.parametrize("letter", ["x", "é", "中", "😀", "𝐀"])
@pytest.mark.parametrize("length", [1, 16, 40, 500])
@pytest.mark.parametrize("count", [1, 2, 12])
def test_a_summary_is_never_too_long(cards: Any, letter: str, length: int, count: int) -> None:
    orders = [
        order(concept(code, text=f"{letter * length}{number}"))
        for code in (LORAZEPAM, MORPHINE)
        for number in range(count)
    ]
    card, _ = cards(*OLD, *orders)
    assert card.indicator == "critical"
    assert utf16_length(card.summary) < 140


# -- suggestions -------------------------------------------------------------------------------


def test_the_differential_proposes_what_is_missing(cards: Any) -> None:
    (card,) = cards(*OPEN, encounter_id="e1")
    (suggestion,) = card.suggestions
    assert suggestion.label == "Propose tests"
    assert [action.description for action in suggestion.actions] == [
        *("Potassium, blood", "Referral for exercise"),
    ]
    assert suggestion.actions[0].resource == {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "2823-3", "display": "Potassium"}],
            "text": "Potassium, blood",
        },
        "subject": {"reference": "Patient/ada"},
        "encounter": {"reference": "Encounter/e1"},
    }
    assert suggestion.actions[1].resource["code"] == {"text": "Referral for exercise"}


def test_what_is_there_is_not_proposed(cards: Any) -> None:
    (card,) = cards(*OPEN, observation(4.0))
    (action,) = card.suggestions[0].actions
    assert action.description == "Referral for exercise"
    assert "encounter" not in action.resource


def test_other_cards_and_unchecked_ones_propose_nothing(cards: Any) -> None:
    warning, _ = cards(*OPEN, observation(3.0))
    (unchecked,) = cards(patient(), states={"conditions": Retrieval.FAILED})
    assert warning.suggestions == unchecked.suggestions == ()
