"""Whether a resource is FHIR R4: asked only of the resources that a card rests on."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from secrets import token_bytes

import orjson
from fhir.resources.R4B import get_fhir_model_class
from fhir_core.fhirabstractmodel import FHIRAbstractModel

from cds_service.knowledge.call import Resource

# Read by nobody here: a fault in them makes no statement wrong.
_NOT_READ = frozenset({"text", "meta", "contained", "extension", "implicitRules", "language"})
# What the library raises for odd input; a KeyError for an unknown resource type inside another.
_REFUSALS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
_MODELS: dict[str, type[FHIRAbstractModel]] = {}
# A chart is opened more than once: what was found valid is known again by a digest under a key
# that this process alone has, so that nothing of a record is kept.
_KEY = token_bytes(32)
_MOST_REMEMBERED = 30_000  # 3 MiB; then it begins anew
_valid: set[bytes] = set()


def load_models(resource_types: Iterable[str]) -> None:
    """Import the models of what facts read, before the first call needs them (about 0.2 s)."""
    for resource_type in resource_types:
        _MODELS[resource_type] = get_fhir_model_class(resource_type)


def invalid_resources(resources: Iterable[Resource]) -> list[Resource]:
    """Those that fhir.resources refuses as R4B. What it says quotes values, so it is not kept."""
    return [resource for resource in resources if not _is_valid(resource)]


def _is_valid(resource: Resource) -> bool:
    model = _MODELS.get(str(resource.get("resourceType")))
    if model is None:
        return False
    read = {key: value for key, value in resource.items() if key not in _NOT_READ}
    try:
        digest = blake2b(orjson.dumps(read), digest_size=16, key=_KEY).digest()
        if digest not in _valid:
            model.model_validate(read)
    except _REFUSALS:
        return False
    if len(_valid) >= _MOST_REMEMBERED:
        _valid.clear()
    _valid.add(digest)
    return True
