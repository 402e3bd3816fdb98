"""What service.yaml may say: the outline of a service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from marshmallow import ValidationError, fields, post_load, validates_schema
from marshmallow.validate import OneOf

from cds_service.knowledge.call import Coding
from cds_service.knowledge.content.artifacts import DIFFERENTIAL, LEVELS, MERGED, Gate, Slot
from cds_service.knowledge.content.suppression import Suppression
from cds_service.knowledge.facts.schema import Duration
from cds_service.knowledge.loading.strict_schema import (
    Condition,
    StrictSchema,
    Texts,
    Tuple,
    constant,
)

_LEVEL = OneOf(LEVELS)


class GateSchema(StrictSchema):
    """service.yaml, `gate`."""

    built_as = Gate
    silence = Texts(load_default=())
    when = Condition(required=True)
    opened_by_rules = Condition(load_default=constant(False))
    unchecked = Condition(required=True)


class SlotSchema(StrictSchema):
    """service.yaml, one of `slots`; their order is the order of the cards."""

    id = fields.String(required=True)
    kind = fields.String(load_default=MERGED, validate=OneOf((MERGED, DIFFERENTIAL)))
    override_reasons = fields.Dict(
        keys=fields.String(validate=_LEVEL), values=Texts(), load_default=dict
    )
    keep_apart = fields.String(load_default=None, validate=_LEVEL)
    silences = fields.Dict(
        keys=fields.String(), values=fields.String(validate=_LEVEL), load_default=dict
    )
    withholds = Texts(load_default=())
    only_with = fields.Dict(keys=fields.String(), values=Texts(), load_default=dict)
    told_in = fields.String(load_default=None)


class NoticesSchema(StrictSchema):
    """service.yaml, `notices`: the slots of cards that say that something could not be checked."""

    unchecked = fields.String(required=True)
    unavailable = fields.String(required=True)


class SuppressionSchema(StrictSchema):
    """service.yaml, one row of `suppression`."""

    id = fields.String(required=True)
    slots = Texts(required=True)
    indicators = Tuple(fields.String(validate=_LEVEL), required=True)
    outcomes = Tuple(
        fields.String(validate=OneOf(("accepted", "overridden"))), load_default=("overridden",)
    )
    reasons = Texts(load_default=None)
    needs_reason = fields.Boolean(load_default=False)
    without_reason = fields.Boolean(load_default=False)
    this_encounter = fields.Boolean(load_default=False)
    rules = Texts(load_default=None)
    same = Tuple(fields.String(validate=OneOf(("user", "encounter"))), load_default=())
    within = Duration(load_default=None)
    identified = fields.Boolean(load_default=False)
    suggestions = fields.Boolean(load_default=False)
    leaves = fields.String(load_default=None)
    when = Condition(load_default=None)

    @validates_schema
    def ends(self, data: dict[str, Any], **_: Any) -> None:
        """A row lasts for a time after an answer, or while a condition on the record is true."""
        if (data["within"] is None) is (data["when"] is None):
            raise ValidationError("needs either within or when")
        if data["suggestions"] and data["outcomes"] != ("accepted",):
            raise ValidationError("a row for suggestions needs outcomes: [accepted]")

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Suppression:
        """The row; a row with a condition needs no answer."""
        return Suppression(**data | {"within": data["within"] or timedelta()})


class ServiceSchema(StrictSchema):
    """service.yaml; its conditions are loaded when the facts are known."""

    hook = fields.String(required=True)
    version = fields.String(required=True)
    required_keys = Texts(data_key="required", required=True)
    prefetch = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    gate = fields.Raw(required=True)
    slots = Tuple(fields.Nested(SlotSchema), required=True)
    notices = fields.Nested(NoticesSchema, required=True)
    override_systems = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    suppression = fields.List(fields.Raw(), load_default=list)
    most_cards = fields.Integer(required=True)
    most_causes = fields.Integer(load_default=0)
    least_points = fields.Integer(load_default=0)
    ties = Texts(load_default=())
    review_after = fields.TimeDelta(precision="days", data_key="review_after_days", required=True)
    sections = Texts(load_default=())
    never_muted = Texts(load_default=())
    regions = Texts(load_default=())

    @validates_schema
    def check_systems(self, data: dict[str, Any], **_: Any) -> None:
        """Every override reason has a code system; `*` is the one for all other reasons."""
        systems = data["override_systems"]
        reasons = (codes for slot in data["slots"] for codes in slot["override_reasons"].values())
        for code in dict.fromkeys(code for codes in reasons for code in codes):
            if code not in systems and "*" not in systems:
                raise ValidationError(f"has no system for {code}", "override_systems")

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The outline of a service; the words of each override reason are found later."""
        systems = data.pop("override_systems")

        def codings(codes: tuple[str, ...]) -> tuple[Coding, ...]:
            return tuple(Coding(systems.get(code, systems.get("*")), code, code) for code in codes)

        for slot in data["slots"]:
            offered = slot["override_reasons"]
            slot["override_reasons"] = {level: codings(offered[level]) for level in offered}
        data["slots"] = tuple(Slot(**slot) for slot in data["slots"])
        data["required_keys"] = frozenset(data["required_keys"])
        return data
