"""The pieces of content as frozen values: rules, causes, slots, the gate, and what cards offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.call import Coding
from cds_service.knowledge.expressions.expressions import Expression

LEVELS = ("critical", "warning", "info")
# The layout of the card of a slot: rules merged into one card, or causes with the reasons for each.
MERGED, DIFFERENTIAL = "merged", "differential"


@dataclass(frozen=True, slots=True)
class Governance:
    """Who is responsible for a piece of content, and its sources. A draft has no reviewer yet.

    `figures` are the numbers that its words take from a source, and that no condition holds.
    """

    id: str
    title: str
    status: str
    version: str
    sources: tuple[str, ...]
    grade: str
    confirmed: str
    last_review_date: str
    reviewer: str | None
    figures: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure without drugs; one that is advised against is never offered."""

    governance: Governance
    advised_against: bool


@dataclass(frozen=True, slots=True)
class ProposedRequest:
    """A ServiceRequest that may be proposed; without a `coding`, only its text says what for."""

    id: str
    when: Expression
    coding: Coding | None


@dataclass(frozen=True, slots=True)
class SuggestionRule:
    """Requests offered together with one click on the card of a slot, never on a critical one."""

    governance: Governance
    slot: str
    when: Expression
    requests: tuple[ProposedRequest, ...]


@dataclass(frozen=True, slots=True)
class DrugClass:
    """A named drug class and its named drugs in the order for review.

    One that is `never_alone` is shown only on a card that offers another class.
    """

    governance: Governance
    drugs: tuple[str, ...]
    only_first_cause: str | None
    never_alone: bool


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a decision table: facts by name or `fact.member`, and the expected result."""

    name: str
    facts: Mapping[str, Any]
    expect: str
    withholds: tuple[str, ...] | None = None
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Withhold:
    """What a rule withholds: `items` are ids of drugs, classes, measures or causes.

    Without `when` it holds whenever the rule applies. The words for the reason are the part
    `because` of the rule.
    """

    items: tuple[str, ...]
    when: Expression | None
    because: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the level at which it applies, where it is shown, what it withholds.

    `levels` are in order, worst first.

    `slot` is the card for critical and warning; `section` the place in the differential for info,
    there only while `section_when` holds; `beside` the items under which its line is; `opens` the
    level that opens the gate; `demote` the drugs that then come last in their class. `urgency` by
    level orders the cards of one indicator, and what one card says: lowest first.
    """

    governance: Governance
    topic: str
    levels: Mapping[str, Expression]
    urgency: Mapping[str, int]
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
        """The rule's id."""
        return self.governance.id

    @property
    def is_for_everybody(self) -> bool:
        """Whether it applies whatever the record says: a line of a textbook."""
        return not any(condition.facts for condition in self.levels.values())

    @property
    def conditions(self) -> tuple[Expression, ...]:
        """Every condition of the rule."""
        others = (*(withhold.when for withhold in self.withhold), self.section_when)
        return (
            *self.levels.values(),
            *(condition for condition in others if condition is not None),
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """A condition, and the part of the words with its text."""

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
        """The cause's id."""
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

    `kind` is how its card is laid out: MERGED or DIFFERENTIAL. `silences`: while this slot has a
    critical card, cards of those slots up to that level stay away. `withholds`: while this slot has
    a card, these items are not offered. `only_with` names reasons that are offered only on cards of
    one of the rules. `told_in` is the section of the differential that has a line for each of its
    rules that applies, whether or not its own card is sent.
    """

    id: str
    kind: str
    override_reasons: Mapping[str, tuple[Coding, ...]]
    keep_apart: str | None
    silences: Mapping[str, str]
    withholds: tuple[str, ...]
    only_with: Mapping[str, tuple[str, ...]]
    told_in: str | None


@dataclass(frozen=True, slots=True)
class Gate:
    """When cards are possible at all.

    `when` opens the gate by itself; while `opened_by_rules` holds, a rule may open it too. Rules of
    `silence` stop all cards. If `unchecked` holds, a card says that the gate could not be checked.
    """

    silence: tuple[str, ...]
    when: Expression
    opened_by_rules: Expression
    unchecked: Expression

    @property
    def conditions(self) -> tuple[Expression, ...]:
        """Every condition of the gate."""
        return (self.when, self.opened_by_rules, self.unchecked)
