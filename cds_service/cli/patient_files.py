"""A patient's record from a file: a Bundle, NDJSON, or a whole CDS Hooks request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from cds_service.errors import InvalidRequest
from cds_service.knowledge.call import Resource, Retrieval, Retrieved

_MEDICATIONS = ("MedicationRequest", "MedicationStatement")


def read_resources(path: Path) -> list[Resource]:
    """The resources of a Bundle or of NDJSON. Raises InvalidRequest if it is neither."""
    content = path.read_bytes()
    try:
        documents = [orjson.loads(content)]
    except orjson.JSONDecodeError:
        try:
            documents = [orjson.loads(line) for line in content.splitlines() if line.strip()]
        except orjson.JSONDecodeError as error:
            raise InvalidRequest(f"{path.name} is neither a Bundle nor NDJSON: {error}") from error
    return [resource for document in documents for resource in _resources(document)]


def _resources(document: object) -> Iterable[Resource]:
    if not isinstance(document, dict):
        return
    if document.get("resourceType") != "Bundle":
        yield document
        return
    entries = document.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource


def as_retrieved(resources: Iterable[Resource], prefetch: Mapping[str, str]) -> Retrieved:
    """The record as if every prefetch key were complete."""
    return Retrieved(tuple(resources), {key: Retrieval.COMPLETE for key in prefetch})


def as_prefetch(resources: Iterable[Resource], prefetch: Mapping[str, str]) -> dict[str, Any]:
    """What a CDS Client would send as `prefetch` for a record, by the service's templates."""
    resources = list(resources)
    answered: dict[str, Any] = {}
    for key, template in prefetch.items():
        resource_type, _, query = template.partition("?")
        if not query:
            wanted = resource_type.partition("/")[0]
            answered[key] = next(
                (item for item in resources if item.get("resourceType") == wanted), None
            )
            continue
        codes = _codes(query)
        matching = [item for item in resources if _is_asked_for(item, resource_type, codes)]
        answered[key] = _searchset(matching)
    return answered


def patient_id(resources: Iterable[Resource]) -> str:
    """The id of the first Patient. Raises InvalidRequest if there is none."""
    for resource in resources:
        if resource.get("resourceType") == "Patient":
            return str(resource.get("id", "unknown"))
    raise InvalidRequest("there is no Patient in this file")


def _codes(query: str) -> frozenset[str]:
    parameters = dict(parameter.partition("=")[::2] for parameter in query.split("&"))
    return frozenset(filter(None, parameters.get("code", "").split(",")))


def _is_asked_for(resource: Resource, resource_type: str, codes: frozenset[str]) -> bool:
    if resource.get("resourceType") == "Medication":
        return resource_type in _MEDICATIONS
    if resource.get("resourceType") != resource_type:
        return False
    return not codes or bool(codes & _codes_of(resource))


def _codes_of(resource: Resource) -> frozenset[str]:
    elements = [resource, *(resource.get("component") or ())]
    return frozenset(
        str(coding.get("code"))
        for element in elements
        for coding in ((element.get("code") or {}).get("coding") or ())
    )


def _searchset(resources: list[Resource]) -> Resource:
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    if resources:
        bundle["entry"] = [
            {
                "resource": resource,
                "search": {
                    "mode": "include" if resource["resourceType"] == "Medication" else "match"
                },
            }
            for resource in resources
        ]
        bundle["total"] = sum(entry["search"]["mode"] == "match" for entry in bundle["entry"])
    return bundle
