"""What the shared files of cards/ may say: references, quantities, record text, value sets."""

from __future__ import annotations

from marshmallow import Schema, fields, validate
from marshmallow.validate import OneOf

from cds_service.knowledge.loading.service_files import StrictSchema, texts


class ReferenceSchema(StrictSchema):
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


class ConversionSchema(StrictSchema):
    """How one other unit becomes ours."""

    factor = fields.Float(required=True, validate=validate.Range(min=0, min_inclusive=False))
    offset = fields.Float(load_default=0.0)
    source = fields.String()


class QuantitySchema(StrictSchema):
    """quantities.yaml, one analyte."""

    unit = fields.String(required=True)
    plausible = fields.List(fields.Float(), required=True, validate=validate.Length(equal=2))
    plausible_source = fields.String()
    convert = fields.Dict(
        keys=fields.String(), values=fields.Nested(ConversionSchema), load_default=dict
    )
    unitless = fields.Boolean(load_default=False)
    source = fields.String()


class QuantitiesSchema(StrictSchema):
    """quantities.yaml."""

    spellings = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    quantities = fields.Dict(
        keys=fields.String(), values=fields.Nested(QuantitySchema), required=True
    )


class PhrasesSchema(StrictSchema):
    """record-text.yaml, the words of one value set."""

    match = texts(required=True, validate=validate.Length(min=1))
    unless = texts(load_default=list)


class NegationSchema(StrictSchema):
    """record-text.yaml, `negation`."""

    before = texts(required=True)
    window = fields.Integer(required=True)


class RecordTextSchema(StrictSchema):
    """record-text.yaml."""

    negation = fields.Nested(NegationSchema, required=True)
    other_person = texts(load_default=list)
    not_yet = texts(load_default=list)
    past = texts(load_default=list)
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
