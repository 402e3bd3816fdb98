"""A fact that is computed from other facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields, post_load

from cds_service.knowledge.expressions.expressions import (
    Expression,
    ExpressionError,
    compile_expression,
)
from cds_service.knowledge.facts.kind import NOT_TOLD, Kind, Reading, ValueFact, no_source, none_of
from cds_service.knowledge.facts.schema import DefinitionSchema

_NAMED = re.compile(r"%([a-z_0-9]+)")


@dataclass(frozen=True, slots=True)
class ExpressionDefinition:
    """A fact of kind `expression`: computed from other facts."""

    expression: Expression

    @property
    def type(self) -> str:
        """The type of its value."""
        return self.expression.type


class ExpressionSchema(DefinitionSchema):
    expression = fields.String(required=True, metadata={"guide": "a condition"})

    @classmethod
    def facts_named(cls, entry: Mapping[str, Any]) -> Iterable[str]:
        """Every fact that the expression names."""
        return _NAMED.findall(str(entry["expression"]))

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ExpressionDefinition:
        """The definition, ready to evaluate."""
        try:
            return ExpressionDefinition(compile_expression(data["expression"], self.known.types))
        except ExpressionError as error:
            raise ValidationError({"expression": [str(error)]}) from error


def _read(definition: ExpressionDefinition, reading: Reading) -> ValueFact:
    return ValueFact(definition.expression.evaluate(reading))


def _example(definition: ExpressionDefinition, value: Any, facts: Mapping[str, Any]) -> ValueFact:
    return ValueFact(definition.expression.evaluate(facts) if value is NOT_TOLD else value)


EXPRESSION = Kind(
    key="expression",
    schema=ExpressionSchema,
    definition=ExpressionDefinition,
    fact=ValueFact,
    main="value",
    read=_read,
    resource_types=(),
    keys=none_of,
    source=no_source,
    made_of=lambda definition: definition.expression.facts,
    example=_example,
)
