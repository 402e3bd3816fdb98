"""What the record says of a medicine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resources import (
    DIAZEPAM,
    LORAZEPAM,
    MORPHINE,
    bounded,
    days_ago,
    order,
    statement,
    supplied,
)

from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.facts.medication import MedicationDefinition, read_medication
from cds_service.knowledge.record.statements import Unsure

from .conftest import FactsOf, RecordOf

DAYS = st.integers(-400, 4000).map(days_ago)
PAGE = {"medicationRequests": Retrieval.INCOMPLETE}


@pytest.mark.parametrize(
    ("status", "active", "uncertain"),
    [
        ("active", True, False),
        ("on-hold", True, True),
        ("unknown", True, True),
        (..., True, True),
        ("Active", True, False),
        (" ACTIVE ", True, False),
        ("aktiv", True, False),
        ("On Hold", True, True),
        ("on_hold", True, True),
        ("odd", True, True),
        (["active"], True, True),
        ("completed", True, True),
        ("stopped", False, False),
        ("inactive", False, False),
        ("Cancelled", False, False),
        ("cancelled", False, False),
        ("entered-in-error", False, False),
        ("draft", False, False),
    ],
)
def test_the_status_of_an_order_decides_whether_it_is_in_force(
    facts_of: FactsOf, status: object, active: bool, uncertain: bool
) -> None:
    fact = facts_of(order(status=status))["sedative"]
    assert (fact.active, fact.uncertain) == (active, uncertain)
    assert (fact.value, fact.present) == (active, active)


@pytest.mark.parametrize("intent", ["proposal", "option", "Proposal"])
def test_what_was_only_proposed_is_not_taken(facts_of: FactsOf, intent: str) -> None:
    fact = facts_of(order(intent=intent))["sedative"]
    assert (fact.active, fact.recent) == (False, False)


@pytest.mark.parametrize(
    ("status", "active"), [("active", True), ("Active", True), ("unknown", False), (..., False)]
)
def test_a_plan_that_is_active_may_be_taken(
    facts_of: FactsOf, status: object, active: bool
) -> None:
    fact = facts_of(order(intent="plan", status=status))["sedative"]
    assert (fact.active, fact.uncertain) == (active, active)


def test_a_statement_counts_as_an_order_does(facts_of: FactsOf) -> None:
    fact = facts_of(statement(days=40))["sedative"]
    assert (fact.active, fact.duration_days, fact.date) == (True, 40.0, days_ago(40))


def step(**repeat: Any) -> Resource:
    """One step of a dosage."""
    return {"timing": {"repeat": repeat}}


def days_long(days: int) -> Resource:
    """A duration as a UCUM quantity."""
    return {"value": days, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d"}


def until(days: int) -> list[dict[str, Any]]:
    """What ends the use of an order of 50 days ago so many days ago."""
    lasts = 50 - days
    return [
        {"dosageInstruction": bounded(days_ago(50), days_ago(days))},
        {"dosageInstruction": [step(boundsDuration=days_long(lasts))]},
        {"dosageInstruction": [step(boundsRange={"high": days_long(lasts)})]},
        {"dosageInstruction": [step(boundsDuration=days_long(each)) for each in (5, lasts - 5)]},
        {"dosageInstruction": bounded(None, days_ago(days + 5)) + bounded(None, days_ago(days))},
        {"dispenseRequest": supplied(lasts)},
        {"dispenseRequest": supplied(lasts / 5, numberOfRepeatsAllowed=4)},
        {"dispenseRequest": {"expectedSupplyDuration": {"value": lasts, "unit": "Days"}}},
        {"dispenseRequest": {"expectedSupplyDuration": {"value": lasts, "unit": " Tage"}}},
        {"dispenseRequest": supplied(lasts) | {"validityPeriod": {"end": days_ago(46)}}},
        {"dispenseRequest": supplied(5), "dosageInstruction": bounded(None, days_ago(days))},
        {"dispenseRequest": supplied(lasts), "dosageInstruction": bounded(None, days_ago(45))},
    ]


@pytest.mark.parametrize("members", until(14))
def test_what_ran_out_fourteen_days_ago_is_taken_for_all_we_know(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    fact = facts_of(order(days=50, **members))["sedative"]
    assert (fact.active, fact.recent, fact.uncertain) == (True, True, False)
    assert (fact.ended_days, fact.ran_out_days, fact.stopped_days) == (None, None, None)


@pytest.mark.parametrize("members", until(15))
def test_an_order_whose_supply_ran_out_is_in_force_and_uncertain(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    fact = facts_of(order(days=50, **members))["sedative"]
    assert (fact.active, fact.recent, fact.uncertain) == (True, True, True)
    assert (fact.ended_days, fact.ran_out_days, fact.stopped_days) == (15.0, 15.0, None)
    assert (fact.covered_days, fact.duration_days) == (35.0, 50.0)
    assert isinstance(fact.names[0], Unsure)


@pytest.mark.parametrize(
    "members",
    [
        {"dispenseRequest": {"validityPeriod": {"start": days_ago(50), "end": days_ago(46)}}},
        {"dosageInstruction": [*bounded(None, days_ago(40)), *bounded(days_ago(39), None)]},
        {"dosageInstruction": [*bounded(None, days_ago(40)), {"text": "thereafter 1 mg"}]},
        {"dosageInstruction": [step(boundsDuration=days_long(7)), step(frequency=1)]},
    ],
)
def test_a_window_for_dispensing_and_the_first_steps_of_a_taper_end_nothing(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    fact = facts_of(order(days=50, **members))["sedative"]
    assert (fact.active, fact.uncertain, fact.ended_days) == (True, False, None)


@pytest.mark.parametrize(
    ("days", "members", "active"),
    [
        (50, {"dispenseRequest": supplied(90)}, True),
        (50, {"dosageInstruction": bounded(None, days_ago(-1))}, True),
        (30, {}, True),
        (31, {}, False),
        (50, {"dispenseRequest": supplied(50)}, False),
        (5, {"dispenseRequest": supplied(3)}, False),
    ],
)
def test_a_completed_prescription_with_supply_left_or_of_late_may_be_taken(
    facts_of: FactsOf, days: int, members: dict[str, Any], active: bool
) -> None:
    fact = facts_of(order(days=days, status="completed", **members))["sedative"]
    assert (fact.active, fact.uncertain, fact.stopped_days) == (active, active, None)


@pytest.mark.parametrize(
    ("status", "end", "active", "stopped"),
    [
        ("completed", days_ago(6), False, 6.0),
        ("stopped", days_ago(6), False, 6.0),
        ("completed", days_ago(-6), True, None),
        ("active", days_ago(6), True, None),
        ("active", days_ago(60), True, None),
    ],
)
def test_a_statement_ended_if_its_status_and_its_period_say_so(
    facts_of: FactsOf, status: str, end: str, active: bool, stopped: float | None
) -> None:
    period = {"start": days_ago(90), "end": end}
    fact = facts_of(statement(status=status, effectivePeriod=period))["sedative"]
    assert (fact.active, fact.stopped_days) == (active, stopped)


def test_a_stop_after_an_order_that_was_never_closed_is_told(facts_of: FactsOf) -> None:
    forgotten = order(days=400, dispenseRequest=supplied(30))
    stopped = order(days=50, status="stopped", dosageInstruction=bounded(None, days_ago(10)))
    fact = facts_of(forgotten, stopped)["sedative"]
    assert (fact.active, fact.ended_days, fact.stopped_days) == (True, 10.0, 10.0)


_ENDS = st.fixed_dictionaries(
    {},
    optional={
        "dispenseRequest": st.fixed_dictionaries(
            {},
            optional={
                "validityPeriod": st.fixed_dictionaries({}, optional={"start": DAYS, "end": DAYS}),
                "expectedSupplyDuration": st.fixed_dictionaries(
                    {"value": st.integers(-5, 4000)},
                    optional={"code": st.sampled_from(["d", "wk", "mo", "a", "odd"])},
                ),
                "numberOfRepeatsAllowed": st.integers(-2, 12),
            },
        ),
        "dosageInstruction": st.lists(
            st.one_of(
                st.builds(lambda end: step(boundsPeriod={"end": end}), DAYS),
                st.builds(lambda days: step(boundsDuration=days_long(days)), st.integers(0, 400)),
                st.just({"text": "as needed"}),
            ),
            max_size=3,
        ),
        "effectivePeriod": st.fixed_dictionaries({"end": DAYS}),
    },
)


@given(ends=_ENDS, days=st.integers(0, 800), status=st.sampled_from(["active", "on-hold", "odd"]))
def test_the_end_of_a_prescription_never_ends_the_use(
    facts_of: FactsOf, ends: dict[str, Any], days: int, status: str
) -> None:
    made = order if "effectivePeriod" not in ends else statement
    fact = facts_of(made(days=days, status=status, **ends))["sedative"]
    assert (fact.active, fact.recent, fact.stopped_days) == (True, True, None)
    assert fact.ran_out_days is None or fact.uncertain


@pytest.mark.parametrize(("days", "recent"), [(15, True), (30, True), (31, False), (400, False)])
def test_a_medicine_is_recent_for_thirty_days_after_its_end(
    facts_of: FactsOf, days: int, recent: bool
) -> None:
    ended = order(days=500, status="stopped", dosageInstruction=bounded(None, days_ago(days)))
    fact = facts_of(ended)["sedative"]
    assert (fact.recent, fact.stopped_days, fact.stop_unknown) == (recent, float(days), False)


@pytest.mark.parametrize(("days", "recent"), [(20, None), (365, None), (366, False)])
def test_a_stop_without_a_date_may_have_been_lately(
    facts_of: FactsOf, days: int, recent: bool | None
) -> None:
    fact = facts_of(order(days=days, status="stopped"))["sedative"]
    assert (fact.active, fact.recent) == (False, recent)
    assert (fact.stopped_days, fact.stop_unknown) == (None, True)


def test_one_known_stop_does_not_hide_an_unknown_one(facts_of: FactsOf) -> None:
    known = order(days=90, status="stopped", dosageInstruction=bounded(None, days_ago(60)))
    fact = facts_of(known, order(days=90, status="stopped"))["sedative"]
    assert (fact.stopped_days, fact.stop_unknown, fact.recent) == (60.0, True, None)


def test_a_stopped_order_whose_plan_reaches_on_ended_today_at_the_latest(
    facts_of: FactsOf,
) -> None:
    ended = order(status="stopped", dosageInstruction=bounded(None, days_ago(-30)))
    assert facts_of(ended)["sedative"].stopped_days == 0.0


@pytest.mark.parametrize(("days", "uncertain"), [(365, False), (366, True)])
def test_an_open_order_of_over_a_year_may_be_forgotten(
    facts_of: FactsOf, days: int, uncertain: bool
) -> None:
    fact = facts_of(order(days=days))["sedative"]
    assert (fact.active, fact.uncertain) == (True, uncertain)


def test_an_old_order_with_an_end_ahead_is_not_forgotten(facts_of: FactsOf) -> None:
    fact = facts_of(order(days=500, dosageInstruction=bounded(None, days_ago(-5))))["sedative"]
    assert (fact.active, fact.uncertain) == (True, False)


def test_an_end_at_the_end_of_time_is_an_open_order(facts_of: FactsOf) -> None:
    fact = facts_of(order(dosageInstruction=bounded(None, "9999-12-31")))["sedative"]
    assert fact.active is True


def test_words_alone_make_a_medicine_uncertain(facts_of: FactsOf) -> None:
    fact = facts_of(order({"text": "LORazepam 1 mg"}))["sedative"]
    assert (fact.active, fact.uncertain) == (True, True)


def test_one_certain_order_is_enough(facts_of: FactsOf) -> None:
    assert not facts_of(order(status="on-hold"), order())["sedative"].uncertain


@pytest.mark.parametrize(("days", "active"), [(0, True), (-1, False)])
def test_an_order_counts_from_its_day_on(facts_of: FactsOf, days: int, active: bool) -> None:
    assert facts_of(order(days=days))["sedative"].active is active


@pytest.mark.parametrize(("gap", "duration"), [(14, 100.0), (15, 40.0)])
def test_orders_up_to_fourteen_days_apart_are_one_course(
    facts_of: FactsOf, gap: int, duration: float
) -> None:
    earlier = order(
        days=100, status="completed", dosageInstruction=bounded(None, days_ago(40 + gap))
    )
    later = order(days=40)
    for both in ((earlier, later), (later, earlier)):
        assert facts_of(*both)["sedative"].duration_days == duration


def test_a_course_reaches_back_over_many_orders(facts_of: FactsOf) -> None:
    courses = [
        order(days=start, status="completed", dispenseRequest=supplied(28))
        for start in (130, 100, 70, 40)
    ]
    assert facts_of(*courses, order(days=10))["sedative"].duration_days == 130.0


def test_a_short_order_inside_a_long_one_breaks_no_course(facts_of: FactsOf) -> None:
    long = order(days=200)
    short = order(days=100, status="completed", dosageInstruction=bounded(None, days_ago(90)))
    assert facts_of(short, long)["sedative"].duration_days == 200.0


def test_an_order_without_a_start_has_no_duration(facts_of: FactsOf) -> None:
    fact = facts_of(order(authoredOn=...))["sedative"]
    assert (fact.active, fact.duration_days, fact.date) == (True, None, None)


def test_two_drugs_overlap_for_as_long_as_the_shorter_one(facts_of: FactsOf) -> None:
    fact = facts_of(order(days=90), order(DIAZEPAM, days=30), order(DIAZEPAM, days=10))["sedative"]
    assert (fact.count, fact.overlap_days) == (2, 30)
    assert fact.names == ("lorazepam", "diazepam")


def test_names_come_in_the_order_in_which_a_fact_lists_its_value_sets(
    record_of: RecordOf,
) -> None:
    record = record_of(order(LORAZEPAM), statement(MORPHINE))
    for value_sets in (("opioids", "sedatives"), ("sedatives", "opioids")):
        names = read_medication(MedicationDefinition(value_sets), record).names
        assert names == tuple(
            {"opioids": "morphine", "sedatives": "lorazepam"}[each] for each in value_sets
        )


def test_one_drug_under_two_names_is_one_drug(facts_of: FactsOf) -> None:
    other_name = (LORAZEPAM[0], LORAZEPAM[1], "Ativan")
    fact = facts_of(order(), order(other_name))["sedative"]
    assert (fact.count, fact.overlap_days) == (1, None)


def test_drugs_that_ended_are_not_counted(facts_of: FactsOf) -> None:
    assert facts_of(order(), order(DIAZEPAM, status="stopped"))["sedative"].count == 1


@pytest.mark.parametrize(
    ("reason", "intolerance", "ineffective"),
    [
        ({"text": "side effects: drowsy"}, True, False),
        ({"text": "Did not help"}, False, True),
        ([{"text": "rash"}, {"text": "no benefit"}], True, True),
        ({"text": "moved away"}, False, False),
        ("rash", False, False),
        (None, False, False),
    ],
)
def test_the_reason_for_a_stop_is_read_from_its_words(
    facts_of: FactsOf, reason: object, intolerance: bool, ineffective: bool
) -> None:
    fact = facts_of(order(status="stopped", statusReason=reason))["sedative"]
    assert (fact.intolerance, fact.ineffective) == (intolerance, ineffective)


def test_the_reason_of_an_earlier_stop_counts_while_the_medicine_is_taken_again(
    facts_of: FactsOf,
) -> None:
    fact = facts_of(order(status="stopped", statusReason={"text": "rash"}), order())["sedative"]
    assert (fact.active, fact.intolerance) == (True, True)


def test_active_and_stopped_at_once_counts_as_active(facts_of: FactsOf) -> None:
    assert facts_of(order(), order(status="stopped"))["sedative"].active is True


@pytest.mark.parametrize(
    ("given", "states", "active"),
    [
        ([], {}, False),
        ([], PAGE, None),
        ([], {"medicationRequests": Retrieval.MISSING}, None),
        ([], {"medicationRequests": Retrieval.FAILED}, None),
        ([], {"medicationStatements": Retrieval.MISSING}, False),
        ([], {"medicationStatements": Retrieval.INCOMPLETE}, None),
        ([order()], PAGE, True),
        ([order(status="stopped")], PAGE, None),
    ],
)
def test_only_whole_lists_tell_that_a_medicine_is_not_taken(
    facts_of: FactsOf,
    given: list[Resource],
    states: dict[str, Retrieval],
    active: bool | None,
) -> None:
    fact = facts_of(*given, states=states)["sedative"]
    assert fact.active is active
    if not given:
        assert fact.recent is active


@pytest.mark.parametrize(
    "supply",
    [
        *({"value": "30", "code": "d"}, {"value": 30, "code": "fortnight"}, {"code": "d"}, [], 30),
        *({"value": 0, "code": "d"}, {"value": -5, "code": "d"}, {"value": 99999, "code": "d"}),
    ],
)
def test_a_supply_that_cannot_be_read_leaves_the_order_open(
    facts_of: FactsOf, supply: object
) -> None:
    given = order(days=300, dispenseRequest={"expectedSupplyDuration": supply})
    assert facts_of(given)["sedative"].active is True


@pytest.mark.parametrize(("code", "value"), [("wk", 5), ("d", 35), ("weeks", 5)])
def test_a_supply_may_be_told_in_weeks(facts_of: FactsOf, code: str, value: int) -> None:
    duration = {"value": value, "unit": code}
    given = order(days=50, dispenseRequest={"expectedSupplyDuration": duration})
    assert facts_of(given)["sedative"].ran_out_days == 15.0


def test_an_order_of_a_class_and_of_its_drug_are_both_found(facts_of: FactsOf) -> None:
    atc = ("http://www.whocc.no/atc", "N05BA12", "alprazolam")
    facts = facts_of(order(atc))
    assert facts["sedative"].names == ("alprazolam",)
    assert facts["opioid"].active is False
