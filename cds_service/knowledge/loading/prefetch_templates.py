"""Prefetch templates, derived from the facts so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cds_service.knowledge.facts.kinds import Definition, kind_of
from cds_service.knowledge.facts.library import Library
from cds_service.knowledge.record.terminology import LOINC

_CODES = "{codes}"
# Some CDS Clients and FHIR servers refuse longer addresses.
_LONGEST = 2000


def fill_templates(
    templates: Mapping[str, str],
    facts: Mapping[str, Definition],
    library: Library,
    add: Callable[[str, str], None],
) -> dict[str, str]:
    """The templates of a service with `{codes}` replaced by the LOINC codes that its facts need."""
    filled = {}
    for key, template in templates.items():
        codes = sorted(
            {
                code
                for definition in facts.values()
                if kind_of(definition).source(definition) == key
                for _, value_set in kind_of(definition).value_sets(definition)
                for code in library.codes.get(value_set, {}).get(LOINC, ())
            }
        )
        if (_CODES in template) != bool(codes):
            add(f"prefetch.{key}", f"{_CODES} and observation facts `from: {key}` need each other")
        filled[key] = template.replace(_CODES, ",".join(codes))
        if len(filled[key]) >= _LONGEST:
            add(f"prefetch.{key}", f"has {len(filled[key])} characters; under {_LONGEST} are safe")
    return filled
