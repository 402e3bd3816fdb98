"""The operator's switches on the project's own rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cds_service import create_app
from cds_service.current_knowledge import switched
from cds_service.errors import SettingsError
from cds_service.knowledge import CDSService, Knowledge
from cds_service.knowledge.outcomes.muting import can_be_muted
from cds_service.settings import Settings

ID = "anxiety-leg-weakness"


def test_without_switches_the_knowledge_is_the_same(cards: Knowledge) -> None:
    assert switched(cards, Settings()) is cards


def test_a_service_knows_its_disabled_and_its_watched_rules(cards: Knowledge) -> None:
    settings = Settings(disabled_rules=("R51",), shadow_rules=("R51", "R61"))
    service = switched(cards, settings).services[ID]
    assert (service.disabled, service.shadow) == ({"R51"}, {"R61"})
    assert cards.services[ID].disabled == frozenset()


def _twins(cards: Knowledge) -> Knowledge:
    """The same rules in two services."""
    twin = replace(cards.services[ID], id="twin")
    return replace(cards, services={ID: cards.services[ID], "twin": twin})


def test_a_rule_may_be_named_with_its_service(cards: Knowledge) -> None:
    switched_cards = switched(_twins(cards), Settings(disabled_rules=("twin/R51",)))
    disabled = {id_: service.disabled for id_, service in switched_cards.services.items()}
    assert disabled == {ID: frozenset(), "twin": {"R51"}}


def test_an_id_of_two_services_stops_the_start_and_both_are_named(cards: Knowledge) -> None:
    both = f"CDS_SHADOW_RULES: several services have a rule R51: write {ID}/R51 or twin/R51"
    with pytest.raises(SettingsError, match=both):
        switched(_twins(cards), Settings(shadow_rules=("R51",)))


@pytest.mark.parametrize("name", ["disabled_rules", "shadow_rules"])
@pytest.mark.parametrize("rule", ["R999", "twin/R51", f"{ID}/R999"])
def test_a_rule_that_is_nowhere_stops_the_start_and_is_named(
    cards: Knowledge, name: str, rule: str
) -> None:
    with pytest.raises(SettingsError, match=f"CDS_{name.upper()}: there is no rule {rule}"):
        create_app(Settings(**{name: ("R51", rule)}), cards)


@pytest.mark.parametrize("rule", ["R01", "R02", "R03", "R04", "R05", "R11", "R12"])
def test_a_rule_that_protects_stops_the_start_and_is_named(cards: Knowledge, rule: str) -> None:
    with pytest.raises(SettingsError, match=f"CDS_DISABLED_RULES: {rule} protects"):
        create_app(Settings(disabled_rules=(rule,)), cards)


def test_every_rule_with_a_card_of_its_own_can_be_switched_off(service: CDSService) -> None:
    kept = [rule.id for rule in service.rules if rule.slot and not can_be_muted(service, rule)]
    assert kept == []
