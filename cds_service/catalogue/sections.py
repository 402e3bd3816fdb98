"""Sections that the documents of all governed items share: words, sources, review, examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from cds_service.catalogue.attributes import attribute_lines
from cds_service.catalogue.conditions import Saying, governed_limits
from cds_service.catalogue.document import (
    SOURCES,
    Address,
    Line,
    Paragraph,
    Prose,
    Run,
    Section,
    Table,
    Terms,
    plain,
)
from cds_service.catalogue.edition import Edition
from cds_service.catalogue.facts import fact_items
from cds_service.knowledge.content.artifacts import Example, Governance
from cds_service.knowledge.content.words import IN, Text
from cds_service.knowledge.record.quantities import number_text


def lead_of(edition: Edition, governance: Governance) -> str:
    """What it is, in which version, and whether anybody has signed it."""
    kind = edition.kind_of_item(governance.id)
    return edition.labels.say(
        "lead",
        kind=edition.labels.say(f"one of {kind}"),
        id=governance.id,
        version=governance.version,
        status=edition.labels.say(f"status {governance.status}"),
    )


def words_of(edition: Edition, text: Text) -> Prose:
    """A text without values: where one would stand is what it is, in brackets."""
    return Prose(plain(Saying(edition).text(text)))


def said_sections(edition: Edition, id_: str, parts: Iterable[str]) -> Iterable[Section]:
    """What cards say of an item, part by part; nothing if no part has words."""
    having = [part for part in parts if edition.words.has(id_, part)]
    if having:
        yield Section(edition.labels.say("says"), ())
    for part in having:
        text = edition.words.texts[id_, part]
        yield Section(part_label(edition, part), (words_of(edition, text),), level=3)


def part_label(edition: Edition, part: str) -> str:
    """What a part of the words is called: its label, or the item beside which it stands."""
    part, _, region = part.partition(IN)
    if region:
        return f"{part_label(edition, part)} ({region})"
    if edition.labels.has(f"part {part}"):
        return edition.labels.say(f"part {part}")
    if part in edition.service.governed:
        return edition.labels.say("part beside", item=plain(edition.item(part)))
    kind, _, reason = part.partition(" ")
    if reason and edition.labels.has(f"part {kind}"):
        return edition.labels.say(f"part {kind}")
    return edition.labels.say("part withheld")


def ground_sections(edition: Edition, governance: Governance) -> Iterable[Section]:
    """What an item that decides rests on: numbers, facts and sources; and who answers for it."""
    yield threshold_section(edition, governance)
    yield reading_section(edition, governance.id)
    yield source_section(edition, governance)
    yield review_section(edition, governance)


def threshold_section(edition: Edition, governance: Governance) -> Section:
    """Every number that decides, and every number that the words take from a source."""
    labels = edition.labels
    sources = edition.listed(map(edition.key, governance.sources))
    rows: list[tuple[Line, ...]] = [
        (line, fact or (labels.say("here"),), sources)
        for line, fact in dict(governed_limits(edition, governance)).items()
    ]
    for key, numbers in governance.figures.items():
        listed = labels.say("list separator").join(map(number_text, numbers))
        number = (labels.say("figure", numbers=listed),)
        rows.append((number, (labels.say("in the words"),), (edition.key(key),)))
    if not rows:
        return Section(labels.say("thresholds"), (Paragraph((labels.say("no threshold"),)),))
    columns = (labels.say("number that decides"), labels.say("compared in"), labels.say("sources"))
    return Section(labels.say("thresholds"), (Table(labels.say("thresholds"), columns, rows),))


def reading_section(edition: Edition, id_: str) -> Section:
    """The facts that an item rests on, and the source attributes among them."""
    labels = edition.labels
    facts = edition.facts_of.get(id_, [])
    attributes = Terms(((labels.say("source attributes"), attribute_lines(edition, id_)),))
    blocks = (fact_items(edition, facts), attributes) if facts else (attributes,)
    return Section(labels.say("reads"), blocks)


def source_section(edition: Edition, governance: Governance, level: int = 2) -> Section:
    """Every source with its link, and how far it was read."""
    labels = edition.labels
    columns = tuple(map(labels.say, ("source", "published by", "kind of source", "read how far")))
    rows = [
        (
            source_line(edition, key),
            (source.organisation or "–",),
            (labels.say(f"source {source.kind}"),),
            (labels.say(f"opened {source.opened}"),),
        )
        for key in governance.sources
        for source in (edition.service.sources[key],)
    ]
    table = Table(labels.say("sources of", id=governance.id), columns, rows)
    return Section(labels.say("sources"), (table,), level)


def source_line(edition: Edition, key: str) -> Line:
    """A source: its own document here, and its address elsewhere where one is recorded."""
    source = edition.service.sources[key]
    here = Run(source.label, Address(SOURCES, key))
    return (here, " · ", Run(source.url, url=source.url)) if source.url else (here,)


def review_section(edition: Edition, governance: Governance) -> Section:
    """Who answers for an item, and since when."""
    labels = edition.labels
    reviewed = governance.last_review_date
    due = date.fromisoformat(reviewed) + edition.service.review_after
    rows = [
        (labels.say("status"), (labels.say(f"status {governance.status}"),)),
        (labels.say("version"), (governance.version,)),
        (labels.say("reviewer"), (governance.reviewer or labels.say("no reviewer"),)),
        (labels.say("last review"), (reviewed,)),
        (labels.say("review due"), (due.isoformat(),)),
        (labels.say("grade"), (labels.say(f"grade {governance.grade}"),)),
        (labels.say("confirmed"), (labels.say(f"opened {governance.confirmed}"),)),
    ]
    if switch := edition.service.switch_of(governance.id):
        rows.append((labels.say("switch"), (labels.say(f"switch {switch}"),)))
    return Section(labels.say("review"), (Terms(rows),))


def acting_section(edition: Edition, id_: str) -> Section:
    """The rules that withhold an item, put it last or say something beside it."""
    labels = edition.labels
    rules = edition.acting_on.get(id_, [])
    slots = [slot.id for slot in edition.service.slots if id_ in slot.withholds]
    line = edition.listed(edition.item(each) for each in (*rules, *slots))
    return Section(labels.say("acted on by"), (Paragraph(line),))


def example_section(edition: Edition, examples: Iterable[Example]) -> Section:
    """The examples as a decision table; each runs as a test of the content."""
    labels = edition.labels
    columns = tuple(map(labels.say, ("example", "facts", "expected", "withholds")))
    rows = [
        (
            (example.name,),
            _given(edition, example.facts),
            (_expected(edition, example),),
            edition.listed(edition.item(item) for item in example.withholds or ()),
        )
        for example in examples
    ]
    about = Paragraph((labels.say("about examples"),))
    return Section(labels.say("examples"), (about, Table(labels.say("examples"), columns, rows)))


def _given(edition: Edition, facts: Mapping[str, Any]) -> Line:
    """The facts of an example; the others are those of a healthy adult."""
    if not facts:
        return (edition.labels.say("nothing else on record"),)
    return edition.listed(
        edition.labels.line(
            "given", fact=_fact_or_member(edition, name), value=_told(edition, value)
        )
        for name, value in facts.items()
    )


def _fact_or_member(edition: Edition, name: str) -> Line:
    fact, _, member = name.partition(".")
    if fact not in edition.service.facts:
        return (name,)
    return (edition.fact(fact), *((f" ({member})",) if member else ()))


def _told(edition: Edition, value: Any) -> str:
    match value:
        case None:
            return edition.labels.say("told unknown")
        case bool():
            return edition.labels.say("yes" if value else "no")
        case float() | int():
            return number_text(value)
    return str(value)


def _expected(edition: Edition, example: Example) -> str:
    expected = edition.labels.say(f"expect {example.expect}")
    if example.points is None:
        return expected
    return edition.labels.say("with points", expected=expected, points=example.points)
