"""What a CDS Client would send as `prefetch` for a record, by the templates of a service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cds_service.knowledge.call import Resource

_MEDICATIONS = ("MedicationRequest", "MedicationStatement")


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
    components = resource.get("component")
    elements = [resource, *(components if isinstance(components, list) else ())]
    return frozenset(
        str(coding.get("code"))
        for element in elements
        if isinstance(element, dict)
        for coding in _codings(element.get("code"))
    )


def _codings(concept: object) -> Iterable[Resource]:
    """The codings of a concept; records from outside may hold anything here."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return (coding for coding in _listed(codings) if isinstance(coding, dict))


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else (value,)


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
