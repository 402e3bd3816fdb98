"""The Library of a service: its facts, its sources and the value sets that it reads."""

from __future__ import annotations

from typing import Any

from cds_service.fhir_export.conditions import USAGE
from cds_service.fhir_export.metadata import (
    Publication,
    Resource,
    artifact_id,
    citation,
    latest,
    present,
)
from cds_service.knowledge import CDSService, Knowledge
from cds_service.knowledge.expressions.expressions import BOOLEAN, NUMBER
from cds_service.knowledge.facts.kinds import kind_of, types_of

_LIBRARY_TYPES = "http://terminology.hl7.org/CodeSystem/library-type"
_TYPES = {NUMBER: "decimal", BOOLEAN: "boolean"}


def library(service: CDSService, knowledge: Knowledge, publication: Publication) -> Resource:
    """The Library: a parameter for each fact, a data requirement for each list of codes."""
    head = publication.head(
        "Library",
        artifact_id(service.id),
        f"Facts of: {service.title}",
        status="draft",
        version=service.version,
        date=latest(service.governed.values()),
    )
    read = {set_id for name in service.facts for set_id in _with_codes(service, knowledge, name)}
    depends = [
        {"type": "depends-on", "resource": f"{publication.url('ValueSet', set_id)}|{version}"}
        for set_id in sorted(read)
        if (version := knowledge.value_sets[set_id].version)
    ]
    cited = {key for item in service.governed.values() for key in item.sources}
    return head | {
        "type": {"coding": [{"system": _LIBRARY_TYPES, "code": "logic-library"}]},
        "description": f"{service.description}\n\n{service.usage_requirements}",
        "usage": USAGE,
        "relatedArtifact": [
            *(citation(key, service.sources[key]) for key in sorted(cited)),
            *depends,
        ],
        "parameter": [_parameter(service, name) for name in sorted(service.facts)],
        "dataRequirement": [
            requirement
            for name in sorted(service.facts)
            for requirement in _requirements(service, knowledge, publication, name)
        ],
    }


def _parameter(service: CDSService, name: str) -> Resource:
    definition: Any = service.facts[name]
    types = types_of({name: definition})
    return present(
        {
            "name": name,
            "use": "out",
            "min": 0,
            "max": "1",
            "documentation": f"a fact of the kind {kind_of(definition).key}",
            "type": _TYPES.get(types[f"{name}.value"], "string"),
        }
    )


def _requirements(
    service: CDSService, knowledge: Knowledge, publication: Publication, name: str
) -> list[Resource]:
    """What a fact reads, by resource type, where it reads codes."""
    kind = kind_of(service.facts[name])
    filters = [
        {"path": "code", "valueSet": publication.url("ValueSet", set_id)}
        for set_id in _with_codes(service, knowledge, name)
    ]
    return [
        {"id": artifact_id(name, type_), "type": type_, "codeFilter": filters}
        for type_ in sorted(kind.resource_types)
        if filters
    ]


def _with_codes(service: CDSService, knowledge: Knowledge, name: str) -> list[str]:
    """The value sets of a fact that have codes, each once."""
    definition: Any = service.facts[name]
    listed = dict.fromkeys(set_id for _, set_id in kind_of(definition).value_sets(definition))
    known = knowledge.value_sets
    return [set_id for set_id in listed if set_id in known and known[set_id].concepts]
