"""A card as a document: the rules behind it with their full words and sources, without values.

What is not about the patient, such as mechanisms and how a measure is done, stands here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from cds_service.catalogue.causes import cause_of
from cds_service.catalogue.conditions import Saying
from cds_service.catalogue.document import (
    CAUSES,
    RULES,
    Block,
    Document,
    Item,
    Items,
    Line,
    Paragraph,
    Run,
    Section,
    plain,
)
from cds_service.catalogue.edition import Edition
from cds_service.catalogue.rules import rule_of
from cds_service.catalogue.sections import lead_of, source_section, words_of
from cds_service.knowledge.content.artifacts import DIFFERENTIAL, LEVELS
from cds_service.knowledge.content.words import OPTION, Text


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule or cause behind a card, in the version and at the level at which it applied."""

    id: str
    version: str
    level: str


@dataclass(frozen=True, slots=True)
class StoredCard:
    """What the page needs of a card in the store: nothing of the patient."""

    knowledge_version: str
    slot: str
    indicator: str
    rules: Sequence[StoredRule]


def card_document(edition: Edition, card: StoredCard) -> Document:
    """The document of a card that was sent by this service."""
    labels = edition.labels
    known = [rule for rule in card.rules if rule.id in edition.service.governed]
    sections: list[Section] = []
    if card.knowledge_version != edition.knowledge.version:
        notice = labels.say("other version", then=card.knowledge_version)
        sections.append(Section("", (Paragraph((notice,)),)))
    for rule in known:
        sections.extend(_behind(edition, rule))
    unknown = [rule.id for rule in card.rules if rule.id not in edition.service.governed]
    if unknown:
        gone = labels.say("rules gone", rules=labels.say("list separator").join(unknown))
        sections.append(Section("", (Paragraph((gone,)),)))
    if any(slot.id == card.slot and slot.kind == DIFFERENTIAL for slot in edition.service.slots):
        sections.extend(_for_everybody(edition, {rule.id for rule in card.rules}))
    if not card.rules:
        sections.append(Section("", (Paragraph((labels.say("no rule behind"),)),)))
    title = labels.say(f"card {card.indicator}")
    return Document(title, labels.say("lead card"), sections, labels.language)


def _behind(edition: Edition, stored: StoredRule) -> Iterable[Section]:
    governance = edition.service.governed[stored.id]
    labels = edition.labels
    level = labels.say(f"card level {stored.level}")
    about: list[Line] = [(labels.say("level at", level=level, lead=lead_of(edition, governance)),)]
    if governance.version != stored.version:
        about.append((labels.say("rule changed", then=stored.version, now=governance.version),))
    link = labels.line("whole rule", item=edition.item(stored.id))
    yield Section(
        edition.name(stored.id),
        (*map(Paragraph, about), *_words(edition, stored), Paragraph(link)),
    )
    yield source_section(edition, governance, level=3)


def _words(edition: Edition, stored: StoredRule) -> Iterable[Block]:
    kind = edition.kind_of_item(stored.id)
    if kind == CAUSES:
        yield from _cause_words(edition, stored.id)
    elif kind == RULES:
        yield from _rule_words(edition, stored)


def _rule_words(edition: Edition, stored: StoredRule) -> Iterable[Block]:
    """The words at its level; where it has none, what it says beside options and of withholding."""
    rule, words = rule_of(edition, stored.id), edition.words
    part = stored.level if stored.level in LEVELS else "info"
    parts = [each for each in (part, OPTION, *rule.beside) if words.has(rule.id, each)]
    for each in parts[: 1 if part in parts else None]:
        yield words_of(edition, words.texts[rule.id, each])
    saying = Saying(edition)
    held: list[Item] = []
    for withhold in rule.withhold:
        items = edition.listed(map(edition.item, withhold.items))
        reason = saying.text(words.texts[rule.id, withhold.because])
        held.append(Item(edition.labels.line("withheld because", items=items, reason=reason)))
    if held:
        yield Items(held)


def _cause_words(edition: Edition, id_: str) -> Iterable[Block]:
    """The mechanism, the notes, and what is offered: measures in full, classes with their drugs."""
    cause, words = cause_of(edition, id_), edition.words
    yield words_of(edition, words.texts[id_, "mechanism"])
    if cause.notes:
        notes = [words.texts[id_, f"note {note.because}"] for note in cause.notes]
        yield Paragraph((edition.labels.say("notes in general"),))
        yield Items([Item((_unmarked(edition, note),)) for note in notes])
    items = [
        Item(_offer(edition, measure, "text"), tuple(_beside(edition, measure)))
        for measure in cause.measures
        if not edition.service.measures[measure].advised_against
    ]
    for class_id in cause.classes:
        drugs = edition.service.classes[class_id].drugs
        below = [Item(edition.item(drug), tuple(_beside(edition, drug))) for drug in drugs]
        line = _offer(edition, class_id, f"for {id_}")
        items.append(Item(line, (*_beside(edition, class_id), *below)))
    if items:
        yield Paragraph((edition.labels.say("in general"),))
        yield Items(items)


def _offer(edition: Edition, id_: str, part: str) -> Line:
    words = edition.words
    if not words.has(id_, part):
        return edition.item(id_)
    said = Saying(edition).text(words.texts[id_, part])
    return edition.labels.line("offer", item=edition.item(id_), said=said)


def _beside(edition: Edition, item: str) -> Iterable[Item]:
    """What stands beside an item for everybody, such as what a drug is licensed for.

    A short card leaves these lines out.
    """
    for rule_id in edition.service.beside.get(item, ()):
        if rule_of(edition, rule_id).is_for_everybody:
            parts = (part for part in (item, OPTION) if edition.words.has(rule_id, part))
            yield _general(edition, rule_id, next(parts, "info"))


def _for_everybody(edition: Edition, shown: Set[str]) -> Iterable[Section]:
    """What the full text of the card says in every case, and the short one leaves out."""
    lines = tuple(
        _general(edition, rule.id, "info")
        for rule in edition.service.rules
        if rule.is_for_everybody and rule.section and rule.id not in shown
    )
    if lines:
        yield Section(edition.labels.say("for everybody"), (Items(lines),))


def _general(edition: Edition, rule_id: str, part: str) -> Item:
    """What a rule says without anything of the record."""
    said = _unmarked(edition, edition.words.texts[rule_id, part].about_everybody)
    rule = Run(rule_id, edition.address(rule_id))
    return Item(edition.labels.line("in general by", said=said, rule=rule))


def _unmarked(edition: Edition, text: Text) -> str:
    """A text without the marks of bold text, for a line of a list."""
    return plain(Saying(edition).text(text)).replace("**", "").strip()
