"""How often somebody may try to sign in, apart from the limit of calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial

MOST = 10  # in a minute
PAUSE = 60  # seconds after which there is room again


class Attempts:
    """Counts attempts by address; each worker for itself.

    Nobody guesses a token of 256 bits: this keeps guessing from costing the store anything.
    """

    def has_room(self, address: str) -> bool:
        """Count one attempt from this address; False if it is one too many."""
        return self._count(address)

    @cached_property
    def _count(self) -> Callable[[str], bool]:
        # late: it is large, and to most workers nobody signs in
        from limits import RateLimitItemPerMinute
        from limits.storage import MemoryStorage
        from limits.strategies import FixedWindowRateLimiter

        return partial(FixedWindowRateLimiter(MemoryStorage()).hit, RateLimitItemPerMinute(MOST))
