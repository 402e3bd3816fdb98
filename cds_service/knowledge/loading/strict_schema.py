"""What the schemas of cards/ share: no unknown keys, and values that are frozen and compiled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.experimental.context import Context

from cds_service.knowledge.expressions.expressions import (
    BOOLEAN,
    Expression,
    ExpressionError,
    compile_expression,
)
from cds_service.knowledge.expressions.spelling import like

# The types of every `fact.member` that the conditions of a service may name.
Types = Context[Mapping[str, str]]


UNKNOWN_KEY = "unknown key"


class StrictSchema(Schema):
    """Refuses unknown keys, and reports all other mistakes as well.

    What it has read becomes a value of `built_as`.
    """

    error_messages = {"type": "must be a mapping of keys"}
    built_as: ClassVar[type] = dict

    class Meta:
        unknown = EXCLUDE

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def refuse_unknown(self, data: Any, original: Any, **_: Any) -> None:
        """Note each key that no field has."""
        allowed = self._allowed
        unknown = {str(key) for key in original} - allowed if isinstance(original, dict) else ()
        if unknown:
            every = f"; allowed: {', '.join(sorted(allowed))}"
            raise ValidationError(
                {key: [f"{UNKNOWN_KEY}{like(key, allowed) or every}"] for key in unknown}
            )

    @cached_property
    def _allowed(self) -> frozenset[str]:
        return frozenset(field.data_key or name for name, field in self.load_fields.items())

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        """The value that the keys describe."""
        return self.built_as(**data)


class Tuple(fields.List[Any]):
    """A list that is frozen."""

    def _deserialize(self, value: Any, *arguments: Any, **named: Any) -> Any:
        return tuple(super()._deserialize(value, *arguments, **named))


class Texts(Tuple):
    """A list of texts that is frozen."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(fields.String(), **arguments)

    def _deserialize(self, value: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(value, list) and all(isinstance(text, str) for text in value):
            return tuple(value)  # nearly always, and there are thousands of texts
        return super()._deserialize(value, *arguments, **named)


class Condition(fields.String):
    """FHIRPath over the facts of a service, ready to evaluate; loading it needs `Types`."""

    def _deserialize(self, value: Any, *arguments: Any, **named: Any) -> Any:
        text = super()._deserialize(value, *arguments, **named)
        try:
            condition = compile_expression(text, Types.get())
        except ExpressionError as error:
            raise ValidationError(str(error)) from error
        if condition.type != BOOLEAN:
            raise ValidationError(f"is a {condition.type}, not a condition")
        return condition


def constant(value: bool | None) -> Expression:
    """The condition that is always the same."""
    text = {True: "true", False: "false", None: "{}"}[value]
    return Expression(text, (), (), lambda facts: value, BOOLEAN)
