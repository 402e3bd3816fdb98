"""Conditions over facts: FHIRPath checked by name and type, evaluated as closures.

An absent value is empty, and `and`, `or`, `xor`, `implies` and `not()` are three-valued (FHIRPath
N1, 6.5). A closure over facts costs a microsecond.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge import logic
from cds_service.knowledge.logic import Evaluate, Facts
from cds_service.knowledge.syntax import (
    Function,
    Literal,
    Name,
    Node,
    Operation,
    SyntaxFault,
    Texts,
    parse,
)

BOOLEAN, NUMBER, TEXT, TEXTS = "true/false", "number", "text", "list of texts"


class ExpressionError(ValueError):
    """A condition that is no FHIRPath of the allowed kind, or names an unknown fact."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition: its text, the fact members that it names, its type, how to evaluate it."""

    text: str
    names: tuple[str, ...]
    evaluate: Evaluate
    type: str

    @property
    def facts(self) -> tuple[str, ...]:
        """The names of the facts, without their members."""
        return tuple(path.partition(".")[0] for path in self.names)


@dataclass(frozen=True, slots=True)
class _Compiled:
    evaluate: Evaluate
    type: str


def compile_expression(text: str, types: Mapping[str, str]) -> Expression:
    """The condition, ready to evaluate; `types` gives the type of every `fact.member`.

    Raises ExpressionError for what does not parse, is not allowed or does not fit in type.
    """
    compiler = _Compiler(types)
    try:
        compiled = compiler.compile(parse(text))
    except SyntaxFault as fault:
        raise ExpressionError(str(fault)) from fault
    return Expression(text, tuple(compiler.names), compiled.evaluate, compiled.type)


class _Compiler:
    """Walks the tree once and collects the names on the way."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        self.names: dict[str, None] = {}

    def compile(self, node: Node) -> _Compiled:
        match node:
            case Literal(value):
                kind = {bool: BOOLEAN, float: NUMBER, str: TEXT}[type(value)]
                return _Compiled(lambda facts: value, kind)
            case Name():
                return self._fact(node)
            case Function(name, of):
                return self._function(name, self.compile(of))
            case Operation("in", left, Texts(values)):
                return self._membership(self.compile(left), frozenset(values))
            case Operation(word, left, right):
                return self._operation(word, self.compile(left), self.compile(right))
        raise ExpressionError("texts in parentheses stand after `in` only")

    def _fact(self, name: Name) -> _Compiled:
        path = f"{name.fact}.{name.member}"
        if path not in self._types:
            raise ExpressionError(_unknown_name(name, self._types))
        self.names[path] = None
        fact, get = name.fact, operator.attrgetter(name.member)
        return _Compiled(lambda facts: get(facts[fact]), self._types[path])

    def _function(self, name: str, of: _Compiled) -> _Compiled:
        if name == "exists":
            return _Compiled(logic.exists(of.evaluate), BOOLEAN)
        if of.type != BOOLEAN:
            raise ExpressionError(f"not() wants a {BOOLEAN}, not a {of.type}")
        return _Compiled(logic.negate(of.evaluate), BOOLEAN)

    def _membership(self, left: _Compiled, allowed: frozenset[str]) -> _Compiled:
        if left.type != TEXT:
            raise ExpressionError(f"`in` wants a {TEXT}, not a {left.type}")
        value_of = left.evaluate

        def is_in(facts: Facts) -> bool | None:
            value = value_of(facts)
            return None if value is None else value in allowed

        return _Compiled(is_in, BOOLEAN)

    def _operation(self, word: str, left: _Compiled, right: _Compiled) -> _Compiled:
        if word in logic.CONNECTIVES:
            _want(word, BOOLEAN, left, right)
            return _Compiled(logic.CONNECTIVES[word](left.evaluate, right.evaluate), BOOLEAN)
        calculate: Callable[[Any, Any], Any]
        if word in logic.EQUALITY:
            _want(word, left.type, right)
            calculate, result = logic.EQUALITY[word], BOOLEAN
        elif word in logic.ORDER:
            _want(word, NUMBER, left, right)
            calculate, result = logic.ORDER[word], BOOLEAN
        else:
            _want(word, NUMBER, left, right)
            calculate, result = logic.ARITHMETIC[word], NUMBER
        return _Compiled(logic.both(left.evaluate, right.evaluate, calculate), result)


def _want(word: str, wanted: str, *operands: _Compiled) -> None:
    for operand in operands:
        if operand.type != wanted:
            raise ExpressionError(f"`{word}` wants a {wanted} here, not a {operand.type}")


def _unknown_name(name: Name, types: Mapping[str, str]) -> str:
    start = f"{name.fact}."
    members = sorted(path.removeprefix(start) for path in types if path.startswith(start))
    if members:
        return f"fact {name.fact} has no member {name.member}; it has {', '.join(members)}"
    return f"no fact named {name.fact}"
