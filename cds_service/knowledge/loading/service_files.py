"""What the files beside service.yaml may say: a schema for each kind of file."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, post_load, validate
from marshmallow.validate import OneOf, Regexp

from cds_service.knowledge.call import Coding
from cds_service.knowledge.content.artifacts import (
    LEVELS,
    Cause,
    DrugClass,
    Example,
    Governance,
    Measure,
    Points,
    ProposedRequest,
    Reason,
    Rule,
    SuggestionRule,
    Withhold,
)
from cds_service.knowledge.loading.strict_schema import (
    Condition,
    StrictSchema,
    Texts,
    Tuple,
    constant,
)

_SOME = validate.Length(min=1)


class ExampleSchema(StrictSchema):
    """One row of a decision table."""

    built_as = Example
    name = fields.String(required=True)
    facts = fields.Dict(keys=fields.String(), load_default=dict)
    expect = fields.String(required=True)
    withholds = Texts(load_default=None)
    points = fields.Integer(load_default=None)


class GovernedSchema(StrictSchema):
    """What every rule, cause, measure, class and drug has."""

    id = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.String(required=True, validate=OneOf(("draft", "active", "retired")))
    version = fields.String(required=True, validate=Regexp(r"^\d+\.\d+\.\d+$"))
    sources = Texts(required=True, validate=_SOME)
    grade = fields.String(required=True, validate=OneOf(("A", "B", "C", "D", "X")))
    confirmed = fields.String(required=True, validate=OneOf(("C1", "C2", "G")))
    last_review_date = fields.Date(data_key="lastReviewDate", required=True)
    reviewer = fields.String(allow_none=True, load_default=None)
    figures = fields.Dict(
        keys=fields.String(), values=Tuple(fields.Float(), validate=_SOME), load_default=dict
    )

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        """The value, which holds its governance."""
        carried = {name: data.pop(name) for name in GovernedSchema._declared_fields}
        carried["last_review_date"] = carried["last_review_date"].isoformat()
        return self.build_governed(Governance(**carried), data)

    def build_governed(self, governance: Governance, data: dict[str, Any]) -> Any:
        """The value of the keys beside its governance."""
        return self.built_as(governance=governance, **data)


class WithholdSchema(StrictSchema):
    """What a rule withholds."""

    built_as = Withhold
    items = Texts(required=True, validate=_SOME)
    when = Condition(load_default=None)
    because = fields.String(load_default="withheld")


class Urgency(fields.Integer):
    """A number for every level of a rule, or a mapping with a number for each."""

    def _deserialize(self, value: Any, *arguments: Any, **named: Any) -> Any:
        given = value if isinstance(value, dict) else dict.fromkeys(LEVELS, value)
        unknown = set(given) - set(LEVELS)
        if unknown:
            raise ValidationError(f"there is no level {', '.join(map(str, sorted(unknown)))}")
        return {
            level: super(Urgency, self)._deserialize(number, *arguments, **named)
            for level, number in given.items()
        }


class RuleSchema(GovernedSchema):
    """rules/<topic>.yaml holds a list of these."""

    built_as = Rule
    levels = fields.Dict(
        keys=fields.String(validate=OneOf(LEVELS)),
        values=Condition(),
        required=True,
        validate=_SOME,
    )
    urgency = Urgency(load_default=dict)
    slot = fields.String(load_default=None)
    section = fields.String(load_default=None)
    section_when = Condition(load_default=None)
    beside = Texts(load_default=())
    opens = fields.String(load_default=None, validate=OneOf(("critical", "warning")))
    only_slots = Texts(load_default=None)
    withhold = Tuple(fields.Nested(WithholdSchema), load_default=())
    demote = Texts(load_default=())
    examples = Tuple(fields.Nested(ExampleSchema), required=True)

    def __init__(self, topic: str) -> None:
        super().__init__()
        self._topic = topic

    def build_governed(self, governance: Governance, data: dict[str, Any]) -> Rule:
        """The rule, its worst level first."""
        levels = {level: data["levels"][level] for level in LEVELS if level in data["levels"]}
        return Rule(governance=governance, topic=self._topic, **data | {"levels": levels})


class ReasonSchema(StrictSchema):
    """A condition, and the part of the words that states it."""

    built_as = Reason
    when = Condition(required=True)
    because = fields.String(required=True)


class PointsSchema(StrictSchema):
    """Points for each reason that holds, up to a limit."""

    each = fields.Integer(required=True, validate=validate.Range(min=1))
    at_most = fields.Integer(load_default=None)
    reasons = Tuple(fields.Nested(ReasonSchema), required=True)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Points:
        """The points; without a limit all of them count."""
        all_of_them = data["each"] * len(data["reasons"])
        return Points(**data | {"at_most": data["at_most"] or all_of_them})


class CauseSchema(GovernedSchema):
    """causes.yaml holds a list of these."""

    built_as = Cause
    requires = Tuple(fields.Nested(ReasonSchema), load_default=())
    excludes = Tuple(fields.Nested(ReasonSchema), load_default=())
    points = Tuple(fields.Nested(PointsSchema), required=True)
    notes = Tuple(fields.Nested(ReasonSchema), load_default=())
    measures = Texts(load_default=())
    classes = Texts(load_default=())
    pattern_of = fields.String(load_default=None)
    examples = Tuple(fields.Nested(ExampleSchema), required=True)


class RequestSchema(StrictSchema):
    """One ServiceRequest of a suggestion; without a code it has only words."""

    id = fields.String(required=True)
    when = Condition(load_default=constant(True))
    system = fields.Url(schemes={"http", "https"}, load_default=None)
    code = fields.String(load_default=None)
    display = fields.String(load_default=None)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ProposedRequest:
        """The request with its coding, if it has one."""
        coding = Coding(data["system"], data["code"], data["display"]) if data["code"] else None
        return ProposedRequest(data["id"], data["when"], coding)


class SuggestionSchema(GovernedSchema):
    """suggestions.yaml holds a list of these."""

    built_as = SuggestionRule
    slot = fields.String(required=True)
    when = Condition(load_default=constant(True))
    requests = Tuple(fields.Nested(RequestSchema), required=True)


class MeasureSchema(GovernedSchema):
    """measures.yaml holds a list of these."""

    built_as = Measure
    advised_against = fields.Boolean(load_default=False)


class DrugClassSchema(GovernedSchema):
    """drugs.yaml, `classes`."""

    built_as = DrugClass
    drugs = Texts(required=True, validate=_SOME)
    only_first_cause = fields.String(load_default=None)
    never_alone = fields.Boolean(load_default=False)


class DrugSchema(GovernedSchema):
    """drugs.yaml, `drugs`: only who is responsible for each."""

    def build_governed(self, governance: Governance, data: dict[str, Any]) -> Governance:
        """The governance itself."""
        return governance


class DrugsSchema(StrictSchema):
    """drugs.yaml."""

    classes = Tuple(fields.Nested(DrugClassSchema), required=True)
    drugs = Tuple(fields.Nested(DrugSchema), required=True)
