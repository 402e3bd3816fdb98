"""How often one CDS Client may call."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from cds_service.settings import Settings

_REDIS: dict[str, str | int] = {"socket_timeout": 1, "socket_connect_timeout": 1}  # seconds


def limit_calls(app: Flask, settings: Settings, caller: Callable[[], str]) -> Callable[[], None]:
    """What to call for each request of `caller`; it raises HTTP's 429, with Retry-After.

    Counted in Redis where there is one, otherwise by each worker for itself, which is also what
    happens while Redis is away.
    """
    if not settings.rate_limit:
        return lambda: None
    from flask_limiter import Limiter  # late: it is large, and most installations limit elsewhere

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
