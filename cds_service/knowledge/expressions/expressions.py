"""Conditions over facts: FHIRPath checked by name and type, evaluated as Python.

An absent value is empty, and `and`, `or`, `xor`, `implies` and `not()` are three-valued (FHIRPath
N1, 6.5). A condition costs some hundred nanoseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from cds_service.knowledge.expressions import logic
from cds_service.knowledge.expressions.fhirpath import (
    Function,
    Literal,
    Name,
    Node,
    Operation,
    SyntaxFault,
    Texts,
    parse,
)
from cds_service.knowledge.expressions.logic import Evaluate, Operand

BOOLEAN, NUMBER, TEXT, TEXTS = "true/false", "number", "text", "list of texts"
FACT_NAMES = "list of facts"


class ExpressionError(ValueError):
    """A condition that is no FHIRPath of the allowed kind, or names an unknown fact."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition: its text, the fact members that it names, its type, how to evaluate it.

    `facts` are the names of the facts, without their members.
    """

    text: str
    names: tuple[str, ...]
    facts: tuple[str, ...]
    evaluate: Evaluate
    type: str


@dataclass(frozen=True, slots=True)
class _Code:
    """Python that gives a value, and the type of the value."""

    text: str
    type: str


def compile_expression(text: str, types: Mapping[str, str]) -> Expression:
    """The condition, ready to evaluate; `types` gives the type of every `fact.member`.

    Raises ExpressionError for what does not parse, is not allowed or does not fit in type.
    """
    compiler = _Compiler(types)
    try:
        code = compiler.compile(parse(text))
    except SyntaxFault as fault:
        raise ExpressionError(str(fault)) from fault
    names = tuple(compiler.names)
    facts = tuple(dict.fromkeys(path.partition(".")[0] for path in names))
    return Expression(text, names, facts, logic.function_of(code.text), code.type)


class _Compiler:
    """Walks the tree once and collects the names on the way."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        self._numbers = count()
        self.names: dict[str, None] = {}

    def compile(self, node: Node) -> _Code:
        match node:
            case Literal(value):
                kind = {bool: BOOLEAN, float: NUMBER, str: TEXT}[type(value)]
                return _Code(repr(value), kind)
            case Name():
                return self._fact(node)
            case Function(name, of):
                return self._function(name, self.compile(of))
            case Operation("in", left, Texts(values)):
                return self._membership(self.compile(left), values)
            case Operation("and" | "or" as word):
                operands = [self.compile(each) for each in _chain(word, node)]
                _want(word, BOOLEAN, *operands)
                connect = logic.conjunction if word == "and" else logic.disjunction
                return _Code(connect([self._named(each) for each in operands]), BOOLEAN)
            case Operation(word, left, right):
                return self._operation(word, self.compile(left), self.compile(right))
        raise ExpressionError("texts in parentheses stand after `in` only")

    def _named(self, code: _Code) -> Operand:
        return f"v{next(self._numbers)}", code.text

    def _fact(self, name: Name) -> _Code:
        path = f"{name.fact}.{name.member}"
        if path not in self._types:
            raise ExpressionError(_unknown_name(name, self._types))
        self.names[path] = None
        return _Code(f"facts[{name.fact!r}].{name.member}", self._types[path])

    def _function(self, name: str, of: _Code) -> _Code:
        if name == "exists":
            return _Code(logic.existence(self._named(of)), BOOLEAN)
        if of.type != BOOLEAN:
            raise ExpressionError(f"not() wants a {BOOLEAN}, not a {of.type}")
        return _Code(logic.negation(self._named(of)), BOOLEAN)

    def _membership(self, left: _Code, allowed: tuple[str, ...]) -> _Code:
        if left.type != TEXT:
            raise ExpressionError(f"`in` wants a {TEXT}, not a {left.type}")
        return _Code(logic.membership(self._named(left), allowed), BOOLEAN)

    def _operation(self, word: str, left: _Code, right: _Code) -> _Code:
        result = BOOLEAN
        if word in logic.CONNECTIVES:
            _want(word, BOOLEAN, left, right)
        elif word in logic.EQUALITY:
            _want(word, left.type, right)
        else:
            _want(word, NUMBER, left, right)
            result = BOOLEAN if word in logic.ORDER else NUMBER
        if word == "implies":
            negated = self._function("not", left)
            return _Code(logic.disjunction([self._named(negated), self._named(right)]), BOOLEAN)
        return _Code(logic.calculation(word, self._named(left), self._named(right)), result)


def _chain(word: str, node: Node) -> Iterable[Node]:
    """The operands of `a and b and c`, which stands in the tree as `(a and b) and c`."""
    match node:
        case Operation(operator, left, right) if operator == word:
            yield from _chain(word, left)
            yield from _chain(word, right)
        case _:
            yield node


def _want(word: str, wanted: str, *operands: _Code) -> None:
    for operand in operands:
        if operand.type != wanted:
            raise ExpressionError(f"`{word}` wants a {wanted} here, not a {operand.type}")


def _unknown_name(name: Name, types: Mapping[str, str]) -> str:
    start = f"{name.fact}."
    members = sorted(path.removeprefix(start) for path in types if path.startswith(start))
    if members:
        return f"fact {name.fact} has no member {name.member}; it has {', '.join(members)}"
    return f"no fact named {name.fact}"
