"""What a file of a service in cards/ may say: a schema for each kind of file."""

from __future__ import annotations

from typing import Any

from marshmallow import (
    EXCLUDE,
    Schema,
    ValidationError,
    fields,
    post_load,
    validate,
    validates_schema,
)
from marshmallow.validate import OneOf, Regexp

from cds_service.knowledge.call import Coding
from cds_service.knowledge.content.artifacts import DIFFERENTIAL, LEVELS, MERGED, Slot

LEVEL = OneOf(LEVELS)
_DURATION = Regexp(r"^\d+ (hours|days)$", error="wants a number of hours or days, as in 30 days")


class StrictSchema(Schema):
    """Refuses unknown keys with the list of those allowed, beside whatever else is wrong."""

    error_messages = {"type": "wants a mapping of keys"}

    class Meta:
        unknown = EXCLUDE

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def refuse_unknown(self, data: Any, original: Any, **_: Any) -> None:
        """Note each key that no field has."""
        allowed = {field.data_key or name for name, field in self.load_fields.items()}
        unknown = {str(key) for key in original} - allowed if isinstance(original, dict) else ()
        if unknown:
            raise ValidationError(
                {key: [f"unknown key; allowed: {', '.join(sorted(allowed))}"] for key in unknown}
            )


def texts(**arguments: Any) -> fields.List[str]:
    return fields.List(fields.String(), **arguments)


class ExampleSchema(StrictSchema):
    """One row of a decision table."""

    name = fields.String(required=True)
    facts = fields.Dict(keys=fields.String(), load_default=dict)
    expect = fields.String(required=True)
    withholds = texts(load_default=None)
    points = fields.Integer(load_default=None)


class GovernedSchema(StrictSchema):
    """What every rule, cause, measure, class and drug carries."""

    id = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.String(required=True, validate=OneOf(("draft", "active", "retired")))
    version = fields.String(required=True, validate=Regexp(r"^\d+\.\d+\.\d+$"))
    sources = texts(required=True, validate=validate.Length(min=1))
    grade = fields.String(required=True, validate=OneOf(("A", "B", "C", "D", "X")))
    confirmed = fields.String(required=True, validate=OneOf(("C1", "C2", "G")))
    lastReviewDate = fields.Date(required=True)
    reviewer = fields.String(allow_none=True, load_default=None)


class WithholdSchema(StrictSchema):
    """What a rule takes away."""

    items = texts(required=True, validate=validate.Length(min=1))
    when = fields.String(load_default=None)
    because = fields.String(load_default="withheld")


class RuleSchema(GovernedSchema):
    """rules/<topic>.yaml holds a list of these."""

    levels = fields.Dict(
        keys=fields.String(validate=LEVEL),
        values=fields.String(),
        required=True,
        validate=validate.Length(min=1),
    )
    slot = fields.String(load_default=None)
    section = fields.String(load_default=None)
    section_when = fields.String(load_default=None)
    beside = texts(load_default=list)
    opens = fields.String(load_default=None, validate=OneOf(("critical", "warning")))
    only_slots = texts(load_default=None)
    withhold = fields.List(fields.Nested(WithholdSchema), load_default=list)
    demote = texts(load_default=list)
    examples = fields.List(fields.Nested(ExampleSchema), required=True)


class ReasonSchema(StrictSchema):
    """A condition and the part of the words that says it."""

    when = fields.String(required=True)
    because = fields.String(required=True)


class PointsSchema(StrictSchema):
    """Points for each reason that holds, up to a limit."""

    each = fields.Integer(required=True, validate=validate.Range(min=1))
    at_most = fields.Integer(load_default=None)
    reasons = fields.List(fields.Nested(ReasonSchema), required=True)


class CauseSchema(GovernedSchema):
    """causes.yaml holds a list of these."""

    requires = fields.List(fields.Nested(ReasonSchema), load_default=list)
    excludes = fields.List(fields.Nested(ReasonSchema), load_default=list)
    points = fields.List(fields.Nested(PointsSchema), required=True)
    notes = fields.List(fields.Nested(ReasonSchema), load_default=list)
    measures = texts(load_default=list)
    classes = texts(load_default=list)
    pattern_of = fields.String(load_default=None)
    examples = fields.List(fields.Nested(ExampleSchema), required=True)


class RequestSchema(StrictSchema):
    """One ServiceRequest of a suggestion; without a code it is said in words alone."""

    id = fields.String(required=True)
    when = fields.String(load_default="true")
    system = fields.Url(schemes={"http", "https"}, load_default=None)
    code = fields.String(load_default=None)
    display = fields.String(load_default=None)


class SuggestionSchema(GovernedSchema):
    """suggestions.yaml holds a list of these."""

    slot = fields.String(required=True)
    when = fields.String(load_default="true")
    requests = fields.List(fields.Nested(RequestSchema), required=True)


