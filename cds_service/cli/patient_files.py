"""A patient's record from a file: a Bundle, NDJSON, or a whole CDS Hooks request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from cds_service.errors import InvalidRequest
from cds_service.knowledge.call import Resource, Retrieval, Retrieved


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


def patient_id(resources: Iterable[Resource]) -> str:
    """The id of the first Patient. Raises InvalidRequest if there is none."""
    for resource in resources:
        if resource.get("resourceType") == "Patient":
            return str(resource.get("id", "unknown"))
    raise InvalidRequest("there is no Patient in this file")
