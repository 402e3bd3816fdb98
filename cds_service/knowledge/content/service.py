"""What cards/ holds once it is loaded and checked, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cds_service.knowledge.call import Answer, Call, Coding, Source
from cds_service.knowledge.content.artifacts import DrugClass, Governance, Measure, SuggestionRule
from cds_service.knowledge.content.suppression import Suppression
from cds_service.knowledge.content.words import Words
from cds_service.knowledge.expressions.expressions import Expression
from cds_service.knowledge.facts.facts import Definition
from cds_service.knowledge.record.terminology import Terminology

if TYPE_CHECKING:
    from cds_service.knowledge.outcomes.relevance import Relevance

LEVELS = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a decision table: facts by name or `fact.member`, and what must come of them."""

    name: str
    facts: Mapping[str, Any]
    expect: str
    withholds: tuple[str, ...] | None = None
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Withhold:
    """What a rule takes away: `items` are ids of drugs, classes, measures or causes.

    Without `when` it holds whenever the rule applies. The words for the reason are the part
    `because` of the rule.
    """

    items: tuple[str, ...]
    when: Expression | None
    because: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One reviewed statement: at which level it holds, where it is said, what it withholds.

    `levels` stand worst first.

    `slot` is the card for critical and warning; `section` the place in the differential for info,
    there only while `section_when` holds; `beside` the items under which its line stands; `opens`
    the level that opens the gate; `demote` the drugs that then stand last in their class.
    """

    governance: Governance
    topic: str
    levels: Mapping[str, Expression]
    slot: str | None
    section: str | None
    section_when: Expression | None
    beside: tuple[str, ...]
    opens: str | None
    only_slots: tuple[str, ...] | None
    withhold: tuple[Withhold, ...]
    demote: tuple[str, ...]
    examples: tuple[Example, ...]

    @property
    def id(self) -> str:
        """The rule's id, R51."""
        return self.governance.id

    @property
    def conditions(self) -> tuple[Expression, ...]:
        """Every condition of the rule."""
        others = (*(each.when for each in self.withhold), self.section_when)
        return (*self.levels.values(), *(each for each in others if each is not None))


@dataclass(frozen=True, slots=True)
class Reason:
    """A condition and the part of the words that says it."""

    when: Expression
    because: str


@dataclass(frozen=True, slots=True)
class Points:
    """Points for each reason that holds, together at most `at_most`."""

    each: int
    at_most: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """One of the causes: what earns it points, what it requires, what excludes it, what to note."""

    governance: Governance
    requires: tuple[Reason, ...]
    excludes: tuple[Reason, ...]
    points: tuple[Points, ...]
    notes: tuple[Reason, ...]
    measures: tuple[str, ...]
    classes: tuple[str, ...]
    pattern_of: str | None
    examples: tuple[Example, ...]

    @property
    def id(self) -> str:
        """The cause's id, C4."""
        return self.governance.id

    @property
    def conditions(self) -> tuple[Expression, ...]:
        """Every condition of the cause."""
        points = (reason for group in self.points for reason in group.reasons)
        reasons = (*points, *self.requires, *self.excludes, *self.notes)
        return tuple(reason.when for reason in reasons)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one card, and the override reasons by indicator.

    `silences`: while this slot has a critical card, cards of those slots up to that level stay
    away (B.9). `only_with` names reasons that are offered only on cards of one of the rules.
    """

    id: str
    override_reasons: Mapping[str, tuple[Coding, ...]]
    keep_apart: str | None
    silences: Mapping[str, str]
    only_with: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Gate:
    """When cards are possible at all (C.1)."""

    silence: tuple[str, ...]
    anxiety: Expression
    symptom: Expression
    unchecked: Expression


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
    most_cards: int
    most_causes: int
    least_points: int
    ties: tuple[str, ...]
    sections: tuple[str, ...]
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
    sources: Mapping[str, Source]
    terminology: Terminology = field(repr=False)
    default_language: str = "en"
    disabled: frozenset[str] = frozenset()  # rules that do not speak; see muting.py
    shadow: frozenset[str] = frozenset()  # rules that are watched and do not speak

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which every text is there, the default one first."""
        others = sorted(set(self.words) - {self.default_language})
        return (self.default_language, *others)

    def prepare(self) -> None:
        """Compute what every call needs, so that the first call does not wait for it."""
        _ = (self.relevance, self.governed, self.silencing_rules, self.beside)
        _ = self.override_reasons

    @cached_property
    def relevance(self) -> Relevance:
        """Which rules a record can concern."""
        from cds_service.knowledge.outcomes.relevance import relevance_of

        return relevance_of(self)

    @cached_property
    def governed(self) -> Mapping[str, Governance]:
        """Who answers for what, by id: rules, causes, measures, classes, suggestions, drugs."""
        return {
            **{rule.id: rule.governance for rule in self.rules},
            **{cause.id: cause.governance for cause in self.causes},
            **{id_: measure.governance for id_, measure in self.measures.items()},
            **{id_: drug_class.governance for id_, drug_class in self.classes.items()},
            **{each.governance.id: each.governance for each in self.suggestions},
            **self.drugs,
        }

    @cached_property
    def override_reasons(self) -> Mapping[tuple[str, str, str], tuple[Coding, ...]]:
        """The override reasons by language, slot and indicator."""
        return {
            (language, slot.id, indicator): tuple(
                replace(each, display=words.plain("override-reasons", each.code)) for each in codes
            )
            for language, words in self.words.items()
            for slot in self.slots
            for indicator, codes in slot.override_reasons.items()
        }

    @cached_property
    def silencing_rules(self) -> tuple[Rule, ...]:
        """The rules that answer with no card at all when they apply."""
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
        return self._said("title")

    @property
    def description(self) -> str:
        """CDS Hooks discovery `description`."""
        return self._said("description")

    @property
    def usage_requirements(self) -> str:
        """CDS Hooks discovery `usageRequirements`."""
        return self._said("usageRequirements")

    def _said(self, part: str) -> str:
        return self.words[self.default_language].plain("service", part)

    def answer(self, call: Call) -> Answer:
        """The cards for one call. It does not raise for strange records."""
        from cds_service.knowledge.answering import answer

        return answer(self, call)

    def unavailable(self, call: Call) -> Answer:
        """One card that warns that nothing could be checked, for those whom cards are for."""
        from cds_service.knowledge.answering import answer_unavailable

        return answer_unavailable(self, call)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything in cards/: the services by id, and the version that every answer names."""

    version: str
    services: Mapping[str, Service]
