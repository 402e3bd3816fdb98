"""How often one CDS Client may call."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from cds_service.settings import Settings

_REDIS: dict[str, str | int] = {"socket_timeout": 1, "socket_connect_timeout": 1}  # seconds


def limit_calls(app: Flask, settings: Settings, caller: Callable[[], str]) -> Callable[[], None]:
    """A function to call for each request; it raises 429 with Retry-After for too many calls.

    Calls are counted by `caller`, in Redis if there is one. Without it, or while it is down, each
    worker counts for itself.
    """
    if not settings.rate_limit:
        return lambda: None
    from flask_limiter import Limiter  # late: it is large, and most sites limit calls elsewhere

    limiter = Limiter(
        caller,
        app=app,
        headers_enabled=True,
        in_memory_fallback_enabled=bool(settings.redis_url),
        storage_uri=settings.redis_url.get_secret_value() or "memory://",
        storage_options=_REDIS if settings.redis_url else {},
        strategy="fixed-window",
    )
    # One limit for all addresses together.
    limit = limiter.shared_limit(settings.rate_limit, scope="calls")

    def check() -> None:
        with limit:
            pass

    return check
