"""Schemas of the shared files of cards/: references, quantities, record text, value sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, fields, post_load, validate
from marshmallow.validate import OneOf

from cds_service.knowledge.facts.library import Reference
from cds_service.knowledge.loading.strict_schema import StrictSchema, Texts
from cds_service.knowledge.record.clauses import normalise
from cds_service.knowledge.record.negation import Negation
from cds_service.knowledge.record.phrases import Phrases
from cds_service.knowledge.record.statuses import Status, Statuses


@dataclass(frozen=True, slots=True)
class RecordText:
    """record-text.yaml: the phrases of each value set, and what reverses them.

    `understood` names, for a kind of resource, value sets that identify it although no fact uses
    them; `results` has the names of results that came without a code, by value set.
    """

    phrases: Mapping[str, Phrases]
    negation: Negation
    understood: Mapping[str, frozenset[str]]
    results: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class ReferenceSchema(StrictSchema):
    """references.yaml maps a key to one of these."""

    built_as = Reference
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


class AttributesSchema(StrictSchema):
    """source-attributes.yaml: the value sets behind source attributes of 45 CFR 170.315(b)(11)."""

    race = Texts(load_default=())
    ethnicity = Texts(load_default=())
    language = Texts(load_default=())
    sexual_orientation = Texts(load_default=())
    gender_identity = Texts(load_default=())
    sex = Texts(load_default=())
    date_of_birth = Texts(load_default=())
    social_determinants = Texts(load_default=())
    health_status = Texts(load_default=())


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

    words = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    quantities = fields.Dict(
        keys=fields.String(), values=fields.Nested(QuantitySchema), required=True
    )


class PhrasesSchema(StrictSchema):
    """record-text.yaml, the words of one value set."""

    built_as = Phrases
    match = Texts(required=True, validate=validate.Length(min=1))
    unless = Texts(load_default=())
    of_others = fields.Boolean(load_default=False)


class NegationSchema(StrictSchema):
    """record-text.yaml, `negation`."""

    before = Texts(required=True)
    window = fields.Integer(required=True)
    answers = Texts(load_default=())
    after = Texts(load_default=())
    tails = Texts(load_default=())
    undecided = Texts(load_default=())
    contrast = Texts(load_default=())
    now = Texts(load_default=())
    joins = Texts(load_default=())
    fillers = Texts(load_default=())


class OtherPersonSchema(StrictSchema):
    """record-text.yaml, `other_person`."""

    before = Texts(load_default=())
    tells = Texts(load_default=())
    subjects = Texts(load_default=())
    acts = Texts(load_default=())
    links = Texts(load_default=())
    agents = Texts(load_default=())
    people = Texts(load_default=())


class PastSchema(StrictSchema):
    """record-text.yaml, `past`."""

    before = Texts(load_default=())
    after = Texts(load_default=())


class RecordTextSchema(StrictSchema):
    """record-text.yaml."""

    negation = fields.Nested(NegationSchema, required=True)
    other_person = fields.Nested(OtherPersonSchema, load_default=dict)
    not_yet = Texts(load_default=())
    past = fields.Nested(PastSchema, load_default=dict)
    same_characters = fields.Dict(
        keys=fields.String(validate=validate.Length(equal=1)),
        values=fields.String(validate=validate.Length(equal=1)),
        load_default=dict,
    )
    signs = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    degrees = Texts(load_default=())
    understood = fields.Dict(keys=fields.String(), values=Texts(), load_default=dict)
    results = fields.Dict(keys=fields.String(), values=Texts(), load_default=dict)
    value_sets = fields.Dict(
        keys=fields.String(), values=fields.Nested(PhrasesSchema), required=True
    )

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> RecordText:
        """The phrases, with the words that reverse them."""
        lists, other, past = data["negation"], data["other_person"], data["past"]
        lists["before"] = (*lists["before"], *data["not_yet"])
        negation = Negation(
            **lists,
            past=past.get("before", ()),
            past_after=past.get("after", ()),
            others=other.pop("before", ()),
            **other,
            same_characters=data["same_characters"],
            signs=data["signs"],
            degrees=data["degrees"],
        )
        understood = {kind: frozenset(sets) for kind, sets in data["understood"].items()}
        return RecordText(data["value_sets"], negation, understood, data["results"])


class KinSchema(StrictSchema):
    """code-systems.yaml: systems that share the first characters of their codes."""

    characters = fields.Integer(required=True, validate=validate.Range(min=3))
    names = Texts(required=True)


class CodeSystemSchema(StrictSchema):
    """code-systems.yaml maps the address of a system to one of these."""

    names = Texts(load_default=())
    kin = fields.Nested(KinSchema)


class StatusSchema(StrictSchema):
    """statuses.yaml, one meaning."""

    codes = fields.Dict(keys=fields.String(), values=Texts(), load_default=dict)
    words = Texts(load_default=list)


class StatusesSchema(StrictSchema):
    """statuses.yaml."""

    statuses = fields.Dict(
        keys=fields.Enum(Status, by_value=True), values=fields.Nested(StatusSchema), required=True
    )
    lifelong = Texts(load_default=list)
    time_units = fields.Dict(keys=fields.Float(), values=Texts(), load_default=dict)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Statuses:
        """The statuses as the readers of facts ask for them."""
        entries = data["statuses"].items()
        return Statuses(
            codes={
                (system, code): status
                for status, entry in entries
                for system, listed in entry["codes"].items()
                for code in listed
            },
            words={normalise(word): status for status, entry in entries for word in entry["words"]},
            lifelong=tuple(data["lifelong"]),
            time_units={
                normalise(name): days
                for days, names in data["time_units"].items()
                for name in names
            },
        )


class ValueSetSchema(Schema):
    """The part of a FHIR ValueSet that we read; the rest is for people and other tools."""

    class Meta:
        unknown = "exclude"

    resourceType = fields.String(required=True, validate=OneOf(("ValueSet",)))
    id = fields.String(required=True)
    title = fields.String(required=True)
    version = fields.String(load_default="")
    description = fields.String(load_default="")
    copyright = fields.String(required=True)
    compose = fields.Dict(required=True)
