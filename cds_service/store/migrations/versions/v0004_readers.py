"""Readers of the pages with figures, and their sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "reader",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
    )
    op.create_index("reader_token_hash", "reader", ["token_hash"], unique=True)
    op.create_table(
        "reader_session",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column(
            "reader_id", number, sa.ForeignKey("reader.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("reader_session_until", "reader_session", ["until"])


def downgrade() -> None:
    op.drop_table("reader_session")
    op.drop_table("reader")
