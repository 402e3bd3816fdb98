"""A rule as a document: what it says, when it holds, what it does, what it rests on."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.catalogue.conditions import Saying, condition_blocks
from cds_service.catalogue.document import (
    Document,
    Item,
    Items,
    Line,
    Section,
    Terms,
)
from cds_service.catalogue.edition import Edition
from cds_service.catalogue.sections import (
    example_section,
    ground_sections,
    lead_of,
    said_sections,
)
from cds_service.knowledge.content.artifacts import LEVELS, Rule, Withhold
from cds_service.knowledge.content.words import OPTION, SHORT

_PARTS = (*LEVELS, OPTION, SHORT)


def rule_document(edition: Edition, id_: str) -> Document:
    """The document of a rule. Raises KeyError for an unknown one."""
    rule = rule_of(edition, id_)
    labels = edition.labels
    sections = [
        *said_sections(edition, id_, said_parts(edition, rule)),
        Section(labels.say("when it holds"), ()),
        *level_sections(edition, rule),
        Section(labels.say("effect"), (Terms(tuple(_effects(edition, rule))),)),
        *_withholding(edition, rule),
        *ground_sections(edition, rule.governance),
        example_section(edition, rule.examples),
    ]
    lead = lead_of(edition, rule.governance)
    return Document(edition.name(id_), lead, sections, labels.language)


def rule_of(edition: Edition, id_: str) -> Rule:
    """The rule with an id. Raises KeyError."""
    for rule in edition.service.rules:
        if rule.id == id_:
            return rule
    raise KeyError(id_)


def said_parts(edition: Edition, rule: Rule) -> list[str]:
    """The parts of its words, without the reasons for what it withholds."""
    reasons = {withhold.because for withhold in rule.withhold}
    parts = [part for id_, part in edition.words.texts if id_ == rule.id and part not in reasons]
    order = {part: place for place, part in enumerate(_PARTS)}
    return sorted(parts, key=lambda part: order.get(part, len(order)))


def level_sections(edition: Edition, rule: Rule) -> Iterable[Section]:
    """The condition of each level, in words and as FHIRPath; the worst that holds counts."""
    for level, condition in rule.levels.items():
        label = edition.labels.say(f"part {level}")
        yield Section(label, condition_blocks(edition, condition, expanded=True), level=3)


def _effects(edition: Edition, rule: Rule) -> Iterable[tuple[str, Line]]:
    labels, service = edition.labels, edition.service
    cards = [level for level in rule.levels if level != "info" and rule.slot]
    if cards:
        levels = labels.say("list separator").join(labels.say(f"part {level}") for level in cards)
        yield labels.say("interrupts"), (labels.say("own card", levels=levels),)
    else:
        yield labels.say("interrupts"), (labels.say("never interrupts"),)
    if rule.section:
        heading = edition.layout(rule.section)
        yield labels.say("line"), (labels.say("in section", section=heading),)
        if rule.section_when:
            yield labels.say("only while"), (rule.section_when.text,)
    if rule.beside:
        yield labels.say("beside"), edition.listed(map(edition.item, rule.beside))
    opened = f"part {rule.opens}" if rule.opens else "opens nothing"
    yield labels.say("opens"), (labels.say(opened),)
    if rule.id in service.gate.silence:
        yield labels.say("silences"), (labels.say("silences all"),)
    if rule.demote:
        yield labels.say("puts last"), edition.listed(map(edition.item, rule.demote))
    if rule.urgency:
        shown = [
            labels.say("level urgency", level=labels.say(f"part {level}"), urgency=urgency)
            for level, urgency in rule.urgency.items()
            if level in rule.levels
        ]
        yield labels.say("urgency"), (labels.say("list separator").join(shown),)
    if not rule.withhold:
        yield labels.say("withholds"), (labels.say("withholds nothing"),)


def _withholding(edition: Edition, rule: Rule) -> Iterable[Section]:
    """What it withholds, when, and the reason that a card gives."""
    if rule.withhold:
        items = tuple(_withheld(edition, rule, withhold) for withhold in rule.withhold)
        yield Section(edition.labels.say("withholds"), (Items(items),))


def _withheld(edition: Edition, rule: Rule, withhold: Withhold) -> Item:
    labels = edition.labels
    saying = Saying(edition)
    items = edition.listed(map(edition.item, withhold.items))
    below = [saying.condition(withhold.when)] if withhold.when else []
    if edition.words.has(rule.id, withhold.because):
        because = edition.words.texts[rule.id, withhold.because]
        below.append(Item(labels.line("because", reason=saying.text(because))))
    label = "withheld while" if withhold.when else "withheld always"
    return Item(labels.line(label, items=items), tuple(below))
