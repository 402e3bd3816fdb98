"""What one prefetch value says: its resources, and whether the list is complete."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.record.fhir_json import listed

NESTED_BUNDLES = 3
# FHIR R4, "IssueType": issues in a searchset with these codes are remarks about the search. Any
# other code, of any severity, means that results may be missing.
_HARMLESS = ("success", "information", "warning")
_REMARKS = ("informational", "processing", "not-supported", "success")
# The server has no such resources at all.
_NONE_HERE = ("not-supported", "not-found")


@dataclass(frozen=True, slots=True)
class Received:
    """The data of one prefetch key."""

    state: Retrieval
    resources: tuple[Resource, ...] = ()


FAILED = Received(Retrieval.FAILED)
NO_DATA = Received(Retrieval.COMPLETE)
ABSENT = Received(Retrieval.ABSENT)
_UNREADABLE = Received(Retrieval.INCOMPLETE)


def is_read(template: str | None) -> bool:
    return template is not None and "?" not in template


def read(value: Any, template: str | None) -> Received:
    """The data in one prefetch value; `template` is None for what was fetched by reference."""
    if value is None:
        return NO_DATA  # CDS Hooks, "Prefetch Template": there is no such data
    if not isinstance(value, dict):
        return FAILED
    if "resourceType" not in value and ("resource" in value or "response" in value):
        return _read_wrapped(value, template)
    resource_type = value.get("resourceType")
    if not isinstance(resource_type, str):
        return FAILED
    if resource_type == "OperationOutcome":
        return ABSENT if has_none(value) else FAILED
    if template is not None and is_read(template):
        expected = template.partition("/")[0]
        return Received(Retrieval.COMPLETE, (value,)) if resource_type == expected else FAILED
    if resource_type == "Bundle":
        return _read_bundle(value, NESTED_BUNDLES)
    # A search answered with one bare resource: there may be others.
    return Received(Retrieval.INCOMPLETE, (value,))


def _read_wrapped(wrapper: Resource, template: str | None) -> Received:
    """The form of drafts before CDS Hooks 1.0, `{"response": {"status"}, "resource"}`."""
    response = wrapper.get("response")
    status = str(response.get("status", "")) if isinstance(response, dict) else ""
    resource = wrapper.get("resource")
    if status and not status.startswith("2"):
        return ABSENT if status.startswith("404") else FAILED
    if resource is None:
        return NO_DATA if status else FAILED
    is_wrapped_again = isinstance(resource, dict) and "resourceType" not in resource
    return FAILED if is_wrapped_again else read(resource, template)


def _read_bundle(bundle: Resource, nested: int) -> Received:
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
    return Received(Retrieval.COMPLETE if is_whole else Retrieval.INCOMPLETE, tuple(resources))


def _search_mode(entry: Any) -> Any:
    search = entry.get("search") if isinstance(entry, dict) else None
    return search.get("mode") if isinstance(search, dict) else None


def _is_remark(outcome: Resource) -> bool:
    severities = [issue.get("severity") for issue in listed(outcome.get("issue"))]
    return _is_said_by_all(outcome, _REMARKS) and all(
        severity in _HARMLESS for severity in severities
    )


def _is_said_by_all(outcome: Resource, codes: Collection[str]) -> bool:
    """Whether an OperationOutcome has issues, and all of them have one of these codes."""
    issue_codes = [issue.get("code") for issue in listed(outcome.get("issue"))]
    return bool(issue_codes) and all(code in codes for code in issue_codes)


def has_none(value: Resource) -> bool:
    """Whether this is an OperationOutcome that says that the server has no such resources."""
    return value.get("resourceType") == "OperationOutcome" and _is_said_by_all(value, _NONE_HERE)


def _has_next_page(bundle: Resource) -> bool:
    return any(link.get("relation") == "next" for link in listed(bundle.get("link")))


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
    links = (link for link in listed(value.get("link")) if link.get("relation") == "next")
    return next((link["url"] for link in links if isinstance(link.get("url"), str)), None)


def _promises_more(bundle: Resource, modes: Sequence[Any]) -> bool:
    """Whether a whole searchset states a larger total than it has matches."""
    total = bundle.get("total")
    # Some servers count their remarks among the matches (hapi-fhir#7153).
    matches = sum(mode != "include" for mode in modes)
    return isinstance(total, int) and total > matches
