"""The figures of the report, on both databases: every card is counted once, as what it became."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from seeds import Seeds

from cds_service.store import Store, figures
from cds_service.store.figures import CallCount, Period

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERIOD = Period(NOW - timedelta(days=30), NOW, NOW - timedelta(days=1))
DAY = timedelta(days=1)


@pytest.fixture
def seeds(store: Store) -> Seeds:
    return Seeds(store, NOW - 3 * DAY)


def _id(name: str) -> str:
    """The rule of a name `service/rule`."""
    service, _, rule = name.partition("/")
    assert service == "anxiety-leg-weakness"
    return rule


def _counts(store: Store) -> dict[tuple[str, str, str], int]:
    with store.reading() as connection:
        counts = figures.rule_counts(connection, PERIOD)
    sums: Counter[tuple[str, str, str]] = Counter()
    for each in counts:
        sums[_id(each.rule), each.version, each.became] += each.cards
    return dict(sums)


def _reasons(store: Store) -> dict[tuple[str, str | None], int]:
    with store.reading() as connection:
        counts = figures.rule_counts(connection, PERIOD)
    overridden = [each for each in counts if each.became == "overridden"]
    return {(_id(each.rule), each.reason): each.cards for each in overridden}


def test_an_empty_store_gives_empty_figures(store: Store) -> None:
    with store.reading() as connection:
        found: Iterable[Any] = (
            figures.rule_counts(connection, PERIOD),
            figures.days_of_cards(connection, PERIOD),
            figures.call_counts(connection, PERIOD, ["patient-view"]),
            figures.complaints(connection, PERIOD, ["rule-wrong"], 10),
        )
    assert all(each == [] for each in found)


def test_a_card_is_counted_as_what_became_of_it(store: Store, seeds: Seeds) -> None:
    seeds.accept(seeds.card("R51"))
    seeds.override(seeds.card("R51"), "patient-ineligible")
    seeds.card("R51")
    seeds.card("R51", at=NOW - timedelta(hours=1))
    seeds.card("R51", state="suppressed")
    seeds.card("R51", state="shadow")
    became = ("accepted", "overridden", "ignored", "waiting", "suppressed", "shadow")
    assert _counts(store) == {("R51", "1.0.0", each): 1 for each in became}


def test_every_rule_of_a_card_is_counted_and_versions_are_kept_apart(
    store: Store, seeds: Seeds
) -> None:
    seeds.accept(seeds.card("R51", "R12"))
    seeds.accept(seeds.card("R51", version="2.0.0"))
    assert _counts(store) == {
        ("R51", "1.0.0", "accepted"): 1,
        ("R12", "1.0.0", "accepted"): 1,
        ("R51", "2.0.0", "accepted"): 1,
    }


def test_of_several_entries_about_one_card_the_first_counts(store: Store, seeds: Seeds) -> None:
    card = seeds.card("R51")
    seeds.override(card, "rule-wrong")
    seeds.override(card, "data-wrong", at=NOW - DAY)
    seeds.accept(card)
    assert _counts(store) == {("R51", "1.0.0", "overridden"): 1}
    assert _reasons(store) == {("R51", "rule-wrong"): 1}


def test_a_warning_that_is_told_on_the_information_card_counts_for_its_own_card_alone(
    store: Store, seeds: Seeds
) -> None:
    seeds.accept(seeds.card("R20", indicator="critical"))
    told = seeds.card("R28", indicator="info", also={"R20": "critical", "C2": "listed"})
    seeds.override(told, "rule-wrong")
    assert _counts(store) == {
        ("R20", "1.0.0", "accepted"): 1,
        ("R28", "1.0.0", "overridden"): 1,
        ("C2", "1.0.0", "overridden"): 1,
    }
    assert _reasons(store) == {("R28", "rule-wrong"): 1, ("C2", "rule-wrong"): 1}
    with store.reading() as connection:
        [complaint] = figures.complaints(connection, PERIOD, ["rule-wrong"], 10)
    assert sorted(map(_id, complaint.rules)) == ["C2", "R28"]


def test_a_reason_that_did_not_stand_on_the_card_is_none(store: Store, seeds: Seeds) -> None:
    seeds.override(seeds.card("R51"), "made up")
    assert _counts(store) == {("R51", "1.0.0", "overridden"): 1}
    assert _reasons(store) == {("R51", None): 1}


def test_cards_outside_of_the_period_are_not_counted(store: Store, seeds: Seeds) -> None:
    seeds.card("R51", at=PERIOD.since - timedelta(microseconds=1))
    seeds.card("R52", at=PERIOD.since)
    seeds.card("R53", at=NOW)
    assert _counts(store) == {("R52", "1.0.0", "ignored"): 1}


def test_reasons_are_counted_by_rule_also_where_none_was_given(store: Store, seeds: Seeds) -> None:
    seeds.override(seeds.card("R51", "R12"), "rule-wrong")
    seeds.override(seeds.card("R51"), None)
    assert _reasons(store) == {("R51", "rule-wrong"): 1, ("R12", "rule-wrong"): 1, ("R51", None): 1}


def test_days_are_those_of_utc(store: Store, seeds: Seeds) -> None:
    for at in ("2026-11-20T23:59:59.999+00:00", "2026-11-21T00:30:00+02:00"):
        seeds.call(at=datetime.fromisoformat(at))
        seeds.card("R51", at=datetime.fromisoformat(at))
    seeds.call(at=NOW - DAY, cards=0)
    seeds.call(at=NOW - DAY, status=412)
    seeds.call(at=NOW - DAY, hook="discovery", cards=0)
    seeds.call(at=NOW - DAY, hook="feedback", cards=0)
    with store.reading() as connection:
        calls: dict[str, Counter[str]] = {}
        for each in figures.call_counts(connection, PERIOD, ["patient-view"]):
            calls.setdefault(each.day, Counter()).update(answered=each.answered, silent=each.silent)
        cards = figures.days_of_cards(connection, PERIOD)
    assert calls["2026-11-20"] == Counter(answered=2)
    assert calls["2026-11-21"] == Counter(answered=1, silent=1)
    assert [(each.day, each.became, each.cards) for each in cards] == [("2026-11-20", "ignored", 2)]


def test_calls_are_counted_by_client_and_tenant(store: Store, seeds: Seeds) -> None:
    north, south = "https://ehr.example.org|north", "https://ehr.example.org|south"
    seeds.call(at=NOW - DAY, client=north, cards=2)
    seeds.call(at=NOW - DAY, client=north, cards=0)
    seeds.call(at=NOW - DAY, client=north, status=412, cards=0)
    seeds.call(at=NOW - DAY, client=south)
    seeds.call(at=NOW - DAY, client=south, hook="discovery", cards=0)
    seeds.call()
    with store.reading() as connection:
        counts = figures.call_counts(connection, PERIOD, ["patient-view"])
    assert sorted(counts, key=lambda each: each.client or "") == [
        CallCount("2026-11-19", None, 1, 0, 0, 1),
        CallCount("2026-11-21", north, 2, 1, 1, 2),
        CallCount("2026-11-21", south, 1, 0, 0, 1),
    ]


def test_complaints_come_newest_first_with_the_rules_of_their_card(
    store: Store, seeds: Seeds
) -> None:
    old = seeds.card("R63", at=NOW - 60 * DAY)
    seeds.override(old, "rule-wrong", at=NOW - 60 * DAY)
    first, second, third = seeds.card("R52", "R51"), seeds.card("R61"), seeds.card("R62")
    seeds.override(first, "rule-wrong", at=NOW - 3 * DAY)
    seeds.override(second, "rule-wrong", at=NOW - 2 * DAY)
    seeds.override(third, "data-wrong", at=NOW - DAY)
    seeds.override("b0000000-0000-4000-8000-000000000000", "rule-wrong", at=NOW - DAY)
    with store.reading() as connection:
        found = figures.complaints(connection, PERIOD, ["rule-wrong"], 10)
        newest = figures.complaints(connection, PERIOD, ["rule-wrong"], 1)
    assert [(each.card, tuple(map(_id, each.rules))) for each in found] == [
        (second, ("R61",)),
        (first, ("R51", "R52")),
    ]
    assert [each.at for each in found] == [NOW - 2 * DAY, NOW - 3 * DAY]
    assert [each.card for each in newest] == [second]
