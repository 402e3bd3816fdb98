"""Conditions over facts: FHIRPath parsed by its library, evaluated as closures.

The library's own evaluation costs some 60 microseconds an expression; a closure over facts costs
one. Only a small part of FHIRPath is allowed here, with its meaning unchanged: an absent value is
empty, and `and`, `or`, `xor`, `implies` and `not()` are three-valued (FHIRPath N1, 6.5).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fhirpathpy.parser import parse

from cds_service.knowledge import logic
from cds_service.knowledge.logic import Evaluate

BOOLEAN, NUMBER, TEXT, TEXTS = "true/false", "number", "text", "list of texts"
_Node = dict[str, Any]
_Facts = Mapping[str, Any]


class ExpressionError(ValueError):
    """A condition that is no FHIRPath, uses more of it than allowed, or names an unknown fact."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed condition: its text, the fact members that it names, and how to evaluate it."""

    text: str
    names: tuple[str, ...]
    evaluate: Evaluate
    type: str


@dataclass(frozen=True, slots=True)
class _Compiled:
    evaluate: Evaluate
    type: str
    text: str  # without blanks; compared with the source to see that the parser read all of it


def compile_expression(text: str, types: Mapping[str, str]) -> Expression:
    """The condition, ready to evaluate; `types` gives the type of every `fact.member`.

    Raises ExpressionError for what does not parse, is not allowed or does not fit in type.
    """
    try:
        tree = parse(text)  # type: ignore[no-untyped-call]
    except Exception as error:
        # The library raises whatever its generated parser stumbles over.
        raise ExpressionError(f"not FHIRPath: {error}") from error
    compiler = _Compiler(types)
    compiled = compiler.compile(tree["children"][0])
    if compiled.text.replace("(", "").replace(")", "") != re.sub(r"[\s()]", "", text):
        raise ExpressionError("not FHIRPath, or more of it than is allowed here")
    return Expression(text, tuple(compiler.names), compiled.evaluate, compiled.type)


