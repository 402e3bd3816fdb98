"""Remembers cards and their answers between calls, and suppresses cards that were answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds_service.errors import StoreUnavailable
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Answer, Call, Card
from cds_service.knowledge.cards.suggestions import without
from cds_service.knowledge.content.suppression import (
    Answered,
    Away,
    Reader,
    accepted,
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
    """The cards to send, and the suppressed cards by uuid, each with its policy row."""

    cards: Sequence[Card]
    away: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Memory:
    """The store as calls use it: never slow, and its failures never fail a call."""

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
        """The cards without those that were answered; some of these are replaced by a line.

        All cards of the answer are stored with their traces, also those of shadow rules.
        """
        if self.store is None or not (answer.cards or answer.shadow):
            return Remembered(answer.cards, {})
        people = self.pseudonyms.people(origin, call)
        answers = self._answers(self.store, service, origin, call, people)
        reader = self._reader(origin, call, people)
        away = suppressed(
            service.suppression,
            answer.cards,
            answers,
            now=call.now,
            reader=reader,
            held=answer.held,
        )
        rows_of_policy = {uuid: reason.row.id for uuid, reason in away.items()}
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
        cards = [
            without(card, accepted(service.suppression, card, answers, now=call.now, reader=reader))
            for card in answer.cards
        ]
        return Remembered(_left(service, call, cards, away), rows_of_policy)

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
        """The answers to this patient's cards; none if the store does not answer."""
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
                accepted=tuple(row.accepted or ()),
            )
            for row in rows
        ]


def _left(
    service: CDSService, call: Call, cards: Sequence[Card], away: Mapping[str, Away]
) -> Sequence[Card]:
    cards_left = []
    for card in cards:
        reason = away.get(card.uuid)
        if reason is None:
            cards_left.append(card)
        elif reason.row.leaves and reason.since:
            cards_left.append(service.line(card, reason.row.leaves, reason.since, call))
    return cards_left
