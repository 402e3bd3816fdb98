"""The input and output of the evaluator, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Resource = dict[str, Any]  # FHIR JSON, the one place where plain dicts are used


class Retrieval(StrEnum):
    """The state of a prefetch key; only in a COMPLETE list does absent mean "not on record"."""

    COMPLETE = "whole"  # a resource, a whole searchset, or null ("no data")
    INCOMPLETE = "part"  # a page of a searchset, or a searchset that says that something is missing
    FAILED = "failed"  # refused, late, or not a FHIR resource
    ABSENT = "absent"  # the server has no such resources: 404, not-supported
    NEVER_GIVEN = "never-given"  # it did not come, and the operator says that it never comes
    MISSING = "not-sent"  # the key did not come, and there is no server to ask

    @property
    def is_failure(self) -> bool:
        """Whether data that should have come did not come, or only in part."""
        return self in (Retrieval.INCOMPLETE, Retrieval.FAILED)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The FHIR resources of one call, and the state of each prefetch key.

    `fetches` has the outcome for each key that was fetched; it is stored with the cards.
    """

    resources: Sequence[Resource]
    states: Mapping[str, Retrieval]
    fetches: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """Everything that an answer depends on; `now` is aware, ids are as in the hook's context.

    `context` holds what the hook has besides the ids, such as draft orders, by member name;
    `is_short` asks for the short text of the information card.
    """

    retrieved: Retrieved
    patient_id: str
    user_id: str
    hook_instance: str
    now: datetime
    language: str
    encounter_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class Coding:
    """A FHIR Coding as CDS Hooks uses it."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class Source:
    """CDS Hooks "Source": where the guidance of a card comes from."""

    label: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """CDS Hooks "Action": one proposed change; never a medicine.

    `request` names it in the content, by its suggestion and its own id; it is not sent.
    """

    type: str
    description: str
    resource: Resource
    request: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """CDS Hooks "Suggestion": actions that a clinician may accept with one click."""

    uuid: str
    label: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """CDS Hooks "Link": an absolute address that a clinician may open."""

    label: str
    url: str
    type: str = "absolute"


@dataclass(frozen=True, slots=True)
class TracedRule:
    """A rule or cause behind a card, in its version and at its level."""

    id: str
    version: str
    level: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Why a card is shown: its rules, and the names of their facts by state.

    `values` are values of the record; they are stored only if the operator allows it.
    """

    rules: tuple[TracedRule, ...]
    facts: Mapping[str, tuple[str, ...]]
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Card:
    """CDS Hooks "Card". What follows `links` is not sent.

    `rules` names the rules it rests on, `silenced` the rules of warnings that it silences;
    `fingerprint` is the same for the same evidence, and empty for a card without evidence.
    """

    uuid: str
    summary: str
    indicator: str
    detail: str
    source: Source
    override_reasons: tuple[Coding, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    links: tuple[Link, ...] = ()
    rules: tuple[str, ...] = ()
    slot: str = ""
    silenced: tuple[str, ...] = ()
    fingerprint: str = ""
    trace: Trace | None = None

    @property
    def traced(self) -> tuple[TracedRule, ...]:
        """The rules and causes behind it, as its trace has them; none without a trace."""
        return self.trace.rules if self.trace else ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The cards of one call, with the ids of the rules by outcome for the log.

    `shadow` are the cards that shadow rules would have made or changed. `near_misses` are the rules
    that came out unknown, each with its missing facts; `held` are the rows of the suppression
    policy whose condition is true for the record. `unread` counts the resources that were not read,
    by their type.
    """

    cards: tuple[Card, ...]
    applied: tuple[str, ...]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    shadow: tuple[Card, ...] = ()
    near_misses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)