class _Compiler:
    """Walks the syntax tree once and collects the names on the way."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        self.names: dict[str, None] = {}

    def compile(self, node: _Node) -> _Compiled:
        kind = node["type"]
        children = node.get("children", [])
        if kind in _BINARY and len(children) != 2:
            raise ExpressionError("an operand is missing")
        if kind in _LOGIC:
            return self._logic(node)
        if kind in ("EqualityExpression", "InequalityExpression"):
            return self._comparison(node)
        if kind in ("AdditiveExpression", "MultiplicativeExpression"):
            return self._arithmetic(node)
        if kind == "MembershipExpression" and node["terminalNodeText"] == ["in"]:
            return self._membership(node)
        if kind == "PolarityExpression" and node["terminalNodeText"] == ["-"]:
            return self._negative(node)
        if kind == "InvocationExpression":
            return self._invocation(node)
        if kind == "ExternalConstantTerm":
            name = _identifier(node)
            return self._fact(name, "value", f"%{name}")
        if kind in _LITERALS:
            return _LITERALS[kind](node)
        if kind in ("TermExpression", "LiteralTerm", "ParenthesizedTerm") and len(children) == 1:
            return self.compile(children[0])
        raise ExpressionError(f"{kind} is not allowed: {node.get('text', '')}")

    def _operands(self, node: _Node, wanted: str) -> tuple[str, _Compiled, _Compiled]:
        word = node["terminalNodeText"][0]
        left, right = (self.compile(child) for child in node["children"])
        for operand in (left, right):
            if operand.type != wanted:
                raise ExpressionError(
                    f"`{word}` wants a {wanted}, but {operand.text} is a {operand.type}"
                )
        return word, left, right

    def _logic(self, node: _Node) -> _Compiled:
        word, left, right = self._operands(node, BOOLEAN)
        return _Compiled(
            logic.CONNECTIVES[word](left.evaluate, right.evaluate),
            BOOLEAN,
            left.text + word + right.text,
        )

    def _comparison(self, node: _Node) -> _Compiled:
        word = node["terminalNodeText"][0]
        left, right = (self.compile(child) for child in node["children"])
        if left.type != right.type:
            raise ExpressionError(f"{left.text} {word} {right.text} compares two kinds of value")
        if word in logic.ORDER and left.type != NUMBER:
            raise ExpressionError(f"`{word}` wants numbers, but {left.text} is a {left.type}")
        if word not in logic.ORDER and word not in logic.EQUALITY:
            raise ExpressionError(f"`{word}` is not allowed")
        compare = logic.ORDER.get(word) or logic.EQUALITY[word]
        text = left.text + word + right.text
        return _Compiled(logic.both(left.evaluate, right.evaluate, compare), BOOLEAN, text)

    def _arithmetic(self, node: _Node) -> _Compiled:
        word, left, right = self._operands(node, NUMBER)
        if word not in logic.ARITHMETIC:
            raise ExpressionError(f"`{word}` is not allowed")
        calculate = logic.ARITHMETIC[word]
        text = left.text + word + right.text
        return _Compiled(logic.both(left.evaluate, right.evaluate, calculate), NUMBER, text)

    def _membership(self, node: _Node) -> _Compiled:
        left = self.compile(node["children"][0])
        members = _union(node["children"][1])
        if left.type != TEXT:
            raise ExpressionError(f"`in` wants a text, but {left.text} is a {left.type}")
        allowed = frozenset(members)
        evaluate = left.evaluate

        def is_in(facts: _Facts) -> bool | None:
            value = evaluate(facts)
            return None if value is None else value in allowed

        written = "|".join(f"'{member}'" for member in members)
        return _Compiled(is_in, BOOLEAN, f"{left.text}in({written})")

    def _negative(self, node: _Node) -> _Compiled:
        inner = self.compile(node["children"][0])
        literal = inner.evaluate({})
        if inner.type != NUMBER or not isinstance(literal, float):
            raise ExpressionError("a minus sign is allowed before a number only")
        return _Compiled(lambda facts: -literal, NUMBER, "-" + inner.text)

    def _invocation(self, node: _Node) -> _Compiled:
        target, member = node["children"]
        if member["type"] == "MemberInvocation":
            name = _identifier(target)
            return self._fact(name, _identifier(member), f"%{name}.{_identifier(member)}")
        function = _identifier(member)
        inner = self.compile(target)
        if function == "not" and inner.type == BOOLEAN:
            return _Compiled(logic.negate(inner.evaluate), BOOLEAN, inner.text + ".not")
        if function == "exists":
            return _Compiled(logic.exists(inner.evaluate), BOOLEAN, inner.text + ".exists")
        raise ExpressionError(f"{function}() is not allowed on {inner.text} ({inner.type})")

    def _fact(self, name: str, member: str, text: str) -> _Compiled:
        path = f"{name}.{member}"
        if path not in self._types:
            raise ExpressionError(_unknown_name(name, member, self._types))
        self.names[path] = None
        return _Compiled(_member(name, member), self._types[path], text)


def _identifier(node: _Node) -> str:
    """The only identifier below a node."""
    if node["type"] == "Identifier":
        return str(node["text"])
    children = node.get("children", [])
    if len(children) != 1:
        raise ExpressionError(f"a plain name is wanted, not {node.get('text', node['type'])}")
    return _identifier(children[0])


def _union(node: _Node) -> list[str]:
    """The texts of `('a' | 'b')`."""
    if node["type"] == "UnionExpression":
        return [text for child in node["children"] for text in _union(child)]
    if node["type"] == "StringLiteral":
        return [_unquoted(node)]
    children = node.get("children", [])
    if len(children) != 1:
        raise ExpressionError("`in` wants texts in parentheses, separated by |")
    return _union(children[0])


def _unquoted(node: _Node) -> str:
    return str(node["text"])[1:-1]


def _unknown_name(name: str, member: str, types: Mapping[str, str]) -> str:
    members = sorted(path.partition(".")[2] for path in types if path.startswith(f"{name}."))
    if members:
        return f"fact {name} has no member {member}; it has {', '.join(members)}"
    return f"no fact named {name}"


def _member(name: str, member: str) -> Evaluate:
    get = operator.attrgetter(member)
    return lambda facts: get(facts[name])


def _literal_number(node: _Node) -> _Compiled:
    number = float(node["text"])
    return _Compiled(lambda facts: number, NUMBER, node["text"])


def _literal_text(node: _Node) -> _Compiled:
    text = _unquoted(node)
    return _Compiled(lambda facts: text, TEXT, f"'{text}'".replace(" ", ""))


def _literal_boolean(node: _Node) -> _Compiled:
    value = node["text"] == "true"
    return _Compiled(lambda facts: value, BOOLEAN, node["text"])


_LOGIC = ("AndExpression", "OrExpression", "ImpliesExpression")
_BINARY = (
    *_LOGIC,
    "EqualityExpression",
    "InequalityExpression",
    "AdditiveExpression",
    "MultiplicativeExpression",
    "MembershipExpression",
)
_LITERALS: Mapping[str, Callable[[_Node], _Compiled]] = {
    "NumberLiteral": _literal_number,
    "StringLiteral": _literal_text,
    "BooleanLiteral": _literal_boolean,
}
