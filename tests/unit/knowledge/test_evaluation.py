"""Outcomes of rules and causes for one patient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from resources import (
    ANXIETY,
    DUE_DATE,
    MORPHINE,
    WEAKNESS,
    WORRY_ANSWER,
    allergy,
    concept,
    condition,
    days_ago,
    observation,
    order,
    patient,
    quantity,
    statement,
    worry_score,
)

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.content.artifacts import Points, Reason
from cds_service.knowledge.expressions.expressions import compile_expression
from cds_service.knowledge.facts.kinds import types_of
from cds_service.knowledge.loading.examples import ExampleFacts
from cds_service.knowledge.outcomes.evaluation import Because, Evaluation, GateState, evaluate
from cds_service.knowledge.outcomes.judging import judge, withholds

from .conftest import RecordOf

OPEN = (patient(), condition(ANXIETY), condition(WEAKNESS))


@pytest.fixture
def evaluated(tiny: CDSService, record_of: RecordOf) -> Any:
    def make(*given: Resource, service: CDSService = tiny, **members: Any) -> Evaluation:
        return evaluate(service, record_of(*given, **members), service.relevance)

    return make


# -- the gate ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "states", "gate"),
    [
        (OPEN, {}, GateState.OPEN),
        ((patient(), condition(WEAKNESS)), {}, GateState.CLOSED),
        ((patient(), condition(ANXIETY)), {}, GateState.CLOSED),
        ((patient(), condition(WEAKNESS), worry_score(10)), {}, GateState.OPEN),
        ((patient(), condition(WEAKNESS), worry_score(9)), {}, GateState.CLOSED),
        ((patient(), condition(ANXIETY)), {"conditions": Retrieval.INCOMPLETE}, "unchecked"),
        ((patient(),), {"conditions": Retrieval.INCOMPLETE}, "unchecked"),
        ((patient(),), {"conditions": Retrieval.FAILED}, "unchecked"),
        (OPEN, {"conditions": Retrieval.INCOMPLETE}, GateState.OPEN),
        ((patient(),), {"surveys": Retrieval.FAILED}, GateState.CLOSED),
        ((patient(deceasedBoolean=True), *OPEN[1:]), {}, GateState.CLOSED),
        ((patient(birthDate=days_ago(17 * 365)), *OPEN[1:]), {}, GateState.CLOSED),
        ((patient(birthDate=...), *OPEN[1:]), {}, GateState.OPEN),
    ],
)
def test_the_gate(
    evaluated: Any, given: tuple[Resource, ...], states: dict[str, Retrieval], gate: str
) -> None:
    evaluation = evaluated(*given, states=states)
    assert evaluation.gate == gate
    assert bool(evaluation.outcomes) is (gate == GateState.OPEN)


def test_a_danger_opens_the_gate_without_a_symptom(evaluated: Any) -> None:
    dangerous = evaluated(patient(), condition(ANXIETY), observation(2.4))
    assert (dangerous.gate, dangerous.by_record) == (GateState.OPEN, False)
    lesser = evaluated(patient(), condition(ANXIETY), observation(3.0))
    assert lesser.gate is GateState.CLOSED


def test_a_lesser_level_opens_the_gate_where_the_rule_says_so(evaluated: Any) -> None:
    given = (patient(), condition(ANXIETY), order(), order(MORPHINE))
    evaluation = evaluated(*given)
    assert (evaluation.gate, evaluation.outcomes["S4"].level) == (GateState.OPEN, "warning")


def test_conflicting_readings_open_the_gate_when_one_of_them_does(evaluated: Any) -> None:
    given = (patient(), condition(WEAKNESS), worry_score(8), worry_score(12))
    assert evaluated(*given).gate is GateState.OPEN


# -- rules -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "level"),
    [(2.4, "critical"), (2.5, "warning"), (3.5, "info"), (5.6, "warning"), (6.6, "critical")],
)
def test_the_worst_level_that_holds_counts(evaluated: Any, value: float, level: str) -> None:
    evaluation = evaluated(*OPEN, observation(value))
    assert evaluation.outcomes["S2"].level == level
    assert evaluation.outcomes["S2"].level is not None


def test_a_rule_that_cannot_be_told_is_unknown(evaluated: Any) -> None:
    outcome = evaluated(*OPEN, order(), states={"medicationRequests": Retrieval.INCOMPLETE})
    assert (outcome.outcomes["S4"].level, outcome.outcomes["S4"].unknown) == (None, True)
    assert outcome.outcomes["S4"].level is None


def test_a_rule_that_does_not_hold_is_known(evaluated: Any) -> None:
    outcome = evaluated(*OPEN, order()).outcomes["S4"]
    assert (outcome.level, outcome.unknown) == (None, False)


def test_a_lower_level_holds_while_a_higher_one_cannot_be_told(evaluated: Any) -> None:
    nobody_knows = (patient(birthDate=...), *OPEN[1:], order(), order(MORPHINE))
    outcome = evaluated(*nobody_knows).outcomes["S4"]
    assert (outcome.level, outcome.unknown) == ("warning", True)


def test_there_is_no_such_rule(evaluated: Any) -> None:
    assert "S99" not in evaluated(*OPEN).outcomes


@pytest.mark.parametrize("values", [(2.4, 4.0), (4.0, 2.4), (4.0, 6.6), (2.4, 6.6)])
def test_of_conflicting_readings_the_worse_counts(
    evaluated: Any, values: tuple[float, float]
) -> None:
    outcome = evaluated(*OPEN, *(observation(value) for value in values)).outcomes["S2"]
    assert outcome.level == "critical"
    assert outcome.facts["potassium"].value in (2.4, 6.6)


# -- withholding -------------------------------------------------------------------------------


def test_a_rule_withholds_while_it_applies(evaluated: Any) -> None:
    evaluation = evaluated(*OPEN, allergy())
    assert evaluation.why_withheld("diazepam") == (Because("S5", "withheld"),)
    assert evaluated(*OPEN).why_withheld("diazepam") == ()


def test_a_rule_withholds_by_its_own_condition(evaluated: Any) -> None:
    stopped = order(MORPHINE, status="stopped", days=2)
    assert evaluated(*OPEN, stopped).why_withheld("CALMING") == ()
    recent = statement(MORPHINE, status="stopped", effectivePeriod={"end": days_ago(2)})
    assert evaluated(*OPEN, recent).why_withheld("CALMING") == (Because("S4", "withheld"),)


def test_each_reason_is_told_once(evaluated: Any) -> None:
    evaluation = evaluated(*OPEN, allergy())
    assert len(evaluation.why_withheld("diazepam", "diazepam", "lorazepam")) == 1


def test_withholding_everything_has_a_name_of_its_own(evaluated: Any) -> None:
    given = (*OPEN, observation(..., DUE_DATE, valueDateTime=days_ago(-100)))
    assert evaluated(*given).why_withheld("drugs") == (Because("S6", "pregnant"),)


def test_only_the_slots_that_every_limiting_rule_allows_remain(
    tiny: CDSService, evaluated: Any
) -> None:
    given = (*OPEN, observation(..., DUE_DATE, valueDateTime=days_ago(-100)), observation(4.0))
    assert evaluated(*given).only_slots == {"finding", "differential"}
    assert evaluated(*OPEN).only_slots is None
    narrower = tuple(
        replace(rule, only_slots=("finding", "active-drug")) if rule.id == "S2" else rule
        for rule in tiny.rules
    )
    service = replace(tiny, rules=narrower)
    assert evaluated(*given, service=service).only_slots == {"finding"}


# -- causes ------------------------------------------------------------------------------------


def points(evaluation: Evaluation) -> dict[str, int]:
    outcomes = (*evaluation.causes, *evaluation.not_listed)
    return {outcome.cause.id: outcome.points for outcome in outcomes}


def test_points_add_up_over_what_holds(evaluated: Any) -> None:
    evaluation = evaluated(*OPEN, worry_score(12))
    assert points(evaluation) == {"WORRY": 4, "TENSION": 2}
    assert evaluation.causes[0].because == ("score", "new", "confirmed")


def test_points_of_one_group_reach_no_further_than_its_limit(evaluated: Any) -> None:
    evaluation = evaluated(*OPEN, worry_score(12), worry_score(12, days=30))
    assert evaluation.causes[0].because == ("score", "new", "confirmed", "twice")
    assert points(evaluation)["WORRY"] == 4


def test_a_cause_with_too_few_points_is_named_nowhere(evaluated: Any) -> None:
    anxious = condition(ANXIETY, recordedDate=days_ago(200), verification="provisional")
    evaluation = evaluated(patient(), anxious, condition(WEAKNESS))
    assert points(evaluation) == {"TENSION": 2}


def test_ties_are_broken_in_the_order_that_the_service_names(
    tiny: CDSService, evaluated: Any
) -> None:
    given = (*OPEN, condition(WEAKNESS, onsetDateTime=days_ago(300)), worry_score(12))
    assert points(evaluated(*given)) == {"TENSION": 4, "WORRY": 4}
    for ties in (("TENSION", "WORRY"), ("WORRY", "TENSION")):
        evaluation = evaluated(*given, service=replace(tiny, ties=ties))
        assert tuple(outcome.cause.id for outcome in evaluation.causes) == ties


def test_an_unmet_requirement_keeps_a_cause_off_the_list(evaluated: Any) -> None:
    words = condition({"text": "anxiety"})
    evaluation = evaluated(patient(), words, condition(WEAKNESS), worry_score(12))
    assert [(each.cause.id, each.unmet) for each in evaluation.not_listed] == [
        ("WORRY", ("certain",))
    ]
    assert not evaluation.not_listed[0].is_possible


def test_an_exclusion_keeps_a_cause_off_the_list(evaluated: Any) -> None:
    evaluation = evaluated(*OPEN, worry_score(12), observation(3.4))
    assert [(each.cause.id, each.excluded) for each in evaluation.not_listed] == [
        ("WORRY", ("potassium",))
    ]


def test_an_exclusion_in_one_of_conflicting_readings_is_enough(evaluated: Any) -> None:
    for values in ((3.4, 4.0), (4.0, 3.4)):
        results = [observation(value) for value in values]
        evaluation = evaluated(*OPEN, worry_score(12), *results)
        assert [each.cause.id for each in evaluation.not_listed] == ["WORRY"]


def test_points_count_only_what_holds_in_every_reading(evaluated: Any) -> None:
    evaluation = evaluated(*OPEN, worry_score(12), worry_score(8))
    assert "score" not in evaluation.causes[-1].because
    assert points(evaluation)["WORRY"] == 2


def test_a_conflict_in_a_fact_that_only_a_cause_reads_earns_no_points(
    tiny: CDSService, evaluated: Any
) -> None:
    calm = compile_expression("%worry_answer.value = 0", types_of(tiny.facts))
    by_answer = (Points(2, 2, (Reason(calm, "weakness"),)),)
    causes = tuple(
        replace(cause, points=by_answer) if cause.id == "TENSION" else cause
        for cause in tiny.causes
    )
    answers = [
        observation(..., WORRY_ANSWER, valueCodeableConcept=concept(("http://loinc.org", code, "")))
        for code in ("LA6571-9", "LA6568-5")
    ]
    service = replace(tiny, causes=causes)
    assert "TENSION" in points(evaluated(*OPEN, answers[1], service=service))
    assert "TENSION" not in points(evaluated(*OPEN, *answers, service=service))


def test_a_withheld_cause_is_excluded(tiny: CDSService, evaluated: Any) -> None:
    for item in ("TENSION", "causes"):
        rules = tuple(
            replace(rule, withhold=(replace(rule.withhold[0], items=(item,)),))
            if rule.id == "S5"
            else rule
            for rule in tiny.rules
        )
        evaluation = evaluated(*OPEN, allergy(), service=replace(tiny, rules=rules))
        excluded = {each.cause.id: each.excluded for each in evaluation.not_listed}
        assert excluded["TENSION"] == ("withheld",)


def test_an_unknown_never_earns_points_nor_excludes(evaluated: Any) -> None:
    odd = observation(valueQuantity=quantity(3.0, "ug/L"))
    evaluation = evaluated(*OPEN, worry_score(12), odd)
    assert [each.cause.id for each in evaluation.causes] == ["WORRY", "TENSION"]


def test_a_value_that_cannot_be_read_withholds_what_depends_on_it(service: CDSService) -> None:
    (rule,) = (rule for rule in service.rules if rule.id == "R81")
    withhold = rule.withhold[0]
    unread = ExampleFacts(service.facts, {"egfr.state": "unreadable", "egfr.value": None})
    missing = ExampleFacts(service.facts, {})
    assert withholds(withhold, judge(rule, unread), [unread])
    assert not withholds(withhold, judge(rule, missing), [missing])
