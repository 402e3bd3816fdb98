"""A patient's record from outside: a Bundle, NDJSON, or a whole CDS Hooks request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from cds_service.errors import InvalidRequest, UnreadableBody
from cds_service.knowledge.call import Resource, Retrieval, Retrieved
from cds_service.wire.json_text import read_json

_CREDENTIALS = frozenset({"fhirauthorization", "access_token"})


def read_resources(path: Path) -> list[Resource]:
    """The resources in a file. Raises InvalidRequest if it is neither a Bundle nor NDJSON."""
    return resources_in(documents_in(path.read_bytes(), path.name))


def documents_in(content: bytes, name: str) -> list[Any]:
    """The JSON values in a text: one, or one a line.

    Raises InvalidRequest, with the number of the line, if it is neither; its text repeats nothing
    of the content.
    """
    try:
        return [read_json(content)]
    except UnreadableBody:
        lines = [
            (number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()
        ]
    if not lines:
        raise InvalidRequest(f"{name} is empty.")
    documents = []
    for number, line in lines:
        try:
            documents.append(read_json(line))
        except UnreadableBody as error:
            raise InvalidRequest(
                f"{name} is neither a Bundle nor NDJSON: line {number} is not JSON in UTF-8."
            ) from error
    return documents


def without_credentials(value: Any) -> Any:
    """A JSON value without `fhirAuthorization` and access tokens, wherever they stand in it."""
    if isinstance(value, dict):
        return {
            name: without_credentials(inner)
            for name, inner in value.items()
            if name.lower() not in _CREDENTIALS
        }
    return [without_credentials(inner) for inner in value] if isinstance(value, list) else value


def text_without_credentials(content: bytes) -> bytes:
    """A text from outside as it came, or without what `without_credentials` takes away.

    Text that cannot be read and has a credential's name in it is not had at all.
    """
    try:
        documents = documents_in(content, "The text")
    except InvalidRequest:
        return b"" if any(name.encode() in content.lower() for name in _CREDENTIALS) else content
    kept = without_credentials(documents)
    if kept == documents:
        return content
    return b"\n".join(map(orjson.dumps, kept))


def resources_in(documents: Iterable[Any]) -> list[Resource]:
    """The resources of Bundles, and those that stand alone."""
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
