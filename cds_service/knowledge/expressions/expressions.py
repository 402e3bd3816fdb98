"""Conditions over facts: FHIRPath checked by name and type, evaluated as closures.

An absent value is empty, and `and`, `or`, `xor`, `implies` and `not()` are three-valued (FHIRPath
N1, 6.5). A condition takes some hundred nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.knowledge.expressions import logic
from cds_service.knowledge.expressions.fhirpath import (
    Function,
    Literal,
    Name,
    Node,
    Operation,
    SyntaxFault,
    Texts,
    operands,
    parse,
)
from cds_service.knowledge.expressions.logic import Evaluate
from cds_service.knowledge.expressions.spelling import like

BOOLEAN, NUMBER, TEXT, TEXTS = "true/false", "number", "text", "list of texts"
FACT_NAMES = "list of facts"


class ExpressionError(ValueError):
    """A condition that is not FHIRPath as we allow it, or that names an unknown fact."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A fixed number in a condition, and what is compared with it: as text, and to evaluate."""

    compared: str
    evaluate: Evaluate
    number: float


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition: its text, the fact members that it names, its type, how to evaluate it.

    `facts` are the names of the facts, without their members; `limits` its fixed numbers.
    """

    text: str
    names: tuple[str, ...]
    facts: tuple[str, ...]
    evaluate: Evaluate
    type: str
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class _Typed:
    """A part of a condition: how to evaluate it, and the type of its value."""

    evaluate: Evaluate
    type: str


def compile_expression(text: str, types: Mapping[str, str]) -> Expression:
    """The condition, ready to evaluate; `types` gives the type of every `fact.member`.

    Raises ExpressionError if it does not parse, is not allowed or has a wrong type.
    """
    compiler = _Compiler(types)
    try:
        whole = compiler.compile(parse(text))
    except SyntaxFault as fault:
        raise ExpressionError(str(fault)) from fault
    names = tuple(compiler.names)
    facts = tuple(dict.fromkeys(path.partition(".")[0] for path in names))
    return Expression(text, names, facts, whole.evaluate, whole.type, tuple(compiler.limits))


class _Compiler:
    """Walks the tree once and collects the names and the fixed numbers."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        self.names: dict[str, None] = {}
        self.limits: list[Limit] = []

    def compile(self, node: Node) -> _Typed:
        match node:
            case Literal(value):
                type_ = {bool: BOOLEAN, float: NUMBER, str: TEXT}[type(value)]
                return _Typed(logic.literal(value), type_)
            case Name():
                return self._fact(node)
            case Function(name, of):
                return self._function(name, self.compile(of))
            case Operation("in", left, Texts(values)):
                return self._membership(self.compile(left), values)
            case Operation("and" | "or" as word):
                parts = [self.compile(operand) for operand in operands(word, node)]
                _want(word, BOOLEAN, *parts)
                connect = logic.conjunction if word == "and" else logic.disjunction
                return _Typed(connect([part.evaluate for part in parts]), BOOLEAN)
            case Operation("<" | "<=" | ">" | ">=" as word, left, Literal(float() as limit)):
                compared = self.compile(left)
                _want(word, NUMBER, compared)
                self.limits.append(Limit(str(left), compared.evaluate, limit))
                return _Typed(logic.comparison(word, compared.evaluate, limit), BOOLEAN)
            case Operation(word, left, right):
                one, other = self.compile(left), self.compile(right)
                if word in logic.ORDER or word in logic.EQUALITY:
                    self._note_limit(left, one, right)
                    self._note_limit(right, other, left)
                return self._operation(word, one, other)
        raise ExpressionError("texts in parentheses are only allowed after `in`")

    def _note_limit(self, node: Node, compared: _Typed, limit: Node) -> None:
        match limit:
            case Literal(float() as number):
                self.limits.append(Limit(str(node), compared.evaluate, number))

    def _fact(self, name: Name) -> _Typed:
        path = f"{name.fact}.{name.member}"
        if path not in self._types:
            raise ExpressionError(_unknown_name(name, self._types))
        self.names[path] = None
        return _Typed(logic.member_of(name.fact, name.member), self._types[path])

    def _function(self, name: str, of: _Typed) -> _Typed:
        if name == "exists":
            return _Typed(logic.existence(of.evaluate), BOOLEAN)
        if of.type != BOOLEAN:
            raise ExpressionError(f"not() needs a {BOOLEAN}, not a {of.type}")
        return _Typed(logic.negation(of.evaluate), BOOLEAN)

    def _membership(self, left: _Typed, allowed: tuple[str, ...]) -> _Typed:
        if left.type != TEXT:
            raise ExpressionError(f"`in` needs a {TEXT}, not a {left.type}")
        return _Typed(logic.membership(left.evaluate, allowed), BOOLEAN)

    def _operation(self, word: str, left: _Typed, right: _Typed) -> _Typed:
        result = BOOLEAN
        if word in logic.CONNECTIVES:
            _want(word, BOOLEAN, left, right)
        elif word in logic.EQUALITY:
            _want(word, left.type, right)
        else:
            _want(word, NUMBER, left, right)
            result = BOOLEAN if word in logic.ORDER else NUMBER
        if word == "implies":
            negated = logic.negation(left.evaluate)
            return _Typed(logic.disjunction([negated, right.evaluate]), BOOLEAN)
        return _Typed(logic.calculation(word, left.evaluate, right.evaluate), result)


def _want(word: str, wanted: str, *parts: _Typed) -> None:
    for part in parts:
        if part.type != wanted:
            raise ExpressionError(f"`{word}` needs a {wanted} here, not a {part.type}")


def _unknown_name(name: Name, types: Mapping[str, str]) -> str:
    start = f"{name.fact}."
    members = sorted(path.removeprefix(start) for path in types if path.startswith(start))
    if members:
        return f"fact {name.fact} has no member {name.member}; it has {', '.join(members)}"
    facts = {path.partition(".")[0] for path in types}
    return f"no fact named {name.fact}{like(name.fact, facts)}"
