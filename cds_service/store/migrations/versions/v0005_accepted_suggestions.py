"""A card keeps what its suggestions proposed, and what was accepted of it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("card", sa.Column("suggestions", sa.JSON()))
    op.add_column("card", sa.Column("accepted", sa.JSON()))


def downgrade() -> None:
    op.drop_column("card", "accepted")
    op.drop_column("card", "suggestions")
