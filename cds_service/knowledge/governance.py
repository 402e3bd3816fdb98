"""What every piece of content carries: who answers for it, and examples of what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a decision table: facts by name or `fact.member`, and what must come of them."""

    name: str
    facts: Mapping[str, Any]
    expect: str
    withholds: tuple[str, ...] | None = None
    points: int | None = None


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
