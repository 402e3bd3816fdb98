"""What outlives a call: audit, cards shown, feedback. The only floor that knows a database."""

from cds_service.store.database import Store, open_store
from cds_service.store.rows import CallRow, CardRow, RuleRow
from cds_service.store.writer import Writer

__all__ = ["CallRow", "CardRow", "RuleRow", "Store", "Writer", "open_store"]
