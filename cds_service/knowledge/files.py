"""What a file in cards/ may say: a schema for each kind of file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate
from marshmallow.validate import OneOf, Regexp

LEVEL = OneOf(("critical", "warning", "info"))
_DURATION = Regexp(r"^\d+ (hours|days)$", error="wants a number of hours or days, as in 30 days")


class _StrictSchema(Schema):
    """Refuses unknown keys with the list of those allowed."""

    class Meta:
        unknown = RAISE

    @pre_load
    def refuse_unknown(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValidationError("wants a mapping of keys")
        allowed = {field.data_key or name for name, field in self.load_fields.items()}
        unknown = {str(key) for key in data} - allowed
        if unknown:
            raise ValidationError(
                {key: [f"unknown key; allowed: {', '.join(sorted(allowed))}"] for key in unknown}
            )
        return data


def _texts(**arguments: Any) -> fields.List[str]:
    return fields.List(fields.String(), **arguments)


class ExampleSchema(_StrictSchema):
    """One row of a decision table."""

    name = fields.String(required=True)
    facts = fields.Dict(keys=fields.String(), load_default=dict)
    expect = fields.String(required=True)
    withholds = _texts(load_default=None)
    points = fields.Integer(load_default=None)


class GovernedSchema(_StrictSchema):
    """What every rule, cause, measure, class and drug carries."""

    id = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.String(required=True, validate=OneOf(("draft", "active", "retired")))
    version = fields.String(required=True, validate=Regexp(r"^\d+\.\d+\.\d+$"))
    sources = _texts(required=True, validate=validate.Length(min=1))
    grade = fields.String(required=True, validate=OneOf(("A", "B", "C", "D", "X")))
    confirmed = fields.String(required=True, validate=OneOf(("C1", "C2", "G")))
    lastReviewDate = fields.Date(required=True)
    reviewer = fields.String(allow_none=True, load_default=None)


class WithholdSchema(_StrictSchema):
    """What a rule takes away."""

    items = _texts(required=True, validate=validate.Length(min=1))
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
    beside = _texts(load_default=list)
    opens = fields.String(load_default=None, validate=OneOf(("critical", "warning")))
    only_slots = _texts(load_default=None)
    withhold = fields.List(fields.Nested(WithholdSchema), load_default=list)
    examples = fields.List(fields.Nested(ExampleSchema), required=True)


class ReasonSchema(_StrictSchema):
    """A condition and the part of the words that says it."""

    when = fields.String(required=True)
    because = fields.String(required=True)


class PointsSchema(_StrictSchema):
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
    measures = _texts(load_default=list)
    classes = _texts(load_default=list)
    pattern_of = fields.String(load_default=None)
    examples = fields.List(fields.Nested(ExampleSchema), required=True)


class MeasureSchema(GovernedSchema):
    """measures.yaml holds a list of these."""

    advised_against = fields.Boolean(load_default=False)


class DrugClassSchema(GovernedSchema):
    """drugs.yaml, `classes`."""

    drugs = _texts(required=True, validate=validate.Length(min=1))
    only_first_cause = fields.String(load_default=None)


class DrugSchema(GovernedSchema):
    """drugs.yaml, `drugs`."""


class DrugsSchema(_StrictSchema):
    """drugs.yaml."""

    classes = fields.List(fields.Nested(DrugClassSchema), required=True)
    drugs = fields.List(fields.Nested(DrugSchema), required=True)


class FactSchema(_StrictSchema):
    """One fact of facts.yaml; which keys go together is checked by the loader."""

    patient = fields.String(validate=OneOf(("age", "sex", "deceased", "user")))
    list = fields.String()
    condition = _texts(validate=validate.Length(min=1))
    observation = _texts(validate=validate.Length(min=1))
    medication = _texts(validate=validate.Length(min=1))
    allergy = _texts(validate=validate.Length(min=1))
    group = fields.List(fields.List(fields.String()))
    expression = fields.String()
    source = fields.String(data_key="from")
    quantity = fields.String()
    within = fields.String(validate=_DURATION)
    at_least = fields.Float()
    answer = fields.String(validate=Regexp(r"^\S+\|\S+$"))
    days_ahead = fields.Boolean()
    any_status = fields.Boolean()
    visit_reason = fields.String(validate=_DURATION)
    each = _texts()
    severe = fields.String()

    @pre_load
    def accept_one(self, data: Any, **_: Any) -> Any:
        """A single value set may stand without brackets."""
        lists = ("condition", "observation", "medication", "allergy")
        return {
            key: [value] if key in lists and isinstance(value, str) else value
            for key, value in data.items()
        }


class GateSchema(_StrictSchema):
    """service.yaml, `gate`."""

    silence = _texts(required=True)
    anxiety = fields.String(required=True)
    symptom = fields.String(required=True)
    unchecked = fields.String(required=True)


class SlotSchema(_StrictSchema):
    """service.yaml, one of `slots`; they stand in the order of the cards."""

    id = fields.String(required=True)
    override_reasons = fields.Dict(
        keys=fields.String(validate=LEVEL), values=_texts(), required=True
    )
    keep_apart = fields.String(load_default=None, validate=LEVEL)
    silences = fields.String(load_default=None)


class ServiceSchema(_StrictSchema):
    """service.yaml."""

    hook = fields.String(required=True)
    version = fields.String(required=True)
    required = _texts(required=True)
    prefetch = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    gate = fields.Nested(GateSchema, required=True)
    slots = fields.List(fields.Nested(SlotSchema), required=True)
    override_systems = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    most_cards = fields.Integer(required=True)
    most_causes = fields.Integer(required=True)
    least_points = fields.Integer(required=True)
    ties = _texts(required=True)
    review_after_days = fields.Integer(required=True)
    sections = _texts(required=True)


class ReferenceSchema(_StrictSchema):
    """references.yaml maps a key to one of these."""

    title = fields.String(required=True)
    organisation = fields.String()
    year = fields.Integer()
    kind = fields.String(
        required=True,
        validate=OneOf(
            ("guideline", "label", "regulator", "paper", "standard", "design", "general")
        ),
    )
    url = fields.Url(schemes={"https"})
    opened = fields.String(required=True, validate=OneOf(("C1", "C2", "G")))


class ConversionSchema(_StrictSchema):
    """How one other unit becomes ours."""

    factor = fields.Float(required=True, validate=validate.Range(min=0, min_inclusive=False))
    offset = fields.Float(load_default=0.0)
    source = fields.String()


class QuantitySchema(_StrictSchema):
    """quantities.yaml, one analyte."""

    unit = fields.String(required=True)
    plausible = fields.List(fields.Float(), required=True, validate=validate.Length(equal=2))
    plausible_source = fields.String()
    convert = fields.Dict(
        keys=fields.String(), values=fields.Nested(ConversionSchema), load_default=dict
    )
    unitless = fields.Boolean(load_default=False)
    source = fields.String()


class QuantitiesSchema(_StrictSchema):
    """quantities.yaml."""

    spellings = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    quantities = fields.Dict(
        keys=fields.String(), values=fields.Nested(QuantitySchema), required=True
    )


class PhrasesSchema(_StrictSchema):
    """record-text.yaml, the words of one value set."""

    match = _texts(required=True, validate=validate.Length(min=1))
    unless = _texts(load_default=list)


class NegationSchema(_StrictSchema):
    """record-text.yaml, `negation`."""

    before = _texts(required=True)
    window = fields.Integer(required=True)


class RecordTextSchema(_StrictSchema):
    """record-text.yaml."""

    negation = fields.Nested(NegationSchema, required=True)
    other_person = _texts(load_default=list)
    not_yet = _texts(load_default=list)
    past = _texts(load_default=list)
    value_sets = fields.Dict(
        keys=fields.String(), values=fields.Nested(PhrasesSchema), required=True
    )


class ValueSetSchema(Schema):
    """The part of a FHIR ValueSet that we read; the rest is for people and other tools."""

    class Meta:
        unknown = "exclude"

    resourceType = fields.String(required=True, validate=OneOf(("ValueSet",)))
    id = fields.String(required=True)
    title = fields.String(required=True)
    copyright = fields.String(required=True)
    compose = fields.Dict(required=True)
