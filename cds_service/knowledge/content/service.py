"""The content of one CDS Service: its folder in cards/, loaded and checked, as a frozen value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property

from cds_service.knowledge.call import Coding
from cds_service.knowledge.content.artifacts import (
    Cause,
    DrugClass,
    Example,
    Gate,
    Governance,
    Measure,
    Rule,
    Slot,
    SuggestionRule,
)
from cds_service.knowledge.content.suppression import Suppression
from cds_service.knowledge.content.words import Words
from cds_service.knowledge.expressions.expressions import Expression
from cds_service.knowledge.facts.kinds import Definition
from cds_service.knowledge.facts.library import Reference
from cds_service.knowledge.record.lists import type_of_template
from cds_service.knowledge.record.statuses import Statuses
from cds_service.knowledge.record.terminology import Terminology


@dataclass(frozen=True)
class Service:
    """One CDS Service: a folder in cards/, loaded and checked."""

    id: str
    hook: str
    version: str
    required_keys: frozenset[str]
    prefetch: Mapping[str, str]
    gate: Gate
    slots: tuple[Slot, ...]
    notices: Mapping[str, str]  # the slots of the cards `unchecked` and `unavailable`
    most_cards: int
    most_causes: int
    least_points: int
    ties: tuple[str, ...]
    sections: tuple[str, ...]
    never_muted: tuple[
        str, ...
    ]  # sections whose lines are shown even for rules that are switched off
    review_after: timedelta
    facts: Mapping[str, Definition]
    rules: tuple[Rule, ...]
    causes: tuple[Cause, ...]
    measures: Mapping[str, Measure]
    classes: Mapping[str, DrugClass]
    drugs: Mapping[str, Governance]
    suggestions: tuple[SuggestionRule, ...]
    suppression: tuple[Suppression, ...]
    words: Mapping[str, Words]
    sources: Mapping[str, Reference]
    terminology: Terminology = field(repr=False)
    statuses: Statuses = field(repr=False)
    default_language: str = "en"
    regions: tuple[str, ...] = ()  # ISO 3166 codes for which words may have texts of their own
    disabled: frozenset[str] = frozenset()  # rules that are switched off; see muting.py
    shadow: frozenset[str] = frozenset()  # rules that are stored and not sent

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the service, the default one first."""
        others = sorted(set(self.words) - {self.default_language})
        return (self.default_language, *others)

    def switch_of(self, rule: str) -> str:
        """How the operator has switched a rule: "disabled", "shadow", or "" if it is on."""
        if rule in self.disabled:
            return "disabled"
        return "shadow" if rule in self.shadow else ""

    @cached_property
    def governed(self) -> Mapping[str, Governance]:
        """The governance of rules, causes, measures, classes, suggestions and drugs, by id."""
        return {
            **{rule.id: rule.governance for rule in self.rules},
            **{cause.id: cause.governance for cause in self.causes},
            **{id_: measure.governance for id_, measure in self.measures.items()},
            **{id_: drug_class.governance for id_, drug_class in self.classes.items()},
            **{suggestion.governance.id: suggestion.governance for suggestion in self.suggestions},
            **self.drugs,
        }

    @cached_property
    def override_reasons(self) -> Mapping[tuple[str, str, str], tuple[Coding, ...]]:
        """The override reasons by language, slot and indicator."""
        return {
            (language, slot.id, indicator): tuple(
                replace(code, display=words.plain("override-reasons", code.code)) for code in codes
            )
            for language, words in self.words.items()
            for slot in self.slots
            for indicator, codes in slot.override_reasons.items()
        }

    @cached_property
    def lists(self) -> Mapping[str, str]:
        """The FHIR resource type of each prefetch key, as its template asks for it."""
        return {key: type_of_template(template) for key, template in self.prefetch.items()}

    def slot_of(self, notice: str) -> Slot:
        """The slot of a card that says that something could not be checked."""
        return next(slot for slot in self.slots if slot.id == self.notices[notice])

    @cached_property
    def silencing_rules(self) -> tuple[Rule, ...]:
        """The rules that silence all cards if they apply."""
        return tuple(rule for rule in self.rules if rule.id in self.gate.silence)

    @cached_property
    def beside(self) -> Mapping[str, tuple[str, ...]]:
        """The rules whose line stands beside an item or on the card of a slot, by item."""
        found: dict[str, list[str]] = {}
        for rule in self.rules:
            for item in rule.beside:
                found.setdefault(item, []).append(rule.id)
        return {item: tuple(rules) for item, rules in found.items()}

    @property
    def examples(self) -> Mapping[str, tuple[Example, ...]]:
        """The examples of every rule and cause, by id."""
        rules = {rule.id: rule.examples for rule in self.rules}
        return rules | {cause.id: cause.examples for cause in self.causes}

    @property
    def title(self) -> str:
        """CDS Hooks discovery `title`."""
        return self._discovery_text("title")

    @property
    def description(self) -> str:
        """CDS Hooks discovery `description`."""
        return self._discovery_text("description")

    @property
    def usage_requirements(self) -> str:
        """CDS Hooks discovery `usageRequirements`."""
        return self._discovery_text("usageRequirements")

    def link_label(self, language: str) -> str:
        """What cards in this language call the link to what they rest on."""
        return self.words[language].plain("layout", "link")

    def _discovery_text(self, part: str) -> str:
        return self.words[self.default_language].plain("service", part)

    @property
    def conditions(self) -> Iterable[Expression]:
        """Every condition of the service."""
        yield from self.gate.conditions
        for rule in self.rules:
            yield from rule.conditions
        yield from (row.when for row in self.suppression if row.when)
        for suggestion in self.suggestions:
            yield from (suggestion.when, *(request.when for request in suggestion.requests))
        for cause in self.causes:
            yield from cause.conditions
