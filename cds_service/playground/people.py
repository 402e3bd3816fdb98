"""The invented people that come with the service, each with a story, at the clock of today."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cds_service.errors import UnknownPerson
from cds_service.knowledge.call import Resource
from cds_service.playground.dates import shifted
from cds_service.playground.records import documents_in, resources_in

_DECIMAL = re.compile(r"(?<=-)(\d+)-(\d+)")
_SECTION = re.compile(r"^## +(.+)$", re.MULTILINE)
_PERSON = re.compile(r"^### +(\S+)\n+(.+?)(?=\n\n\*\*|\n#|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Person:
    """One invented person; `name` is the name of the file, `story` a paragraph in English."""

    name: str
    section: str
    story: str

    @property
    def first_name(self) -> str:
        """The first part of the name, with a capital."""
        return self.name.partition("-")[0].capitalize()

    @property
    def title(self) -> str:
        """The name as people write it. Two figures are one number: 2-3 is 2.3."""
        rest = _DECIMAL.sub(r"\1.\2", self.name).partition("-")[2]
        return f"{self.first_name}: {rest.replace('-', ' ')}"


def folder() -> Path:
    """The folder of the people: inside the installed package, or `fixtures` in a checkout."""
    inside = Path(__file__).parent.parent / "people"
    return inside if inside.is_dir() else inside.parent.parent / "fixtures"


@lru_cache(maxsize=1)
def people() -> Mapping[str, Person]:
    """Everybody by name, in the order and under the headings of the stories."""
    text = (folder() / "README.md").read_text(encoding="utf-8")
    headings = [(match.start(), match[1]) for match in _SECTION.finditer(text)]
    told = {
        match[1]: Person(
            match[1],
            [title for start, title in headings if start < match.start()][-1],
            " ".join(match[2].split()),
        )
        for match in _PERSON.finditer(text)
    }
    files = {path.stem for path in (folder() / "patients").glob("*.json")}
    return {name: person for name, person in told.items() if name in files}


def by_section() -> Mapping[str, tuple[Person, ...]]:
    """Everybody under the headings of the stories."""
    sections: dict[str, list[Person]] = {}
    for person in people().values():
        sections.setdefault(person.section, []).append(person)
    return {section: tuple(group) for section, group in sections.items()}


def person_named(name: str) -> Person:
    """The person with this name, or the only one whose name starts with it.

    Raises UnknownPerson if there is none, or if there are several.
    """
    if name in people():
        return people()[name]
    found = [person for each, person in people().items() if each.startswith(f"{name.lower()}-")]
    if name and len(found) == 1:
        return found[0]
    raise UnknownPerson("No invented person has this name; `cds-service demo` lists them.")


def bundle_of(person: Person, now: datetime) -> Resource:
    """The person's record as a transaction Bundle, told as if it happened up to `now`."""
    path = folder() / "patients" / f"{person.name}.json"
    [bundle] = documents_in(path.read_bytes(), path.name)
    moved: Resource = shifted(bundle, now)
    return moved


def resources_of(person: Person, now: datetime) -> Iterable[Resource]:
    """The resources of the person's record, told as if it happened up to `now`."""
    return resources_in([bundle_of(person, now)])
