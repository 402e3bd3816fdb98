"""What the record says about a problem: FHIR Condition, and the reasons of recent visits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any

from marshmallow import fields, post_load
from marshmallow.validate import OneOf, Regexp

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.episode import (
    NEVER_WAS,
    onset_in_words,
    onset_of,
    standing,
    verification_of,
)
from cds_service.knowledge.facts.kind import (
    AS_RECORDED,
    NOT_TOLD,
    Fact,
    Kind,
    no_source,
    none_of,
    of_record,
)
from cds_service.knowledge.facts.schema import DefinitionSchema, Duration, ValueSets
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import name_of, text_of
from cds_service.knowledge.record.quantities import Interval, Number
from cds_service.knowledge.record.record import Key, PatientRecord
from cds_service.knowledge.record.statements import Statement, Unsure
from cds_service.knowledge.record.statuses import Status, codings_of
from cds_service.knowledge.record.terminology import with_past

_NO_VISIT = frozenset({"planned", "cancelled", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class ConditionDefinition:
    """A fact of kind `condition` in facts.yaml.

    `within`: recorded no longer ago than this; `any_status`: past problems count as well;
    `visit_reason`: the reason of a visit in this window counts too; `over_after`: what began longer
    ago is over, whatever its status; `doubtful_in`: the sex in which it is uncertain; `leave_out`:
    codes (system, pattern) that mean something else than the rest of their value set.
    """

    value_sets: tuple[str, ...]
    within: timedelta | None = None
    any_status: bool = False
    visit_reason: timedelta | None = None
    over_after: timedelta | None = None
    doubtful_in: str | None = None
    leave_out: tuple[tuple[str, str], ...] = ()


class ConditionSchema(DefinitionSchema):
    built_as = ConditionDefinition
    value_sets = ValueSets(data_key="condition", required=True)
    within = Duration(metadata={"guide": "recorded"})
    any_status = fields.Boolean()
    visit_reason = Duration(metadata={"guide": "window in which the reason of a visit counts"})
    over_after = Duration(metadata={"guide": "since the onset, whatever its status"})
    doubtful_in = fields.String(validate=OneOf(("female", "male")))
    leave_out = fields.List(
        fields.String(validate=Regexp(r"^\S+\|[A-Z0-9*]+$")),
        metadata={"guide": "`system|code` without dots, `*` for any ending"},
    )

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ConditionDefinition:
        """The definition."""
        codes = tuple(tuple(code.split("|")) for code in data.pop("leave_out", ()))
        return ConditionDefinition(**data, leave_out=codes)


@dataclass(frozen=True, slots=True)
class ConditionFact(Fact):
    """Members that expressions and words may use; None means that the record does not say.

    `certain` leaves out what only words say, what the record disputes, and what has an unclear
    status or end.
    """

    present: bool | None
    certain: Annotated[bool | None, "by a specific code and undisputed"] = None
    confirmed: Annotated[bool | None, "and not provisional"] = None
    disputed: bool = False
    uncertain: Annotated[bool, "its status or end is unclear"] = False
    history: Annotated[bool, "its words call it history, on an unknown day"] = False
    onset_days: Annotated[Number | None, "since the earliest onset"] = None
    latest_days: Annotated[Number | None, "since the latest onset"] = None
    onset_date: str | None = None
    names: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> bool | None:
        """What the bare name of the fact means."""
        return self.present

    @property
    def new(self) -> Annotated[bool | None, "≤ 30 days"]:
        """Whether the latest onset is at most 30 days ago."""
        if not self.present:
            return self.present
        match self.latest_days:
            case None:
                return None
            case Interval(low, high):
                return True if high <= 30 else (False if low > 30 else None)
            case days:
                return days <= 30


@dataclass(frozen=True, slots=True)
class _Problem:
    statement: Statement
    name: str
    onset: dates.Span | None
    is_sure: bool
    is_doubtful: bool = False


def read_condition(definition: ConditionDefinition, record: PatientRecord) -> ConditionFact:
    """The fact that a definition gives for a record."""
    current: list[_Problem] = []
    refuted: list[Statement] = []
    sex = (record.patient or {}).get("gender")
    is_unlikely = definition.doubtful_in is not None and sex == definition.doubtful_in
    for statement in record.statements("Condition", _value_sets(definition)):
        resource = statement.resource
        verification = verification_of(resource, record)
        if verification in NEVER_WAS:
            refuted.extend([statement] if verification is Status.REFUTED else [])
            continue
        is_current, is_clear = standing(resource, record)
        onset = onset_of(resource, record)
        if definition.over_after is not None or definition.any_status:
            onset = onset_in_words(resource, name_of(statement.concept), onset)
        if _says_another_thing(statement, definition, record) or (
            not definition.any_status and (not is_current or _is_over(onset, definition, record))
        ):
            continue
        if _is_recent(resource, definition, record):
            unclear = verification is Status.UNCLEAR or (is_current and not is_clear)
            current.append(
                _Problem(
                    statement,
                    name_of(statement.concept),
                    # "History of" with a date: it is the date of the entry, not of the problem.
                    None if statement.is_past else onset,
                    is_sure=verification in (Status.CONFIRMED, None),
                    is_doubtful=unclear
                    or statement.is_faulty
                    or statement.is_denied
                    or is_unlikely,
                )
            )
    current.extend(_visit_reasons(definition, record))
    if not current:
        absent = _absent(definition, record)
        return ConditionFact(absent, absent, absent)
    return _summarise(current, refuted, record)


def _is_over(
    onset: dates.Span | None, definition: ConditionDefinition, record: PatientRecord
) -> bool:
    """Whether it is something that ends by itself and began too long ago."""
    if definition.over_after is None or onset is None:
        return False
    return record.now - onset.latest > definition.over_after


def _says_another_thing(
    statement: Statement, definition: ConditionDefinition, record: PatientRecord
) -> bool:
    """Whether the definition leaves out one of its codes: a history, a sequela."""
    if not definition.leave_out:
        return False
    for coding in codings_of(statement.concept):
        spoken = record.statuses.systems.of(coding.get("system"))
        code = str(coding.get("code")).strip().upper().replace(".", "")
        if spoken and any(
            spoken.address == system and fnmatchcase(code, pattern)
            for system, pattern in definition.leave_out
        ):
            return True
    return False


def _absent(definition: ConditionDefinition, record: PatientRecord) -> bool | None:
    """False when the lists are whole, so it does not exist; None when a list is not whole."""
    counts_visits = definition.visit_reason is not None
    if not record.is_complete("Condition") or counts_visits and record.has_failed("Encounter"):
        return None
    return False


def keys_of_condition(definition: ConditionDefinition) -> Iterable[Key]:
    """Where in the record's index such a fact looks."""
    yield from (("Condition", value_set) for value_set in _value_sets(definition))
    if definition.visit_reason is not None:
        yield from (("Encounter", value_set) for value_set in definition.value_sets)


