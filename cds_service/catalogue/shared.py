"""What all services share, as documents: value sets and sources."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.catalogue.document import (
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
from cds_service.knowledge.facts.library import ValueSet


def value_set_document(editions: list[Edition], id_: str) -> Document:
    """The document of a value set: its codes, its words, the facts that read it, and their rules.

    Raises KeyError for an unknown one.
    """
    first = editions[0]
    labels, value_set = first.labels, first.knowledge.value_sets[id_]
    sections = [
        Section(labels.say("read by"), tuple(_readers(editions, id_))),
        *_codes(first, value_set),
    ]
    if value_set.phrases:
        words = (", ".join(value_set.phrases),)
        meaning = Paragraph((labels.say("about phrases"),))
        sections.append(Section(labels.say("words of records"), (meaning, Paragraph(words))))
    about = [
        (labels.say(name), (text,))
        for name, text in (
            ("description", value_set.description),
            ("copyright", value_set.copyright),
        )
        if text
    ]
    if about:
        sections.append(Section(labels.say("about"), (Terms(about),)))
    version = value_set.version or labels.say("words only")
    lead = labels.say("lead value set", id=id_, version=version)
    return Document(value_set.title, lead, sections, labels.language)


def _readers(editions: Iterable[Edition], id_: str) -> Iterable[Terms | Paragraph]:
    found = False
    for edition in editions:
        rows: list[tuple[str, Line]] = []
        for name in edition.facts_of_value_set.get(id_, ()):
            users = edition.listed(map(edition.item, edition.readers_of.get(name, ())))
            fact = edition.labels.line("fact read by", fact=edition.fact(name), users=users)
            rows.append((edition.service.title, fact))
        if rows:
            found = True
            yield Terms(rows)
    if not found:
        yield Paragraph((next(iter(editions)).labels.say("no fact"),))


def _codes(edition: Edition, value_set: ValueSet) -> Iterable[Section]:
    labels = edition.labels
    for system, concepts in value_set.concepts.items():
        caption = labels.say("codes of", system=system, number=len(concepts))
        columns = (labels.say("code"), labels.say("display"))
        rows = [((code,), (display,)) for code, display in concepts]
        yield Section(labels.say("codes"), (Table(caption, columns, rows),))


def source_document(editions: list[Edition], key: str) -> Document:
    """The document of a source: who published it, how far it was read, and what rests on it.

    Raises KeyError for an unknown one.
    """
    first = editions[0]
    labels, source = first.labels, first.service.sources[key]
    rows: list[tuple[str, Line]] = [
        (labels.say("published by"), (source.organisation or labels.say("not recorded"),)),
        (labels.say("year"), (str(source.year or labels.say("not recorded")),)),
        (labels.say("kind of source"), (labels.say(f"source {source.kind}"),)),
        (labels.say("read how far"), (labels.say(f"opened {source.opened}"),)),
        (
            labels.say("web address"),
            (Run(source.url, url=source.url) if source.url else labels.say("not recorded"),),
        ),
    ]
    cited = [
        Item(edition.item(id_)) for edition in editions for id_ in edition.cited_by.get(key, ())
    ]
    none = (Paragraph((labels.say("cited by nothing"),)),)
    sections = [
        Section(labels.say("about"), (Terms(rows),)),
        Section(labels.say("cited by"), (Items(cited),) if cited else none),
    ]
    return Document(source.label, labels.say("lead source", key=key), sections, labels.language)


def value_sets_document(editions: list[Edition]) -> Document:
    """Every value set, with the number of its codes."""
    first = editions[0]
    labels = first.labels
    columns = tuple(map(labels.say, ("value set", "version", "codes", "words of records")))
    rows = [
        (
            (first.value_set(id_),),
            (value_set.version or "–",),
            (str(sum(map(len, value_set.concepts.values()))),),
            (str(len(value_set.phrases)),),
        )
        for id_, value_set in sorted(
            first.knowledge.value_sets.items(), key=lambda entry: entry[1].title.lower()
        )
    ]
    table = Table(labels.say("value sets"), columns, rows)
    lead = labels.say("value sets lead")
    return Document(labels.say("value sets"), lead, (Section("", (table,)),), labels.language)


def sources_document(editions: list[Edition]) -> Document:
    """Every source, with how far it was read and how many items rest on it."""
    first = editions[0]
    labels = first.labels
    sources = first.service.sources
    columns = tuple(
        map(labels.say, ("source", "published by", "kind of source", "read how far", "cited by"))
    )
    rows = [
        (
            (first.source(key),),
            (sources[key].organisation or "–",),
            (labels.say(f"source {sources[key].kind}"),),
            (labels.say(f"opened {sources[key].opened}"),),
            (str(sum(len(edition.cited_by.get(key, ())) for edition in editions)),),
        )
        for key in sorted(sources, key=lambda key: sources[key].label.lower())
    ]
    table = Table(labels.say("sources"), columns, rows)
    lead = labels.say("sources lead")
    return Document(labels.say("sources"), lead, (Section("", (table,)),), labels.language)
