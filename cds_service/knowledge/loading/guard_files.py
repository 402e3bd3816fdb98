"""Schemas of guards.yaml: what no text may say, and what is an exception, with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from marshmallow import fields, validate

from cds_service.knowledge.loading.strict_schema import StrictSchema, Texts, Tuple

_SOME = validate.Length(min=1)


@dataclass(frozen=True, slots=True)
class Doses:
    """Units of an amount of a medicine, and what behind them makes a concentration of it."""

    units: tuple[str, ...]
    concentrations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Orders:
    """How one language tells somebody to change a medicine.

    A verb counts at the start of a clause or behind one of `leads`, and not if one of `turns`
    stands behind it in its clause.
    """

    verbs: tuple[str, ...]
    leads: tuple[str, ...]
    turns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """A part of a text that looks like a dose or an order but is none, and why."""

    id: str
    part: str
    says: str
    because: str


@dataclass(frozen=True, slots=True)
class Alike:
    """Two facts whose lists of value sets differ in exactly these, and why."""

    facts: tuple[str, ...]
    differ_in: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Guards:
    """guards.yaml. `orders` is by language, `medicines` has words for medicines in general.

    `names` are names with a number in them.
    """

    doses: Doses
    orders: Mapping[str, Orders]
    medicines: tuple[str, ...]
    names: tuple[str, ...]
    allowed: tuple[Allowed, ...]
    alike: tuple[Alike, ...]


class DosesSchema(StrictSchema):
    """guards.yaml, `doses`."""

    built_as = Doses
    units = Texts(required=True, validate=_SOME)
    concentrations = Texts(load_default=())


class OrdersSchema(StrictSchema):
    """guards.yaml, `orders`, one language."""

    built_as = Orders
    verbs = Texts(required=True, validate=_SOME)
    leads = Texts(load_default=())
    turns = Texts(load_default=())


class AllowedSchema(StrictSchema):
    """guards.yaml, one of `allowed`."""

    built_as = Allowed
    id = fields.String(required=True)
    part = fields.String(required=True)
    says = fields.String(required=True)
    because = fields.String(required=True, validate=_SOME)


class AlikeSchema(StrictSchema):
    """guards.yaml, one of `alike`."""

    built_as = Alike
    facts = Texts(required=True, validate=validate.Length(equal=2))
    differ_in = Texts(required=True, validate=_SOME)
    because = fields.String(required=True, validate=_SOME)


class GuardsSchema(StrictSchema):
    """guards.yaml."""

    built_as = Guards
    doses = fields.Nested(DosesSchema, required=True)
    orders = fields.Dict(keys=fields.String(), values=fields.Nested(OrdersSchema), required=True)
    medicines = Texts(load_default=())
    names = Texts(load_default=())
    allowed = Tuple(fields.Nested(AllowedSchema), load_default=())
    alike = Tuple(fields.Nested(AlikeSchema), load_default=())
