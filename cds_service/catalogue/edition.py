"""An edition: the knowledge in the language of a reader, and what reads what in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cds_service.catalogue.document import (
    CAUSES,
    CLASSES,
    DRUGS,
    FACTS,
    MEASURES,
    RULES,
    SOURCES,
    SUGGESTIONS,
    VALUE_SETS,
    Address,
    Line,
    Run,
    joined,
)
from cds_service.catalogue.labels import Labels
from cds_service.knowledge import CDSService, Knowledge
from cds_service.knowledge.content.artifacts import Governance
from cds_service.knowledge.content.words import Words
from cds_service.knowledge.expressions.expressions import Expression
from cds_service.knowledge.facts.kinds import kind_of, made_of


@dataclass(frozen=True)
class Edition:
    """One service in one language; `service.id` must be in the knowledge."""

    knowledge: Knowledge
    service: CDSService
    labels: Labels

    @property
    def words(self) -> Words:
        """The words in this language, or in the default language of the service."""
        words = self.service.words
        return words.get(self.labels.language) or words[self.service.default_language]

    def title(self, id_: str) -> str:
        """What an item is called in this language."""
        if self.words.has(id_, "title"):
            return self.words.plain(id_, "title")
        governance = self.service.governed[id_]
        if self.words.language == self.service.default_language:
            return governance.title
        return self.words.titles.get(id_, governance.title)

    def name(self, id_: str) -> str:
        """An item by its id and title; a drug by its title alone."""
        title = self.title(id_)
        return title if self.kind_of_item(id_) == DRUGS else f"{id_} {title}"

    def fact_name(self, name: str) -> str:
        """What a fact is called: its label, or its name as words."""
        if self.words.has(name, "label"):
            return self.words.plain(name, "label")
        return name.replace("_", " ")

    def layout(self, part: str) -> str:
        """The heading of a section of cards, or its id."""
        return self.words.plain("layout", part) if self.words.has("layout", part) else part

    # -- links ---------------------------------------------------------------------------------

    def kind_of_item(self, id_: str) -> str:
        """The kind of a governed item: rules, causes, ..."""
        service = self.service
        if id_ in service.measures:
            return MEASURES
        if id_ in service.classes:
            return CLASSES
        if id_ in service.drugs:
            return DRUGS
        if any(cause.id == id_ for cause in service.causes):
            return CAUSES
        if any(rule.id == id_ for rule in service.rules):
            return RULES
        return SUGGESTIONS

    def address(self, id_: str) -> Address:
        """Where the document of a governed item is."""
        version = self.service.governed[id_].version
        return Address(self.kind_of_item(id_), id_, self.service.id, version)

    def item(self, id_: str) -> Line:
        """A link to a governed item: its id and title; what else is named has a label."""
        if id_ not in self.service.governed:
            everything = f"all {id_}"
            if self.labels.has(everything):
                return (self.labels.say(everything),)
            return (self.labels.say("card of", slot=id_),)
        return (Run(self.name(id_), self.address(id_)),)

    def fact(self, name: str) -> Run:
        """A link to a fact."""
        address = Address(FACTS, name, self.service.id, self.service.version)
        return Run(self.fact_name(name), address)

    def value_set(self, set_id: str) -> Run:
        """A link to a value set."""
        found = self.knowledge.value_sets.get(set_id)
        if found is None:
            return Run(set_id)
        return Run(found.title, Address(VALUE_SETS, set_id, version=found.version))

    def source(self, key: str) -> Run:
        """A link to a source by its whole name."""
        return Run(self.service.sources[key].label, Address(SOURCES, key))

    def key(self, key: str) -> Run:
        """A link to a source by its key."""
        return Run(key, Address(SOURCES, key))

    def listed(self, lines: Iterable[Line | Run | str]) -> Line:
        """The lines with the separator of lists, or a dash if there are none."""
        found = [line if isinstance(line, tuple) else (line,) for line in lines]
        return joined(found, self.labels.say("list separator")) if found else ("–",)

    # -- what reads what -----------------------------------------------------------------------

    @cached_property
    def conditions(self) -> Mapping[str, tuple[Expression, ...]]:
        """The conditions of each rule, cause and suggestion."""
        service = self.service
        found = {rule.id: rule.conditions for rule in service.rules}
        found |= {cause.id: cause.conditions for cause in service.causes}
        for each in service.suggestions:
            requests = tuple(request.when for request in each.requests)
            found[each.governance.id] = (each.when, *requests)
        return found

    def facts_below(self, names: Iterable[str]) -> list[str]:
        """The facts with all those they are computed from, each once, in order of first use."""
        seen: dict[str, None] = {}
        for name in names:
            if name not in seen:
                seen[name] = None
                below = self.facts_below(made_of(self.service.facts[name]))
                seen |= dict.fromkeys(below)
        return list(seen)

    @cached_property
    def facts_of(self) -> Mapping[str, list[str]]:
        """Every fact that a rule, cause or suggestion rests on."""
        return {
            id_: self.facts_below(name for condition in conditions for name in condition.facts)
            for id_, conditions in self.conditions.items()
        }

    @cached_property
    def readers_of(self) -> Mapping[str, list[str]]:
        """The rules, causes and suggestions that rest on a fact."""
        return _turned(self.facts_of)

    @cached_property
    def facts_of_value_set(self) -> Mapping[str, list[str]]:
        """The facts that read a value set."""
        facts = self.service.facts.items()
        read = {name: _sets(definition) for name, definition in facts}
        return _turned(read)

    @cached_property
    def acting_on(self) -> Mapping[str, list[str]]:
        """The rules that withhold an item, put it last, or say something beside it."""
        return _turned(
            {
                rule.id: list(
                    dict.fromkeys(
                        (
                            *(item for withhold in rule.withhold for item in withhold.items),
                            *rule.demote,
                            *rule.beside,
                        )
                    )
                )
                for rule in self.service.rules
            }
        )

    @cached_property
    def cited_by(self) -> Mapping[str, list[str]]:
        """The items that rest on a source."""
        governed: Iterable[tuple[str, Governance]] = self.service.governed.items()
        return _turned({id_: list(governance.sources) for id_, governance in governed})


def _sets(definition: object) -> list[str]:
    return list(dict.fromkeys(set_id for _, set_id in kind_of(definition).value_sets(definition)))


def _turned(lists: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """The keys by member instead of the members by key."""
    turned: dict[str, list[str]] = {}
    for key, members in lists.items():
        for member in members:
            turned.setdefault(member, []).append(key)
    return turned
