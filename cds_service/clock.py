"""The clock, read here and nowhere else: everywhere below, now is an argument."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)
