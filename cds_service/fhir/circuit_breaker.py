"""Servers that fail several calls in a row are not called for a while, to save time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock

FAILURES = 3  # calls in a row without any answer
COOL_DOWN = 30.0  # seconds until one call may try again
MOST_SERVERS = 100  # kept in memory; the oldest failure is dropped first


@dataclass(slots=True)
class _Trouble:
    """The failures of a server in a row, and when to try it again if they are too many."""

    failures: int = 0
    retry_at: float = 0.0


class CircuitBreaker:
    """Whether to call a server. `timer` returns seconds that only increase.

    The circuit opens after FAILURES calls without an answer. After COOL_DOWN it lets one call at a
    time through, and an answer closes it again. Safe for use by several threads.
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
            # Other calls keep waiting. A trial that never reports costs one more cool-down.
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
