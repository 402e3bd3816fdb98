"""Indexes that hold all that the report counts."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_index("call_at", "call")
    op.create_index("call_report", "call", ["at", "hook", "status", "cards", "client"])
    op.drop_index("card_at", "card")
    op.create_index(
        "card_report",
        "card",
        ["at", "state", "outcome", "reason_code", "service", "indicator", "uuid"],
    )
    op.drop_index("card_rule_rule", "card_rule")
    op.create_index("card_rule_report", "card_rule", ["card_uuid", "rule", "version", "level"])


def downgrade() -> None:
    op.drop_index("card_rule_report", "card_rule")
    op.create_index("card_rule_rule", "card_rule", ["rule", "version"])
    op.drop_index("card_report", "card")
    op.create_index("card_at", "card", ["at"])
    op.drop_index("call_report", "call")
    op.create_index("call_at", "call", ["at"])
