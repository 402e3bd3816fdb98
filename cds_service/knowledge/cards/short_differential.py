"""The information card in short: what is about this patient, by name, to be read in ten seconds.

Mechanisms, how a measure is done and lines that are the same for everybody stand in the full text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cds_service.knowledge.cards.differential import Differential
from cds_service.knowledge.content.artifacts import Rule
from cds_service.knowledge.content.words import SHORT
from cds_service.knowledge.outcomes.evaluation import ALL_MEASURES, CauseOutcome


class ShortDifferential(Differential):
    """Causes with the reasons on record, measures and drugs in a line each, reasons once."""

    def _opening(self) -> list[str]:
        return []

    def _line(self, rule: Rule, part: str, facts: Mapping[str, Any] | None) -> str:
        if self._voice.has(rule.id, SHORT):
            return super()._line(rule, SHORT, facts)
        if not rule.is_for_everybody:
            return super()._line(rule, part, facts)
        voice = self._voice.about(facts)
        line = voice.fill(voice.text(rule.id, part).about_the_patient)
        if line:
            self._rules.append(rule.id)
        return line

    def _cause(self, outcome: CauseOutcome) -> Iterable[str]:
        cause = outcome.cause
        yield self._heading(outcome)
        yield from self._beside(cause.id)
        yield from self._named("measures", self._measures(cause.measures))
        for measure in cause.measures:
            if measure not in self._kept_back:
                yield from self._beside(measure)
        drugs = {class_id: self._shown_drugs(class_id) for class_id in cause.classes}
        yield from self._named("classes", self._classes(drugs))
        for class_id, shown in drugs.items():
            yield from self._cautions(class_id, shown)

    def _beside(self, item: str, indent: str = "  ") -> Iterable[str]:
        """What was said is not pointed at again."""
        for line in self._lines_beside(item):
            if line not in self._lines_said:
                self._lines_said.add(line)
                yield f"{indent}- {line}"

    def _named(self, heading: str, names: Iterable[str]) -> Iterable[str]:
        listed = self._voice.join("list-separator", names)
        if listed:
            yield f"  - {self._voice.say('layout', heading)}{self._voice.mark('colon')}{listed}"

    def _measures(self, measures: Sequence[str]) -> Iterable[str]:
        for measure in measures:
            is_shown = measure in self._shown_before
            if is_shown or self._service.measures[measure].advised_against:
                continue
            if not self._is_kept_back(measure, ALL_MEASURES):
                self._shown_before.add(measure)
                yield self._name(measure)

    def _classes(self, shown: Mapping[str, Sequence[str]]) -> Iterable[str]:
        for class_id, drugs in shown.items():
            if drugs and class_id not in self._shown_before:
                self._shown_before.add(class_id)
                listed = self._voice.join("list-separator", map(self._name, drugs))
                yield f"{self._name(class_id)}{self._voice.in_brackets(listed)}"

    def _name(self, item: str) -> str:
        return self._voice.say(item, SHORT if self._voice.has(item, SHORT) else "title")

    def _cautions(self, class_id: str, drugs: Sequence[str]) -> Iterable[str]:
        """What rules say of this patient beside a class or one of its drugs."""
        if drugs:
            yield from self._beside(class_id)
        for drug in drugs:
            if lines := " ".join(self._lines_beside(drug)):
                yield f"  - {self._name(drug)}{self._voice.mark('colon')}{lines}"

    def _lines_kept_back(self) -> Iterable[str]:
        """Items that are withheld for the same reasons share a line."""
        items: dict[tuple[str, ...], list[str]] = {}
        for item, reasons in self._kept_back.items():
            items.setdefault(reasons, []).append(self._name(item))
        for reasons, titles in items.items():
            listed = self._voice.join("list-separator", titles)
            why = self._voice.join("separator", reasons)
            yield f"- **{listed}{self._voice.plain('layout', 'colon')}** {why}"
