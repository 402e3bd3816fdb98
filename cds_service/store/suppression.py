"""What the service remembers between calls: the cards it had, and what was done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds_service.errors import StoreUnavailable
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Answer, Call, Card
from cds_service.knowledge.content.suppression import (
    Answered,
    Away,
    Reader,
    longest,
    suppressed,
)
from cds_service.settings import Settings
from cds_service.store.answers import answers_of
from cds_service.store.cards import SHADOW, SHOWN, card_rows
from cds_service.store.database import Store
from cds_service.store.pseudonyms import Origin, People, Pseudonyms
from cds_service.store.writer import Writer


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is left to send of an answer, and the cards that stay away by uuid, each with why."""

    cards: Sequence[Card]
    away: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Memory:
    """The store as a hook call sees it: never slow, never a reason to fail; None is no store."""

    store: Store | None
    writer: Writer
    pseudonyms: Pseudonyms
    settings: Settings

    def suppress(
        self,
        service: CDSService,
        knowledge_version: str,
        origin: Origin,
        call: Call,
        answer: Answer,
    ) -> Remembered:
        """The cards without those that were answered; in place of some of these stands a line.

        Every card of the answer is kept, with its trace, and those that are only watched.
        """
        if self.store is None or not (answer.cards or answer.shadow):
            return Remembered(answer.cards, {})
        people = self.pseudonyms.people(origin, call)
        away = suppressed(
            service.suppression,
            answer.cards,
            self._answers(self.store, service, origin, call, people),
            now=call.now,
            reader=self._reader(origin, call, people),
            held=answer.held,
        )
        rows_of_policy = {uuid: each.row.id for uuid, each in away.items()}
        for row in card_rows(
            service,
            knowledge_version,
            call,
            answer,
            people,
            suppressed=rows_of_policy,
            state=SHADOW if self.settings.mode == "shadow" else SHOWN,
            with_values=self.settings.trace_values,
        ):
            self.writer.put(row)
        return Remembered(_left(service, call, answer.cards, away), rows_of_policy)

    def _reader(self, origin: Origin, call: Call, people: People) -> Reader:
        return Reader(
            user=people.user,
            encounter=people.encounter,
            is_identified=origin.client is not None or self.settings.anonymous_answers,
            is_shared=call.user_id in self.settings.shared_users,
        )

    def _answers(
        self, store: Store, service: CDSService, origin: Origin, call: Call, people: People
    ) -> Sequence[Answered]:
        """What was done with this patient's cards; nothing when the store does not say."""
        if not service.suppression:
            return ()
        since = call.now - longest(service.suppression)
        try:
            rows = answers_of(store, patient_hash=people.patient, service=service.id, since=since)
        except StoreUnavailable:
            return ()
        shared = {self.pseudonyms.user(origin, user) for user in self.settings.shared_users}
        return [
            Answered(
                slot=row.slot,
                fingerprint=row.fingerprint,
                outcome=row.outcome,
                reason=row.reason_code,
                at=row.answered_at,
                user=row.user_hash,
                encounter=row.encounter_hash,
                by_shared_user=row.user_hash in shared,
            )
            for row in rows
        ]


def _left(
    service: CDSService, call: Call, cards: Sequence[Card], away: Mapping[str, Away]
) -> Sequence[Card]:
    left = []
    for card in cards:
        why = away.get(card.uuid)
        if why is None:
            left.append(card)
        elif why.row.leaves and why.since:
            left.append(service.line(card, why.row.leaves, why.since, call))
    return left
