"""Explains the cards of a call: facts, outcomes and reasons as data and as a tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Call, Card
from cds_service.knowledge.content.artifacts import LEVELS, Rule
from cds_service.knowledge.explanation import ExplainedFact
from cds_service.knowledge.explanation import explain as why
from cds_service.knowledge.facts.kinds import kind_of, made_of
from cds_service.knowledge.loading.examples import ExampleFacts, rule_result
from cds_service.knowledge.outcomes.judging import judge
from cds_service.wire.responses import dump_response

_COLOURS = {"critical": "red", "warning": "yellow", "info": "blue"}


def explain(service: CDSService, call: Call) -> dict[str, Any]:
    """Everything that led to the cards of a call, as plain data, with values of the record."""
    explanation = why(service, call, with_changes=False)
    return {
        "service": service.id,
        "knowledge": service.version,
        "gate": explanation.gate.state,
        "opens": dict(zip(("record", "rules"), explanation.gate.conditions, strict=True)),
        "silenced_by": list(explanation.gate.silenced_by),
        "facts": {name: _fact(fact) for name, fact in explanation.facts.items()},
        "rules": {
            rule.id: {
                "title": rule.title,
                "outcome": rule.outcome,
                "looked_at": list(rule.looked_at),
            }
            for rule in explanation.rules
        },
        "causes": {
            cause.id: {
                "title": cause.title,
                "points": cause.points,
                "because": cause.because,
                "unmet": cause.unmet,
                "excluded": cause.excluded,
            }
            for cause in explanation.causes
        },
        "withheld": {item: list(rules) for item, rules in explanation.withheld.items()},
        "cards": dump_response(service.answer(call).cards)["cards"],
    }


def _fact(fact: ExplainedFact) -> dict[str, Any]:
    """The members of a fact that have a value, and the references of its resources."""
    references = {"resources": list(fact.resources)} if fact.resources else {}
    return {**fact.members, **references}


def tree(explained: Mapping[str, Any]) -> Tree:
    """The explanation as a tree for the terminal."""
    root = Tree(f"[bold]{explained['service']}[/] {explained['knowledge']}")
    gate = root.add(f"gate: [bold]{explained['gate']}[/]")
    if explained["gate"] != "open":
        for rule in explained["silenced_by"]:
            gate.add(Text(f"silenced by {rule}"))
        gate.add(Text(f"opens when {explained['opens']['record']}"))
        gate.add(Text(f"a rule with `opens` opens it while {explained['opens']['rules']}"))
    facts = root.add("facts that the record supports")
    for name, members in explained["facts"].items():
        if members.get("present", members.get("active", members.get("value"))):
            facts.add(Text(f"{name}: {_members(members)}".removesuffix(": ")))
    rules = root.add("rules")
    for id_, rule in explained["rules"].items():
        if rule["outcome"] != "does not apply":
            rules.add(Text(f"{id_} {rule['title']}: {rule['outcome']} ({_few(rule['looked_at'])})"))
    causes = root.add("causes with enough points")
    for id_, cause in explained["causes"].items():
        causes.add(Text(f"{id_} {cause['title']}: {cause['points']} points; {_why(cause)}"))
    withheld = root.add("withheld")
    for item, reasons in explained["withheld"].items():
        withheld.add(Text(f"{item}: {', '.join(reasons)}"))
    return root


def _why(cause: Mapping[str, Any]) -> str:
    kept_off = (*cause["unmet"], *cause["excluded"])
    because = "because " + ", ".join(cause["because"])
    return f"{because}; not listed: {', '.join(kept_off)}" if kept_off else because


def _members(members: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in members.items() if value is not True)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def print_cards(console: Console, cards: Sequence[Card]) -> None:
    """The cards as a client might show them."""
    if not cards:
        console.print("No cards: evaluated, nothing to say.")
    for card in cards:
        body = Group(
            Text(card.summary, style="bold"),
            Text(f"Source: {card.source.label}", style="italic"),
            Markdown(card.detail),
        )
        style = _COLOURS[card.indicator]
        console.print(Panel(body, title=card.indicator, title_align="left", border_style=style))


def coverage(service: CDSService) -> Table:
    """Rules by examples: how many examples expect each result that a rule can have."""
    results = (*LEVELS, "none", "unknown")
    table = Table("rule", "title", *results, title=f"{service.id}: examples by expected result")
    for rule in service.rules:
        expected = Counter(example.expect for example in rule.examples)
        possible = _possible(rule, service)
        cells = [_cell(rule, result, expected[result], possible) for result in results]
        table.add_row(rule.id, rule.governance.title, *cells)
    return table


def _cell(rule: Rule, result: str, count: int, possible: frozenset[str]) -> str:
    """The number of examples; a dash if the rule can never have this result."""
    if result in LEVELS and result not in rule.levels:
        return "–"
    if result not in LEVELS and result not in possible:
        return "–"
    return str(count) if count else "[red]0[/]"


def _possible(rule: Rule, service: CDSService) -> frozenset[str]:
    """The results besides levels that a rule can have: unknown (if no fact is known) and none."""
    unknown_facts = {
        name: None
        for name, definition in service.facts.items()
        if kind_of(definition).can_be_unknown() and not made_of(definition)
    }
    nothing_known = ExampleFacts(service.facts, unknown_facts)
    always = any(condition.text == "true" for condition in rule.levels.values())
    unknown = {rule_result(judge(rule, nothing_known))} & {"unknown"}
    return frozenset(unknown if always else unknown | {"none"})
