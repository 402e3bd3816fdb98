"""The detail of the information card: what comes first, causes with support, what is withheld."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from cds_service.knowledge.cards.voice import Voice
from cds_service.knowledge.content.artifacts import DrugClass, Rule
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.content.words import OPTION
from cds_service.knowledge.outcomes.evaluation import (
    ALL_DRUGS,
    ALL_MEASURES,
    Because,
    CauseOutcome,
    Evaluation,
)
from cds_service.knowledge.outcomes.judging import OF_LAYOUT, RuleOutcome, most_urgent_first

_HEADING = re.compile(r"\*\*.*?\*\*")


def also_shown(service: Service, evaluation: Evaluation) -> list[RuleOutcome]:
    """The rules with a card of their own that the differential also shows, most urgent first."""
    slots = {slot.id for slot in service.slots if slot.told_in}
    return most_urgent_first(
        outcome
        for outcome in evaluation.applied
        if outcome.rule.slot in slots and outcome.level != "info"
    )


class Differential:
    """The full text: every line with what it rests on."""

    def __init__(self, service: Service, evaluation: Evaluation, voice: Voice) -> None:
        self._service = service
        self._evaluation = evaluation
        self._voice = voice
        self._slots = {slot.id: slot for slot in service.slots}
        self._rules: list[str] = []
        self._shown_before: set[str] = set()  # items: measures, classes, drugs
        self._lines_said: set[str] = set()  # lines of rules
        self._kept_back: dict[str, tuple[str, ...]] = {}  # the reasons by item

    def render(self) -> tuple[str, list[str]]:
        """The detail as Markdown, and the ids of the rules and causes it rests on."""
        blocks = self._opening()
        for section in self._service.sections:
            blocks.extend(self._block(section, self._lines_of(section)))
        shown = self._evaluation.causes[: self._service.most_causes]
        causes = [line for outcome in shown for line in self._cause(outcome)]
        others = self._evaluation.causes[self._service.most_causes :]
        if others:
            titles = self._voice.join("list-separator", map(self._title, others))
            causes.append(f"- {self._voice.say('layout', 'less-support')} {titles}")
        blocks.extend(self._block("causes", causes))
        not_listed = [*self._not_listed(), *self._lines_kept_back()]
        blocks.extend(self._block("not-listed", not_listed))
        return "\n\n".join(blocks), self._rules

    def _opening(self) -> list[str]:
        return [self._voice.say("layout", "opening")]

    def _block(self, part: str, lines: Sequence[str]) -> Iterable[str]:
        if lines:
            yield f"**{self._voice.say('layout', part)}**"
            yield "\n".join(lines)

    def _lines_of(self, section: str) -> list[str]:
        """A bullet for each rule that applies and has its line here, unless it is on a card."""
        lines = [f"- **{summary}**" for summary in self._told_in(section)]
        for outcome in self._evaluation.applied:
            rule = outcome.rule
            if rule.section != section:
                continue
            if rule.slot is not None and outcome.level != "info":
                continue
            if any(item in self._shown_items() for item in rule.beside):
                continue
            if rule.section_when and not rule.section_when.evaluate(self._evaluation.facts):
                continue
            if line := self._line(rule, "info", outcome.facts):
                lines.append(f"- {line}")
        return lines

    def _told_in(self, section: str) -> Iterable[str]:
        """What the other cards say, in the order of urgency: their own cards may be away."""
        for outcome in also_shown(self._service, self._evaluation):
            if self._slots[str(outcome.rule.slot)].told_in == section:
                self._rules.append(outcome.rule.id)
                text = self._voice.text(outcome.rule.id, str(outcome.level)).summary
                yield self._voice.about(outcome.facts).fill(text)

    def _line(self, rule: Rule, part: str, facts: Mapping[str, Any] | None) -> str:
        """What a rule says; "" where it has nothing to say in this form of the card."""
        self._rules.append(rule.id)
        return self._voice.about(facts).say(rule.id, part)

    def _shown_items(self) -> set[str]:
        shown = self._evaluation.causes[: self._service.most_causes]
        return {outcome.cause.id for outcome in shown}

    def _title(self, outcome: CauseOutcome) -> str:
        cause = outcome.cause
        listed = {cause.cause.id for cause in self._evaluation.causes}
        as_pattern = cause.pattern_of in listed
        return self._voice.say(cause.id, "pattern" if as_pattern else "title")

    def _heading(self, outcome: CauseOutcome) -> str:
        """A cause and why the record supports it."""
        cause, voice = outcome.cause, self._voice
        self._rules.append(cause.id)
        said = (voice.say(cause.id, f"because {part}") for part in outcome.because)
        because = voice.join("separator", said) + voice.plain("layout", "full-stop")
        return f"- **{self._title(outcome)}** – {because}"

    def _cause(self, outcome: CauseOutcome) -> Iterable[str]:
        cause, voice = outcome.cause, self._voice
        yield self._heading(outcome)
        yield f"  - {voice.say(cause.id, 'mechanism')}"
        for note in cause.notes:
            if note.when.evaluate(self._evaluation.facts):
                yield f"  - {voice.say(cause.id, f'note {note.because}')}"
        yield from self._beside(cause.id)
        measures = list(self._measures(cause.measures))
        if measures:
            yield f"  - {voice.say('layout', 'measures')}"
            yield from measures
        classes = [line for id_ in cause.classes for line in self._class(outcome, id_)]
        if classes:
            yield f"  - {voice.say('layout', 'classes')}"
            yield from classes

    def _beside(self, item: str, indent: str = "  ") -> Iterable[str]:
        """The lines of rules beside an item; a line that was shown before is only referred to."""
        for line in self._lines_beside(item):
            if line not in self._lines_said:
                self._lines_said.add(line)
                yield f"{indent}- {line}"
            elif heading := _HEADING.match(line):
                yield f"{indent}- {heading[0]} ↑"

    def _lines_beside(self, item: str) -> Iterable[str]:
        for rule_id in self._service.beside.get(item, ()):
            outcome = self._evaluation.outcomes[rule_id]
            if outcome.level is not None:
                part = next(filter(partial(self._voice.has, rule_id), (item, OPTION)), "info")
                if line := self._line(outcome.rule, part, outcome.facts):
                    yield line

    def _measures(self, measures: Sequence[str]) -> Iterable[str]:
        for measure in measures:
            if self._service.measures[measure].advised_against:
                continue
            if self._is_kept_back(measure, ALL_MEASURES):
                continue
            if measure in self._shown_before:
                yield f"    - {self._voice.say(measure, 'title')} ↑"
                continue
            self._shown_before.add(measure)
            text = self._voice.say(measure, "text")
            yield f"    - {self._label(measure)} {text}"
            yield from self._beside(measure, "      ")

    def _shown_drugs(self, class_id: str) -> list[str]:
        """The drugs of a class in their order; the others are kept back with their reasons."""
        drug_class = self._service.classes[class_id]
        if not self._fits_first_cause(drug_class):
            self._keep_back(class_id, [self._voice.say(class_id, "not-first")])
            return []
        drugs = self._offered(drug_class)
        drugs.sort(key=self._evaluation.demoted.__contains__)
        if not drugs:
            self._keep_back_class(drug_class)
            return []
        if drug_class.never_alone and not self._is_another_offered(drug_class):
            self._keep_back(class_id, [self._voice.say(class_id, "not-alone")])
            return []
        for drug in drug_class.drugs:
            reasons = self._why(class_id, drug)
            if reasons:
                self._keep_back(drug, self._say_all(reasons))
        return drugs

    def _class(self, outcome: CauseOutcome, class_id: str) -> Iterable[str]:
        drugs = self._shown_drugs(class_id)
        if not drugs:
            return
        if class_id in self._shown_before:
            yield f"    - {self._voice.say(class_id, 'title')} ↑"
            return
        self._shown_before.add(class_id)
        context = self._context(class_id, outcome.cause.id)
        yield f"    - **{self._voice.say(class_id, 'title')}**{context}"
        yield from self._beside(class_id, "      ")
        for drug in drugs:
            yield f"      - {self._drug(drug)}"

    def _fits_first_cause(self, drug_class: DrugClass) -> bool:
        return drug_class.only_first_cause in (None, self._evaluation.causes[0].cause.id)

    def _offered(self, drug_class: DrugClass) -> list[str]:
        id_ = drug_class.governance.id
        return [drug for drug in drug_class.drugs if not self._why(id_, drug)]

    def _is_another_offered(self, drug_class: DrugClass) -> bool:
        """Whether the causes shown name a drug of another class."""
        shown = self._evaluation.causes[: self._service.most_causes]
        classes = [self._service.classes[id_] for outcome in shown for id_ in outcome.cause.classes]
        return any(
            other is not drug_class and self._fits_first_cause(other) and self._offered(other)
            for other in classes
        )

    def _context(self, class_id: str, cause_id: str) -> str:
        part = f"for {cause_id}"
        return f" – {self._voice.say(class_id, part)}" if self._voice.has(class_id, part) else ""

    def _drug(self, drug: str) -> str:
        """A named drug with the fixed lines about it; never a dose, never an order."""
        lines = " ".join(self._lines_beside(drug))
        title = self._voice.say(drug, "title")
        return f"{title}{self._voice.mark('colon')}{lines}" if lines else title

    def _why(self, class_id: str, drug: str) -> tuple[Because, ...]:
        return self._evaluation.why_withheld(ALL_DRUGS, class_id, drug)

    def _is_kept_back(self, item: str, everything: str) -> bool:
        reasons = self._evaluation.why_withheld(everything, item)
        if reasons:
            self._keep_back(item, self._say_all(reasons))
        return bool(reasons)

    def _keep_back_class(self, drug_class: DrugClass) -> None:
        """If every drug is withheld, name the class once, with its own or its drugs' reasons."""
        id_ = drug_class.governance.id
        own = self._evaluation.why_withheld(ALL_DRUGS, id_)
        reasons = own or self._evaluation.why_withheld(*drug_class.drugs)
        self._keep_back(id_, self._say_all(reasons))

    def _say_all(self, reasons: Sequence[Because]) -> list[str]:
        self._rules.extend(reason.rule for reason in reasons)
        said = (
            self._voice.say("layout" if reason.part in OF_LAYOUT else reason.rule, reason.part)
            for reason in reasons
        )
        return list(dict.fromkeys(said))

    def _keep_back(self, item: str, reasons: Sequence[str]) -> None:
        if item in self._shown_before:
            return
        self._shown_before.add(item)
        self._kept_back[item] = tuple(reasons)

    def _lines_kept_back(self) -> Iterable[str]:
        for item, reasons in self._kept_back.items():
            yield f"- {self._label(item)} {self._voice.join('separator', reasons)}"

    def _label(self, id_: str) -> str:
        """A title in bold, with the language's colon."""
        return f"**{self._voice.say(id_, 'title')}{self._voice.plain('layout', 'colon')}**"

    def _not_listed(self) -> Iterable[str]:
        """Causes with enough points that a requirement or an exclusion keeps off the list."""
        for outcome in self._evaluation.not_listed:
            id_ = outcome.cause.id
            if "withheld" in outcome.excluded:
                reasons = self._say_all(self._evaluation.why_withheld(id_, "causes"))
            else:
                reasons = []
            for part in (*outcome.excluded, *outcome.unmet):
                if part != "withheld":
                    reasons.append(self._voice.say(id_, f"not {part}"))
            self._rules.append(id_)
            yield f"- {self._label(id_)} {self._voice.join('separator', dict.fromkeys(reasons))}"
