"""When a card need not come again (C.2): it was answered, and its evidence is still the same.

The policy is content, in service.yaml. What was answered before is handed in; nothing is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cds_service.knowledge.call import Card
from cds_service.knowledge.expressions.expressions import Expression

USER, ENCOUNTER = "user", "encounter"


@dataclass(frozen=True, slots=True)
class Suppression:
    """One row of the policy: which cards, after which answer, for how long.

    `reasons` are override codes, None for any; with `needs_reason` there must be one. With `rules`
    no other rule may stand on the card at a level of its own. `same` are those of whom one must be
    the same as when the card was shown. A row with `when` asks for no answer, but for a condition
    over the record.
    """

    id: str
    slots: tuple[str, ...]
    indicators: tuple[str, ...]
    outcomes: tuple[str, ...]
    within: timedelta
    reasons: tuple[str, ...] | None = None
    needs_reason: bool = False
    rules: tuple[str, ...] | None = None
    same: tuple[str, ...] = ()
    when: Expression | None = None

    def covers(self, card: Card) -> bool:
        """Whether the row speaks of such a card."""
        if card.slot not in self.slots or card.indicator not in self.indicators:
            return False
        return self.rules is None or _alone(card, self.rules)

    def follows(self, answered: Answered, now: datetime, who: Mapping[str, str | None]) -> bool:
        """Whether an answer keeps the card away for this user, in this encounter, now."""
        if (
            self.when is not None
            or answered.outcome not in self.outcomes
            or now - answered.at > self.within
        ):
            return False
        if self.needs_reason and answered.reason is None:
            return False
        if self.reasons is not None and answered.reason not in self.reasons:
            return False
        return not self.same or any(_is_same(answered, who, each) for each in self.same)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a clinician did with a card of this patient; `user` and `encounter` saw it."""

    slot: str
    fingerprint: str
    outcome: str
    reason: str | None
    at: datetime
    user: str | None
    encounter: str | None


def suppressed(
    policy: Sequence[Suppression],
    cards: Iterable[Card],
    answers: Sequence[Answered],
    *,
    now: datetime,
    who: Mapping[str, str | None],
    held: Iterable[str] = (),
) -> Mapping[str, str]:
    """The uuids of the cards that stay away, each with the row that keeps it away.

    `who` holds the user and the encounter of the call, `held` the rows whose condition holds. A
    card without evidence is always shown.
    """
    found: dict[str, str] = {}
    held = frozenset(held)
    for card in cards:
        if not card.fingerprint:
            continue
        same = [
            each
            for each in answers
            if (each.slot, each.fingerprint) == (card.slot, card.fingerprint)
        ]
        for row in policy:
            if not row.covers(card):
                continue
            if row.id in held or any(row.follows(each, now, who) for each in same):
                found[card.uuid] = row.id
                break
    return found


def conditions_held(policy: Iterable[Suppression], facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The rows whose condition the record fulfils."""
    return tuple(row.id for row in policy if row.when and row.when.evaluate(facts) is True)


def longest(policy: Iterable[Suppression]) -> timedelta:
    """How far back answers matter."""
    return max((row.within for row in policy), default=timedelta(0))


def _alone(card: Card, rules: tuple[str, ...]) -> bool:
    """Whether nothing but these rules made the card; lines beside them do not count."""
    traced = card.trace.rules if card.trace else ()
    made_it = {rule.id for rule in traced if rule.level in ("critical", "warning")}
    return bool(made_it) and made_it <= set(rules)


def _is_same(answered: Answered, who: Mapping[str, str | None], what: str) -> bool:
    then = answered.user if what == USER else answered.encounter
    return then is not None and then == who.get(what)
