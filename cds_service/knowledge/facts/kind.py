"""A kind of fact: one row with everything about it that does not depend on a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from cds_service.knowledge.call import Resource
from cds_service.knowledge.expressions.expressions import BOOLEAN, FACT_NAMES, NUMBER, TEXT, TEXTS
from cds_service.knowledge.facts.schema import DefinitionSchema, ValueSet, ValueSets
from cds_service.knowledge.record.quantities import Interval
from cds_service.knowledge.record.record import Key, PatientRecord

PRESENT, ABSENT = "present", "absent"
NOT_TOLD: Any = ...  # an example does not mention the fact
AS_RECORDED = ("as recorded",)  # the names of things in an example


@dataclass(frozen=True, slots=True)
class FactName:
    """The name of a fact as a value, and the part of the fact's own words that says it."""

    name: str
    part: str


class Fact:
    """What every fact offers besides its members."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        """What the bare name of the fact means; None when the record does not say."""
        raise NotImplementedError

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The resources that it was read from."""
        raise NotImplementedError

    def standing(self) -> str:
        """What the record says about it: present, absent, or why that is not known."""
        if self.value is None:
            return "unknown"
        # A medicine that was stopped is not in force, but it is still on record.
        return PRESENT if self.value is not False or self.resources else ABSENT

    def stated(self) -> list[str]:
        """What a card may say about it that its resources do not show."""
        return []

    def has_rival(self) -> bool:
        """Whether another value may be as true."""
        return False

    def is_gap(self) -> bool:
        """Whether it is unknown only because something did not come or could not be read."""
        return self.value is None

    def lacking(self) -> Iterable[str]:
        """The names of the facts that it reports as missing."""
        return ()


@dataclass(frozen=True, slots=True)
class ValueFact(Fact):
    """A value of the type that the definition says; None means that the record does not say."""

    value: Annotated[Any, "what is read or computed"]
    resources: tuple[Resource, ...] = ()

    @property
    def present(self) -> Any:
        """The same as `value`."""
        return self.value

    def is_gap(self) -> bool:
        """Never itself; what it was computed from may be."""
        return False


class Reading(dict[str, Any]):
    """The facts of one patient that are already read, and the record for the others.

    `highest` chooses between different values measured at one time; `certain` leaves out results
    that are not final or have no sure date.
    """

    def __init__(
        self,
        record: PatientRecord,
        absent: Mapping[str, Any],
        *,
        highest: bool = False,
        certain: bool = False,
    ) -> None:
        super().__init__(absent)
        self.record, self.highest, self.certain = record, highest, certain


D = TypeVar("D")
F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True)
class Kind(Generic[D, F]):
    """One kind of fact. The loader, relevance, validation, examples and the guide follow it.

    `key` names it in YAML; `schema` says which other keys it may have, and builds a `definition`.
    `read` gives a `fact`, whose annotations and typed properties are the members; the bare name of
    the fact means the member `main`. `keys` gives the keys of the record's index that it reads,
    `source` the prefetch key that its definition names, `made_of` the facts from which it is
    computed; `resource_types` are the FHIR resources that it reads. `example` gives the fact for
    the value of `main` in an example, or for NOT_TOLD.
    """

    key: str
    schema: type[DefinitionSchema]
    definition: type[D]
    fact: type[F]
    main: str
    read: Callable[[D, Reading], F]
    resource_types: tuple[str, ...]
    keys: Callable[[D], Iterable[Key]]
    source: Callable[[D], str | None]
    made_of: Callable[[D], tuple[str, ...]]
    example: Callable[[D, Any, Mapping[str, Any]], Fact]

    def members(self, definition: D) -> dict[str, str]:
        """The type of every member; where the annotation is Any, the definition has a `type`."""
        return {
            name: str(getattr(definition, "type")) if hint is Any else _type_of(hint)  # noqa: B009
            for name, (hint, _) in self._hints.items()
        }

    def options(self) -> tuple[str, ...]:
        """The other keys that it may have in YAML."""
        return tuple(key for key, _, _ in self.schema.named_fields() if key != self.key)

    def value_sets(self, definition: D) -> Iterable[tuple[str, str]]:
        """Every value set that a definition names, each with its key in YAML."""
        for key, name, field in self.schema.named_fields():
            named = getattr(definition, name, None)
            if isinstance(field, ValueSets):
                yield from ((key, value_set) for value_set in named or ())
            elif isinstance(field, ValueSet) and named is not None:
                yield key, str(named)

    def can_be_unknown(self) -> bool:
        """Whether a record may leave its value open."""
        hint, _ = self._hints["value"]
        return hint is Any or type(None) in get_args(hint)

    @property
    def _hints(self) -> Mapping[str, tuple[Any, str]]:
        fact: Any = self.fact
        return members_of(fact)


def of_record(read: Callable[[D, PatientRecord], F]) -> Callable[[D, Reading], F]:
    """A reader that looks at the record alone."""
    return lambda definition, reading: read(definition, reading.record)


def none_of(_: Any) -> tuple[()]:
    """For a kind that reads no index, or is not computed from facts."""
    return ()


def no_source(_: Any) -> None:
    """For a kind whose definitions name no prefetch key."""
    return None


@cache
def members_of(fact: Any) -> Mapping[str, tuple[Any, str]]:
    """The members of a class of facts: the annotation of each, and what the guide says of it."""
    hints = get_type_hints(fact, include_extras=True)
    for name, attribute in vars(fact).items():
        if isinstance(attribute, property):
            hints[name] = get_type_hints(attribute.fget, include_extras=True)["return"]
    del hints["resources"]
    return {name: _with_gloss(hint) for name, hint in hints.items()}


def _with_gloss(hint: Any) -> tuple[Any, str]:
    if get_origin(hint) is Annotated:
        return hint.__origin__, hint.__metadata__[0]
    return hint, ""


@cache
def _type_of(hint: Any) -> str:
    alternatives = set(get_args(hint)) if get_origin(hint) is not tuple else {hint}
    types = (alternatives or {hint}) - {type(None)}
    for type_, hints in _TYPES.items():
        if types <= hints:
            return type_
    raise TypeError(f"{hint} is not a type that a condition can have")


_TYPES: Mapping[str, frozenset[Any]] = {
    BOOLEAN: frozenset({bool}),
    NUMBER: frozenset({int, float, Interval}),
    TEXT: frozenset({str, FactName}),
    TEXTS: frozenset({tuple[str, ...]}),
    FACT_NAMES: frozenset({tuple[FactName, ...]}),
}
