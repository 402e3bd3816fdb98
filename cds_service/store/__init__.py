"""What outlives a call: audit, cards shown, feedback. The only floor that knows a database."""

from cds_service.store.database import Store, open_store
from cds_service.store.maintenance import counts, keep_feedback, prune
from cds_service.store.recalling import answers_of, trace_of
from cds_service.store.rows import CallRow, CardRow, FeedbackRow, RuleRow
from cds_service.store.writer import Writer

__all__ = [
    "CallRow",
    "CardRow",
    "FeedbackRow",
    "RuleRow",
    "Store",
    "Writer",
    "answers_of",
    "counts",
    "keep_feedback",
    "open_store",
    "prune",
    "trace_of",
]
