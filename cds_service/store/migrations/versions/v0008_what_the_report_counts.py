"""Calls are counted by the hour, and a card has the rules that an answer is about."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_PORTION = 1000
_WARNS = ("warning", "critical")
_CARD = sa.table(
    "card",
    sa.column("uuid", sa.Text),
    sa.column("indicator", sa.Text),
    sa.column("rules", sa.JSON),
    sa.column("counted", sa.Text),
)
_RULE = sa.table(
    "card_rule",
    sa.column("card_uuid", sa.Text),
    sa.column("rule", sa.Text),
    sa.column("version", sa.Text),
    sa.column("level", sa.Text),
)
_HOUR = {
    "sqlite": "strftime('%Y-%m-%d %H:00:00.000000', at)",
    "postgresql": "date_trunc('hour', at)",
}
_ADD_UP = """
INSERT INTO call_hour (hour, hook, client, answered, refused, silent, cards)
SELECT {hour}, hook, coalesce(client, ''),
  sum(CASE WHEN status = 200 THEN 1 ELSE 0 END),
  sum(CASE WHEN status = 200 THEN 0 ELSE 1 END),
  sum(CASE WHEN status = 200 AND cards = 0 THEN 1 ELSE 0 END),
  sum(cards)
FROM call GROUP BY 1, 2, 3
"""


def upgrade() -> None:
    op.create_table(
        "call_hour",
        sa.Column("hour", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("hook", sa.Text(), primary_key=True),
        sa.Column("client", sa.Text(), primary_key=True),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("silent", sa.Integer(), nullable=False),
        sa.Column("cards", sa.Integer(), nullable=False),
    )
    connection = op.get_bind()
    # As it stands: a colon in it is no parameter.
    connection.exec_driver_sql(_ADD_UP.format(hour=_HOUR[connection.dialect.name]))
    op.drop_index("call_report", "call")
    op.create_index("call_at", "call", ["at"])

    op.add_column("card", sa.Column("counted", sa.Text()))
    of_one = _CARD.c.uuid == sa.bindparam("of")
    change = _CARD.update().where(of_one).values(counted=sa.bindparam("text"))
    for cards in _portions():
        connection.execute(
            change,
            [{"of": uuid, "text": _counted(indicator, rules)} for uuid, indicator, rules in cards],
        )
    op.drop_index("card_report", "card")
    op.create_index(
        "card_counted", "card", ["at", "state", "outcome", "reason_code", "service", "counted"]
    )
    op.drop_table("card_rule")


def downgrade() -> None:
    op.create_table(
        "card_rule",
        sa.Column(
            "card_uuid",
            sa.Text(),
            sa.ForeignKey("card.uuid", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("rule", sa.Text(), primary_key=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
    )
    op.create_index("card_rule_report", "card_rule", ["card_uuid", "rule", "version", "level"])
    for cards in _portions():
        rows = [
            {"card_uuid": uuid, "rule": rule.pop("id"), **rule}
            for uuid, _, rules in cards
            for rule in rules
        ]
        if rows:
            op.get_bind().execute(_RULE.insert(), rows)
    op.drop_index("card_counted", "card")
    op.drop_column("card", "counted")
    op.create_index(
        "card_report",
        "card",
        ["at", "state", "outcome", "reason_code", "service", "indicator", "uuid"],
    )
    op.drop_index("call_at", "call")
    op.create_index("call_report", "call", ["at", "hook", "status", "cards", "client"])
    op.drop_table("call_hour")


def _portions() -> Iterator[Sequence[Any]]:
    """The uuid, indicator and rules of the cards, a thousand at a time."""
    last = ""
    while True:
        query = (
            sa.select(_CARD.c.uuid, _CARD.c.indicator, _CARD.c.rules)
            .where(_CARD.c.uuid > last)
            .order_by(_CARD.c.uuid)
            .limit(_PORTION)
        )
        cards = op.get_bind().execute(query).all()
        if not cards:
            return
        yield cards
        last = cards[-1].uuid


def _counted(indicator: str, rules: Sequence[dict[str, str]]) -> str:
    """As the store writes it: the rules that warn only on a card that does."""
    pairs = [
        (rule["id"], rule["version"])
        for rule in rules
        if indicator in _WARNS or rule["level"] not in _WARNS
    ]
    return json.dumps(pairs, separators=(",", ":"), ensure_ascii=False)
