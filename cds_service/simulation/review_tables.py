"""What two reviewers answered as tables: the same rows in the terminal, in CSV and in JSON."""

from __future__ import annotations

from cds_service.report.tables import Table, rate_cells
from cds_service.simulation.agreement import QUESTIONS, Review

TABLES = ("agreement", "rules", "disagreements")


def tables(review: Review) -> dict[str, Table]:
    """The tables by name: agreement, rules, disagreements."""
    every = (_agreement(review), _rules(review), _disagreements(review))
    return {table.name: table for table in every}


def _agreement(review: Review) -> Table:
    columns = {
        "question": "Question",
        "asks": "Asks",
        "answered": "Both answered",
        "bothYes": "Both yes",
        "onlyFirst": "Only A yes",
        "onlySecond": "Only B yes",
        "bothNo": "Both no",
        "agreed": "Agreed, %",
        "agreedLow": "95 % from",
        "agreedHigh": "to",
        "kappa": "Cohen's kappa",
    }
    rows = [
        (
            each.question,
            QUESTIONS[each.question],
            each.answered,
            each.both_yes,
            each.yes_no,
            each.no_yes,
            each.both_no,
            *rate_cells(each.agreed),
            None if each.kappa is None else round(each.kappa, 3),
        )
        for each in review.agreements
    ]
    return Table("agreement", "How far the reviewers agree", columns, rows)


def _rules(review: Review) -> Table:
    columns = {
        "rule": "Rule",
        "cards": "Cards",
        "right": "Right for both",
        "either": "Right for one or both",
        "ppv": "Right, %",
        "ppvLow": "95 % from",
        "ppvHigh": "to",
    }
    rows = [
        (each.rule, each.cards, each.right, each.either, *rate_cells(each.value))
        for each in review.predictive
    ]
    return Table("rules", "How often the cards of a rule were right", columns, rows)


def _disagreements(review: Review) -> Table:
    columns = {
        "case": "Case",
        "card": "Card",
        "question": "Question",
        "first": "A",
        "second": "B",
        "rules": "Rules",
        "commentFirst": "A says",
        "commentSecond": "B says",
    }
    rows = [
        (
            each.case,
            each.card,
            each.question,
            each.first,
            each.second,
            "; ".join(each.rules),
            *each.comments,
        )
        for each in review.disagreements
    ]
    return Table("disagreements", "To talk about", columns, rows)
