"""What is kept after a call: audit, cards shown, feedback. Only this package uses a database."""

from cds_service.store.answers import answers_of
from cds_service.store.cards import trace_of
from cds_service.store.database import Store, open_store
from cds_service.store.feedback import keep_feedback
from cds_service.store.maintenance import can_write, counts, prune
from cds_service.store.tables import CallRow, CardRow, FeedbackRow, RuleRow
from cds_service.store.writer import Writer

__all__ = [
    "CallRow",
    "CardRow",
    "FeedbackRow",
    "RuleRow",
    "Store",
    "Writer",
    "answers_of",
    "can_write",
    "counts",
    "keep_feedback",
    "open_store",
    "prune",
    "trace_of",
]
