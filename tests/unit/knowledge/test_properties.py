"""What must hold of every record: order, strangers and gaps never make it look better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from resources import (
    ANXIETY,
    DIAZEPAM,
    LORAZEPAM,
    MORPHINE,
    POTASSIUM,
    PREFETCH_KEYS,
    WEAKNESS,
    allergy,
    concept,
    condition,
    days_ago,
    encounter,
    observation,
    order,
    patient,
    quantity,
    statement,
    worry_score,
)

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Answer, Resource, Retrieval
from cds_service.knowledge.content.words import utf16_length
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.outcomes.evaluation import GateState, evaluate
from cds_service.knowledge.outcomes.judging import judge

from .conftest import AnswerTo, FactsOf, RecordOf

DAYS = st.sampled_from([0, 3, 14, 15, 30, 31, 200, 365, 366, 500])
TEXTS = st.sampled_from(["anxiety", "no anxiety", "leg weakness", "lorazepam", "a pill", "焦虑"])


def problems() -> st.SearchStrategy[Resource]:
    return st.builds(
        lambda code, clinical, verification, days: condition(
            code, clinical=clinical, verification=verification, recordedDate=days_ago(days)
        ),
        st.sampled_from([ANXIETY, WEAKNESS]) | TEXTS.map(lambda text: {"text": text}),
        st.sampled_from(["active", "active", "resolved", None]),
        st.sampled_from(["confirmed", "confirmed", "provisional", "refuted", None]),
        DAYS,
    )


def results() -> st.SearchStrategy[Resource]:
    values = st.sampled_from([2.0, 3.0, 4.0, 6.0, 7.0])
    return (
        st.builds(lambda value, days: observation(value, days=days), values, DAYS)
        | st.builds(lambda value, days: worry_score(value, days=days), st.integers(0, 21), DAYS)
        | st.builds(lambda value: observation(valueQuantity=quantity(value, "ug/L")), values)
        | st.builds(lambda value: observation(value, status="preliminary"), values)
    )


def medicines() -> st.SearchStrategy[Resource]:
    drugs = st.sampled_from([LORAZEPAM, DIAZEPAM, MORPHINE]) | TEXTS.map(
        lambda text: {"text": text}
    )
    statuses = st.sampled_from(["active", "active", "stopped", "on-hold"])
    made = st.sampled_from([order, statement])
    return st.builds(
        lambda make, drug, status, days: make(drug, status=status, days=days),
        made,
        drugs,
        statuses,
        DAYS,
    ) | st.builds(lambda drug, level: allergy(drug, criticality=level), drugs, st.just("high"))


STRANGERS = st.sampled_from(
    [
        condition({"text": "a broken arm"}),
        condition(("http://snomed.info/sct", "1", "something else")),
        observation(80, ("http://loinc.org", "8867-4", "Heart rate")),
        order((LORAZEPAM[0], "161", "acetaminophen")),
        encounter({"text": "a cold"}),
        {"resourceType": "Basic", "id": "x"},
        {"resourceType": "Procedure", "id": "y", "subject": {"reference": "Patient/ada"}},
    ]
)
RECORDS = st.lists(problems() | results() | medicines(), max_size=8)
ANXIOUS = RECORDS.map(lambda more: [patient(), condition(ANXIETY), condition(WEAKNESS), *more])
STATES = st.sampled_from([Retrieval.INCOMPLETE, Retrieval.FAILED, Retrieval.MISSING])
SOME_STATES = st.dictionaries(st.sampled_from(PREFETCH_KEYS), STATES, max_size=3)
OBSERVATIONS = ("potassium", "worry_score", "worry_high", "worry_answer", "due_date")


@given(ANXIOUS.flatmap(lambda given: st.tuples(st.just(given), st.permutations(given))))
def test_the_order_of_resources_does_not_matter(
    answer_to: AnswerTo, orders: tuple[list[Resource], list[Resource]]
) -> None:
    ours, theirs = (answer_to(*each) for each in orders)
    assert _without_names(ours) == _without_names(theirs)


def _without_names(found: Answer) -> Any:
    """Names stand in the order of the record; everything else must be the same."""
    cards = [(card.uuid, card.indicator, card.source, card.rules) for card in found.cards]
    lines = [sorted("".join(sorted(line)) for line in c.detail.split("\n")) for c in found.cards]
    return cards, lines, found.applied, found.unknown, sorted(found.missing)


@given(resources=ANXIOUS, states=SOME_STATES, stranger=STRANGERS, at=st.integers(0, 11))
def test_one_more_unrelated_resource_changes_nothing(
    answer_to: AnswerTo,
    resources: list[Resource],
    states: dict[str, Retrieval],
    stranger: Resource,
    at: int,
) -> None:
    more = [*resources[:at], stranger, *resources[at:]]
    with_stranger, without = answer_to(*more, states=states), answer_to(*resources, states=states)
    # A problem in words that nobody explains is counted, and changes nothing else.
    assert replace(with_stranger, unread=without.unread) == without


@given(resources=ANXIOUS, states=SOME_STATES)
def test_the_same_call_gives_the_same_answer(
    answer_to: AnswerTo, resources: list[Resource], states: dict[str, Retrieval]
) -> None:
    given_twice = [answer_to(*resources, states=states) for _ in range(2)]
    assert given_twice[0] == given_twice[1]


@given(resources=RECORDS, states=SOME_STATES)
def test_without_a_result_no_card_tells_of_one(
    answer_to: AnswerTo, facts_of: FactsOf, resources: list[Resource], states: dict[str, Retrieval]
) -> None:
    without = [each for each in resources if each.get("code") != concept(POTASSIUM)]
    fact = facts_of(*without, states=states)["potassium"]
    assert fact.state in ("missing", "not-retrieved")
    assert fact.value is None and fact.present is not True
    for card in answer_to(*without, states=states).cards:
        assert "mmol/L" not in card.detail + card.summary


@given(resources=ANXIOUS, states=SOME_STATES)
def test_what_is_not_usable_is_named_on_the_differential(
    answer_to: AnswerTo, facts_of: FactsOf, resources: list[Resource], states: dict[str, Retrieval]
) -> None:
    state = facts_of(*resources, states=states)["potassium"].state
    gap = {
        "missing": "- missing: ",
        "stale": "- out of date: ",
        "unreadable": "- unreadable: ",
        "not-retrieved": "- not retrieved: ",
    }.get(state)
    for card in answer_to(*resources, states=states).cards:
        if card.indicator != "info":
            continue
        lines = [line for line in card.detail.split("\n") if gap and gap in line]
        assert (gap is None) or any("potassium" in line for line in lines)
        if gap:
            assert "**Potassium:**" not in card.detail or state in ("stale",)


@given(resources=RECORDS, states=SOME_STATES)
def test_an_incomplete_list_turns_absence_into_the_unknown_and_nothing_else(
    facts_of: FactsOf, resources: list[Resource], states: dict[str, Retrieval]
) -> None:
    whole, part = facts_of(*resources), facts_of(*resources, states=states)
    for name in ("anxiety", "weakness", "sedative", "opioid", "sedative_allergy"):
        assert part[name].present in (whole[name].present, None)
        if whole[name].present is True:
            assert part[name].present is True
    for name in OBSERVATIONS:
        if whole[name].state == "missing" and not whole[name].age_days:
            assert part[name].state in ("missing", "not-retrieved")
        else:
            assert part[name] == whole[name]


@given(resources=ANXIOUS, states=SOME_STATES)
def test_a_danger_is_said_on_an_incomplete_record_as_well(
    answer_to: AnswerTo, resources: list[Resource], states: dict[str, Retrieval]
) -> None:
    dangers = [
        (card.indicator, card.summary)
        for card in answer_to(*resources).cards
        if card.indicator != "info"
    ]
    with_gaps = answer_to(*resources, states=states)
    assert [
        (card.indicator, card.summary) for card in with_gaps.cards if card.indicator != "info"
    ] == dangers


@given(resources=ANXIOUS, states=SOME_STATES)
def test_a_rule_that_was_unknown_is_never_said_not_to_apply_for_lack_of_data(
    answer_to: AnswerTo, resources: list[Resource], states: dict[str, Retrieval]
) -> None:
    part = answer_to(*resources, states=states)
    whole = answer_to(*resources)
    for rule in set(whole.unknown) - set(whole.applied):
        assert rule in part.unknown


@settings(max_examples=200)
@given(resources=ANXIOUS, states=SOME_STATES)
def test_every_card_can_be_sent(
    answer_to: AnswerTo, resources: list[Resource], states: dict[str, Retrieval]
) -> None:
    for language in ("en", "es"):
        found = answer_to(*resources, states=states, language=language)
        assert len(found.cards) <= 4
        assert len({card.uuid for card in found.cards}) == len(found.cards)
        for card in found.cards:
            assert 0 < utf16_length(card.summary) < 140
            assert "\n" not in card.summary
            assert "{{" not in card.detail + card.summary
            assert "None" not in card.detail + card.summary
            assert "Bleeding" not in card.detail


@given(drug=st.sampled_from([LORAZEPAM, DIAZEPAM]), resources=ANXIOUS, states=SOME_STATES)
def test_no_answer_holds_an_order_for_a_medicine(
    answer_to: AnswerTo, drug: tuple[str, str, str], resources: list[Resource], states: Any
) -> None:
    for card in answer_to(*resources, allergy(drug), states=states).cards:
        for suggestion in card.suggestions:
            kinds = {action.resource["resourceType"] for action in suggestion.actions}
            assert kinds == {"ServiceRequest"}


@pytest.mark.parametrize("drug", [LORAZEPAM, DIAZEPAM, MORPHINE])
def test_an_allergy_is_read_by_code_and_by_words_alike(
    facts_of: FactsOf, drug: tuple[str, str, str]
) -> None:
    by_code = facts_of(allergy(concept(drug)))["sedative_allergy"].present
    by_words = facts_of(allergy({"text": drug[2]}))["sedative_allergy"].present
    assert by_code is by_words


@given(resources=ANXIOUS, states=SOME_STATES)
def test_every_rule_comes_out_as_if_all_rules_were_judged(
    tiny: CDSService, record_of: RecordOf, resources: list[Resource], states: dict[str, Retrieval]
) -> None:
    record = record_of(*resources, states=states)
    evaluation = evaluate(tiny, record, tiny.relevance)
    assume(evaluation.gate is GateState.OPEN and not evaluation.facts.conflicts)
    for rule in tiny.rules:
        outcome = judge(rule, Facts(tiny.facts, record))
        found = evaluation.outcomes[rule.id]
        assert (found.level, found.unknown) == (outcome.level, outcome.unknown)
