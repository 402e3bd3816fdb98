"""The suppression policy, row by row: which answers suppress which cards, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import builders
import pytest

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card, Trace, TracedRule
from cds_service.knowledge.content.suppression import (
    Answered,
    Away,
    Reader,
    accepted,
    longest,
    suppressed,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
GRACE, ANYONE = Reader("grace", "e1"), Reader("someone", "elsewhere")
REASONS = [
    "action-completed",
    "patient-ineligible",
    "need-more-info",
    "risk-benefit-ratio",
    "taper-agreed",
    "data-wrong",
    "rule-wrong",
    None,
]


def _card(slot: str, indicator: str, *rules: str, fingerprint: str = "same") -> Card:
    traced = tuple(TracedRule(id_, "1.0.0", indicator) for id_ in rules or ("R30",))
    # A line beside the card, of a rule that does not make it.
    traced = (*traced, TracedRule("R77", "1.0.0", "info"))
    trace = Trace(traced, {})
    return builders.card(slot=slot, indicator=indicator, fingerprint=fingerprint, trace=trace)


def _by(
    service: CDSService,
    card: Card,
    outcome: str,
    reason: str | None,
    ago: timedelta,
    **members: Any,
) -> str | None:
    """The row that keeps a card away after one answer, given so long ago."""
    reader = members.pop("reader", GRACE)
    whole: dict[str, Any] = {
        "slot": card.slot,
        "fingerprint": "same",
        "outcome": outcome,
        "reason": reason,
        "at": NOW - ago,
        "user": "grace",
        "encounter": "e1",
    }
    answers = [Answered(**whole | members)]
    found = suppressed(service.suppression, [card], answers, now=NOW, reader=reader)
    away = found.get(card.uuid)
    return away.row.id if away else None


# -- info differential: as long as the answer means ----------------------------------------------


@pytest.mark.parametrize(
    ("reason", "row", "lasts"),
    [
        ("limited-time", "differential-for-now", DAY),
        ("wrong-time-workflow", "differential-for-now", DAY),
        ("need-more-info", "differential-awaiting", 14 * DAY),
        ("patient-ineligible", "differential-answered", 90 * DAY),
        ("action-unsuccessful", "differential-answered", 90 * DAY),
        ("patient-refuses", "differential-answered", 90 * DAY),
        ("expert-contradicts", "differential-answered", 90 * DAY),
        ("rule-wrong", "differential-answered", 90 * DAY),
        (None, "differential-dismissed", DAY),
    ],
)
def test_the_differential_stays_away_as_long_as_the_answer_means(
    service: CDSService, reason: str | None, row: str, lasts: timedelta
) -> None:
    card = _card("differential", "info")
    another = Reader("someone", "e1")
    assert _by(service, card, "overridden", reason, lasts, reader=another) == row
    assert _by(service, card, "overridden", reason, lasts + SECOND, reader=another) is None
    assert _by(service, card, "accepted", reason, HOUR) is None


def test_every_reason_that_the_differential_offers_has_its_row(service: CDSService) -> None:
    card = _card("differential", "info")
    (slot,) = (slot for slot in service.slots if slot.id == "differential")
    for offered in slot.override_reasons["info"]:
        assert _by(service, card, "overridden", offered.code, HOUR), offered.code


@pytest.mark.parametrize(
    ("then", "now", "is_away"),
    [("e1", "e1", True), ("e1", "e2", False), ("e1", None, True), (None, "e2", True)],
)
def test_not_now_ends_with_the_encounter(
    service: CDSService, then: str | None, now: str | None, is_away: bool
) -> None:
    card = _card("differential", "info")
    reader = Reader("grace", now)
    row = _by(service, card, "overridden", "limited-time", HOUR, reader=reader, encounter=then)
    assert (row == "differential-for-now") is is_away


def test_not_my_role_is_for_the_one_who_said_so(service: CDSService) -> None:
    card = _card("differential", "info")
    own = _by(service, card, "overridden", "inappropriate-recipient", 90 * DAY)
    assert own == "differential-not-my-role"
    other = Reader("boris", "e1")
    assert _by(service, card, "overridden", "inappropriate-recipient", HOUR, reader=other) is None


def test_a_tolerated_serotonergic_pair_stays_away_for_a_year(service: CDSService) -> None:
    card, other = _card("active-drug", "warning", "R74"), _card("active-drug", "warning", "R51")
    tolerated = "action-performed-no-adverse-effect"
    assert _by(service, card, "overridden", tolerated, 365 * DAY) == "combination-tolerated"
    assert _by(service, card, "overridden", tolerated, 365 * DAY + SECOND) is None
    assert _by(service, other, "overridden", tolerated, 31 * DAY) is None


def _accepted(service: CDSService, card: Card, ago: timedelta, **members: Any) -> frozenset[str]:
    whole = Answered(
        **{"slot": card.slot, "fingerprint": "other", "outcome": "accepted", "reason": None},
        **{"at": NOW - ago, "user": "grace", "encounter": "e1", "accepted": ("S1 potassium",)},
    )
    answers = [replace(whole, **members)]
    return accepted(service.suppression, card, answers, now=NOW, reader=ANYONE)


def test_what_was_accepted_is_not_suggested_to_anybody_for_14_days(service: CDSService) -> None:
    card = _card("differential", "info")
    assert _accepted(service, card, 14 * DAY) == {"S1 potassium"}
    assert _accepted(service, card, 14 * DAY + SECOND) == frozenset()
    assert _accepted(service, card, HOUR, outcome="overridden") == frozenset()
    assert _accepted(service, _card("finding", "critical"), HOUR) == frozenset()


# -- warning: overridden with a reason, 30 days; R52 and R61 with "taper agreed", 90 days --------


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason])
@pytest.mark.parametrize("slot", ["finding", "active-drug"])
def test_a_warning_overridden_with_a_reason_is_away_for_30_days(
    service: CDSService, slot: str, reason: str
) -> None:
    card = _card(slot, "warning")
    assert _by(service, card, "overridden", reason, 30 * DAY, reader=ANYONE) == "warning-overridden"
    assert _by(service, card, "overridden", reason, 30 * DAY + SECOND) is None


@pytest.mark.parametrize("slot", ["finding", "active-drug"])
def test_a_warning_accepted_or_overridden_without_a_reason_comes_again(
    service: CDSService, slot: str
) -> None:
    card = _card(slot, "warning")
    assert _by(service, card, "overridden", None, HOUR) is None
    assert _by(service, card, "accepted", None, HOUR) is None


@pytest.mark.parametrize("rules", [("R52",), ("R61",), ("R61", "R52")])
def test_a_taper_that_was_agreed_keeps_the_warning_away_for_90_days(
    service: CDSService, rules: tuple[str, ...]
) -> None:
    card = _card("active-drug", "warning", *rules)
    assert _by(service, card, "overridden", "taper-agreed", 90 * DAY) == "taper-agreed"
    assert _by(service, card, "overridden", "taper-agreed", 90 * DAY + SECOND) is None
    assert _by(service, card, "overridden", "risk-benefit-ratio", 31 * DAY) is None
    assert _by(service, card, "accepted", "taper-agreed", HOUR) is None


def test_another_hazard_on_the_same_card_is_not_covered_by_the_taper(service: CDSService) -> None:
    card = _card("active-drug", "warning", "R61", "R70")
    assert _by(service, card, "overridden", "taper-agreed", 31 * DAY) is None
    assert _by(service, card, "overridden", "taper-agreed", DAY) == "warning-overridden"


# -- critical, and suicide risk: "already being addressed", 24 hours, the user who said so --------


@pytest.mark.parametrize(
    "slot, indicator, row",
    [
        ("finding", "critical", "critical-being-addressed"),
        ("active-drug", "critical", "critical-being-addressed"),
        ("suicide", "critical", "suicide-risk-assessed"),
        ("suicide", "warning", "suicide-risk-assessed"),
    ],
)
@pytest.mark.parametrize(
    "reader, is_away",
    [
        (Reader("grace", "e1"), True),
        (Reader("grace", "e2"), True),
        (Reader("grace", None), True),
        (Reader("boris", "e1"), False),
        (Reader("boris", "e2"), False),
        (Reader("boris", None), False),
        (Reader("grace", "e1", is_identified=False), False),
        (Reader("grace", "e1", is_shared=True), False),
    ],
)
def test_a_card_that_is_being_addressed_is_a_line_for_24_hours_for_who_said_so(
    service: CDSService, slot: str, indicator: str, row: str, reader: Reader, is_away: bool
) -> None:
    card = _card(slot, indicator)
    answer = ("overridden", "action-completed")
    assert _by(service, card, *answer, 24 * HOUR, reader=reader) == (row if is_away else None)
    assert _by(service, card, *answer, 24 * HOUR + SECOND, reader=reader) is None
    assert _by(service, card, *answer, HOUR, by_shared_user=True) is None
    if indicator == "warning":
        assert _by(service, card, "overridden", "data-wrong", HOUR) is None


def test_every_row_for_critical_cards_leaves_a_line(service: CDSService) -> None:
    rows = [row for row in service.suppression if "critical" in row.indicators]
    assert len(rows) == 2 and all(row.keeps_critical_cards_in_sight for row in rows)


@pytest.mark.parametrize(
    "change",
    [
        {"leaves": None},
        {"same": ()},
        {"same": ("encounter",)},
        {"same": ("user", "encounter")},
        {"identified": False},
        {"within": 24 * HOUR + SECOND},
    ],
)
def test_no_other_row_touches_a_critical_card_whatever_the_content_says(
    service: CDSService, change: dict[str, Any]
) -> None:
    policy = [replace(row, **change) for row in service.suppression]
    for slot in ("finding", "active-drug", "suicide"):
        card = _card(slot, "critical")
        answer = Answered(slot, "same", "overridden", "action-completed", NOW - HOUR, "grace", "e1")
        assert suppressed(policy, [card], [answer], now=NOW, reader=GRACE) == {}


def test_the_line_says_since_when(service: CDSService) -> None:
    card = _card("finding", "critical")
    times = [NOW - 30 * HOUR, NOW - 5 * HOUR, NOW - HOUR]
    answers = [
        Answered("finding", "same", "overridden", "action-completed", at, "grace", None)
        for at in times
    ]
    [away] = suppressed(service.suppression, [card], answers, now=NOW, reader=GRACE).values()
    assert (away.since, away.row.leaves) == (NOW - 5 * HOUR, "being-addressed")


def test_an_answer_from_the_future_keeps_nothing_away(service: CDSService) -> None:
    for card in (_card("finding", "critical"), _card("differential", "info")):
        assert _by(service, card, "overridden", "action-completed", -SECOND)
        assert _by(service, card, "overridden", "action-completed", -HOUR) is None


@pytest.mark.parametrize("slot", ["finding", "active-drug"])
def test_for_a_shared_user_no_warning_stays_away_and_none_by_a_shared_user(
    service: CDSService, slot: str
) -> None:
    card = _card(slot, "warning")
    answer = ("overridden", "data-wrong", HOUR)
    assert _by(service, card, *answer)
    assert _by(service, card, *answer, reader=replace(GRACE, is_shared=True)) is None
    assert _by(service, card, *answer, by_shared_user=True) is None


@pytest.mark.parametrize("slot", ["finding", "active-drug", "suicide"])
@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason != "action-completed"])
def test_no_other_answer_keeps_a_critical_card_away(
    service: CDSService, slot: str, reason: str | None
) -> None:
    card = _card(slot, "critical")
    assert _by(service, card, "overridden", reason, timedelta(0)) is None
    assert _by(service, card, "accepted", reason, timedelta(0)) is None
    assert _by(service, card, "accepted", "action-completed", timedelta(0)) is None


# -- any: data changed, fires again --------------------------------------------------------------


@pytest.mark.parametrize(
    "slot, indicator",
    [
        ("finding", "critical"),
        ("finding", "warning"),
        ("suicide", "critical"),
        ("suicide", "warning"),
        ("active-drug", "critical"),
        ("active-drug", "warning"),
        ("differential", "info"),
    ],
)
def test_every_card_can_be_answered_and_comes_again_with_other_evidence(
    service: CDSService, slot: str, indicator: str
) -> None:
    card = _card(slot, indicator)
    answer = ("overridden", "action-completed", HOUR)
    assert _by(service, card, *answer)
    assert _by(service, replace(card, fingerprint="other"), *answer) is None
    assert _by(service, card, *answer, slot="elsewhere") is None
    assert _by(service, replace(card, fingerprint=""), *answer, fingerprint="") is None


def test_a_condition_keeps_its_cards_away_and_no_others(service: CDSService) -> None:
    def away(card: Card) -> set[str]:
        held = ["work-up-ordered"]
        found = suppressed(service.suppression, [card], [], now=NOW, reader=GRACE, held=held)
        return {away.row.id for away in found.values()}

    assert away(_card("differential", "info")) == {"work-up-ordered"}
    assert away(_card("differential", "info", fingerprint="")) == set()
    for slot in ("finding", "suicide", "active-drug"):
        for indicator in ("critical", "warning"):
            assert away(_card(slot, indicator)) == set()


def test_only_the_card_that_was_answered_stays_away(service: CDSService) -> None:
    first = replace(_card("active-drug", "critical"), uuid="first")
    second = replace(_card("active-drug", "critical", fingerprint="second"), uuid="second")
    answer = Answered("active-drug", "second", "overridden", "action-completed", NOW, "grace", None)
    found = suppressed(service.suppression, [first, second], [answer], now=NOW, reader=GRACE)
    [row] = [row for row in service.suppression if row.id == "critical-being-addressed"]
    assert found == {"second": Away(row, NOW)}


def test_answers_older_than_the_longest_row_do_not_matter(service: CDSService) -> None:
    assert longest(service.suppression) == 365 * DAY
    assert longest(()) == timedelta(0)


def test_taper_agreed_is_offered_only_where_a_taper_is_the_matter(service: CDSService) -> None:
    (slot,) = (slot for slot in service.slots if slot.id == "active-drug")
    assert slot.only_with == {"taper-agreed": ("R52", "R61")}
    (offered,) = (each for each in slot.override_reasons["warning"] if each.code == "taper-agreed")
    assert offered.system == "urn:cds-service:override-reasons"
