"""The contents of the knowledge: what there is, and a search in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from cds_service.catalogue.document import (
    FACTS,
    KINDS,
    SOURCES,
    VALUE_SETS,
    Address,
    Document,
    Item,
    Items,
    Line,
    Paragraph,
    Run,
    Section,
    Table,
    Terms,
)
from cds_service.catalogue.edition import Edition
from cds_service.catalogue.facts import fact_items

MOST_FOUND = 100  # in one search


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to be found: where it is, what it is called, and all its text in lower case."""

    address: Address
    name: str
    text: str


def contents_document(edition: Edition) -> Document:
    """The rules, causes, measures, drug classes, drugs and suggestions of a service."""
    labels, service = edition.labels, edition.service
    sections = [Section(labels.say("rules"), tuple(_rule_tables(edition)))]
    for kind, ids in (
        ("causes", [cause.id for cause in service.causes]),
        ("measures", list(service.measures)),
        ("classes", list(service.classes)),
        ("drugs", list(service.drugs)),
        ("suggestions", [each.governance.id for each in service.suggestions]),
    ):
        if ids:
            caption = labels.say(kind)
            sections.append(Section(caption, (_table(edition, caption, ids),)))
    gate = service.gate
    rows: list[tuple[str, Line]] = [(labels.say("gate opens when"), (gate.when.text,))]
    rows.append((labels.say("gate by rules"), (gate.opened_by_rules.text,)))
    rows.append((labels.say("gate silenced by"), edition.listed(map(edition.item, gate.silence))))
    rows.append((labels.say("most cards"), (str(service.most_cards),)))
    sections.append(Section(labels.say("gate"), (Terms(rows),)))
    lead = labels.say("lead service", id=service.id, version=service.version)
    return Document(service.title, lead, sections, labels.language)


def facts_document(edition: Edition) -> Document:
    """Every fact of a service, with what it reads."""
    labels = edition.labels
    names = sorted(edition.service.facts)
    sections = (Section("", (fact_items(edition, names),)),)
    lead = labels.say("facts lead")
    return Document(labels.say("facts"), lead, sections, labels.language)


def _rule_tables(edition: Edition) -> Iterable[Table]:
    """The rules by topic."""
    rules = sorted(edition.service.rules, key=lambda rule: rule.topic)
    for topic, group in groupby(rules, key=lambda rule: rule.topic):
        yield _table(edition, topic.replace("-", " "), [rule.id for rule in group])


def _table(edition: Edition, caption: str, ids: Iterable[str]) -> Table:
    labels, governed = edition.labels, edition.service.governed
    columns = tuple(map(labels.say, ("name", "levels", "status", "version", "grade")))
    levels = {rule.id: rule.levels for rule in edition.service.rules}
    rows: list[tuple[Line, ...]] = [
        (
            edition.item(id_),
            (
                labels.say("list separator").join(
                    labels.say(f"part {level}") for level in levels[id_]
                )
                if id_ in levels
                else "–",
            ),
            (labels.say(f"short status {governed[id_].status}"),),
            (governed[id_].version,),
            (governed[id_].grade,),
        )
        for id_ in ids
    ]
    return Table(caption, columns, rows)


def search_document(editions: list[Edition], wanted: str) -> Document:
    """What has all the words that are looked for, best first, by kind."""
    labels = editions[0].labels
    found = _search(editions, wanted)
    sections = []
    for kind in KINDS:
        items = [
            Item((Run(entry.name, entry.address),)) for entry in found if entry.address.kind == kind
        ]
        if items:
            sections.append(Section(labels.say(kind), (Items(items),)))
    if not found:
        sections.append(Section("", (Paragraph((labels.say("nothing found"),)),)))
    elif len(found) == MOST_FOUND:
        sections.append(Section("", (Paragraph((labels.say("more found", most=MOST_FOUND),)),)))
    title = labels.say("search results", wanted=wanted)
    lead = labels.say("found", number=len(found))
    return Document(title, lead, sections, labels.language)


def _search(editions: list[Edition], wanted: str) -> list[Entry]:
    words = wanted.lower().split()
    if not words:
        return []
    hits = [entry for entry in _entries(editions) if all(word in entry.text for word in words)]
    hits.sort(key=lambda entry: _rank(entry, words))
    return hits[:MOST_FOUND]


def _rank(entry: Entry, words: list[str]) -> int:
    """An id first, then a name, then a text."""
    if [entry.address.id.lower()] == words:
        return 0
    name = entry.name.lower()
    return 1 if all(word in name for word in words) else 2


def _entries(editions: list[Edition]) -> Iterable[Entry]:
    first = editions[0]
    for edition in editions:
        service = edition.service
        said: dict[str, list[str]] = {}
        for (id_, _), text in edition.words.texts.items():
            said.setdefault(id_, []).append(text.literal)
        for id_, governance in service.governed.items():
            name = edition.name(id_)
            texts = (name, governance.title, *governance.sources, *said.get(id_, ()))
            yield _entry(edition.address(id_), name, texts)
        for name in service.facts:
            address = Address(FACTS, name, service.id, service.version)
            yield _entry(address, edition.fact_name(name), (name,))
    for id_, value_set in first.knowledge.value_sets.items():
        codes = (code for concepts in value_set.concepts.values() for code in concepts.codes)
        texts = (id_, *codes, *value_set.phrases)
        address = Address(VALUE_SETS, id_, version=value_set.version)
        yield _entry(address, value_set.title, texts)
    for key, source in first.service.sources.items():
        texts = (key, source.organisation or "")
        yield _entry(Address(SOURCES, key), source.label, texts)


def _entry(address: Address, name: str, texts: Iterable[str]) -> Entry:
    return Entry(address, name, " ".join((address.id, name, *texts)).lower())
