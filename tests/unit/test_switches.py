"""The operator's switches on the project's own rules."""

from __future__ import annotations

import pytest

from cds_service import create_app
from cds_service.errors import SettingsError
from cds_service.knowledge import CDSService, Knowledge
from cds_service.knowledge.outcomes.muting import can_be_muted
from cds_service.settings import Settings
from cds_service.switches import switched

ID = "anxiety-leg-weakness"


def test_without_switches_the_knowledge_is_the_same(cards: Knowledge) -> None:
    assert switched(cards, Settings()) is cards


def test_a_service_knows_its_disabled_and_its_watched_rules(cards: Knowledge) -> None:
    settings = Settings(disabled_rules=("R51",), shadow_rules=("R51", "R61"))
    service = switched(cards, settings).services[ID]
    assert (service.disabled, service.shadow) == ({"R51"}, {"R61"})
    assert cards.services[ID].disabled == frozenset()


@pytest.mark.parametrize("name", ["disabled_rules", "shadow_rules"])
def test_a_rule_that_is_nowhere_stops_the_start_and_is_named(cards: Knowledge, name: str) -> None:
    with pytest.raises(SettingsError, match=f"CDS_{name.upper()}: there is no rule R999"):
        create_app(Settings(**{name: ("R51", "R999")}), cards)


@pytest.mark.parametrize("rule", ["R01", "R02", "R03", "R04", "R05", "R11", "R12"])
def test_a_rule_that_protects_stops_the_start_and_is_named(cards: Knowledge, rule: str) -> None:
    with pytest.raises(SettingsError, match=f"CDS_DISABLED_RULES: {rule} protects"):
        create_app(Settings(disabled_rules=(rule,)), cards)


def test_every_rule_with_a_card_of_its_own_can_be_switched_off(service: CDSService) -> None:
    kept = [rule.id for rule in service.rules if rule.slot and not can_be_muted(service, rule)]
    assert kept == []
