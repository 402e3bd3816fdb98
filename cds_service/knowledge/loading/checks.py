"""Checks that the parts of a service fit together: names, words, governance, examples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from functools import partial
from pathlib import Path

from cds_service.knowledge.content.artifacts import Rule, SuggestionRule
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.expressions.spelling import meant
from cds_service.knowledge.facts.kinds import kind_of, made_of
from cds_service.knowledge.facts.library import Library
from cds_service.knowledge.loading import examples, word_checks
from cds_service.knowledge.loading.problems import Problems
from cds_service.knowledge.loading.suppression_checks import check_suppression
from cds_service.knowledge.outcomes.evaluation import ALL_CAUSES, ALL_DRUGS, ALL_MEASURES

_TOKEN = re.compile(r"\{\{(.*?)\}\}")


def check_service(
    service: Service,
    folder: Path,
    library: Library,
    problems: Problems,
    hooks: Mapping[str, Collection[str]],
    today: date | None,
) -> None:
    """Note everything that does not fit; `hooks` can be served, each with its prefetch tokens."""
    checker = _Checker(service, folder, library, problems)
    checker.check_templates(hooks)
    checker.check_names()
    checker.check_governance(today)
    if today is not None and not problems.broken:
        checker.check_use()
    word_checks.check_words(service, folder / "words", problems)
    for item, failed in examples.failures(service):
        (number, wrong), *others = failed
        more = f"; and {len(others)} more of its examples fail" if others else ""
        name = item.examples[number].name
        message = f"example `{name}`: {wrong}{more}"
        problems.add(folder, item.id, message, at=f"{item.id}.examples.{number}")
        problems.broken.add(item.id)


class _Checker:
    def __init__(
        self, service: Service, folder: Path, library: Library, problems: Problems
    ) -> None:
        self._service = service
        self._folder = folder
        self._library = library
        self._problems = problems

    def _add(self, name: str, key: str, message: str) -> None:
        self._problems.add(self._folder / name, key, message)

    def _want(self, file: str, key: str, named: Iterable[str], known: Iterable[str]) -> None:
        known = set(known)
        for name in named:
            if name not in known | self._problems.broken:
                self._add(file, key, f"there is no {name}{meant(name, known)}")
                self._problems.broken.add(name)  # told once, wherever else it is named

    def check_templates(self, hooks: Mapping[str, Collection[str]]) -> None:
        """Prefetch templates: known tokens, no repeated parameter, only what R4 has."""
        prefetch = self._service.prefetch
        self._want("service.yaml", "required", self._service.required_keys, prefetch)
        self._want("service.yaml", "hook", [self._service.hook], hooks)
        allowed = hooks.get(self._service.hook)
        for key, template in prefetch.items():
            if allowed is not None:
                self._want("service.yaml", f"prefetch.{key}", _TOKEN.findall(template), allowed)
            parameters = [pair.partition("=")[0] for pair in template.partition("?")[2].split("&")]
            twice = [name for name, times in Counter(parameters).items() if times > 1]
            if twice:
                self._add("service.yaml", f"prefetch.{key}", f"has {', '.join(twice)} twice")

    def check_names(self) -> None:
        """Every named id exists, and none is repeated."""
        service = self._service
        drugs, measures, classes = service.drugs, service.measures, service.classes
        causes = {cause.id for cause in service.causes}
        slots = {slot.id for slot in service.slots}
        items = {*drugs, *classes, *measures, *causes}
        self._want("service.yaml", "ties", causes ^ set(service.ties), causes & set(service.ties))
        rule_ids = {rule.id for rule in service.rules}
        for slot in service.slots:
            self._want("service.yaml", f"slots.{slot.id}.silences", slot.silences, slots)
            self._want("service.yaml", f"slots.{slot.id}.withholds", slot.withholds, items)
            told_in = filter(None, [slot.told_in])
            self._want("service.yaml", f"slots.{slot.id}.told_in", told_in, service.sections)
        check_suppression(service, partial(self._add, "service.yaml"))
        self._want("service.yaml", "notices", service.notices.values(), slots)
        self._want("service.yaml", "never_muted", service.never_muted, service.sections)
        self._want("service.yaml", "gate.silence", service.gate.silence, rule_ids)
        ids = [rule.id for rule in service.rules] + [cause.id for cause in service.causes]
        for id_, times in Counter(ids).items():
            if times > 1:
                self._add("rules", id_, "is here twice")
                self._problems.broken.add(id_)
        for cause in service.causes:
            self._want("causes.yaml", cause.id, cause.measures, measures)
            self._want("causes.yaml", cause.id, cause.classes, classes)
            self._want("causes.yaml", cause.id, filter(None, [cause.pattern_of]), causes)
        for class_id, drug_class in classes.items():
            self._want("drugs.yaml", class_id, drug_class.drugs, drugs)
        for suggestion in service.suggestions:
            self._want("suggestions.yaml", suggestion.governance.id, [suggestion.slot], slots)
            self._check_codes(suggestion)
        for rule in service.rules:
            before = len(self._problems.found)
            self._check_rule(rule, items, slots)
            if len(self._problems.found) > before:
                self._problems.broken.add(rule.id)

    def _check_codes(self, suggestion: SuggestionRule) -> None:
        """Only codes of a value set may be proposed, because those are verified."""
        for request in suggestion.requests:
            coding = request.coding
            if coding is not None and not any(
                coding.code in systems.get(coding.system, ())
                for systems in self._library.codes.values()
            ):
                key = f"{suggestion.governance.id}.{request.id}"
                self._add("suggestions.yaml", key, f"no value set contains {coding.code}")

    def _check_rule(self, rule: Rule, items: set[str], slots: set[str]) -> None:
        path = f"rules/{rule.topic}.yaml"
        every = items | {ALL_DRUGS, ALL_MEASURES, ALL_CAUSES}
        for withhold in rule.withhold:
            self._want(path, f"{rule.id}.withhold", withhold.items, every)
        self._want(path, f"{rule.id}.demote", rule.demote, self._service.drugs)
        self._want(path, f"{rule.id}.beside", rule.beside, items | slots)
        self._want(path, f"{rule.id}.slot", filter(None, [rule.slot]), slots)
        self._want(path, f"{rule.id}.only_slots", rule.only_slots or (), slots)
        sections = self._service.sections
        self._want(path, f"{rule.id}.section", filter(None, [rule.section]), sections)
        if rule.slot is None and {"critical", "warning"} & set(rule.levels):
            self._add(path, rule.id, "a critical or warning level needs a slot")
        lacking = [level for level in rule.levels if level not in (*rule.urgency, "info")]
        if rule.slot and lacking:
            self._add(path, rule.id, f"needs an urgency: {' and '.join(lacking)}")

    def check_governance(self, today: date | None) -> None:
        """Sources are there; what is active has a reviewer; reviews are not overdue."""
        for id_, item in self._service.governed.items():
            self._want("", f"{id_}.sources", item.sources, self._library.references)
            self._want("", f"{id_}.figures", item.figures, item.sources)
            if item.status == "active" and not item.reviewer:
                self._add("", id_, "is active without a reviewer")
            due = date.fromisoformat(item.last_review_date) + self._service.review_after
            if today is not None and due < today:
                self._add("", id_, f"was due for review on {due}")
        for id_, rows in self._service.examples.items():
            if not rows:
                self._add("", id_, "has no example")
                self._problems.broken.add(id_)

    def check_use(self) -> None:
        """No fact, value set or words of records that nothing uses."""
        service = self._service
        used = {name for condition in service.conditions for name in condition.facts}
        for words in service.words.values():
            for text in words.texts.values():
                used.update(placeholder.fact for placeholder in text.placeholders)
        for name in list(used):
            used.update(_below(name, service))
        for name in service.facts:
            if name not in used:
                self._add("facts", name, "no condition and no text uses this fact")


def _below(name: str, service: Service) -> Iterable[str]:
    """The facts from which a group or an expression fact is computed, at any depth."""
    definition = service.facts.get(name)
    for fact in made_of(definition) if definition else ():
        yield fact
        yield from _below(fact, service)


def check_value_sets(services: Mapping[str, Service], library: Library, problems: Problems) -> None:
    """Note value sets that no fact of any service reads, and nothing else."""
    used = _used_value_sets(services).union(*library.understood.values())
    for set_id in sorted(set(library.codes) - used):
        path = problems.folder / "value-sets" / f"{set_id}.json"
        problems.add(path, "", "no fact reads this value set")


def _used_value_sets(services: Mapping[str, Service]) -> set[str]:
    return {
        value_set
        for service in services.values()
        for definition in service.facts.values()
        for _, value_set in kind_of(definition).value_sets(definition)
    }
