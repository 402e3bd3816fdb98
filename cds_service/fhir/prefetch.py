"""What came as prefetch, how far each key can be trusted, and the door to fetching the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.errors import BodyTooLarge, PreconditionFailed
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Resource, Retrieval, Retrieved
from cds_service.wire.requests import CDSRequest

NESTED_BUNDLES = 3
MEDICATIONS = "medicationReferences"  # as if it were a prefetch key
MOST_MEDICATIONS = 100  # that are looked up by reference; an address has to stay short
MOST_RESOURCES = 20_000  # of a call, unless the operator says otherwise
_MEDICATION = re.compile(
    r"(?P<server>https?://.+/)?Medication/(?P<id>[A-Za-z0-9.-]{1,64})(/_history/.*)?"
)
# FHIR R4, "IssueType": what an issue inside a searchset says of the list. These tell of the
# search; any other code, of whatever severity, tells that results were kept back.
_HARMLESS = ("success", "information", "warning")
_REMARKS = ("informational", "processing", "not-supported", "success")
# The server has no such resources at all.
_NONE_HERE = ("not-supported", "not-found")
_NOT_AN_ANSWER = (Retrieval.FAILED, Retrieval.MISSING)
_NO_DATA_AT_ALL = (*_NOT_AN_ANSWER, Retrieval.ABSENT, Retrieval.NEVER_GIVEN)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one key leaves wanting: all that its template asks for, or the pages after `bundle`."""

    template: str
    bundle: Resource | None = None


