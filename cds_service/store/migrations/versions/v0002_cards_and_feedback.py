"""Cards and feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "card",
        sa.Column("uuid", sa.Text(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("knowledge_version", sa.Text(), nullable=False),
        sa.Column("patient_hash", sa.Text(), nullable=False),
        sa.Column("user_hash", sa.Text(), nullable=False),
        sa.Column("encounter_hash", sa.Text()),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("trace", sa.JSON(), nullable=False),
    )
    op.create_index("card_patient_slot", "card", ["patient_hash", "slot"])
    op.create_index("card_at", "card", ["at"])
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
    op.create_index("card_rule_rule", "card_rule", ["rule", "version"])
    op.create_table(
        "feedback",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("card_uuid", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("outcome_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason_code", sa.Text()),
        sa.Column("reason_system", sa.Text()),
        sa.Column("reason_display", sa.Text()),
        sa.Column("comment", sa.Text()),
        sa.Column("accepted", sa.JSON(), nullable=False),
        sa.Column("client", sa.Text()),
    )
    op.create_index("feedback_card_uuid", "feedback", ["card_uuid"])
    op.create_index("feedback_received_at", "feedback", ["received_at"])


def downgrade() -> None:
    op.drop_table("feedback")
    op.drop_table("card_rule")
    op.drop_table("card")
