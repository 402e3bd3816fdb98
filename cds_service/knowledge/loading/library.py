"""Loads the shared files of cards/ as a Library, and notes every mistake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson

from cds_service.knowledge.facts.library import Concepts, Library, Reference, ValueSet
from cds_service.knowledge.loading.check_digits import is_check_digit_right
from cds_service.knowledge.loading.library_files import (
    AttributesSchema,
    CodeSystemSchema,
    QuantitiesSchema,
    RecordText,
    RecordTextSchema,
    ReferenceSchema,
    StatusesSchema,
    ValueSetSchema,
)
from cds_service.knowledge.loading.problems import Problems
from cds_service.knowledge.record.code_systems import CodeSystem, CodeSystems
from cds_service.knowledge.record.named_results import NamedResults
from cds_service.knowledge.record.negation import Negation
from cds_service.knowledge.record.quantities import Conversion, Quantity
from cds_service.knowledge.record.statuses import Statuses
from cds_service.knowledge.record.terminology import HIERARCHICAL, Terminology, bare
from cds_service.knowledge.record.units import Units

_NO_SETS: frozenset[str] = frozenset()


def load_library(folder: Path, problems: Problems, *, thorough: bool = False) -> Library:
    """The shared content of cards/; mistakes are noted, not raised."""
    value_sets = _load_value_sets(folder / "value-sets", problems)
    codes = {set_id: _codes_of(value_set) for set_id, value_set in value_sets.items()}
    if thorough:
        _check_digits(folder / "value-sets", codes, problems)
    text = load_record_text(folder / "record-text.yaml", value_sets, problems)
    for set_id, phrases in text.phrases.items():
        value_set = value_sets.get(set_id, ValueSet(set_id, set_id))
        value_sets[set_id] = replace(value_set, phrases=phrases.match)
    systems = _load_code_systems(folder / "code-systems.yaml", problems)
    path = folder / "statuses.yaml"
    statuses = problems.load(StatusesSchema(), path, problems.read(path))
    for set_id, listed in codes.items():
        for system in listed:
            if systems.of(system) is None:
                path = folder / "value-sets" / f"{set_id}.json"
                problems.add(path, "compose.include", f"code-systems.yaml does not have {system}")
    return Library(
        value_sets=value_sets,
        terminology=Terminology(
            _by_system(codes), text.phrases, text.negation, systems, NamedResults.of(text.results)
        ),
        statuses=replace(statuses or Statuses(), systems=systems),
        quantities=_load_quantities(folder / "quantities.yaml", problems),
        references=_load_references(folder / "references.yaml", problems),
        codes=codes,
        understood=text.understood,
        phrases=text.phrases,
        attributes=_load_attributes(folder / "source-attributes.yaml", value_sets, problems),
    )


def _load_value_sets(folder: Path, problems: Problems) -> dict[str, ValueSet]:
    value_sets: dict[str, ValueSet] = {}
    schema = ValueSetSchema()
    for path in sorted(folder.glob("*.json")):
        try:
            data = orjson.loads(path.read_bytes())
        except orjson.JSONDecodeError as error:
            problems.add(path, "", f"is not JSON: {error}")
            problems.broken.add(path.stem)
            continue
        value_set = problems.load(schema, path, data)
        problems.unreadable.discard(path)  # the others can do without it
        if value_set is None:
            continue
        if value_set["id"] != path.stem:
            problems.add(path, "id", f"{value_set['id']} is not the name of the file")
        value_sets[path.stem] = ValueSet(
            id=path.stem,
            title=value_set["title"],
            version=value_set["version"],
            description=value_set["description"],
            copyright=value_set["copyright"],
            concepts=dict(_concepts_of(value_set["compose"], path, problems)),
        )
    return value_sets


def _concepts_of(
    compose: Mapping[str, Any], path: Path, problems: Problems
) -> Iterable[tuple[str, Concepts]]:
    for include in compose.get("include", []):
        system = include.get("system", "")
        listed = include.get("concept", [])
        if not listed:
            problems.add(path, "compose.include", f"{system} lists no codes")
        displays = (" ".join(each.get("display", "").split()) for each in listed)
        yield system, Concepts(tuple(each["code"] for each in listed), "\n".join(displays))


def _codes_of(value_set: ValueSet) -> dict[str, tuple[str, ...]]:
    return {system: listed.codes for system, listed in value_set.concepts.items()}


def _check_digits(
    folder: Path, codes: Mapping[str, Mapping[str, tuple[str, ...]]], problems: Problems
) -> None:
    for set_id, systems in codes.items():
        for system, listed in systems.items():
            for code in listed:
                if not is_check_digit_right(system, code):
                    message = f"{system}|{code} has a wrong check digit"
                    problems.add(folder / f"{set_id}.json", "compose.include", message)
                    problems.broken.add(set_id)


def _by_system(
    codes: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for set_id, systems in codes.items():
        # Many codes belong to the same few sets: share the frozen sets.
        joined: dict[frozenset[str], frozenset[str]] = {}
        for system, listed in systems.items():
            sets_of = found[system]
            for code in map(bare, listed) if system in HIERARCHICAL else listed:
                before = sets_of.get(code, _NO_SETS)
                if before not in joined:
                    joined[before] = before | {set_id}
                sets_of[code] = joined[before]
    return dict(found)


def load_record_text(path: Path, known: Container[str], problems: Problems) -> RecordText:
    text = problems.load(RecordTextSchema(), path, problems.read(path))
    if text is None:
        return RecordText({}, Negation((), 0), {})
    named = frozenset().union(*text.understood.values()) - text.phrases.keys()
    for set_id in text.results:
        if set_id not in known:
            problems.add(path, f"results.{set_id}", "there is no value set of this name")
    for set_id in (*text.phrases, *named):
        if set_id not in known and not set_id.startswith("text-"):
            problems.add(path, f"value_sets.{set_id}", "there is no value set of this name")
    return cast(RecordText, text)


def _load_code_systems(path: Path, problems: Problems) -> CodeSystems:
    entries, schema = problems.read(path), CodeSystemSchema()
    systems = []
    for address, entry in entries.items() if isinstance(entries, dict) else ():
        system = problems.load(schema, path, entry, address)
        if system is not None:
            kin = system.get("kin", {"names": (), "characters": None})
            names, characters = tuple(system["names"]), kin["characters"]
            systems.append(CodeSystem(address, names, tuple(kin["names"]), characters))
    return CodeSystems(systems)


def _load_references(path: Path, problems: Problems) -> dict[str, Reference]:
    entries, schema = problems.read(path), ReferenceSchema()
    references = {}
    for key, entry in entries.items() if isinstance(entries, dict) else ():
        reference = problems.load(schema, path, entry, key)
        if reference is not None:
            references[key] = reference
    return references


def _load_attributes(
    path: Path, known: Container[str], problems: Problems
) -> dict[str, tuple[str, ...]]:
    """What is in source-attributes.yaml, which is optional."""
    data = problems.load(AttributesSchema(), path, problems.read(path)) if path.exists() else {}
    attributes: dict[str, tuple[str, ...]] = data or {}
    for attribute, listed in attributes.items():
        for set_id in listed:
            if set_id not in known:
                problems.add(path, attribute, f"there is no value set {set_id}")
    return attributes


def _load_quantities(path: Path, problems: Problems) -> dict[str, Quantity]:
    data = problems.load(QuantitiesSchema(), path, problems.read(path))
    if data is None:
        return {}
    units = Units(data["words"])
    return {
        name: Quantity(
            unit=entry["unit"],
            plausible=(entry["plausible"][0], entry["plausible"][1]),
            conversions={
                units.fold(unit): Conversion(conversion["factor"], conversion["offset"])
                for unit, conversion in entry["convert"].items()
            },
            units=units,
            unitless=entry["unitless"],
        )
        for name, entry in data["quantities"].items()
    }