# Takes what is wanted by key, and gives what it could get as a client would have sent it; None if
# that server may not be asked at all.
Fetch = Callable[[Mapping[str, Wanted]], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class _Came:
    """What one prefetch key brought."""

    state: Retrieval
    resources: tuple[Resource, ...] = ()


_FAILED = _Came(Retrieval.FAILED)
_ABSENT = _Came(Retrieval.ABSENT)
_NO_DATA = _Came(Retrieval.COMPLETE)
_UNREADABLE = _Came(Retrieval.INCOMPLETE)


def complete(
    service: CDSService,
    request: CDSRequest,
    fetch: Fetch | None = None,
    never_given: Collection[str] = (),
    most_resources: int = MOST_RESOURCES,
) -> Retrieved:
    """The resources of the call, and how each prefetch key of the service was answered.

    Keys that the service did not ask for are not read. `never_given` are keys that this EHR does
    not have, so that nothing failed when they lack.
    Raises PreconditionFailed with each key that the service requires and that nobody could give,
    and BodyTooLarge for more than `most_resources`.
    """
    sent = request.prefetch or {}
    came = _read_all(service, {key: sent[key] for key in service.prefetch if key in sent})
    if fetch:
        # What the lists point at is known only when they are there.
        for wanted in (_wanted_lists, _wanted_medications):
            wanting = wanted(service, request, came)
            fetched = fetch(wanting) if wanting else None
            if fetched is not None:
                came = _not_come(wanting) | came | _read_all(service, fetched)
    states = {key: _state(came, key) for key in service.prefetch}
    for key in states.keys() & never_given:
        if states[key] in _NO_DATA_AT_ALL:
            states[key] = Retrieval.NEVER_GIVEN
    _refuse_if_wanting(service.required_keys, states)
    # Clients send keys in any order; the answer must not depend on it.
    in_order = (*service.prefetch, MEDICATIONS)
    resources = tuple(each for key in in_order if key in came for each in came[key].resources)
    if len(resources) > most_resources:
        # Part of a record is no record, and an answer to part of it would not say so.
        raise BodyTooLarge(
            f"The call brings {len(resources)} resources; at most {most_resources} are read."
        )
    return Retrieved(resources=resources, states=states)


def _wanted_lists(
    service: CDSService, request: CDSRequest, came: Mapping[str, _Came]
) -> dict[str, Wanted]:
    """The keys that are missing or failed, and those of which only some pages came."""
    wanted = {}
    for key, template in service.prefetch.items():
        if _state(came, key) in _NOT_AN_ANSWER:
            wanted[key] = Wanted(template)
        elif next_page((request.prefetch or {})[key]) is not None:
            wanted[key] = Wanted(template, (request.prefetch or {})[key])
    return wanted


def _wanted_medications(
    service: CDSService, request: CDSRequest, came: Mapping[str, _Came]
) -> dict[str, Wanted]:
    """The Medications that the lists point at and that did not come along."""
    resources = [resource for each in came.values() for resource in each.resources]
    here = {str(each.get("id")) for each in resources if each["resourceType"] == "Medication"}
    server = f"{str(request.fhir_server).rstrip('/')}/"
    ids: set[str] = set()
    for resource in resources:
        reference = resource.get("medicationReference")
        text = reference.get("reference") if isinstance(reference, dict) else None
        found = _MEDICATION.fullmatch(text) if isinstance(text, str) else None
        if found and found["server"] in (None, server):
            ids.add(found["id"])
    asked = ",".join(sorted(ids - here)[:MOST_MEDICATIONS])
    return (
        {MEDICATIONS: Wanted(f"Medication?_id={asked}&_count={MOST_MEDICATIONS}")} if asked else {}
    )


def _not_come(wanting: Iterable[str]) -> dict[str, _Came]:
    """There was a server to ask, so that what does not come has failed."""
    return dict.fromkeys(wanting, _FAILED)


def _state(came: Mapping[str, _Came], key: str) -> Retrieval:
    return came[key].state if key in came else Retrieval.MISSING


def _refuse_if_wanting(required_keys: frozenset[str], states: Mapping[str, Retrieval]) -> None:
    # CDS Hooks, "HTTP Status Codes": 412 when needed data cannot be had by any way.
    wanting = sorted(
        key for key in required_keys if states.get(key, Retrieval.MISSING) in _NO_DATA_AT_ALL
    )
    if wanting:
        text = "This prefetch key is required; it did not come, or cannot be read."
        raise PreconditionFailed.at({f"prefetch.{key}": text for key in wanting})


def _read_all(service: CDSService, answers: Mapping[str, Any]) -> dict[str, _Came]:
    came = {key: _read(value, service.prefetch.get(key)) for key, value in answers.items()}
    # Null is a legal "no data", but a required read (the patient) that is null is not there.
    required_reads = {key for key in service.required_keys if _is_read(service.prefetch.get(key))}
    return {
        key: each for key, each in came.items() if key not in required_reads or each != _NO_DATA
    }


def _is_read(template: str | None) -> bool:
    return template is not None and "?" not in template


def _read(value: Any, template: str | None) -> _Came:
    """What one prefetch value holds; `template` is None for what was looked up by reference."""
    if value is None:
        return _NO_DATA  # CDS Hooks, "Prefetch Template": asked, and there is nothing
    if not isinstance(value, dict):
        return _FAILED
    if "resourceType" not in value and ("resource" in value or "response" in value):
        return _read_wrapped(value, template)
    resource_type = value.get("resourceType")
    if not isinstance(resource_type, str):
        return _FAILED
    if resource_type == "OperationOutcome":
        return _ABSENT if _is_said_by_all(value, _NONE_HERE) else _FAILED
    if template is not None and _is_read(template):
        expected = template.partition("/")[0]
        return _Came(Retrieval.COMPLETE, (value,)) if resource_type == expected else _FAILED
    if resource_type == "Bundle":
        return _read_bundle(value, NESTED_BUNDLES)
    # A search answered by one bare resource: who knows what else there was?
    return _Came(Retrieval.INCOMPLETE, (value,))


def _read_wrapped(wrapper: Resource, template: str | None) -> _Came:
    """The form of drafts before CDS Hooks 1.0, `{"response": {"status"}, "resource"}`."""
    response = wrapper.get("response")
    status = str(response.get("status", "")) if isinstance(response, dict) else ""
    resource = wrapper.get("resource")
    if status and not status.startswith("2"):
        return _ABSENT if status.startswith("404") else _FAILED
    if resource is None:
        return _NO_DATA if status else _FAILED
    is_wrapped_again = isinstance(resource, dict) and "resourceType" not in resource
    return _FAILED if is_wrapped_again else _read(resource, template)


def _read_bundle(bundle: Resource, nested: int) -> _Came:
    entries = entries_of(bundle)
    if entries is None:
        return _UNREADABLE
    came = [_read_entry(entry, nested) for entry in entries]
    is_whole = (
        all(each.state is Retrieval.COMPLETE for each in came)
        and not _has_next_page(bundle)
        and not _promises_more(bundle, entries)
    )
    resources = tuple(resource for each in came for resource in each.resources)
    return _Came(Retrieval.COMPLETE if is_whole else Retrieval.INCOMPLETE, resources)


def _read_entry(entry: Any, nested: int) -> _Came:
    """One entry; INCOMPLETE where it cannot be read, or tells that the search had an error."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return _UNREADABLE
    if resource["resourceType"] == "OperationOutcome" or _search_mode(entry) == "outcome":
        return _NO_DATA if _is_remark(resource) else _UNREADABLE
    if resource["resourceType"] == "Bundle":
        return _read_bundle(resource, nested - 1) if nested else _UNREADABLE
    return _Came(Retrieval.COMPLETE, (resource,))


def _search_mode(entry: Any) -> Any:
    search = entry.get("search") if isinstance(entry, dict) else None
    return search.get("mode") if isinstance(search, dict) else None


def _is_remark(outcome: Resource) -> bool:
    severities = [issue.get("severity") for issue in _objects(outcome.get("issue"))]
    return _is_said_by_all(outcome, _REMARKS) and all(each in _HARMLESS for each in severities)


def _is_said_by_all(outcome: Resource, codes: Collection[str]) -> bool:
    """Whether an OperationOutcome has issues, and each of them one of these codes."""
    found = [issue.get("code") for issue in _objects(outcome.get("issue"))]
    return bool(found) and all(code in codes for code in found)


def _has_next_page(bundle: Resource) -> bool:
    return any(link.get("relation") == "next" for link in _objects(bundle.get("link")))


def entries_of(bundle: Resource) -> list[Any] | None:
    """The entries of a Bundle; None if they cannot be read."""
    entries = bundle.get("entry")
    if entries is None:
        return []
    return entries if isinstance(entries, list) else None


def next_page(value: Any) -> str | None:
    """The address of the page after a Bundle; None if it cannot be read or names none."""
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        return None
    if entries_of(value) is None:
        return None
    links = (link for link in _objects(value.get("link")) if link.get("relation") == "next")
    return next((link["url"] for link in links if isinstance(link.get("url"), str)), None)


def _promises_more(bundle: Resource, entries: Sequence[Any]) -> bool:
    total = bundle.get("total")
    # Some servers count their remarks among the matches (hapi-fhir#7153).
    counted = ("include",) if not _has_next_page(bundle) else ("include", "outcome")
    matches = sum(_search_mode(entry) not in counted for entry in entries)
    return isinstance(total, int) and total > matches


def _objects(values: Any) -> Iterator[Resource]:
    """The JSON objects in what ought to be a list of them."""
    return (each for each in (values if isinstance(values, list) else ()) if isinstance(each, dict))
