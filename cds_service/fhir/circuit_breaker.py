"""Servers that failed call after call are left alone for a while, so that they cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock

FAILURES = 3  # calls in a row that got no answer at all
COOL_DOWN = 30.0  # seconds until one call may try again
MOST_SERVERS = 100  # that are remembered; the one that failed first is forgotten first


@dataclass(slots=True)
class _Trouble:
    """A server's failures in a row, and when it may be tried again once they are too many."""

    failures: int = 0
    retry_at: float = 0.0


class CircuitBreaker:
    """Whether a server is worth a try. `timer` gives seconds that only ever grow.

    Open after FAILURES calls without an answer; after COOL_DOWN one call at a time is let through,
    and its answer closes it again. Safe for use by several threads.
    """

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._troubles: dict[Hashable, _Trouble] = {}
        self._lock = Lock()

    def allows(self, server: Hashable) -> bool:
        """Whether to call this server now."""
        with self._lock:
            trouble = self._troubles.get(server)
            if trouble is None or trouble.failures < FAILURES:
                return True
            now = self._timer()
            if now < trouble.retry_at:
                return False
            # The others wait on; a trial that never reports back costs one more cool-down.
            trouble.retry_at = now + COOL_DOWN
            return True

    def report(self, server: Hashable, *, answered: bool) -> None:
        """Report whether a call got an answer; a refusal is an answer too."""
        with self._lock:
            if answered:
                self._troubles.pop(server, None)
                return
            trouble = self._troubles.setdefault(server, _Trouble())
            trouble.failures += 1
            trouble.retry_at = self._timer() + COOL_DOWN
            if len(self._troubles) > MOST_SERVERS:
                del self._troubles[next(iter(self._troubles))]
