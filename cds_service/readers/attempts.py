"""How often somebody may try to sign in, apart from the limit of calls."""

from __future__ import annotations

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

MOST = 10  # in a minute
PAUSE = 60  # seconds after which there is room again


class Attempts:
    """Counts attempts by address; each worker for itself.

    Nobody guesses a token of 256 bits: this keeps guessing from costing the store anything.
    """

    def __init__(self) -> None:
        self._limit = RateLimitItemPerMinute(MOST)
        self._counts = FixedWindowRateLimiter(MemoryStorage())

    def has_room(self, address: str) -> bool:
        """Count one attempt from this address; False if it is one too many."""
        return self._counts.hit(self._limit, address)
