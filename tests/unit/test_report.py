"""The report: rates, flags, days, and what is counted as which reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from databases import sqlite_with_schema
from hypothesis import given
from hypothesis import strategies as st
from seeds import Seeds

from cds_service.current_knowledge import switched
from cds_service.knowledge import Knowledge
from cds_service.report.catalogue import Catalogue, catalogue_of
from cds_service.report.counting import read_since, report
from cds_service.report.figures import Report, RuleFigures, rate
from cds_service.report.plots import MOST_STEPS, plots, whole_steps
from cds_service.report.tables import tables
from cds_service.settings import Settings
from cds_service.store import Store, open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
SERVICE = "anxiety-leg-weakness"
CATALOGUE = Catalogue(
    version="2026.11.1",
    services=(),
    hooks=frozenset({"patient-view"}),
    titles={f"{SERVICE}/R51": "Two sedatives"},
    fixed=frozenset({f"{SERVICE}/R12"}),
    reasons={"data-wrong": "The data is wrong"},
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(sqlite_with_schema(tmp_path / "store.sqlite3"))
    assert opened is not None
    yield opened
    opened.close()


@pytest.fixture
def seeds(store: Store) -> Seeds:
    return Seeds(store, NOW - timedelta(days=3))


def _report(store: Store, **settings: Any) -> Report:
    return report(store, CATALOGUE, Settings(**settings), NOW, WEEK)


def _rule(made: Report, id_: str = "R51") -> RuleFigures:
    [found] = [each for each in made.rules if each.rule == f"{SERVICE}/{id_}"]
    return found


def _answered(seeds: Seeds, *, accepted: int, overridden: int, rule: str = "R51") -> None:
    for _ in range(accepted):
        seeds.accept(seeds.card(rule))
    for _ in range(overridden):
        seeds.override(seeds.card(rule), None)


@pytest.mark.parametrize(
    "part, whole, low, high",
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(part: int, whole: int, low: float, high: float) -> None:
    found = rate(part, whole)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_there_is_no_rate_of_nothing() -> None:
    assert rate(0, 0) is None


@pytest.mark.parametrize("text, hours", [("12h", 12), ("30d", 720), ("4w", 672)])
def test_since_is_a_number_of_hours_days_or_weeks(text: str, hours: int) -> None:
    assert read_since(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "30", "0d", "-1d", "1.5d", "30 d", "99999w", "d", "²d"])
def test_any_other_since_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 12h, 30d or 4w"):
        read_since(text)


def test_an_empty_store_makes_an_empty_report(store: Store) -> None:
    made = _report(store)
    assert (made.calls, made.shown, made.rules) == (0, 0, [])
    assert (made.cards_per_call, made.silence_rate, made.override_rate) == (None, None, None)
    assert [day.day for day in made.days][::7] == ["2026-11-15", "2026-11-22"]


def test_cards_per_call_and_silence_are_those_of_answered_calls(store: Store, seeds: Seeds) -> None:
    for cards in (0, 0, 0, 1):
        seeds.call(cards=cards)
    seeds.card("R51")
    made = _report(store)
    assert (made.calls, made.cards_per_call) == (4, 0.25)
    assert made.silence_rate is not None and made.silence_rate.share == 0.75


@pytest.mark.parametrize(
    "accepted, overridden, flag",
    [
        (21, 79, ""),
        (20, 80, "possible"),
        (10, 90, "clear"),
        (0, 9, ""),
        (0, 10, "possible"),
        (0, 0, ""),
    ],
)
def test_a_rule_is_flagged_from_the_threshold_on(
    store: Store, seeds: Seeds, accepted: int, overridden: int, flag: str
) -> None:
    seeds.card("R51")
    _answered(seeds, accepted=accepted, overridden=overridden)
    assert _rule(_report(store)).flag == flag


def test_the_threshold_can_be_set(store: Store, seeds: Seeds) -> None:
    _answered(seeds, accepted=5, overridden=5)
    assert _rule(_report(store, override_threshold=51)).flag == ""
    made = _report(store, override_threshold=50)
    assert [each.rule for each in made.flagged] == [f"{SERVICE}/R51"]


def test_ignored_cards_are_no_answers(store: Store, seeds: Seeds) -> None:
    _answered(seeds, accepted=1, overridden=1)
    for _ in range(8):
        seeds.card("R51")
    rule = _rule(_report(store))
    assert (rule.shown, rule.ignored) == (10, 8)
    assert rule.override_rate is not None and rule.override_rate.share == 0.5


def test_a_rule_that_holds_whatever_the_record_says_is_never_to_review(
    store: Store, seeds: Seeds
) -> None:
    _answered(seeds, accepted=0, overridden=20, rule="R12")
    made = _report(store)
    assert made.flagged == [] and made.clinical == []
    assert [each.rule for each in made.fixed] == [f"{SERVICE}/R12"]
    assert tables(made)["rules"].rows == [] and len(tables(made)["fixedRules"].rows) == 1
    assert set(plots(made)) == {"days"}


def test_every_id_has_its_title_beside_it_and_every_reason_its_words(
    store: Store, seeds: Seeds
) -> None:
    for reason in ("data-wrong", "of my own", None):
        seeds.override(seeds.card("R51", reasons=["data-wrong", "of my own"]), reason)
    made = tables(_report(store))
    reasons = made["reasons"].records()
    assert {reason["title"] for reason in reasons} == {"Two sedatives"}
    assert {reason["reason"]: reason["words"] for reason in reasons} == {
        "data-wrong": "The data is wrong",
        "other": "Another reason",
        "none given": "No reason given",
    }
    [complaint] = made["dataWrong"].records()
    assert (complaint["rules"], complaint["titles"]) == (f"{SERVICE}/R51", "Two sedatives")
    drawn = plots(_report(store))["rates"]
    for drawing in (drawn.wide, drawn.narrow):
        assert "R51 Two sedatives" in [label.text for label in drawing.labels]


def test_days_on_which_nothing_happened_stand_in_no_table(store: Store, seeds: Seeds) -> None:
    seeds.call(at=NOW - timedelta(days=2))
    seeds.card("R51", at=NOW - timedelta(days=4), state="suppressed")
    made = _report(store)
    assert len(made.days) == 8
    assert [row[0] for row in tables(made)["days"].rows] == ["2026-11-18", "2026-11-20"]


def test_flagged_rules_come_first_then_those_shown_most(store: Store, seeds: Seeds) -> None:
    _answered(seeds, accepted=5, overridden=0, rule="R1")
    _answered(seeds, accepted=9, overridden=0, rule="R2")
    _answered(seeds, accepted=0, overridden=10, rule="R3")
    rules = [each.rule for each in _report(store).rules]
    assert rules == [f"{SERVICE}/R3", f"{SERVICE}/R2", f"{SERVICE}/R1"]


def test_a_reason_that_no_card_offers_is_other_and_its_text_is_not_told(
    store: Store, seeds: Seeds
) -> None:
    reasons = ("data-wrong", "Mrs Example does not want it")
    for reason in (*reasons, None):
        seeds.override(seeds.card("R51", reasons=reasons), reason)
    assert _rule(_report(store)).reasons == {"data-wrong": 1, "other": 1, "none given": 1}


def test_switched_rules_are_told_even_if_nothing_came_of_them(
    store: Store, seeds: Seeds, cards: Knowledge
) -> None:
    seeds.card("R51", state="shadow")
    settings = Settings(disabled_rules=("R52",), shadow_rules=(f"{SERVICE}/R51",))
    catalogue = catalogue_of(switched(cards, settings))
    made = report(store, replace(CATALOGUE, services=catalogue.services), settings, NOW, WEEK)
    assert {each.rule: each.switch for each in made.rules} == {
        f"{SERVICE}/R51": "shadow",
        f"{SERVICE}/R52": "disabled",
    }
    assert (_rule(made).shadow, _rule(made).shown, _rule(made).title) == (1, 0, "Two sedatives")


def test_the_catalogue_knows_every_title_and_every_reason(cards: Knowledge) -> None:
    catalogue = catalogue_of(switched(cards, Settings(disabled_rules=("R51",))))
    service, *_ = catalogue.services
    assert {"rule-wrong", "data-wrong", "patient-refuses"} <= set(catalogue.reasons)
    assert catalogue.reasons["patient-ineligible"] == "Does not apply to this patient"
    assert {f"{SERVICE}/R12", f"{SERVICE}/R28"} <= catalogue.fixed
    assert f"{SERVICE}/R51" not in catalogue.fixed
    assert catalogue.titles[f"{SERVICE}/R51"] and catalogue.titles[f"{SERVICE}/C4"]
    assert [rule.id for rule in service.switched] == ["R51"]
    assert [rule.id for rule in service.rules][:3] == ["R01", "R02", "R03"]


@given(st.integers(0, 10_000_000))
def test_an_axis_has_few_whole_steps_and_ends_just_above_the_highest_value(highest: int) -> None:
    steps = whole_steps(highest)
    size = steps[1]
    assert steps[0] == 0 and 2 <= len(steps) <= MOST_STEPS + 1
    assert {after - before for before, after in zip(steps, steps[1:], strict=False)} == {size}
    assert str(size).rstrip("0") in ("1", "2", "5")
    assert highest <= steps[-1] < max(highest, 1) + size