class MeasureSchema(GovernedSchema):
    """measures.yaml holds a list of these."""

    advised_against = fields.Boolean(load_default=False)


class DrugClassSchema(GovernedSchema):
    """drugs.yaml, `classes`."""

    drugs = texts(required=True, validate=validate.Length(min=1))
    only_first_cause = fields.String(load_default=None)


class DrugSchema(GovernedSchema):
    """drugs.yaml, `drugs`."""


class DrugsSchema(StrictSchema):
    """drugs.yaml."""

    classes = fields.List(fields.Nested(DrugClassSchema), required=True)
    drugs = fields.List(fields.Nested(DrugSchema), required=True)


class GateSchema(StrictSchema):
    """service.yaml, `gate`."""

    silence = texts(load_default=list)
    when = fields.String(required=True)
    opened_by_rules = fields.String(load_default="false")
    unchecked = fields.String(required=True)


class SlotSchema(StrictSchema):
    """service.yaml, one of `slots`; they stand in the order of the cards."""

    id = fields.String(required=True)
    kind = fields.String(load_default=MERGED, validate=OneOf((MERGED, DIFFERENTIAL)))
    override_reasons = fields.Dict(
        keys=fields.String(validate=LEVEL), values=texts(), load_default=dict
    )
    keep_apart = fields.String(load_default=None, validate=LEVEL)
    silences = fields.Dict(
        keys=fields.String(), values=fields.String(validate=LEVEL), load_default=dict
    )
    only_with = fields.Dict(keys=fields.String(), values=texts(), load_default=dict)


class NoticesSchema(StrictSchema):
    """service.yaml, `notices`: the slots of cards that say that something could not be checked."""

    unchecked = fields.String(required=True)
    unavailable = fields.String(required=True)


class SuppressionSchema(StrictSchema):
    """service.yaml, one row of `suppression`."""

    id = fields.String(required=True)
    slots = texts(required=True)
    indicators = fields.List(fields.String(validate=LEVEL), required=True)
    outcomes = fields.List(
        fields.String(validate=OneOf(("accepted", "overridden"))),
        load_default=lambda: ["overridden"],
    )
    reasons = texts(load_default=None)
    needs_reason = fields.Boolean(load_default=False)
    rules = texts(load_default=None)
    same = fields.List(fields.String(validate=OneOf(("user", "encounter"))), load_default=list)
    within = fields.String(load_default=None, validate=_DURATION)
    identified = fields.Boolean(load_default=False)
    leaves = fields.String(load_default=None)
    when = fields.String(load_default=None)

    @validates_schema
    def ends(self, data: dict[str, Any], **_: Any) -> None:
        """A row follows an answer for a time, or the record."""
        if (data["within"] is None) is (data["when"] is None):
            raise ValidationError("wants one of within and when")


class ServiceSchema(StrictSchema):
    """service.yaml."""

    hook = fields.String(required=True)
    version = fields.String(required=True)
    required = texts(required=True)
    prefetch = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    gate = fields.Nested(GateSchema, required=True)
    slots = fields.List(fields.Nested(SlotSchema), required=True)
    notices = fields.Nested(NoticesSchema, required=True)
    override_systems = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    suppression = fields.List(fields.Nested(SuppressionSchema), load_default=list)
    most_cards = fields.Integer(required=True)
    most_causes = fields.Integer(load_default=0)
    least_points = fields.Integer(load_default=0)
    ties = texts(load_default=list)
    review_after_days = fields.Integer(required=True)
    sections = texts(load_default=list)
    never_muted = texts(load_default=list)

    @validates_schema
    def check_systems(self, data: dict[str, Any], **_: Any) -> None:
        """Every override reason has a code system; `*` is that of all which are not named."""
        systems = data["override_systems"]
        reasons = (codes for slot in data["slots"] for codes in slot["override_reasons"].values())
        for code in dict.fromkeys(code for codes in reasons for code in codes):
            if code not in systems and "*" not in systems:
                raise ValidationError(f"has no system for {code}", "override_systems")

    @post_load
    def build_slots(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The slots as artifacts; the words of each override reason are found later."""
        systems = data["override_systems"]
        data["slots"] = tuple(
            Slot(
                id=slot["id"],
                kind=slot["kind"],
                override_reasons={
                    level: tuple(
                        Coding(systems.get(code, systems.get("*")), code, code) for code in codes
                    )
                    for level, codes in slot["override_reasons"].items()
                },
                keep_apart=slot["keep_apart"],
                silences=slot["silences"],
                only_with={code: tuple(rules) for code, rules in slot["only_with"].items()},
            )
            for slot in data["slots"]
        )
        return data
