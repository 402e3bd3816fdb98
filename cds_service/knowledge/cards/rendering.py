"""Makes cards from outcomes and words: merged by slot, ordered, at most as many as allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid5

from cds_service.knowledge.call import Call, Card, Source
from cds_service.knowledge.cards.differential import Differential, also_shown
from cds_service.knowledge.cards.short_differential import ShortDifferential
from cds_service.knowledge.cards.suggestions import NAMESPACE, offered_suggestions
from cds_service.knowledge.cards.voice import (
    ANSWERED,
    AnsweredCard,
    Voice,
    cut,
    escape_markdown,
)
from cds_service.knowledge.content.artifacts import DIFFERENTIAL, LEVELS, Slot
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.content.words import LONGEST_SUMMARY, utf16_length
from cds_service.knowledge.outcomes.evaluation import Evaluation, GateState
from cds_service.knowledge.outcomes.judging import LEAST_URGENT, RuleOutcome, most_urgent_first


def render(service: Service, evaluation: Evaluation, call: Call) -> tuple[Card, ...]:
    """The cards of one call by level, urgency and slot; none when the gate is closed."""
    if evaluation.gate is GateState.CLOSED:
        return ()
    voice = Voice(service.words[call.language], evaluation.facts)
    form = ShortDifferential if call.is_short else Differential
    drafts = list(_drafts(service, evaluation, voice, form))
    order = [slot.id for slot in service.slots]
    drafts.sort(
        key=lambda draft: (
            LEVELS.index(draft.indicator),
            draft.urgency,
            order.index(draft.slot.id),
        )
    )
    kept = drafts[: service.most_cards]
    return tuple(draft.card(service, evaluation, voice, call) for draft in kept)


def render_unavailable(service: Service, evaluation: Evaluation, call: Call) -> Card:
    """The card that says that nothing could be checked, because required data did not come."""
    voice = Voice(service.words[call.language], evaluation.facts)
    text = voice.text("unavailable", "warning")
    draft = _Draft(
        service.slot_of("unavailable"),
        "warning",
        voice.fill(text.summary, plain=True),
        voice.fill(text.detail),
        (),
    )
    return draft.card(service, evaluation, voice, call)


def render_line(service: Service, card: Card, words: str, since: datetime, call: Call) -> Card:
    """One line in place of a card that was answered at `since`: what it said, for information.

    It has the uuid of the card, so that its trace can be found, and nothing to click.
    """
    answered = AnsweredCard(f"{since.astimezone(UTC):%H:%M} UTC")
    voice = Voice(service.words[call.language], {ANSWERED: answered})
    text = voice.text(words, "info")
    summary = f"{voice.fill(text.summary, plain=True)} {card.summary}"
    said = f"**{escape_markdown(card.summary)}**\n\n{voice.fill(text.detail)}"
    return replace(
        card,
        summary=_checked(cut(summary, LONGEST_SUMMARY)),
        indicator="info",
        detail=f"{said}\n\n{_footer(service, voice, card.rules)}",
        override_reasons=(),
        suggestions=(),
        links=(),
    )


class _Draft:
    """A card before it has an identity."""

    def __init__(
        self,
        slot: Slot,
        indicator: str,
        summary: str,
        detail: str,
        rules: Sequence[str],
        urgency: int = LEAST_URGENT,
    ) -> None:
        self.slot = slot
        self.urgency = urgency
        self.indicator = indicator
        self._summary = summary
        self._detail = detail
        self._rules = tuple(dict.fromkeys(rules))
        self._silenced: list[str] = []

    def card(self, service: Service, evaluation: Evaluation, voice: Voice, call: Call) -> Card:
        """The card. Its uuid is the same when the same call is repeated, and never otherwise."""
        offers = self.indicator != "critical" and evaluation.gate is GateState.OPEN
        identity = f"{call.hook_instance} {call.patient_id} {self.slot.id} {' '.join(self._rules)}"
        footer = _footer(service, voice, self._rules, is_short=call.is_short)
        detail = f"{self._detail}\n\n{footer}"
        return Card(
            uuid=str(uuid5(NAMESPACE, identity)),
            summary=_checked(self._summary),
            indicator=self.indicator,
            detail=detail,
            source=_source(service, self._rules),
            override_reasons=tuple(
                reason
                for reason in service.override_reasons.get(
                    (call.language, self.slot.id, self.indicator), ()
                )
                if self._offers(reason.code)
            ),
            suggestions=tuple(
                offered_suggestions(service, self.slot.id, evaluation.facts, voice, call)
                if offers
                else ()
            ),
            rules=self._rules,
            slot=self.slot.id,
            silenced=tuple(self._silenced),
        )

    def silence(self, other: _Draft) -> None:
        """Remove another card; its evidence counts as evidence of this one."""
        self._silenced.extend(other._rules)

    def _offers(self, code: str) -> bool:
        """Whether this card, with its rules, may offer an override reason."""
        only = self.slot.only_with.get(code)
        return only is None or not set(only).isdisjoint(self._rules)


def _drafts(
    service: Service, evaluation: Evaluation, voice: Voice, form: type[Differential]
) -> Iterable[_Draft]:
    if evaluation.gate is GateState.UNCHECKED:
        yield _unchecked(service.slot_of("unchecked"), voice)
        return
    silenced: dict[str, str] = {}
    critical: list[_Draft] = []
    for slot in service.slots:
        if evaluation.only_slots is not None and slot.id not in evaluation.only_slots:
            continue
        if slot.id in evaluation.critical_slots:
            silenced |= slot.silences
        for draft in _of_slot(service, evaluation, voice, slot, form):
            if not _is_silenced(draft, silenced):
                yield draft
            elif draft.indicator != "info":
                for critical_draft in critical:
                    critical_draft.silence(draft)
            if draft.indicator == "critical":
                silenced |= slot.silences
                critical.append(draft)


def _of_slot(
    service: Service,
    evaluation: Evaluation,
    voice: Voice,
    slot: Slot,
    form: type[Differential],
) -> Iterable[_Draft]:
    if slot.kind != DIFFERENTIAL:
        for outcomes in _groups(slot, evaluation):
            yield _merged(service, outcomes, slot, evaluation, voice)
    elif evaluation.by_record:
        yield _differential(service, evaluation, voice, slot, form)


def _is_silenced(draft: _Draft, silenced: Mapping[str, str]) -> bool:
    level = silenced.get(draft.slot.id)
    return level is not None and LEVELS.index(draft.indicator) >= LEVELS.index(level)


def _groups(slot: Slot, evaluation: Evaluation) -> list[list[RuleOutcome]]:
    """The outcomes of a slot by level and urgency: in one card, or in two that must be separate."""
    outcomes = most_urgent_first(
        outcome
        for outcome in evaluation.applied
        if outcome.rule.slot == slot.id and outcome.level in ("critical", "warning")
    )
    if not outcomes:
        return []
    apart = [outcome for outcome in outcomes if outcome.level == slot.keep_apart]
    return [outcomes[:1], outcomes[1:]] if len(apart) > 1 else [outcomes]


def _merged(
    service: Service, outcomes: list[RuleOutcome], slot: Slot, evaluation: Evaluation, voice: Voice
) -> _Draft:
    first = outcomes[0]
    text = voice.text(first.rule.id, str(first.level))
    own = voice.about(first.facts)
    paragraphs = [own.fill(text.detail)]
    for outcome in outcomes[1:]:
        other = voice.text(outcome.rule.id, str(outcome.level))
        about = voice.about(outcome.facts)
        paragraphs.append(f"**{about.fill(other.summary)}**")
        paragraphs.append(about.fill(other.detail))
    beside = [
        evaluation.outcomes[rule_id]
        for rule_id in service.beside.get(slot.id, ())
        if evaluation.outcomes[rule_id].level
    ]
    paragraphs.extend(voice.about(outcome.facts).say(outcome.rule.id, "info") for outcome in beside)
    return _Draft(
        slot,
        str(first.level),
        _with_others(own.fill(text.summary, plain=True), outcomes, voice),
        "\n\n".join(paragraph for paragraph in paragraphs if paragraph),
        [outcome.rule.id for outcome in (*outcomes, *beside)],
        first.urgency,
    )


def _with_others(summary: str, outcomes: Sequence[RuleOutcome], voice: Voice) -> str:
    """The summary of the first, and how many others of its level are on the card."""
    first, *others = outcomes
    number = sum(outcome.level == first.level for outcome in others)
    if not number:
        return summary
    suffix = f" +{number} {voice.plain('layout', f'more {first.level}')}"
    return cut(summary, LONGEST_SUMMARY - utf16_length(suffix)) + suffix


def _differential(
    service: Service,
    evaluation: Evaluation,
    voice: Voice,
    slot: Slot,
    form: type[Differential],
) -> _Draft:
    detail, rules = form(service, evaluation, voice).render()
    listed = evaluation.causes
    first = listed[0].cause.id if listed else "no-cause"
    summary = voice.fill(voice.text(first, "summary"), plain=True)
    for outcome in also_shown(service, evaluation)[:1]:
        text = voice.text(outcome.rule.id, str(outcome.level)).summary
        summary = voice.about(outcome.facts).fill(text, plain=True)
        if listed:
            suffix = f" {voice.mark('then')}{voice.plain(first, 'title')}"
            summary = _cut_at_a_word(summary, LONGEST_SUMMARY - utf16_length(suffix)) + suffix
    return _Draft(slot, "info", summary, detail, rules)


def _cut_at_a_word(text: str, longest: int) -> str:
    if utf16_length(text) <= longest:
        return text
    words, _, _ = cut(text, longest).rpartition(" ")
    return f"{words.rstrip(',;:')}…" if words else cut(text, longest)


def _unchecked(slot: Slot, voice: Voice) -> _Draft:
    text = voice.text("unchecked", "info")
    return _Draft(slot, "info", voice.fill(text.summary, plain=True), voice.fill(text.detail), ())


def _footer(service: Service, voice: Voice, rules: Sequence[str], *, is_short: bool = False) -> str:
    part = "footer short"
    footer = voice.say("layout", part if is_short and voice.has("layout", part) else "footer")
    return f"{footer} {service.version}" + (f" · {' '.join(rules)}" if rules else "")


def _source(service: Service, rules: Sequence[str]) -> Source:
    """The source of the card's first rule: the first with an address, otherwise the first."""
    governed = service.governed
    for rule in rules:
        sources = [service.sources[key] for key in governed[rule].sources]
        return next((source for source in sources if source.url), sources[0]).source
    return Source(service.title)


def _checked(summary: str) -> str:
    """The summary, which the loader has measured with the longest values that may be put in."""
    if utf16_length(summary) > LONGEST_SUMMARY:
        raise AssertionError("a summary passed the loader and is too long after all")
    return summary
