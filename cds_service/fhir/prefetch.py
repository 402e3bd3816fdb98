"""The data of a call: reads the prefetch, judges whether each key is complete, fetches the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.errors import BodyTooLarge, PreconditionFailed
from cds_service.fhir.addresses import Base
from cds_service.fhir.received import ABSENT, FAILED, NO_DATA, Received, is_read, next_page, read
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Resource, Retrieval, Retrieved
from cds_service.wire.requests import CDSRequest

MEDICATIONS = "medicationReferences"  # as if it were a prefetch key
MEDICATION_READS = "medicationReads"  # the same one by one, where the search leaves some out
MOST_IDS = 100  # in one search; its address must stay short
MOST_MEDICATIONS = 500  # that are searched for
MOST_READS = 100
MOST_RESOURCES = 20_000  # of a call, unless the operator says otherwise
_MEDICATION = re.compile(
    r"((?P<server>[Hh][Tt][Tt][Pp][Ss]?://.+)/)?Medication/(?P<id>[A-Za-z0-9.-]{1,64})"
    r"(/_history/.*)?"
)
_NOT_AN_ANSWER = (Retrieval.FAILED, Retrieval.MISSING)
_NO_DATA_AT_ALL = (*_NOT_AN_ANSWER, Retrieval.ABSENT, Retrieval.NEVER_GIVEN)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The missing data of one key: all of its templates, or only the pages after `bundle`."""

    templates: tuple[str, ...]
    bundle: Resource | None = None


# Takes the missing data by key, and returns what it could get, as a client would send it; None if
# the operator does not allow that server.
Fetch = Callable[[Mapping[str, Wanted]], Mapping[str, Any] | None]


def complete(
    service: CDSService,
    request: CDSRequest,
    fetch: Fetch | None = None,
    never_given: Collection[str] = (),
    lacking: Collection[str] = (),
    most_resources: int = MOST_RESOURCES,
) -> Retrieved:
    """The resources of the call, and the state of each prefetch key of the service.

    Keys that the service did not ask for are not read. `never_given` are keys that this EHR never
    sends, so nothing has failed if they are missing; `lacking` are keys of lists that its server
    does not have, which are not asked for.
    Raises PreconditionFailed with each required key that neither prefetch nor fetching provided,
    and BodyTooLarge for more than `most_resources`.
    """
    sent = request.prefetch or {}
    came = _read_all(service, {key: sent[key] for key in service.prefetch if key in sent})
    came = dict.fromkeys(lacking, ABSENT) | came
    if fetch:
        # The references in the lists are known only after the lists are there.
        for missing_in in (_missing_lists, _missing_medications, _medications_left_out):
            missing = missing_in(service, request, came)
            fetched = fetch(missing) if missing else None
            if fetched is not None:
                came = _failed(missing) | came | _read_all(service, fetched)
    states = {key: _state(came, key) for key in service.prefetch}
    for key in states.keys() & never_given:
        if states[key] in _NO_DATA_AT_ALL:
            states[key] = Retrieval.NEVER_GIVEN
    _require(service.required_keys, states)
    # Clients send keys in any order; the answer must not depend on it.
    in_order = (*service.prefetch, MEDICATIONS, MEDICATION_READS)
    resources = tuple(
        resource for key in in_order if key in came for resource in came[key].resources
    )
    if len(resources) > most_resources:
        # An answer from part of a record would not say that it is only a part.
        raise BodyTooLarge(
            f"The call brings {len(resources)} resources; at most {most_resources} are read."
        )
    return Retrieved(resources=resources, states=states)


def _missing_lists(
    service: CDSService, request: CDSRequest, came: Mapping[str, Received]
) -> dict[str, Wanted]:
    """The keys that are missing or failed, and those with more pages to fetch."""
    missing = {}
    sent = request.prefetch or {}
    for key, template in service.prefetch.items():
        if _state(came, key) in _NOT_AN_ANSWER:
            missing[key] = Wanted((template,))
        elif next_page(sent.get(key)) is not None:
            missing[key] = Wanted((template,), sent[key])
    return missing


def _missing_medications(
    service: CDSService, request: CDSRequest, came: Mapping[str, Received]
) -> dict[str, Wanted]:
    """The Medications that the lists refer to and that are not in the prefetch."""
    ids = _unknown_medications(request, came)[:MOST_MEDICATIONS]
    searches = [ids[first : first + MOST_IDS] for first in range(0, len(ids), MOST_IDS)]
    templates = [f"Medication?_id={','.join(some)}&_count={MOST_IDS}" for some in searches]
    return {MEDICATIONS: Wanted(tuple(templates))} if templates else {}


def _medications_left_out(
    service: CDSService, request: CDSRequest, came: Mapping[str, Received]
) -> dict[str, Wanted]:
    """Those that the search did not find: some servers can read a Medication, but not search."""
    if MEDICATIONS not in came:
        return {}
    templates = [f"Medication/{id_}" for id_ in _unknown_medications(request, came)]
    return {MEDICATION_READS: Wanted(tuple(templates[:MOST_READS]))} if templates else {}


def _unknown_medications(request: CDSRequest, came: Mapping[str, Received]) -> list[str]:
    """The ids of Medications that are referred to, are on the server of the call, and are not
    there, in order."""
    resources = [resource for answer in came.values() for resource in answer.resources]
    known = {
        str(resource.get("id"))
        for resource in resources
        if resource["resourceType"] == "Medication"
    }
    server = Base.read(str(request.fhir_server))
    ids: set[str] = set()
    for resource in resources:
        reference = resource.get("medicationReference")
        text = reference.get("reference") if isinstance(reference, dict) else None
        match = _MEDICATION.fullmatch(text) if isinstance(text, str) else None
        if match and (match["server"] is None or Base.read(match["server"]) == server):
            ids.add(match["id"])
    return sorted(ids - known)


def _failed(keys: Iterable[str]) -> dict[str, Received]:
    """A server was asked, so keys without an answer have failed."""
    return dict.fromkeys(keys, FAILED)


def _state(came: Mapping[str, Received], key: str) -> Retrieval:
    return came[key].state if key in came else Retrieval.MISSING


def _require(required_keys: frozenset[str], states: Mapping[str, Retrieval]) -> None:
    # CDS Hooks, "HTTP Status Codes": 412 if required data cannot be obtained at all.
    missing = sorted(
        key for key in required_keys if states.get(key, Retrieval.MISSING) in _NO_DATA_AT_ALL
    )
    if missing:
        text = "This prefetch key is required; it is missing, or cannot be read."
        raise PreconditionFailed.at({f"prefetch.{key}": text for key in missing})


def _read_all(service: CDSService, answers: Mapping[str, Any]) -> dict[str, Received]:
    came = {key: read(value, service.prefetch.get(key)) for key, value in answers.items()}
    # Null legally means "no data", but a required resource (the patient) cannot be null.
    required_reads = {key for key in service.required_keys if is_read(service.prefetch.get(key))}
    return {
        key: answer
        for key, answer in came.items()
        if key not in required_reads or answer != NO_DATA
    }
