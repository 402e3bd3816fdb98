"""The path of CDS_PUBLIC_URL: a proxy may remove it or keep it; links always have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


def below(prefix: str, application: WSGI) -> WSGI:
    """The application at its own addresses and at those below `prefix`, which has no slash at its
    end."""

    def prefixed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if f"{path}/".startswith(f"{prefix}/"):
            path = path.removeprefix(prefix) or "/"
        environ = environ | {"SCRIPT_NAME": prefix, "PATH_INFO": path}
        return application(environ, start_response)

    return prefixed
