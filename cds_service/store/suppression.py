"""What the service remembers between calls: the cards it had, and what was done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds_service.errors import StoreUnavailable
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Answer, Call
from cds_service.knowledge.content.suppression import ENCOUNTER, USER, Answered, longest, suppressed
from cds_service.store.cards import SHADOW, SHOWN, answers_of, card_rows
from cds_service.store.database import Store
from cds_service.store.pseudonyms import People, Pseudonyms
from cds_service.store.writer import Writer


@dataclass(frozen=True, slots=True)
class Memory:
    """The store as a hook call sees it: never slow, never a reason to fail; None is no store."""

    store: Store | None
    writer: Writer
    pseudonyms: Pseudonyms
    with_values: bool
    mode: str = "live"

    def suppress(
        self, service: CDSService, knowledge_version: str, call: Call, answer: Answer
    ) -> Mapping[str, str]:
        """The uuids of the cards that stay away, each with the row of the policy that did it.

        Every card of the answer is kept, with its trace, and those that are only watched.
        """
        if self.store is None or not (answer.cards or answer.shadow):
            return {}
        people = self.pseudonyms.people(call)
        who = {USER: people.user, ENCOUNTER: people.encounter}
        answers = _answers(self.store, service, call, people)
        away = suppressed(
            service.suppression, answer.cards, answers, now=call.now, who=who, held=answer.held
        )
        for row in card_rows(
            service,
            knowledge_version,
            call,
            answer,
            people,
            suppressed=away,
            state=SHADOW if self.mode == "shadow" else SHOWN,
            with_values=self.with_values,
        ):
            self.writer.put(row)
        return away


def _answers(store: Store, service: CDSService, call: Call, people: People) -> Sequence[Answered]:
    """What was done with this patient's cards; nothing when the store does not say."""
    if not service.suppression:
        return ()
    since = call.now - longest(service.suppression)
    try:
        rows = answers_of(store, patient_hash=people.patient, service=service.id, since=since)
    except StoreUnavailable:
        return ()
    return [
        Answered(
            slot=row.slot,
            fingerprint=row.fingerprint,
            outcome=row.outcome,
            reason=row.reason_code,
            # A client's clock may be ahead; that must not keep a card away for longer.
            at=min(row.outcome_timestamp, row.received_at),
            user=row.user_hash,
            encounter=row.encounter_hash,
        )
        for row in rows
    ]
