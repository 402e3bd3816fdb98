"""When an answered card is suppressed: while its evidence is the same, as the policy says.

The policy is content, in service.yaml. Earlier answers are arguments; nothing is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cds_service.knowledge.call import Card
from cds_service.knowledge.expressions.expressions import Expression

USER, ENCOUNTER = "user", "encounter"
LONGEST_OF_CRITICAL = timedelta(hours=24)
_SKEW = timedelta(minutes=1)  # between two clocks


@dataclass(frozen=True, slots=True)
class Suppression:
    """One row of the policy: which cards, after which answer, for how long.

    `reasons` are override codes, None for any; with `needs_reason` there must be one, and with
    `without_reason` none. With `this_encounter` the answer ends with the encounter in which the
    card was shown. With `rules`, no other rule may be on the card at a level of its own. At least
    one of `same` must be the same as when the card was shown. With `identified`, the answer must be
    from a client with a valid token. `leaves` names the words of the line that replaces the card.
    With `suggestions` the card stays, and what was accepted is not suggested again. A row with
    `when` needs no answer; it needs a condition over the record.
    """

    id: str
    slots: tuple[str, ...]
    indicators: tuple[str, ...]
    outcomes: tuple[str, ...]
    within: timedelta
    reasons: tuple[str, ...] | None = None
    needs_reason: bool = False
    without_reason: bool = False
    this_encounter: bool = False
    rules: tuple[str, ...] | None = None
    same: tuple[str, ...] = ()
    identified: bool = False
    suggestions: bool = False
    leaves: str | None = None
    when: Expression | None = None

    @property
    def keeps_critical_cards_in_sight(self) -> bool:
        """Whether the row may apply to a critical card, which never disappears.

        It becomes a line, for the user who answered and no longer than a day.
        """
        return (
            self.leaves is not None
            and self.same == (USER,)
            and self.identified
            and self.when is None
            and self.within <= LONGEST_OF_CRITICAL
        )

    def covers(self, card: Card) -> bool:
        """Whether the row is about such a card."""
        if card.slot not in self.slots or card.indicator not in self.indicators:
            return False
        if card.indicator == "critical" and not self.keeps_critical_cards_in_sight:
            return False
        return self.rules is None or _alone(card, self.rules)

    def follows(self, answered: Answered, now: datetime, reader: Reader) -> bool:
        """Whether an answer suppresses the card for this reader now."""
        if self.when is not None or answered.outcome not in self.outcomes:
            return False
        if not -_SKEW <= now - answered.at <= self.within:
            return False
        if self.identified and not reader.is_identified:
            return False
        if self.needs_reason and answered.reason is None:
            return False
        if self.without_reason and answered.reason is not None:
            return False
        if self.this_encounter and _is_another_encounter(answered, reader):
            return False
        if self.reasons is not None and answered.reason not in self.reasons:
            return False
        return not self.same or any(_is_same(answered, reader, who) for who in self.same)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who opens the chart, and in which encounter.

    `is_identified`: the client has a valid token. `is_shared`: many people use this account, so one
    of them may not have seen what another has answered.
    """

    user: str
    encounter: str | None
    is_identified: bool = True
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What a clinician did with a card of this patient; `user` and `encounter` saw it.

    `accepted` names the requests of the suggestions that were accepted, as their actions do.
    """

    slot: str
    fingerprint: str
    outcome: str
    reason: str | None
    at: datetime
    user: str | None
    encounter: str | None
    by_shared_user: bool = False
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Away:
    """Why a card is suppressed: the row of the policy, and the answer if the row needs one."""

    row: Suppression
    since: datetime | None = None


def suppressed(
    policy: Sequence[Suppression],
    cards: Iterable[Card],
    answers: Sequence[Answered],
    *,
    now: datetime,
    reader: Reader,
    held: Iterable[str] = (),
) -> Mapping[str, Away]:
    """The suppressed cards by uuid, each with the row that suppresses it.

    `held` are the rows whose condition holds. A card without evidence is always shown.
    """
    held = frozenset(held)
    reasons = {
        card.uuid: _away(policy, card, answers, now, reader, held)
        for card in cards
        if card.fingerprint and (card.indicator == "info" or not reader.is_shared)
    }
    return {uuid: away for uuid, away in reasons.items() if away is not None}


def _away(
    policy: Sequence[Suppression],
    card: Card,
    answers: Sequence[Answered],
    now: datetime,
    reader: Reader,
    held: frozenset[str],
) -> Away | None:
    same = [
        answer
        for answer in answers
        if (answer.slot, answer.fingerprint) == (card.slot, card.fingerprint)
        and (card.indicator == "info" or not answer.by_shared_user)
    ]
    for row in policy:
        if row.suggestions or not row.covers(card):
            continue
        if row.id in held:
            return Away(row)
        since = [answer.at for answer in same if row.follows(answer, now, reader)]
        if since:
            return Away(row, min(since))
    return None


def accepted(
    policy: Iterable[Suppression],
    card: Card,
    answers: Iterable[Answered],
    *,
    now: datetime,
    reader: Reader,
) -> frozenset[str]:
    """What was accepted, and so is not suggested again on this card for now.

    It does not matter whether the evidence is the same: the request was made.
    """
    rows = [row for row in policy if row.suggestions and row.covers(card)]
    return frozenset(
        request
        for answer in answers
        if answer.accepted and any(row.follows(answer, now, reader) for row in rows)
        for request in answer.accepted
    )


def conditions_held(policy: Iterable[Suppression], facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the rows whose condition is true for the record."""
    return tuple(row.id for row in policy if row.when and row.when.evaluate(facts) is True)


def longest(policy: Iterable[Suppression]) -> timedelta:
    """The longest time for which an answer counts."""
    return max((row.within for row in policy), default=timedelta(0))


def _alone(card: Card, rules: tuple[str, ...]) -> bool:
    """Whether only these rules made the card; lines beside them do not count."""
    made_it = {rule.id for rule in card.traced if rule.level in ("critical", "warning")}
    return bool(made_it) and made_it <= set(rules)


def _is_another_encounter(answered: Answered, reader: Reader) -> bool:
    """Whether both encounters are known and differ."""
    return None not in (answered.encounter, reader.encounter) and (
        answered.encounter != reader.encounter
    )


def _is_same(answered: Answered, reader: Reader, who: str) -> bool:
    then, now = (
        (answered.user, reader.user) if who == USER else (answered.encounter, reader.encounter)
    )
    return then is not None and then == now
