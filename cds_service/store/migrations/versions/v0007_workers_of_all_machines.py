"""Workers of all machines tell what they serve, and are asked for a reload."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "worker",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("knowledge_version", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("worker_until", "worker", ["until"])
    op.create_table(
        "reload_request",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("reload_request_at", "reload_request", ["at"])


def downgrade() -> None:
    op.drop_table("reload_request")
    op.drop_table("worker")
