"""The data of a call: reads the prefetch, judges whether each key is complete, fetches the rest."""

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
MOST_MEDICATIONS = 100  # fetched by reference in one request; its address must stay short
MOST_RESOURCES = 20_000  # of a call, unless the operator says otherwise
_MEDICATION = re.compile(
    r"(?P<server>https?://.+/)?Medication/(?P<id>[A-Za-z0-9.-]{1,64})(/_history/.*)?"
)
# FHIR R4, "IssueType": issues in a searchset with these codes are remarks about the search. Any
# other code, of any severity, means that results may be missing.
_HARMLESS = ("success", "information", "warning")
_REMARKS = ("informational", "processing", "not-supported", "success")
# The server has no such resources at all.
_NONE_HERE = ("not-supported", "not-found")
_NOT_AN_ANSWER = (Retrieval.FAILED, Retrieval.MISSING)
_NO_DATA_AT_ALL = (*_NOT_AN_ANSWER, Retrieval.ABSENT, Retrieval.NEVER_GIVEN)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The missing data of one key: all of its template, or only the pages after `bundle`."""

    template: str
    bundle: Resource | None = None


# Takes the missing data by key, and returns what it could get, as a client would send it; None if
# the operator does not allow that server.
Fetch = Callable[[Mapping[str, Wanted]], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class _Received:
    """The data of one prefetch key."""

    state: Retrieval
    resources: tuple[Resource, ...] = ()


_FAILED = _Received(Retrieval.FAILED)
_ABSENT = _Received(Retrieval.ABSENT)
_NO_DATA = _Received(Retrieval.COMPLETE)
_UNREADABLE = _Received(Retrieval.INCOMPLETE)


def complete(
    service: CDSService,
    request: CDSRequest,
    fetch: Fetch | None = None,
    never_given: Collection[str] = (),
    most_resources: int = MOST_RESOURCES,
) -> Retrieved:
    """The resources of the call, and the state of each prefetch key of the service.

    Keys that the service did not ask for are not read. `never_given` are keys that this EHR never
    sends, so nothing has failed if they are missing.
    Raises PreconditionFailed with each required key that neither prefetch nor fetching provided,
    and BodyTooLarge for more than `most_resources`.
    """
    sent = request.prefetch or {}
    came = _read_all(service, {key: sent[key] for key in service.prefetch if key in sent})
    if fetch:
        # The references in the lists are known only after the lists are there.
        for missing_in in (_missing_lists, _missing_medications):
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
    in_order = (*service.prefetch, MEDICATIONS)
    resources = tuple(each for key in in_order if key in came for each in came[key].resources)
    if len(resources) > most_resources:
        # An answer from part of a record would not say that it is only a part.
        raise BodyTooLarge(
            f"The call brings {len(resources)} resources; at most {most_resources} are read."
        )
    return Retrieved(resources=resources, states=states)


def _missing_lists(
    service: CDSService, request: CDSRequest, came: Mapping[str, _Received]
) -> dict[str, Wanted]:
    """The keys that are missing or failed, and those with more pages to fetch."""
    missing = {}
    for key, template in service.prefetch.items():
        if _state(came, key) in _NOT_AN_ANSWER:
            missing[key] = Wanted(template)
        elif next_page((request.prefetch or {})[key]) is not None:
            missing[key] = Wanted(template, (request.prefetch or {})[key])
    return missing


def _missing_medications(
    service: CDSService, request: CDSRequest, came: Mapping[str, _Received]
) -> dict[str, Wanted]:
    """The Medications that the lists refer to and that are not in the prefetch."""
    resources = [resource for answer in came.values() for resource in answer.resources]
    known_ids = {
        str(resource.get("id"))
        for resource in resources
        if resource["resourceType"] == "Medication"
    }
    server = f"{str(request.fhir_server).rstrip('/')}/"
    ids: set[str] = set()
    for resource in resources:
        reference = resource.get("medicationReference")
        text = reference.get("reference") if isinstance(reference, dict) else None
        match = _MEDICATION.fullmatch(text) if isinstance(text, str) else None
        if match and match["server"] in (None, server):
            ids.add(match["id"])
    asked = ",".join(sorted(ids - known_ids)[:MOST_MEDICATIONS])
    return (
        {MEDICATIONS: Wanted(f"Medication?_id={asked}&_count={MOST_MEDICATIONS}")} if asked else {}
    )


def _failed(keys: Iterable[str]) -> dict[str, _Received]:
    """A server was asked, so keys without an answer have failed."""
    return dict.fromkeys(keys, _FAILED)


def _state(came: Mapping[str, _Received], key: str) -> Retrieval:
    return came[key].state if key in came else Retrieval.MISSING


def _require(required_keys: frozenset[str], states: Mapping[str, Retrieval]) -> None:
    # CDS Hooks, "HTTP Status Codes": 412 if required data cannot be obtained at all.
    missing = sorted(
        key for key in required_keys if states.get(key, Retrieval.MISSING) in _NO_DATA_AT_ALL
    )
    if missing:
        text = "This prefetch key is required; it is missing, or cannot be read."
        raise PreconditionFailed.at({f"prefetch.{key}": text for key in missing})


def _read_all(service: CDSService, answers: Mapping[str, Any]) -> dict[str, _Received]:
    came = {key: _read(value, service.prefetch.get(key)) for key, value in answers.items()}
    # Null legally means "no data", but a required resource (the patient) cannot be null.
    required_reads = {key for key in service.required_keys if _is_read(service.prefetch.get(key))}
    return {
        key: answer
        for key, answer in came.items()
        if key not in required_reads or answer != _NO_DATA
    }


def _is_read(template: str | None) -> bool:
    return template is not None and "?" not in template


def _read(value: Any, template: str | None) -> _Received:
    """The data in one prefetch value; `template` is None for what was fetched by reference."""
    if value is None:
        return _NO_DATA  # CDS Hooks, "Prefetch Template": there is no such data
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
        return _Received(Retrieval.COMPLETE, (value,)) if resource_type == expected else _FAILED
    if resource_type == "Bundle":
        return _read_bundle(value, NESTED_BUNDLES)
    # A search answered with one bare resource: there may be others.
    return _Received(Retrieval.INCOMPLETE, (value,))


def _read_wrapped(wrapper: Resource, template: str | None) -> _Received:
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


def _read_bundle(bundle: Resource, nested: int) -> _Received:
    entries = entries_of(bundle)
    if entries is None:
        return _UNREADABLE
    modes = [_search_mode(entry) for entry in entries]
    is_whole = not _has_next_page(bundle) and not _promises_more(bundle, modes)
    resources: list[Resource] = []
    for entry, mode in zip(entries, modes, strict=True):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            is_whole = False  # it cannot be read
        elif resource["resourceType"] == "OperationOutcome" or mode == "outcome":
            is_whole = is_whole and _is_remark(resource)  # or it reports an error of the search
        elif resource["resourceType"] == "Bundle":
            inner = _read_bundle(resource, nested - 1) if nested else _UNREADABLE
            is_whole = is_whole and inner.state is Retrieval.COMPLETE
            resources.extend(inner.resources)
        else:
            resources.append(resource)
    return _Received(Retrieval.COMPLETE if is_whole else Retrieval.INCOMPLETE, tuple(resources))


def _search_mode(entry: Any) -> Any:
    search = entry.get("search") if isinstance(entry, dict) else None
    return search.get("mode") if isinstance(search, dict) else None


def _is_remark(outcome: Resource) -> bool:
    severities = [issue.get("severity") for issue in _objects(outcome.get("issue"))]
    return _is_said_by_all(outcome, _REMARKS) and all(
        severity in _HARMLESS for severity in severities
    )


def _is_said_by_all(outcome: Resource, codes: Collection[str]) -> bool:
    """Whether an OperationOutcome has issues, and all of them have one of these codes."""
    issue_codes = [issue.get("code") for issue in _objects(outcome.get("issue"))]
    return bool(issue_codes) and all(code in codes for code in issue_codes)


def _has_next_page(bundle: Resource) -> bool:
    return any(link.get("relation") == "next" for link in _objects(bundle.get("link")))


def entries_of(bundle: Resource) -> list[Any] | None:
    """The entries of a Bundle; None if they cannot be read."""
    entries = bundle.get("entry")
    if entries is None:
        return []
    return entries if isinstance(entries, list) else None


def next_page(value: Any) -> str | None:
    """The address of the page after a Bundle; None if there is none or it cannot be read."""
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        return None
    if entries_of(value) is None:
        return None
    links = (link for link in _objects(value.get("link")) if link.get("relation") == "next")
    return next((link["url"] for link in links if isinstance(link.get("url"), str)), None)


def _promises_more(bundle: Resource, modes: Sequence[Any]) -> bool:
    """Whether a whole searchset states a larger total than it has matches."""
    total = bundle.get("total")
    # Some servers count their remarks among the matches (hapi-fhir#7153).
    matches = sum(mode != "include" for mode in modes)
    return isinstance(total, int) and total > matches


def _objects(values: Any) -> Iterator[Resource]:
    """The JSON objects in a value that should be a list of them."""
    return (item for item in (values if isinstance(values, list) else ()) if isinstance(item, dict))
