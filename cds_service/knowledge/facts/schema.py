"""What YAML may say about a fact: the base of every kind's schema, and fields that kinds share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, fields, post_load, validate

from cds_service.knowledge.facts.library import Library
from cds_service.knowledge.record.answers import Answers
from cds_service.knowledge.record.lists import type_of_template
from cds_service.knowledge.record.quantities import Quantity

_DURATION = validate.Regexp(
    r"^\d+ (hours|days)$", error="must be a number of hours or days, such as 30 days"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What a definition may refer to; `types` has every `fact.member` that is defined before it."""

    library: Library
    prefetch: Mapping[str, str]
    types: Mapping[str, str]

    @property
    def fetched(self) -> Mapping[str, str]:
        """Every name of a list, a prefetch key or a resource type, with its resource type."""
        by_key = {key: type_of_template(template) for key, template in self.prefetch.items()}
        return {type_: type_ for type_ in by_key.values()} | by_key


class DefinitionSchema(Schema):
    """An entry of facts.yaml of one kind; the loader has refused the keys of other kinds."""

    class Meta:
        unknown = EXCLUDE

    built_as: ClassVar[type]

    def __init__(self, known: Known) -> None:
        super().__init__()
        self.known = known

    @classmethod
    def named_fields(cls) -> Iterable[tuple[str, str, fields.Field[Any]]]:
        """Each key in YAML, with its member of the definition and its field."""
        for name, field in cls._declared_fields.items():
            yield field.data_key or name, name, field

    @classmethod
    def facts_named(cls, entry: Mapping[str, Any]) -> Iterable[str]:
        """The other facts that an entry names: they must be defined before it."""
        return ()

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        """The definition."""
        return self.built_as(**data)


class ValueSets(fields.List[str]):
    """The ids of value sets; a single one needs no brackets."""

    def __init__(self, *, at_least: int = 1, **arguments: Any) -> None:
        length = validate.Length(min=at_least)
        arguments.setdefault("metadata", {"guide": "[value sets]"})
        super().__init__(fields.String(), validate=length, **arguments)

    def _deserialize(self, value: Any, *arguments: Any, **named: Any) -> Any:
        listed = [value] if isinstance(value, str) else value
        return tuple(super()._deserialize(listed, *arguments, **named))


class ValueSet(fields.String):
    """The id of one value set."""


class Duration(fields.String):
    """A span of time in days or hours: `30 days`."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(validate=_DURATION, **arguments)

    def deserialize(self, value: Any, *arguments: Any, **named: Any) -> Any:
        written = super().deserialize(value, *arguments, **named)
        if not isinstance(written, str):
            return written
        amount, unit = written.split()
        return timedelta(**{unit: int(amount)})


class ListedAnswers(fields.Dict):
    """The answers, `system|code` or words, that count as each number."""

    def __init__(self) -> None:
        super().__init__(
            keys=fields.Float(),
            values=fields.List(fields.String()),
            metadata={"guide": "what `system|code` or words count as"},
        )


def answers_of(
    listed: Mapping[float, list[str]] | None, quantity: Quantity | None, known: Known
) -> Answers | None:
    """The answers that a definition lists, with the numbers that its quantity holds, or None."""
    if listed is None:
        return None
    plausible = quantity.plausible if quantity else None
    return Answers.of(listed, known.library.statuses.systems, plausible)
