"""Used tokens: the `jti` of a token is accepted once, by any worker."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from cds_service.errors import SettingsError, Unavailable
from cds_service.settings import Settings
from cds_service.store import Store
from cds_service.store.used_tokens import StoredUsedTokens

_PREFIX = "cds:used-token:"
_SECONDS = 0.5  # to wait for Redis


class UsedTokens(Protocol):
    """A memory that every worker shares."""

    def first_use(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether `key` is seen for the first time; it is kept at least `until` then.

        Raises Unavailable if the memory cannot be reached.
        """
        ...

    def is_reachable(self) -> bool: ...


class RedisUsedTokens:
    """The memory in Redis: one key for each token, which expires by itself."""

    def __init__(self, url: str) -> None:
        """Raises SettingsError if the Redis client is not installed."""
        try:
            from redis import Redis, RedisError
        except ImportError:
            raise SettingsError(
                "CDS_REDIS_URL: needs the extra redis: pip install 'anxiety-cds-service[redis]'"
            ) from None
        self._redis = Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, health_check_interval=30
        )
        self._error = RedisError

    def first_use(self, key: str, until: datetime, now: datetime) -> bool:
        milliseconds = max(1, (until - now) // timedelta(milliseconds=1))
        try:
            return bool(self._redis.set(_PREFIX + key, b"", px=milliseconds, nx=True))
        except self._error:
            raise Unavailable("Tokens cannot be checked now; send the call again.") from None

    def is_reachable(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except self._error:
            return False


def used_tokens_of(settings: Settings, store: Store | None) -> UsedTokens | None:
    """The memory that the settings name, or None if anybody can call.

    Raises SettingsError if the workers share no memory.
    """
    if not settings.issuers:
        return None
    if settings.redis_url:
        return RedisUsedTokens(settings.redis_url.get_secret_value())
    if store:
        return StoredUsedTokens(store)
    raise SettingsError("CDS_ISSUERS: there is no place to keep used tokens")
