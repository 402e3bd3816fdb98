"""What stands in a store before a test: cards, what clinicians did with them, calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from types import MappingProxyType
from uuid import NAMESPACE_OID, uuid5

from cds_service.store import (
    CallRow,
    CardRow,
    FeedbackRow,
    RuleRow,
    Store,
    Writer,
    keep_feedback,
)

REASONS = ("data-wrong", "patient-ineligible", "rule-wrong", "expert-contradicts")


class Seeds:
    """Puts rows into a store, as the writer of the service does; `at` is the time of most rows."""

    def __init__(self, store: Store, at: datetime) -> None:
        self._store = store
        self._writer = Writer(store)
        self._at = at
        self._numbers = count()

    def card(
        self,
        *rules: str,
        at: datetime | None = None,
        state: str = "shown",
        version: str = "1.0.0",
        indicator: str = "warning",
        reasons: Sequence[str] = REASONS,
        also: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """A card that rests on these rules and offers these override reasons; gives its uuid.

        `also` has rules with a level that is not that of the card.
        """
        number = next(self._numbers)
        uuid = str(uuid5(NAMESPACE_OID, f"card {number}"))
        row = CardRow(
            uuid=uuid,
            at=at or self._at,
            service="anxiety-leg-weakness",
            knowledge_version="2026.11.1",
            patient_hash=f"patient {number % 40}",
            user_hash="user",
            encounter_hash=None,
            slot="active-drug",
            indicator=indicator,
            fingerprint="fingerprint",
            state=state,
            rules=[RuleRow(rule, version, indicator) for rule in rules]
            + [RuleRow(rule, version, level) for rule, level in also.items()],
            reasons=[("", reason) for reason in reasons],
        )
        self._put(row)
        return uuid

    def call(
        self,
        *,
        at: datetime | None = None,
        cards: int = 1,
        status: int = 200,
        hook: str = "patient-view",
        client: str | None = None,
    ) -> None:
        """An answered call that sent so many cards."""
        row = CallRow(
            at=at or self._at,
            service="anxiety-leg-weakness",
            hook=hook,
            client=client,
            hook_instance_hash=f"instance {next(self._numbers)}",
            knowledge_version="2026.11.1",
            status=status,
            milliseconds=7.5,
            cards=cards,
        )
        self._put(row)

    def accept(self, card: str, *, at: datetime | None = None) -> None:
        """Feedback: a suggestion of the card was taken."""
        self._feedback(card, "accepted", None, at)

    def override(self, card: str, reason: str | None, *, at: datetime | None = None) -> None:
        """Feedback: the card was rejected, with the code of a reason or none."""
        self._feedback(card, "overridden", reason, at)

    def _feedback(self, card: str, outcome: str, reason: str | None, at: datetime | None) -> None:
        when = at or self._at
        digest = f"{card} {outcome} {reason} {when.isoformat()}"
        keep_feedback(self._store, [FeedbackRow(digest, card, outcome, when, when, reason)])

    def _put(self, row: CallRow | CardRow) -> None:
        self._writer.put(row)
        self._writer.flush()