def _value_sets(definition: ConditionDefinition) -> tuple[str, ...]:
    return with_past(definition.value_sets) if definition.any_status else definition.value_sets


def _summarise(
    problems: list[_Problem], refuted: list[Statement], record: PatientRecord
) -> ConditionFact:
    in_doubt = {identity for other in refuted for identity in _identities(other.concept)}
    disputed = bool(in_doubt) and any(
        not in_doubt.isdisjoint(_identities(problem.statement.concept)) for problem in problems
    )
    firm = [
        problem for problem in problems if not problem.statement.is_weak and not problem.is_doubtful
    ]
    certain = not disputed and bool(firm)
    onsets = [problem.onset for problem in problems if problem.onset]
    first = min(onsets, key=lambda onset: onset.earliest, default=None)
    last = max(onsets, key=lambda onset: onset.latest, default=None)
    return ConditionFact(
        present=True,
        certain=certain,
        confirmed=certain and any(problem.is_sure for problem in firm),
        disputed=disputed,
        uncertain=all(problem.is_doubtful for problem in problems),
        history=all(problem.statement.is_past for problem in problems),
        onset_days=first.days_before(record.now) if first else None,
        latest_days=last.days_before(record.now) if last else None,
        onset_date=dates.written(first),
        names=_names(problems),
        resources=tuple(problem.statement.resource for problem in problems),
    )


def _names(problems: list[_Problem]) -> tuple[str, ...]:
    firm = {problem.name for problem in problems if not problem.is_doubtful}
    names = dict.fromkeys(problem.name for problem in problems if problem.name)
    return tuple(name if name in firm else Unsure(name) for name in names)


def _visit_reasons(definition: ConditionDefinition, record: PatientRecord) -> Iterable[_Problem]:
    if definition.visit_reason is None:
        return
    for statement in record.statements("Encounter", definition.value_sets):
        period = statement.resource.get("period")
        start = dates.read(period.get("start")) if isinstance(period, dict) else None
        if start is None or text_of(statement.resource.get("status")) in _NO_VISIT:
            continue
        if start.is_within(definition.visit_reason, record.now) and not start.is_future(record.now):
            yield _Problem(statement, name_of(statement.concept), start, True)


def _is_recent(resource: Resource, definition: ConditionDefinition, record: PatientRecord) -> bool:
    if definition.within is None:
        return True
    recorded = dates.read(resource.get("recordedDate")) or onset_of(resource, record)
    return recorded is None or recorded.is_within(definition.within, record.now)


def _identities(concept: Resource) -> set[tuple[Any, Any]]:
    codings = concept.get("coding")
    found: set[tuple[Any, Any]] = set()
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict):
            found.add((str(coding.get("system")), str(coding.get("code"))))
    return found or {("text", name_of(concept).lower())}


def _example(_: ConditionDefinition, present: Any, __: Mapping[str, Any]) -> ConditionFact:
    if present is NOT_TOLD or not present:
        absent = False if present is NOT_TOLD else present
        return ConditionFact(absent, absent, absent)
    return ConditionFact(True, True, True, onset_days=10.0, latest_days=10.0, names=AS_RECORDED)


CONDITION = Kind(
    key="condition",
    schema=ConditionSchema,
    definition=ConditionDefinition,
    fact=ConditionFact,
    main="present",
    read=of_record(read_condition),
    resource_types=("Condition", "Encounter"),
    keys=keys_of_condition,
    source=no_source,
    made_of=none_of,
    example=_example,
)
