"""The part of FHIRPath that conditions may use, read into a tree.

The usual FHIRPath library needs two milliseconds for each expression, so a second at every start.
This grammar is small. A test compares every condition in cards/ with that library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^'\\]*')|(?P<name>%?[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<sign><=|>=|!=|[-+*/=<>().|]))"
)
# FHIRPath N1, 6.8 "Operator Precedence", from the loosest to the tightest.
_BINARY: tuple[tuple[str, ...], ...] = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("in",),
    ("=", "!="),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/"),
)


class SyntaxFault(ValueError):
    """A text that does not follow the grammar; the message says what was expected and where."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, true or false."""

    value: float | str | bool

    def __str__(self) -> str:
        return f"{self.value:g}" if isinstance(self.value, float) else str(self.value)


@dataclass(frozen=True, slots=True)
class Name:
    """`%age` or `%age.value`; the bare name means the member `value`."""

    fact: str
    member: str

    def __str__(self) -> str:
        return f"%{self.fact}.{self.member}"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator between two operands."""

    operator: str
    left: Node
    right: Node

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class Function:
    """`.not()` or `.exists()` of something."""

    name: str
    of: Node


@dataclass(frozen=True, slots=True)
class Texts:
    """`('a' | 'b')`, the right side of `in`."""

    values: tuple[str, ...]


Node = Literal | Name | Operation | Function | Texts


def operands(word: str, node: Node) -> Iterable[Node]:
    """The operands of `a and b and c`, which is `(a and b) and c` in the tree."""
    match node:
        case Operation(operator, left, right) if operator == word:
            yield from operands(word, left)
            yield from operands(word, right)
        case _:
            yield node


def parse(source: str) -> Node:
    """The tree of a condition. Raises SyntaxFault."""
    parser = _Parser(source)
    node = parser.binary(0)
    parser.expect_end()
    return node


class _Parser:
    """Recursive descent over the tokens; nesting is as deep as an author writes."""

    def __init__(self, source: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(source.rstrip()):
            match = _TOKEN.match(source, at)
            if match is None:
                rest = source[at:].lstrip()
                column = len(source) - len(rest) + 1
                raise SyntaxFault(f"column {column}: {rest[:12].rstrip()} is not allowed")
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind], match.start(kind) + 1))
            at = match.end()
        self._tokens.append(("end", "the end", len(source) + 1))
        self._next = 0

    def binary(self, level: int) -> Node:
        """An expression of operators at least as tight as a level."""
        if level == len(_BINARY):
            return self._invoked()
        node = self.binary(level + 1)
        while self._peek() in _BINARY[level]:
            operator = self._take()
            right = self._texts() if operator == "in" else self.binary(level + 1)
            node = Operation(operator, node, right)
        return node

    def expect_end(self) -> None:
        """Raise SyntaxFault if anything is left."""
        if self._tokens[self._next][0] != "end":
            self._fail("an operator or the end")

    def _invoked(self) -> Node:
        node = self._operand()
        while self._peek() == ".":
            self._take()
            function = self._take()
            if function not in ("not", "exists"):
                self._fail("not() or exists()", back=1)
            self._want("(")
            self._want(")")
            node = Function(function, node)
        return node

    def _operand(self) -> Node:
        kind, text, _ = self._tokens[self._next]
        if text == "(":
            self._take()
            node = self.binary(0)
            self._want(")")
            return node
        if text == "-" and self._tokens[self._next + 1][0] == "number":
            self._take()
            return Literal(-float(self._take()))
        if kind == "number":
            return Literal(float(self._take()))
        if kind == "text":
            return Literal(self._take()[1:-1])
        if text in ("true", "false"):
            return Literal(self._take() == "true")
        if kind == "name" and text.startswith("%"):
            return self._fact()
        return self._fail("a fact, a value or (")

    def _fact(self) -> Node:
        fact = self._take()[1:]
        following = self._tokens[self._next + 1 : self._next + 3]
        is_member = self._peek() == "." and following[0][0] == "name" and following[1][1] != "("
        if not is_member:
            return Name(fact, "value")
        self._take()
        return Name(fact, self._take())

    def _texts(self) -> Node:
        self._want("(")
        values = [self._text()]
        while self._peek() == "|":
            self._take()
            values.append(self._text())
        self._want(")")
        return Texts(tuple(values))

    def _text(self) -> str:
        if self._tokens[self._next][0] != "text":
            self._fail("a text in quotes")
        return self._take()[1:-1]

    def _peek(self) -> str:
        return self._tokens[self._next][1]

    def _take(self) -> str:
        self._next += 1
        return self._tokens[self._next - 1][1]

    def _want(self, text: str) -> None:
        if self._peek() != text:
            self._fail(text)
        self._take()

    def _fail(self, wanted: str, back: int = 0) -> Node:
        _, found, column = self._tokens[self._next - back]
        raise SyntaxFault(f"column {column}: expected {wanted}, found {found}")
