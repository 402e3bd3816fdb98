"""All artifacts of the content, in one order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from cds_service.fhir_export.activities import activities
from cds_service.fhir_export.libraries import library
from cds_service.fhir_export.metadata import Publication, Resource, latest
from cds_service.fhir_export.plans import cause_plans, rule_plans, service_plan, suggestion_plans
from cds_service.fhir_export.value_sets import value_sets
from cds_service.knowledge import Knowledge


def artifacts(knowledge: Knowledge, publication: Publication) -> Iterator[Resource]:
    """Every artifact: of each service, then the value sets. The same content gives the same."""
    for service in knowledge.services.values():
        yield service_plan(service, publication)
        yield library(service, knowledge, publication)
        yield from rule_plans(service, publication)
        yield from cause_plans(service, publication)
        yield from suggestion_plans(service, publication)
        yield from activities(service, publication)
    every = [item for each in knowledge.services.values() for item in each.governed.values()]
    yield from value_sets(knowledge, publication, latest(every))


def write(folder: Path, resources: Iterator[Resource]) -> dict[str, int]:
    """Write each artifact to <type>/<id>.json under the folder; how many there are of each type."""
    counts: dict[str, int] = {}
    for resource in resources:
        type_ = resource["resourceType"]
        path = folder / type_ / f"{resource['id']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            orjson.dumps(resource, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        )
        counts[type_] = counts.get(type_, 0) + 1
    return counts
