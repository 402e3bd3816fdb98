"""Whose cards differ between two versions of the content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.errors import CDSError
from cds_service.knowledge import CDSService, Knowledge
from cds_service.knowledge.call import Answer, Call
from cds_service.knowledge.comparison import CardChange, card_changes

_NO_ANSWER = Answer((), (), (), ())

# The call of a patient for a service; None if the service answers another hook.
MakeCall = Callable[[CDSService], Call | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs for one patient at one service.

    `trouble` says why a version could not answer, if it could not; then nothing is compared.
    """

    patient: str
    service: str
    changes: tuple[CardChange, ...] = ()
    trouble: str = ""


def differences(
    old: Knowledge, new: Knowledge, patients: Mapping[str, MakeCall]
) -> Iterator[tuple[str, list[Difference]]]:
    """For each patient, by name, what differs at each service; an empty list if nothing does.

    A service that is in one of the two versions only has no card in the other.
    """
    ids = list(dict.fromkeys((*old.services, *new.services)))
    for name, make_call in patients.items():
        found = (
            _difference(name, id_, old.services.get(id_), new.services.get(id_), make_call)
            for id_ in ids
        )
        yield name, [each for each in found if each.changes or each.trouble]


def _difference(
    patient: str,
    id_: str,
    old: CDSService | None,
    new: CDSService | None,
    make_call: MakeCall,
) -> Difference:
    try:
        before, after = _answer(old, make_call), _answer(new, make_call)
    except CDSError as error:
        return Difference(patient, id_, trouble=str(error))
    versions = (old.version if old else "", new.version if new else "")
    return Difference(patient, id_, card_changes(before, after, versions))


def _answer(service: CDSService | None, make_call: MakeCall) -> Answer:
    call = make_call(service) if service else None
    return service.answer(call) if service and call else _NO_ANSWER


def rows(found: Iterable[Difference]) -> Iterator[dict[str, Any]]:
    """The differences as plain values, a row for each card."""
    for difference in found:
        about = {"patient": difference.patient, "service": difference.service}
        if difference.trouble:
            yield {**about, "change": "not compared", "because": [difference.trouble]}
        for change in difference.changes:
            yield {
                **about,
                "change": change.change,
                "slot": change.slot,
                "was": change.was,
                "becomes": change.becomes,
                "before": change.before.summary if change.before else None,
                "after": change.after.summary if change.after else None,
                "because": list(change.because),
            }
