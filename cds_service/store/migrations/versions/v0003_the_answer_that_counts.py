"""The answer that counts is stored in its card; cards and feedback name their client.

Earlier answers stay in the figures of the report, but no longer suppress cards: the hashes of
patients now depend on their origin, so every card comes back once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# The first answer; answers of the same time are ordered by their digest.
_COUNT_THE_FIRST = """
UPDATE card SET
  answered_at = (
    SELECT received_at FROM feedback
    WHERE card_uuid = card.uuid ORDER BY received_at, digest LIMIT 1),
  outcome = (
    SELECT outcome FROM feedback
    WHERE card_uuid = card.uuid ORDER BY received_at, digest LIMIT 1),
  reason_code = (
    SELECT reason_code FROM feedback
    WHERE card_uuid = card.uuid ORDER BY received_at, digest LIMIT 1)
"""


def upgrade() -> None:
    op.add_column("card", sa.Column("client_hash", sa.Text()))
    op.add_column("card", sa.Column("reasons", sa.JSON()))
    op.add_column("card", sa.Column("answered_at", sa.DateTime(timezone=True)))
    op.add_column("card", sa.Column("outcome", sa.Text()))
    op.add_column("card", sa.Column("reason_code", sa.Text()))
    op.add_column("feedback", sa.Column("client_hash", sa.Text()))
    op.execute(_COUNT_THE_FIRST)
    op.drop_index("card_patient_slot", "card")
    op.create_index("card_patient_answered", "card", ["patient_hash", "answered_at"])
    op.create_index("card_answered_at", "card", ["answered_at"])


def downgrade() -> None:
    op.drop_index("card_answered_at", "card")
    op.drop_index("card_patient_answered", "card")
    op.create_index("card_patient_slot", "card", ["patient_hash", "slot"])
    op.drop_column("feedback", "client_hash")
    for name in ("reason_code", "outcome", "answered_at", "reasons", "client_hash"):
        op.drop_column("card", name)
