"""What a card may offer, and who answers for it: measures, drug classes, requests of tests."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.knowledge.call import Coding
from cds_service.knowledge.expressions.expressions import Expression


@dataclass(frozen=True, slots=True)
class Governance:
    """Who answers for a piece of content and what it rests on. A draft has no reviewer yet."""

    id: str
    title: str
    status: str
    version: str
    sources: tuple[str, ...]
    grade: str
    confirmed: str
    last_review_date: str
    reviewer: str | None


@dataclass(frozen=True, slots=True)
class Measure:
    """A non-drug measure; one that is advised against can never be offered."""

    governance: Governance
    advised_against: bool


@dataclass(frozen=True, slots=True)
class ProposedRequest:
    """A ServiceRequest that may be proposed: `coding` is None when words alone say what for."""

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
    """A named drug class and its named drugs in the order for review."""

    governance: Governance
    drugs: tuple[str, ...]
    only_first_cause: str | None
