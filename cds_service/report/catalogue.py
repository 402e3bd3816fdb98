"""A catalogue of the content: its rules and reasons, for the pages and the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds_service.knowledge import CDSService, Knowledge

_LANGUAGE = "en"  # of the pages


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """One rule as people see it; `switch` is "disabled", "shadow", or "" if it is on."""

    id: str
    title: str
    status: str
    version: str
    last_review_date: str
    switch: str


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One CDS Service, described as in discovery."""

    id: str
    hook: str
    version: str
    title: str
    description: str
    usage_requirements: str
    rules: Sequence[RuleEntry]

    @property
    def switched(self) -> Sequence[RuleEntry]:
        """The rules that an operator has switched off or set to shadow."""
        return [rule for rule in self.rules if rule.switch]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The services in one version of the content.

    `hooks` are the hooks that the services answer, `titles` the titles of rules and causes by
    `service/rule`, `fixed` the rules that hold whatever a record says, `reasons` the words of the
    override reasons by their codes.
    """

    version: str
    services: Sequence[ServiceEntry]
    hooks: frozenset[str]
    titles: Mapping[str, str]
    fixed: frozenset[str]
    reasons: Mapping[str, str]

    @property
    def switches(self) -> Mapping[str, str]:
        """The switched rules by `service/rule`; rules that are on are left out."""
        return {
            f"{service.id}/{rule.id}": rule.switch
            for service in self.services
            for rule in service.switched
        }


def catalogue_of(knowledge: Knowledge) -> Catalogue:
    """The catalogue of the content, with its switched rules."""
    services = knowledge.services.values()
    return Catalogue(
        version=knowledge.version,
        services=[_service(service) for service in services],
        hooks=frozenset(service.hook for service in services),
        titles={
            f"{service.id}/{id_}": governance.title
            for service in services
            for id_, governance in service.governed.items()
        },
        fixed=frozenset(
            f"{service.id}/{rule.id}"
            for service in services
            for rule in service.rules
            if rule.is_for_everybody
        ),
        reasons={
            reason.code: reason.display
            for service in services
            for (language, _, _), reasons in service.override_reasons.items()
            if language == _LANGUAGE
            for reason in reasons
        },
    )


def _in_order(rule: str) -> tuple[int, str]:
    """By the number in the id: the ninth before the tenth."""
    number = re.search(r"\d+", rule)
    return int(number[0]) if number else 0, rule


def _service(service: CDSService) -> ServiceEntry:
    return ServiceEntry(
        id=service.id,
        hook=service.hook,
        version=service.version,
        title=service.title,
        description=service.description,
        usage_requirements=service.usage_requirements,
        rules=[
            RuleEntry(
                id=rule.id,
                title=rule.governance.title,
                status=rule.governance.status,
                version=rule.governance.version,
                last_review_date=rule.governance.last_review_date,
                switch=service.switch_of(rule.id),
            )
            for rule in sorted(service.rules, key=lambda rule: _in_order(rule.id))
        ],
    )
