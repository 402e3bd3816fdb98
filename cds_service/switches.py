"""What an operator switches: rules that are not to speak, and rules that are only watched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar, cast

from cds_service.errors import SettingsError
from cds_service.knowledge import CDSService, Knowledge
from cds_service.knowledge.outcomes.muting import can_be_muted
from cds_service.settings import Settings

AnyKnowledge = TypeVar("AnyKnowledge")


def switched(knowledge: AnyKnowledge, settings: Settings) -> AnyKnowledge:
    """The knowledge with the rules of CDS_DISABLED_RULES and CDS_SHADOW_RULES muted.

    Raises SettingsError for a rule that is nowhere, or that protects and must speak.
    """
    if not settings.disabled_rules and not settings.shadow_rules:
        return knowledge
    ours = cast(Knowledge, knowledge)
    services = ours.services.values()
    _check("CDS_DISABLED_RULES", settings.disabled_rules, services)
    _check("CDS_SHADOW_RULES", settings.shadow_rules, services)
    muted = {service.id: _muted(service, settings) for service in services}
    return cast(AnyKnowledge, replace(ours, services=muted))


def _check(variable: str, rules: Iterable[str], services: Iterable[CDSService]) -> None:
    known = {rule.id: can_be_muted(service, rule) for service in services for rule in service.rules}
    for rule in rules:
        if rule not in known:
            raise SettingsError(f"{variable}: there is no rule {rule}")
        if not known[rule]:
            raise SettingsError(f"{variable}: {rule} protects, and cannot be switched off")


def _muted(service: CDSService, settings: Settings) -> CDSService:
    muted = replace(
        service,
        disabled=frozenset(settings.disabled_rules),
        # A rule that is switched off is not watched either.
        shadow=frozenset(settings.shadow_rules) - frozenset(settings.disabled_rules),
    )
    muted.prepare()
    return muted
