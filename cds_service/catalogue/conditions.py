"""A condition said in words: FHIRPath over facts as a list of statements."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.catalogue.document import Formula, Item, Items, Line, Run, joined, plain
from cds_service.catalogue.edition import Edition
from cds_service.knowledge.content.artifacts import Governance
from cds_service.knowledge.content.words import Placeholder, Text
from cds_service.knowledge.expressions.expressions import BOOLEAN, Expression
from cds_service.knowledge.expressions.fhirpath import (
    Function,
    Literal,
    Name,
    Node,
    Operation,
    Texts,
    operands,
    parse,
)
from cds_service.knowledge.facts.expression import ExpressionDefinition
from cds_service.knowledge.facts.kinds import Definition, kind_of

COMPARISONS = ("<", "<=", ">", ">=", "=", "!=")
_OF_A_QUANTITY = ("value", "last_value", "previous", "other_value", "low", "high")


class Saying:
    """Says the conditions of one edition.

    With `expanded`, a computed fact is followed by what it is computed from, the first time.
    """

    def __init__(self, edition: Edition, *, expanded: bool = False) -> None:
        self._edition = edition
        self._expanded = expanded
        self._seen: set[str] = set()
        self._labels = edition.labels
        self._facts = edition.service.facts

    def condition(self, expression: Expression) -> Item:
        """The whole condition as one item; its parts stand below it."""
        return self._said(parse(expression.text))

    def limits(self, expression: Expression) -> Iterable[Line]:
        """Each comparison with a fixed number, in words."""
        for node in _comparisons(parse(expression.text)):
            yield self._comparison(node)

    def text(self, text: Text) -> Line:
        """A text without values: where one would stand is what it is, in brackets."""
        runs: list[str | Run] = []
        for piece in text.pieces:
            if isinstance(piece, Placeholder):
                runs += ["[", plain(self._noun(Name(piece.fact, piece.member))), "]"]
            else:
                runs.append(piece)
        return tuple(runs)

    # -- statements ----------------------------------------------------------------------------

    def _said(self, node: Node) -> Item:
        match node:
            case Operation("or", left, Function("not", Function("exists", right))) if left == right:
                return self._or_unknown(self._said(left))
            case Operation("and" | "or" | "xor" as word, _, _):
                parts = tuple(self._said(part) for part in operands(word, node))
                return Item((self._labels.say(f"all of {word}"),), parts)
            case Operation("implies", left, right):
                then = (self._said(left), self._said(right))
                return Item((self._labels.say("implies"),), then)
            case Function("not", Function("exists", of)):
                return self._known("is not known", of)
            case Function("exists", of):
                return self._known("is known", of)
            case Function("not", of):
                return self._not(self._said(of))
            case Operation(word, _, _) if word in COMPARISONS or word == "in":
                return Item(self._comparison(node))
            case Literal(bool() as value):
                return Item((self._labels.say("always" if value else "never"),))
            case Name():
                return self._fact(node)
        return Item(self._noun(node))

    def _fact(self, name: Name) -> Item:
        """A true-or-false fact, with what it is computed from."""
        statement = self._statement(name)
        definition = self._facts[name.fact]
        is_computed = isinstance(definition, ExpressionDefinition)
        if not self._expanded or not is_computed or name.fact in self._seen:
            return Item(statement)
        self._seen.add(name.fact)
        said = self._said(parse(definition.expression.text))
        return Item(self._labels.line("that is", fact=statement, said=said.line), said.below)

    def _or_unknown(self, said: Item) -> Item:
        if said.below:
            return Item((self._labels.say("or unknown of"),), (said,))
        return Item(self._labels.line("or unknown", statement=said.line))

    def _not(self, said: Item) -> Item:
        if said.below:
            return Item((self._labels.say("not of"),), (said,))
        return Item(self._labels.line("not", statement=said.line))

    def _known(self, label: str, of: Node) -> Item:
        if isinstance(of, Name) and self._type(of) != BOOLEAN:
            return Item(self._labels.line(f"{label} value", noun=self._noun(of)))
        said = self._said(of)
        if said.below:
            return Item((self._labels.say(f"{label} whether of"),), (said,))
        return Item(self._labels.line(f"{label} whether", statement=said.line))

    def _statement(self, name: Name) -> Line:
        """What it means that a true-or-false member is true."""
        label = self._label("is", name)
        return self._labels.line(label, fact=self._edition.fact(name.fact))

    def _comparison(self, node: Operation) -> Line:
        left, unit = self._noun(node.left), self._unit(node.left)
        if isinstance(node.right, Texts):
            values = joined([(value,) for value in node.right.values], ", ")
            return self._labels.line("in", left=left, right=values)
        if unit == self._labels.say("days") and node.right == Literal(1.0):
            unit = self._labels.say("day")
        right = (*self._noun(node.right), *((f" {unit}",) if unit else ()))
        return self._labels.line(node.operator, left=left, right=right)

    # -- nouns ---------------------------------------------------------------------------------

    def _noun(self, node: Node) -> Line:
        match node:
            case Name(fact, _):
                return self._labels.line(self._label("of", node), fact=self._edition.fact(fact))
            case Operation(word, left, right):
                return (*self._noun(left), f" {word} ", *self._noun(right))
        return (str(node),)

    def _label(self, form: str, name: Name) -> str:
        """The label of a member: of this kind of fact, or of every kind."""
        kind = kind_of(self._facts[name.fact])
        member = kind.main if name.member == "value" and form == "is" else name.member
        special = f"{form} {kind.key} {member}"
        return special if self._labels.has(special) else f"{form} {member}"

    def _type(self, name: Name) -> str:
        definition = self._facts[name.fact]
        return kind_of(definition).members(definition)[name.member]

    def _unit(self, node: Node) -> str:
        """The unit of a number, "" for a number without one."""
        match node:
            case Operation(_, left, right):
                return self._unit(left) or self._unit(right)
            case Name(fact, member):
                return self.unit(self._facts[fact], member)
        return ""

    def unit(self, definition: Definition, member: str) -> str:
        """The unit of a member of a fact."""
        if member == "days" or member.endswith("_days"):
            return self._labels.say("days")
        quantity = getattr(definition, "quantity", None)
        if quantity is not None and member in _OF_A_QUANTITY:
            label = f"unit {quantity.unit}"
            return self._labels.say(label) if self._labels.has(label) else str(quantity.unit)
        if getattr(definition, "member", "") == "age":
            return self._labels.say("years")
        return ""


def condition_blocks(
    edition: Edition, expression: Expression, *, expanded: bool = False
) -> tuple[Items, Formula]:
    """A condition in words, and as it stands in the content."""
    said = Saying(edition, expanded=expanded).condition(expression)
    return Items((said,)), Formula(expression.text)


def governed_limits(edition: Edition, governance: Governance) -> Iterable[tuple[Line, Line]]:
    """Every number on which an item depends: in words, and the fact that compares it, if any."""
    saying = Saying(edition)
    for condition in edition.conditions[governance.id]:
        yield from ((line, ()) for line in saying.limits(condition))
    for name in edition.facts_of[governance.id]:
        definition = edition.service.facts[name]
        if isinstance(definition, ExpressionDefinition):
            for line in saying.limits(definition.expression):
                yield line, (edition.fact(name),)


def _comparisons(node: Node) -> Iterable[Operation]:
    match node:
        case Operation(word, left, right):
            if word in COMPARISONS and any(_is_number(each) for each in (left, right)):
                yield node
            yield from _comparisons(left)
            yield from _comparisons(right)
        case Function(_, of):
            yield from _comparisons(of)


def _is_number(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, float)
