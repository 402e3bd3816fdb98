"""Two answers to the same call: which cards appear, vanish or change, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_service.knowledge.call import Answer, Card, Coding, Source, Suggestion, Trace, TracedRule
from cds_service.knowledge.comparison import CardChange, card_changes


def card(*rules: str, level: str = "warning", slot: str = "finding", **members: Any) -> Card:
    made = Card(
        uuid="1",
        summary="Look",
        indicator=level,
        detail="Why\n\n*Draft.* Knowledge 1.0 · R1",
        source=Source("A book"),
        rules=rules,
        slot=slot,
        trace=Trace(tuple(TracedRule(rule, "1.0.0", level) for rule in rules), {}),
    )
    return replace(made, **members)


def answer(*cards: Card, applied: tuple[str, ...] = (), unknown: tuple[str, ...] = ()) -> Answer:
    return Answer(cards, applied, unknown, ())


def told(change: CardChange) -> tuple[str, str, str, str]:
    return change.change, change.slot, change.was, change.becomes


def test_equal_answers_differ_in_nothing() -> None:
    assert card_changes(answer(), answer()) == ()
    assert card_changes(answer(card("R1")), answer(card("R1", uuid="2", fingerprint="f"))) == ()


def test_a_card_appears_and_another_vanishes() -> None:
    [change] = card_changes(answer(), answer(card("R1")))
    assert told(change) == ("appears", "finding", "none", "warning")
    assert change.because == ("R1: does not apply -> warning",)
    [change] = card_changes(answer(card("R1")), answer(unknown=("R1",)))
    assert told(change) == ("vanishes", "finding", "warning", "none")
    assert change.because == ("R1: warning -> unknown",)


def test_a_rule_that_is_said_elsewhere_is_not_said_to_be_away() -> None:
    [change] = card_changes(answer(card("R1")), answer(applied=("R1",)))
    assert change.because == ("R1: warning -> applies, not on this card",)


@pytest.mark.parametrize(
    "members, because",
    [
        ({"summary": "See"}, "summary"),
        ({"detail": "Whence\n\n*Draft.* Knowledge 1.0 · R1"}, "detail"),
        ({"indicator": "critical"}, "indicator"),
        ({"source": Source("Another book")}, "source"),
        ({"suggestions": (Suggestion("1", "Test", ()),)}, "suggestions"),
        ({"override_reasons": (Coding("s", "c", "d"),)}, "override reasons"),
    ],
)
def test_each_part_of_a_card_may_change(members: dict[str, object], because: str) -> None:
    [change] = card_changes(answer(card("R1")), answer(card("R1", **members)))
    assert change.change == "changes" and change.because == (because,)


def test_the_version_of_the_content_alone_is_no_change() -> None:
    newer = card("R1", detail="Why\n\n*Draft.* Knowledge 2.0 · R1")
    assert card_changes(answer(card("R1")), answer(newer), ("1.0", "2.0")) == ()
    assert card_changes(answer(card("R1")), answer(newer)) != ()


def test_a_version_inside_the_text_is_text() -> None:
    older, newer = (card("R1", detail=f"Over {n} days\n\nKnowledge {n}") for n in ("1.0", "2.0"))
    [change] = card_changes(answer(older), answer(newer), ("1.0", "2.0"))
    assert change.because == ("detail",)


def test_cards_of_a_slot_are_paired_by_the_rules_that_they_share() -> None:
    before = answer(card("R1"), card("R2", "R3"))
    after = answer(card("R3", "R2", "R4"), card("R1"))
    [change] = card_changes(before, after)
    assert change.before is before.cards[1] and change.after is after.cards[0]
    assert change.because == ("R4: does not apply -> warning",)


def test_cards_of_two_slots_are_never_one() -> None:
    changes = card_changes(answer(card("R1")), answer(card("R1", slot="drug")))
    assert [change.change for change in changes] == ["vanishes", "appears"]
