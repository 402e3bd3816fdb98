"""A CDS Hooks service that tells clinicians what the content in cards/ means for a record.

`create_app` returns the WSGI application, `application` that of a worker; see factory.py. Both are
imported only when used: the first process of `serve` just supervises its workers and needs neither.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from cds_service.garbage import uncollected

if TYPE_CHECKING:
    from cds_service.factory import application, create_app

__all__ = ["__version__", "application", "create_app"]

try:
    __version__ = version("anxiety-cds-service")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+checkout"


def __getattr__(name: str) -> Any:
    if name in ("application", "create_app"):
        with uncollected():
            from cds_service import factory

        return getattr(factory, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
